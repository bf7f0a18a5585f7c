// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads the configuration and everything that it names, and puts the policy together. Nothing is printed here:
//! `check` shows the problems, `run` and a reload use the outcome.

use crate::config::{self, Config, Problem, Problems, ReadError, is_loop_id};
use crate::directories::{self, Loaded};
use crate::gateways::{Archive, Plan, Snapshots, label};
use crate::mail::DomainTable;
use crate::policy::{Directories, DirectoryId, DomainPolicy, GatewayId, Gateways, LoopRule, Policy, Source};
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
    /// How its gateways are put together.
    pub plan: Plan,
    /// What was kept of their sources.
    pub snapshots: Snapshots,
}

/// Reads the configuration file at `path` and every file that it names.
pub fn assemble(path: &Path) -> Assembled {
    let mut problems = Problems::default();
    let (config, found) = match config::read(path, &mut problems) {
        Ok(config) => (config, true),
        Err(ReadError::Missing) => (None, false),
        Err(_) => (None, true),
    };
    let (mut plan, mut snapshots) = (Plan::default(), Snapshots::default());
    let outcome = config.map(|config| {
        plan = Plan::read(&config.gateways, &mut problems);
        snapshots = kept(&config, &plan, &mut problems);
        let policy = policy(&config, plan.compose(&snapshots), &mut problems);
        (config, policy)
    });
    problems.sort();
    let outcome = outcome.filter(|_| !problems.has_errors());
    Assembled { problems, outcome, found, plan, snapshots }
}

/// What is kept on disk of the gateways' sources; nothing is fine, and what is damaged is as if it was not there.
fn kept(config: &Config, plan: &Plan, problems: &mut Problems) -> Snapshots {
    let archive = Archive::new(&config.state_dir);
    let mut snapshots = Snapshots::default();
    for (source, shared) in plan.sources() {
        match archive.read(source) {
            Ok(Some(snapshot)) => drop(snapshots.insert(source.clone(), snapshot)),
            Ok(None) => {}
            Err(error) => {
                let place = shared.gateways.first().and_then(|place| config.gateways.get(*place));
                let Some(gateway) = place else { continue };
                let what = format!("what was kept of `{}` cannot be used: {error}", label(source));
                let help = "its addresses are unknown until it answers, and clients that may be its own are deferred";
                problems.push(Problem::warning(gateway.place.clone(), what).help(help));
            }
        }
    }
    snapshots
}

