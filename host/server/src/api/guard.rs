//! Who may ask: the checks of `Host`, `Origin` and the API key, before any route.
//!
//! A host on a loopback address has no password, and the browser on the same machine runs code of strangers. Three
//! things keep a web page out: its `Origin` is not this host's; a name that it makes resolve to 127.0.0.1 is not in
//! `Host`'s list; and JSON routes want a content type that a page cannot send without asking first.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Host;
use super::problem::{Kind, Refusal};

/// Paths that tell whether the host lives, and nothing else: they want no API key, so that what watches the host
/// needs none.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Whom the API answers.
#[derive(Clone, Debug)]
pub struct Access {
    /// Names in `Host` besides the loopback ones, without ports and without the brackets of IPv6 addresses.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may ask, such as `https://ops.example`.
    pub allowed_origins: Vec<String>,
    /// SHA-256 of the API key, when one is required: digests are compared, so the time it takes says nothing of the key.
    api_key: Option<[u8; 32]>,
}

impl Access {
    /// The access to a host that listens on this address.
    pub fn new(
        listen: SocketAddr,
        allowed_hosts: Vec<String>,
        allowed_origins: Vec<String>,
        api_key: Option<&str>,
    ) -> Self {
        let mut allowed_hosts: Vec<_> =
            allowed_hosts.into_iter().map(|name| without_brackets(&name).to_owned()).collect();
        if !listen.ip().is_unspecified() {
            allowed_hosts.push(listen.ip().to_string());
        }
        Self { allowed_hosts, allowed_origins, api_key: api_key.map(|key| Sha256::digest(key).into()) }
    }

    fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        // HTTP/2 has the host in the URI, HTTP/1.1 in the header.
        let host = match uri.authority() {
            Some(authority) => authority.as_str(),
            None => headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
        };
        self.check_host(host)?;
        if let Some(origin) = headers.get(ORIGIN) {
            self.check_origin(origin.to_str().unwrap_or_default(), host)?;
        }
        if OPEN_PATHS.contains(&uri.path()) { Ok(()) } else { self.check_key(headers) }
    }

    fn check_host(&self, host: &str) -> Result<(), Refusal> {
        let name = without_brackets(without_port(host));
        if is_loopback(name) || self.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(Refusal::new(
            Kind::ForeignHost,
            format!("the Host header names {host:?}, which is not one of this host's names"),
            "use the address that the host listens on, or add the name to `allowed_hosts` in its configuration",
        )
        .about("host"))
    }

    fn check_origin(&self, origin: &str, host: &str) -> Result<(), Refusal> {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        if authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
            || self.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
        {
            return Ok(());
        }
        Err(Refusal::new(
            Kind::ForeignOrigin,
            format!("a page of {origin:?} may not use this host"),
            "add the origin to `allowed_origins` in the host's configuration if you trust its pages",
        )
        .about("origin"))
    }

    fn check_key(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(expected) = self.api_key else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
        let detail = match given {
            Some(key) if <[u8; 32]>::from(Sha256::digest(key)) == expected => return Ok(()),
            Some(_) => "the API key is not this host's",
            None => "this host wants an API key",
        };
        Err(Refusal::new(
            Kind::Unauthorized,
            detail,
            "send the header `authorization: Bearer KEY`; the command line takes it from --api-key or REFRAIN_API_KEY",
        )
        .about("authorization"))
    }
}

/// The middleware: passes on what may pass.
pub async fn guard(State(host): State<Host>, request: Request, next: Next) -> Response {
    match host.access().check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// The key in an `Authorization: Bearer KEY` header; the scheme's name knows no case.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Whether a name from a `Host` header always means this machine.
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `::1` of `[::1]`.
fn without_brackets(name: &str) -> &str {
    name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name)
}

/// `localhost:7420` and `[::1]:7420` without their ports.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Problem;

    fn access(api_key: Option<&str>) -> Access {
        let listen = "127.0.0.1:7420".parse().expect("an address");
        Access::new(listen, vec!["refrain.example".into()], vec!["https://ops.example".into()], api_key)
    }

    /// The status of the refusal, and the header to blame.
    fn refusal(access: &Access, path: &str, headers: &[(&'static str, &str)]) -> Option<(u16, String)> {
        let headers =
            headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        let refusal = access.check(&path.parse().unwrap(), &headers).err()?;
        let problem = Problem::from(refusal);
        Some((problem.status, problem.field.unwrap_or_default()))
    }

    #[test]
    fn only_this_hosts_names_and_pages_pass() {
        /// The headers of a request, and the one for which it is refused.
        type Case<'a> = (&'a [(&'static str, &'a str)], Option<&'a str>);
        let cases: &[Case<'_>] = &[
            (&[("host", "127.0.0.1:7420")], None),
            (&[("host", "localhost")], None),
            (&[("host", "[::1]:7420")], None),
            (&[("host", "Refrain.Example:80")], None),
            (&[("host", "evil.example")], Some("host")),
            (&[("host", "localhost.evil.example:7420")], Some("host")),
            (&[("host", "10.0.0.1:7420")], Some("host")),
            (&[("host", "")], Some("host")),
            (&[], Some("host")),
            (&[("host", "localhost:7420"), ("origin", "http://localhost:7420")], None),
            (&[("host", "localhost:7420"), ("origin", "https://ops.example")], None),
            (&[("host", "localhost:7420"), ("origin", "http://localhost:3000")], Some("origin")),
            (&[("host", "localhost:7420"), ("origin", "https://evil.example")], Some("origin")),
            (&[("host", "localhost:7420"), ("origin", "null")], Some("origin")),
        ];
        for (headers, expected) in cases {
            let refused = refusal(&access(None), "/v1/workflows", headers);
            assert_eq!(refused, expected.map(|field| (403, field.to_owned())), "{headers:?}");
        }
    }

    #[test]
    fn an_ipv6_address_is_a_name_of_the_host_that_listens_there() {
        let listen = "[2001:db8::7]:7420".parse().expect("an address");
        let access =
            Access::new(listen, vec!["[2001:db8::8]".into(), "2001:db8::9".into()], Vec::new(), None);
        let cases = [
            ("[2001:db8::7]:7420", true),
            ("[2001:db8::8]", true),
            ("[2001:db8::9]:80", true),
            ("[2001:db8::1]:7420", false),
        ];
        for (host, passes) in cases {
            assert_eq!(refusal(&access, "/v1/workflows", &[("host", host)]).is_none(), passes, "{host}");
        }
    }

    #[test]
    fn the_key_is_wanted_everywhere_but_for_health() {
        let access = access(Some("secret"));
        let ask = |path: &str, key: Option<&str>| {
            let mut headers = vec![("host", "localhost")];
            headers.extend(key.map(|key| ("authorization", key)));
            refusal(&access, path, &headers).map(|(status, _)| status)
        };
        assert_eq!(ask("/v1/workflows", Some("Bearer secret")), None);
        assert_eq!(ask("/v1/workflows", Some("bearer secret")), None);
        assert_eq!(ask("/v1/workflows", Some("Bearer secrets")), Some(401));
        assert_eq!(ask("/v1/workflows", Some("secret")), Some(401));
        assert_eq!(ask("/openapi.json", None), Some(401));
        assert_eq!(ask("/healthz", None), None);
    }
}
