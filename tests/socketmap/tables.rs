// SPDX-License-Identifier: GPL-3.0-or-later
//! What each table says of each kind of key.

use crate::world;
use postern::gate::{Asked, Gate, Judge as _, Outside};
use postern::policy::{self, Listings, LiveName, Policy, ReverseName};
use postern::socketmap::{Answer, Found, Request, look_up};
use std::net::IpAddr;

async fn answered(gate: &Gate, request: &str) -> (String, String) {
    let policy = gate.policy();
    let Found { answer, why } = look_up(gate, &policy, Request::parse(request.as_bytes())).await;
    let answer = match answer {
        Answer::Found(value) => format!("OK {value}"),
        Answer::NotFound => "NOTFOUND".to_owned(),
        Answer::Temp(why) => format!("TEMP {why}"),
        Answer::Perm(why) => format!("PERM {why}"),
    };
    (answer, why.told(&policy).to_string())
}

/// Keys of a table, and what is answered: the answer whole, or its first word.
async fn table(name: &str, rows: &[(&str, &str)]) {
    let gate = Gate::new(world::policy());
    for (key, want) in rows {
        let (answer, why) = answered(&gate, &format!("{name} {key}")).await;
        let word = answer.split(' ').next().unwrap_or_default();
        assert!(answer == *want || word == *want, "{name} {key}: {answer}, not {want}: {why}");
        assert!(!why.is_empty(), "{name} {key}");
    }
}

#[tokio::test]
async fn recipients() {
    table(
        "recipient",
        &[
            ("ann@a.example", "OK exists"),
            ("ANN@A.Example", "OK exists"),
            ("ann+x@a.example", "OK exists"),
            ("\"ann\"@a.example", "OK exists"),
            ("\"a b\"@a.example", "OK exists"),
            ("a b@a.example", "OK exists"),
            ("jose\u{301}@bücher.example", "OK exists"),
            ("postmaster@a.example", "OK exists"),
            ("nobody@a.example", "NOTFOUND"),
            ("nobody@deferred.example", "TEMP this recipient is refused for now"),
            ("nobody@tagged.example", "OK exists"),
            ("nobody@soft.example", "TEMP this recipient is refused for now"),
            ("nobody@monitor.example", "OK exists"),
            ("nobody@off.example", "OK exists"),
            ("nobody@learning.example", "OK exists"),
            ("nobody@unchecked.example", "OK exists"),
            ("nobody@x.below.example", "OK exists"),
            ("nobody@whole.example", "OK exists"),
            ("ann@late.example", "TEMP cannot tell yet whether this recipient exists"),
            ("ann@late-monitor.example", "OK exists"),
            // Who exists, and has no server.
            ("eve@a.example", "NOTFOUND"),
            ("eve@soft.example", "TEMP this recipient is refused for now"),
            ("eve@monitor.example", "OK exists"),
            ("eve@tagged.example", "OK exists"),
            ("eve@default.example", "OK exists"),
            ("ann@elsewhere.example", "NOTFOUND"),
            ("ann@below.example", "NOTFOUND"),
            ("ann@[192.0.2.1]", "NOTFOUND"),
            // Where not everyone exists, nobody may be told so.
            ("@a.example", "NOTFOUND"),
            ("a.example", "NOTFOUND"),
            ("@learning.example", "NOTFOUND"),
            ("@late.example", "NOTFOUND"),
            ("@elsewhere.example", "NOTFOUND"),
            ("ann", "NOTFOUND"),
            ("", "NOTFOUND"),
            ("@", "NOTFOUND"),
            ("*", "NOTFOUND"),
            ("<>", "NOTFOUND"),
        ],
    )
    .await;
}

#[tokio::test]
async fn whole_domains_exist_where_nothing_depends_on_the_recipient() {
    let servers = world::policy().servers().clone();
    let unrouted = world::policy().with_routing(servers, Vec::new());
    for (policy, want) in [(unrouted, "OK exists"), (world::policy(), "NOTFOUND")] {
        let gate = Gate::new(policy);
        for key in
            ["@whole.example", "whole.example", "@unchecked.example", "@x.below.example", "@off.example"]
        {
            assert_eq!(answered(&gate, &format!("recipient {key}")).await.0, want, "{key}");
        }
    }
}

