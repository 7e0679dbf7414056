//! `wasi:http/types.error-code`: why there is no response, and which of these a failed activity is.

use std::fmt;

use refrain_engine::failure::Failure;
use wasmtime::component::{ComponentType, Lower};

/// `DNS-error-payload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub(in crate::wasi) struct DnsError {
    rcode: Option<String>,
    #[component(name = "info-code")]
    info_code: Option<u16>,
}

/// `TLS-alert-received-payload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub(in crate::wasi) struct TlsAlert {
    #[component(name = "alert-id")]
    alert_id: Option<u8>,
    #[component(name = "alert-message")]
    alert_message: Option<String>,
}

/// `field-size-payload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub(in crate::wasi) struct FieldSize {
    #[component(name = "field-name")]
    field_name: Option<String>,
    #[component(name = "field-size")]
    field_size: Option<u32>,
}

/// `error-code`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
#[allow(dead_code, reason = "the type has cases for what cannot happen here, where a request is an activity")]
pub(in crate::wasi) enum ErrorCode {
    #[component(name = "DNS-timeout")]
    DnsTimeout,
    #[component(name = "DNS-error")]
    DnsError(DnsError),
    #[component(name = "destination-not-found")]
    DestinationNotFound,
    #[component(name = "destination-unavailable")]
    DestinationUnavailable,
    #[component(name = "destination-IP-prohibited")]
    DestinationIpProhibited,
    #[component(name = "destination-IP-unroutable")]
    DestinationIpUnroutable,
    #[component(name = "connection-refused")]
    ConnectionRefused,
    #[component(name = "connection-terminated")]
    ConnectionTerminated,
    #[component(name = "connection-timeout")]
    ConnectionTimeout,
    #[component(name = "connection-read-timeout")]
    ConnectionReadTimeout,
    #[component(name = "connection-write-timeout")]
    ConnectionWriteTimeout,
    #[component(name = "connection-limit-reached")]
    ConnectionLimitReached,
    #[component(name = "TLS-protocol-error")]
    TlsProtocolError,
    #[component(name = "TLS-certificate-error")]
    TlsCertificateError,
    #[component(name = "TLS-alert-received")]
    TlsAlertReceived(TlsAlert),
    #[component(name = "HTTP-request-denied")]
    HttpRequestDenied,
    #[component(name = "HTTP-request-length-required")]
    HttpRequestLengthRequired,
    #[component(name = "HTTP-request-body-size")]
    HttpRequestBodySize(Option<u64>),
    #[component(name = "HTTP-request-method-invalid")]
    HttpRequestMethodInvalid,
    #[component(name = "HTTP-request-URI-invalid")]
    HttpRequestUriInvalid,
    #[component(name = "HTTP-request-URI-too-long")]
    HttpRequestUriTooLong,
    #[component(name = "HTTP-request-header-section-size")]
    HttpRequestHeaderSectionSize(Option<u32>),
    #[component(name = "HTTP-request-header-size")]
    HttpRequestHeaderSize(Option<FieldSize>),
    #[component(name = "HTTP-request-trailer-section-size")]
    HttpRequestTrailerSectionSize(Option<u32>),
    #[component(name = "HTTP-request-trailer-size")]
    HttpRequestTrailerSize(FieldSize),
    #[component(name = "HTTP-response-incomplete")]
    HttpResponseIncomplete,
    #[component(name = "HTTP-response-header-section-size")]
    HttpResponseHeaderSectionSize(Option<u32>),
    #[component(name = "HTTP-response-header-size")]
    HttpResponseHeaderSize(FieldSize),
    #[component(name = "HTTP-response-body-size")]
    HttpResponseBodySize(Option<u64>),
    #[component(name = "HTTP-response-trailer-section-size")]
    HttpResponseTrailerSectionSize(Option<u32>),
    #[component(name = "HTTP-response-trailer-size")]
    HttpResponseTrailerSize(FieldSize),
    #[component(name = "HTTP-response-transfer-coding")]
    HttpResponseTransferCoding(Option<String>),
    #[component(name = "HTTP-response-content-coding")]
    HttpResponseContentCoding(Option<String>),
    #[component(name = "HTTP-response-timeout")]
    HttpResponseTimeout,
    #[component(name = "HTTP-upgrade-failed")]
    HttpUpgradeFailed,
    #[component(name = "HTTP-protocol-error")]
    HttpProtocolError,
    #[component(name = "loop-detected")]
    LoopDetected,
    #[component(name = "configuration-error")]
    ConfigurationError,
    #[component(name = "internal-error")]
    InternalError(Option<String>),
}

