// SPDX-License-Identifier: GPL-3.0-or-later
//! Files that are torn, damaged, left behind, too large, written by many at once, or cannot be written at all.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes with its value.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> (Self, Store) {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("postern-store-{}-{number}", std::process::id()));
        let store = Store::new(dir.join("state/gateways"));
        (Self(dir), store)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn what_is_written_is_read() {
    let (_dir, store) = Temporary::new();
    assert_eq!(store.read("a.json").unwrap(), None, "neither file nor directory");
    assert!(store.files().unwrap().is_empty());
    for content in [b"".as_slice(), b"one", b"two\nlines\n", &vec![0xff; 100_000]] {
        store.write("a.json", content).unwrap();
        assert_eq!(store.read("a.json").unwrap().unwrap(), content);
    }
    store.write("b.json", b"x").unwrap();
    let names: Vec<String> = store.files().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a.json", "b.json"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&store.dir().join("a.json")) & !0o640, 0);
    assert_eq!(mode(store.dir()) & !0o750, 0);
    store.remove("a.json").unwrap();
    store.remove("a.json").unwrap();
    assert_eq!(store.read("a.json").unwrap(), None);
}

#[test]
fn what_is_damaged_is_told_from_what_is_not_there() {
    let (_dir, store) = Temporary::new();
    store.write("a", b"the content of the file").unwrap();
    let path = store.dir().join("a");
    let whole = fs::read(&path).unwrap();
    let mut damages: Vec<(String, Vec<u8>)> =
        (0..whole.len()).map(|length| (format!("cut to {length}"), whole[..length].to_vec())).collect();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        damages.push((format!("octet {at} flipped"), flipped));
    }
    damages.push(("more behind it".into(), [whole.as_slice(), b"x"].concat()));
    damages.push(("nothing but zeros".into(), vec![0; whole.len()]));
    damages.push(("no line end".into(), vec![b'x'; 1000]));
    for (what, damaged) in damages {
        fs::write(&path, damaged).unwrap();
        let read = store.read("a");
        assert!(matches!(&read, Err(StoreError::Damaged(at)) if *at == path), "{what}: {read:?}");
    }
    fs::write(&path, whole).unwrap();
    assert!(store.read("a").unwrap().is_some());
}

#[test]
fn what_cannot_be_written_leaves_the_old_file() {
    let (_dir, store) = Temporary::new();
    store.write("a", b"old").unwrap();
    let huge = vec![0; MOST + 1];
    let refused = store.write("a", &huge).unwrap_err();
    assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
    // A directory in the file's place cannot be renamed over.
    fs::create_dir(store.dir().join("b")).unwrap();
    let refused = store.write("b", b"new").unwrap_err().to_string();
    assert!(refused.contains("/b: "), "{refused}");
    // A file where the directory should be.
    let below = Store::new(store.dir().join("a"));
    assert!(matches!(below.write("c", b"new"), Err(StoreError::Io { .. })));
    assert_eq!(store.read("a").unwrap().unwrap(), b"old");
    let left: Vec<_> = fs::read_dir(store.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_full_disk_is_an_error() {
    // The device takes no octet, as a full disk does.
    let full = Path::new("/dev/full");
    let mut file = fs::OpenOptions::new().write(true).open(full).unwrap();
    let error = file::fill(&mut file, &envelope::first_line(b"x"), b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    let told = at(full, error).to_string();
    assert!(told.starts_with("/dev/full: "), "{told}");
}

#[test]
fn no_more_is_read_than_may_be_there() {
    let (_dir, store) = Temporary::new();
    fs::create_dir_all(store.dir()).unwrap();
    symlink("/dev/zero", store.dir().join("endless")).unwrap();
    let read = store.read("endless");
    assert!(
        matches!(&read, Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::FileTooLarge),
        "{read:?}"
    );
}

#[test]
fn what_a_killed_writer_left_is_passed_over_and_goes() {
    let (_dir, store) = Temporary::new();
    store.write("a", b"content").unwrap();
    fs::write(store.dir().join(".a.4711.0"), b"post").unwrap();
    assert_eq!(store.files().unwrap().len(), 1);
    let now = SystemTime::now();
    store.clean(now).unwrap();
    assert!(store.dir().join(".a.4711.0").exists(), "somebody may be writing it");
    store.clean(now + UNFINISHED * 2).unwrap();
    assert!(!store.dir().join(".a.4711.0").exists());
    assert!(store.read("a").unwrap().is_some());
}

#[test]
fn readers_see_one_of_many_writers_whole() {
    let (_dir, store) = Temporary::new();
    store.write("a", &[0; 10_000]).unwrap();
    std::thread::scope(|scope| {
        for writer in 1..5u8 {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..20 {
                    store.write("a", &[writer; 10_000]).unwrap();
                }
            });
        }
        for _ in 0..200 {
            let content = store.read("a").unwrap().unwrap();
            assert!(content.len() == 10_000 && content.iter().all(|octet| *octet == content[0]));
        }
    });
    assert_eq!(store.files().unwrap().len(), 1);
}
