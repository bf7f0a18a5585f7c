// SPDX-License-Identifier: GPL-3.0-or-later
//! Whom a feed is believed to: the system's authorities or its own, and pinned keys on top of either (RFC 7469 2.4: the
//! SHA-256 of the `SubjectPublicKeyInfo`). A pin never stands in for an authority.

use super::super::source::SourceError;
use crate::config::Feed;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// How to speak TLS with the server of a feed.
pub(super) fn client_config(feed: &Feed) -> Result<ClientConfig, SourceError> {
    let wrong = |error: &dyn std::error::Error| SourceError::Wrong(format!("cannot set up TLS: {error}"));
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let authorities =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(feed)?), Arc::clone(&provider))
            .build()
            .map_err(|error| wrong(&error))?;
    let verifier = Pinned { authorities, pins: feed.pins.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

fn roots(feed: &Feed) -> Result<RootCertStore, SourceError> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = &feed.ca {
        let found: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(ca).collect();
        let found = found.map_err(|error| SourceError::Wrong(format!("`ca` is not PEM: {error}")))?;
        for certificate in found {
            roots.add(certificate).map_err(|error| SourceError::Wrong(format!("`ca`: {error}")))?;
        }
        if roots.is_empty() {
            return Err(SourceError::Wrong("`ca` has no certificate in it".into()));
        }
        return Ok(roots);
    }
    // Some of the system's may be unreadable to us; whether the rest is enough shows when it is needed.
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = "the system has no certificate authorities (ca-certificates); name one with `ca`";
        return Err(SourceError::Unreachable(why.into()));
    }
    Ok(roots)
}

/// Verifies by authorities, and by pins where there are any.
#[derive(Debug)]
struct Pinned {
    authorities: Arc<WebPkiServerVerifier>,
    pins: Vec<[u8; 32]>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        if !self.pins.is_empty() {
            let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
            let hash: [u8; 32] = Sha256::digest(&key).into();
            if !self.pins.contains(&hash) {
                return Err(Error::General("the server's public key is not one that `pin` names".into()));
            }
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
