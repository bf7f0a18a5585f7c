// SPDX-License-Identifier: GPL-3.0-or-later
//! The servers themselves: what the tests of directories rely on.

use std::fs;
use std::net::SocketAddr;
use std::process::Output;

use crate::common::authority::Shown;
use crate::common::company::Company;
use crate::common::ldap_server::{LdapServer, READER, READER_PASSWORD, SUFFIX, Setup};
use crate::common::mariadb::{self, MariaDb};
use crate::common::postgres::{self, Postgres};
use crate::common::wait::{SOON, wait_until};

/// What a client printed; panics unless it succeeded.
fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    text
}

/// How many entries a client printed.
fn entries(output: &Output) -> usize {
    printed(output).lines().filter(|line| line.starts_with("dn:")).count()
}

/// Is there a connection to this address on which a question waits for its reader?
fn unread(address: SocketAddr) -> bool {
    connections(address).any(|waiting| !waiting.ends_with(":00000000"))
}

/// Is there a connection to this address?
fn connected(address: SocketAddr) -> bool {
    connections(address).next().is_some()
}

/// What waits on each connection to this address, as `proc_net_tcp` has it: local address, remote address, state,
/// `tx_queue:rx_queue`.
fn connections(address: SocketAddr) -> impl Iterator<Item = String> {
    let local = format!("0100007F:{:04X}", address.port());
    let lines = fs::read_to_string("/proc/net/tcp").unwrap();
    let lines: Vec<_> =
        lines.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    // Established, and not the socket that listens.
    lines
        .into_iter()
        .filter(move |words| words[1] == local && words[3] == "01")
        .map(|mut words| words.swap_remove(4))
}

const ANN: &str = "dn: uid=ann,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: Ann\nsn: A\nuid: ann\n\
                   mail: ann@example.com\n\n";

#[test]
fn slapd_keeps_its_data_and_stands_still() {
    let mut server = LdapServer::start(Setup { ldif: ANN.into(), ..Setup::default() });
    let find = ["-ZZ", "(mail=ann@example.com)", "mail"];
    assert!(printed(&server.search(&find)).contains("mail: ann@example.com"));
    server.load(&ANN.replace("ann", "bob"));
    server.modify("dn: uid=ann,dc=example,dc=com\nchangetype: modify\nreplace: mail\nmail: a@example.com\n");

    server.kill();
    assert!(!server.search(&find).status.success(), "slapd was killed");
    server.restart();
    assert_eq!(entries(&server.search(&["-ZZ", "(mail=a@example.com)"])), 1);
    assert_eq!(entries(&server.search(&["-ZZ", "(mail=bob@example.com)"])), 1);

    let url = server.url();
    let reader = ["-x", "-H", &url, "-D", READER, "-w", READER_PASSWORD, "-b", SUFFIX];
    let changes =
        printed(&server.client("ldapsearch", &[&reader[..], &["-E", "!sync=ro", "(uid=*)"]].concat(), ""));
    assert!(changes.contains("SyncDone"), "slapd tells of changes: {changes}");

    server.freeze();
    let found = std::thread::scope(|scope| {
        let search = scope.spawn(|| server.search(&["-ZZ", "(uid=*)"]));
        wait_until("the question to be sent", SOON, || unread(server.address()));
        assert!(!search.is_finished(), "slapd stands still");
        server.thaw();
        search.join().unwrap()
    });
    assert_eq!(entries(&found), 2);
}

#[test]
fn slapd_shows_the_certificate_that_it_is_told_to() {
    let mut server = LdapServer::start(Setup::default());
    let secure = server.secure_url();
    let whoami = ["-x", "-H", &secure, "-D", READER, "-w", READER_PASSWORD];
    assert_eq!(printed(&server.client("ldapwhoami", &whoami, "")).trim(), format!("dn:{READER}"));
    for shown in [Shown::Expired, Shown::OfAnother] {
        server.show(shown);
        assert!(!server.client("ldapwhoami", &whoami, "").status.success(), "{shown:?}");
    }
    server.show(Shown::Good);
    printed(&server.client("ldapwhoami", &whoami, ""));
}

