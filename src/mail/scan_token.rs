// SPDX-License-Identifier: GPL-3.0-or-later
//! The scan token: what a message is sent to a scanning gateway with, and known by when it comes back.
//!
//! `X-Postern-Scan: k=KEY; d=DOMAIN; t=TIME; n=NUMBER; r=DIGEST,DIGEST; h=MAC`. DOMAIN is the recipients' in A-labels, TIME is
//! in seconds since 1970, NUMBER is another for each message of that second, each DIGEST stands for one envelope recipient (HMAC-SHA-256 over time and address, its first 9
//! octets), MAC is HMAC-SHA-256 (RFC 2104) over all before `h=`; these three are in base64url (RFC 4648 5). Blanks do not count,
//! so that a gateway may fold the line anew; case does. A scanner may split the message: a token is good for each of its
//! recipients. Limits: [`MAX_DIGESTS`] recipients and [`MAX_TOKEN`] octets. Whether one was used before is not known here.

use super::{Domain, Mailbox, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq as _};

/// The header that scan tokens stand in.
pub const SCAN_HEADER: &str = "X-Postern-Scan";
/// The header that says to Postfix where a message goes to be scanned.
pub const VIA_HEADER: &str = "X-Postern-Via";
/// Recipients of one token.
pub const MAX_DIGESTS: usize = 100;
/// Octets of a token that is looked at, folds and all.
pub const MAX_TOKEN: usize = 4096;
/// How far in the future a token may have been made: so far may the clocks of machines that share keys differ, in seconds.
pub const CLOCK_SKEW: u64 = 300;

/// Octets of a digest, of which no end is left over in base64.
const DIGEST: usize = 9;
/// Characters of a digest.
const DIGEST_TEXT: usize = 12;
/// Characters of a number.
const NUMBER_TEXT: usize = 11;
/// Digests in one line of a folded token.
const IN_LINE: usize = 5;
/// Longest name of a key.
const MAX_KEY_ID: usize = 16;
/// Fewest and most octets of a key's secret.
const SECRET: std::ops::RangeInclusive<usize> = 32..=256;
/// What a MAC over something else, by the same key, never begins with.
const OF_TOKEN: &[u8] = b"postern scan token 1\0";
const OF_RECIPIENT: &[u8] = b"postern scan recipient 1\0";

/// A key that scan tokens are signed with.
#[derive(Clone, Debug)]
pub struct ScanKey {
    id: Box<str>,
    secret: Secret,
}

/// Why something is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ScanKeyError {
    /// Its name.
    #[error("a key's name has letters, digits, `.`, `-` and `_`, at most {MAX_KEY_ID}")]
    Id,
    /// Its secret.
    #[error("a key's secret has {} to {} octets", SECRET.start(), SECRET.end())]
    Secret,
}

impl ScanKey {
    /// A key. Its name is written into tokens, its secret is not.
    pub fn new(id: &str, secret: impl Into<Box<[u8]>>) -> Result<Self, ScanKeyError> {
        let secret = secret.into();
        if !is_key_id(id) {
            return Err(ScanKeyError::Id);
        }
        if !SECRET.contains(&secret.len()) {
            return Err(ScanKeyError::Secret);
        }
        Ok(Self { id: id.into(), secret: Secret::new(secret) })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Signs tokens for recipients of one domain: header values in folded lines, parted by LF. There is more than one
    /// where there are more than [`MAX_DIGESTS`] recipients, and none where there are none. Whoever shares the key has
    /// never given this number in this second: each token can be used once, and equal ones would be one.
    pub fn mint<'a>(
        &self,
        domain: &Domain,
        at: u64,
        number: u64,
        recipients: impl IntoIterator<Item = &'a ScanAddress>,
    ) -> Vec<String> {
        let mut digests: Vec<String> =
            recipients.into_iter().map(|address| self.digest(at, address)).collect();
        // In their order nothing is told of the envelope's.
        digests.sort_unstable();
        digests.dedup();
        let number = URL_SAFE_NO_PAD.encode(number.to_be_bytes());
        let token = |digests: &[String]| {
            let lines: Vec<String> = digests.chunks(IN_LINE).map(|line| line.join(",")).collect();
            let signed =
                format!("k={}; d={domain}; t={at}; n={number};\n\tr={};\n\t", self.id, lines.join(",\n\t"));
            let mac = self.mac(without_blanks(signed.as_bytes()).as_slice());
            format!("{signed}h={mac}")
        };
        digests.chunks(MAX_DIGESTS).map(token).collect()
    }

