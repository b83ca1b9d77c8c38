use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::{
    ConfigBag, HttpClient, RuntimeComponents, RuntimeComponentsBuilder, SharedHttpClient,
};
use aws_sdk_s3::error::{BoxError, ConnectorError};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::handed::Handed;

/// How long the answer to a request that nobody waits for any more is waited for here.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a connection may take to let go of a request that was dropped.
const RELEASE: Duration = Duration::from_secs(10);

/// What all attempts at a request have in common.
const INVOCATION: &str = "amz-sdk-invocation-id";

/// The requests of a client that may change something. Each is a task of its own. One that nobody waits for any
/// more is dropped where only a part of it was sent; sent as a whole, it ends with its answer: a change that is
/// stopped leaves none behind unnoticed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    tasks: TaskTracker,
    lost: Arc<Mutex<Lost>>,
}

/// Requests that were sent as a whole and got no answer: they may still take effect.
pub(crate) type Lost = HashSet<String>;

impl Running {
    /// The same, and what is sent through it is known here.
    pub(crate) fn watch(&self, http: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Watched { inner: http, running: self.clone() })
    }

    /// Waits until nothing runs any more.
    pub(crate) async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Those that were lost until now, unless a later attempt at the same request was answered.
    pub(crate) fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Watched<T> {
    inner: T,
    running: Running,
}

impl HttpClient for Watched<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Watched { inner, running: self.running.clone() })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.inner, components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.inner, components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

impl HttpConnector for Watched<SharedHttpConnector> {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let only_reads = matches!(request.method(), "GET" | "HEAD");
        let Some(runtime) = Handle::try_current().ok().filter(|_| !only_reads) else {
            return self.inner.call(request);
        };
        let invocation = request.headers().get(INVOCATION).unwrap_or(request.uri()).to_owned();
        let handed = Handed::watch(&mut request);
        let exchange = self.inner.call(request);
        let (mut answer, answered) = oneshot::channel();
        let running = self.running.clone();
        let task = async move {
            let ended = tokio::select! {
                ended = whole(exchange) => Some(ended),
                () = abandoned(&mut answer, &handed) => None,
            };
            let Some(ended) = ended else {
                if handed.was_whole(RELEASE).await {
                    running.lost().insert(invocation);
                }
                return;
            };
            if ended.is_err() && handed.is_whole() {
                running.lost().insert(invocation.clone());
            }
            let settles = ended.as_ref().is_ok_and(|answer| answer.status().as_u16() < 500);
            // Who hears it has given up the attempts before.
            if answer.send(ended).is_ok() && settles {
                running.lost().remove(&invocation);
            }
        };
        self.running.tasks.spawn_on(task, &runtime);
        HttpConnectorFuture::new(async move {
            answered.await.unwrap_or_else(|ended| Err(ConnectorError::other(ended.into(), None)))
        })
    }
}

/// An answer with its body: S3 begins the answer to a copy at once, and says at its end what came of it.
async fn whole(exchange: HttpConnectorFuture) -> Result<HttpResponse, ConnectorError> {
    let mut answer = exchange.await?;
    let body = ByteStream::new(answer.take_body()).collect().await;
    *answer.body_mut() = SdkBody::from(body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes());
    Ok(answer)
}

/// Ends when nobody waits for the answer any more: at once where a part of the request was sent, of which the
/// server makes nothing without the rest, and some time after otherwise.
async fn abandoned<T>(answer: &mut oneshot::Sender<T>, handed: &Handed) {
    answer.closed().await;
    if handed.is_whole() {
        tokio::time::sleep(PATIENCE).await;
    }
}
