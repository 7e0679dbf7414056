//! `http`: requests to hosts that the configuration names, and to nobody else.
//!
//! There is one activity, `http.request`. Its input, of which only `url` must be there:
//!
//! | field | is |
//! |---|---|
//! | `method` | `GET` by default |
//! | `url` | `http` or `https`; without user and password, which belong into the header `Authorization` |
//! | `query` | an object whose members are added to the URL's query; a list repeats its name |
//! | `headers` | an object of strings, or of lists of strings |
//! | `body`, `body_text`, `body_base64` | at most one: JSON (sent byte for byte), text, or bytes. `null` is no body |
//! | `timeout` | of everything together, as in `"30s"`, the default; the attempt's own timeout cuts it short. There are no heartbeats |
//! | `response_timeout` | the same, until the head of each response is there |
//! | `read_timeout` | the same, between two parts of a response's body |
//! | `expect` | a list of the statuses that are a success, in place of all 2xx; a redirect named here is not followed |
//! | `raw` | one exchange as it is, for who is an HTTP client itself: see below |
//!
//! The output has `status`, `headers` (names in lower case, lines of one name joined with `, `, those of
//! `set-cookie` with line breaks), `url` (the last one, after redirects) and the body, unless it is empty: as `body`
//! if it is of a JSON content type, as `body_text` if of a textual one in UTF-8, as `body_base64` otherwise.
//!
//! **Raw exchanges** leave everything to who asks. Each status is a success, no redirect is followed, no failure is tried
//! again (but for what the host stopped), and a body is sent without a `Content-Type` unless the headers have one. The
//! output has `status`, `headers` as a list of name and value, line by line, and `body_base64`, unless it is empty.
//!
//! **Every activity may run twice** (see [`refrain_plugin`]). A service that knows the header `Idempotency-Key` does
//! nothing twice all the same: the key is that of the activity, the same for each attempt and redirect, unless the
//! input has one of its own.
//!
//! **Where requests go**: to what [`HttpConfig`] allows. URLs are judged, and so is each redirect; names must lead to
//! public addresses, judged at the moment of connecting, so that a name that changes its mind changes nothing. An
//! address in a URL must be listed as such. There are no proxies, no cookies and no credentials of the host's own.
//! A redirect to another origin carries no headers that might be secret, and none leads from `https` to `http`.
//!
//! **Errors** that another attempt may heal: `HttpConnection`, `HttpTimeout`, `HttpTls`, and `HttpStatus` for 408,
//! 425, 429, 500, 502, 503 and 504; a `Retry-After` header then takes the place of the retry policy's interval, up to
//! [`MAX_RETRY_AFTER`], an hour. All other
//! statuses that are no success are `HttpStatus` too, and are not tried again; nor are `InvalidInput`,
//! `HttpForbidden` (the configuration does not allow it), `HttpRedirect` (redirects that lead nowhere) and
//! `HttpResponseTooLarge`. The details of an `HttpStatus` are `status`, `headers` (some) and the body as above, or its
//! beginning with `body_truncated`. A cause of a failure has a type of its own where code may want to know it:
//! `ConnectionRefused`, `NameResolution`, `Unreachable`, `ConnectTimeout`, `ReadTimeout`, `InvalidCertificate`,
//! `HeadersTooLarge`. Errors and logs never show headers, users, passwords or queries.

mod address;
mod config;
mod errors;
mod exchange;
mod limits;
mod policy;
mod request;
mod response;

use std::sync::Arc;

use refrain_plugin::{Activity, Context, Plugin};

pub use config::{HttpConfig, HttpConfigError};
pub use limits::{
    DEFAULT_TIMEOUT, MAX_EXCERPT_BYTES, MAX_HEADER_BYTES, MAX_REDIRECTS, MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES, MAX_RETRY_AFTER, MAX_URL_BYTES,
};

use exchange::Exchanges;
use request::RequestInput;

/// The `http` plugin with the hosts of one configuration. Its activities want a tokio runtime.
#[derive(Debug)]
pub struct HttpPlugin {
    exchanges: Arc<Exchanges>,
}

impl HttpPlugin {
    /// Reads the configuration and the certificate authorities that it needs. Connects to nobody.
    pub fn new(config: &HttpConfig) -> Result<HttpPlugin, HttpConfigError> {
        Ok(HttpPlugin { exchanges: Arc::new(Exchanges::new(config)?) })
    }
}

impl Plugin for HttpPlugin {
    fn name(&self) -> &str {
        "http"
    }

    fn activities(&self) -> Vec<Activity> {
        let exchanges = Arc::clone(&self.exchanges);
        vec![Activity::new("http.request", move |ctx: Context, input: RequestInput| {
            let exchanges = Arc::clone(&exchanges);
            async move { exchanges.request(&ctx, &input).await }
        })]
    }
}
