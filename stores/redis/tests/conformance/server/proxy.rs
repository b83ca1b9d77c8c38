use std::io;
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A TCP proxy in front of a server, which can be unplugged.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    plug: watch::Sender<bool>,
}

impl Proxy {
    /// On a free port, to this server.
    pub(crate) async fn to(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (plug, mut plugged) = watch::channel(true);
        tokio::spawn(async move {
            let of_each = plugged.clone();
            loop {
                tokio::select! {
                    _ = plugged.wait_for(|plugged| !plugged) => return,
                    accepted = listener.accept() => {
                        let Ok((client, _)) = accepted else { return };
                        tokio::spawn(carry(client, server.clone(), of_each.clone()));
                    }
                }
            }
        });
        Ok(Self { port, plug })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections, and takes no more.
    pub(crate) fn unplug(&self) {
        self.plug.send_replace(false);
    }
}

async fn carry(mut client: TcpStream, server: String, mut plugged: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = plugged.wait_for(|plugged| !plugged) => {}
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
    }
}
