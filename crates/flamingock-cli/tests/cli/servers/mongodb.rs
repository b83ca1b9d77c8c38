use flamingock::mongodb::driver::Client;
use flamingock::mongodb::driver::bson::{Document, doc};

use super::{Beside, MONGODB, SECRET, name, server, wait};

/// A database of its own.
fn database(name: &str) -> String {
    let url = server(MONGODB);
    let (before, query) = url.split_once("/?").unwrap_or((url.trim_end_matches('/'), ""));
    format!("{before}/{name}?{query}")
}

pub(super) fn on_mongodb() {
    let url = database(&name("life"));
    let beside = Beside::new(url.clone(), "ops_");
    beside.is_lived_in();
    wait(async {
        let client = Client::with_uri_str(&url).await.expect("a URL");
        let database = client.default_database().expect("the URL's");
        let entries = database.collection::<Document>("ops_entries");
        let changed = entries.update_one(doc! { "sequence": 7 }, doc! { "$set": { "reason": "another" } });
        assert_eq!(changed.await.expect("is done").modified_count, 1);
    });
    beside.run(&["audit", "verify"]).exits(1).says("first at entry 7");
}

pub(super) fn wrong_mongodb() {
    let url = database(&name("wrong"));
    let beside = Beside::new(url.clone(), "");
    let impatient = format!("mongodb://nobody:{SECRET}@127.0.0.1:1/x?serverSelectionTimeoutMS=500");
    beside.status(&impatient, "").exits(1).says("refused").hides("labels");
    beside.status(&format!("mongodb://nobody:{SECRET}@host:port/x"), "").exits(2);
    beside.status(&format!("mongodb+srv://nobody:{SECRET}@nowhere.invalid/x"), "").exits(1).says("DNS");
    beside.status(&url, "table_prefix = 'a$b'").exits(1).says("letters, digits");
    beside.status(&url, "schema = 'ops'").exits(2).says("leave `schema` out");
    // Where the server asks for a password.
    if let Some((_, host)) = url.split_once('@') {
        let denied = beside.status(&format!("mongodb://flamingock:{SECRET}@{host}"), "");
        denied.exits(1).says("Authentication failed");
    }
}
