// SPDX-License-Identifier: GPL-3.0-or-later
//! Any octets as a snapshot of a directory: never a panic, never more memory than the file has octets.
//!
//! With an odd first octet the rest is the file. With an even one the rest are the contents of its sections, which get right
//! checksums, lengths and places, so that what is behind the checksums is read, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postern::config::SyncRules;
use postern::directories::{Grace, Shelf, Snapshot, View};
use postern::mail::{Mailbox, RecipientKind};
use postern::store::Stamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The number of a section, where it begins, its length, how much it holds, its checksum, as the file has them.
#[derive(Serialize)]
struct Section(u32, u64, u64, u64, u32);

/// A group as the file has it.
#[derive(Deserialize, Serialize)]
struct Placed<'a> {
    #[serde(borrow)]
    name: &'a str,
    key: &'a str,
    members: u64,
    begin: u64,
    length: u64,
    checksum: u32,
}

const RECORDS: u32 = 0;
const FINGERPRINTS: u32 = 1;
const LEAVING: u32 = 3;
const INTERNAL_ONLY: u32 = 4;
const MEMBERS: u32 = 5;
const GROUPS: u32 = 6;
const META: u32 = 7;

/// Takes a length and so many octets.
fn part<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return &[] };
    let (part, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    *data = rest;
    part
}

/// Puts a length before each piece, which has one octet of it here.
fn pieces(mut from: &[u8], mut each: impl FnMut(&[u8]) -> Vec<u8>) -> (Vec<u8>, u64) {
    let (mut pieces, mut count) = (Vec::new(), 0);
    while let Some((&length, rest)) = from.split_first() {
        let (piece, rest) = rest.split_at(usize::from(length).min(rest.len()));
        let piece = each(piece);
        pieces.extend((piece.len() as u32).to_le_bytes());
        pieces.extend(piece);
        count += 1;
        from = rest;
    }
    (pieces, count)
}

/// The checksum of a group's members is made right.
fn placed(piece: &[u8], members: &[u8]) -> Vec<u8> {
    let Ok(mut placed) = postcard::from_bytes::<Placed<'_>>(piece) else { return piece.to_vec() };
    let from = usize::try_from(placed.begin).unwrap_or(usize::MAX);
    let to = from.saturating_add(usize::try_from(placed.length).unwrap_or(usize::MAX));
    placed.checksum = members.get(from..to).map_or(0, crc32fast::hash);
    postcard::to_stdvec(&placed).unwrap()
}

/// A file around the contents of its sections.
fn sealed(mut data: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 8] = std::array::from_fn(|_| part(&mut data));
    let mut file = [b"postern snap".as_slice(), &1u32.to_le_bytes()].concat();
    file.extend(crc32fast::hash(&file).to_le_bytes());
    let (mut sections, mut counts) = (Vec::new(), [0; 8]);
    for (number, content) in (0u32..).zip(parts) {
        let (octets, count) = match number {
            RECORDS if content.is_empty() => (Vec::new(), 0),
            RECORDS => {
                let head = [content.len() as u32, crc32fast::hash(content)].map(u32::to_le_bytes);
                ([&head.concat(), content].concat(), 1)
            }
            FINGERPRINTS => (content.to_vec(), content.len().saturating_sub(16) as u64 / 8),
            LEAVING => pieces(content, <[u8]>::to_vec),
            INTERNAL_ONLY => (content.to_vec(), content.len() as u64 / 8),
            GROUPS => pieces(content, |piece| placed(piece, parts[MEMBERS as usize])),
            META if content.first() != Some(&b'{') => {
                let [_, addresses, _, leaving, internal_only, _, groups, _] = counts;
                let meta = format!(
                    "{{\"directory\":\"people\",\"addresses\":{addresses},\"leaving\":{leaving},\
                     \"internal_only\":{internal_only},\"groups\":{{\"groups\":{groups}}}}}"
                );
                (meta.into_bytes(), 1)
            }
            // First-seen dates: as many as fingerprints.
            2 => (content.to_vec(), counts[FINGERPRINTS as usize]),
            _ => (content.to_vec(), 1),
        };
        counts[number as usize] = count;
        let checksum = if [RECORDS, MEMBERS].contains(&number) { 0 } else { crc32fast::hash(&octets) };
        sections.push(Section(number, file.len() as u64, octets.len() as u64, count, checksum));
        file.extend(octets);
    }
    let begin = file.len() as u64;
    let mut end = postcard::to_stdvec(&sections).unwrap();
    let length = end.len() as u32;
    end.extend(begin.to_le_bytes());
    end.extend(length.to_le_bytes());
    end.extend(crc32fast::hash(&end).to_le_bytes());
    end.extend(b"snap end");
    file.extend(end);
    file
}

/// A state directory with one directory in it whose state is lost, so that every snapshot there is tried.
static STATE: LazyLock<PathBuf> = LazyLock::new(|| {
    let state = std::env::temp_dir().join(format!("postern-fuzz-{}", std::process::id()));
    fs::create_dir_all(state.join("directories/people")).unwrap();
    fs::write(state.join("directories/people/state.json"), "lost").unwrap();
    state
});

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let file = if choice & 1 == 1 { rest.to_vec() } else { sealed(rest) };
    let path = STATE.join("directories/people/00000001.snapshot");
    fs::write(&path, file).unwrap();
    let now = Stamp::default().after(Duration::from_secs(1_800_000_000));
    let from = if choice & 2 == 0 { Grace::Missed } else { Grace::Accepted(now) };
    let view = View { now, grace: Duration::from_secs(86_400), from };
    if let Ok(snapshot) = Snapshot::open(&path, "people") {
        let _ = snapshot.records().map(|records| records.filter(Result::is_ok).count());
        let _ = snapshot.leaving(view).map(|leaving| leaving.filter(Result::is_ok).count());
        let _ = snapshot.next_expiry(view);
        let _ = snapshot.groups();
        let _ = snapshot.recipients(view, &["all".into(), "team".into()]);
        for address in ["ann@example.com", "b-1@example.org", "x@a.example.net"] {
            let _ = snapshot.find(&Mailbox::parse_strict(address).unwrap(), view);
        }
    }
    let rules = SyncRules {
        refresh: None,
        max_removed: 10,
        max_invalid: 5,
        removal_grace: Duration::from_secs(86_400),
        max_age: None,
        keep: 1,
        include: RecipientKind::SAID.to_vec(),
        patterns: true,
        timeout: Duration::from_secs(30),
        groups: vec!["all".into(), "team".into()],
    };
    let _ = Shelf::new(&STATE, &Arc::from("people")).load(&rules, now);
});
