//! A proxy in front of a server that refuses commands.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use flamingock_store_mongodb::mongodb::bson::{self, Document, doc};
use flamingock_testing::conformance::Proxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Whether a command is let through, by its name and its collection.
type Rule = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// The rule of a proxy, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Rules(Arc<Mutex<Option<Rule>>>);

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules").finish_non_exhaustive()
    }
}

impl Rules {
    /// From now on commands that do not fit are answered as if the user had no permission.
    pub(crate) fn allow(&self, rule: impl Fn(&str, &str) -> bool + Send + Sync + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(rule));
    }

    /// Lets everything through again.
    pub(crate) fn allow_all(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn current(&self) -> Option<Rule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// To this server, with these rules.
pub(crate) async fn to(server: String, rules: Rules) -> io::Result<Proxy> {
    Proxy::carried(server, move |client, server, _| carry(client, server, rules.clone())).await
}

/// One message after the other, each with its answer: the driver asks for no other kind here.
async fn carry(mut client: TcpStream, mut server: TcpStream, rules: Rules) -> io::Result<()> {
    loop {
        let message = read(&mut client).await?;
        let answer = match (rules.current(), command(&message)) {
            (Some(rule), Some((name, collection))) if !rule(&name, &collection) => refusal(&message, &name),
            _ => {
                server.write_all(&message).await?;
                read(&mut server).await?
            }
        };
        client.write_all(&answer).await?;
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
