// SPDX-License-Identifier: GPL-3.0-or-later
//! Keys that are made here and renewed in time: the newest signs, the others are known for as long as mail may be away with
//! a token of theirs. A clock that was ahead by years and is right again makes a new key, and does no other harm.

use super::store;
use crate::mail::{CLOCK_SKEW, ScanKey, ScanKeys};
use crate::store::{Stamp, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring::default_provider;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// The file they are kept in.
const FILE: &str = "keys.json";
/// Octets of a secret: as many as the hash has (RFC 2104 3).
const SECRET: usize = 32;
/// Octets of a name.
const ID: usize = 5;
/// How much longer than its tokens a key is known.
const MARGIN: Duration = Duration::from_secs(2 * CLOCK_SKEW);

/// Keys, of which there is always one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct KeyRing {
    /// The newest first.
    keys: Vec<Kept>,
}

#[derive(Clone, Deserialize, Serialize)]
struct Kept {
    id: String,
    /// In base64.
    secret: String,
    made: Stamp,
    /// When it was last used to sign; nothing while it still is.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<Stamp>,
}

/// Secrets are never shown.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("id", &self.id).field("made", &self.made).finish_non_exhaustive()
    }
}

/// The system has no random numbers to give.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("there are no random numbers")]
pub struct NoRandom;

impl KeyRing {
    /// A ring with its first key.
    pub fn first(now: Stamp) -> Result<Self, NoRandom> {
        Ok(Self { keys: vec![Kept::make(now)?] })
    }

    /// The ring that is kept in a state directory; nothing when there is none.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let store = store(state_dir);
        let Some(content) = store.read(FILE)? else { return Ok(None) };
        let ring = serde_json::from_slice::<Self>(&content).ok().filter(|ring| ring.keys().is_some());
        ring.map(Some).ok_or_else(|| StoreError::Damaged(store.dir().join(FILE)))
    }

    /// Keeps it.
    pub fn write(&self, state_dir: &Path) -> Result<(), StoreError> {
        // Texts and numbers are always JSON.
        let content = serde_json::to_vec_pretty(self).unwrap_or_default();
        store(state_dir).write_private(FILE, &content)
    }

    /// The ring after this one, if it is time: with a new key after `rotate`, and without those that no token can be out
    /// with any more, of which the longest is valid for `longest`.
    pub fn renewed(&self, rotate: Duration, longest: Duration, now: Stamp) -> Result<Option<Self>, NoRandom> {
        let in_use = |key: &&Kept| key.retired.is_none_or(|retired| now.since(retired) <= longest + MARGIN);
        let mut keys: Vec<Kept> = self.keys.iter().filter(in_use).cloned().collect();
        let is_due = keys.first().is_none_or(|key| {
            key.retired.is_some() || now.since(key.made) >= rotate || key.made > now.after(MARGIN)
        });
        if is_due {
            for key in &mut keys {
                key.retired.get_or_insert(now);
            }
            keys.insert(0, Kept::make(now)?);
        }
        Ok((is_due || keys.len() < self.keys.len()).then_some(Self { keys }))
    }

    /// Its keys as tokens are signed and read with them; nothing where one of them is none.
    pub fn keys(&self) -> Option<ScanKeys> {
        let mut keys = self.keys.iter().map(Kept::key).collect::<Option<Vec<_>>>()?.into_iter();
        Some(ScanKeys::new(keys.next()?, keys))
    }
}

impl Kept {
    fn make(now: Stamp) -> Result<Self, NoRandom> {
        let random = default_provider().secure_random;
        let (mut id, mut secret) = ([0; ID], [0; SECRET]);
        random.fill(&mut id).and_then(|()| random.fill(&mut secret)).map_err(|_| NoRandom)?;
        let id = id.iter().fold(String::new(), |id, octet| format!("{id}{octet:02x}"));
        Ok(Self { id, secret: STANDARD.encode(secret), made: now, retired: None })
    }

