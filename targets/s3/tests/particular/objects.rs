use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use flamingock_core::change::TargetState;
use flamingock_target_s3::{Bulk, Content, Done, S3Changes, S3ErrorKind};

use crate::Place;
use crate::server::{Kind, Server, through};

/// How many try at once, and how often.
const RACERS: usize = 8;
const ROUNDS: usize = 10;

pub(crate) async fn an_object_is_created_once(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, client, .. } = &place;
    let content = Content::from("{}").content_type("application/json");
    assert_eq!(s3.has_object(bucket, "a/b", &content).await.unwrap(), TargetState::NotApplied);
    assert_eq!(s3.create_object(bucket, "a/b", &content).await.unwrap(), Done::Now);
    assert_eq!(s3.create_object(bucket, "a/b", &content).await.unwrap(), Done::Before);
    assert_eq!(s3.has_object(bucket, "a/b", &content).await.unwrap(), TargetState::Applied);
    let head = client.head_object().bucket(bucket).key("a/b").send().await.unwrap();
    assert_eq!(head.content_type(), Some("application/json"));

    for other in ["[]", "longer"] {
        let error = s3.create_object(bucket, "a/b", &Content::from(other)).await.unwrap_err();
        assert_eq!(error.kind(), S3ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("key: a/b"), "{error}");
        assert_eq!(
            s3.has_object(bucket, "a/b", &Content::from(other)).await.unwrap(),
            TargetState::NotApplied
        );
    }
    assert_eq!(s3.read_object(bucket, "a/b").await.unwrap().unwrap().bytes, b"{}");
    place.remove().await;
}

pub(crate) async fn an_object_is_replaced_only_if_it_is_the_one_that_was_read(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, .. } = &place;
    s3.create_object(bucket, "a", &Content::from("1")).await.unwrap();
    let read = s3.read_object(bucket, "a").await.unwrap().unwrap();
    let two = Content::from("2");
    assert_eq!(s3.replace_object(bucket, "a", &read.etag, &two).await.unwrap(), Done::Now);
    // A repetition finds its own work.
    assert_eq!(s3.replace_object(bucket, "a", &read.etag, &two).await.unwrap(), Done::Before);
    let error = s3.replace_object(bucket, "a", &read.etag, &Content::from("3")).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Conflict, "{error}");
    s3.delete_object(bucket, "a").await.unwrap();
    let error = s3.replace_object(bucket, "a", &read.etag, &two).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Conflict, "gone is another one, too: {error}");
    place.remove().await;
}

pub(crate) async fn an_object_is_put_and_deleted(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, .. } = &place;
    assert!(s3.read_object(bucket, "a").await.unwrap().is_none());
    assert_eq!(s3.put_object(bucket, "a", &Content::from("1")).await.unwrap(), Done::Now);
    assert_eq!(s3.put_object(bucket, "a", &Content::from("1")).await.unwrap(), Done::Before);
    assert_eq!(s3.put_object(bucket, "a", &Content::from("2")).await.unwrap(), Done::Now);
    assert_eq!(s3.read_object(bucket, "a").await.unwrap().unwrap().bytes, b"2");
    assert_eq!(s3.delete_object(bucket, "a").await.unwrap(), Done::Now);
    assert_eq!(s3.delete_object(bucket, "a").await.unwrap(), Done::Before);
    place.remove().await;
}

pub(crate) async fn an_object_of_another_type_is_another_one(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, client, .. } = &place;
    let text = Content::from("{}").content_type("text/plain");
    let json = Content::from("{}").content_type("application/json");
    assert_eq!(s3.put_object(bucket, "a", &text).await.unwrap(), Done::Now);
    assert_eq!(s3.has_object(bucket, "a", &json).await.unwrap(), TargetState::NotApplied);
    let error = s3.create_object(bucket, "a", &json).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Conflict, "{error}");
    let error = s3.replace_object(bucket, "a", "\"0\"", &json).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Conflict, "{error}");

    assert_eq!(s3.put_object(bucket, "a", &json).await.unwrap(), Done::Now);
    assert_eq!(s3.put_object(bucket, "a", &json).await.unwrap(), Done::Before);
    assert_eq!(s3.has_object(bucket, "a", &json).await.unwrap(), TargetState::Applied);
    let head = client.head_object().bucket(bucket).key("a").send().await.unwrap();
    assert_eq!(head.content_type(), Some("application/json"));
    // Who names no type means any.
    assert_eq!(s3.put_object(bucket, "a", &Content::from("{}")).await.unwrap(), Done::Before);
    place.remove().await;
}

