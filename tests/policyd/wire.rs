// SPDX-License-Identifier: GPL-3.0-or-later
//! What comes in and goes out, octet by octet.

use crate::milter_support::{GATEWAY, STRANGER, policy};
use crate::support::*;
use postern::gate::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Writes all, hangs up, and gives what was answered to each request.
async fn answers(door: &Door, octets: &[u8]) -> Vec<String> {
    let (mut stream, served) = door.connect();
    // Both fail where the door has hung up before everything was written.
    let _ = stream.write_all(octets).await;
    let _ = stream.shutdown().await;
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    served.await.unwrap();
    let heard = String::from_utf8(heard).unwrap();
    let actions = heard.split_terminator("\n\n");
    actions.map(|action| short(action.strip_prefix("action=").unwrap())).collect()
}

#[tokio::test]
async fn an_answer_is_one_line_and_an_empty_one() {
    let door = Door::alone(policy());
    let (mut stream, _served) = door.connect();
    stream.write_all(rcpt(STRANGER, "a.b.c.0", "ann@a.example").as_bytes()).await.unwrap();
    let mut heard = vec![0; 512];
    let length = stream.read(&mut heard).await.unwrap();
    let text = String::from_utf8(heard[..length].to_vec()).unwrap();
    let (head, reference) = text.rsplit_once(" (ref ").unwrap();
    assert_eq!(
        head,
        "action=550 5.7.1 Mail for this domain is taken from its mail gateway only. Send it to the host in the \
         domain's MX record"
    );
    assert_eq!((reference.len(), &reference[12..]), (15, ")\n\n"), "{text:?}");
}

#[tokio::test]
async fn many_requests_at_once_are_answered_in_order() {
    let door = Door::alone(policy());
    let mut octets = String::new();
    let mut want = Vec::new();
    for n in 0..200 {
        let (client, action) = if n % 3 == 0 { (STRANGER, "550 5.7.1") } else { (GATEWAY, "DUNNO") };
        octets += &rcpt(client, &format!("a.b.{n}.0"), "ann@a.example");
        want.push(action);
    }
    assert_eq!(answers(&door, octets.as_bytes()).await, want);
    assert_eq!(door.count(Event::Asked), 200);
}

#[tokio::test]
async fn requests_may_come_in_any_pieces() {
    let door = Door::alone(policy());
    let octets = rcpt(STRANGER, "a.b.c.0", "ann@a.example") + &rcpt(GATEWAY, "a.b.c.1", "nobody@a.example");
    for size in [1, 2, 7, 100, 1000] {
        let (mut stream, _served) = door.connect();
        for piece in octets.as_bytes().chunks(size) {
            stream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut heard = String::new();
        while heard.matches("\n\n").count() < 2 {
            let mut some = [0; 100];
            let length = stream.read(&mut some).await.unwrap();
            heard += std::str::from_utf8(&some[..length]).unwrap();
        }
        assert!(heard.starts_with("action=550 5.7.1 ") && heard.contains("\n\naction=550 5.1.1 "), "{heard}");
    }
}

#[tokio::test]
async fn garbage_ends_its_connection_and_takes_no_answer_along() {
    let good = rcpt(GATEWAY, "a.b.c.0", "ann@a.example");
    let door = Door::alone(policy());
    let mut other = door.smtpd();
    assert_eq!(other.rcpt(GATEWAY, "x.y.z.0", "ann@a.example").await, "DUNNO");
    for (number, garbage) in [
        b"\0\0\0\x0dO\0\0\0\x06".to_vec(),
        b"\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"request=junk\n\n".to_vec(),
        b"x".repeat(9000),
        b"a=b\n".repeat(2000),
        b"request=smtpd_access_policy\n\n".to_vec(),
        [b"recipient=".to_vec(), vec![0xff; 200], b"\0\n".to_vec()].concat(),
    ]
    .into_iter()
    .enumerate()
    {
        let octets = [good.as_bytes(), &garbage, good.as_bytes()].concat();
        assert_eq!(
            answers(&door, &octets).await,
            ["DUNNO"],
            "{}",
            garbage[..garbage.len().min(40)].escape_ascii()
        );
        assert_eq!(door.count(Event::Garbage), number as u64 + 1);
    }
    assert_eq!(other.rcpt(STRANGER, "x.y.z.1", "ann@a.example").await, "550 5.7.1", "others go on");
    assert_eq!(door.count(Event::Broken), 0);
}

#[tokio::test]
async fn a_request_that_breaks_off_is_not_answered() {
    let door = Door::alone(policy());
    let whole = rcpt(GATEWAY, "a.b.c.0", "ann@a.example");
    for cut in [1, 20, whole.len() - 1] {
        assert_eq!(answers(&door, &whole.as_bytes()[..cut]).await, Vec::<String>::new(), "{cut}");
    }
    assert_eq!((door.count(Event::Broken), door.count(Event::Asked)), (3, 0));
    assert_eq!(answers(&door, whole.as_bytes()).await, ["DUNNO"]);
    assert_eq!(door.count(Event::Broken), 3, "hanging up between requests is fine");
}

#[tokio::test]
async fn unknown_attributes_and_any_order_are_fine() {
    let door = Door::alone(policy());
    let text = format!(
        "recipient=nobody@a.example\nclient_address={GATEWAY}\nserver_speed=fast\nmail_version=9.9\n\
         protocol_state=RCPT\nx=\n== =\nrequest=smtpd_access_policy\n\n"
    );
    // `== =` has no name.
    assert_eq!(answers(&door, text.as_bytes()).await, Vec::<String>::new());
    assert_eq!(answers(&door, text.replace("== =\n", "").as_bytes()).await, ["550 5.1.1"]);
}
