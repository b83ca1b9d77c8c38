use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Between a tool and PostgreSQL: counts how often the server said that it is ready for the next
/// query, which is how often the tool had to wait for it.
pub(crate) struct Wire {
    pub(crate) port: u16,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    answers: AtomicU64,
    pings: AtomicU64,
}

/// The type of the message ReadyForQuery.
const READY: u8 = b'Z';

impl Wire {
    /// `server` is `host:port`. It listens until the program ends.
    pub(crate) async fn to(server: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let wire = Self { port: listener.local_addr()?.port(), counts: Arc::default() };
        let (server, counts) = (server.to_owned(), Arc::clone(&wire.counts));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { break };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let ((mut from_client, to_client), (from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                    let _ = to_server.shutdown().await;
                });
                tokio::spawn(count(from_server, to_client, Arc::clone(&counts)));
            }
        });
        Ok(wire)
    }

    /// Answers to statements, and to pings: a pool makes sure that a connection is alive by asking the
    /// server for nothing.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let [answers, pings] = [&self.counts.answers, &self.counts.pings].map(|c| c.load(Ordering::SeqCst));
        (answers, pings)
    }
}

/// Without TLS everything from the server is messages: a type, a length that counts itself, the rest.
async fn count(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, counts: Arc<Counts>) -> Result<()> {
    let (mut message, mut previous) = (Vec::new(), 0);
    loop {
        let kind = server.read_u8().await?;
        let length = server.read_u32().await?;
        message.clear();
        message.push(kind);
        message.extend_from_slice(&length.to_be_bytes());
        message.resize(1 + length as usize, 0);
        server.read_exact(&mut message[5..]).await?;
        match (previous, kind) {
            (READY, READY) => _ = counts.pings.fetch_add(1, Ordering::SeqCst),
            (_, READY) => _ = counts.answers.fetch_add(1, Ordering::SeqCst),
            _ => {}
        }
        previous = kind;
        client.write_all(&message).await?;
    }
}