impl ErrorCode {
    /// What the failure of an `http.request` is to an HTTP client: its type, and where that is not enough the type of
    /// a cause.
    pub(super) fn of(failure: &Failure) -> Self {
        let because = |error_type: &str| failure.causes.iter().any(|cause| cause.error_type == error_type);
        match failure.error_type.as_str() {
            "HttpForbidden" => Self::HttpRequestDenied,
            "HttpConnection" if because("ConnectionRefused") => Self::ConnectionRefused,
            "HttpConnection" if because("NameResolution") => Self::DnsError(DnsError::default()),
            "HttpConnection" if because("Unreachable") => Self::DestinationUnavailable,
            "HttpTimeout" if because("ConnectTimeout") => Self::ConnectionTimeout,
            "HttpTimeout" if because("ReadTimeout") => Self::ConnectionReadTimeout,
            "HttpTimeout" | "start-to-close" => Self::HttpResponseTimeout,
            "HttpTls" if because("InvalidCertificate") => Self::TlsCertificateError,
            "HttpTls" => Self::TlsProtocolError,
            "HttpResponseTooLarge" if because("HeadersTooLarge") => Self::HttpResponseHeaderSectionSize(None),
            "HttpResponseTooLarge" => Self::HttpResponseBodySize(None),
            // Nobody knows how far the other side got.
            "HttpConnection" | "host-restarted" => Self::ConnectionTerminated,
            _ => Self::InternalError(Some(failure.to_string())),
        }
    }
}

/// For `to-debug-string` of a stream's error.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HttpRequestBodySize(Some(limit)) => {
                write!(f, "the request's body may have {limit} bytes: hand over a place to read it from")
            }
            Self::InternalError(Some(why)) => f.write_str(why),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use refrain_engine::failure::FailureKind;

    use super::*;

    #[test]
    fn each_failure_of_a_request_has_its_code() {
        for (error_type, cause, expected) in [
            ("HttpForbidden", "HttpForbidden", ErrorCode::HttpRequestDenied),
            ("HttpConnection", "ConnectionRefused", ErrorCode::ConnectionRefused),
            ("HttpConnection", "NameResolution", ErrorCode::DnsError(DnsError::default())),
            ("HttpConnection", "Unreachable", ErrorCode::DestinationUnavailable),
            ("HttpConnection", "HttpConnection", ErrorCode::ConnectionTerminated),
            ("HttpTimeout", "ConnectTimeout", ErrorCode::ConnectionTimeout),
            ("HttpTimeout", "ReadTimeout", ErrorCode::ConnectionReadTimeout),
            ("HttpTimeout", "", ErrorCode::HttpResponseTimeout),
            ("start-to-close", "", ErrorCode::HttpResponseTimeout),
            ("HttpTls", "InvalidCertificate", ErrorCode::TlsCertificateError),
            ("HttpTls", "HttpTls", ErrorCode::TlsProtocolError),
            ("HttpResponseTooLarge", "HeadersTooLarge", ErrorCode::HttpResponseHeaderSectionSize(None)),
            ("HttpResponseTooLarge", "", ErrorCode::HttpResponseBodySize(None)),
            ("host-restarted", "", ErrorCode::ConnectionTerminated),
            ("InvalidInput", "", ErrorCode::InternalError(Some("outer: inner".to_owned()))),
        ] {
            let inner = Failure::new(FailureKind::Application, cause, "inner");
            let failure = Failure::new(FailureKind::Application, error_type, "outer").caused_by(inner);
            assert_eq!(ErrorCode::of(&failure), expected, "{error_type} by {cause}");
        }
    }
}
