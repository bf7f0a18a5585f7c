// SPDX-License-Identifier: GPL-3.0-or-later
//! Policy delegation with a real Postfix, alone and beside the milter.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::common::smtp::{Reply, Smtp};
use crate::dialogue::Want::Refused;
use crate::dialogue::{Dialogue, GATEWAY, INTERNAL, STRANGER, dialogue};
use crate::house::{CONFIG, House, Kind};
use crate::mta::Shows::{Certificate, Nothing};
use crate::mta::{Extra, Tls, Transport};
use crate::play::play;
use crate::{gate, spelling, verdicts};

const SERVICE: &str = "smtpd_recipient_restrictions = check_policy_service unix:policyd.sock";
const DOOR: &str = "\n[policyd]\nlisten = [\"unix:@MTA@/spool/policyd.sock\"]\nsocket_mode = \"0666\"\n";

/// A house in which Postfix asks both doors.
fn beside(extra: &Extra<'_>) -> House {
    House::open(Kind::Postfix, Transport::Unix, &with_door("alone = false"), extra)
}

/// A house in which Postfix does not know of the milter.
fn alone(postfix: &'static [&'static str]) -> House {
    let extra = Extra { postfix, ..Extra::default() };
    House::open(Kind::Postfix, Transport::Unix, &with_door("alone = true"), &extra)
}

fn with_door(manner: &str) -> String {
    CONFIG.replace("\n[loop]\n", &format!("{DOOR}{manner}\n\n[loop]\n"))
}

const BESIDE: Extra<'_> =
    Extra { tls: Tls::Off, postfix: &[SERVICE], sendmail: &[], sendmail_cf: &[], sendmail_end: &[] };
const ALONE: [&str; 2] = [SERVICE, "smtpd_milters = "];

/// Postfix puts the address before the text of a refusal, so that these replies are not printable ASCII, or too long.
const ODD_REPLIES: [&str; 4] = [
    "letters beyond ASCII in a local part",
    "long addresses",
    "an internationalized domain in UTF-8",
    "an internationalized domain in UTF-8 from a stranger",
];
/// A local part with `%` may be another address to Postfix, and no milter hears which.
const UNCLEAR: [&str; 2] = ["percent signs in addresses", "percent signs in addresses from a stranger"];

fn without(mut dialogues: Vec<Dialogue>, left_out: &[&str]) -> Vec<Dialogue> {
    let before = dialogues.len();
    dialogues.retain(|dialogue| !left_out.contains(&dialogue.name.as_str()));
    assert_eq!(dialogues.len() + left_out.len(), before, "all that is left out is there");
    dialogues
}

/// No line is added where the headers are not seen.
fn unmarked(mut dialogues: Vec<Dialogue>) -> Vec<Dialogue> {
    for mail in dialogues.iter_mut().flat_map(|dialogue| &mut dialogue.mails) {
        mail.loops.clear();
    }
    dialogues
}

#[test]
fn who_may_send_beside_the_milter() {
    let house = beside(&BESIDE);
    play(&house, &without(gate::dialogues(), &ODD_REPLIES));
    play(&house, &verdicts::dialogues());
}

#[test]
fn spellings_beside_the_milter() {
    let house = beside(&BESIDE);
    play(&house, &spelling::dialogues());
}

#[test]
fn who_may_send_alone() {
    let house = alone(&ALONE);
    let left_out = [&ODD_REPLIES[..], &UNCLEAR].concat();
    play(&house, &unmarked(without(gate::dialogues(), &left_out)));
    play(&house, &unmarked(verdicts::holds()));
    play(&house, &alone_dialogues());
}

#[test]
fn spellings_alone() {
    let house = alone(&ALONE);
    play(&house, &unmarked(spelling::dialogues()));
}

/// `ann@a` becomes ann@a.example, which only Postfix knows.
#[test]
fn what_postfix_completes_alone() {
    let house = alone(&[
        SERVICE,
        "smtpd_milters = ",
        "mydomain = example",
        "append_dot_mydomain = yes",
        "mydestination = mx.test.example",
    ]);
    play(&house, &unmarked(spelling::by_way_of("mx.test.example")));
    let mut completed = Vec::new();
    for argument in ["<ann@a>", "<\"ann@a\">", "<ann%a>", "<ann@a.>", "<@r.example:ann@a>"] {
        completed.push(
            dialogue(argument, STRANGER)
                .mail("eve@sender.example")
                .argument(argument.as_bytes(), crate::dialogue::Want::NotAccepted("")),
        );
    }
    play(&house, &completed);
}

