// SPDX-License-Identifier: GPL-3.0-or-later
//! Certificate authorities: the system's, or those that the configuration names instead.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Why nobody can vouch for a server.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// What was named instead of the system's cannot be used.
    #[error("{0}")]
    Wrong(String),
    /// The system has none.
    #[error("the system has no certificate authorities (ca-certificates); name one with `ca`")]
    NoneHere,
}

/// Those who may vouch for a server: the certificates in `ca` (PEM), or the system's.
pub fn authorities(ca: Option<&[u8]>) -> Result<RootCertStore, AuthorityError> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        let found: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(ca).collect();
        let found = found.map_err(|error| AuthorityError::Wrong(format!("`ca` is not PEM: {error}")))?;
        for certificate in found {
            roots.add(certificate).map_err(|error| AuthorityError::Wrong(format!("`ca`: {error}")))?;
        }
        if roots.is_empty() {
            return Err(AuthorityError::Wrong("`ca` has no certificate in it".into()));
        }
        return Ok(roots);
    }
    // Some of the system's may be unreadable to us; whether the rest is enough shows when it is needed.
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() { Err(AuthorityError::NoneHere) } else { Ok(roots) }
}
