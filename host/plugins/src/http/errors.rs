//! What goes wrong, as errors of activities, and which of them another attempt may heal.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, SystemTime};
use std::{io, iter};

use refrain_plugin::{ActivityError, Cause};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode};
use serde::Serialize;

use super::limits::{MAX_EXCERPT_BYTES, MAX_RETRY_AFTER};
use super::policy::{Forbidden, Unresolved};
use super::response::{Content, header_lines, read_body};

/// The service or the network says that later may be better: a request that came too slowly, too early or too often,
/// and servers that are not well. All other statuses say something about the request, which will not change.
const RETRYABLE: [StatusCode; 7] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_EARLY,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Headers that help to understand a failure. The others may be many, or secret as cookies are.
const HEADERS_OF_A_FAILURE: [HeaderName; 8] = [
    CONTENT_TYPE,
    DATE,
    LOCATION,
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("x-request-id"),
];

/// The configuration does not let the request go there.
pub(super) fn forbidden(doing: &str, why: &Forbidden) -> ActivityError {
    let causes = vec![cause("HttpForbidden", why.to_string())];
    ActivityError { causes, ..ActivityError::non_retryable("HttpForbidden", doing) }
}

/// A chain of redirects that leads nowhere.
pub(super) fn redirect(doing: &str, why: &str) -> ActivityError {
    ActivityError::non_retryable("HttpRedirect", format!("{doing}: {why}"))
}

/// No complete response came in time.
pub(super) fn timeout(doing: &str, limit: Duration) -> ActivityError {
    let message = format!("{doing}: no complete response within {limit:?}");
    ActivityError::new("HttpTimeout", message)
}

/// No head of a response came in time.
pub(super) fn no_response(doing: &str, limit: Duration) -> ActivityError {
    ActivityError::new("HttpTimeout", format!("{doing}: no response within {limit:?}"))
}

/// The body stopped coming.
pub(super) fn too_slow(doing: &str, limit: Duration) -> ActivityError {
    let causes = vec![cause("ReadTimeout", format!("nothing more of the body within {limit:?}"))];
    ActivityError { causes, ..ActivityError::new("HttpTimeout", doing) }
}

/// A body that is larger than an outcome may be.
pub(super) fn too_large(doing: &str, limit: usize) -> ActivityError {
    let why =
        format!("{doing}: the contents of the response are more than {limit} bytes; ask for less at a time");
    ActivityError::non_retryable("HttpResponseTooLarge", why)
}

/// Headers that are more than any server sends.
pub(super) fn headers_too_large(doing: &str, limit: usize) -> ActivityError {
    let why = format!("the headers of the response are more than {limit} bytes; ask for less at a time");
    let causes = vec![cause("HeadersTooLarge", why)];
    ActivityError { causes, ..ActivityError::non_retryable("HttpResponseTooLarge", doing) }
}

/// A failure of a raw exchange: who asked for that decides itself what to do about it. Whether what the host stopped is
/// tried again is the host's business all the same.
pub(super) fn told(error: ActivityError) -> ActivityError {
    let non_retryable = error.non_retryable || !error.is_cancelled();
    ActivityError { non_retryable, next_retry_delay: None, ..error }
}

/// The client failed. Its errors are told without the URL, which may hold secrets.
pub(super) fn failed(doing: &str, error: &reqwest::Error) -> ActivityError {
    // The outermost error says no more than that a request failed.
    let chain: Vec<_> = sources(error).skip(1).collect();
    if let Some(why) = chain.iter().find_map(|error| error.downcast_ref::<Forbidden>()) {
        return forbidden(doing, why);
    }
    // Retried: mostly nothing was sent yet, and certificates are renewed and servers set right while a workflow
    // waits. Who would rather fail names the type in the retry policy.
    let tls = chain.iter().find_map(|error| error.downcast_ref::<rustls::Error>());
    let error_type = match tls {
        Some(_) => "HttpTls",
        None if error.is_timeout() => "HttpTimeout",
        None => "HttpConnection",
    };
    let of_causes = if error.is_timeout() && error.is_connect() { "ConnectTimeout" } else { error_type };
    let mut causes: Vec<Cause> =
        chain.iter().map(|error| cause(of_its_own(*error).unwrap_or(of_causes), error.to_string())).collect();
    causes.dedup_by(|later, earlier| later.message == earlier.message);
    if let (Some(tls), Some(last)) = (tls, causes.last_mut()) {
        last.message.push_str(match tls {
            rustls::Error::InvalidMessage(_) => "; if this port does not speak TLS, use http",
            rustls::Error::InvalidCertificate(_) => {
                "; have the server's certificate put right, or its authority into `plugins.http.ca_file`"
            }
            _ => "",
        });
    }
    ActivityError { causes, ..ActivityError::new(error_type, doing) }
}

/// The type of a cause that says more than the failure's own.
fn of_its_own(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if error.is::<Unresolved>() {
        return Some("NameResolution");
    }
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return Some("InvalidCertificate");
    }
    match error.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::ConnectionRefused => Some("ConnectionRefused"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("Unreachable"),
        _ => None,
    }
}

/// An error and what it came from, outermost first.
pub(super) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        // The `source` of an I/O error would pass over the error that it was made of.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn cause(error_type: &str, message: String) -> Cause {
    Cause { error_type: error_type.to_owned(), message }
}

/// The details of a status that is a failure.
#[derive(Serialize)]
struct StatusDetails {
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(flatten)]
    content: Content,
    /// Only the beginning of the body is here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    body_truncated: bool,
}

/// The response has a status that is not a success.
pub(super) async fn status(doing: &str, mut response: Response) -> ActivityError {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    // A body that breaks off changes nothing about the status.
    let (mut body, body_truncated) =
        read_body(&mut response, MAX_EXCERPT_BYTES, None).await.unwrap_or_else(|_| (Vec::new(), true));
    if body_truncated
        && let Err(error) = std::str::from_utf8(&body)
        && error.error_len().is_none()
    {
        // Cut within a character.
        body.truncate(error.valid_up_to());
    }
    let details = StatusDetails {
        status: status.as_u16(),
        headers: header_lines(&headers, |name| HEADERS_OF_A_FAILURE.contains(name)),
        content: Content::new(&headers, body),
        body_truncated,
    };
    let is_retryable = RETRYABLE.contains(&status);
    let error = ActivityError::new("HttpStatus", format!("{doing}: the answer is {status}"));
    let error = ActivityError { non_retryable: !is_retryable, ..error }.with_details(&details);
    match retry_after(&headers, SystemTime::now()).filter(|_| is_retryable) {
        Some(delay) => error.with_next_retry_delay(delay),
        None => error,
    }
}

/// How long the service wants to be left alone, if for some time at all: a wait of no length would take the place of
/// the retry policy's intervals, and the attempts follow each other without end.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?,
    };
    Some(delay.min(MAX_RETRY_AFTER)).filter(|delay| !delay.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_be_left_alone_is_read_in_both_forms_and_bounded() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, expected) in [
            ("120", Some(120)),
            (" 1 ", Some(1)),
            ("0", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("3600", Some(3600)),
            ("86400", Some(3600)),
            ("18446744073709551615", Some(3600)),
            ("18446744073709551616", None),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            // The forms of old.
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:36 GMT", None),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
