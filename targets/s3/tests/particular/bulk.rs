use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use flamingock_core::change::TargetState;
use flamingock_target_s3::{Bulk, Content, Copied, S3Changes, S3ErrorKind};
use flamingock_testing::conformance::Proxy;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::Place;
use crate::server::{Kind, Server, through};

/// More than a page of a listing; moto is slow.
fn objects(kind: Kind) -> u64 {
    match kind {
        Kind::Moto => 1100,
        Kind::Versitygw => 2300,
    }
}

/// Asks again until there are so many.
async fn until(place: &Place, prefix: &str, enough: impl Fn(u64) -> bool) {
    while !enough(count(place, prefix).await) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The server is gone when objects are deleted for the third time.
#[derive(Debug)]
struct UnplugAtThird {
    deletions: AtomicU32,
    proxy: Arc<Proxy>,
}

impl Intercept for UnplugAtThird {
    fn name(&self) -> &'static str {
        "unplug at third"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.request().uri().contains("?delete") && self.deletions.fetch_add(1, Ordering::SeqCst) == 2 {
            self.proxy.unplug();
        }
        Ok(())
    }
}

/// In which time the server has done what it had read.
const SETTLED: Duration = Duration::from_secs(1);

async fn filled(kind: Kind) -> Place {
    let place = Place::fresh(kind).await;
    stream::iter(0..objects(kind))
        .map(|number| {
            let (s3, bucket) = (&place.s3, &place.bucket);
            async move {
                let (key, content) = (format!("old/{number:04}"), Content::from(format!("{number}")));
                s3.create_object(bucket, &key, &content).await.map(drop)
            }
        })
        .buffer_unordered(16)
        .try_collect::<()>()
        .await
        .unwrap();
    place
}

async fn count(place: &Place, prefix: &str) -> u64 {
    let mut pages =
        place.client.list_objects_v2().bucket(&place.bucket).prefix(prefix).into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        count += page.unwrap().contents().len() as u64;
    }
    count
}

pub(crate) async fn a_copy_that_was_interrupted_goes_on_where_it_stopped(kind: Kind) {
    let (place, all) = (filled(kind).await, objects(kind));
    let Place { s3, server, bucket, .. } = &place;
    let (from, to) = ((bucket.as_str(), "old/"), (bucket.as_str(), "new/"));
    assert_eq!(s3.has_copied(from, to).await.unwrap(), TargetState::NotApplied);

    // The process is gone after some hundred: nothing of it goes on.
    let began = until(&place, "new/", |count| count >= 300);
    let bulk = Bulk::new();
    tokio::select! {
        ended = s3.copy_prefix(from, to, &bulk) => panic!("not interrupted: {ended:?}"),
        () = began => {}
    }
    tokio::time::sleep(SETTLED).await;
    let first = count(&place, "new/").await;
    assert!((300..all).contains(&first), "{first}");
    assert_eq!(s3.has_copied(from, to).await.unwrap(), TargetState::PartiallyApplied);

    // The server is gone after some hundred more.
    let proxy = server.proxy().await.unwrap();
    let through = S3Changes::new(&server.client_at(&through(&proxy)));
    let dies = async {
        until(&place, "new/", |count| count >= first + 300).await;
        proxy.unplug();
    };
    let (ended, ()) = tokio::join!(through.copy_prefix(from, to, &bulk), dies);
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Unavailable, "{error}");
    // While it copied one, or listed more.
    for part in ["copy objects failed", "after ", " objects", bucket] {
        assert!(error.to_string().contains(part), "{part} is missing: {error}");
    }

    // What was under way may still arrive.
    tokio::time::sleep(SETTLED).await;
    let second = count(&place, "new/").await;
    let copied = s3.copy_prefix(from, to, &bulk).await.unwrap();
    assert_eq!(copied, Copied { copied: all - second, there: second });
    assert_eq!(s3.has_copied(from, to).await.unwrap(), TargetState::Applied);
    assert_eq!(s3.copy_prefix(from, to, &bulk).await.unwrap(), Copied { copied: 0, there: all });
    assert_eq!(s3.read_object(bucket, "new/0777").await.unwrap().unwrap().bytes, b"777");
    place.remove().await;
}

pub(crate) async fn a_deletion_that_was_interrupted_goes_on_where_it_stopped(kind: Kind) {
    let (place, all) = (filled(kind).await, objects(kind));
    let Place { s3, server, bucket, .. } = &place;
    s3.create_object(bucket, "older", &Content::from("stays")).await.unwrap();
    let proxy = Arc::new(server.proxy().await.unwrap());
    let config = Server::config(&through(&proxy), &server.user);
    let third = UnplugAtThird { deletions: AtomicU32::new(0), proxy: Arc::clone(&proxy) };
    let through = S3Changes::new(&Client::from_conf(config.interceptor(third).build()));
    let one = Bulk::new().concurrency(1);
    let ended = through.delete_prefix((bucket.as_str(), "old/"), &one).await;
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Unavailable, "{error}");
    tokio::time::sleep(SETTLED).await;
    let left = count(&place, "old/").await;
    assert!((1..all).contains(&left), "{left}");
    assert!(!s3.is_empty((bucket.as_str(), "old/")).await.unwrap());

    assert_eq!(s3.delete_prefix((bucket.as_str(), "old/"), &Bulk::new()).await.unwrap(), left);
    assert!(s3.is_empty((bucket.as_str(), "old/")).await.unwrap());
    assert_eq!(s3.delete_prefix((bucket.as_str(), "old/"), &Bulk::new()).await.unwrap(), 0);
    assert!(s3.read_object(bucket, "older").await.unwrap().is_some());
    place.remove().await;
}

