// SPDX-License-Identifier: GPL-3.0-or-later
//! A gateway's address that turns out to be everybody's: a proxy in front of the mail server hides the clients.

use crate::dialogue::{Dialogue, GATEWAY, INTERNAL, SIX, dialogue};
use crate::house::{CONFIG, House, Kind};
use crate::play::play;

const NOT_READY: &str = "451 4.7.1";

#[test]
fn behind_postfix() {
    let house = House::usual(Kind::Postfix);
    // Whoever has logged in may be anybody.
    let users = (0..10).map(|n| {
        let greeting: [&'static str; 2] =
            ["XCLIENT ADDR=127.0.0.2 LOGIN=joe", format!("EHLO pc.home{n}.example").leak()];
        let greeting: &'static [&'static str; 2] = Box::leak(Box::new(greeting));
        dialogue(format!("user {n}"), "127.0.0.1").before(greeting).mail(sender(n)).ok("ann@a.example")
    });
    play(&house, &users.collect::<Vec<_>>());
    clients_are_hidden(&house);
}

#[test]
fn behind_sendmail() {
    clients_are_hidden(&House::usual(Kind::Sendmail));
}

fn sender(n: usize) -> &'static str {
    format!("eve@sender{n}.example").leak()
}

fn client(n: usize) -> Dialogue {
    let helo: &'static str = format!("EHLO mx.helo{n}.example").leak();
    dialogue(format!("client {n}"), GATEWAY).helo(helo.as_bytes()).mail(sender(n))
}

fn clients_are_hidden(house: &House) {
    let mut gateway = dialogue("a gateway brings many senders", GATEWAY);
    for n in 0..20 {
        gateway = gateway.mail(sender(n)).ok("ann@a.example");
    }
    play(house, &[gateway]);
    // One of the eight names is the gateway's own.
    let mut dialogues: Vec<Dialogue> = (0..6).map(|n| client(n).ok("ann@a.example")).collect();
    dialogues.extend((6..9).map(|n| {
        client(n).no("ann@a.example", NOT_READY).no("nobody@a.example", NOT_READY).ok("ann@open.example")
    }));
    dialogues.push(dialogue("the gateway itself", GATEWAY).mail("").no("ann@a.example", NOT_READY));
    dialogues.push(dialogue("another address", SIX).mail("eve@sender.example").ok("ann@six.example"));
    dialogues.push(dialogue("an internal one", INTERNAL).mail("eve@sender.example").ok("ann@a.example"));
    play(house, &dialogues);
    let log = house.postern().logged(0, "many unrelated clients arrive from one address");
    assert!(log.contains("address=127.0.0.2") && log.contains("set accept_private = true"), "{log}");

    let network = "networks = [\"127.0.0.2/32\"]\n";
    house.configure(&CONFIG.replace(network, &format!("{network}accept_private = true\n")));
    house.postern().reload();
    house.postern().logged(log.len(), "reloaded");
    let meant: Vec<Dialogue> = (9..12).map(|n| client(n).ok("ann@a.example")).collect();
    play(house, &meant);
}
