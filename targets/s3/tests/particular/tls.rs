use std::io;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use flamingock_core::BackendErrorKind;
use flamingock_core::target::TargetSystem as _;
use flamingock_target_s3::{Done, S3Changes, S3Target};
use flamingock_testing::conformance::Proxy;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::Place;
use crate::server::{Kind, Server};

/// What servers are certified by.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Takes TLS at a port of its own, in front of `server`.
    async fn serve(&self, server: &str) -> io::Result<Proxy> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Proxy::carried(server, move |client, mut server, _| {
            let acceptor = acceptor.clone();
            async move {
                let mut client = acceptor.accept(client).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
            }
        })
        .await
    }

    /// Trusts this authority and no other.
    fn http(&self) -> SharedHttpClient {
        let trust = TrustStore::empty().with_pem_certificate(self.pem.clone());
        let context = TlsContext::builder().with_trust_store(trust).build().unwrap();
        let builder = aws_smithy_http_client::Builder::new();
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https()
    }
}

pub(crate) async fn a_server_of_a_private_authority_is_trusted_when_told(kind: Kind) {
    let place = Place::empty(kind);
    let authority = Authority::new();
    let proxy = authority.serve(place.server.address()).await.unwrap();
    let endpoint = format!("https://localhost:{}", proxy.port());
    let config = || Server::config(&endpoint, &place.server.user);

    let error = S3Target::new("files", Client::from_conf(config().build())).check().await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("certificate"), "it does not say why: {error}");

    let client = Client::from_conf(config().http_client(authority.http()).build());
    S3Target::new("files", client.clone()).check().await.unwrap();
    let s3 = S3Changes::new(&client);
    assert_eq!(s3.create_bucket(&place.bucket).await.unwrap(), Done::Now);
    assert_eq!(s3.delete_bucket(&place.bucket).await.unwrap(), Done::Now);
}
