//! A TCP proxy that loses answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections to a server. To the first connection that commits an effect it passes on
/// nothing any more: the commit arrives, its answer does not.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    swallowed: Arc<AtomicBool>,
}

impl Proxy {
    /// In front of `host:port`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn in_front_of(server: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let swallowed = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&swallowed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server.clone(), Arc::clone(&shared)));
            }
        });
        Ok(Self { port, swallowed })
    }

    /// The URL of a database, through the proxy.
    ///
    /// # Errors
    /// When the URL names no host and port.
    pub fn url(&self, url: &str) -> Result<String> {
        let (before, _, after) = parts(url)?;
        Ok(format!("{before}127.0.0.1:{}{after}", self.port))
    }

    /// Whether an answer was swallowed.
    pub fn has_swallowed(&self) -> bool {
        self.swallowed.load(Ordering::SeqCst)
    }
}

/// `host:port` of a URL.
///
/// # Errors
/// When the URL names none.
pub fn server(url: &str) -> Result<String> {
    Ok(parts(url)?.1.to_owned())
}

/// What stands before, in and after `host:port`.
pub(crate) fn parts(url: &str) -> Result<(&str, &str, &str)> {
    let start =
        url.find('@').map(|at| at + 1).or_else(|| url.find("://").map(|at| at + 3)).context("a URL")?;
    let end = url[start..].find('/').map_or(url.len(), |slash| start + slash);
    Ok((&url[..start], &url[start..end], &url[end..]))
}

async fn forward(mut client: TcpStream, server: String, swallowed: Arc<AtomicBool>) -> Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut from_server, mut to_server) = server.split();
    let (mut from_client, mut to_client) = client.split();
    let deaf = AtomicBool::new(false);
    let asks = async {
        let mut buffer = [0; 16 * 1024];
        let mut has_effect = false;
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return anyhow::Ok(());
            }
            let says = |word: &[u8]| buffer[..read].windows(word.len()).any(|window| window == word);
            has_effect |= says(b"INSERT INTO effects");
            if has_effect && says(b"COMMIT") && !swallowed.swap(true, Ordering::SeqCst) {
                deaf.store(true, Ordering::SeqCst);
            }
            to_server.write_all(&buffer[..read]).await?;
        }
    };
    let answers = async {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return anyhow::Ok(());
            }
            if !deaf.load(Ordering::SeqCst) {
                to_client.write_all(&buffer[..read]).await?;
            }
        }
    };
    tokio::select! {
        ended = asks => ended,
        ended = answers => ended,
    }
}
