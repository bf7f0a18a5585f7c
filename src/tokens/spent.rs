// SPDX-License-Identifier: GPL-3.0-or-later
//! Used tokens on disk: for each 12 octets that stand for it and its recipient, and 4 of the second it expires in, since
//! 1970, highest first.

use super::store;
use crate::mail::SpentToken;
use crate::store::StoreError;
use std::path::Path;

/// The file they are kept in.
const FILE: &str = "spent";
/// Octets of one.
const LENGTH: usize = 16;

/// What is kept in a state directory; none when there is no file.
pub fn read_spent(state_dir: &Path) -> Result<Vec<SpentToken>, StoreError> {
    let store = store(state_dir);
    let content = store.read(FILE)?.unwrap_or_default();
    let (records, []) = content.as_chunks::<LENGTH>() else {
        return Err(StoreError::Damaged(store.dir().join(FILE)));
    };
    let token = |record: &[u8; LENGTH]| {
        let [mark @ .., a, b, c, d] = *record;
        SpentToken { mark, until: u32::from_be_bytes([a, b, c, d]) }
    };
    Ok(records.iter().map(token).collect())
}

/// Keeps them, instead of those that were kept.
pub fn write_spent(state_dir: &Path, tokens: &[SpentToken]) -> Result<(), StoreError> {
    let mut content = Vec::with_capacity(tokens.len() * LENGTH);
    for SpentToken { mark, until } in tokens {
        content.extend_from_slice(mark);
        content.extend_from_slice(&until.to_be_bytes());
    }
    store(state_dir).write(FILE, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let dir = std::env::temp_dir().join(format!("postern-spent-{}", std::process::id()));
        assert_eq!(read_spent(&dir).unwrap(), []);
        let tokens: Vec<SpentToken> =
            (0..=255u8).map(|n| SpentToken { mark: [n; 12], until: u32::from(n) << 23 }).collect();
        write_spent(&dir, &tokens).unwrap();
        assert_eq!(read_spent(&dir).unwrap(), tokens);
        store(&dir).write(FILE, &[0; 17]).unwrap();
        assert!(matches!(read_spent(&dir), Err(StoreError::Damaged(_))));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
