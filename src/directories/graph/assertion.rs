// SPDX-License-Identifier: GPL-3.0-or-later
//! An application's proof that it holds the key of its certificate: a JWT (RFC 7523), signed by PS256 and naming the
//! certificate by its SHA-256, as learn.microsoft.com/entra/identity-platform/certificate-credentials has it. Good for ten minutes
//! at one login server.

use super::super::source::SourceError;
use crate::config::Identity;
use crate::https::uuid;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long it is good.
const LIFETIME: Duration = Duration::from_secs(600);
/// How far our clock may be ahead of the server's.
const AHEAD: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// A fresh one for the login server at this address.
pub(super) fn assertion(
    identity: &Identity,
    client_id: &str,
    address: &str,
    now: SystemTime,
) -> Result<String, SourceError> {
    let wrong = |what: &str| SourceError::Wrong(what.to_owned());
    // The first one is ours; those above it may follow.
    let certificate = CertificateDer::pem_slice_iter(&identity.certificate).next().and_then(Result::ok);
    let certificate = certificate.ok_or_else(|| wrong("`certificate` holds no certificate"))?;
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)));
    // What the library says of a key it cannot use is not shown: it might show the key.
    let key = EncodingKey::from_rsa_pem(identity.key.reveal())
        .map_err(|_| wrong("`key` is no RSA key in PEM, which is what Microsoft takes"))?;
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims {
        aud: address,
        iss: client_id,
        sub: client_id,
        jti: uuid(),
        iat: seconds(now - AHEAD),
        nbf: seconds(now - AHEAD),
        exp: seconds(now + LIFETIME),
    };
    encode(&header, &claims, &key)
        .map_err(|_| wrong("`key` cannot sign: it is no RSA key of 2048 bits or more"))
}