    fn mac(&self, signed: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.hash(OF_TOKEN, signed))
    }

    fn digest(&self, at: u64, ScanAddress(address): &ScanAddress) -> String {
        let hash = self.hash(OF_RECIPIENT, &[&at.to_be_bytes(), &**address].concat());
        URL_SAFE_NO_PAD.encode(&hash[..DIGEST])
    }

    fn hash(&self, what: &[u8], octets: &[u8]) -> [u8; 32] {
        #[allow(clippy::expect_used)] // RFC 2104 takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.reveal()).expect("a key of any length");
        mac.update(what);
        mac.update(octets);
        mac.finalize().into_bytes().into()
    }
}

fn is_key_id(id: &str) -> bool {
    (1..=MAX_KEY_ID).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// The keys in use: one signs, and all are known.
#[derive(Clone, Debug)]
pub struct ScanKeys {
    signing: ScanKey,
    others: Vec<ScanKey>,
}

impl ScanKeys {
    /// Keys of which the first signs.
    pub fn new(signing: ScanKey, others: impl IntoIterator<Item = ScanKey>) -> Self {
        Self { signing, others: others.into_iter().collect() }
    }

    /// The key that signs.
    pub fn signing(&self) -> &ScanKey {
        &self.signing
    }

    fn find(&self, id: &[u8]) -> Option<&ScanKey> {
        std::iter::once(&self.signing).chain(&self.others).find(|key| key.id.as_bytes() == id)
    }
}

/// A recipient's address as tokens have it: the local part folded as directories compare it, the domain in A-labels.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ScanAddress(Box<[u8]>);

impl ScanAddress {
    /// The address of a mailbox. A local part that is none counts as it is written.
    pub fn of(mailbox: &Mailbox) -> Self {
        let folded = mailbox.folded_local();
        let written = mailbox.written();
        let local = match &folded {
            Some(folded) => folded.as_bytes(),
            None => written.iter().rposition(|&b| b == b'@').map_or(written, |at| &written[..at]),
        };
        Self([local, b"@", mailbox.host().as_str().as_bytes()].concat().into())
    }
}

/// Why a token is not taken, or that there is none; what comes later was nearer to being taken.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TokenFault {
    /// There is none.
    Missing,
    /// It is none that we would write.
    Malformed,
    /// No key of its name is known any more, or yet.
    UnknownKey,
    /// It was signed by somebody else, or changed.
    Forged,
    /// It is for another domain.
    OtherDomain,
    /// It is for other recipients.
    OtherRecipient,
    /// It was made in the future.
    Future,
    /// It is too old.
    Expired,
    /// It was used before.
    Spent,
    /// Nothing more can be remembered to have been used.
    Unremembered,
}

impl TokenFault {
    /// In words that go behind "its token".
    fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::Malformed => "is malformed",
            Self::UnknownKey => "was signed with a key that is not known",
            Self::Forged => "is forged or was changed",
            Self::OtherDomain => "is for another domain",
            Self::OtherRecipient => "is for other recipients",
            Self::Future => "was made in the future",
            Self::Expired => "has expired",
            Self::Spent => "was used before",
            Self::Unremembered => "cannot be remembered as used, since too many are",
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A token whose signature is right.
#[derive(Clone, Debug)]
pub struct ScanToken<'k> {
    key: &'k ScanKey,
    domain: Box<str>,
    at: u64,
    digests: Box<[u8]>,
    mac: [u8; 43],
}

