// SPDX-License-Identifier: GPL-3.0-or-later
//! Secrets of a gateway: read from files, from systemd's credentials, or from the configuration itself.
//!
//! A secret is 8 to 1024 octets of one line. No problem's text has any of it in it, and the line that it stands in is
//! shown without it (see [`Text`](crate::config::text::Text)).

use super::Check;
use crate::config::file::SecretSource;
use crate::config::placed::Placed;
use crate::config::source::{mode, read_whole};
use crate::config::text_or::{OneOrMore, TextOr};
use crate::config::wording::{header, quoted};
use crate::mail::Secret;
use std::path::{Path, PathBuf};

/// Fewest octets of a secret: fewer can be guessed.
const MIN_SECRET: usize = 8;
/// Most octets of a secret; no header line is longer (RFC 5322 2.1.1).
const MAX_SECRET: usize = 1024;
/// Where systemd puts credentials (`systemd.exec(5)`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Where they are of the service that runs, for root's commands beside it.
const OF_SERVICE: &str = "/run/credentials/postern.service";
/// Access rights of those who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

impl Check<'_> {
    /// The secrets that a header may hold, none twice.
    pub(super) fn secrets(
        &mut self,
        path: &[&str],
        value: &Placed<OneOrMore<TextOr<SecretSource>>>,
    ) -> Vec<Secret> {
        let value_path = [path, &["value"]].concat();
        if value.is_empty() && !self.lost.touches(&value_path) {
            let help = "write where the value is kept: `value = { file = \"secret.txt\" }`";
            self.error(value, "the list is empty: no value would do", help);
        }
        let mut found: Vec<Vec<u8>> = Vec::new();
        let mut open = false;
        for written in value.each() {
            let octets = match *written {
                TextOr::Text(text) => {
                    open = true;
                    Some(text.clone().into_bytes())
                }
                TextOr::Table(source) => self.kept_secret(path, &written, source),
            };
            let Some(octets) = octets else { continue };
            let at = match *written {
                TextOr::Table(
                    SecretSource { file: Some(key), .. } | SecretSource { credential: Some(key), .. },
                ) => Placed::at(key, ()),
                TextOr::Text(_) | TextOr::Table(_) => Placed::at(&written, ()),
            };
            self.secret_form(&at, &octets);
            if !found.contains(&octets) {
                found.push(octets);
            }
        }
        let world_readable = mode(self.text.path()).is_some_and(|mode| mode & 0o004 != 0);
        if open && world_readable {
            let file = self.text.path().display().to_string();
            let what = "this secret stands in a file that every user of this machine can read";
            let help = format!(
                "`chmod 640 {file}`, or keep it in a file of its own: `value = {{ file = \"secret.txt\" }}`"
            );
            self.warning(value, what, help);
        }
        found.into_iter().map(Secret::new).collect()
    }

    /// A secret that is kept elsewhere.
    fn kept_secret<T>(&mut self, path: &[&str], at: &Placed<T>, source: &SecretSource) -> Option<Vec<u8>> {
        let SecretSource { file, credential } = source;
        match (file, credential) {
            (Some(file), None) => {
                let path = self.path(file);
                if file.is_empty() {
                    return None;
                }
                self.secret_file(file, &path, true)
            }
            (None, Some(name)) => self.credential(name),
            (Some(_), Some(second)) => {
                self.error(second, "a secret is kept in one place", "write `file` or `credential`");
                None
            }
            (None, None) => {
                if !self.lost.touches(path) {
                    let help = "write `{ file = \"secret.txt\" }` or `{ credential = \"NAME\" }`";
                    self.error(
                        at,
                        format!("nothing says where the secret of {} is kept", header(path)),
                        help,
                    );
                }
                None
            }
        }
    }

    /// A secret that systemd passes.
    fn credential(&mut self, name: &Placed<String>) -> Option<Vec<u8>> {
        let fits = (1..=255).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':')
            && !name.starts_with('.');
        if !fits {
            let what = format!("{} is no name of a credential", quoted(name));
            self.error(name, what, "write the name that stands behind `LoadCredential=` in the unit");
            return None;
        }
        let passed = std::env::var_os(CREDENTIALS).map(PathBuf::from);
        let Some(dir) = passed.or_else(|| Some(PathBuf::from(OF_SERVICE)).filter(|dir| dir.is_dir())) else {
            let what = format!("the credential {} is not passed: ${CREDENTIALS} is not set", quoted(name));
            let help = format!(
                "let systemd pass it, `LoadCredential={}:/path/of/secret`; commands by hand find it while postern.service \
                 runs",
                crate::mail::Escaped(name.as_bytes())
            );
            self.error(name, what, help);
            return None;
        };
        self.secret_file(name, &dir.join(&**name), false)
    }

    /// Reads one, without the line end after it.
    fn secret_file(&mut self, at: &Placed<String>, path: &Path, guarded: bool) -> Option<Vec<u8>> {
        let name = quoted(&path.to_string_lossy());
        let (mut octets, mode) = match read_whole(path, MAX_SECRET as u64 + 2) {
            Ok(read) => read,
            Err(error) => {
                let help = "write the secret, and nothing else, into a file that Postern's group may read";
                self.error(at, format!("cannot read {name}: {error}"), help);
                return None;
            }
        };
        if guarded && mode & OTHERS != 0 {
            let what = format!("{name} holds a secret, and every user of this machine can get at it");
            self.error(at, what, format!("`chmod 640 {}`", path.display()));
        }
        if octets.last() == Some(&b'\n') {
            octets.pop();
            if octets.last() == Some(&b'\r') {
                octets.pop();
            }
        }
        Some(octets)
    }

    /// Says what is wrong with a secret, and nothing of what it is.
    fn secret_form(&mut self, at: &Placed<()>, octets: &[u8]) {
        let (what, help) = if octets.len() < MIN_SECRET {
            (
                "this secret is too short",
                format!("it needs {MIN_SECRET} octets at least: `openssl rand -hex 16` makes one"),
            )
        } else if octets.len() > MAX_SECRET {
            ("this secret is too long", format!("{MAX_SECRET} octets fit at most"))
        } else if octets.iter().any(u8::is_ascii_control) {
            (
                "this secret is more than one line, or no text",
                "write one line; several secrets stand in a list".to_owned(),
            )
        } else if octets.trim_ascii().len() < octets.len() {
            (
                "this secret begins or ends with a blank",
                "take it out: headers lose such blanks on their way".to_owned(),
            )
        } else {
            return;
        };
        self.error(at, what, help);
    }
}
