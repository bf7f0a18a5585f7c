// SPDX-License-Identifier: GPL-3.0-or-later
//! The commands beside a server: what they put in force is used when they have come back.

use crate::common::wait::{SOON, wait_until};
use crate::house::House;
use std::thread;

const ACCEPTED: &str = "continue";
const REFUSED: &str = "550 5.1.1";

#[tokio::test]
async fn what_a_command_puts_in_force_is_used_when_it_comes_back() {
    let house = House::new();
    let postern = house.start();
    wait_until("the first sync", SOON, || house.run("").1.contains("200 addresses"));
    house.says("sync", 0, &[]);
    assert_eq!(house.rcpt("user0@example.com").await, ACCEPTED);
    assert_eq!(house.rcpt("user101@example.com").await, REFUSED);

    house.export(0..102);
    house.says("sync", 0, &["4 new"]);
    assert_eq!(house.rcpt("user101@example.com").await, ACCEPTED);

    house.export(0..50);
    house.says("sync", 1, &["held:"]);
    assert_eq!(house.rcpt("user101@example.com").await, ACCEPTED);
    house.says("accept staff --now", 0, &["100 addresses; the server uses it"]);
    assert_eq!(house.rcpt("user101@example.com").await, REFUSED);
    house.says("rollback staff", 0, &["the server uses it"]);
    assert_eq!(house.rcpt("user101@example.com").await, ACCEPTED);

    assert_eq!(house.rcpt("m1@manual.example").await, "451 4.7.1");
    house.dir.write("people.csv", "mail\nm1@manual.example\n");
    house.says("import manual people.csv", 0, &["1 address, for the first time"]);
    assert_eq!(house.rcpt("m1@manual.example").await, ACCEPTED);
    assert_eq!(house.rcpt("m2@manual.example").await, REFUSED);
    assert_eq!(postern.stop().code(), Some(0));
}

#[tokio::test]
async fn what_was_learned_is_kept_when_the_server_ends() {
    let house = House::new();
    let postern = house.start();
    let mut session = crate::session::Session::begin(&house.dir.join("s"), crate::session::GATEWAY).await;
    assert_eq!(session.rcpt("zoe@learn.example").await, ACCEPTED);
    session.finish().await;
    drop(session);
    assert_eq!(postern.stop().code(), Some(0));
    house.says("learned", 0, &["waiting", "zoe@learn.example", "1 message"]);
    let _postern = house.start();
    house.says("learned --approve zoe@learn.example", 0, &["1 address approved; the server knows"]);
    house.says("lookup zoe@learn.example", 0, &["exists yes", "learned"]);
    let learned = house.json("learned --json", 0);
    assert_eq!(learned["approved"][0]["address"], "zoe@learn.example", "{learned:#}");
}

#[test]
fn several_commands_at_one_time() {
    let house = House::new();
    let _postern = house.start();
    let done: Vec<(i32, String)> = thread::scope(|scope| {
        let running: Vec<_> = (0..4).map(|_| scope.spawn(|| house.run("sync staff"))).collect();
        running.into_iter().map(|command| command.join().unwrap()).collect()
    });
    assert!(done.iter().all(|(code, said)| *code == 0 && said.contains("200 addresses")), "{done:#?}");
    house.says("", 0, &["200 addresses", "snapshot 1"]);
}