impl<'k> ScanToken<'k> {
    /// Reads a header value, in whatever way it is folded, and checks its signature.
    pub fn read(value: &[u8], keys: &'k ScanKeys) -> Result<Self, TokenFault> {
        if value.len() > MAX_TOKEN {
            return Err(TokenFault::Malformed);
        }
        let text = without_blanks(value);
        let parts = Parts::of(&text).ok_or(TokenFault::Malformed)?;
        let key = keys.find(parts.key).ok_or(TokenFault::UnknownKey)?;
        if !bool::from(key.mac(parts.signed).as_bytes().ct_eq(parts.mac)) {
            return Err(TokenFault::Forged);
        }
        // What is signed was written by us.
        let domain = str::from_utf8(parts.domain).map_err(|_| TokenFault::Malformed)?;
        let mac = parts.mac.try_into().map_err(|_| TokenFault::Malformed)?;
        Ok(Self { key, domain: domain.into(), at: parts.at, digests: parts.digests.into(), mac })
    }

    /// Whether it is good for this recipient, `now` in seconds since 1970 and for as long as `valid` seconds; what is to be
    /// remembered when it has been used for the recipient.
    pub fn for_recipient(
        &self,
        domain: &Domain,
        address: &ScanAddress,
        now: u64,
        valid: u32,
    ) -> Result<SpentToken, TokenFault> {
        if *self.domain != *domain.as_str() {
            return Err(TokenFault::OtherDomain);
        }
        let digest = self.key.digest(self.at, address);
        // Held against all of them, so that time does not tell which it was.
        let found = self.digests.chunks(DIGEST_TEXT + 1).fold(Choice::from(0), |found, written| {
            found | written[..DIGEST_TEXT.min(written.len())].ct_eq(digest.as_bytes())
        });
        if !bool::from(found) {
            return Err(TokenFault::OtherRecipient);
        }
        if self.at > now.saturating_add(CLOCK_SKEW) {
            return Err(TokenFault::Future);
        }
        let until = self.at.saturating_add(valid.into());
        if now > until {
            return Err(TokenFault::Expired);
        }
        let mut hash = Sha256::new();
        hash.update(self.mac);
        hash.update(digest.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut mark = [0; 12];
        mark.copy_from_slice(&hash[..12]);
        Ok(SpentToken { mark, until: u32::try_from(until).unwrap_or(u32::MAX) })
    }
}

/// A token that was used for one recipient.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SpentToken {
    /// Stands for both.
    pub mark: [u8; 12],
    /// When it expires by itself, in seconds since 1970.
    pub until: u32,
}

/// The parts of a token as they are written.
struct Parts<'a> {
    key: &'a [u8],
    domain: &'a [u8],
    at: u64,
    /// With the commas between them.
    digests: &'a [u8],
    mac: &'a [u8],
    /// All before `h=`.
    signed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(text: &'a [u8]) -> Option<Self> {
        let mut fields = text.split(|&b| b == b';');
        let mut field = |name: &[u8]| fields.next()?.strip_prefix(name);
        let (key, domain, time) = (field(b"k=")?, field(b"d=")?, field(b"t=")?);
        let (number, digests, mac) = (field(b"n=")?, field(b"r=")?, field(b"h=")?);
        if fields.next().is_some() {
            return None;
        }
        let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let is_digest = |text: &[u8]| text.len() == DIGEST_TEXT && text.iter().all(is_base64);
        let fits = is_key_id(str::from_utf8(key).ok()?)
            && (1..=253).contains(&domain.len())
            && (1..=12).contains(&time.len())
            && time.iter().all(u8::is_ascii_digit)
            && number.len() == NUMBER_TEXT
            && number.iter().all(is_base64)
            && digests.len() <= MAX_DIGESTS * (DIGEST_TEXT + 1)
            && digests.split(|&b| b == b',').all(is_digest)
            && mac.len() == 43
            && mac.iter().all(is_base64);
        let at = str::from_utf8(time).ok()?.parse().ok()?;
        let signed = &text[..text.len() - mac.len() - b"h=".len()];
        fits.then_some(Self { key, domain, at, digests, mac, signed })
    }
}

fn without_blanks(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n')).collect()
}

#[cfg(test)]
mod tests;
