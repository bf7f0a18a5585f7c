// SPDX-License-Identifier: GPL-3.0-or-later
//! Recipients from directories that are synced: slapd and an export beside the mail server, every way in which a recipient can
//! be known, and what becomes of those who are not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::dir::TestDir;
use crate::common::ldap_server::{LdapServer, READER, READER_PASSWORD, SUFFIX, Setup};
use crate::common::wait::{SOON, wait_until};
use crate::dialogue::{Dialogue, GATEWAY, INTERNAL, dialogue};
use crate::house::{House, Kind};
use crate::mta::{Extra, Transport};
use crate::play::play;

const NOT_GATEWAY: &str = "550 5.7.1";
const UNKNOWN: &str = "550 5.1.1";
const UNREADY: &str = "451 4.7.1";

const CONFIG: &str = r#"
state_dir = "@DIR@/state"
[loop]
id = "gate.test.example"
[milter]
listen = ["@LISTEN@"]
socket_mode = "0666"
[internal]
networks = ["127.0.0.9"]
[gateway.seg]
networks = ["127.0.0.2"]

[directory.corp]
type = "ldap"
preset = "openldap"
servers = ["@URL@"]
ca = "@CA@"
bind_dn = "@READER@"
password = { file = "@FILES@/password.txt" }
base = "@SUFFIX@"
timeout = "2s"
refresh = "10s"
@RULES@
[directory.lists]
type = "csv"
path = "@FILES@/lists.csv"
columns = { addresses = ["address"], internal_only = "inside" }
patterns = true
refresh = "10s"
[directory.never]
type = "csv"
path = "@FILES@/no-such-export.csv"