pub(crate) async fn an_object_in_a_bucket_that_is_not_there_is_an_error(kind: Kind) {
    let Place { s3, bucket, .. } = Place::empty(kind);
    let content = Content::from("1");
    for error in [
        s3.create_object(&bucket, "a", &content).await.unwrap_err(),
        s3.put_object(&bucket, "a", &content).await.unwrap_err(),
        s3.read_object(&bucket, "a").await.unwrap_err(),
        s3.has_object(&bucket, "a", &content).await.unwrap_err(),
        s3.delete_object(&bucket, "a").await.unwrap_err(),
        s3.is_empty((bucket.as_str(), "a/")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), S3ErrorKind::NotFound, "{error}");
    }
}

/// What each of several got who did the same at once, each with a connection of its own.
async fn at_once<F: Future<Output = Result<Done, flamingock_target_s3::S3Error>> + Send + 'static>(
    place: &Place,
    act: impl Fn(S3Changes, String, Content) -> F,
) -> usize {
    let racers = (0..RACERS).map(|racer| {
        let s3 = S3Changes::new(&place.server.client());
        tokio::spawn(act(s3, place.bucket.clone(), Content::from(format!("by {racer}"))))
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            Ok(done) => {
                assert_eq!(done, Done::Now);
                won += 1;
            }
            Err(error) => assert_eq!(error.kind(), S3ErrorKind::Conflict, "{error}"),
        }
    }
    won
}

pub(crate) async fn of_several_that_create_an_object_one_does(kind: Kind) {
    let place = Place::fresh(kind).await;
    for round in 0..ROUNDS {
        let key = format!("round-{round}");
        let won = at_once(&place, |s3, bucket, content| {
            let key = key.clone();
            async move { s3.create_object(&bucket, &key, &content).await }
        });
        assert_eq!(won.await, 1, "in round {round}");
    }
    place.remove().await;
}

pub(crate) async fn of_several_that_replace_an_object_one_does(kind: Kind) {
    let place = Place::fresh(kind).await;
    place.s3.create_object(&place.bucket, "a", &Content::from("first")).await.unwrap();
    for round in 0..ROUNDS {
        // Otherwise the winner of the last round finds its own content there.
        place.s3.put_object(&place.bucket, "a", &Content::from(format!("round {round}"))).await.unwrap();
        let read = place.s3.read_object(&place.bucket, "a").await.unwrap().unwrap();
        let won = at_once(&place, |s3, bucket, content| {
            let etag = read.etag.clone();
            async move { s3.replace_object(&bucket, "a", &etag, &content).await }
        });
        assert_eq!(won.await, 1, "in round {round}");
    }
    place.remove().await;
}

pub(crate) async fn a_creation_whose_answer_was_lost_is_known(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { server, s3, bucket, .. } = &place;
    let proxy = server.proxy().await.unwrap();
    let limits = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(800)).build();
    let config = Server::config(&through(&proxy), &server.user).timeout_config(limits);
    let through = S3Changes::new(&Client::from_conf(config.build()));
    through.put_object(bucket, "warm", &Content::from("up")).await.unwrap();

    proxy.swallow_answers(true);
    let (content, key) = (Content::from("1"), "a");
    let creating = {
        let (bucket, content) = (bucket.clone(), content.clone());
        tokio::spawn(async move { through.create_object(&bucket, key, &content).await })
    };
    // It is there, and who asked for it does not know; the repetition is answered that there is one.
    proxy.has_swallowed().await;
    assert!(s3.read_object(bucket, key).await.unwrap().is_some());
    proxy.swallow_answers(false);
    assert_eq!(creating.await.unwrap().unwrap(), Done::Before);
    place.remove().await;
}

pub(crate) async fn keys_may_have_any_characters(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, .. } = &place;
    let names = ["a b+c", "what?&x=1#y", "100%25", "æ/ø å", "(1)*'~!"];
    for name in names {
        let key = format!("from/{name}");
        s3.create_object(bucket, &key, &Content::from(name)).await.unwrap();
        assert_eq!(s3.read_object(bucket, &key).await.unwrap().unwrap().bytes, name.as_bytes(), "{name}");
    }
    let copied =
        s3.copy_prefix((bucket.as_str(), "from/"), (bucket.as_str(), "to/"), &Bulk::new()).await.unwrap();
    assert_eq!(copied.copied, names.len() as u64);
    for name in names {
        let copy = s3.read_object(bucket, &format!("to/{name}")).await.unwrap();
        assert_eq!(copy.unwrap().bytes, name.as_bytes(), "{name}");
    }
    assert_eq!(s3.delete_prefix((bucket.as_str(), "to/"), &Bulk::new()).await.unwrap(), names.len() as u64);
    place.remove().await;
}
