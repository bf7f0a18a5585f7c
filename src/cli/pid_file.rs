// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern.pid` in `state_dir`, for signals where there is no systemd; removed at the end.

use std::path::{Path, PathBuf};

/// The file, while Postern runs.
pub(super) struct PidFile(Option<PathBuf>);

impl PidFile {
    /// Writes it; where that cannot be, Postern serves without.
    pub(super) fn write(state_dir: &Path) -> Self {
        let path = state_dir.join("postern.pid");
        let pid = std::process::id();
        let written =
            std::fs::create_dir_all(state_dir).and_then(|()| std::fs::write(&path, format!("{pid}\n")));
        match written {
            Ok(()) => Self(Some(path)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot write the pid file; serving without");
                Self(None)
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Gone already is what was wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}
