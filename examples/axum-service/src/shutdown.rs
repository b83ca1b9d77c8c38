use std::io;

use flamingock::CancellationToken;
use tokio::signal::unix::{SignalKind, signal};

/// Cancelled by SIGTERM, which is how Kubernetes ends a pod, and by Ctrl-C.
pub(crate) fn on_signal() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
    });
    Ok(token)
}