#[tokio::test]
async fn transports() {
    let exchange = "OK smtp:[ex1.corp.example], [ex2.corp.example]:2525, [2001:db8::9]";
    let cloud = "OK smtp:a-example.mail.protection.outlook.com";
    let plain = "OK smtp:[192.0.2.200]:2525, [192.0.2.201]:2525";
    table(
        "transport",
        &[
            ("*", "NOTFOUND"),
            ("ann@a.example", exchange),
            ("Ann+X@A.Example", exchange),
            ("bob@a.example", cloud),
            ("eve@a.example", "OK error:5.1.1 There is no mailbox for this recipient. Check the address"),
            ("eve@soft.example", "OK retry:4.1.1 There is no mailbox for this recipient. Check the address"),
            ("eve@monitor.example", "NOTFOUND"),
            ("eve@tagged.example", "NOTFOUND"),
            // Mail goes to its server in every mode.
            ("ann@monitor.example", exchange),
            ("ann@soft.example", exchange),
            ("ann@late.example", "TEMP cannot tell yet where this mail goes"),
            ("ann@late-monitor.example", "TEMP cannot tell yet where this mail goes"),
            ("ann@off.example", "NOTFOUND"),
            ("anyone@one.example", plain),
            ("ann@default.example", plain),
            ("eve@default.example", plain),
            ("ann@elsewhere.example", "NOTFOUND"),
            ("a.example", "NOTFOUND"),
            ("one.example", plain),
            ("default.example", plain),
            ("elsewhere.example", "NOTFOUND"),
            ("<>", "NOTFOUND"),
            ("", "NOTFOUND"),
        ],
    )
    .await;
}

#[tokio::test]
async fn mailers() {
    table(
        "mailertable",
        &[
            ("ann@a.example", "OK esmtp:[ex1.corp.example]:[IPv6:2001:db8::9]"),
            ("bob@a.example", "OK esmtp:a-example.mail.protection.outlook.com"),
            ("eve@a.example", "OK error:5.1.1:550 There is no mailbox for this recipient. Check the address"),
            (
                "eve@soft.example",
                "OK error:4.1.1:451 There is no mailbox for this recipient. Check the address",
            ),
            ("eve@monitor.example", "NOTFOUND"),
            ("ann@late.example", "TEMP"),
            ("a.example", "NOTFOUND"),
            ("one.example", "OK postern2525:[192.0.2.200]:[192.0.2.201]"),
            (".example", "NOTFOUND"),
            (".", "NOTFOUND"),
        ],
    )
    .await;
}

#[tokio::test]
async fn domains() {
    table(
        "domain",
        &[
            ("a.example", "OK a.example"),
            ("A.EXAMPLE.", "OK a.example"),
            ("bücher.example", "OK xn--bcher-kva.example"),
            ("off.example", "OK off.example"),
            ("monitor.example", "OK monitor.example"),
            ("x.y.below.example", "OK *.below.example"),
            ("ann@a.example", "OK a.example"),
            ("below.example", "NOTFOUND"),
            ("x.a.example", "NOTFOUND"),
            ("example", "NOTFOUND"),
            ("", "NOTFOUND"),
            ("[192.0.2.1]", "NOTFOUND"),
        ],
    )
    .await;
}

#[tokio::test]
async fn clients() {
    let unready = "TEMP cannot tell yet whether this client is a gateway";
    for name in ["access", "postscreen"] {
        table(
            name,
            &[
                ("192.0.2.9", "OK permit"),
                ("::ffff:192.0.2.9", "OK permit"),
                ("2001:db8:1::5", "OK permit"),
                ("2001:DB8:1:0:0:0:0:5", "OK permit"),
                ("10.1.2.3", "OK permit"),
                ("198.51.100.1", "NOTFOUND"),
                ("2001:db8:2::5", "NOTFOUND"),
                // A gateway that nobody names.
                ("100.64.0.1", "NOTFOUND"),
                // What is not loaded yet, and what nobody answers.
                ("203.0.113.1", unready),
                ("203.0.113.129", unready),
                // A client says what it likes of itself.
                ("mail.seg.example", "NOTFOUND"),
                ("localhost", "NOTFOUND"),
                ("unknown", "NOTFOUND"),
                ("192.0.2", "NOTFOUND"),
                ("", "NOTFOUND"),
            ],
        )
        .await;
    }
}

