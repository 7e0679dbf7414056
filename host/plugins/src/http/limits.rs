//! How much one request may take and give. Inputs and outcomes live in the journal for as long as their run does,
//! and a payload there holds 2 MiB: what is larger belongs into a store that both sides reach.

use std::time::Duration;

/// The largest body that is sent, in bytes. As base64 in the activity's input this is 1.4 MiB.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// The largest body that is taken as an outcome, in bytes. As base64 this is 1.4 MiB.
pub const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// How much of a body goes into the details of a failure: problem details and error messages fit, and a failure
/// stays a small thing, since each attempt has one.
pub const MAX_EXCERPT_BYTES: usize = 16 * 1024;

/// Names and values of all headers together, of a request as of a response: servers refuse more than 8 to 64 KiB.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The longest URL, query included: what RFC 9110 asks every server to take.
pub const MAX_URL_BYTES: usize = 8 * 1024;

/// How many redirects one request follows: `http` to `https` to a canonical name to the thing itself, and one more.
pub const MAX_REDIRECTS: usize = 5;

/// The longest wait that a `Retry-After` header may ask for: what a service says by mistake must not stop a workflow
/// for years. A service that still is not ready says so again.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How long a request may take, redirects and body included, unless its input says otherwise. The attempt's own
/// timeout cuts it short.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may take to be made, TLS included. Some addresses swallow packets, and a name can have
/// several addresses to try.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to one host that are kept open for the next request: a burst reuses them, a quiet host holds few.
pub(super) const IDLE_CONNECTIONS: usize = 16;
