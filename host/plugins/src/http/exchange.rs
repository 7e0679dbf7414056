//! `http.request`: the request and its redirects, one after the other, until there is an outcome.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use refrain_plugin::{ActivityError, Context};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::Policy as RedirectPolicy;
use reqwest::{Certificate, Client, Response, StatusCode};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;

use super::config::{HttpConfig, HttpConfigError};
use super::errors;
use super::limits::{CONNECT_TIMEOUT, IDLE_CONNECTIONS, MAX_HEADER_BYTES, MAX_REDIRECTS, MAX_RESPONSE_BYTES};
use super::policy::{Policy, Resolver};
use super::request::{Request, RequestInput, Timeouts, check_length, shown};
use super::response::{
    Content, Output, RawOutput, ReadError, ResponseOutput, header_bytes, header_lines, read_body,
};

/// The client, and where it may go.
#[derive(Debug)]
pub(super) struct Exchanges {
    client: Client,
    policy: Arc<Policy>,
}

impl Exchanges {
    pub(super) fn new(config: &HttpConfig) -> Result<Exchanges, HttpConfigError> {
        let policy = Arc::new(Policy::new(config)?);
        let builder = Client::builder()
            .dns_resolver(Resolver(Arc::clone(&policy)))
            // A proxy would connect to addresses that nobody here has judged.
            .no_proxy()
            // They are followed here, where each is judged.
            .redirect(RedirectPolicy::none())
            // Whether and when to try again is for the workflow's retry policy.
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS);
        let builder = if policy.has_https() {
            builder.tls_certs_merge(authorities(config)?)
        } else {
            // A machine without any authorities can still be used.
            builder.tls_certs_only([])
        };
        let client = builder.build().map_err(|error| {
            let reasons: Vec<_> = errors::sources(&error).map(ToString::to_string).collect();
            HttpConfigError::Tls(reasons.join(": "))
        })?;
        Ok(Exchanges { client, policy })
    }

    /// The activity.
    pub(super) async fn request(&self, ctx: &Context, input: &RequestInput) -> Result<Output, ActivityError> {
        let request = input.request(ctx)?;
        let doing = request.describe();
        let timeouts = input.timeouts()?;
        let timeout = ctx.time_left().map_or(timeouts.whole, |left| left.min(timeouts.whole));
        let outcome = tokio::select! {
            biased;
            // What is dropped with the other branch closes its connection.
            reason = ctx.cancelled() => Err(ActivityError::cancelled(reason)),
            outcome = tokio::time::timeout(timeout, self.follow(request, input, timeouts)) => {
                outcome.unwrap_or_else(|_| Err(errors::timeout(&doing, timeout)))
            }
        };
        outcome.map_err(|error| if input.is_raw() { errors::told(error) } else { error })
    }

    /// Sends the request, and again wherever it is redirected to.
    async fn follow(
        &self,
        mut request: Request,
        input: &RequestInput,
        timeouts: Timeouts,
    ) -> Result<Output, ActivityError> {
        let mut doing = request.describe();
        self.policy.check(&request.url).map_err(|why| errors::forbidden(&doing, &why))?;
        for _ in 0..=MAX_REDIRECTS {
            let sent = self.send(&request);
            let response = match timeouts.response {
                Some(limit) => {
                    tokio::time::timeout(limit, sent).await.map_err(|_| errors::no_response(&doing, limit))?
                }
                None => sent.await,
            };
            let response = response.map_err(|error| errors::failed(&doing, &error))?;
            if header_bytes(response.headers()) > MAX_HEADER_BYTES {
                return Err(errors::headers_too_large(&doing, MAX_HEADER_BYTES));
            }
            let status = response.status();
            if input.expects(status).unwrap_or(status.is_success()) {
                return outcome(&doing, response, input.is_raw(), timeouts.read).await;
            }
            let Some(target) = redirect_target(&request.url, status, response.headers()) else {
                return Err(errors::status(&doing, response).await);
            };
            let target = target.map_err(|why| errors::redirect(&doing, &why))?;
            doing = format!("{doing}: redirected by {} to {}", status.as_u16(), shown(&target));
            self.policy
                .check_redirect(&request.url, &target)
                .map_err(|why| errors::forbidden(&doing, &why))?;
            request = request.redirected(status, target);
        }
        Err(errors::redirect(&doing, &format!("more than {MAX_REDIRECTS} redirects")))
    }

    async fn send(&self, request: &Request) -> reqwest::Result<Response> {
        let builder =
            self.client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        let builder = match &request.body {
            Some(body) => builder.body(body.clone()),
            None => builder,
        };
        builder.send().await
    }
}

/// The authorities of `ca_file`.
fn authorities(config: &HttpConfig) -> Result<Vec<Certificate>, HttpConfigError> {
    let Some(path) = &config.ca_file else { return Ok(Vec::new()) };
    let refused = |why: &dyn Error| HttpConfigError::CaFile { path: path.clone(), why: why.to_string() };
    let pem = std::fs::read(path).map_err(|error| refused(&error))?;
    let mut certificates = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|error| refused(&error))?;
        certificates.push(Certificate::from_der(&der).map_err(|error| refused(&error))?);
        // The client would say so too, but not of which file it speaks.
        RootCertStore::empty().add(der).map_err(|error| refused(&error))?;
    }
    if certificates.is_empty() {
        return Err(HttpConfigError::CaFile { path: path.clone(), why: "it has no certificate".to_owned() });
    }
    Ok(certificates)
}

/// Where a response sends its request, if it does.
fn redirect_target(from: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Result<Url, String>> {
    let is_redirect = matches!(
        status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = headers.get(LOCATION).filter(|_| is_redirect)?;
    let target = std::str::from_utf8(location.as_bytes()).ok().and_then(|text| from.join(text).ok());
    let Some(mut target) = target else {
        return Some(Err(format!("the answer is {status}, with a `Location` that is not a URL")));
    };
    target.set_fragment(None);
    Some(check_length(&target).map(|()| target))
}

/// A response that is a success.
async fn outcome(
    doing: &str,
    mut response: Response,
    is_raw: bool,
    read_timeout: Option<Duration>,
) -> Result<Output, ActivityError> {
    let body = read_body(&mut response, MAX_RESPONSE_BYTES, read_timeout).await;
    let (body, is_truncated) = body.map_err(|error| match error {
        ReadError::Failed(error) => errors::failed(doing, &error),
        ReadError::TooSlow(limit) => errors::too_slow(doing, limit),
    })?;
    if is_truncated {
        return Err(errors::too_large(doing, MAX_RESPONSE_BYTES));
    }
    let status = response.status().as_u16();
    Ok(if is_raw {
        Output::Raw(RawOutput::new(status, response.headers(), &body))
    } else {
        Output::Read(ResponseOutput {
            status,
            url: response.url().to_string(),
            headers: header_lines(response.headers(), |_| true),
            content: Content::new(response.headers(), body),
        })
    })
}