fn policy(config: &Config, gateways: Gateways, problems: &mut Problems) -> Policy {
    let Config {
        state_dir: _,
        milter: _,
        dns: _,
        reputation,
        internal,
        unlisted,
        providers: _,
        gateways: _,
        directories,
        domains,
        loops,
    } = config;
    let places: HashMap<Arc<str>, GatewayId> =
        gateways.places().map(|(id, gateway)| (Arc::clone(&gateway.name), id)).collect();
    let mut placed = Directories::default();
    let directories: HashMap<Arc<str>, (DirectoryId, Loaded)> = directories
        .iter()
        .map(|directory| {
            let loaded = directories::load(directory, problems);
            let id = placed.add(Arc::clone(&loaded.directory));
            (Arc::clone(&directory.name), (id, loaded))
        })
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
            place,
        } = domain;
        let own: Vec<&(DirectoryId, Loaded)> =
            names.iter().filter_map(|name| directories.get(name)).collect();
        if !own.is_empty() && !own.iter().any(|(_, loaded)| loaded.may_cover(pattern)) {
            let what =
                format!("no directory of `{pattern}` has an address in it: every recipient would be unknown");
            let help = "name a directory with addresses of this domain, or leave `directories` out";
            problems.push(Problem::warning(place.clone(), what).help(help));
        }
        let source = match source {
            config::Source::Any => Source::Any,
            config::Source::Gateways(names) => {
                Source::Gateways(names.iter().filter_map(|name| places.get(name).copied()).collect())
            }
        };
        let domain = DomainPolicy {
            pattern: pattern.clone(),
            mode: *mode,
            source,
            directories: own.iter().map(|(id, _)| *id).collect(),
            subaddress: subaddress.clone(),
            verdicts: *verdicts,
            replies: replies.clone(),
        };
        table.insert(pattern.clone(), Arc::new(domain));
    }
    let loops = loop_rule(loops, problems);
    Policy::new(internal.clone(), unlisted.clone(), table, gateways, placed, loops, reputation.rule())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{Domain, DomainPattern};
    use crate::policy::{Mode, Reason, Verdict};

    fn example(name: &str) -> (Config, Policy) {
        let assembled = assemble(&Path::new("examples").join(name));
        assembled.outcome.unwrap_or_else(|| panic!("{}", assembled.problems.render(false)))
    }

    fn domain<'a>(policy: &'a Policy, name: &str) -> &'a DomainPolicy {
        policy.domains().find(&Domain::parse(name).unwrap()).unwrap()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let (config, policy) = example("minimal.toml");
        let config::Milter { listen, socket_mode, socket_group, drain_timeout, max_connections } =
            config.milter;
        assert_eq!(listen, [config::Listen::Tcp(([127, 0, 0, 1], 8890).into())]);
        assert_eq!((socket_mode, socket_group, max_connections), (0o660, None, 5000));
        assert_eq!(drain_timeout.as_secs(), 30);
        assert_eq!(config.state_dir, Path::new("/var/lib/postern"));
        assert!(policy.internal().authenticated && policy.internal().networks.is_empty());
        assert_eq!(policy.unlisted().verdict, Verdict::Accept);
        assert_eq!((policy.loops().max_passes, policy.loops().max_received), (3, 50));
        assert!(!policy.loops().id.is_empty());
        let domain = domain(&policy, "example.com");
        assert_eq!((domain.mode, &*domain.subaddress), (Mode::Enforce, "+"));
        assert!(domain.directories.is_empty());
    }

    #[test]
    fn what_is_written_reaches_the_policy() {
        let (config, policy) = example("full.toml");
        assert_eq!(config.milter.listen.len(), 3);
        assert_eq!(&*policy.loops().id, "mx.example.com");
        assert!(policy.internal().networks.find([10, 20, 1, 1].into()).is_some());

        let com = domain(&policy, "example.com");
        let Source::Gateways(gateways) = &com.source else { panic!("{:?}", com.source) };
        let gateways: Vec<_> = gateways.iter().map(|id| policy.gateways().find(*id).unwrap()).collect();
        let names: Vec<&str> = gateways.iter().map(|gateway| &*gateway.name).collect();
        assert_eq!(names, ["tmes", "filter", "cloud", "other"]);
        assert!(
            gateways[1].addresses.as_ref().unwrap().networks.find([203, 0, 113, 70].into()).is_some(),
            "a line with a comment behind it"
        );

        let net = domain(&policy, "example.net");
        assert_eq!(
            (net.mode, net.verdicts.source, net.verdicts.loops),
            (Mode::Soft, Verdict::Quarantine, Verdict::Reject)
        );
        let below = domain(&policy, "a.sales.example.net");
        assert_eq!(below.pattern, DomainPattern::parse("*.example.net").unwrap());
        assert!(matches!(below.source, Source::Any));
        assert_eq!(below.directories, net.directories, "one directory in memory for all its domains");
        let sales = policy.directories().find(net.directories[0]).unwrap();
        let sales = &sales.recipients.as_ref().unwrap().mailboxes;
        assert!(sales.contains("dave jones", &Domain::parse("example.net").unwrap()));
        assert!(sales.contains_whole(&Domain::parse("sales.example.net").unwrap()));
    }

    #[test]
    fn a_domain_changes_only_what_it_names_of_a_reply() {
        let dir = std::env::temp_dir().join(format!("postern-assemble-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("postern.toml");
        let toml = r#"
            milter.listen = ["unix:s"]
            reply.recipient-unknown = { code = 553, enhanced = "5.1.6", text = "Gone" }
            [domain."a.example"]
            gateways = "any"
            reply.recipient-unknown.text = "Nobody"
            [domain."b.example"]
            gateways = "any"
            reply.recipient-unknown.code = 551
        "#;
        std::fs::write(&file, toml).unwrap();
        let assembled = assemble(&file);
        std::fs::remove_dir_all(&dir).unwrap();
        let (config, policy) = assembled.outcome.unwrap();
        assert_eq!(config.milter.listen, [config::Listen::Unix(dir.join("s"))]);
        for (name, reject, defer) in [
            ("a.example", "553 5.1.6 Nobody", "450 4.1.6 Nobody"),
            ("b.example", "551 5.1.1 Gone", "450 4.1.1 Gone"),
        ] {
            let replies = &domain(&policy, name).replies;
            let text = |verdict| replies.reply(Reason::RecipientUnknown, verdict).unwrap().to_string();
            assert_eq!(
                (text(Verdict::Reject), text(Verdict::Defer)),
                (reject.to_owned(), defer.to_owned()),
                "{name}"
            );
        }
    }
}
