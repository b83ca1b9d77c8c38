//! A TCP proxy in front of a server: it can be unplugged, and can refuse commands.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use flamingock_store_mongodb::mongodb::bson::{self, Document, doc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Whether a command is let through, by its name and its collection.
type Rule = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

pub(crate) struct Proxy {
    port: u16,
    plug: watch::Sender<bool>,
    rule: Arc<Mutex<Option<Rule>>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Proxy {
    /// On a free port, to this server.
    pub(crate) async fn to(server: String) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (plug, mut plugged) = watch::channel(true);
        let rule = Arc::new(Mutex::new(None));
        let of_connections = Arc::clone(&rule);
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    _ = plugged.wait_for(|plugged| !plugged) => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((client, _)) = accepted else { return };
                tokio::spawn(carry(client, server.clone(), plugged.clone(), Arc::clone(&of_connections)));
            }
        });
        Ok(Self { port, plug, rule })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections, and takes no more.
    pub(crate) fn unplug(&self) {
        self.plug.send_replace(false);
    }

    /// From now on commands that do not fit are answered as if the user had no permission.
    pub(crate) fn allow(&self, rule: impl Fn(&str, &str) -> bool + Send + Sync + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(rule));
    }

    /// Lets everything through again.
    pub(crate) fn allow_all(&self) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// One message after the other, each with its answer: the driver asks for no other kind here.
async fn carry(
    mut client: TcpStream,
    server: String,
    mut plugged: watch::Receiver<bool>,
    rule: Arc<Mutex<Option<Rule>>>,
) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    tokio::select! {
        _ = plugged.wait_for(|plugged| !plugged) => {}
        _ = async {
            loop {
                let message = read(&mut client).await?;
                let rule = rule.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let answer = match (rule, command(&message)) {
                    (Some(rule), Some((name, collection))) if !rule(&name, &collection) => refusal(&message, &name),
                    _ => {
                        server.write_all(&message).await?;
                        read(&mut server).await?
                    }
                };
                client.write_all(&answer).await?;
            }
            #[expect(unreachable_code, reason = "it gives the block its type")]
            Ok::<(), io::Error>(())
        } => {}
    }
}

async fn read(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    from.read_exact(&mut message).await?;
    let length = message.as_slice().try_into().map(u32::from_le_bytes).unwrap_or_default();
    message.resize(usize::try_from(length).unwrap_or_default().max(16), 0);
    from.read_exact(&mut message[4..]).await?;
    Ok(message)
}

/// Name and collection of the command in an `OP_MSG`.
fn command(message: &[u8]) -> Option<(String, String)> {
    const OP_MSG: [u8; 4] = 2013_u32.to_le_bytes();
    // Header, flags, kind of the section.
    if message.get(12..16)? != OP_MSG || message.get(20)? != &0 {
        return None;
    }
    let length = u32::from_le_bytes(message.get(21..25)?.try_into().ok()?);
    let body = message.get(21..21 + usize::try_from(length).ok()?)?;
    let body: Document = bson::deserialize_from_slice(body).ok()?;
    let (name, collection) = body.iter().next()?;
    Some((name.clone(), collection.as_str().unwrap_or_default().to_owned()))
}

/// What a server says to users without the permission.
fn refusal(message: &[u8], name: &str) -> Vec<u8> {
    let errmsg = format!("not authorized on test to execute command {name}");
    let body = doc! { "ok": 0.0, "errmsg": errmsg, "code": 13, "codeName": "Unauthorized" };
    let body = bson::serialize_to_vec(&body).unwrap_or_default();
    let length = u32::try_from(21 + body.len()).unwrap_or_default();
    let mut answer = length.to_le_bytes().to_vec();
    answer.extend([0; 4]);
    answer.extend(&message[4..8]);
    answer.extend(2013_u32.to_le_bytes());
    answer.extend([0; 5]);
    answer.extend(body);
    answer
}
