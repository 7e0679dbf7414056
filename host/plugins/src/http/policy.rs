//! Where requests may go. A URL is judged before each request and each redirect; what its name resolves to, when the
//! connection is made, so that the addresses that are judged are the ones that are connected to.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::{Host, Url};

use super::address::special;
use super::config::{HttpConfig, HttpConfigError};

/// What the configuration allows.
#[derive(Debug)]
pub(super) struct Policy {
    hosts: Vec<AllowedHost>,
    private_names: Vec<HostPattern>,
    private_networks: Vec<IpNet>,
}

/// One entry of `allowed_hosts`, with the port for each scheme that it allows.
#[derive(Debug, PartialEq, Eq)]
struct AllowedHost {
    host: HostPattern,
    http: Option<u16>,
    https: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum HostPattern {
    Name(String),
    /// Each name that ends so and has something before it. Begins with the dot.
    Suffix(String),
    Address(IpAddr),
}

/// Why a request does not go where it should: the reason and the remedy, for people.
#[derive(Debug)]
pub(super) struct Forbidden(String);

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Forbidden {}

/// Nobody knows the name, or who would know does not answer.
#[derive(Debug)]
pub(super) struct Unresolved(io::Error);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unresolved {}

impl Policy {
    pub(super) fn new(config: &HttpConfig) -> Result<Policy, HttpConfigError> {
        let refused = |key, entry: &String| {
            let entry = entry.clone();
            move |why| HttpConfigError::Entry { key, entry, why }
        };
        let hosts = config
            .allowed_hosts
            .iter()
            .map(|entry| AllowedHost::parse(entry).map_err(refused("allowed_hosts", entry)))
            .collect::<Result<_, _>>()?;
        let (mut private_names, mut private_networks) = (Vec::new(), Vec::new());
        for entry in &config.allow_private {
            if let Some(network) = parse_network(entry) {
                private_networks.push(network);
            } else {
                private_names.push(parse_private_name(entry).map_err(refused("allow_private", entry))?);
            }
        }
        Ok(Policy { hosts, private_names, private_networks })
    }

    /// Whether `https` is allowed anywhere.
    pub(super) fn has_https(&self) -> bool {
        self.hosts.iter().any(|allowed| allowed.https.is_some())
    }

    /// Whether a request may go to `url`, as far as can be told before its name is resolved.
    pub(super) fn check(&self, url: &Url) -> Result<(), Forbidden> {
        if !matches!(url.scheme(), "http" | "https") {
            let why = format!("scheme `{}` is not spoken here: use http or https", url.scheme());
            return Err(Forbidden(why));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let why =
                "a URL with a user or a password in it is refused: put them into the `Authorization` header";
            return Err(Forbidden(why.to_owned()));
        }
        if self.hosts.iter().any(|allowed| allowed.allows(url)) {
            return Ok(());
        }
        let origin = url.origin().ascii_serialization();
        Err(Forbidden(format!(
            "host `{}` may not be reached so: `plugins.http.allowed_hosts` in the host's configuration would need \
             an entry \"{origin}\"",
            url.host_str().unwrap_or_default()
        )))
    }

    /// Whether a response from `from` may send its request to `to`.
    pub(super) fn check_redirect(&self, from: &Url, to: &Url) -> Result<(), Forbidden> {
        if from.scheme() == "https" && to.scheme() == "http" {
            let why = "what went over https does not go on over http, where everyone on the way can read it";
            return Err(Forbidden(why.to_owned()));
        }
        self.check(to)
    }

    /// Those of the addresses of `name` that may be connected to. An error if there are addresses and none is left.
    fn permitted(&self, name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
        if self.private_names.iter().any(|pattern| pattern.matches_name(name)) {
            return Ok(found);
        }
        let refused = found.iter().find_map(|address| Some((address.ip(), self.refuses(address.ip())?)));
        let permitted: Vec<_> =
            found.into_iter().filter(|address| self.refuses(address.ip()).is_none()).collect();
        match refused {
            Some((address, kind)) if permitted.is_empty() => Err(Forbidden(format!(
                "host `{name}` leads to {address}, which is not a public address ({kind}): \
                 `plugins.http.allow_private` in the host's configuration would need an entry \"{name}\" or \
                 \"{address}\""
            ))),
            _ => Ok(permitted),
        }
    }

