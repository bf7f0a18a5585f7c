// SPDX-License-Identifier: GPL-3.0-or-later
//! From the file as it is written to checked values. Each check says everything it finds and puts something in the
//! place of what is wrong, so that the next one can go on; with an error nobody will ever see those values.

mod domains;
mod loops;
mod milter;
mod named;
mod replies;

pub use loops::is_loop_id;

use super::file::{File, Internal, Unlisted};
use super::networks::NetworkList;
use super::placed::Placed;
use super::settings::Config;
use super::text::Text;
use super::tree::{Lost, Tree};
use super::wording::quoted;
use super::{DataFile, Place, Problem, Problems};
use crate::policy;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// What every check needs.
struct Check<'a> {
    text: &'a Text,
    lost: &'a Lost,
    problems: &'a mut Problems,
}

/// Checks what was read.
pub(super) fn check(text: &Text, tree: Tree, problems: &mut Problems) -> Config {
    let Tree { file, lost } = tree;
    let File { state_dir, milter, internal, unlisted, gateway, directory, domain, verdict, reply, loops } =
        file;
    let mut check = Check { text, lost: &lost, problems };
    let gateways = check.gateways(&gateway);
    let directories = check.directories(&directory);
    let replies = check.replies(&reply, None);
    let verdicts = domains::verdicts(&verdict, policy::Verdicts::default());
    let domains = check.domains(&domain, verdicts, &reply, &gateway, &directory);
    Config {
        state_dir: check.path(&state_dir),
        milter: check.milter(milter.as_deref()),
        internal: check.internal(&internal),
        unlisted: check.unlisted(&unlisted, replies),
        gateways,
        directories,
        domains,
        loops: check.loops(&loops),
    }
}

impl Check<'_> {
    fn place(&self, span: Option<Range<usize>>) -> Place {
        self.text.place(span.unwrap_or_default())
    }

    /// Where a table begins, or else the beginning of the file.
    fn table_place(&self, key: &str) -> Place {
        let name = format!("[{key}]");
        let lines = self.text.as_str().split_inclusive('\n').scan(0, |at, line| {
            let begin = *at;
            *at += line.len();
            Some((begin, line))
        });
        let found = lines.into_iter().find(|(_, line)| line.trim_start().starts_with(&name));
        self.place(found.map(|(begin, line)| {
            let begin = begin + line.len() - line.trim_start().len();
            begin..begin + name.len()
        }))
    }

    fn error<T>(&self, at: &Placed<T>, message: impl Into<String>) -> Problem {
        Problem::error(self.place(at.span()), message)
    }

    fn warning<T>(&self, at: &Placed<T>, message: impl Into<String>) -> Problem {
        Problem::warning(self.place(at.span()), message)
    }

    /// A path, relative to the configuration file.
    fn path(&mut self, written: &Placed<String>) -> PathBuf {
        if written.is_empty() {
            let problem = self.error(written, "the path is empty");
            self.problems.push(problem);
        }
        self.text.base().join(&**written)
    }

    fn data_file(&mut self, written: &Placed<String>) -> DataFile {
        DataFile { path: Arc::from(self.path(written)), named: self.place(written.span()) }
    }

    fn internal(&mut self, internal: &Internal) -> policy::Internal {
        let Internal { networks, authenticated } = internal;
        let mut list = NetworkList::default();
        for written in networks {
            list.add(written, &self.place(written.span()), |problem| self.problems.push(problem));
        }
        for (network, place) in list.iter() {
            if network.prefix_len() == 0 {
                let what = "with this network everyone is internal, and nothing is checked";
                let help = "write the networks of your own machines only";
                self.problems.push(Problem::error(place.clone(), what).help(help));
            }
        }
        let networks = list.finish(|problem| self.problems.push(problem));
        policy::Internal { networks: networks.into_iter().collect(), authenticated: *authenticated }
    }

    fn unlisted(&mut self, unlisted: &Unlisted, replies: policy::Replies) -> policy::Unlisted {
        let Unlisted { verdict } = unlisted;
        let standard = policy::Reason::NotOurDomain.default_verdict();
        policy::Unlisted { verdict: verdict.as_ref().map_or(standard, |word| (**word).into()), replies }
    }

    /// A name of a gateway or directory: it appears in logs and reports.
    fn name(&mut self, name: &Placed<String>) {
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if !fits {
            let problem = self
                .error(name, format!("{} cannot be a name", quoted(name)))
                .help("a name has letters, digits, `.`, `-` and `_`, at most 64");
            self.problems.push(problem);
        }
    }
}
