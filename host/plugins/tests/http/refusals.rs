//! Nothing is reached that the configuration does not name.

use serde_json::json;

use crate::support::{Server, assert_error, call, plugin, response};

#[tokio::test]
async fn without_a_configuration_nothing_is_reached() {
    let server = Server::answering(response("200 OK", "")).await;
    for url in [server.url("/"), server.url_by_name("/"), "https://example.com".to_owned()] {
        assert_error(
            &call(&plugin(&[], &[]), json!({"url": url})).await,
            "HttpForbidden",
            false,
            "allowed_hosts",
        );
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_listed_name_that_leads_to_a_private_address_is_refused_until_that_is_allowed() {
    let server = Server::answering(response("200 OK", "")).await;
    let host = format!("http://localhost:{}", server.port);
    let input = json!({"url": server.url_by_name("/")});
    for allow_private in [&[][..], &["example.com", "10.0.0.0/8", "*.localhost", "0.0.0.0/8"][..]] {
        let result = call(&plugin(&[&host], allow_private), input.clone()).await;
        assert_error(
            &result,
            "HttpForbidden",
            false,
            "`plugins.http.allow_private` in the host's configuration",
        );
        assert_error(&result, "HttpForbidden", false, "(loopback)");
    }
    // Listing the address opens it for URLs that have it, not for names that lead to it.
    let by_address = plugin(&[&host, &format!("http://127.0.0.1:{}", server.port)], &[]);
    assert_error(
        &call(&by_address, input.clone()).await,
        "HttpForbidden",
        false,
        "host `localhost` leads to",
    );
    assert!(server.received().is_empty());

    call(&by_address, json!({"url": server.url("/")})).await.unwrap();
    for allow_private in ["localhost", "127.0.0.1", "127.0.0.0/8"] {
        call(&plugin(&[&host], &[allow_private]), input.clone()).await.unwrap();
    }
    assert_eq!(server.received().len(), 4);
}

#[tokio::test]
async fn an_address_has_to_be_listed_in_whatever_form_it_is_written() {
    let server = Server::answering(response("200 OK", "")).await;
    let port = server.port;
    // The name may lead there; URLs with the address may not.
    let by_name = plugin(&[&format!("http://localhost:{port}")], &["127.0.0.0/8", "localhost"]);
    let by_address = plugin(&[&format!("http://127.0.0.1:{port}")], &[]);
    for host in
        ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "[::ffff:127.0.0.1]"]
    {
        let input = json!({"url": format!("http://{host}:{port}/")});
        assert_error(&call(&by_name, input.clone()).await, "HttpForbidden", false, "allowed_hosts");
        // Not every machine has the sockets for a mapped address.
        if !host.starts_with('[') {
            call(&by_address, input).await.unwrap();
        }
    }
    for host in ["127.0.0.2", "0.0.0.0", "[::1]", "[::]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]"] {
        let input = json!({"url": format!("http://{host}:{port}/")});
        assert_error(&call(&by_address, input).await, "HttpForbidden", false, "allowed_hosts");
    }
}

#[tokio::test]
async fn only_listed_ports_are_reached() {
    let server = Server::answering(response("200 OK", "")).await;
    for entry in ["http://127.0.0.1", "http://127.0.0.1:1"] {
        let result = call(&plugin(&[entry], &[]), server.input(json!({}))).await;
        let remedy = format!("an entry \"http://127.0.0.1:{}\"", server.port);
        assert_error(&result, "HttpForbidden", false, &remedy);
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn users_and_passwords_in_urls_are_refused() {
    let server = Server::answering(response("200 OK", "")).await;
    for user in ["user:secret@", "user@", ":secret@"] {
        let input = json!({"url": format!("http://{user}127.0.0.1:{}/", server.port)});
        let result = call(&server.plugin(), input).await;
        assert_error(&result, "HttpForbidden", false, "put them into the `Authorization` header");
    }
    assert!(server.received().is_empty());
}
