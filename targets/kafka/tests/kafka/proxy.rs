//! A TCP proxy in front of the broker: it can be unplugged, and can swallow answers. A Kafka client goes to the
//! address that the broker names in its answers, so the proxy puts its own there.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plugged,
    /// What the broker says does not arrive.
    Deaf,
    Unplugged,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    state: watch::Sender<State>,
}

impl Proxy {
    /// On a free port, to this broker, such as `127.0.0.1:9092`.
    pub(crate) async fn to(broker: &str) -> io::Result<Self> {
        let broker: SocketAddr = broker.parse().map_err(io::Error::other)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (state, watched) = watch::channel(State::Plugged);
        tokio::spawn(accept(listener, broker, watched));
        Ok(Self { port, state })
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Breaks all connections, and takes no more.
    pub(crate) fn unplug(&self) {
        self.state.send_replace(State::Unplugged);
    }

    /// From now on the broker's answers are swallowed, or arrive again.
    pub(crate) fn swallow_answers(&self, swallow: bool) {
        self.state.send_replace(if swallow { State::Deaf } else { State::Plugged });
    }
}

async fn accept(listener: TcpListener, broker: SocketAddr, mut state: watch::Receiver<State>) {
    let for_each = state.clone();
    let Ok(own) = listener.local_addr() else { return };
    loop {
        tokio::select! {
            _ = state.wait_for(|state| *state == State::Unplugged) => return,
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                tokio::spawn(carry(client, broker, own, for_each.clone()));
            }
        }
    }
}

async fn carry(client: TcpStream, broker: SocketAddr, own: SocketAddr, mut state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(broker).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut from_client, to_client), (from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let seen = state.clone();
    tokio::select! {
        _ = state.wait_for(|state| *state == State::Unplugged) => {}
        // Who hangs up is hung up on.
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        _ = answers(from_server, to_client, (broker, own), || *seen.borrow() == State::Plugged) => {}
    }
}

/// Carries answers, each of which begins with its length.
async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (broker, own): (SocketAddr, SocketAddr),
    pass: impl Fn() -> bool,
) -> io::Result<()> {
    loop {
        let length = from.read_u32().await?;
        let mut answer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        from.read_exact(&mut answer).await?;
        rename(&mut answer, broker, own);
        if pass() {
            to.write_u32(length).await?;
            to.write_all(&answer).await?;
        }
    }
}

/// A broker stands there as its host's name followed by its port, in four bytes.
fn rename(answer: &mut [u8], broker: SocketAddr, own: SocketAddr) {
    let host = broker.ip().to_string();
    let port = |address: SocketAddr| u32::from(address.port()).to_be_bytes();
    let named = [host.as_bytes(), &port(broker)].concat();
    for at in 0..answer.len().saturating_sub(named.len() - 1) {
        if answer[at..].starts_with(&named) {
            answer[at + host.len()..at + named.len()].copy_from_slice(&port(own));
        }
    }
}
