// SPDX-License-Identifier: GPL-3.0-or-later
//! How the recipients of a domain are looked up: `recipients`, `subaddress`, `strip`, `verp`.

use super::Check;
use crate::config::file;
use crate::config::placed::Placed;
use crate::config::wording::quoted;
use crate::config::words::{self, RecipientMode};
use crate::mail::{LocalPattern, LocalPatternError, LocalPatterns};
use crate::policy::{self, Strip, Verdict, Verdicts};

impl Check<'_> {
    /// What becomes of recipients that nobody knows, where it is written; `verdicts` are the domain's, in which it is put.
    pub(super) fn recipients(
        &mut self,
        name: &Placed<String>,
        table: &file::Domain,
        verdicts: &mut Verdicts,
    ) -> Option<policy::RecipientMode> {
        let written = table.recipients.as_ref()?;
        if table.verdict.recipient.is_some() {
            let what =
                "`recipients` and `verdict.recipient` both say what becomes of recipients that nobody knows";
            self.error(written, what, "take one of the two out");
        }
        let has_directories = table.directories.is_some();
        Some(match **written {
            RecipientMode::Off => {
                if has_directories {
                    let what = format!(
                        "the recipients of {} are not checked, although it has directories",
                        quoted(name)
                    );
                    self.note(written, what, "write \"learn\", \"quarantine\" or \"reject\" to check them");
                }
                policy::RecipientMode::Off
            }
            RecipientMode::Learn => policy::RecipientMode::Learn,
            RecipientMode::Quarantine | RecipientMode::Reject => {
                if !has_directories && !self.lost.touches(&["domain", name, "directories"]) {
                    let what = format!(
                        "no directory says who exists in {}: until addresses of it are approved, its mail is deferred",
                        quoted(name)
                    );
                    let help = "write `directories = [...]`, or begin with `recipients = \"learn\"`";
                    self.warning(written, what, help);
                }
                verdicts.recipient = match **written {
                    RecipientMode::Quarantine => Verdict::Quarantine,
                    RecipientMode::Reject | RecipientMode::Off | RecipientMode::Learn => Verdict::Reject,
                };
                policy::RecipientMode::Check
            }
        })
    }

    pub(super) fn subaddress(&mut self, written: &Placed<String>) -> Box<str> {
        // What may stand in a local part without quotes (RFC 5321 4.1.2), letters and digits apart.
        let fits = |c: char| c.is_ascii_punctuation() && !"\"(),:;<>@[\\]".contains(c);
        if let Some(c) = written.chars().find(|&c| !fits(c)) {
            let what = format!("{} cannot part a subaddress from its mailbox", quoted(&c.to_string()));
            let help = "write some of ! # $ % & ' * + - . / = ? ^ _ ` { | } ~, or \"\" to turn it off";
            self.error(written, what, help);
        }
        written.as_str().into()
    }

    pub(super) fn strip(
        &mut self,
        name: &Placed<String>,
        list: Option<&Placed<Vec<Placed<words::Strip>>>>,
    ) -> Strip {
        let mut strip = Strip::default();
        let Some(list) = list else { return strip };
        self.not_empty(list, &["domain", name, "strip"], "nothing is taken off", "leave the key out");
        for written in self.once(list) {
            match **written {
                words::Strip::Batv => strip.batv = true,
                words::Strip::Srs => strip.srs = true,
            }
        }
        strip
    }

    pub(super) fn verp(
        &mut self,
        name: &Placed<String>,
        list: Option<&Placed<Vec<Placed<String>>>>,
    ) -> LocalPatterns {
        let mut patterns = LocalPatterns::default();
        let Some(list) = list else { return patterns };
        self.not_empty(list, &["domain", name, "verp"], "there is no such address", "leave the key out");
        for written in self.once(list) {
            let error = match LocalPattern::parse(written) {
                Ok(pattern) => {
                    patterns.extend([pattern]);
                    continue;
                }
                Err(error) => error,
            };
            let help = match (error, written.split_once('@')) {
                (LocalPatternError::BadCharacter, Some((local, _))) if LocalPattern::parse(local).is_ok() => {
                    format!("write what stands before the @: {}", quoted(local))
                }
                (LocalPatternError::NoStar, _) => {
                    "write `*` for the part that changes, or put the address into a directory".to_owned()
                }
                (LocalPatternError::Everything, _) => {
                    "write what all of these addresses have in common, such as \"bounces-*\"".to_owned()
                }
                (LocalPatternError::BadCharacter | LocalPatternError::TooLong, _) => {
                    "write a pattern such as \"bounces-*\"".to_owned()
                }
            };
            self.error(written, format!("{} is no pattern: {error}", quoted(written)), help);
        }
        patterns
    }
}