[domain."example.com"]
mode = "enforce"
gateways = ["seg"]
directories = ["corp", "lists"]
subaddress = "+-"
strip = ["batv", "srs"]
verp = ["bounces-*"]
[domain."alias.example"]
alias_of = "example.com"
[domain."hold.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["lists"]
recipients = "quarantine"
[domain."learn.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["lists"]
recipients = "@LEARN@"
[domain."wild.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["lists"]
[domain."bücher.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["lists"]
[domain."never.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["never"]
[domain."half.example"]
mode = "enforce"
gateways = ["seg"]
directories = ["lists", "never"]
"#;

/// J\u{f6}rg is composed here, Jos\u{e9} is not.
const LISTS: &str = "address,inside\n\
    sales@example.com,\n\
    owner-sales@example.com,\n\
    all@example.com,TRUE\n\
    ticket-*@example.com,\n\
    j\u{f6}rg@example.com,\n\
    jose\u{301}@example.com,\n\
    ann@hold.example,\n\
    ann@learn.example,\n\
    @wild.example,\n\
    ann@b\u{fc}cher.example,\n\
    ann@half.example,\n\
    ann@elsewhere.example,\n";

/// A house whose directories are slapd and files.
pub(crate) struct Site {
    pub(crate) house: House,
    pub(crate) slapd: LdapServer,
    files: TestDir,
}

impl Site {
    /// Opens it, with these further keys of the LDAP directory, and waits until its directories are synced.
    pub(crate) fn open(kind: Kind, rules: &str) -> Self {
        let ldif = ["ann", "bob", "cid"].map(entry).concat();
        let slapd = LdapServer::start(Setup { ldif, ..Setup::default() });
        let files = TestDir::new();
        let secret = files.write("password.txt", READER_PASSWORD);
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).expect("its mode");
        files.write("lists.csv", LISTS);
        let config = config(&slapd, &files, rules, "learn");
        let house = House::open(kind, Transport::Unix, &config, &Extra::default());
        let site = Self { house, slapd, files };
        for recipient in ["ann@example.com", "sales@example.com"] {
            site.becomes(recipient, "250");
        }
        site
    }

    /// Puts another configuration in force.
    pub(crate) fn reload(&self, rules: &str, learn: &str) {
        self.house.configure(&config(&self.slapd, &self.files, rules, learn));
        let since = self.house.postern().log().len();
        self.house.postern().reload();
        self.house.postern().logged(since, "reloaded");
    }

    /// What the gateway hears for this recipient.
    pub(crate) fn rcpt(&self, recipient: &str) -> String {
        let mut smtp = self.house.session(GATEWAY);
        smtp.command("MAIL FROM:<eve@sender.example>");
        smtp.command(format!("RCPT TO:<{recipient}>")).text()
    }

    /// Waits until it hears this.
    pub(crate) fn becomes(&self, recipient: &str, start: &str) {
        let mut heard = String::new();
        wait_until(&format!("{recipient} to become {start}\n{}", self.house.logs()), SOON, || {
            heard = self.rcpt(recipient);
            heard.starts_with(start)
        });
    }
}

fn config(slapd: &LdapServer, files: &TestDir, rules: &str, learn: &str) -> String {
    let text = [
        ("@URL@", slapd.url()),
        ("@CA@", slapd.ca_file().display().to_string()),
        ("@READER@", READER.to_owned()),
        ("@SUFFIX@", SUFFIX.to_owned()),
        ("@FILES@", files.path().display().to_string()),
        ("@RULES@", rules.to_owned()),
        ("@LEARN@", learn.to_owned()),
    ];
    text.iter().fold(CONFIG.to_owned(), |config, (name, value)| config.replace(name, value))
}

fn entry(name: &str) -> String {
    format!(
        "dn: uid={name},{SUFFIX}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\nuid: {name}\ncn: {name}\n\
         sn: x\nmail: {name}@example.com\nmailLocalAddress: {name}.alias@example.com\n\n"
    )
}

#[test]
fn known_in_every_way_on_postfix() {
    let site = Site::open(Kind::Postfix, "");
    play(&site.house, &dialogues());
    play(&site.house, &internationalized());
}

#[test]
fn known_in_every_way_on_sendmail() {
    play(&Site::open(Kind::Sendmail, "").house, &dialogues());
}

fn dialogues() -> Vec<Dialogue> {
    let accepted = [
        ("by its address", "bob@example.com"),
        ("by its second address", "bob.alias@example.com"),
        ("in upper case", "BOB@EXAMPLE.COM"),
        ("with a subaddress", "bob+news@example.com"),
        ("with a subaddress behind the other character", "bob-news@example.com"),
        ("a list", "sales@example.com"),
        ("a list's owner", "owner-sales@example.com"),
        ("in an alias of the domain", "bob@alias.example"),
        ("an alias with a subaddress", "bob+news@alias.example"),
        ("with a BATV signature", "prvs=0123abcdef=bob@example.com"),
        ("a rewritten sender of ours", "SRS0=abcd=xy=example.com=bob@example.com"),
        ("a bounce of a list", "bounces-17-eve=sender.example@example.com"),
        ("a pattern", "ticket-4711@example.com"),
        ("a whole domain", "anybody@wild.example"),
        ("an internationalized domain", "ann@xn--bcher-kva.example"),
        ("postmaster", "postmaster@example.com"),
        ("in the one of two that is known", "ann@half.example"),
    ];
    let refused = [
        ("nobody", "nobody@example.com", UNKNOWN),
        ("a request address stays whole", "sales-request@example.com", UNKNOWN),
        ("nobody's subaddress", "nobody+bob@example.com", UNKNOWN),
        ("nobody in an alias", "nobody@alias.example", UNKNOWN),
        ("nobody with a BATV signature", "prvs=0123abcdef=nobody@example.com", UNKNOWN),
        ("nobody as a rewritten sender", "SRS0=abcd=xy=example.com=nobody@example.com", UNKNOWN),
        ("nobody in an internationalized domain", "nobody@xn--bcher-kva.example", UNKNOWN),
        ("a list for internal clients", "all@example.com", NOT_GATEWAY),
        ("the same with a subaddress", "all+x@example.com", NOT_GATEWAY),
        ("the same in an alias", "all@alias.example", NOT_GATEWAY),
        ("a directory that was never synced", "ann@never.example", UNREADY),
        ("one of two that was never synced", "nobody@half.example", UNREADY),
    ];
    let mut dialogues: Vec<Dialogue> = accepted
        .iter()
        .map(|(name, recipient)| dialogue(*name, GATEWAY).mail("eve@sender.example").ok(recipient))
        .collect();
    dialogues.extend(refused.iter().map(|(name, recipient, reply)| {
        dialogue(*name, GATEWAY).mail("eve@sender.example").no(recipient, reply).ok("ann@example.com")
    }));
    dialogues.extend([
        dialogue("internal clients write to the list", INTERNAL)
            .mail("bob@example.com")
            .ok("all@example.com"),
        dialogue("an unknown one is held where the domain says so", GATEWAY)
            .mail("eve@sender.example")
            .ok("nobody@hold.example")
            .held(&["nobody@hold.example"], "recipient-unknown"),
        dialogue("a known one is not held", GATEWAY).mail("eve@sender.example").ok("ann@hold.example"),
        dialogue("an unknown one is accepted where the domain learns", GATEWAY)
            .mail("eve@sender.example")
            .ok("zoe@learn.example"),
    ]);
    dialogues
}

/// Local parts that are no ASCII, composed (NFC) and not (NFD), however the directory has them.
fn internationalized() -> Vec<Dialogue> {
    let both = ["j\u{f6}rg", "jo\u{308}rg", "jos\u{e9}", "jose\u{301}", "J\u{d6}RG"];
    let mut dialogues: Vec<Dialogue> = both
        .iter()
        .flat_map(|local| [format!("{local}@example.com"), format!("{local}+x@alias.example")])
        .map(|recipient| {
            dialogue(format!("{recipient:?}"), GATEWAY)
                .mail("eve@sender.example")
                .smtputf8()
                .ok(&recipient)
                .delivers_somehow()
        })
        .collect();
    dialogues.push(
        dialogue("a domain in UTF-8", GATEWAY)
            .mail("eve@sender.example")
            .smtputf8()
            .ok("ann@bu\u{308}cher.example")
            .ok("ann@b\u{fc}cher.example")
            .no("jorg@example.com", UNKNOWN)
            .no("j\u{f6}rg@b\u{fc}cher.example", UNKNOWN)
            .delivers_somehow(),
    );
    dialogues
}

#[test]
fn who_comes_is_known_after_one_sync_and_who_goes_stays_for_the_grace() {
    let site = Site::open(Kind::Postfix, "removal_grace = \"1h\"");
    assert!(site.rcpt("new@example.com").starts_with(UNKNOWN));
    site.slapd.load(&entry("new"));
    let said = site.house.does("directories sync corp");
    assert!(said.contains("2 new, 0 gone"), "{said}");
    // When the command has come back, it is so.
    assert!(site.rcpt("new@example.com").starts_with("250"));
    // And without a command.
    site.slapd.load(&entry("newer"));
    site.becomes("newer@example.com", "250");

    site.slapd.modify(&format!("dn: uid=new,{SUFFIX}\nchangetype: delete\n"));
    site.house.does("directories sync corp");
    let known = site.house.does("directories lookup new@example.com");
    assert!(known.contains("leaving") && known.contains("removal_grace"), "{known}");
    play(
        &site.house,
        &[dialogue("one who is leaving", GATEWAY)
            .mail("eve@sender.example")
            .ok("new@example.com")
            .ok("new.alias@example.com")],
    );
    site.reload("removal_grace = \"0s\"", "learn");
    play(
        &site.house,
        &[dialogue("one who has left", GATEWAY)
            .mail("eve@sender.example")
            .no("new@example.com", UNKNOWN)
            .no("new.alias@example.com", UNKNOWN)
            .ok("newer@example.com")],
    );
}

#[test]
fn the_grace_ends_by_itself() {
    let site = Site::open(Kind::Postfix, "removal_grace = \"10s\"");
    site.slapd.modify(&format!("dn: uid=cid,{SUFFIX}\nchangetype: delete\n"));
    site.house.does("directories sync corp");
    site.becomes("cid@example.com", UNKNOWN);
    assert!(site.rcpt("bob@example.com").starts_with("250"));
}

#[test]
fn who_was_learned_and_approved_exists_without_a_reload() {
    let site = Site::open(Kind::Postfix, "");
    let unknown = dialogue("learning", GATEWAY)
        .mail("eve@sender.example")
        .ok("Zoe@learn.example")
        .ok("ann@learn.example")
        .mail("eve@sender.example")
        .ok("zed@learn.example");
    play(&site.house, &[unknown]);
    wait_until("what was learned", SOON, || {
        let said = site.house.does("directories learned");
        said.contains("zoe@learn.example") && said.contains("zed@learn.example")
    });
    let said = site.house.does("directories learned");
    assert!(said.contains("through seg") && !said.contains("ann@learn.example"), "{said}");
    site.reload("", "reject");
    assert!(site.rcpt("zoe@learn.example").starts_with(UNKNOWN));
    site.house.does("directories learned --approve zoe@learn.example");
    play(
        &site.house,
        &[dialogue("one of two is approved", GATEWAY)
            .mail("eve@sender.example")
            .ok("zoe@learn.example")
            .ok("ZOE+x@learn.example")
            .no("zed@learn.example", UNKNOWN)],
    );
    site.house.does("directories learned --forget zoe@learn.example");
    assert!(site.rcpt("zoe@learn.example").starts_with(UNKNOWN));
}