#[test]
fn a_certificate_or_a_password_makes_the_reader() {
    let server = LdapServer::start(Setup { ldif: ANN.into(), ..Setup::default() });
    let identity = server.client_identity();
    let (plain, secure) = (server.url(), server.secure_url());
    for url in [["-H", &secure, "-v"], ["-H", &plain, "-ZZ"]] {
        let mut command = std::process::Command::new("ldapwhoami");
        command.args(url).args(["-Y", "EXTERNAL", "-Q"]).env("LDAPTLS_CACERT", server.ca_file());
        command.env("LDAPTLS_CERT", &identity.certificate).env("LDAPTLS_KEY", &identity.key);
        let said = command.output().unwrap();
        assert!(printed(&said).contains(&format!("dn:{READER}")), "{url:?}: {said:?}");
    }
    for (who, password) in [(READER, "wrong"), ("cn=nobody,dc=example,dc=com", READER_PASSWORD)] {
        let refused = server.client("ldapwhoami", &["-x", "-H", &plain, "-D", who, "-w", password], "");
        assert_eq!(refused.status.code(), Some(49), "{who} {password}: {refused:?}");
    }
    let anonymous = server.client("ldapsearch", &["-x", "-H", &plain, "-b", SUFFIX], "");
    assert_eq!(anonymous.status.code(), Some(32), "{anonymous:?}");
}

#[test]
fn slapd_limits_pages() {
    let company = Company { people: 25_000, groups: 6, members: 5_000 };
    let server = LdapServer::start(Setup { ldif: company.ldif(), page: Some(500), ..Setup::default() });
    let whole = server.search(&["(objectClass=inetOrgPerson)", "1.1"]);
    assert_eq!(whole.status.code(), Some(4), "the size limit: {:?}", String::from_utf8_lossy(&whole.stderr));
    let paged =
        |size: &str, filter: &str| server.search(&["-E", &format!("pr={size}/noprompt"), filter, "1.1"]);
    assert_eq!(entries(&paged("500", "(objectClass=inetOrgPerson)")), 25_000);
    let too_large = paged("1000", "(objectClass=inetOrgPerson)");
    assert_eq!(too_large.status.code(), Some(11), "{:?}", String::from_utf8_lossy(&too_large.stderr));
    let group = server.search(&["(mailLocalAddress=g0@example.com)", "member"]);
    assert_eq!(printed(&group).matches("member: ").count(), 5_001);
}

#[test]
fn slapd_has_entries_as_active_directory_has_them() {
    let company = Company { people: 25_000, groups: 6, members: 5_000 };
    let root = "highestCommittedUSN: 26006\ndefaultNamingContext: dc=example,dc=com\n\
                supportedCapabilities: 1.2.840.113556.1.4.800\ndnsHostName: dc1.example.com\n";
    let others = "dn: CN=Info,OU=Lists,dc=example,dc=com\nobjectClass: top\nobjectClass: publicFolder\ncn: Info\n\
                  proxyAddresses: SMTP:info@example.com\n\n\
                  dn: CN=All,OU=Lists,dc=example,dc=com\nobjectClass: top\n\
                  objectClass: msExchDynamicDistributionList\ncn: All\nproxyAddresses: SMTP:all@example.com\n\n\
                  dn: CN=Guest,OU=Lists,dc=example,dc=com\nobjectClass: top\nobjectClass: person\n\
                  objectClass: organizationalPerson\nobjectClass: contact\ncn: Guest\nsn: Guest\n\
                  targetAddress: SMTP:guest@other.example\nproxyAddresses: SMTP:guest@example.com\n\
                  msExchHideFromAddressLists: TRUE\n\n";
    let ldif = format!("{}{others}", company.active_directory());
    let server = LdapServer::start(Setup { ldif, root: root.into(), ..Setup::default() });
    let count = |filter: &str| entries(&server.search(&["-E", "pr=1000/noprompt", filter, "1.1"]));
    let mail = "(&(proxyAddresses=smtp:*)(|(objectClass=user)(objectClass=group)(objectClass=contact)\
                (objectClass=publicFolder)(objectClass=msExchDynamicDistributionList)))";
    for (filter, found) in [
        (mail, 25_009),
        ("(uSNChanged>=25990)", 16),
        ("(userAccountControl:1.2.840.113556.1.4.803:=512)", 25_000),
        ("(userAccountControl:1.2.840.113556.1.4.803:=2)", 0),
        ("(msExchRequireAuthToSendTo=TRUE)", 3),
    ] {
        assert_eq!(count(filter), found, "{filter}");
    }
    let dse = server.search(&["-s", "base", "-b", "", "+", "*"]);
    assert!(printed(&dse).contains("highestCommittedUSN: 26006"), "{}", printed(&dse));
}

