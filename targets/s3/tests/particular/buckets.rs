use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use flamingock_target_s3::{BucketState, Bulk, Content, Done, S3Changes, S3ErrorKind};

use crate::Place;
use crate::server::{Kind, Server};

pub(crate) async fn a_bucket_is_created_once_and_deleted_once(kind: Kind) {
    let Place { s3, bucket, .. } = Place::empty(kind);
    assert_eq!(s3.bucket(&bucket).await.unwrap(), BucketState::Missing);
    assert_eq!(s3.create_bucket(&bucket).await.unwrap(), Done::Now);
    assert_eq!(s3.create_bucket(&bucket).await.unwrap(), Done::Before);
    assert_eq!(s3.bucket(&bucket).await.unwrap(), BucketState::Ours);
    assert_eq!(s3.delete_bucket(&bucket).await.unwrap(), Done::Now);
    assert_eq!(s3.delete_bucket(&bucket).await.unwrap(), Done::Before);
    assert_eq!(s3.bucket(&bucket).await.unwrap(), BucketState::Missing);
}

/// On moto, which is at home in all regions; it answers there as Amazon does.
pub(crate) async fn in_us_east_1_a_bucket_is_created_once_as_well(kind: Kind) {
    let Place { server, bucket, .. } = Place::empty(kind);
    let config = Server::config(&server.endpoint, &server.user).region(Region::new("us-east-1"));
    let client = Client::from_conf(config.build());
    let s3 = S3Changes::new(&client);
    assert_eq!(s3.create_bucket(&bucket).await.unwrap(), Done::Now);
    client.create_bucket().bucket(&bucket).send().await.unwrap();
    assert_eq!(s3.create_bucket(&bucket).await.unwrap(), Done::Before);
    assert_eq!(s3.delete_bucket(&bucket).await.unwrap(), Done::Now);
}

pub(crate) async fn a_bucket_that_holds_objects_is_not_deleted(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { s3, bucket, .. } = &place;
    s3.create_object(bucket, "a", &Content::from("1")).await.unwrap();
    let error = s3.delete_bucket(bucket).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::NotEmpty, "{error}");
    assert_eq!(error.code(), Some("BucketNotEmpty"));
    assert!(error.request_id().is_some(), "{error:#?}");
    for part in ["delete bucket failed", bucket, &place.server.endpoint, "request id: ", "empty_bucket"] {
        assert!(error.to_string().contains(part), "{part} is missing: {error}");
    }
    assert!(s3.read_object(bucket, "a").await.unwrap().is_some());
    place.remove().await;
}

pub(crate) async fn an_emptied_bucket_has_no_versions_and_no_unfinished_uploads(kind: Kind) {
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

    let place = Place::fresh(kind).await;
    let Place { s3, bucket, client, .. } = &place;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(bucket).versioning_configuration(enabled).send().await.unwrap();
    for content in ["1", "2", "3"] {
        s3.put_object(bucket, "a/b", &Content::from(content)).await.unwrap();
    }
    s3.delete_object(bucket, "a/b").await.unwrap();
    client.create_multipart_upload().bucket(bucket).key("large").send().await.unwrap();
    assert!(s3.is_empty((bucket.as_str(), "")).await.unwrap(), "the newest version is a deletion");
    assert_eq!(s3.delete_bucket(bucket).await.unwrap_err().kind(), S3ErrorKind::NotEmpty);
    assert_eq!(s3.empty_bucket(bucket, &Bulk::new()).await.unwrap(), 4, "three versions and a deletion");
    let uploads = client.list_multipart_uploads().bucket(bucket).send().await.unwrap();
    assert!(uploads.uploads().is_empty());
    assert_eq!(s3.delete_bucket(bucket).await.unwrap(), Done::Now);
}

pub(crate) async fn a_bucket_name_that_is_none_is_refused(kind: Kind) {
    let Place { s3, .. } = Place::empty(kind);
    let error = s3.create_bucket("x").await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("bucket: x"), "{error}");
}

pub(crate) async fn a_bucket_of_somebody_else_is_taken(kind: Kind) {
    let place = Place::fresh(kind).await;
    let Place { server, bucket, .. } = &place;
    let stranger = S3Changes::new(&server.client_of(&server.other));
    assert_eq!(stranger.bucket(bucket).await.unwrap(), BucketState::Theirs);
    let error = stranger.create_bucket(bucket).await.unwrap_err();
    assert_eq!(error.kind(), S3ErrorKind::Taken, "{error}");
    assert!(error.to_string().contains("choose another name"), "{error}");
    for error in [
        stranger.delete_bucket(bucket).await.unwrap_err(),
        stranger.create_object(bucket, "a", &Content::from("1")).await.unwrap_err(),
        stranger.read_object(bucket, "a").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), S3ErrorKind::Denied, "{error}");
        assert_eq!(error.code(), Some("AccessDenied"), "{error}");
    }
    place.remove().await;
}

/// What moto lacks: on Amazon's and on versitygw this is [`BucketState::Theirs`].
pub(crate) async fn moto_takes_a_bucket_of_somebody_else_for_ours(kind: Kind) {
    let place = Place::fresh(kind).await;
    let stranger = S3Changes::new(&place.server.client_of(&place.server.other));
    assert_eq!(stranger.bucket(&place.bucket).await.unwrap(), BucketState::Ours);
    place.remove().await;
}
