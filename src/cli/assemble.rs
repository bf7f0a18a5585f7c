// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads the configuration and everything that it names, and puts the policy together. Nothing is printed here:
//! `check` shows the problems, `run` and a reload use the outcome.

use crate::config::{self, Config, Problem, Problems, ReadError, is_loop_id};
use crate::mail::DomainTable;
use crate::policy::{Directory, DomainPolicy, Gateway, LoopRule, Policy, Source};
use crate::{directories, gateways};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What came of reading a configuration.
#[derive(Debug)]
pub struct Assembled {
    /// Everything that is wrong, by file and line.
    pub problems: Problems,
    /// The configuration and its policy; nothing when there is an error.
    pub outcome: Option<(Config, Policy)>,
    /// Whether there is a configuration file at all.
    pub found: bool,
}

/// Reads the configuration file at `path` and every file that it names.
pub fn assemble(path: &Path) -> Assembled {
    let mut problems = Problems::default();
    let (config, found) = match config::read(path, &mut problems) {
        Ok(config) => (config, true),
        Err(ReadError::Missing) => (None, false),
        Err(_) => (None, true),
    };
    let outcome = config.map(|config| {
        let policy = policy(&config, &mut problems);
        (config, policy)
    });
    problems.sort();
    let outcome = outcome.filter(|_| !problems.has_errors());
    Assembled { problems, outcome, found }
}

fn policy(config: &Config, problems: &mut Problems) -> Policy {
    let Config { state_dir: _, milter: _, internal, unlisted, gateways, directories, domains, loops } =
        config;
    let gateways: HashMap<Arc<str>, Arc<Gateway>> = gateways
        .iter()
        .map(|gateway| (Arc::clone(&gateway.name), Arc::new(gateways::load(gateway, problems))))
        .collect();
    let directories: HashMap<Arc<str>, Arc<Directory>> = directories
        .iter()
        .map(|directory| (Arc::clone(&directory.name), Arc::new(directories::load(directory, problems))))
        .collect();
    let mut table = DomainTable::default();
    for domain in domains {
        let config::Domain {
            pattern,
            mode,
            source,
            directories: names,
            subaddress,
            verdicts,
            replies,
            place: _,
        } = domain;
        let source = match source {
            config::Source::Any => Source::Any,
            config::Source::Gateways(names) => {
                Source::Gateways(names.iter().filter_map(|name| gateways.get(name).cloned()).collect())
            }
        };
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode: *mode,
            source,
            directories: names.iter().filter_map(|name| directories.get(name).cloned()).collect(),
            subaddress: subaddress.clone(),
            verdicts: *verdicts,
            replies: replies.clone(),
        };
        table.insert(pattern.clone(), Arc::new(domain));
    }
    Policy::new(internal.clone(), unlisted.clone(), table, loop_rule(loops, problems))
}

fn loop_rule(loops: &config::Loops, problems: &mut Problems) -> LoopRule {
    let config::Loops { id, max_passes, max_received, place } = loops;
    let id = match id {
        Some(id) => id.clone(),
        None if *max_passes == 0 => Box::default(),
        None => {
            let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
            if !is_loop_id(&host) {
                let what = "this machine's host name cannot be the loop token";
                problems.push(
                    Problem::error(place.clone(), what)
                        .help("write [loop] and below it `id = \"mail.example.com\"`"),
                );
            }
            host.into()
        }
    };
    LoopRule { id, max_passes: *max_passes, max_received: *max_received }
}
