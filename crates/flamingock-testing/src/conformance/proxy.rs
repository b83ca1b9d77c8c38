use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A TCP proxy in front of a server, for fixtures: it can be unplugged, and can swallow answers.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
/// use flamingock_testing::conformance::Proxy;
///
/// let proxy = Proxy::to(server).await?; // or "localhost:5432"
/// let url = format!("postgres://postgres@{}/orders", proxy.address());
/// proxy.unplug(); // the store is unreachable for every handle
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    plugged: watch::Sender<bool>,
    traffic: Traffic,
}

/// What passes through a [`Proxy`], over all its connections.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    client_speaks: AtomicBool,
    turns: AtomicUsize,
    deaf: AtomicBool,
    swallowed: watch::Sender<bool>,
    /// Counts how often.
    forgotten: watch::Sender<usize>,
}

impl Proxy {
    /// On a free port of this machine, to the server at `host:port`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn to(server: impl ToString) -> io::Result<Self> {
        Self::carried(server, through).await
    }

    /// The same, with `carry` between each client and the server (in this order): for tests that have to
    /// understand what is said. Before it passes an answer on, it asks [`Traffic::answer_passes`].
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn carried<F>(
        server: impl ToString,
        carry: impl Fn(TcpStream, TcpStream, Traffic) -> F + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let server = server.to_string();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (plugged, mut seen) = watch::channel(true);
        let traffic = Traffic::default();
        let proxy = Self { address, plugged, traffic: traffic.clone() };
        let carry = Arc::new(carry);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = unplugged(&mut seen) => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((client, _)) = accepted else { return };
                let (server, mut seen) = (server.clone(), seen.clone());
                let (carry, traffic) = (Arc::clone(&carry), traffic.clone());
                let mut forgotten = traffic.0.forgotten.subscribe();
                tokio::spawn(async move {
                    let connection = async {
                        let server = TcpStream::connect(server).await?;
                        client.set_nodelay(true)?;
                        server.set_nodelay(true)?;
                        carry(client, server, traffic).await
                    };
                    // Who hangs up is hung up on.
                    tokio::pin!(connection);
                    tokio::select! {
                        () = unplugged(&mut seen) => {}
                        _ = &mut connection => {}
                        _ = forgotten.changed() => unplugged(&mut seen).await,
                    }
                });
            }
        });
        Ok(proxy)
    }

    /// Where clients connect to: `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks all connections, and takes no more.
    pub fn unplug(&self) {
        self.plugged.send_replace(false);
    }

    /// From now on the connections that there are carry nothing, and nobody is told: as where a firewall forgets
    /// them, or their server's machine is gone. Those that are made later work.
    pub fn forget(&self) {
        self.traffic.0.forgotten.send_modify(|times| *times += 1);
    }

    /// From now on what the server says is swallowed, or arrives again.
    pub fn swallow_answers(&self, swallow: bool) {
        self.traffic.0.deaf.store(swallow, Ordering::SeqCst);
    }

    /// Returns once something that the server said was swallowed.
    pub async fn has_swallowed(&self) {
        // It lives as long as the sender.
        let _ = self.traffic.0.swallowed.subscribe().wait_for(|swallowed| *swallowed).await;
    }

    /// How often a client has said something after the server had, or first; meaningful with one
    /// connection at a time.
    pub fn round_trips(&self) -> usize {
        self.traffic.0.turns.load(Ordering::SeqCst)
    }
}

/// Also when the proxy is dropped.
async fn unplugged(plugged: &mut watch::Receiver<bool>) {
    let _ = plugged.wait_for(|plugged| !plugged).await;
}

impl Traffic {
    fn question(&self) {
        if !self.0.client_speaks.swap(true, Ordering::SeqCst) {
            self.0.turns.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whether what the server says gets through; otherwise it has been swallowed.
    pub fn answer_passes(&self) -> bool {
        self.0.client_speaks.store(false, Ordering::SeqCst);
        let passes = !self.0.deaf.load(Ordering::SeqCst);
        if !passes {
            self.0.swallowed.send_replace(true);
        }
        passes
    }
}

/// Carries everything as it is.
async fn through(mut client: TcpStream, mut server: TcpStream, traffic: Traffic) -> io::Result<()> {
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let question = || {
        traffic.question();
        true
    };
    tokio::select! {
        ended = copy(from_client, to_server, question) => ended,
        ended = copy(from_server, to_client, || traffic.answer_passes()) => ended,
    }
}

/// Carries what `passes`.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passes: impl Fn() -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        if passes() {
            to.write_all(&buffer[..length]).await?;
        }
    }
}