fn alone_dialogues() -> Vec<Dialogue> {
    let dialogues = vec![
        dialogue("a tag once for each message", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .ok("bob@tag.example")
            .ok("ann@open.example")
            .tags(&["source-not-gateway"])
            .mail("eve@sender.example")
            .ok("ann@open.example"),
        dialogue("held first, the other comes again", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .no("ann@tag.example", "452 4.5.3")
            .held(&["ann@hold.example"], "source-not-gateway")
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .tags(&["source-not-gateway"]),
        dialogue("monitored", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@monitor.example")
            .ok("nobody@monitor-hold.example")
            .ok("ann@inactive.example"),
        dialogue("soft", STRANGER)
            .mail("eve@sender.example")
            .no("ann@soft.example", "451 4.7.1")
            .no("ann@soft-drop.example", "451 4.7.1"),
        dialogue("an internal client", INTERNAL)
            .mail("eve@sender.example")
            .ok("nobody@a.example")
            .ok("ann@hold.example"),
    ];
    unmarked(dialogues)
}

/// At a listener that asks at DATA, and has done so before.
fn discards() -> Vec<Dialogue> {
    let dialogues = vec![
        dialogue("discarded", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .ok("bob@drop.example")
            .delivers(&[])
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .delivers(&[]),
        dialogue("discarded and accepted recipients are parted", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@drop.example")
            .no("ann@open.example", "452 4.5.3")
            .no("ann@hold.example", "452 4.5.3")
            .delivers(&[])
            .mail("eve@sender.example")
            .ok("ann@open.example")
            .no("ann@drop.example", "452 4.5.3"),
    ];
    unmarked(dialogues)
}

/// Told to discard at RCPT, Postfix would lose the mail of those who come after, and where it is not asked at DATA it
/// cannot be told later.
#[test]
fn nothing_is_discarded_where_nobody_asks_at_data() {
    let house = alone(&ALONE);
    let dialogue = dialogue("discarded", STRANGER)
        .mail("eve@sender.example")
        .no("ann@drop.example", "451 4.7.1")
        .ok("ann@open.example");
    play(&house, &unmarked(vec![dialogue]));
}

/// The lines that record decisions about recipients, once everything so far has been written.
fn decisions(house: &House, recipients: &[&str]) -> Vec<Vec<String>> {
    static MARKS: AtomicUsize = AtomicUsize::new(0);
    let mark = format!("mark.{}@a.example", MARKS.fetch_add(1, Ordering::Relaxed));
    send(house, STRANGER, &[&mark]);
    let log = house.postern().logged(0, &mark);
    let about = |recipient: &&str| {
        let field = format!("recipient=<{recipient}>");
        let lines = log.lines().filter(|line| line.contains("about=recipient") && line.contains(&field));
        lines.map(str::to_owned).collect()
    };
    recipients.iter().map(about).collect()
}

/// One message from a client: the reply to each recipient.
fn send(house: &House, client: &str, recipients: &[&str]) -> Vec<Reply> {
    let mut smtp = house.session(client);
    smtp.command("MAIL FROM:<eve@sender.example>");
    let heard = recipients.iter().map(|recipient| smtp.command(format!("RCPT TO:<{recipient}>")));
    let replies: Vec<Reply> = heard.collect();
    if replies.iter().any(Reply::is_ok) {
        smtp.command("DATA");
        let end = smtp.content(b"Subject: x\r\n\r\nbody\r\n");
        assert!(end.is_ok(), "{end}\n{}", house.logs());
    }
    smtp.command("QUIT");
    replies
}

/// Each decision is on record once, and the reply has its reference.
fn recorded_once(house: &House) {
    let cases = [
        (GATEWAY, "ann@a.example", true),
        (GATEWAY, "ann+once@a.example", true),
        (GATEWAY, "nobody.once@a.example", false),
        (STRANGER, "bob@a.example", false),
        (STRANGER, "bob@tag.example", true),
        (STRANGER, "once@open.unlisted.example", true),
    ];
    let replies = cases.map(|(client, recipient, _)| send(house, client, &[recipient]).remove(0));
    let found = decisions(house, &cases.map(|(_, recipient, _)| recipient));
    for (((_, recipient, accepted), reply), lines) in cases.into_iter().zip(replies).zip(found) {
        assert_eq!(reply.is_ok(), accepted, "{recipient}: {reply}");
        let [line] = lines.as_slice() else { panic!("{recipient}: {lines:#?}\n{}", house.logs()) };
        if !accepted {
            let text = reply.text();
            let (_, reference) = text.rsplit_once("(ref ").expect("a reference");
            let field = format!("ref={}", reference.trim_end_matches(')'));
            assert!(line.contains(&field), "{text}\n{line}");
        }
    }
}

#[test]
fn each_decision_is_recorded_once_beside_the_milter() {
    recorded_once(&beside(&BESIDE));
}

#[test]
fn each_decision_is_recorded_once_alone() {
    recorded_once(&alone(&ALONE));
}

const CLIENTS: &str = "smtpd_client_restrictions = check_policy_service unix:policyd.sock";
const HELOS: &str = "smtpd_helo_restrictions = check_policy_service unix:policyd.sock";
const SENDERS: &str = "smtpd_sender_restrictions = check_policy_service unix:policyd.sock";
const DATA: &str = "smtpd_data_restrictions = check_policy_service unix:policyd.sock";
const END: &str = "smtpd_end_of_data_restrictions = check_policy_service unix:policyd.sock";

#[test]
fn in_every_list_beside_the_milter() {
    const EXTRA: Extra<'_> = Extra {
        tls: Tls::Off,
        postfix: &[SERVICE, CLIENTS, HELOS, SENDERS, DATA, END],
        sendmail: &[],
        sendmail_cf: &[],
        sendmail_end: &[],
    };
    let house = beside(&EXTRA);
    recorded_once(&house);
    several(&house);
}

#[test]
fn in_every_list_alone() {
    let house = alone(&[SERVICE, CLIENTS, HELOS, SENDERS, DATA, END, "smtpd_milters = "]);
    recorded_once(&house);
    several(&house);
    house.settle().expect("an empty queue");
    play(&house, &alone_dialogues());
    play(&house, &discards());
}

#[test]
fn in_every_list_at_its_own_command() {
    let house =
        alone(&[SERVICE, CLIENTS, HELOS, SENDERS, DATA, END, "smtpd_milters = ", "smtpd_delay_reject = no"]);
    recorded_once(&house);
    several(&house);
    house.settle().expect("an empty queue");
    play(&house, &alone_dialogues());
    play(&house, &discards());
}

/// A message to several passes DATA and its end, because all were decided about.
fn several(house: &House) {
    let recipients = ["one@x.sub.example", "two@x.sub.example", "three@x.sub.example"];
    let replies = send(house, GATEWAY, &recipients);
    assert!(replies.iter().all(Reply::is_ok), "{replies:?}");
    for (recipient, lines) in recipients.iter().zip(decisions(house, &recipients)) {
        assert_eq!(lines.len(), 1, "{recipient}\n{}", house.logs());
    }
}

/// Asked at DATA alone, one recipient can be told, and of several nothing.
#[test]
fn at_data_alone() {
    let house = alone(&[DATA, "smtpd_milters = "]);
    let refused = |end| dialogue(end, STRANGER).mail("eve@sender.example").end(Refused(end)).delivers(&[]);
    let dialogues = vec![
        dialogue("one", GATEWAY).mail("eve@sender.example").ok("ann@a.example"),
        refused("550 5.7.1").ok("ann@a.example"),
        refused("451 4.7.1").ok("ann@a.example").ok("bob@a.example"),
        dialogue("several of an internal client", INTERNAL)
            .mail("eve@sender.example")
            .ok("ann@a.example")
            .ok("bob@a.example"),
        dialogue("one on hold", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@hold.example")
            .held(&["ann@hold.example"], "source-not-gateway"),
        dialogue("one tagged", STRANGER)
            .mail("eve@sender.example")
            .ok("ann@tag.example")
            .tags(&["source-not-gateway"]),
    ];
    play(&house, &unmarked(dialogues));
}

/// The fingerprint of a client's certificate, as an administrator asks for it.
fn fingerprint(house: &House, name: &str) -> String {
    let file = house.mta.dir().join("authority").join(format!("{name}.pem"));
    let asked = ["x509", "-noout", "-fingerprint", "-sha256", "-in"];
    let said = Command::new("openssl").args(asked).arg(file).output().expect("openssl runs");
    let said = String::from_utf8(said.stdout).expect("text");
    said.trim().split_once('=').expect("a fingerprint").1.to_owned()
}

#[test]
fn a_certificate_is_known_by_its_fingerprint() {
    const EXTRA: Extra<'_> = Extra {
        tls: Tls::Authority,
        postfix: &[SERVICE],
        sendmail: &[],
        sendmail_cf: &[],
        sendmail_end: &[],
    };
    let mut house = beside(&EXTRA);
    let own = format!(
        "[gateway.print]\nfingerprint = [\"{}\"]\n[domain.\"print.example\"]\nmode = \"enforce\"\ngateways = [\"print\"]\n",
        fingerprint(&house, "self-signed")
    );
    house.configure(&format!("{}\n{own}", with_door("alone = false")));
    house.postern = None;
    house.start_postern();
    let mut dialogues = Vec::new();
    for (shows, ours) in [
        (Certificate("self-signed"), true),
        (Certificate("host"), false),
        (Certificate("expired"), false),
        (Nothing, false),
    ] {
        let want = if ours { Ok(()) } else { Err("550 5.7.1") };
        dialogues.push(
            dialogue(format!("{shows:?}"), STRANGER)
                .shows(shows)
                .mail("eve@sender.example")
                .add("ann@print.example", want)
                // What the policy service leaves to the milter, which hears of no fingerprints itself.
                .add("ann%print.example", want)
                .no("ann@a.example", "550 5.7.1")
                .delivers(if ours { &["ann@print.example", "ann@print.example"] } else { &[] }),
        );
    }
    dialogues
        .push(dialogue("no TLS", STRANGER).mail("eve@sender.example").no("ann@print.example", "550 5.7.1"));
    play(&house, &dialogues);
}

/// Nobody has told the milter: that is no proof that the client is another.
#[test]
fn a_fingerprint_that_nobody_tells() {
    let config = with_door("alone = false")
        + "[gateway.print]\nfingerprint = [\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]\n\
           [domain.\"print.example\"]\nmode = \"enforce\"\ngateways = [\"print\"]\n";
    let house = House::open(Kind::Postfix, Transport::Unix, &config, &Extra::default());
    play(
        &house,
        &[dialogue("not asked", STRANGER).mail("eve@sender.example").no("ann@print.example", "451 4.7.1")],
    );
}

/// Postfix keeps its connection, finds it closed, and asks anew.
#[test]
fn restarted_under_a_running_postfix() {
    let mut house = alone(&[SERVICE, "smtpd_milters = ", "smtpd_policy_service_retry_delay = 1s"]);
    let mut smtp: Smtp = house.session(GATEWAY);
    let rcpt = |smtp: &mut Smtp, recipient: &str| smtp.command(format!("RCPT TO:<{recipient}>")).text();
    smtp.command("MAIL FROM:<eve@sender.example>");
    assert!(rcpt(&mut smtp, "ann@a.example").starts_with("250 "));
    for how in ["stopped", "killed"] {
        let postern = house.postern.take().expect("Postern runs");
        if how == "killed" {
            postern.kill();
        } else {
            assert!(postern.stop().success());
        }
        house.start_postern();
        assert!(rcpt(&mut smtp, &format!("nobody.{how}@a.example")).starts_with("550 5.1.1 "), "{how}");
        assert!(rcpt(&mut smtp, "bob@a.example").starts_with("250 "), "{how}\n{}", house.logs());
    }
    smtp.command("DATA");
    assert!(smtp.content(b"Subject: x\r\n\r\nbody\r\n").is_ok());
    // While nobody is there, Postfix's own default says come again.
    drop(house.postern.take());
    let mut smtp = house.session(GATEWAY);
    smtp.command("MAIL FROM:<eve@sender.example>");
    assert!(rcpt(&mut smtp, "ann@a.example").starts_with("451 4.3.5 "));
}

/// Whoever sends garbage is hung up on; Postfix notices nothing.
#[test]
fn a_flood_of_garbage_beside_good_requests() {
    let house = alone(&ALONE);
    let path: PathBuf = house.mta.dir().join("spool/policyd.sock");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (path, stop) = (&path, &stop);
            scope.spawn(move || {
                let flood = vec![b'x'; 20_000];
                let garbage: [&[u8]; 4] = [
                    b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
                    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    b"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=ann@a.example\n",
                    &flood,
                ];
                while !stop.load(Ordering::Relaxed) {
                    let Ok(mut stream) = UnixStream::connect(path) else { continue };
                    let _ = stream.write_all(garbage[number]);
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    let mut heard = Vec::new();
                    let _ = stream.read_to_end(&mut heard);
                    assert!(heard.is_empty(), "{}", heard.escape_ascii());
                }
            });
        }
        let mut failures = Vec::new();
        for _ in 0..20 {
            let replies = send(&house, GATEWAY, &["ann@a.example", "nobody@a.example"]);
            if !(replies[0].is_ok() && replies[1].text().starts_with("550 5.1.1 ")) {
                failures.push(replies);
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(failures.is_empty(), "{failures:?}\n{}", house.logs());
    });
}
