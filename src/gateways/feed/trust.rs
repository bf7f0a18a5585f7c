// SPDX-License-Identifier: GPL-3.0-or-later
//! Whom a feed is believed to: the system's authorities or its own, and pinned keys on top of either (RFC 7469 2.4: the
//! SHA-256 of the `SubjectPublicKeyInfo`). A pin never stands in for an authority.

use super::super::source::SourceError;
use crate::config::Feed;
use crate::https::{AuthorityError, authorities};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
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
    authorities(feed.ca.as_deref()).map_err(|error| match error {
        AuthorityError::Wrong(why) => SourceError::Wrong(why),
        AuthorityError::NoneHere => SourceError::Unreachable(error.to_string()),
    })
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
