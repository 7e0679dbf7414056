//! Redirects are followed as RFC 9110 has it, and judged as the first request was.

use refrain_plugins::http::MAX_REDIRECTS;
use serde_json::{Value, json};

use crate::support::{Server, assert_error, call, plugin, redirect, response};

/// A server that redirects `/` with `status` to `location`, and answers everything else.
async fn redirecting(status: u16, location: impl Into<String>) -> Server {
    let location = location.into();
    Server::new(move |request| {
        let at_start = request.line.ends_with(" /");
        Some(if at_start { redirect(status, &location) } else { response("200 OK", "") })
    })
    .await
}

#[tokio::test]
async fn method_and_body_are_kept_or_dropped_as_the_status_says() {
    for (method, status, then, keeps_body) in [
        ("GET", 301, "GET", false),
        ("GET", 302, "GET", false),
        ("HEAD", 303, "HEAD", false),
        ("POST", 301, "GET", false),
        ("POST", 302, "GET", false),
        ("POST", 303, "GET", false),
        ("PUT", 303, "GET", false),
        ("PUT", 302, "PUT", true),
        ("POST", 307, "POST", true),
        ("POST", 308, "POST", true),
        ("DELETE", 307, "DELETE", true),
    ] {
        let server = redirecting(status, "/next?x=1#fragment").await;
        let mut fields = json!({"method": method, "headers": {"Authorization": "secret"}});
        if !matches!(method, "GET" | "HEAD") {
            fields["body"] = json!([1]);
        }
        let output = server.ask(fields).await.unwrap();
        assert_eq!(output["url"], server.url("/next?x=1"), "{method} {status}");
        let [first, second] = &server.received()[..] else { panic!("{:?}", server.received()) };
        assert_eq!(second.line, format!("{then} /next?x=1"), "{method} {status}");
        assert_eq!(second.body, if keeps_body { "[1]" } else { "" }, "{method} {status}");
        assert_eq!(second.headers.contains_key("content-type"), keeps_body, "{method} {status}");
        assert_eq!(second.headers["authorization"], "secret", "the origin is the same");
        assert_eq!(second.headers["idempotency-key"], first.headers["idempotency-key"]);
    }
}

#[tokio::test]
async fn another_origin_gets_no_secrets() {
    let target = Server::answering(response("200 OK", "")).await;
    let server = redirecting(307, target.url("/")).await;
    let plugin = plugin(
        &[&format!("http://127.0.0.1:{}", server.port), &format!("http://127.0.0.1:{}", target.port)],
        &[],
    );
    let fields = json!({"method": "POST", "body": 1, "headers": {
        "Authorization": "secret", "Cookie": "secret", "X-Api-Key": ["secret", "secret"], "Accept": "text/csv",
    }});
    call(&plugin, server.input(fields)).await.unwrap();
    let headers = target.received().remove(0).headers;
    let names: Vec<_> = headers.keys().map(String::as_str).collect();
    let kept = ["accept", "content-length", "content-type", "host", "idempotency-key", "user-agent"];
    assert_eq!(names, kept, "{headers:?}");
    assert_eq!(headers["accept"], "text/csv");
}

#[tokio::test]
async fn a_redirect_to_what_is_not_allowed_is_refused_before_it_is_reached() {
    let target = Server::answering(response("200 OK", "internal")).await;
    for location in [
        target.url("/"),
        target.url_by_name("/"),
        format!("http://2130706433:{}/", target.port),
        format!("http://0x7f.1:{}/", target.port),
        format!("//[::ffff:127.0.0.1]:{}/", target.port),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::1]/".to_owned(),
        "https://example.com/".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let server = redirecting(302, location.as_str()).await;
        let result = server.ask(json!({})).await;
        assert_error(&result, "HttpForbidden", false, ": redirected by 302 to ");
    }
    let server = redirecting(302, "http://user:secret@127.0.0.1/").await;
    assert_error(&server.ask(json!({})).await, "HttpForbidden", false, "a URL with a user or a password");
    assert!(target.received().is_empty(), "{:?}", target.received());
}

#[tokio::test]
async fn a_redirect_to_a_name_of_a_private_address_is_refused() {
    let target = Server::answering(response("200 OK", "internal")).await;
    let server = redirecting(302, target.url_by_name("/")).await;
    let hosts =
        [&*format!("http://127.0.0.1:{}", server.port), &*format!("http://localhost:{}", target.port)];
    let result = call(&plugin(&hosts, &[]), server.input(json!({}))).await;
    assert_error(&result, "HttpForbidden", false, "host `localhost` leads to ");
    assert!(target.received().is_empty());
    let output = call(&plugin(&hosts, &["localhost"]), server.input(json!({}))).await.unwrap();
    assert_eq!(output["url"], target.url_by_name("/"));
}

#[tokio::test]
async fn the_number_of_redirects_is_limited() {
    let server = Server::new(|request| {
        let number: usize = request.line.rsplit('/').next()?.parse().ok()?;
        Some(if number == 0 { response("200 OK", "") } else { redirect(302, &format!("/{}", number - 1)) })
    })
    .await;
    let ask = |number: usize| {
        let input = json!({"url": server.url(&format!("/{number}"))});
        async { call(&server.plugin(), input).await }
    };
    assert_eq!(ask(MAX_REDIRECTS).await.unwrap()["url"], server.url("/0"));
    assert_error(&ask(MAX_REDIRECTS + 1).await, "HttpRedirect", false, "more than 5 redirects");
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_an_answer_like_any_other() {
    let fields: Value = json!({});
    for (answer, error_type, text) in [
        (response("302 Found", ""), "HttpStatus", "the answer is 302 Found"),
        (response("300 Multiple Choices\r\nlocation: /x", ""), "HttpStatus", "300 Multiple Choices"),
        (response("304 Not Modified\r\nlocation: /x", ""), "HttpStatus", "304 Not Modified"),
        (redirect(302, "http://"), "HttpRedirect", "a `Location` that is not a URL"),
        (redirect(302, &format!("/{}", "x".repeat(10_000))), "HttpRedirect", "is longer than 8192"),
    ] {
        assert_error(&Server::answering(answer).await.ask(fields.clone()).await, error_type, false, text);
    }
}
