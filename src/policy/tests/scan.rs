// SPDX-License-Identifier: GPL-3.0-or-later
//! Whose mail is scanned, what shows that it was, and that nothing that was not is delivered unless that is wanted.

use super::*;
use crate::mail::{NextHop, Secret, SpentToken, TokenFault};
use proptest::prelude::*;

const SCANNER: &str = "203.0.113.5";
const SECRET: &[u8] = b"s3cret-value";

/// One domain whose mail is scanned.
#[derive(Clone, Debug)]
struct Case {
    mode: Mode,
    any: bool,
    on_return: OnReturn,
    on_down: OnScannerDown,
    down: bool,
    keys: bool,
    client: Option<&'static str>,
    token: Result<SpentToken, TokenFault>,
    trips: (usize, usize),
    header: Option<&'static [u8]>,
    loops: Verdict,
}

impl Case {
    /// Mail that comes from the first gateway, in a domain that is enforced.
    fn plain() -> Self {
        Self {
            mode: Mode::Enforce,
            any: false,
            on_return: OnReturn::Token,
            on_down: OnScannerDown::Wait,
            down: false,
            keys: true,
            client: GATEWAY,
            token: Err(TokenFault::Missing),
            trips: (0, 0),
            header: None,
            loops: Verdict::Reject,
        }
    }

    fn policy(&self) -> Policy {
        let (mut gateways, seg) = gateways();
        let mut scanner = Gateway::by_networks("scanner", networks(&["203.0.113.0/24"]));
        if self.on_return == OnReturn::Strip {
            let secrets = [Secret::new(SECRET)].into();
            scanner.header = Some(HeaderFactor { name: "X-Scanned-By".into(), secrets });
            scanner.require = Require::All { address: true, certificate: false, header: true };
        }
        let gateway = gateways.add(scanner);
        let mut servers = Servers::default();
        let hosts = [NextHop::parse("192.0.2.77").unwrap()].into();
        let via = servers.add(Server { name: "scan".into(), hosts, tls: TlsWish::May, down: self.down });
        let mut own = domain("a.example", self.mode);
        own.source = if self.any { Source::Any } else { Source::Gateways(vec![seg]) };
        own.verdicts.loops = self.loops;
        own.scan =
            Some(ScanRule { via, gateway, on_return: self.on_return, valid: 3600, on_down: self.on_down });
        let mut policy = policy(vec![own]).with_routing(servers, Vec::new());
        policy.loops = LoopRule { id: "mx.example".into(), max_passes: 0, max_received: 0 };
        policy.with_gateways(gateways)
    }

    fn headers(&self, policy: &Policy) -> HeaderFacts {
        let mut facts = HeaderFacts::default();
        let mut note = |name: &[u8], value: &[u8]| facts.note(name, value, policy.watch());
        (0..self.trips.0).for_each(|_| note(b"X-Postern-Loop", b"mx.example; scan"));
        (0..self.trips.1).for_each(|_| note(b"X-Postern-Loop", b"mx.example; scanned"));
        if let Some(value) = self.header {
            note(b"X-Scanned-By", value);
        }
        facts
    }

    /// What is done, in a word: `refused`, `discarded`, `away`, `scanned` or `direct`; then what was found of scanning.
    fn outcome(&self) -> (String, String) {
        let policy = self.policy();
        let decision = recipient(&policy, &session(self.client), &to("ann@a.example"));
        if decision.applied.refuses() {
            return ("stopped".to_owned(), String::new());
        }
        let tokens = Tokens { keys: self.keys, read: vec![self.token] };
        let answers = Answers { tokens, ..Answers::default() };
        let by_headers = super::super::headers(&policy, &[&decision], &self.headers(&policy), &answers);
        let found = by_headers.as_ref().and_then(Decision::scan).map(|finding| finding.rule.to_string());
        let done = match ending(&policy, [&decision], by_headers.as_ref()) {
            Ending::Refused(by_headers) => by_headers.reply.as_ref().unwrap().to_string()[..9].to_owned(),
            Ending::Discarded => "discarded".to_owned(),
            Ending::Passed(marks) if marks.away => {
                assert!(marks.loop_token && marks.note == Some("scan") && marks.spent.is_empty());
                "away".to_owned()
            }
            Ending::Passed(Marks { note: Some(note), loop_token, spent, .. }) => {
                assert_eq!((loop_token, spent.len()), (true, usize::from(self.on_return == OnReturn::Token)));
                note.to_owned()
            }
            Ending::Passed(Marks { spent, .. }) => {
                assert!(spent.is_empty());
                "direct".to_owned()
            }
        };
        (done, found.unwrap_or_default())
    }

