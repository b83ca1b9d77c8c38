//! A TCP proxy in front of a server: it can be unplugged, and counts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    plug: watch::Sender<bool>,
    traffic: Arc<Traffic>,
}

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// How often the client has sent something after the server had, or first.
    turns: AtomicUsize,
    client_speaks: AtomicBool,
    /// Nothing of what the server says from now on arrives.
    deaf: AtomicBool,
}

impl Proxy {
    /// On a free port, to this server.
    pub(crate) async fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (plug, plugged) = watch::channel(true);
        let traffic = Arc::new(Traffic::default());
        tokio::spawn(accept(listener, server, plugged, Arc::clone(&traffic)));
        Ok(Self { port, plug, traffic })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections, and takes no more.
    pub(crate) fn unplug(&self) {
        self.plug.send_replace(false);
    }

    /// From now on the server's answers are swallowed.
    pub(crate) fn swallow_answers(&self) {
        self.traffic.deaf.store(true, Ordering::SeqCst);
    }

    /// Round trips so far, over all connections; meaningful with one at a time.
    pub(crate) fn round_trips(&self) -> usize {
        self.traffic.turns.load(Ordering::SeqCst)
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    mut plugged: watch::Receiver<bool>,
    traffic: Arc<Traffic>,
) {
    let for_each = plugged.clone();
    loop {
        tokio::select! {
            _ = plugged.wait_for(|plugged| !plugged) => return,
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                tokio::spawn(carry(client, server, for_each.clone(), Arc::clone(&traffic)));
            }
        }
    }
}

async fn carry(
    client: TcpStream,
    server: SocketAddr,
    mut plugged: watch::Receiver<bool>,
    traffic: Arc<Traffic>,
) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        _ = plugged.wait_for(|plugged| !plugged) => {}
        // Who hangs up is hung up on.
        _ = copy(from_client, to_server, || {
            if !traffic.client_speaks.swap(true, Ordering::SeqCst) {
                traffic.turns.fetch_add(1, Ordering::SeqCst);
            }
            true
        }) => {}
        _ = copy(from_server, to_client, || {
            traffic.client_speaks.store(false, Ordering::SeqCst);
            !traffic.deaf.load(Ordering::SeqCst)
        }) => {}
    }
}

/// Carries what `pass` lets pass.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    pass: impl Fn() -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        if pass() {
            to.write_all(&buffer[..length]).await?;
        }
    }
}
