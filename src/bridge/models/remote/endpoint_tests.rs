//! Base URLs, keys and where they go.

use super::Endpoint;
use super::names_of;
use crate::bridge::models::remote::wire::AuthStyle;
use crate::config::settings::ModelSettings;
use crate::config::settings::Secret;
use crate::protocol::ModelErrorKind;

fn settings(provider: &str, base_url: Option<&str>, key: Option<&str>) -> ModelSettings {
    ModelSettings {
        base_url: base_url.map(str::to_owned),
        api_key: key.map(Secret::new),
        ..ModelSettings::new(provider, "m")
    }
}

fn headers(settings: &ModelSettings, style: AuthStyle) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    Endpoint::new(settings).unwrap().add_headers(&mut headers, style);
    headers
}

#[test]
fn the_own_endpoint_wants_a_key_and_others_may() {
    let error = Endpoint::new(&settings("openai", None, None)).unwrap().check_key().unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Authentication);
    assert_eq!(error.message, "there is no key for `api.openai.com`");
    assert!(error.hint.unwrap().contains("OPENAI_API_KEY"));
    for key in [Some(""), Some("  ")] {
        assert!(Endpoint::new(&settings("anthropic", None, key)).unwrap().check_key().is_err());
    }
    let local = settings("openai", Some("http://127.0.0.1:8080/v1/"), None);
    let endpoint = Endpoint::new(&local).unwrap();
    assert!(endpoint.check_key().is_ok());
    assert_eq!(endpoint.url("/models"), "http://127.0.0.1:8080/v1/models");
    assert_eq!(endpoint.target(), "127.0.0.1:8080");
}

#[test]
fn anthropic_takes_both_spellings_of_its_base() {
    for base in ["http://h", "http://h/", "http://h/v1", "http://h/v1/"] {
        let endpoint = Endpoint::new(&settings("anthropic", Some(base), None)).unwrap();
        assert_eq!(endpoint.url("/v1/messages"), "http://h/v1/messages", "{base}");
    }
}

#[test]
fn a_base_that_cannot_be_one_is_a_setting() {
    for base in ["ftp://h/v1", "localhost:8080", "http://", "", "http://h/v1?key=x"] {
        let error = Endpoint::new(&settings("openai", Some(base), None)).unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Configuration, "{base}");
    }
    let error = Endpoint::new(&settings("acme", None, None)).unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Configuration);
}

#[test]
fn the_key_goes_the_providers_way_unless_the_person_sends_their_own() {
    let mut openai = settings("openai", None, Some(" sk-1234 \n"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(headers(&openai, AuthStyle::Bearer), [pair("authorization", "Bearer sk-1234")]);
    assert_eq!(headers(&openai, AuthStyle::XApiKey), [pair("x-api-key", "sk-1234")]);
    openai.headers = vec![pair("Authorization", "Basic x")];
    assert_eq!(headers(&openai, AuthStyle::Bearer), [pair("Authorization", "Basic x")]);
}

#[test]
fn a_server_that_repeats_the_key_does_not_spread_it() {
    let endpoint = Endpoint::new(&settings("openai", None, Some("sk-secret"))).unwrap();
    assert_eq!(endpoint.without_key("bad key sk-secret!"), "bad key ***!");
}

#[test]
fn lists_of_models() {
    let text = r#"{"object":"list","data":[{"id":"a"},{"name":"odd"},{"id":"b"}]}"#;
    assert_eq!(names_of(text), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(names_of("<html>"), None);
    assert_eq!(names_of("{}"), None);
}
