use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// How long the answer to a request that nobody waits for any more is waited for here.
const PATIENCE: Duration = Duration::from_secs(60);

/// The requests of a client that may change something. Each is a task of its own, and ends with its answer
/// also when nobody waits for it any more: a change that is stopped leaves none behind unnoticed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    tasks: TaskTracker,
    lost: Arc<AtomicU64>,
}

impl Running {
    /// The same, and what is sent through it is known here.
    pub(crate) fn watch(&self, http: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Watched { inner: http, running: self.clone() })
    }

    /// Waits until nothing runs any more.
    pub(crate) async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    /// How many requests there were that nobody waited for and that got no answer: they may still take
    /// effect.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
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
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let only_reads = matches!(request.method(), "GET" | "HEAD");
        let exchange = self.inner.call(request);
        let Some(runtime) = Handle::try_current().ok().filter(|_| !only_reads) else { return exchange };
        let (mut answer, answered) = oneshot::channel();
        let lost = Arc::clone(&self.running.lost);
        let task = async move {
            let ended = tokio::select! {
                ended = whole(exchange) => Some(ended),
                () = abandoned(&mut answer) => None,
            };
            let is_lost = match ended {
                Some(ended) => answer.send(ended).is_err_and(|unheard| unheard.is_err()),
                None => true,
            };
            lost.fetch_add(u64::from(is_lost), Ordering::SeqCst);
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

/// Ends some time after nobody waits for the answer any more.
async fn abandoned<T>(answer: &mut oneshot::Sender<T>) {
    answer.closed().await;
    tokio::time::sleep(PATIENCE).await;
}
