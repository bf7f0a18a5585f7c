// SPDX-License-Identifier: GPL-3.0-or-later
//! slapd is gone while Postfix takes mail: everything goes on by the last good data, also over a restart of Postern; their age
//! can be seen; and only `max_age` makes anything wait.

use serde_json::Value;

use crate::common::wait::{SOON, wait_until};
use crate::dialogue::{GATEWAY, dialogue};
use crate::directories::Site;
use crate::house::Kind;
use crate::play::play;

const UNKNOWN: &str = "550 5.1.1";
const UNREADY: &str = "451 4.7.1";

#[test]
fn slapd_that_is_killed() {
    outage(|site| site.slapd.kill(), |site| site.slapd.restart(), "no answer");
}

#[test]
fn slapd_that_does_not_answer() {
    outage(|site| site.slapd.freeze(), |site| site.slapd.thaw(), "no answer");
}

fn outage(fail: fn(&mut Site), mend: fn(&mut Site), why: &str) {
    let mut site = Site::open(Kind::Postfix, "");
    holds(&site);
    fail(&mut site);
    let since = site.house.postern().log().len();
    wait_until("a warning", SOON, || {
        let log = site.house.postern().log();
        let words = [" WARN ", "sync failed; what was in force stays", "directory=corp", why];
        log[since..].lines().any(|line| words.iter().all(|words| line.contains(words)))
    });
    holds(&site);
    let (age, state) = standing(&site);
    assert!(state["failures"].as_u64() >= Some(1) && state["trouble"].to_string().contains(why), "{state}");
    wait_until("its age to grow", SOON, || standing(&site).0 > age);

    // A start without the server.
    site.house.postern.take().expect("Postern runs").kill();
    site.house.start_postern();
    holds(&site);
    site.reload("", "learn");
    holds(&site);
    let (code, said) = site.house.command("directories sync corp");
    assert!(code == 1 && said.contains(why) && said.contains("what was in force stays"), "{code} {said}");
    holds(&site);

    // With a limit to its age, those who are known still are, and nobody is refused.
    site.reload("max_age = \"1s\"", "learn");
    play(
        &site.house,
        &[dialogue("older than it may be", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@example.com")
            .ok("bob+x@alias.example")
            .ok("sales@example.com")
            .no("nobody@example.com", UNREADY)],
    );
    let said = site.house.does("directories");
    assert!(said.contains("OVERDUE") && said.contains("look at corp"), "{said}");

    mend(&mut site);
    site.reload("", "learn");
    site.house.does("directories sync corp");
    holds(&site);
    let (_, state) = standing(&site);
    assert!(state["failures"] == 0 && state["trouble"].is_null(), "{state}");
    assert_eq!(site.house.mta.waiting(), Vec::<String>::new());
}

/// Whoever is known gets mail, whoever is not is refused.
fn holds(site: &Site) {
    play(
        &site.house,
        &[dialogue("the last good data", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@example.com")
            .ok("bob.alias@alias.example")
            .no("nobody@example.com", UNKNOWN)],
    );
}

/// How old the directory is, in seconds, and how its syncs went.
fn standing(site: &Site) -> (u64, Value) {
    let said = site.house.does("directories --json");
    let all: Value = serde_json::from_str(&said).expect("JSON");
    let corp = all.as_array().expect("a list").iter().find(|one| one["name"] == "corp").expect("corp");
    (corp["age"].as_u64().expect("an age"), corp["state"].clone())
}
