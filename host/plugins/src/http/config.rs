//! The configuration: which hosts may be reached.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The table `[plugins.http]` of the server's configuration:
///
/// ```toml
/// [plugins.http]
/// allowed_hosts = ["api.example.com", "*.example.org", "http://127.0.0.1:8080", "stock.internal:8443"]
/// allow_private = ["stock.internal"]
/// ca_file = "/etc/ssl/company.pem"
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// The hosts, as names or addresses. Without any, every request is refused.
    ///
    /// | entry | allows |
    /// |---|---|
    /// | `api.example.com` | `https` on port 443 |
    /// | `http://api.example.com` | `http` on port 80 |
    /// | `api.example.com:8080` | `http` and `https` on port 8080 |
    /// | `https://api.example.com:8443` | `https` on port 8443 |
    /// | `*.example.org` | each name below `example.org`, at any depth, but not itself; with scheme or port as above |
    /// | `127.0.0.1:8080`, `[::1]:8080` | this address, whatever its kind, in URLs that have it in place of a name |
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// Addresses that are not public (private, loopback, link-local and so on) and yet may be what the names of
    /// `allowed_hosts` lead to: networks such as `10.1.0.0/16`, single addresses, or names (also `*.internal`) that
    /// are trusted to lead anywhere.
    #[serde(default)]
    pub allow_private: Vec<String>,
    /// Certificate authorities in PEM besides those that the machine trusts.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpConfigError {
    /// An entry of one of the lists is not what it has to be.
    #[error("plugins.http.{key}: {entry:?} {why}")]
    Entry {
        /// Which list.
        key: &'static str,
        /// The entry.
        entry: String,
        /// What is wrong, and the remedy.
        why: &'static str,
    },
    /// The certificate authorities cannot be read.
    #[error("plugins.http.ca_file: cannot use {path:?}: {why}; name a file with certificates in PEM")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The machine's own certificate authorities cannot be used.
    #[error(
        "plugins.http: https needs the certificate authorities of this machine: {0}; install its package of \
         certificates (ca-certificates), name them in the environment variable SSL_CERT_FILE, or allow only hosts \
         with `http://`"
    )]
    Tls(String),
}
