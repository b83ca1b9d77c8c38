//! A TCP proxy that cuts, delays and swallows, and a server that never answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections to a server, as the weather allows.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    sky: watch::Sender<Sky>,
    lost_commit: Arc<LostCommit>,
}

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It arrives.
    Fair,
    /// It arrives later.
    Slow(Duration),
    /// Requests arrive, answers do not.
    Deaf,
    /// Nothing arrives.
    Gone,
}

impl Weather {
    fn loses(self) -> bool {
        matches!(self, Self::Deaf | Self::Gone)
    }
}

#[derive(Debug, Clone, Copy)]
struct Sky {
    weather: Weather,
    /// Connections of an earlier age are cut.
    age: u64,
}

/// The first connection that commits an effect gets no answer from then on: the commit arrives.
#[derive(Debug, Default)]
struct LostCommit {
    wanted: AtomicBool,
    happened: AtomicBool,
}

impl Proxy {
    /// In front of `host:port`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn in_front_of(server: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (sky, seen) = watch::channel(Sky { weather: Weather::Fair, age: 0 });
        let lost_commit = Arc::<LostCommit>::default();
        let shared = Arc::clone(&lost_commit);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let wire = Wire {
                    age: seen.borrow().age,
                    sky: seen.clone(),
                    deaf: AtomicBool::new(false),
                    lost_commit: Arc::clone(&shared),
                };
                tokio::spawn(wire.forward(client, server.clone()));
            }
        });
        Ok(Self { port, sky, lost_commit })
    }

    /// The same, and it passes nothing on any more to the first connection that commits an effect.
    #[must_use]
    pub fn losing_a_commit(self) -> Self {
        self.lose_a_commit();
        self
    }

    /// From now on nothing is passed on any more to the next connection that commits an effect.
    pub fn lose_a_commit(&self) {
        self.lost_commit.happened.store(false, Ordering::SeqCst);
        self.lost_commit.wanted.store(true, Ordering::SeqCst);
    }

    /// The URL of a database, through the proxy, which reads along: without TLS.
    ///
    /// # Errors
    /// When the URL names no host and port.
    pub fn url(&self, url: &str) -> Result<String> {
        let (before, _, after) = parts(url)?;
        let open = if url.starts_with("mysql") { "ssl-mode=DISABLED" } else { "sslmode=disable" };
        let and = if after.contains('?') { '&' } else { '?' };
        Ok(format!("{before}127.0.0.1:{}{after}{and}{open}", self.port))
    }

    /// Whether the answer of a commit was swallowed.
    pub fn has_swallowed(&self) -> bool {
        self.lost_commit.happened.load(Ordering::SeqCst)
    }

    /// Changes the weather. Connections that have lost something are cut when it clears up.
    pub fn set(&self, weather: Weather) {
        self.sky.send_modify(|sky| {
            sky.age += u64::from(sky.weather.loses());
            sky.weather = weather;
        });
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.sky.send_modify(|sky| sky.age += 1);
    }
}

/// A server that takes connections and never says a word.
#[derive(Debug)]
pub struct Silent(TcpListener);

impl Silent {
    /// On a free port. Nobody accepts: the system takes connections by itself.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn new() -> Result<Self> {
        Ok(Self(TcpListener::bind("127.0.0.1:0").await?))
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.0.local_addr().map(|address| address.to_string()).unwrap_or_default()
    }

    /// The URL of an audit store, at this server instead.
    ///
    /// # Errors
    /// When the URL names no host and port.
    pub fn url(&self, url: &str) -> Result<String> {
        // A table of DynamoDB has its server among the parameters.
        let (outer, inner) = url.split_at(url.find("endpoint=").unwrap_or_default());
        let (before, _, after) = parts(inner)?;
        Ok(format!("{outer}{before}{}{after}", self.address()))
    }
}

/// `host:port` of a URL.
///
/// # Errors
/// When the URL names none.
pub fn server(url: &str) -> Result<String> {
    Ok(parts(url)?.1.to_owned())
}

/// The URL of another database on the same server.
pub(crate) fn with_database(url: &str, name: &str) -> Result<String> {
    let (before, host, after) = parts(url)?;
    let query = after.find('?').map_or("", |query| &after[query..]);
    Ok(format!("{before}{host}/{name}{query}"))
}

/// What stands before, in and after `host:port`.
pub(crate) fn parts(url: &str) -> Result<(&str, &str, &str)> {
    let start =
        url.find('@').map(|at| at + 1).or_else(|| url.find("://").map(|at| at + 3)).context("a URL")?;
    let end = url[start..].find('/').map_or(url.len(), |slash| start + slash);
    Ok((&url[..start], &url[start..end], &url[end..]))
}

/// One connection.
struct Wire {
    age: u64,
    sky: watch::Receiver<Sky>,
    /// No answer goes over it any more.
    deaf: AtomicBool,
    lost_commit: Arc<LostCommit>,
}

impl Wire {
    async fn forward(self, mut client: TcpStream, server: String) -> Result<()> {
        let mut server = TcpStream::connect(server).await?;
        let (mut from_server, mut to_server) = server.split();
        let (mut from_client, mut to_client) = client.split();
        let mut sky = self.sky.clone();
        tokio::select! {
            ended = self.requests(&mut from_client, &mut to_server) => ended,
            ended = self.answers(&mut from_server, &mut to_client) => ended,
            _ = sky.wait_for(|sky| sky.age != self.age) => Ok(()),
        }
    }

    async fn requests(&self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        let mut has_effect = false;
        loop {
            let read = self.read(from, &mut buffer).await?;
            let says = |word: &[u8]| buffer[..read].windows(word.len()).any(|window| window == word);
            has_effect |= says(b"INSERT INTO effects");
            if has_effect && says(b"COMMIT") && self.lost_commit.begins() {
                self.deaf.store(true, Ordering::SeqCst);
            }
            if self.weather().await != Weather::Gone {
                to.write_all(&buffer[..read]).await?;
            }
        }
    }

    async fn answers(&self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = self.read(from, &mut buffer).await?;
            if !self.weather().await.loses() && !self.deaf.load(Ordering::SeqCst) {
                to.write_all(&buffer[..read]).await?;
            }
        }
    }

    /// Who closes the connection while nothing gets through is not heard, either.
    async fn read(&self, from: &mut ReadHalf<'_>, buffer: &mut [u8]) -> Result<usize> {
        let read = from.read(buffer).await.unwrap_or(0);
        if read == 0 {
            self.sky.clone().wait_for(|sky| !sky.weather.loses()).await?;
            anyhow::bail!("closed");
        }
        Ok(read)
    }

    /// As it is when what was sent arrives.
    async fn weather(&self) -> Weather {
        let weather = self.sky.borrow().weather;
        if let Weather::Slow(time) = weather {
            tokio::time::sleep(time).await;
        }
        weather
    }
}

impl LostCommit {
    /// Whether this commit is the one.
    fn begins(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) && !self.happened.swap(true, Ordering::SeqCst)
    }
}