#[test]
fn postgresql_keeps_its_data_and_stands_still() {
    let mut server = Postgres::start(Some(Shown::Good));
    server.run("CREATE TABLE people (mail text);\nCOPY people FROM STDIN;\nann@example.com\nj\u{f6}rg@example.com\n\\.\n");
    server.run("INSERT INTO people SELECT 'p' || n || '@example.com' FROM generate_series(1, 25000) AS n");
    let count = "SELECT count(*) FROM people";
    let ask = |server: &Postgres| server.ask(postgres::USER, postgres::PASSWORD, "verify-full", count);
    assert_eq!(printed(&ask(&server)).trim(), "25002");
    for (user, password, mode) in [
        (postgres::USER, "wrong", "verify-full"),
        ("nobody", postgres::PASSWORD, "verify-full"),
        (postgres::USER, postgres::PASSWORD, "disable"),
    ] {
        let refused = server.ask(user, password, mode, count);
        assert!(!refused.status.success(), "{user} {password} {mode}: {refused:?}");
    }

    server.kill();
    assert!(!ask(&server).status.success(), "PostgreSQL was killed");
    server.restart();
    assert_eq!(printed(&ask(&server)).trim(), "25002");

    server.freeze();
    let found = std::thread::scope(|scope| {
        let question = scope.spawn(|| ask(&server));
        wait_until("the question to be sent", SOON, || unread(server.address()));
        assert!(!question.is_finished(), "PostgreSQL stands still");
        server.thaw();
        question.join().unwrap()
    });
    assert_eq!(printed(&found).trim(), "25002");
    assert!(server.log().contains(count), "{}", server.log());
}

#[test]
fn postgresql_stands_still_in_the_middle_of_an_answer() {
    let server = Postgres::start(None);
    let long = "SELECT repeat('x', 1000) FROM generate_series(1, 100000)";
    let rows = std::thread::scope(|scope| {
        let question = scope.spawn(|| server.ask(postgres::USER, postgres::PASSWORD, "disable", long));
        wait_until("the question to be read", SOON, || server.log().contains(long));
        server.freeze();
        server.thaw();
        question.join().unwrap()
    });
    assert_eq!(printed(&rows).lines().count(), 100_000);
}

#[test]
fn postgresql_shows_the_certificate_that_it_is_told_to() {
    let mut server = Postgres::start(None);
    let ask = |server: &Postgres, mode| server.ask(postgres::USER, postgres::PASSWORD, mode, "SELECT 1");
    assert!(!ask(&server, "require").status.success(), "there is no TLS");
    assert_eq!(printed(&ask(&server, "disable")).trim(), "1");
    for shown in [Shown::Expired, Shown::OfAnother] {
        server.show(Some(shown));
        assert!(!ask(&server, "verify-full").status.success(), "{shown:?}");
    }
    server.show(Some(Shown::Good));
    assert_eq!(printed(&ask(&server, "verify-full")).trim(), "1");
}

#[test]
fn mariadb_keeps_its_data_and_stands_still() {
    let mut server = MariaDb::start(Some(Shown::Good));
    server.run("CREATE TABLE people (mail text);\nINSERT INTO people VALUES ('ann@example.com'), ('j\u{f6}rg@example.com');");
    server.run("INSERT INTO people SELECT concat('p', seq, '@example.com') FROM seq_1_to_25000");
    let count = "SELECT count(*) FROM people";
    let verified = ["--ssl-verify-server-cert"];
    let ask = |server: &MariaDb| server.ask(mariadb::USER, mariadb::PASSWORD, &verified, count);
    assert_eq!(printed(&ask(&server)).trim(), "25002");
    for (user, password, options) in [
        (mariadb::USER, "wrong", &verified[..]),
        ("nobody", mariadb::PASSWORD, &verified),
        (mariadb::USER, mariadb::PASSWORD, &["--skip-ssl"]),
    ] {
        let refused = server.ask(user, password, options, count);
        assert!(!refused.status.success(), "{user} {password} {options:?}: {refused:?}");
    }

    server.kill();
    assert!(!ask(&server).status.success(), "MariaDB was killed");
    server.restart();
    assert_eq!(printed(&ask(&server)).trim(), "25002");

    server.freeze();
    let found = std::thread::scope(|scope| {
        let question = scope.spawn(|| ask(&server));
        // The server speaks first, so that nothing waits for it but the connection.
        wait_until("the client to be connected", SOON, || connected(server.address()));
        assert!(!question.is_finished(), "MariaDB stands still");
        server.thaw();
        question.join().unwrap()
    });
    assert_eq!(printed(&found).trim(), "25002");
    assert!(server.log().contains(count), "{}", server.log());
}

#[test]
fn mariadb_shows_the_certificate_that_it_is_told_to() {
    let mut server = MariaDb::start(None);
    let ask = |server: &MariaDb, option| server.ask(mariadb::USER, mariadb::PASSWORD, &[option], "SELECT 1");
    assert!(!ask(&server, "--ssl-verify-server-cert").status.success(), "there is no TLS");
    assert_eq!(printed(&ask(&server, "--skip-ssl")).trim(), "1");
    for shown in [Shown::Expired, Shown::OfAnother] {
        server.show(Some(shown));
        assert!(!ask(&server, "--ssl-verify-server-cert").status.success(), "{shown:?}");
    }
    server.show(Some(Shown::Good));
    assert_eq!(printed(&ask(&server, "--ssl-verify-server-cert")).trim(), "1");
}
