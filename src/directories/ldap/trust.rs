// SPDX-License-Identifier: GPL-3.0-or-later
//! How TLS is spoken with an LDAP server: whom it is believed to, and who we are.

use crate::config::{Identity, Ldap, LdapBind};
use crate::directories::source::SourceError;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// How to speak TLS with the servers of a directory.
pub(super) fn client_config(ldap: &Ldap) -> Result<Arc<ClientConfig>, SourceError> {
    let wrong = |error: rustls::Error| SourceError::Wrong(format!("cannot set up TLS: {error}"));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(roots(ldap.ca.as_deref())?);
    let config = match &ldap.bind {
        LdapBind::Anonymous | LdapBind::Simple { .. } => config.with_no_client_auth(),
        LdapBind::External(Identity { certificate, key }) => {
            let key = PrivateKeyDer::from_pem_slice(key.reveal())
                .map_err(|error| SourceError::Wrong(format!("`key` has no key in it: {error}")))?;
            config.with_client_auth_cert(certificates("certificate", certificate)?, key).map_err(wrong)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| SourceError::Wrong(format!("`{key}` is not PEM: {error}")))?;
    if found.is_empty() {
        return Err(SourceError::Wrong(format!("`{key}` has no certificate in it")));
    }
    Ok(found)
}

fn roots(ca: Option<&[u8]>) -> Result<RootCertStore, SourceError> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        for certificate in certificates("ca", ca)? {
            roots.add(certificate).map_err(|error| SourceError::Wrong(format!("`ca`: {error}")))?;
        }
        return Ok(roots);
    }
    // Some of the system's may be unreadable to us; whether the rest is enough shows when it is needed.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let why = "the system has no certificate authorities (ca-certificates); name one with `ca`";
        return Err(SourceError::Wrong(why.into()));
    }
    Ok(roots)
}
