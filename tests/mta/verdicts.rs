// SPDX-License-Identifier: GPL-3.0-or-later
//! Hold and discard, which are about whole messages, where recipients of one message differ; and the
//! modes, which soften verdicts.

use crate::common::wait::{SOON, wait_for};
use crate::dialogue::Want::Anything;
use crate::dialogue::{Dialogue, GATEWAY, OURS, STRANGER, dialogue};
use crate::house::{House, Kind};
use crate::play::play;

#[test]
fn on_postfix() {
    let house = House::usual(Kind::Postfix);
    play(&house, &dialogues());
    release(&house);
}

#[test]
fn on_sendmail() {
    let house = House::usual(Kind::Sendmail);
    play(&house, &dialogues());
    release(&house);
}

const PARTED: &str = "452 4.5.3";

pub(crate) fn dialogues() -> Vec<Dialogue> {
    [holds(), partings(), discards(), modes()].into_iter().flatten().collect()
}

pub(crate) fn holds() -> Vec<Dialogue> {
    vec![
        dialogue("a source on hold", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .held(&["ann@hold.example"], "source-not-gateway"),
        dialogue("a recipient on hold", GATEWAY)
            .mail("eve@sender.example")
            .ok("nobody@hold.example")
            .held(&["nobody@hold.example"], "recipient-unknown"),
        dialogue("the gateway's mail is not held", GATEWAY).mail("eve@sender.example").ok("ann@hold.example"),
        dialogue("two recipients on hold together", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .ok("bob@hold.example")
            .held(&["ann@hold.example", "bob@hold.example"], "source-not-gateway"),
        dialogue("a hold stays with its message", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .held(&["ann@hold.example"], "source-not-gateway")
            .mail("eve@sender.example")
            .ok("ann@open.example"),
        dialogue("a hold of the null sender", STRANGER)
            .mail("")
            .ok("ann@hold.example")
            .held(&["ann@hold.example"], "source-not-gateway"),
    ]
}

fn partings() -> Vec<Dialogue> {
    vec![
        dialogue("held first, the other comes again", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .no("ann@tag.example", PARTED)
            .held(&["ann@hold.example"], "source-not-gateway")
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .tags(&["source-not-gateway"]),
        dialogue("the other first, the held one comes again", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .no("ann@hold.example", PARTED)
            .tags(&["source-not-gateway"])
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .held(&["ann@hold.example"], "source-not-gateway"),
        dialogue("a monitored recipient is parted from a held one", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .no("ann@monitor.example", PARTED)
            .held(&["ann@hold.example"], "source-not-gateway"),
        dialogue("a held recipient is parted from a monitored one", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@monitor.example")
            .no("ann@hold.example", PARTED),
        dialogue("held and accepted recipients of the gateway", GATEWAY)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .no("nobody@hold.example", PARTED)
            .ok("bob@hold.example"),
        dialogue("a refused recipient decides nothing", STRANGER)
            .mail("eve@sender.example")
            .no("ann@a.example", "550 5.7.1")
            .ok("ann@hold.example")
            .no("bob@a.example", "550 5.7.1")
            .held(&["ann@hold.example"], "source-not-gateway"),
        dialogue("a discarded recipient decides nothing", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .ok("ann@hold.example")
            .ok("bob@drop.example")
            .no("ann@open.example", PARTED)
            .held(&["ann@hold.example"], "source-not-gateway"),
        dialogue("after RSET the parting is forgotten", STRANGER)
            .before(&["MAIL FROM:<eve@sender.example>", "RCPT TO:<ann@hold.example>", "RSET"])
            .mail("eve@sender.example")
            .ok("ann@open.example"),
    ]
}

fn discards() -> Vec<Dialogue> {
    vec![
        dialogue("discarded", STRANGER).mail("eve@sender.example").ok("ann@drop.example").delivers(&[]),
        dialogue("all discarded", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .ok("bob@drop.example")
            .delivers(&[]),
        dialogue("an unknown recipient discarded", GATEWAY)
            .mail("eve@sender.example")
            .ok("nobody@drop.example")
            .delivers(&[]),
        dialogue("one of several discarded", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .ok("ann@drop.example")
            .ok("anybody@unlisted.example")
            .delivers(&["ann@open.example", "anybody@unlisted.example"]),
        dialogue("the first of several discarded", GATEWAY)
            .mail("eve@sender.example")
            .ok("nobody@drop.example")
            .ok("ann@drop.example")
            .ok("ann@a.example")
            .delivers(&["ann@drop.example", "ann@a.example"]),
        dialogue("a discarded recipient in mixed case", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .ok("Ann@Drop.Example")
            .delivers(&["ann@open.example"]),
        dialogue("discarded recipients, oddly written", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .argument(b"<@r1.example:Ann@Drop.Example>", Anything)
            .argument(b"<g:Ann@Drop.Example;>", Anything)
            .argument(b"<Ann%Drop.Example>", Anything)
            .argument(b"<Drop.Example!Ann>", Anything)
            .argument(b"<\"ann\"@drop.example>", Anything)
            .argument(b"<\"a\\nn\"@drop.example>", Anything)
            .argument(b"<ann@drop.example.>", Anything)
            .argument(b"<ann@ drop.example(x)>", Anything)
            .argument(b"<g:Drop.Example!Ann;>", Anything)
            .argument(b"<@r1.example:ann%Drop.Example>", Anything)
            .delivers(&["ann@open.example"]),
        dialogue("discarded with arguments", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .argument(b"<Ann@drop.example> NOTIFY=NEVER ORCPT=rfc822;x@drop.example", Anything)
            .delivers(&["ann@open.example"]),
        dialogue("a discard stays with its message", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .delivers(&[])
            .mail("eve@sender.example")
            .ok("ann@open.example"),
        dialogue("discard and tag together", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .ok("ann@tag.example")
            .delivers(&["ann@tag.example"])
            .tags(&["source-not-gateway"]),
    ]
}

const TOKEN: &str = "X-Postern-Loop: gate.test.example";

pub(crate) fn modes() -> Vec<Dialogue> {
    vec![
        dialogue("soft: the gateway's mail", GATEWAY).mail("eve@sender.example").ok("ann@soft.example"),
        dialogue("soft: direct delivery comes again", STRANGER)
            .mail("eve@sender.example")
            .no("ann@soft.example", "451 4.7.1"),
        dialogue("soft: an unknown recipient comes again", GATEWAY)
            .mail("eve@sender.example")
            .no("nobody@soft.example", "450 4.1.1"),
        dialogue("soft: a discard comes again", STRANGER)
            .mail("eve@sender.example")
            .no("ann@soft-drop.example", "451 4.7.1"),
        dialogue("soft and enforce in one message", STRANGER)
            .mail("eve@sender.example")
            .no("ann@soft.example", "451 4.7.1")
            .no("ann@a.example", "550 5.7.1")
            .ok("ann@open.example"),
        dialogue("monitor: direct delivery passes", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@monitor.example")
            .ok("nobody@monitor.example"),
        dialogue("monitor: an unknown recipient passes", GATEWAY)
            .mail("eve@sender.example")
            .ok("nobody@monitor.example"),
        dialogue("monitor: a loop passes", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@monitor.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .loops(&[OURS, OURS, OURS, OURS]),
        dialogue("monitor: nothing is held, discarded or tagged", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@monitor-hold.example")
            .ok("nobody@monitor-hold.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .loops(&[OURS, OURS, OURS, OURS]),
        dialogue("inactive: not looked at, nothing added", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@inactive.example")
            .ok("nobody@inactive.example")
            .loops(&[]),
        dialogue("inactive: a loop is not looked for", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@inactive.example")
            .headers(&[TOKEN, TOKEN, TOKEN])
            .loops(&[OURS, OURS, OURS]),
    ]
}

/// What is on hold is not lost: an admin lets it go, and it is delivered as it is, once.
fn release(house: &House) {
    let mut smtp = house.session(STRANGER);
    for line in ["MAIL FROM:<eve@sender.example>", "RCPT TO:<ann@hold.example>", "DATA"] {
        let reply = smtp.command(line);
        assert!(reply.is_ok(), "{line}: {reply}");
    }
    let before = house.mta.held();
    let reply = smtp.content(b"Subject: released\r\n\r\nbody\r\n");
    assert!(reply.is_ok(), "{reply}");
    let held = wait_for("the message on hold", SOON, || {
        house.mta.held().into_iter().find(|one| !before.contains(one))
    });
    house.mta.release(&held.id);
    let delivery =
        wait_for("the released message", SOON, || house.sink.with_header("Subject", "released").pop());
    assert_eq!(delivery.recipients, ["ann@hold.example"]);
    assert_eq!(delivery.body(), b"body\r\n");
    house.settle().expect("an empty queue");
    assert_eq!(house.sink.with_header("Subject", "released").len(), 1);
}
