// SPDX-License-Identifier: GPL-3.0-or-later
//! Files that are replaced whole, as `rename(2)` allows, and belong to whoever owns their directory: what an
//! administrator writes as root must be readable to the service.

use nix::unistd::{Gid, Uid, geteuid};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Access rights of files and of directories, before the umask.
pub(super) const FILE_MODE: u32 = 0o640;
pub(super) const PRIVATE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o750;
/// How many files of a directory are looked at.
const MOST_FILES: usize = 100_000;

/// Reads a file of at most this many octets.
pub(super) fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut content = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(content)
}

/// Puts a file with these parts in the place of the one at `path`, and makes its directory if need be.
pub(super) fn replace(path: &Path, (first, rest): (&[u8], &[u8]), mode: u32) -> io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (mut file, unfinished) = begin(dir, &name.to_string_lossy(), mode)?;
    fill(&mut file, first, rest)?;
    fs::rename(&unfinished.0, path)?;
    // The rename itself has to reach the disk, too.
    File::open(dir)?.sync_all()
}

/// Makes a file that is not finished, and its directory if need be.
pub(super) fn begin(dir: &Path, name: &str, mode: u32) -> io::Result<(File, Unfinished)> {
    make(dir)?;
    let unfinished = Unfinished(dir.join(unfinished_name(name)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&unfinished.0)?;
    give_to_owner_of(dir, &unfinished.0)?;
    Ok((file, unfinished))
}

/// Opens a file to write, and makes it and its directory if need be.
pub(super) fn open_or_make(dir: &Path, path: &Path) -> io::Result<File> {
    make(dir)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    give_to_owner_of(dir, path)?;
    Ok(file)
}

/// Writes it all and brings it to the disk.
pub(super) fn fill(file: &mut File, first: &[u8], rest: &[u8]) -> io::Result<()> {
    file.write_all(first)?;
    file.write_all(rest)?;
    file.sync_all()
}

/// The names in a directory with the time of their last writing; no directory has none.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(String, SystemTime)>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries.take(MOST_FILES) {
        let entry = entry?;
        // A file may go while we look.
        let Ok(metadata) = entry.metadata() else { continue };
        if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
            found.push((name, metadata.modified()?));
        }
    }
    Ok(found)
}

/// Whether a file of this name was never finished.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.starts_with('.')
}

/// A name that no other writer has, in this process or another.
fn unfinished_name(name: &str) -> String {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    format!(".{name}.{}.{}", std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed))
}

/// Removes the file it names; one that has found its place has that name no longer.
#[derive(Debug)]
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Nobody reads it, and it goes at the next cleaning if not now.
        let _ = fs::remove_file(&self.0);
    }
}

fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let missing: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)?;
    for made in missing.into_iter().rev() {
        if let Some(above) = made.parent() {
            give_to_owner_of(above, made)?;
        }
    }
    Ok(())
}

/// Only root can give something away; anyone else is the owner already, or may not write here.
fn give_to_owner_of(dir: &Path, path: &Path) -> io::Result<()> {
    // A path of one part lies in the working directory.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(dir)?;
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    nix::unistd::chown(path, Some(uid), Some(gid)).map_err(Into::into)
}
