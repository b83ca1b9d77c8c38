//! A TCP proxy in front of a server: it can be unplugged, and can swallow answers.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plugged,
    /// What the server says does not arrive.
    Deaf,
    Unplugged,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    /// Something that the server said did not arrive.
    swallowed: watch::Sender<bool>,
}

impl Proxy {
    /// On a free port, to this server.
    pub(crate) async fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (state, watched) = watch::channel(State::Plugged);
        let swallowed = watch::Sender::new(false);
        tokio::spawn(accept(listener, server, watched, swallowed.clone()));
        Ok(Self { port, state, swallowed })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Breaks all connections, and takes no more.
    pub(crate) fn unplug(&self) {
        self.state.send_replace(State::Unplugged);
    }

    /// From now on the server's answers are swallowed, or arrive again.
    pub(crate) fn swallow_answers(&self, swallow: bool) {
        self.state.send_replace(if swallow { State::Deaf } else { State::Plugged });
    }

    /// Returns when an answer has been swallowed.
    pub(crate) async fn has_swallowed(&self) {
        let _ = self.swallowed.subscribe().wait_for(|swallowed| *swallowed).await;
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    mut state: watch::Receiver<State>,
    swallowed: watch::Sender<bool>,
) {
    let for_each = state.clone();
    loop {
        tokio::select! {
            _ = state.wait_for(|state| *state == State::Unplugged) => return,
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                tokio::spawn(carry(client, server, for_each.clone(), swallowed.clone()));
            }
        }
    }
}

async fn carry(
    client: TcpStream,
    server: SocketAddr,
    mut state: watch::Receiver<State>,
    swallowed: watch::Sender<bool>,
) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let seen = state.clone();
    tokio::select! {
        _ = state.wait_for(|state| *state == State::Unplugged) => {}
        // Who hangs up is hung up on.
        _ = copy(from_client, to_server, || true) => {}
        _ = copy(from_server, to_client, || {
            let passes = *seen.borrow() == State::Plugged;
            if !passes {
                swallowed.send_replace(true);
            }
            passes
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
