//! A proxy in front of the broker. A Kafka client goes to the address that the broker names in its answers, so
//! the proxy puts its own there.

use std::io;
use std::net::SocketAddr;

use flamingock_testing::conformance::{Proxy, Traffic};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// To this broker, such as `127.0.0.1:9092`.
pub(crate) async fn to(broker: &str) -> io::Result<Proxy> {
    Proxy::carried(broker, carry).await
}

async fn carry(mut client: TcpStream, mut server: TcpStream, traffic: Traffic) -> io::Result<()> {
    let (broker, own) = (server.peer_addr()?, client.local_addr()?);
    let ((mut from_client, to_client), (from_server, mut to_server)) = (client.split(), server.split());
    tokio::select! {
        ended = tokio::io::copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = answers(from_server, to_client, (broker, own), &traffic) => ended,
    }
}

/// Carries answers, each of which begins with its length.
async fn answers(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    (broker, own): (SocketAddr, SocketAddr),
    traffic: &Traffic,
) -> io::Result<()> {
    loop {
        let length = from.read_u32().await?;
        let mut answer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        from.read_exact(&mut answer).await?;
        rename(&mut answer, broker, own);
        if traffic.answer_passes() {
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
