use std::time::Duration;

use reqwest::{Client, Error, StatusCode};
use serde::{Deserialize, Serialize};

/// A feature flag, as the service has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Flag {
    pub(crate) on: bool,
}

/// A client of the flag service: what its changes take as `&Flags`.
pub(crate) struct Flags {
    client: Client,
    url: String,
}

impl Flags {
    pub(crate) fn at(url: &str) -> Result<Self, Error> {
        // A change waits as long as it is let: so nothing is asked without a limit.
        let client = Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }

    fn flag(&self, name: &str) -> String {
        format!("{}/flags/{name}", self.url)
    }

    /// A flag that is there keeps its value: somebody may have switched it.
    pub(crate) async fn create(&self, name: &str, on: bool) -> Result<(), Error> {
        if self.get(name).await?.is_none() {
            self.client.put(self.flag(name)).json(&Flag { on }).send().await?.error_for_status()?;
        }
        Ok(())
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Option<Flag>, Error> {
        let answer = self.client.get(self.flag(name)).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        answer.error_for_status()?.json().await.map(Some)
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        self.client.delete(self.flag(name)).send().await?.error_for_status()?;
        Ok(())
    }
}
