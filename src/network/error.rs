//! What can go wrong on the network, in the words a person needs.
//!
//! Texts name hosts and paths, never query strings or headers: those may carry secrets.

use std::error::Error;
use std::time::Duration;

use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

use super::retry::Failure;

/// A failed exchange. Cloneable, because a certificate store that could not be loaded is reported
/// to everyone who asks for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error("`{url}` is not a usable URL: {reason}")]
    Url { url: String, reason: String },
    #[error("the request header `{name}` cannot be sent: {reason}")]
    Header { name: String, reason: &'static str },
    /// `--offline`, and the target is another machine.
    #[error("the network is forbidden: `{target}` is not on this machine (--offline)")]
    Offline { target: String },
    /// An address that a tool may not reach on a model's word.
    #[error("the network is forbidden: `{target}` {reason}")]
    Forbidden {
        target: String,
        reason: String,
        /// By a host rule with the target's own name.
        can_open: bool,
    },
    #[error("cannot reach `{target}`: {reason}")]
    Unreachable { target: String, reason: String },
    #[error("cannot trust `{target}`: {reason}")]
    Certificate { target: String, reason: String },
    #[error("cannot load trusted certificates: {reason}")]
    Store { reason: String },
    #[error("the proxy setting `{proxy}` is not usable: {reason}")]
    Proxy { proxy: String, reason: String },
    #[error("`{target}` sent nothing for {}", seconds(*.after))]
    Stalled { target: String, after: Duration },
    #[error("the answer of `{target}` broke off: {reason}")]
    Cut { target: String, reason: String },
    #[error("the answer of `{target}` is larger than {limit} bytes")]
    TooLarge { target: String, limit: usize },
    #[error("cannot {action} the recording `{path}`: {reason}")]
    Recording { action: &'static str, path: String, reason: String },
    #[error("the run differs from its recording at exchange {exchange}: {difference}")]
    Diverged { exchange: usize, difference: String },
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{duration:.1?}")
    }
}

impl NetworkError {
    /// Sorts this for `retry`.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Unreachable { .. } => Failure::Unreachable,
            Self::Stalled { .. } => Failure::Stalled,
            Self::Cut { .. } => Failure::Cut,
            _ => Failure::Final,
        }
    }

    /// What to do next, where we know.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Offline { .. } => "leave out --offline, or use a model on this machine",
            Self::Unreachable { .. } => {
                "check the address (`base_url`), the connection and the proxy settings"
            }
            Self::Certificate { .. } => {
                "if a proxy or server of yours has its own authority, name it with --ca FILE"
            }
            Self::Store { .. } => {
                "install the system's certificates (ca-certificates), or name some with --ca FILE or SSL_CERT_FILE"
            }
            Self::Proxy { .. } => {
                "write it as http://host:port, https://host:port or socks5h://host:port"
            }
            Self::Header { .. } => "look at the key and at `model.headers`",
            Self::Url { .. } => "write it as http://host:port/path or https://host/path",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// Reads an error of the HTTP library: what failed, without the layers around it.
    pub(super) fn from_http(error: &reqwest::Error, target: &str) -> Self {
        let target = target.to_owned();
        if let Some(reason) = certificate_reason(error) {
            return Self::Certificate { target, reason };
        }
        let reason = root_reason(error);
        if error.is_builder() {
            Self::Url { url: target, reason }
        } else if error.is_body() || error.is_decode() {
            Self::Cut { target, reason }
        } else if error.is_dns() {
            Self::Unreachable { target, reason: format!("the name cannot be resolved ({reason})") }
        } else if error.is_timeout() {
            Self::Unreachable { target, reason: "no connection within the time-out".to_owned() }
        } else {
            Self::Unreachable { target, reason }
        }
    }
}

/// The chain of causes of an error, itself first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

fn certificate_reason(error: &reqwest::Error) -> Option<String> {
    chain(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(reason) => Some(certificate_words(reason)),
        rustls::Error::InvalidMessage(_) => Some("it does not speak TLS on this port".to_owned()),
        other => Some(format!("TLS failed ({other})")),
    })
}

fn certificate_words(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Reason;
    match error {
        Reason::UnknownIssuer => "its certificate was issued by nobody we know".to_owned(),
        Reason::Expired | Reason::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        other => format!("its certificate is not valid ({other})"),
    }
}

/// The innermost cause in lower case, without the number of the operating system's error.
fn root_reason(error: &reqwest::Error) -> String {
    let io = chain(error).find_map(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>()?;
        cause.raw_os_error().map(|_| cause.kind().to_string())
    });
    let last = || chain(error).last().map_or_else(String::new, ToString::to_string);
    let text = io.unwrap_or_else(last);
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

impl From<NetworkError> for ModelError {
    fn from(error: NetworkError) -> Self {
        let kind = match error {
            NetworkError::Url { .. }
            | NetworkError::Header { .. }
            | NetworkError::Store { .. }
            | NetworkError::Proxy { .. }
            | NetworkError::Recording { .. } => ModelErrorKind::Configuration,
            NetworkError::Offline { .. } | NetworkError::Forbidden { .. } => {
                ModelErrorKind::NetworkForbidden
            }
            NetworkError::Unreachable { .. } | NetworkError::Certificate { .. } => {
                ModelErrorKind::Unreachable
            }
            NetworkError::Stalled { .. } => ModelErrorKind::Timeout,
            NetworkError::Cut { .. } | NetworkError::TooLarge { .. } => ModelErrorKind::Malformed,
            NetworkError::Diverged { .. } => ModelErrorKind::ReplayDiverged,
        };
        let hint = error.hint();
        Self { hint, ..Self::new(kind, error.to_string()) }
    }
}
