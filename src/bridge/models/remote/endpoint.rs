//! Where a provider is and how its key goes along.

use std::time::SystemTime;

use serde_json::Value;
use url::Url;

use super::wire::AuthStyle;
use crate::config::models::embedding::EmbeddingSettings;
use crate::config::settings::ModelSettings;
use crate::config::settings::Secret;
use crate::network::Client;
use crate::network::HttpRequest;
use crate::network::HttpResponse;
use crate::network::Method;
use crate::network::Purpose;
use crate::protocol::ModelError;
use crate::protocol::ModelErrorKind;

/// Bytes of a list of models; the longest known (OpenRouter's) has half a megabyte.
const MAX_LIST: usize = 16 << 20;

/// Where the OpenAI API is.
const OPENAI: &str = "https://api.openai.com/v1";

/// A provider's address and key.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Without a trailing slash.
    base: String,
    /// Host and port, for messages.
    target: String,
    /// The person named another server than the provider's own.
    custom: bool,
    key: Option<Secret>,
    headers: Vec<(String, String)>,
    anthropic: bool,
}

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Host and port.
    pub target: String,
    /// The server's clock, where it tells it.
    pub date: Option<SystemTime>,
}

impl Endpoint {
    /// Reads the settings; a base URL that cannot be one is an error of the configuration.
    pub fn new(settings: &ModelSettings) -> Result<Self, ModelError> {
        let (own, anthropic) = match settings.provider.as_str() {
            "openai" => (OPENAI, false),
            "anthropic" => ("https://api.anthropic.com", true),
            other => {
                let message = format!("there is no model provider `{other}` on the network");
                return Err(ModelError::new(ModelErrorKind::Configuration, message)
                    .with_hint("set model.provider to openai, anthropic or builtin"));
            }
        };
        let mut base = settings.base_url.as_deref().unwrap_or(own).trim_end_matches('/');
        if anthropic {
            // Both spellings are in use; the adapter's path begins with it.
            base = base.strip_suffix("/v1").unwrap_or(base);
        }
        let key = settings.api_key.as_ref();
        let headers = settings.headers.clone();
        Ok(Self { headers, anthropic, ..Self::at(base, own, key, "model")? })
    }

    /// The server for vectors of texts: the OpenAI API and what is compatible with it.
    pub fn for_embeddings(settings: &EmbeddingSettings) -> Result<Self, ModelError> {
        let base = settings.base_url.as_deref().unwrap_or(OPENAI).trim_end_matches('/');
        Self::at(base, OPENAI, settings.api_key.as_ref(), "embedding")
    }

    /// `group`: of the settings, for messages.
    fn at(base: &str, own: &str, key: Option<&Secret>, group: &str) -> Result<Self, ModelError> {
        let wrong = |why: &str| {
            ModelError::new(ModelErrorKind::Configuration, format!("{group}.base_url {why}"))
                .with_hint("write it as http://host:port/v1 or https://host/v1")
        };
        let url = Url::parse(base).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("is not an http or https URL"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must not have a query or fragment"));
        }
        let host = url.host_str().unwrap_or_default();
        Ok(Self {
            base: base.to_owned(),
            target: url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            custom: base != own,
            key: key.cloned().filter(|key| !key.expose().trim().is_empty()),
            headers: Vec::new(),
            anthropic: false,
        })
    }

    /// Host and port.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The provider's own servers want a key; others may.
    pub fn check_key(&self) -> Result<(), ModelError> {
        if self.custom || self.key.is_some() {
            return Ok(());
        }
        let message = format!("there is no key for `{}`", self.target);
        Err(ModelError::new(ModelErrorKind::Authentication, message).with_hint(self.key_hint()))
    }

    pub(super) fn key_hint(&self) -> String {
        let name = self.key_name();
        format!("set {name} to a valid key, or model.base_url to a server that needs none")
    }