    /// The kind of address because of which this one is refused.
    fn refuses(&self, address: IpAddr) -> Option<&'static str> {
        let canonical = address.to_canonical();
        let opened = self.private_networks.iter().any(|network| network.contains(&canonical));
        special(address).filter(|_| !opened)
    }
}

impl AllowedHost {
    fn parse(entry: &str) -> Result<AllowedHost, &'static str> {
        let (scheme, rest) = match entry.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return Err("has another scheme than http and https: use one of them, or none"),
            None => (None, entry),
        };
        let (host, port) = parse_host(rest)?;
        let (http, https) = match scheme {
            Some("http") => (port.or(Some(80)), None),
            Some(_) => (None, port.or(Some(443))),
            None => (port, port.or(Some(443))),
        };
        Ok(AllowedHost { host, http, https })
    }

    fn allows(&self, url: &Url) -> bool {
        let port = if url.scheme() == "https" { self.https } else { self.http };
        port.is_some() && port == url.port_or_known_default() && self.host.matches(url)
    }
}

impl HostPattern {
    fn matches(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Domain(name)) => self.matches_name(name),
            Some(Host::Ipv4(address)) => self.matches_address(address.into()),
            Some(Host::Ipv6(address)) => self.matches_address(address.into()),
            None => false,
        }
    }

    /// `name` is in lower case, as in every parsed URL.
    fn matches_name(&self, name: &str) -> bool {
        match self {
            HostPattern::Name(own) => own == name,
            HostPattern::Suffix(suffix) => name.len() > suffix.len() && name.ends_with(suffix),
            HostPattern::Address(_) => false,
        }
    }

    fn matches_address(&self, address: IpAddr) -> bool {
        *self == HostPattern::Address(address.to_canonical())
    }
}

/// `host` or `host:port`, in which the host may begin with `*.`.
fn parse_host(text: &str) -> Result<(HostPattern, Option<u16>), &'static str> {
    const NO_HOST: &str = "is not a host: write a name or an address, with a port if need be";
    if text.contains(['/', '?', '#', '@', '\\']) {
        return Err("has more than scheme, host and port: leave out what comes before or after them");
    }
    if text == "*" || text.starts_with("*:") {
        return Err(
            "has a `*` for a host, and `*` alone is not allowed: name a domain, as in `*.example.com`",
        );
    }
    let (any_below, text) = text.strip_prefix("*.").map_or((false, text), |text| (true, text));
    if text.contains('*') {
        return Err("has a `*` that is not the whole of its first label: write `*.example.com`");
    }
    // Each scheme hides its own port, so the other one shows it.
    let urls = [Url::parse(&format!("http://{text}")), Url::parse(&format!("https://{text}"))];
    let [Ok(http), Ok(https)] = urls else { return Err(NO_HOST) };
    let port = http.port().or(https.port());
    let host = match http.host() {
        Some(Host::Domain(name)) if any_below => HostPattern::Suffix(format!(".{name}")),
        _ if any_below => return Err("has a `*` before an address: write a network into `allow_private`"),
        Some(Host::Domain(name)) => HostPattern::Name(name.to_owned()),
        Some(Host::Ipv4(address)) => HostPattern::Address(address.into()),
        Some(Host::Ipv6(address)) => HostPattern::Address(IpAddr::from(address).to_canonical()),
        None => return Err(NO_HOST),
    };
    Ok((host, port))
}

fn parse_network(entry: &str) -> Option<IpNet> {
    entry.parse().ok().or_else(|| Some(IpNet::from(entry.parse::<IpAddr>().ok()?.to_canonical())))
}

