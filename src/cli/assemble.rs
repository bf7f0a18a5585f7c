// SPDX-License-Identifier: GPL-3.0-or-later
//! Reads the configuration and everything that it names, and puts the policy together. Nothing is printed here:
//! `check` shows the problems, `run` and a reload use the outcome.

use super::{route_groups, routing};
use crate::config::{self, Config, Problem, Problems, ReadError, Severity, is_loop_id};
use crate::directories::{self, Known, LEARNED, Learned, Loaded, LoadedSnapshot, Shelf, State};
use crate::gateways::{Archive, Plan, Snapshots, label};
use crate::mail::{DomainPattern, DomainTable};
use crate::policy::{
    self, Directories, DirectoryId, DomainPolicy, GatewayId, Gateways, LoopRule, Policy, RecipientMode,
    RecipientRules, Source,
};
use crate::store::Stamp;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

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
    /// What is loaded of directories that are synced.
    pub known: Known,
}

/// Reads the configuration file at `path`, every file that it names, and what is kept in its `state_dir`.
pub fn assemble(path: &Path) -> Assembled {
    assemble_with(path, &Known::new())
}

/// The same; of snapshots that are loaded already, those that are still in force are not read again.
pub fn assemble_with(path: &Path, loaded: &Known) -> Assembled {
    let mut problems = Problems::default();
    let (config, found) = match config::read(path, &mut problems) {
        Ok(config) => (config, true),
        Err(ReadError::Missing) => (None, false),
        Err(_) => (None, true),
    };
    let (mut plan, mut snapshots) = (Plan::default(), Snapshots::default());
    let mut known = Known::new();
    let outcome = config.map(|config| {
        plan = Plan::read(&config.gateways, &mut problems);
        snapshots = kept(&config, &plan, &mut problems);
        known = synced(&config, loaded, &mut problems);
        route_groups::check(&config, &known, &mut problems);
        let policy = policy(&config, plan.compose(&snapshots), &known, &mut problems);
        (config, policy)
    });
    problems.sort();
    let outcome = outcome.filter(|_| !problems.has_errors());
    Assembled { problems, outcome, found, plan, snapshots, known }
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

/// What is in force of directories that are synced; of one of which nothing is known there is nothing.
fn synced(config: &Config, loaded: &Known, problems: &mut Problems) -> Known {
    let now = Stamp::from(SystemTime::now());
    let mut known = Known::new();
    for directory in config.directories.iter().filter(|directory| directory.is_synced()) {
        let config::Directory { name, source: _, rules, place } = directory;
        let shelf = Shelf::new(&config.state_dir, name);
        let in_force = shelf.state().map(|state| state.in_force.map(|in_force| in_force.serial));
        directories::inspect(directory, problems);
        let same = |loaded: &&LoadedSnapshot| {
            let is_in_force = in_force.as_ref().is_ok_and(|serial| *serial == Some(loaded.serial));
            is_in_force && loaded.grace == rules.removal_grace && loaded.groups == rules.groups
        };
        let read = match loaded.get(name).filter(same) {
            Some(loaded) => Ok(Some(loaded.clone())),
            None => shelf.load(rules, now),
        };
        match read {
            Ok(Some(loaded)) => {
                if let Some(why) = &loaded.fallback {
                    let what = format!("an older snapshot of `{name}` is used: {why}");
                    let help = format!("`postern directories sync {name}` makes a new one");
                    problems.push(Problem::warning(place.clone(), what).help(help));
                }
                known.insert(Arc::clone(name), loaded);
            }
            // What is wrong with the configuration comes first.
            Ok(None) if problems.has_errors() => {}
            Ok(None) => {
                let what =
                    format!("`{name}` was never synced: nobody is known of it yet, and its mail is deferred");
                let help = match rules.refresh {
                    Some(_) => {
                        format!("`postern run` syncs it, and `postern directories sync {name}` does so now")
                    }
                    None => format!("`postern directories import {name} FILE` brings its file"),
                };
                problems.push(Problem::note(place.clone(), what).help(help));
            }
            Err(error) => {
                let what = format!("what was kept of `{name}` cannot be used: {error}");
                let help = match loaded.get(name) {
                    Some(_) => "what is loaded of it stays in force",
                    None => "who is in no other directory is deferred until it is synced",
                };
                problems.push(Problem::warning(place.clone(), what).help(help));
                known.extend(loaded.get(name).map(|loaded| (Arc::clone(name), loaded.clone())));
            }
        }
    }
    known
}

/// A directory as it is loaded, by which decisions are made.
fn placed_directory(config: &Config, directory: &config::Directory, known: &Known) -> policy::Directory {
    let config::Directory { name, source: _, rules, place: _ } = directory;
    let state: Option<State> = Shelf::new(&config.state_dir, name).state().ok();
    let age = state.and_then(|state| state.as_of).map(|as_of| Stamp::from(SystemTime::now()).since(as_of));
    policy::Directory {
        name: Arc::clone(name),
        recipients: known.get(name).map(|loaded| Arc::clone(&loaded.recipients)),
        overdue: rules.max_age.zip(age).is_some_and(|(max_age, age)| age > max_age),
    }
}

fn policy(config: &Config, gateways: Gateways, known: &Known, problems: &mut Problems) -> Policy {
    let whole = config;
    let Config {
        state_dir,
        milter: _,
        policyd: _,
        socketmap: _,
        drain_timeout: _,
        dns: _,
        reputation,
        internal,
        unlisted,
        providers: _,
        gateways: _,
        directories,
        servers,
        routes,
        scan: _,
        domains,
        loops,
    } = config;
    let (servers, places_of_servers) = routing::servers(servers);
    let routes = routing::routes(routes, &places_of_servers, directories);
    let places: HashMap<Arc<str>, GatewayId> =
        gateways.places().map(|(id, gateway)| (Arc::clone(&gateway.name), id)).collect();
    let mut by_place = Directories::default();
    let directories: HashMap<Arc<str>, (DirectoryId, Loaded)> = directories
        .iter()
        .map(|directory| {
            let loaded = if directory.is_synced() {
                Loaded::from(placed_directory(whole, directory, known))
            } else {
                directories::load(directory, problems)
            };
            let id = by_place.add(Arc::clone(&loaded.directory));
            (Arc::clone(&directory.name), (id, loaded))
        })
        .collect();
    let asks = domains.iter().any(asks_learned);
    let learned = asks.then(|| by_place.add(learned(state_dir, problems)));
    let mut table = DomainTable::default();
    for domain in domains {
        let asks_learned = asks_learned(domain);
        let config::Domain {
            pattern,
            mode,
            source,
            directories: names,
            recipients,
            subaddress,
            strip,
            verp,
            alias_of,
            unrouted,
            scan,
            verdicts,
            replies,
            place,
        } = domain;
        let own: Vec<&(DirectoryId, Loaded)> =
            names.iter().filter_map(|name| directories.get(name)).collect();
        let target = alias_of.clone().map(DomainPattern::Exact);
        let may_cover =
            |loaded: &Loaded| [pattern].into_iter().chain(&target).any(|pattern| loaded.may_cover(pattern));
        let are_checked = *recipients != Some(RecipientMode::Off) && !own.is_empty();
        if are_checked && !own.iter().any(|(_, loaded)| may_cover(loaded)) {
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
            recipients: RecipientRules {
                mode: recipients.unwrap_or_default(),
                learned: learned.filter(|_| asks_learned),
                strip: *strip,
                verp: verp.clone(),
                alias_of: alias_of.clone(),
            },
            unrouted: routing::unrouted(unrouted.as_ref(), domain, &routes, &places_of_servers),
            scan: scan.as_ref().and_then(|scan| routing::scan(scan, &places_of_servers, &places)),
            verdicts: *verdicts,
            replies: replies.clone(),
        };
        table.insert(pattern.clone(), Arc::new(domain));
    }
    let scans = domains.iter().any(|domain| domain.scan.is_some());
    let loops = loop_rule(loops, scans, problems);
    Policy::new(internal.clone(), unlisted.clone(), table, gateways, by_place, loops, reputation.rule())
        .with_routing(servers, routes)
}

/// Whether a domain asks for recipients that were learned and approved.
fn asks_learned(domain: &config::Domain) -> bool {
    match domain.recipients {
        Some(RecipientMode::Off) => false,
        Some(RecipientMode::Learn | RecipientMode::Check) => true,
        None => !domain.directories.is_empty(),
    }
}

/// The recipients that were learned and approved; where they cannot be read, nobody knows who they are.
fn learned(state_dir: &Path, problems: &mut Problems) -> policy::Directory {
    match Learned::read(state_dir) {
        Ok(learned) => learned.directory(),
        Err(error) => {
            let what = format!("what was learned of recipients cannot be used: {error}");
            let help = "mail for recipients that no directory knows is deferred; remove the file to go on without it";
            problems.push(Problem::new(Severity::Warning, None, what).help(help));
            policy::Directory { name: Arc::from(LEARNED), recipients: None, overdue: false }
        }
    }
}

/// Where mail is scanned, trips to the scanner are told by the loop token, whatever else it is for.
fn loop_rule(loops: &config::Loops, scans: bool, problems: &mut Problems) -> LoopRule {
    let config::Loops { id, max_passes, max_received, place } = loops;
    let id = match id {
        Some(id) => id.clone(),
        None if *max_passes == 0 && !scans => Box::default(),
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
    use crate::gate::{self, Noted};
    use crate::mail::{Domain, DomainPattern, Mailbox, Recipient};
    use crate::policy::{Answer, Mode, Reason, Verdict};
    use std::time::SystemTime;

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
        let config::Door { listen, socket_mode, socket_group, max_connections } = config.milter.unwrap();
        let drain_timeout = config.drain_timeout;
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
        assert_eq!(config.milter.unwrap().listen.len(), 3);
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

    /// What was approved exists for every domain that checks recipients; what is damaged is not taken for nothing.
    #[test]
    fn approved_recipients_are_asked_for_last() {
        let dir = std::env::temp_dir().join(format!("postern-assemble-learned-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("postern.toml");
        let toml = r#"
            state_dir = "."
            milter.listen = ["unix:s"]
            directory.staff = { type = "list", path = "staff.txt" }
            domain."a.example" = { gateways = "any", directories = ["staff"], mode = "enforce" }
            domain."b.example" = { gateways = "any", recipients = "reject", mode = "enforce" }
            domain."c.example" = { alias_of = "b.example" }
            domain."d.example" = { gateways = "any", mode = "enforce" }
        "#;
        std::fs::write(&file, toml).unwrap();
        std::fs::write(dir.join("staff.txt"), "ann@a.example\n").unwrap();
        let mailbox = |text: &str| Mailbox::parse_strict(text).unwrap();
        let learn = |learned: &mut Learned| {
            let noted = |address: &str| (Arc::from(address), Noted { count: 1, gateway: None });
            let addresses = [noted("kim@a.example"), noted("kim@b.example")].into();
            learned.merge(gate::Learned { addresses, missed: 0 }, SystemTime::UNIX_EPOCH);
            learned.approve([&mailbox("kim@a.example"), &mailbox("kim@b.example")]).len()
        };
        assert_eq!(Learned::update(&dir, learn).unwrap(), 0);
        let answers = || {
            let assembled = assemble(&file);
            let (_, policy) = assembled.outcome.unwrap();
            let answer =
                |rcpt: &str| policy::existence(&policy, &Recipient::at(mailbox(rcpt))).unwrap().answer;
            let answers = [
                "kim@a.example",
                "zoe@a.example",
                "kim@b.example",
                "zoe@b.example",
                "kim@c.example",
                "zoe@d.example",
            ]
            .map(answer);
            (answers, assembled.problems.render(false))
        };
        let (found, problems) = answers();
        assert_eq!(found, [Answer::Yes, Answer::No, Answer::Yes, Answer::No, Answer::Yes, Answer::Yes]);
        assert!(!problems.contains("what was learned"), "{problems}");
        std::fs::write(dir.join("learned.json"), "{}").unwrap();
        let (found, problems) = answers();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found[..5], [Answer::Unknown; 5]);
        assert_eq!(found[5], Answer::Yes);
        assert!(problems.contains("learned.json is damaged"), "{problems}");
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
        assert_eq!(config.milter.unwrap().listen, [config::Listen::Unix(dir.join("s"))]);
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