    fn is_right(&self) -> bool {
        match self.on_return {
            OnReturn::Token => self.token.is_ok(),
            OnReturn::Strip => self.header == Some(SECRET),
        }
    }
}

const RIGHT: Result<SpentToken, TokenFault> = Ok(SpentToken { mark: [1; 12], until: 1 });

#[test]
fn what_becomes_of_mail_that_should_be_scanned() {
    let scanner = Some(SCANNER);
    let fault = |fault| Case { client: scanner, token: Err(fault), ..Case::plain() };
    let back = || Case { client: scanner, token: RIGHT, ..Case::plain() };
    let strip = || Case { on_return: OnReturn::Strip, client: scanner, ..Case::plain() };
    let to_scan = |why: &str| format!("to be scanned by server scan: {why}");
    for (case, done, found) in [
        (Case::plain(), "away", to_scan("client is not gateway scanner")),
        (fault(TokenFault::Missing), "away", to_scan("its token is missing")),
        (fault(TokenFault::Forged), "away", to_scan("its token is forged or was changed")),
        (fault(TokenFault::Spent), "away", to_scan("its token was used before")),
        (
            Case { client: GATEWAY, ..fault(TokenFault::Expired) },
            "away",
            to_scan("its token has expired, but client is not gateway scanner"),
        ),
        (
            Case { client: GATEWAY, ..back() },
            "away",
            to_scan("its token is right, but client is not gateway scanner"),
        ),
        (back(), "scanned", "came back from gateway scanner, and its token is right".to_owned()),
        (Case { trips: (5, 0), ..back() }, "scanned", back().outcome().1),
        (
            Case { client: None, any: true, ..back() },
            "451 4.7.1",
            "its token is right, but nobody can tell whether client is gateway scanner".to_owned(),
        ),
        (Case { client: None, any: true, ..Case::plain() }, "away", to_scan("its token is missing")),
        (Case { client: STRANGER, ..back() }, "stopped", String::new()),
        (Case { keys: false, ..back() }, "451 4.7.1", "there are no keys for scan tokens".to_owned()),
        (
            Case { keys: false, mode: Mode::Monitor, ..back() },
            "direct",
            "there are no keys for scan tokens".to_owned(),
        ),
        (Case { trips: (2, 0), ..Case::plain() }, "554 5.4.6", Case::plain().outcome().1),
        (
            Case { trips: (2, 0), loops: Verdict::Tag, ..Case::plain() },
            "554 5.4.6",
            Case::plain().outcome().1,
        ),
        (
            Case { trips: (2, 0), loops: Verdict::Defer, ..Case::plain() },
            "451 4.4.6",
            Case::plain().outcome().1,
        ),
        (
            Case { trips: (2, 0), loops: Verdict::Discard, ..Case::plain() },
            "discarded",
            Case::plain().outcome().1,
        ),
        (
            Case { trips: (2, 0), keys: false, ..Case::plain() },
            "451 4.7.1",
            "there are no keys for scan tokens".to_owned(),
        ),
        // That a use cannot be remembered is no fault of the message's.
        (
            Case { trips: (2, 0), ..fault(TokenFault::Unremembered) },
            "451 4.7.1",
            to_scan("its token cannot be remembered as used, since too many are"),
        ),
        (
            Case { trips: (1, 0), ..fault(TokenFault::Unremembered) },
            "away",
            fault(TokenFault::Unremembered).outcome().1,
        ),
        (Case { mode: Mode::Monitor, ..Case::plain() }, "direct", Case::plain().outcome().1),
        (Case { mode: Mode::Inactive, ..Case::plain() }, "direct", String::new()),
        (Case { client: Some("10.0.0.1"), ..Case::plain() }, "direct", String::new()),
        (Case { down: true, ..Case::plain() }, "away", Case::plain().outcome().1),
        (
            Case { down: true, on_down: OnScannerDown::Deliver, keys: false, ..Case::plain() },
            "direct",
            "not scanned, since server scan is down, and delivered all the same".to_owned(),
        ),
        (Case { down: true, on_down: OnScannerDown::Deliver, ..back() }, "scanned", back().outcome().1),
        (Case { keys: false, client: GATEWAY, ..strip() }, "away", to_scan("client is not gateway scanner")),
        (
            Case { header: Some(SECRET), ..strip() },
            "scanned",
            "came back from gateway scanner, and its header line is right".to_owned(),
        ),
        (
            Case { header: Some(SECRET), client: GATEWAY, ..strip() },
            "away",
            to_scan("its header line is right, but client is not gateway scanner"),
        ),
        (Case { any: true, ..strip() }, "away", to_scan("client is not gateway scanner")),
        (
            Case { any: true, token: RIGHT, header: Some(b"guess"), ..strip() },
            "away",
            to_scan("its header line is wrong, but client is not gateway scanner"),
        ),
        // Without its line that client is no gateway of the domain.
        (strip(), "550 5.7.1", to_scan("client is not gateway scanner")),
    ] {
        assert_eq!(case.outcome(), (done.to_owned(), found), "{case:?}");
    }
}