/// `spf.example` passes one client, and no other.
#[derive(Debug)]
struct Spf;

impl Outside for Spf {
    fn live<'a>(&'a self, _: &'a LiveName, client: IpAddr) -> Asked<'a, policy::Answer> {
        let passes = client == IpAddr::from([203, 0, 113, 129]);
        Box::pin(async move { if passes { policy::Answer::Yes } else { policy::Answer::No } })
    }

    fn listings(&self, _: IpAddr) -> Asked<'_, Listings> {
        panic!("nobody is to ask for listings");
    }

    fn reverse(&self, _: IpAddr) -> Asked<'_, ReverseName> {
        panic!("nobody is to ask for a name");
    }
}

#[tokio::test]
async fn the_network_is_asked_for_who_can_wait() {
    let gate = Gate::new(world::policy());
    gate.ask(Box::new(Spf));
    for (request, want) in [
        ("access 203.0.113.129", "OK permit"),
        ("access 203.0.113.130", "NOTFOUND"),
        ("postscreen 203.0.113.129", "TEMP cannot tell yet whether this client is a gateway"),
        ("postscreen 192.0.2.9", "OK permit"),
    ] {
        assert_eq!(answered(&gate, request).await.0, want, "{request}");
    }
}

#[tokio::test]
async fn connections_to_servers() {
    let verify = "OK verify match=.corp.example:mail.example.com";
    table(
        "tls",
        &[
            ("[ex1.corp.example]", verify),
            ("[EX1.Corp.Example]", verify),
            ("[ex1.corp.example]:25", verify),
            ("[ex1.corp.example]:smtp", verify),
            ("[ex2.corp.example]:2525", verify),
            ("[2001:db8::9]", verify),
            ("[ipv6:2001:db8::9]", verify),
            ("a-example.mail.protection.outlook.com", "OK dane"),
            ("192.0.2.200", "NOTFOUND"),
            ("[192.0.2.200]:2525", "OK may"),
            // Shared with a stricter server.
            ("[192.0.2.201]:2525", "OK encrypt"),
            ("[192.0.2.200]", "NOTFOUND"),
            ("[ex2.corp.example]", "NOTFOUND"),
            ("ex1.corp.example", "NOTFOUND"),
            ("[a-example.mail.protection.outlook.com]", "NOTFOUND"),
            ("[odd.example]", "TEMP no certificate name of this server is one that Postfix can look for"),
            ("elsewhere.example", "NOTFOUND"),
            (".corp.example", "NOTFOUND"),
            ("[ex1.corp.example]x", "NOTFOUND"),
            ("[ex1.corp.example", "NOTFOUND"),
            ("", "NOTFOUND"),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_table() {
    let gate = Gate::new(world::policy());
    for (request, want) in [
        ("aliases ann@a.example", "PERM there is no table of this name"),
        ("unknown x", "PERM there is no table of this name"),
        (" ann@a.example", "PERM there is no table of this name"),
        ("recipient", "PERM the request has no key"),
        ("", "PERM the request has no key"),
    ] {
        assert_eq!(answered(&gate, request).await.0, want, "{request:?}");
    }
}

#[tokio::test]
async fn the_log_tells_why() {
    let gate = Gate::new(world::policy());
    for (request, want) in [
        ("recipient nobody@a.example", "directory staff: 44 addresses, 1 whole domains"),
        ("recipient ann@late.example", "directory late: not loaded"),
        ("recipient eve@a.example", "no route is for the recipient"),
        ("transport ann@a.example", "route hq leads to server exchange; mode enforce"),
        ("transport ann@late.example", "directory late"),
        ("transport a.example", "not all of the domain's mail goes to one server"),
        ("domain x.below.example", "listed as *.below.example, mode enforce"),
        ("access 192.0.2.9", "client is in 192.0.2.0/24 of gateway seg"),
        ("access 203.0.113.1", "not all are known yet"),
        ("tls [ex1.corp.example]", "a host of server exchange"),
    ] {
        let (_, why) = answered(&gate, request).await;
        assert!(why.contains(want), "{request}: {why}");
    }
}

#[test]
fn the_policy_is_what_the_tables_are_about() {
    let policy: Policy = world::policy();
    assert_eq!(policy.domains().len(), 15);
}
