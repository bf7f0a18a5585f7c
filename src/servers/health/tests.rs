// SPDX-License-Identifier: GPL-3.0-or-later
//! When hosts step back and return, and the order that comes of it.

use super::super::probe::{CertificateFault, Outcome, Said, Step, Tls, Visit};
use super::*;
use std::time::Duration;

fn fine() -> Outcome {
    Outcome::Fine { banner: "220 x".into(), tls: Tls::NotAsked { offered: true } }
}

fn said(reply: &str) -> Said {
    Said { step: Step::Banner, reply: reply.into() }
}

fn wrong() -> Outcome {
    Outcome::WrongCertificate {
        fault: CertificateFault::Name,
        seen: vec!["a.example".into()],
        wanted: Vec::new(),
    }
}

fn looked(outcomes: &[Outcome]) -> Looked {
    let visit = |outcome: &Outcome| Visit {
        host: "host".into(),
        address: None,
        steps: Vec::new(),
        outcome: outcome.clone(),
    };
    Looked { visits: outcomes.iter().map(visit).collect() }
}

#[test]
fn what_each_outcome_means_for_mail() {
    for (outcomes, takes, fine_too) in [
        (vec![fine()], Some(true), true),
        (vec![Outcome::Refused], Some(false), false),
        (vec![Outcome::Unreachable("no route".into())], Some(false), false),
        (vec![Outcome::TimedOut(Step::Connect)], Some(false), false),
        (vec![Outcome::NotNow(said("421 busy"))], Some(false), false),
        (vec![Outcome::No(said("554 no"))], Some(false), false),
        (vec![Outcome::NotSmtp("x".into())], Some(false), false),
        (vec![Outcome::NoAddress("x".into())], Some(false), false),
        (vec![Outcome::Unresolved("x".into())], None, false),
        (vec![Outcome::NoTls(None)], Some(true), false),
        (vec![Outcome::BrokenTls("x".into())], Some(true), false),
        (vec![wrong()], Some(true), false),
        // One address is enough for mail; TLS has to be right wherever it is taken.
        (vec![Outcome::Refused, fine()], Some(true), true),
        (vec![fine(), wrong()], Some(true), false),
        (vec![Outcome::Refused, Outcome::Unresolved("x".into())], None, false),
    ] {
        let looked = looked(&outcomes);
        assert_eq!((looked.takes_mail(), looked.is_fine()), (takes, fine_too), "{outcomes:?}");
        assert!(!looked.decisive().unwrap().to_string().is_empty());
    }
}

#[test]
fn two_failures_in_a_row_step_back_and_one_success_returns() {
    let mut state = HostState::default();
    let mut now = SystemTime::UNIX_EPOCH;
    for (outcome, changes, back, failures) in [
        (Outcome::Refused, vec![], false, 1),
        (fine(), vec![], false, 0),
        (Outcome::Refused, vec![], false, 1),
        // Nobody knows what was: it counts neither way.
        (Outcome::Unresolved("x".into()), vec![], false, 1),
        (Outcome::NotNow(said("421 a")), vec![Change::Back], true, 2),
        (Outcome::NotNow(said("421 b")), vec![], true, 3),
        (Outcome::Unresolved("x".into()), vec![], true, 3),
        (fine(), vec![Change::Returned], false, 0),
        (fine(), vec![], false, 0),
    ] {
        now += Duration::from_secs(30);
        assert_eq!(state.take(&looked(std::slice::from_ref(&outcome)), now), changes, "{outcome:?}");
        assert_eq!(
            (state.is_back(), state.failures, state.looked),
            (back, failures, Some(now)),
            "{outcome:?}"
        );
    }
    assert_eq!(state.standing, Standing::Takes(SystemTime::UNIX_EPOCH + Duration::from_secs(240)));
}

#[test]
fn tls_moves_nobody_and_is_told_once_per_change() {
    let mut state = HostState::default();
    let now = SystemTime::UNIX_EPOCH;
    for (outcome, changes) in [
        (wrong(), vec![Change::Trouble]),
        (wrong(), vec![]),
        (Outcome::NoTls(None), vec![Change::Trouble]),
        (Outcome::NoTls(Some("454 x".into())), vec![]),
        // While it takes no mail, nothing is known of its TLS.
        (Outcome::Refused, vec![]),
        (Outcome::NoTls(None), vec![]),
        (fine(), vec![Change::TroubleOver]),
        (fine(), vec![]),
    ] {
        assert_eq!(state.take(&looked(std::slice::from_ref(&outcome)), now), changes, "{outcome:?}");
        assert!(!state.is_back());
    }
}

#[test]
fn the_order_is_the_configured_one_in_both_classes() {
    let hop = |name: char| NextHop::parse(&format!("{name}.example")).unwrap();
    let all: Vec<NextHop> = "abcd".chars().map(hop).collect();
    for (back, want, down) in [
        ("", "abcd", false),
        ("a", "bcda", false),
        ("ac", "bdac", false),
        ("ca", "bdac", false),
        ("bcd", "abcd", false),
        ("abcd", "abcd", true),
    ] {
        let arranged = arrange(&all, |host| back.chars().any(|name| hop(name) == *host));
        let want: Vec<NextHop> = want.chars().map(hop).collect();
        assert_eq!((&*arranged.hosts, arranged.down), (&*want, down), "{back}");
    }
    assert!(!arrange(&[], |_| true).down);
}
