//! Whom to trust: the certificate store of this machine, loaded once and only when a secure
//! connection is really made.
//!
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's store, `--ca` adds to whatever is used.
//! No list of authorities is built in: the machine's owner decides.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_rustls::TlsConnector;

use crate::config::settings::NetworkSettings;

use super::error::NetworkError;

/// A configuration that trusts nobody: for clients that only speak plain HTTP. Costs no file access.
pub(super) fn trust_nobody() -> Result<ClientConfig, NetworkError> {
    configure(RootCertStore::empty())
}

/// A configuration that trusts what the settings say. Reads files.
pub(super) fn trust_store(settings: &NetworkSettings) -> Result<ClientConfig, NetworkError> {
    configure(authorities(settings)?)
}

/// How many authorities the settings trust. Reads files; for `doctor`.
pub fn trusted_certificates(settings: &NetworkSettings) -> Result<usize, NetworkError> {
    authorities(settings).map(|roots| roots.len())
}

fn authorities(settings: &NetworkSettings) -> Result<RootCertStore, NetworkError> {
    let mut roots = RootCertStore::empty();
    add_system_store(&mut roots, settings)?;
    if let Some(path) = &settings.ca {
        add_file(&mut roots, path)?;
    }
    if roots.is_empty() {
        return Err(NetworkError::Store {
            reason: "this machine has no certificate store".to_owned(),
        });
    }
    Ok(roots)
}

/// For connections to `https://` proxies, which are asked in HTTP/1.1. Reads files.
pub(super) fn for_proxies(settings: &NetworkSettings) -> Result<TlsConnector, NetworkError> {
    let mut config = trust_store(settings)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn configure(roots: RootCertStore) -> Result<ClientConfig, NetworkError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NetworkError::Store { reason: error.to_string() })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn add_system_store(
    roots: &mut RootCertStore,
    settings: &NetworkSettings,
) -> Result<(), NetworkError> {
    let (file, directory) = (settings.ssl_cert_file.as_deref(), settings.ssl_cert_dir.as_deref());
    let named = file.is_some() || directory.is_some();
    let found = if named {
        rustls_native_certs::load_certs_from_paths(file, directory)
    } else {
        rustls_native_certs::load_native_certs()
    };
    let (added, _) = roots.add_parsable_certificates(found.certs);
    // A single unreadable file of a system's store is not our business; a store that the person
    // named and that gives nothing is.
    if named && added == 0 {
        let paths: Vec<_> = [file, directory]
            .into_iter()
            .flatten()
            .map(|path| format!("`{}`", path.display()))
            .collect();
        let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(NetworkError::Store {
            reason: format!("{} holds none{why}", paths.join(", ")),
        });
    }
    Ok(())
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), NetworkError> {
    let failed =
        |reason: String| NetworkError::Store { reason: format!("`{}`: {reason}", path.display()) };
    let mut added = 0;
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(failed("no certificate in PEM form in it".to_owned()));
    }
    Ok(())
}
