//! Proxies: from what the environment names to the HTTP library's own, and whether somebody listens
//! there.

use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::error::NetworkError;
use crate::config::settings::NetworkSettings;

/// The proxies that are set, each with the variable that sets it, and what connecting to it gave.
/// Asks nothing of a proxy; names are looked up.
pub async fn reach_proxies(
    settings: &NetworkSettings,
) -> Vec<(&'static str, Result<String, NetworkError>)> {
    let set = [
        ("http_proxy", &settings.http_proxy),
        ("https_proxy", &settings.https_proxy),
        ("all_proxy", &settings.all_proxy),
    ];
    let mut reached = Vec::new();
    for (variable, text) in set {
        if let Some(text) = text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            reached.push((variable, reach(text, settings).await));
        }
    }
    reached
}

async fn reach(text: &str, settings: &NetworkSettings) -> Result<String, NetworkError> {
    let wrong = |reason: String| NetworkError::Proxy { proxy: without_credentials(text), reason };
    let url =
        Url::parse(&proxy_url(text).map_err(wrong)?).map_err(|error| wrong(error.to_string()))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let usual = if url.scheme().starts_with("socks") { 1080 } else { 80 };
    let port = url.port_or_known_default().unwrap_or(usual);
    let target = format!("{host}:{port}");
    let unreachable = |reason: String| NetworkError::Unreachable { target: target.clone(), reason };
    match timeout(settings.connect_timeout, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(target),
        Ok(Err(error)) => Err(unreachable(error.kind().to_string())),
        Err(_) => Err(unreachable("no connection within the time-out".to_owned())),
    }
}

/// The HTTP library's proxies, most specific first; one that cannot be meant is an error.
pub(super) fn all(settings: &NetworkSettings) -> Result<Vec<reqwest::Proxy>, NetworkError> {
    type Make = fn(&str) -> reqwest::Result<reqwest::Proxy>;
    let kinds: [(&Option<String>, Make); 3] = [
        (&settings.http_proxy, |proxy| reqwest::Proxy::http(proxy)),
        (&settings.https_proxy, |proxy| reqwest::Proxy::https(proxy)),
        (&settings.all_proxy, |proxy| reqwest::Proxy::all(proxy)),
    ];
    let mut made = Vec::new();
    for (text, make) in kinds {
        let Some(text) = text.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
            continue;
        };
        let wrong =
            |reason: String| NetworkError::Proxy { proxy: without_credentials(text), reason };
        let url = proxy_url(text).map_err(wrong)?;
        let proxy = make(&url).map_err(|error| wrong(error.to_string()))?;
        made.push(proxy.no_proxy(reqwest::NoProxy::from_string(&direct(settings))));
    }
    Ok(made)
}

/// Which proxy a target is reached through, by the same settings, which `all` has checked.
pub(super) fn matcher(settings: &NetworkSettings) -> Matcher {
    let proxy = |text: &Option<String>| -> String {
        let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let text = text.filter(|_| !settings.offline);
        text.and_then(|text| proxy_url(text).ok()).unwrap_or_default()
    };
    Matcher::builder()
        .http(proxy(&settings.http_proxy))
        .https(proxy(&settings.https_proxy))
        .all(proxy(&settings.all_proxy))
        .no(direct(settings))
        .build()
}

/// What is never reached through a proxy: this machine, as every other client does it, and what the
/// person named.
fn direct(settings: &NetworkSettings) -> String {
    format!("localhost,127.0.0.0/8,::1,{}", settings.no_proxy.as_deref().unwrap_or_default())
}

/// A proxy's URL; one without a scheme is meant as `http://`, as everywhere.
fn proxy_url(text: &str) -> Result<String, String> {
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&full).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h") {
        return Err(format!("`{}` is no way to a proxy", url.scheme()));
    }
    if url.host().is_none() {
        return Err("it names no host".to_owned());
    }
    Ok(full)
}

/// A URL without the name and password in it.
pub(super) fn without_credentials(text: &str) -> String {
    text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("***@{rest}"))
}