fn parse_private_name(entry: &str) -> Result<HostPattern, &'static str> {
    const NO_NAME: &str = "is no network, address or name: write it as 10.1.0.0/16, 10.1.2.3, stock.internal or \
                           *.internal";
    match parse_host(entry) {
        Ok((HostPattern::Address(_), _)) | Err(_) => Err(NO_NAME),
        Ok((_, Some(_))) => Err("has a port: ports belong into `allowed_hosts`"),
        Ok((name, None)) => Ok(name),
    }
}

/// Resolves names for the client, and lets it see permitted addresses alone.
pub(super) struct Resolver(pub(super) Arc<Policy>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            // Port 0 stands for that of the URL.
            let found = lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?.collect();
            let permitted = policy.permitted(name.as_str(), found)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allowed_hosts: &[&str], allow_private: &[&str]) -> Result<Policy, HttpConfigError> {
        let owned = |entries: &[&str]| entries.iter().map(|&entry| entry.to_owned()).collect();
        Policy::new(&HttpConfig {
            allowed_hosts: owned(allowed_hosts),
            allow_private: owned(allow_private),
            ca_file: None,
        })
    }

    #[test]
    fn an_entry_allows_what_it_says_and_nothing_else() {
        for (entry, allowed, refused) in [
            (
                "api.example.com",
                &[
                    "https://api.example.com/v1?q=1",
                    "https://API.example.com:443",
                    "https://api.example.com#x",
                ][..],
                &[
                    "http://api.example.com",
                    "https://api.example.com:8443",
                    "https://example.com",
                    "https://x.api.example.com",
                    "https://api.example.com.evil.org",
                    "https://evil.org/api.example.com",
                    "https://evil.org?api.example.com",
                    "https://api.example.com@evil.org",
                    "https://user@api.example.com",
                    "https://:secret@api.example.com",
                    "ftp://api.example.com",
                    "file:///etc/passwd",
                    "data:text/plain,x",
                ][..],
            ),
            (
                "http://api.example.com",
                &["http://api.example.com"],
                &["https://api.example.com", "http://api.example.com:8080"],
            ),
            (
                "api.example.com:8080",
                &["http://api.example.com:8080", "https://api.example.com:8080"],
                &["http://api.example.com", "https://api.example.com"],
            ),
            ("api.example.com:443", &["https://api.example.com"], &["http://api.example.com"]),
            ("api.example.com:80", &["http://api.example.com"], &["https://api.example.com"]),
            (
                "https://api.example.com:8443",
                &["https://api.example.com:8443"],
                &["http://api.example.com:8443", "https://api.example.com"],
            ),
            (
                "*.example.org",
                &["https://a.example.org", "https://a.b.example.org"],
                &[
                    "https://example.org",
                    "https://badexample.org",
                    "http://a.example.org",
                    "https://.example.org",
                ],
            ),
            ("BÜCHER.example", &["https://bücher.example", "https://xn--bcher-kva.example"], &[]),
            (
                "http://127.0.0.1",
                // The forms in which an address can be written.
                &[
                    "http://127.0.0.1",
                    "http://127.1",
                    "http://2130706433",
                    "http://0x7f.0.0.1",
                    "http://0177.0.0.01",
                    "http://[::ffff:127.0.0.1]",
                    "http://[::ffff:7f00:1]",
                ],
                &["http://127.0.0.2", "http://localhost", "http://[::1]", "http://[::127.0.0.1]"],
            ),
            (
                "[::1]:8080",
                &["http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"],
                &["http://127.0.0.1:8080"],
            ),
        ] {
            let policy = policy(&[entry], &[]).unwrap();
            let check = |url: &str| policy.check(&Url::parse(url).unwrap());
            for url in allowed {
                assert!(check(url).is_ok(), "{entry} should allow {url}");
            }
            for url in refused {
                assert!(check(url).is_err(), "{entry} should refuse {url}");
            }
        }
    }

    #[test]
    fn an_address_is_refused_in_each_of_its_forms() {
        let policy = policy(&["*.example.org", "example.org"], &["127.0.0.0/8"]).unwrap();
        for url in ["https://127.0.0.1", "https://2130706433", "https://0x7f000001", "https://017700000001"] {
            let message = policy.check(&Url::parse(url).unwrap()).unwrap_err().to_string();
            assert!(message.contains("`127.0.0.1`") && message.contains("allowed_hosts"), "{url}: {message}");
        }
    }

    #[test]
    fn a_refusal_names_the_entry_that_would_allow_it() {
        let refused = Url::parse("http://stock.internal:8080/items?token=secret").unwrap();
        let message = policy(&[], &[]).unwrap().check(&refused).unwrap_err().to_string();
        assert!(message.ends_with("would need an entry \"http://stock.internal:8080\""), "{message}");
        policy(&["http://stock.internal:8080"], &[]).unwrap().check(&refused).unwrap();
    }

    #[test]
    fn of_the_addresses_of_a_name_the_permitted_ones_are_left() {
        let permitted = |allow_private: &[&str], found: &[&str]| {
            let found = found.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
            let permitted = policy(&[], allow_private).unwrap().permitted("db.internal", found);
            permitted.map(|left| left.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(permitted(&[], &["1.1.1.1", "10.0.0.1"]).unwrap(), ["1.1.1.1"]);
        assert_eq!(permitted(&["10.0.0.0/8"], &["10.0.0.1", "::1"]).unwrap(), ["10.0.0.1"]);
        assert_eq!(permitted(&["10.0.0.1"], &["10.0.0.1", "10.0.0.2"]).unwrap(), ["10.0.0.1"]);
        assert_eq!(permitted(&["10.0.0.1"], &["::ffff:10.0.0.1"]).unwrap(), ["::ffff:10.0.0.1"]);
        assert_eq!(permitted(&["::1"], &["::1"]).unwrap(), ["::1"]);
        assert_eq!(permitted(&["db.internal"], &["10.0.0.1", "127.0.0.1"]).unwrap().len(), 2);
        assert_eq!(permitted(&["*.internal"], &["10.0.0.1"]).unwrap().len(), 1);
        assert!(permitted(&[], &[]).unwrap().is_empty(), "no address is no refusal");
        for allow_private in [&[][..], &["internal", "*.db.internal", "11.0.0.0/8", "10.0.0.2", "::/0"][..]] {
            let message = permitted(allow_private, &["10.0.0.1"]).unwrap_err().to_string();
            let expected = "host `db.internal` leads to 10.0.0.1, which is not a public address (private): \
                            `plugins.http.allow_private`";
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn an_entry_that_means_nothing_is_named() {
        for (entry, why) in [
            ("", "is not a host"),
            ("*", "has a `*` for a host, and `*` alone is not allowed: name a domain"),
            ("https://*", "has a `*` for a host, and `*` alone is not allowed: name a domain"),
            ("*:8080", "has a `*` for a host, and `*` alone is not allowed: name a domain"),
            ("*.", "is not a host"),
            ("a.*.example.com", "has a `*`"),
            ("*example.com", "has a `*`"),
            ("*.127.0.0.1", "has a `*` before an address"),
            ("ftp://example.com", "has another scheme"),
            ("example.com/v1", "has more than"),
            ("user@example.com", "has more than"),
            ("example.com:99999", "is not a host"),
            ("exa mple.com", "is not a host"),
            ("10.0.0.0/8", "has more than"),
        ] {
            let message = policy(&["example.com", entry], &[]).unwrap_err().to_string();
            let expected = format!("plugins.http.allowed_hosts: {entry:?} {why}");
            assert!(message.starts_with(&expected), "{message}\nexpected: {expected}");
        }
        for entry in ["", "10.0.0.0/33", "10.0.0.1:80", "db.internal:5432", "http://db.internal"] {
            let message = policy(&[], &[entry]).unwrap_err().to_string();
            assert!(message.starts_with(&format!("plugins.http.allow_private: {entry:?} ")), "{message}");
        }
    }
}
