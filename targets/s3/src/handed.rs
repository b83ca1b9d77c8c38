use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

type Bytes = <SdkBody as Body>::Data;

/// What is handed over at once: a connection that does not get rid of it asks for no more.
const PIECE: usize = 64 * 1024;

/// How far a request was handed over to its connection.
#[derive(Debug)]
pub(crate) struct Handed {
    whole: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
}

impl Handed {
    /// Watches the body of a request.
    pub(crate) fn watch(request: &mut HttpRequest) -> Self {
        let body = std::mem::replace(request.body_mut(), SdkBody::taken());
        let length = request.headers().get("content-length").and_then(|length| length.parse().ok());
        let total = length.or_else(|| body.content_length());
        let whole = Arc::new(AtomicBool::new(false));
        let (guard, ended) = oneshot::channel();
        let watched = Watched {
            body,
            piece: Bytes::default(),
            handed: 0,
            total,
            whole: Arc::clone(&whole),
            _guard: guard,
        };
        *request.body_mut() = SdkBody::from_body_1_x(watched);
        Self { whole, ended }
    }

    /// Whether all of it was, so that it may take effect. Of a part, the server makes nothing.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::SeqCst)
    }

    /// The same, once nobody has the body any more; where somebody keeps it for longer than this, it may.
    pub(crate) async fn was_whole(mut self, limit: Duration) -> bool {
        tokio::time::timeout(limit, &mut self.ended).await.is_err() || self.is_whole()
    }
}

struct Watched {
    body: SdkBody,
    /// What the body gave and was not handed over yet.
    piece: Bytes,
    handed: u64,
    /// [`None`]: nobody knows, and the next piece may be the last.
    total: Option<u64>,
    whole: Arc<AtomicBool>,
    _guard: oneshot::Sender<()>,
}

impl Watched {
    fn note(&self) {
        if self.total.is_none_or(|total| self.handed >= total) {
            self.whole.store(true, Ordering::SeqCst);
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.piece.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.piece = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        let length = self.piece.len().min(PIECE);
        let piece = self.piece.split_to(length);
        self.handed += length as u64;
        self.note();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    /// Asked when the head is sent, which is all of a request without a body.
    fn is_end_stream(&self) -> bool {
        self.note();
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, mut hint) = (self.piece.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + left);
        }
        hint.set_lower(hint.lower() + left);
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn request(body: SdkBody, length: Option<u64>) -> HttpRequest {
        let mut request = HttpRequest::new(body);
        if let Some(length) = length {
            request.headers_mut().insert("content-length", length.to_string());
        }
        request
    }

    async fn piece(request: &mut HttpRequest) -> Option<usize> {
        let frame = poll_fn(|context| Pin::new(request.body_mut()).poll_frame(context)).await?;
        frame.unwrap().into_data().ok().map(|data| data.len())
    }

    #[tokio::test]
    async fn a_request_is_whole_with_its_last_piece() {
        let mut request = request(SdkBody::from(vec![0; PIECE + 1]), None);
        let handed = Handed::watch(&mut request);
        assert_eq!(request.body().content_length(), Some(PIECE as u64 + 1));
        assert!(!request.body().is_end_stream() && !handed.is_whole());
        assert_eq!(piece(&mut request).await, Some(PIECE));
        assert_eq!(request.body().content_length(), Some(1));
        assert!(!handed.is_whole());
        assert_eq!(piece(&mut request).await, Some(1));
        assert!(handed.is_whole() && request.body().is_end_stream());
        assert_eq!(piece(&mut request).await, None);
    }

    #[tokio::test]
    async fn a_request_that_ends_early_was_not_whole() {
        let mut request = request(SdkBody::from("abc"), Some(4));
        let handed = Handed::watch(&mut request);
        assert_eq!((piece(&mut request).await, piece(&mut request).await), (Some(3), None));
        drop(request);
        assert!(!handed.was_whole(Duration::MAX).await);
    }

    #[tokio::test]
    async fn a_request_without_a_body_is_whole_once_its_head_is_sent() {
        let mut request = request(SdkBody::empty(), None);
        let handed = Handed::watch(&mut request);
        assert!(!handed.is_whole());
        assert!(request.body().is_end_stream() && handed.is_whole());
    }

    #[tokio::test]
    async fn a_body_that_somebody_keeps_may_be_handed_over_yet() {
        let mut request = request(SdkBody::from("abc"), None);
        let handed = Handed::watch(&mut request);
        assert!(handed.was_whole(Duration::from_millis(10)).await);
    }
}
