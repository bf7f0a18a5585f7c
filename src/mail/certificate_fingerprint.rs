// SPDX-License-Identifier: GPL-3.0-or-later
//! The SHA-256 of a client's TLS certificate, or of its public key.
//!
//! A fingerprint needs no authority: whoever shows the certificate holds its key, so a self-signed one is as good as any.
//! Of the certificate (DER) it changes with each renewal; of the public key (`SubjectPublicKeyInfo` in DER) only with
//! the key. Postfix tells both, and only by policy delegation; other digests than SHA-256 are never the same as one.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use std::fmt;

/// Octets of SHA-256.
const LENGTH: usize = 32;
/// Octets of MD5 and SHA-1, which old installations have Postfix tell.
const OLD_LENGTHS: [usize; 2] = [16, 20];

/// SHA-256 of a certificate or of its public key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CertificateFingerprint([u8; LENGTH]);

/// Why a text is no fingerprint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CertificateFingerprintError {
    /// MD5 or SHA-1, by its length.
    #[error("this is MD5 or SHA-1, and only SHA-256 is taken")]
    OtherDigest,
    /// Neither form.
    #[error("a fingerprint is 64 hexadecimal digits, or sha256/ and BASE64")]
    Form,
}

impl CertificateFingerprint {
    /// Reads hexadecimal digits of either case, with colons between all octets or none, or `sha256/` and BASE64.
    ///
    /// # Errors
    /// When it is neither, or another digest.
    pub fn parse(text: &str) -> Result<Self, CertificateFingerprintError> {
        let octets = match text.strip_prefix("sha256/") {
            // curl doubles the slash, which is also a character of BASE64.
            Some(rest) => {
                let doubled = || BASE64_STANDARD.decode(rest.strip_prefix('/')?).ok();
                BASE64_STANDARD.decode(rest).ok().or_else(doubled)
            }
            None => from_hexadecimal(text),
        };
        let octets = octets.ok_or(CertificateFingerprintError::Form)?;
        match <[u8; LENGTH]>::try_from(octets.as_slice()) {
            Ok(octets) => Ok(Self(octets)),
            Err(_) if OLD_LENGTHS.contains(&octets.len()) => Err(CertificateFingerprintError::OtherDigest),
            Err(_) => Err(CertificateFingerprintError::Form),
        }
    }
}

impl fmt::Display for CertificateFingerprint {
    /// As OpenSSL and Postfix write it: in upper case, with colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let octet = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        let both = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u8::from_str_radix(digits, 16).ok().filter(|_| both)
    };
    if text.contains(':') {
        return text.as_bytes().split(|&b| b == b':').map(octet).collect();
    }
    text.as_bytes().chunks(2).map(octet).collect()
}

/// What is known of the fingerprints of a client's certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum CertificateFingerprints {
    /// Nobody has told of them, or of other digests only.
    #[default]
    NotTold,
    /// The client has shown no certificate.
    None,
    /// It has shown one with these: of the certificate, and of its public key.
    Told(Box<[CertificateFingerprint]>),
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLONS: &str =
        "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";

    #[test]
    fn all_spellings_are_one() {
        let plain = COLONS.replace(':', "");
        let base64 = "sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let doubled = base64.replace("sha256/", "sha256//");
        for text in [COLONS, &COLONS.to_lowercase(), &plain, &plain.to_lowercase(), base64, &doubled] {
            assert_eq!(CertificateFingerprint::parse(text).unwrap().to_string(), COLONS, "{text}");
        }
    }

    #[test]
    fn what_is_no_fingerprint() {
        use CertificateFingerprintError::{Form, OtherDigest};
        for (text, want) in [
            ("", Form),
            (&COLONS[..47], OtherDigest),
            (&COLONS[..59], OtherDigest),
            (&COLONS.replace(':', "")[..40], OtherDigest),
            (&COLONS[..92], Form),
            (&COLONS[1..], Form),
            (&COLONS.replacen(':', "", 1), Form),
            (&COLONS.replace('E', "+"), Form),
            (&COLONS.replace('E', "é"), Form),
            ("sha256/", Form),
            ("sha256/47DEQpj8HBSa", Form),
            ("sha1/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", Form),
        ] {
            assert_eq!(CertificateFingerprint::parse(text), Err(want), "{text}");
        }
    }
}
