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
    hiding(broker, "").await
}

/// The same, and no broker knows this topic yet.
pub(crate) async fn hiding(broker: &str, topic: &str) -> io::Result<Proxy> {
    let topic = topic.to_owned();
    Proxy::carried(broker, move |client, server, traffic| carry(client, server, traffic, topic.clone())).await
}

async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    traffic: Traffic,
    hidden: String,
) -> io::Result<()> {
    let (broker, own) = (server.peer_addr()?, client.local_addr()?);
    let ((mut from_client, to_client), (from_server, mut to_server)) = (client.split(), server.split());
    tokio::select! {
        ended = tokio::io::copy(&mut from_client, &mut to_server) => ended.map(drop),
        ended = answers(from_server, to_client, (broker, own), &traffic, hidden.as_bytes()) => ended,
    }
}

/// Carries answers, each of which begins with its length.
async fn answers(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    (broker, own): (SocketAddr, SocketAddr),
    traffic: &Traffic,
    hidden: &[u8],
) -> io::Result<()> {
    loop {
        let length = from.read_u32().await?;
        let mut answer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        from.read_exact(&mut answer).await?;
        // Where brokers are named, topics are, too.
        if rename(&mut answer, broker, own) {
            hide(&mut answer, hidden);
        }
        if traffic.answer_passes() {
            to.write_u32(length).await?;
            to.write_all(&answer).await?;
        }
    }
}

/// A broker stands there as its host's name followed by its port, in four bytes.
fn rename(answer: &mut [u8], broker: SocketAddr, own: SocketAddr) -> bool {
    let host = broker.ip().to_string();
    let port = |address: SocketAddr| u32::from(address.port()).to_be_bytes();
    let named = [host.as_bytes(), &port(broker)].concat();
    let mut is_there = false;
    for at in 0..answer.len().saturating_sub(named.len() - 1) {
        if answer[at..].starts_with(&named) {
            answer[at + host.len()..at + named.len()].copy_from_slice(&port(own));
            is_there = true;
        }
    }
    is_there
}

/// The topic gets another name.
fn hide(answer: &mut [u8], topic: &[u8]) {
    for at in 0..answer.len().saturating_sub(topic.len()) {
        if !topic.is_empty() && answer[at..].starts_with(topic) {
            answer[at..at + topic.len()].fill(b'-');
        }
    }
}