/// The scanner hands over mail for a domain that does not name it as a gateway.
#[test]
fn the_scan_gateway_is_a_gateway() {
    let case = Case::plain();
    let policy = case.policy();
    let decision = |client| recipient(&policy, &session(client), &to("ann@a.example"));
    assert_eq!(decision(Some(SCANNER)).gateway(), Some("scanner"));
    assert_eq!(decision(GATEWAY).gateway(), Some("seg"));
    assert_eq!(decision(STRANGER).reason, Reason::SourceNotGateway);
    let strip = Case { on_return: OnReturn::Strip, ..case }.policy();
    assert!(strip.watch().names.iter().any(|name| &**name == "X-Scanned-By"));
}

/// Whether a client is the scan gateway is asked where only a live name can tell, whoever else it is.
#[test]
fn live_names_of_the_scan_gateway_are_asked() {
    for any in [true, false] {
        let policy = Case { any, ..Case::plain() }.policy();
        let live = LiveName::new("%{i}.scan.example");
        let mut gateways: Vec<Arc<Gateway>> = policy.gateways().iter().cloned().collect();
        let addresses = Addresses { live: [live.clone()].into(), complete: true, ..Addresses::default() };
        let scanner = Gateway { addresses: Some(addresses), ..Gateway::clone(&gateways[1]) };
        gateways[1] = Arc::new(scanner);
        let policy = policy.with_gateways(gateways.into_iter().collect());
        let asked = questions(&policy, &session(GATEWAY), &to("ann@a.example"), &Answers::default());
        assert_eq!(asked.map(|asked| asked.live), Some(vec![live.clone()]));
        let answers = Answers { live: vec![(live, Answer::No)], ..Answers::default() };
        assert_eq!(questions(&policy, &session(GATEWAY), &to("ann@a.example"), &answers), None);
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    use TokenFault::{Expired, Forged, Future, Missing, OtherRecipient, Spent, UnknownKey, Unremembered};
    let faults = vec![Missing, Forged, UnknownKey, OtherRecipient, Future, Expired, Spent, Unremembered];
    let token = prop_oneof![Just(RIGHT), prop::sample::select(faults).prop_map(Err)];
    let clients = vec![GATEWAY, STRANGER, Some(SCANNER), Some("10.0.0.1"), None];
    let header = prop::sample::select(vec![None, Some(&b"guess"[..]), Some(SECRET)]);
    let returns = prop::sample::select(vec![OnReturn::Token, OnReturn::Strip]);
    let downs = prop::sample::select(vec![OnScannerDown::Wait, OnScannerDown::Deliver]);
    let modes = prop::sample::select(Mode::ALL.to_vec());
    let verdicts = prop::sample::select(Verdict::ALL.to_vec());
    let choices = (modes, returns, downs, prop::sample::select(clients), token, header, verdicts);
    (choices, any::<[bool; 3]>(), (0usize..4, 0usize..3)).prop_map(
        |((mode, on_return, on_down, client, token, header, loops), [any, down, keys], trips)| Case {
            mode,
            any,
            on_return,
            on_down,
            down,
            keys,
            client,
            token,
            trips,
            header,
            loops,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    /// What was not scanned is delivered where it is not looked at, or where a scanner that is down may be done without.
    #[test]
    fn nothing_is_delivered_unscanned(case in any_case()) {
        let (done, _) = case.outcome();
        let looked_at = case.mode > Mode::Monitor && case.client != Some("10.0.0.1");
        let done_without = case.down && case.on_down == OnScannerDown::Deliver;
        let came_back = case.client == Some(SCANNER) && case.is_right();
        let held = case.loops == Verdict::Quarantine;
        match done.as_str() {
            "direct" => prop_assert!(!looked_at || done_without),
            "scanned" => prop_assert!(looked_at && came_back),
            "away" => prop_assert!(looked_at && !came_back && (case.trips.0 < case.trips.1 + 2 || held)),
            // A token that is not taken is never a reason to refuse.
            refused => prop_assert!(
                refused.starts_with('4') || refused == "stopped" || refused == "550 5.7.1"
                    || case.trips.0 >= case.trips.1 + 2,
                "{}", refused
            ),
        }
        if case.mode <= Mode::Monitor {
            prop_assert_eq!(done.as_str(), "direct");
        }
    }
}
