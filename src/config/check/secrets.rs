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
/// Largest file of a key, in octets.
const MAX_KEY: u64 = 64 * 1024;
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
                    SecretSource { file: Some(key), .. }
                    | SecretSource { credential: Some(key), .. }
                    | SecretSource { environment: Some(key), .. },
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

    /// A password, which never stands in the configuration itself.
    pub(super) fn password(
        &mut self,
        path: &[&str],
        written: &Placed<TextOr<SecretSource>>,
    ) -> Option<Secret> {
        let TextOr::Table(source) = &**written else {
            let key = path.last().copied().unwrap_or_default();
            let help = format!(
                "write it into a file that only Postern's group may read, and `{key} = {{ file = \"secret.txt\" }}`"
            );
            self.error(written, "a password does not stand in the configuration", help);
            return None;
        };
        let octets = self.kept_secret(path, written, source)?;
        if octets.is_empty() {
            self.error(
                written,
                "this password is empty",
                "write the password, and nothing else, into the file",
            );
            return None;
        }
        Some(Secret::new(octets))
    }

    /// A key that only its owner may read, in a file of its own.
    pub(super) fn key_file(&mut self, written: &Placed<String>) -> Option<Secret> {
        let path = self.path(written);
        if written.is_empty() {
            return None;
        }
        self.guarded_file(written, &path, MAX_KEY).map(Secret::new)
    }

    /// A secret that is kept elsewhere.
    fn kept_secret<T>(&mut self, path: &[&str], at: &Placed<T>, source: &SecretSource) -> Option<Vec<u8>> {
        let SecretSource { file, credential, environment } = source;
        let all = [file, credential, environment];
        let mut written = all.into_iter().flatten();
        let (first, second) = (written.next(), written.next());
        if let Some(second) = second {
            let help = "write one of `file`, `credential` and `environment`";
            self.error(second, "a secret is kept in one place", help);
            return None;
        }
        if first.is_none() && !self.lost.touches(path) {
            let help = "write `{ file = \"secret.txt\" }` or `{ credential = \"NAME\" }`";
            self.error(at, format!("nothing says where the secret of {} is kept", header(path)), help);
        }
        if let Some(file) = file {
            let path = self.path(file);
            if file.is_empty() {
                return None;
            }
            return self.secret_file(file, &path, true);
        }
        if let Some(name) = credential {
            return self.credential(name);
        }
        self.environment(environment.as_ref()?)
    }

    /// A secret from the environment.
    fn environment(&mut self, name: &Placed<String>) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStringExt;
        let value =
            (!name.is_empty() && !name.contains(['=', '\0'])).then(|| std::env::var_os(&**name)).flatten();
        if value.is_none() {
            let what = format!("there is no environment variable {}", quoted(name));
            let help = "set it where Postern is started; a file or a systemd credential is seen by fewer";
            self.error(name, what, help);
        }
        value.map(OsStringExt::into_vec)
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
        let mut octets = if guarded {
            self.guarded_file(at, path, MAX_SECRET as u64 + 2)?
        } else {
            self.file_of_secret(at, path, MAX_SECRET as u64 + 2)?.0
        };
        if octets.last() == Some(&b'\n') {
            octets.pop();
            if octets.last() == Some(&b'\r') {
                octets.pop();
            }
        }
        Some(octets)
    }

    /// Reads a file that others must not be able to read.
    pub(super) fn guarded_file(&mut self, at: &Placed<String>, path: &Path, most: u64) -> Option<Vec<u8>> {
        let (octets, mode) = self.file_of_secret(at, path, most)?;
        if mode & OTHERS != 0 {
            let what = format!(
                "{} holds a secret, and every user of this machine can get at it",
                quoted(&path.to_string_lossy())
            );
            self.error(at, what, format!("`chmod 640 {}`", path.display()));
        }
        Some(octets)
    }

    fn file_of_secret(&mut self, at: &Placed<String>, path: &Path, most: u64) -> Option<(Vec<u8>, u32)> {
        read_whole(path, most)
            .map_err(|error| {
                let help = "write the secret, and nothing else, into a file that Postern's group may read";
                self.error(at, format!("cannot read {}: {error}", quoted(&path.to_string_lossy())), help);
            })
            .ok()
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
