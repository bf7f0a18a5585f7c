// SPDX-License-Identifier: GPL-3.0-or-later
//! The mail servers alone: a message goes through them unchanged, without any milter. When this fails,
//! no other dialogue means anything.

use crate::common::sink::Sink;
use crate::common::wait::{SOON, wait_for};
use crate::mta::{Extra, Mta};
use crate::postfix::Postfix;
use crate::sendmail::Sendmail;

#[test]
fn on_postfix() {
    let sink = Sink::start();
    pass_a_message(&Postfix::start(&sink, None, &Extra::default()), &sink);
}

#[test]
fn on_sendmail() {
    let sink = Sink::start();
    pass_a_message(&Sendmail::start(&sink, None, &Extra::default()), &sink);
}

fn pass_a_message(mta: &dyn Mta, sink: &Sink) {
    for (source, token) in [("127.0.0.5", "four"), ("::1", "six")] {
        let mut smtp = mta.session(source.parse().expect("an address"));
        for line in
            ["EHLO client.example", "MAIL FROM:<eve@sender.example>", "RCPT TO:<ann@a.example>", "DATA"]
        {
            let reply = smtp.command(line);
            assert!(reply.is_ok(), "{} over {source}: {reply}\n{}", mta.name(), mta.log());
        }
        let reply = smtp.content(format!("Subject: {token}\r\n\r\n.dot\r\n").as_bytes());
        assert!(reply.is_ok(), "{} over {source}: {reply}\n{}", mta.name(), mta.log());
        let delivery = wait_for("the delivery", SOON, || sink.with_header("Subject", token).pop());
        assert_eq!(delivery.sender, "eve@sender.example");
        assert_eq!(delivery.recipients, ["ann@a.example"]);
        assert_eq!(delivery.body(), b".dot\r\n");
    }
    wait_for("an empty queue", SOON, || mta.waiting().is_empty().then_some(()));
    assert_eq!(mta.held(), []);
}