pub(crate) async fn a_copy_that_differs_is_made_again(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, .. } = &place;
    let (from, to) = ((bucket.as_str(), "old/"), (bucket.as_str(), "new/"));
    for (key, content) in [("old/a", "1"), ("old/b", "2"), ("new/a", "longer"), ("new/between", "y")] {
        s3.create_object(bucket, key, &Content::from(content)).await.unwrap();
    }
    assert_eq!(s3.has_copied(from, to).await.unwrap(), TargetState::NotApplied);
    assert_eq!(s3.copy_prefix(from, to, &Bulk::new()).await.unwrap(), Copied { copied: 2, there: 0 });
    assert_eq!(s3.read_object(bucket, "new/a").await.unwrap().unwrap().bytes, b"1");
    assert_eq!(s3.read_object(bucket, "new/between").await.unwrap().unwrap().bytes, b"y");
    place.remove().await;
}

pub(crate) async fn a_copy_with_another_etag_is_never_taken_for_missing(kind: Kind) {
    const PART: usize = 5 * 1024 * 1024;

    let place = Place::fresh(kind).await;
    let Place { s3, bucket, client, .. } = &place;
    let (from, to) = ((bucket.as_str(), "old/"), (bucket.as_str(), "new/"));
    let upload = client.create_multipart_upload().bucket(bucket).key("old/large").send().await.unwrap();
    let id = upload.upload_id.unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for number in 1..=2 {
        let part = client.upload_part().bucket(bucket).key("old/large").upload_id(&id).part_number(number);
        let part = part.body(ByteStream::from(vec![b'x'; PART])).send().await.unwrap();
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let upload = client.complete_multipart_upload().bucket(bucket).key("old/large").upload_id(&id);
    upload.multipart_upload(parts.build()).send().await.unwrap();
    assert_eq!(s3.has_copied(from, to).await.unwrap(), TargetState::NotApplied);

    for _ in 0..2 {
        assert_eq!(s3.copy_prefix(from, to, &Bulk::new()).await.unwrap(), Copied { copied: 1, there: 0 });
        // A rollback that deletes copies has not done so.
        assert_eq!(s3.has_copied(from, to).await.unwrap(), TargetState::PartiallyApplied);
    }
    s3.delete_prefix(to, &Bulk::new()).await.unwrap();
    assert_eq!(s3.has_copied(from, to).await.unwrap(), TargetState::NotApplied);
    place.remove().await;
}

pub(crate) async fn what_would_destroy_more_than_was_meant_is_refused(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, .. } = &place;
    let name = bucket.as_str();
    for error in [
        s3.delete_prefix((name, ""), &Bulk::new()).await.unwrap_err(),
        s3.copy_prefix((name, "a/"), (name, "a/b/"), &Bulk::new()).await.unwrap_err(),
        s3.copy_prefix((name, ""), (name, ""), &Bulk::new()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), S3ErrorKind::Invalid, "{error}");
    }
    place.remove().await;
}

pub(crate) async fn a_copy_that_would_replace_its_originals_is_refused_before_it_begins(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, .. } = &place;
    let name = bucket.as_str();
    let cases = [("a/b/", "a/", "b/x"), ("archive/", "", "archive/x"), ("logs-old", "logs", "-old/x")];
    for (from, to, again) in cases {
        let (outer, inner) = (format!("{from}w"), format!("{from}{again}"));
        s3.create_object(bucket, &outer, &Content::from("outer")).await.unwrap();
        s3.create_object(bucket, &inner, &Content::from("inner")).await.unwrap();
        let before = count(&place, "").await;
        let error = s3.copy_prefix((name, from), (name, to), &Bulk::new()).await.unwrap_err();
        assert_eq!(error.kind(), S3ErrorKind::Invalid, "{error}");
        for part in [format!("below {from}"), format!("key: {inner}")] {
            assert!(error.to_string().contains(&part), "{part} is missing: {error}");
        }
        assert_eq!(count(&place, "").await, before, "something was copied");

        s3.delete_object(bucket, &inner).await.unwrap();
        for copied in [Copied { copied: 1, there: 0 }, Copied { copied: 0, there: 1 }] {
            assert_eq!(s3.copy_prefix((name, from), (name, to), &Bulk::new()).await.unwrap(), copied);
        }
        let copy = format!("{to}{}", outer.trim_start_matches(from));
        assert_eq!(s3.read_object(bucket, &copy).await.unwrap().unwrap().bytes, b"outer");
    }
    place.remove().await;
}
