// SPDX-License-Identifier: GPL-3.0-or-later
//! How TLS is spoken with a mail server, and whether its certificate is the expected one.
//!
//! No server name is sent (SNI): Postfix and Sendmail send none, and a server is to show what it shows to them. Only
//! names in `subjectAltName` count, no common name (RFC 6125 6.4.4).

use super::outcome::CertificateFault;
use crate::https::authorities;
use crate::mail::CertificatePattern;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor as verify_chain;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};

/// How TLS is spoken, and who may vouch for servers.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) config: Arc<ClientConfig>,
    provider: Arc<CryptoProvider>,
    /// The system's are read when they are first needed.
    roots: OnceLock<Result<RootCertStore, String>>,
}

impl Trust {
    /// These authorities may vouch, or the system's. An error says that there is no TLS here at all.
    pub(super) fn new(given: Option<RootCertStore>) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Later(Arc::clone(&provider)));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.enable_sni = false;
        let roots = given.map_or_else(OnceLock::new, |given| OnceLock::from(Ok(given)));
        Ok(Self { config: Arc::new(config), provider, roots })
    }

    /// Whether the first of these certificates, by the others, is trusted and has a name that is wanted.
    pub(super) fn check(
        &self,
        chain: &[CertificateDer<'_>],
        wanted: &[CertificatePattern],
    ) -> Result<(), CertificateFault> {
        let fault = |why: &str| CertificateFault::Chain(why.to_owned());
        let (own, others) = chain.split_first().ok_or_else(|| fault("it shows none"))?;
        let read = || authorities(None).map_err(|error| error.to_string());
        let roots = self.roots.get_or_init(read).as_ref().map_err(|why| fault(why))?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        ParsedCertificate::try_from(own)
            .and_then(|own| verify_chain(&own, roots, others, UnixTime::now(), algorithms))
            .map_err(|error| CertificateFault::Chain(explain(&error)))?;
        let fits = |name: &String| wanted.iter().any(|wanted| fits(wanted, name));
        if names(own).iter().any(fits) { Ok(()) } else { Err(CertificateFault::Name) }
    }
}

/// The DNS names in a certificate, as they are written there.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    certificate.valid_dns_names().map(str::to_owned).collect()
}

/// Whether a name in a certificate is one that is wanted. Either may have an asterisk for its first label.
fn fits(wanted: &CertificatePattern, name: &str) -> bool {
    let covers = || CertificatePattern::parse(name).is_ok_and(|name| name.matches(wanted.as_str()));
    wanted.matches(name) || covers()
}

fn explain(error: &Error) -> String {
    use CertificateError::{BadSignature, Expired, ExpiredContext, UnknownIssuer};
    if matches!(error, Error::InvalidCertificate(UnknownIssuer | BadSignature)) {
        return "nobody trusted here vouches for it".into();
    }
    if matches!(error, Error::InvalidCertificate(Expired | ExpiredContext { .. })) {
        return "it has ended".into();
    }
    error.to_string()
}

/// Lets the handshake come to its end, whoever the server is: what it shows is looked at afterwards. That it holds the
/// certificate's key is looked at here.
#[derive(Debug)]
struct Later(Arc<CryptoProvider>);

impl ServerCertVerifier for Later {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wanted_names_may_have_an_asterisk() {
        for (wanted, name, want) in [
            ("mail.example.com", "mail.example.com", true),
            ("mail.example.com", "MAIL.example.com", true),
            ("mail.example.com", "*.example.com", true),
            ("a.mail.example.com", "*.example.com", false),
            ("*.example.com", "mail.example.com", true),
            ("*.example.com", "*.example.com", true),
            ("*.example.com", "*.a.example.com", false),
            ("example.com", "*.com", false),
            ("mail.example.com", "m*.example.com", false),
            ("mail.example.com", "", false),
        ] {
            let wanted = CertificatePattern::parse(wanted).unwrap();
            assert_eq!(fits(&wanted, name), want, "{wanted} {name}");
        }
    }
}