    fn key_name(&self) -> &'static str {
        if self.anthropic { "ANTHROPIC_API_KEY" } else { "OPENAI_API_KEY" }
    }

    /// Whether the person named another server than the provider's own.
    pub(super) fn is_custom(&self) -> bool {
        self.custom
    }

    pub(in crate::bridge) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The person's own headers, then the key unless one of those is it.
    pub(in crate::bridge) fn add_headers(
        &self,
        headers: &mut Vec<(String, String)>,
        style: AuthStyle,
    ) {
        headers.extend(self.headers.iter().cloned());
        let name = match style {
            AuthStyle::Bearer => "authorization",
            AuthStyle::XApiKey => "x-api-key",
        };
        let given = self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if let (Some(key), false) = (&self.key, given) {
            let key = key.expose().trim();
            let value = match style {
                AuthStyle::Bearer => format!("Bearer {key}"),
                AuthStyle::XApiKey => key.to_owned(),
            };
            headers.push((name.to_owned(), value));
        }
    }

    /// A text of the server without the key, should it have repeated it.
    pub(in crate::bridge) fn without_key(&self, text: &str) -> String {
        match self.key.as_ref().map(|key| key.expose().trim()) {
            Some(key) if key.len() >= 4 => text.replace(key, "***"),
            _ => text.to_owned(),
        }
    }

    /// Asks the server for the list of its models, without reading it: whether it answers, takes
    /// the key, and what time it has. Needs no interpreter and costs nothing.
    pub async fn reach(&self, client: &Client) -> Result<Reached, ModelError> {
        let response = self.ask_for_models(client).await?;
        if matches!(response.status, 401 | 403 | 500..) {
            return Err(self.refused(response.status));
        }
        let date = response.header("date").and_then(|text| httpdate::parse_http_date(text).ok());
        Ok(Reached { target: self.target.clone(), date })
    }

    /// The names of the server's models, in its order (`GET /models`). Needs no interpreter.
    pub async fn list_models(&self, client: &Client) -> Result<Vec<String>, ModelError> {
        let response = self.ask_for_models(client).await?;
        if response.status != 200 {
            return Err(self.refused(response.status));
        }
        let text = response.body.text(MAX_LIST).await?;
        names_of(&text).ok_or_else(|| {
            let message = format!("`{}` did not answer with a list of models", self.target);
            ModelError::new(ModelErrorKind::Malformed, message)
        })
    }

    async fn ask_for_models(&self, client: &Client) -> Result<HttpResponse, ModelError> {
        if !client.replays() {
            self.check_key()?;
        }
        let mut headers = Vec::new();
        let (path, style) = if self.anthropic {
            headers.push(("anthropic-version".to_owned(), "2023-06-01".to_owned()));
            ("/v1/models?limit=1000", AuthStyle::XApiKey)
        } else {
            ("/models", AuthStyle::Bearer)
        };
        self.add_headers(&mut headers, style);
        let request = HttpRequest {
            method: Method::Get,
            url: self.url(path),
            headers,
            body: bytes::Bytes::new(),
            purpose: Purpose::Model,
        };
        Ok(client.send(request).await?)
    }

    fn refused(&self, status: u16) -> ModelError {
        let kind = match status {
            401 | 403 => ModelErrorKind::Authentication,
            429 => ModelErrorKind::RateLimited,
            500.. => ModelErrorKind::Server,
            _ => ModelErrorKind::InvalidRequest,
        };
        let message = format!("`{}` does not list its models: HTTP {status}", self.target);
        let hint = (kind == ModelErrorKind::Authentication).then(|| self.key_hint());
        ModelError { status: Some(status), hint, ..ModelError::new(kind, message) }
    }
}

fn names_of(text: &str) -> Option<Vec<String>> {
    let list: Value = serde_json::from_str(text).ok()?;
    let names = list.get("data")?.as_array()?.iter();
    Some(names.filter_map(|model| Some(model.get("id")?.as_str()?.to_owned())).collect())
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
