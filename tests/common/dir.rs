// SPDX-License-Identifier: GPL-3.0-or-later
//! A directory for one test: world-traversable, because a mail server's unprivileged processes must
//! reach into it, and removed with the test unless `POSTERN_KEEP` is set.
//!
//! It lies in `POSTERN_TEST_DIR`, by default `/var/tmp`; the name is short because a unix socket's path
//! may have 107 bytes.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::wait::found_within;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A directory that goes with its value.
pub(crate) struct TestDir {
    path: PathBuf,
}

impl TestDir {
    /// Makes an empty directory.
    pub(crate) fn new() -> Self {
        let parent = std::env::var_os("POSTERN_TEST_DIR").unwrap_or_else(|| "/var/tmp".into());
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(parent).join(format!("postern-{}-{number}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        make_dir(&path, 0o755);
        Self { path }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the directory.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Is the test process root? The directory is what it made.
    pub(crate) fn is_roots(&self) -> bool {
        fs::metadata(&self.path).expect("the directory is there").uid() == 0
    }

    /// Writes a file in the directory and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        if std::env::var_os("POSTERN_KEEP").is_some() {
            eprintln!("kept: {}", self.path.display());
        } else {
            // A mail server's last child may still be writing its last line into it.
            found_within(Duration::from_secs(5), || {
                drop(fs::remove_dir_all(&self.path));
                (!self.path.exists()).then_some(())
            });
        }
    }
}

/// Makes a directory with exactly this mode, whatever the umask.
pub(crate) fn make_dir(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    DirBuilder::new()
        .mode(mode)
        .create(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
