// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups that routing rules name, as far as what is loaded of directories tells of them: a rule for a group that nobody has
//! is for nobody, and that is hardly ever meant.

use crate::config::{self, Config, Problem, Problems, list, meant, quoted};
use crate::directories::{Known, Shelf, Which};
use crate::policy::GroupName;

/// What is known of a group.
enum Standing<'a> {
    /// A directory has it.
    Known,
    /// None of these has it; these are their groups.
    Missing(Vec<&'a str>, Vec<String>),
    /// These were never synced, and none of the others has it.
    Unknown(Vec<&'a str>),
}

/// Says which groups of rules there are not, and of which that cannot be told.
pub(super) fn check(config: &Config, known: &Known, problems: &mut Problems) {
    let mut unknown: Vec<(&str, Vec<&config::Route>)> = Vec::new();
    for route in &config.routes {
        for group in &route.groups {
            match standing(config, known, group) {
                Standing::Known => {}
                Standing::Unknown(of) => {
                    for directory in of {
                        match unknown.iter_mut().find(|(known, _)| *known == directory) {
                            Some((_, routes)) => routes.push(route),
                            None => unknown.push((directory, vec![route])),
                        }
                    }
                }
                Standing::Missing(of, all) => {
                    if let Some(problem) = missing(route, group, &of, &all) {
                        problems.push(problem);
                    }
                }
            }
        }
    }
    // What is wrong with the configuration comes first.
    if problems.has_errors() {
        return;
    }
    for (directory, mut routes) in unknown {
        let Some(place) = routes.first().map(|route| route.place.clone()) else { continue };
        routes.dedup_by(|one, other| one.name == other.name);
        let names: Vec<&str> = routes.iter().map(|route| &*route.name).collect();
        let what = format!("who is in the groups of {} is not known yet", quoted(directory));
        let help = format!("until it is synced, mail that comes as far as {} is deferred", list(&names));
        problems.push(Problem::note(place, what).help(help));
    }
}

/// What to say of a group that none of these directories has, whose groups are `all`.
fn missing(route: &config::Route, group: &GroupName, of: &[&str], all: &[String]) -> Option<Problem> {
    let what = match of {
        // There is no such directory, or none that has groups, which is an error.
        [] => return None,
        [one] => format!("{} has no group {}", quoted(one), quoted(&group.name)),
        several => format!("none of {} has a group {}", list(several), quoted(&group.name)),
    };
    let help = match meant(&group.name, all.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {}?", quoted(meant)),
        None => {
            let one = of.first().unwrap_or(&"NAME");
            format!("`postern directories show {one} --groups` shows all there are")
        }
    };
    Some(Problem::warning(route.place.clone(), what).help(help))
}

fn standing<'a>(config: &'a Config, known: &Known, group: &GroupName) -> Standing<'a> {
    let (mut of, mut unknown, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let may_have = |directory: &&config::Directory| directory.is_synced() && directory.may_have(group);
    for directory in config.directories.iter().filter(may_have) {
        let name = &directory.name;
        let Some(loaded) = known.get(name) else {
            unknown.push(&**name);
            continue;
        };
        if loaded.recipients.groups.get(&group.name).is_some_and(|members| !members.is_empty()) {
            return Standing::Known;
        }
        // Nobody is in it; is there none, or is it empty?
        let snapshot = Shelf::new(&config.state_dir, name).open(Which::Serial(loaded.serial));
        let Ok(groups) = snapshot.and_then(|snapshot| Ok(snapshot.groups()?)) else { return Standing::Known };
        let is_it = |text: &str| text.to_lowercase() == *group.name;
        if groups.iter().any(|one| is_it(&one.name) || is_it(&one.key)) {
            return Standing::Known;
        }
        of.push(&**name);
        all.extend(groups.into_iter().map(|group| group.name.into()));
    }
    if unknown.is_empty() { Standing::Missing(of, all) } else { Standing::Unknown(unknown) }
}
