//! TLS, with certificates made for the test.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use refrain_plugins::http::{HttpConfig, HttpPlugin};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{Server, assert_error, call, read_request, redirect, response};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server with a certificate for `name` that gives each request this answer.
    async fn serve(&self, name: &str, answer: Vec<u8>) -> u16 {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap().into();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                if let Ok(mut connection) = acceptor.accept(connection).await
                    && read_request(&mut connection).await.is_some()
                {
                    let _ = connection.write_all(&answer).await;
                    let _ = connection.shutdown().await;
                }
            }
        });
        port
    }

    /// A plugin that trusts this authority.
    fn plugin(&self, dir: &Path, allowed_hosts: Vec<String>) -> HttpPlugin {
        let ca_file = dir.join("ca.pem");
        std::fs::write(&ca_file, self.0.pem()).unwrap();
        let allow_private = vec!["localhost".to_owned()];
        HttpPlugin::new(&HttpConfig { allowed_hosts, allow_private, ca_file: Some(ca_file) }).unwrap()
    }
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_of_its_name_is_reached_and_others_are_not() {
    let temporary = tempfile::tempdir().unwrap();
    let (trusted, unknown) = (Authority::new("trusted"), Authority::new("unknown"));
    let answer = response("200 OK\r\ncontent-type: text/plain", "sealed");
    let good = trusted.serve("localhost", answer.clone()).await;
    let misnamed = trusted.serve("example.com", answer.clone()).await;
    let untrusted = unknown.serve("localhost", answer).await;
    let hosts = [good, misnamed, untrusted].map(|port| format!("https://localhost:{port}")).to_vec();
    let plugin = trusted.plugin(temporary.path(), hosts);
    let ask = |port| call(&plugin, json!({"url": format!("https://localhost:{port}/")}));

    assert_eq!(ask(good).await.unwrap()["body_text"], "sealed");
    assert_error(&ask(misnamed).await, "HttpTls", true, "not valid for name");
    let result = ask(untrusted).await;
    assert_error(&result, "HttpTls", true, "UnknownIssuer");
    assert_error(&result, "HttpTls", true, "`plugins.http.ca_file`");
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        // As a server does that finds no request in what it reads.
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.readable().await.unwrap();
        connection.write_all(&response("400 Bad Request", "")).await.unwrap();
        std::future::pending::<()>().await;
    });
    let temporary = tempfile::tempdir().unwrap();
    let plugin = Authority::new("trusted").plugin(temporary.path(), vec![format!("127.0.0.1:{port}")]);
    let result = call(&plugin, json!({"url": format!("https://127.0.0.1:{port}/")})).await;
    assert_error(&result, "HttpTls", true, "if this port does not speak TLS, use http");
}

#[tokio::test]
async fn no_redirect_leads_from_https_to_http() {
    let temporary = tempfile::tempdir().unwrap();
    let plain = Server::answering(response("200 OK", "")).await;
    let authority = Authority::new("trusted");
    let sealed = authority.serve("localhost", redirect(302, &plain.url_by_name("/"))).await;
    let hosts = vec![format!("https://localhost:{sealed}"), format!("http://localhost:{}", plain.port)];
    let plugin = authority.plugin(temporary.path(), hosts);
    let result = call(&plugin, json!({"url": format!("https://localhost:{sealed}/")})).await;
    assert_error(&result, "HttpForbidden", false, "does not go on over http");
    assert!(plain.received().is_empty());
}
