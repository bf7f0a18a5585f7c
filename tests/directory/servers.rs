// SPDX-License-Identifier: GPL-3.0-or-later
//! The servers themselves: what the tests of directories rely on.

use std::fs;
use std::net::SocketAddr;
use std::process::Output;

use crate::common::company::Company;
use crate::common::ldap_server::{LdapServer, READER, READER_PASSWORD, SUFFIX, Setup, Shown};
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

/// Is there a connection to this address on which a question waits for its reader? (`proc_net_tcp`: local address, remote
/// address, state, `tx_queue:rx_queue`)
fn unread(address: SocketAddr) -> bool {
    let local = format!("0100007F:{:04X}", address.port());
    let connections = fs::read_to_string("/proc/net/tcp").unwrap();
    connections.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Established, and not the socket that listens.
        words[1] == local && words[3] == "01" && !words[4].ends_with(":00000000")
    })
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