    fn key(&self) -> Option<ScanKey> {
        ScanKey::new(&self.id, STANDARD.decode(&self.secret).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Domain, Mailbox, ScanAddress, ScanToken, TokenFault};
    use std::time::SystemTime;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: u32) -> Stamp {
        Stamp::from(SystemTime::UNIX_EPOCH).after(HOUR * (500_000 + hours))
    }

    fn address() -> (Domain, ScanAddress) {
        let mailbox = Mailbox::parse_strict("ann@a.example").unwrap();
        (mailbox.domain().unwrap().clone(), ScanAddress::of(&mailbox))
    }

    fn token(ring: &KeyRing, now: Stamp) -> String {
        let (domain, address) = address();
        ring.keys().unwrap().signing().mint(&domain, now.seconds(), 0, [&address]).remove(0)
    }

    fn held(ring: &KeyRing, token: &str, now: Stamp, valid: Duration) -> Option<TokenFault> {
        let (domain, address) = address();
        let keys = ring.keys().unwrap();
        let token = ScanToken::read(token.as_bytes(), &keys);
        let valid = u32::try_from(valid.as_secs()).unwrap();
        token.and_then(|token| token.for_recipient(&domain, &address, now.seconds(), valid)).err()
    }

    /// A token is good over the change of keys, to its last moment, and its key goes after that.
    #[test]
    fn keys_change_and_tokens_stay_good() {
        let (rotate, longest) = (HOUR * 10, HOUR * 4);
        let first = KeyRing::first(at(0)).unwrap();
        assert!(first.renewed(rotate, longest, at(9)).unwrap().is_none());
        let away = token(&first, at(9));
        let second = first.renewed(rotate, longest, at(10)).unwrap().unwrap();
        assert_ne!(first.keys[0].id, second.keys[0].id);
        assert_eq!((second.keys.len(), second.keys[1].retired), (2, Some(at(10))));
        assert_eq!(held(&second, &away, at(13), longest), None);
        assert_eq!(held(&first, &token(&second, at(10)), at(10), longest), Some(TokenFault::UnknownKey));
        assert!(
            second.renewed(rotate, longest, at(14)).unwrap().is_none(),
            "its last token is valid until now"
        );
        let third = second.renewed(rotate, longest, at(15)).unwrap().unwrap();
        assert_eq!((third.keys.len(), &third.keys[0].id), (1, &second.keys[0].id));
        assert_eq!(held(&third, &away, at(13), longest), Some(TokenFault::UnknownKey));
        // Where tokens are longer valid, so are keys.
        assert!(second.renewed(rotate, HOUR * 9, at(15)).unwrap().is_none());
    }

    /// Nobody was there for long, or the clock was wrong.
    #[test]
    fn clocks_and_long_absence() {
        let ring = KeyRing::first(at(1000)).unwrap();
        let renewed = |hours| ring.renewed(HOUR * 10, HOUR, at(hours)).unwrap();
        assert_eq!(renewed(9000).unwrap().keys.len(), 2);
        let back = renewed(10).unwrap();
        assert_eq!((back.keys.len(), back.keys[0].made), (2, at(10)));
        assert!(back.renewed(HOUR * 10, HOUR, at(11)).unwrap().is_none());
    }

    #[test]
    fn rings_are_kept_and_no_one_else_reads_them() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = std::env::temp_dir().join(format!("postern-ring-{}", std::process::id()));
        assert!(KeyRing::read(&dir).unwrap().is_none());
        let ring = KeyRing::first(at(0)).unwrap();
        ring.write(&dir).unwrap();
        let read = KeyRing::read(&dir).unwrap().unwrap();
        assert_eq!(held(&read, &token(&ring, at(0)), at(0), HOUR), None);
        let file = dir.join("scan").join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        for content in [&b"{}"[..], br#"{"keys":[]}"#, br#"{"keys":[{"id":"a","secret":"","made":0}]}"#] {
            store(&dir).write(FILE, content).unwrap();
            assert!(matches!(KeyRing::read(&dir), Err(StoreError::Damaged(_))), "{}", content.escape_ascii());
        }
        assert!(!format!("{ring:?}").contains(&ring.keys[0].secret));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
