// SPDX-License-Identifier: GPL-3.0-or-later
//! LDAP in the battery: slapd with StartTLS and a password, behind a line that can be cut.

use crate::battery::{self, Fault, Rig};
use crate::common::authority::Shown;
use crate::common::dir::TestDir;
use crate::common::ldap_server::{LdapServer, READER, READER_PASSWORD, SUFFIX, Setup};
use crate::line::{Deed, Line};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

/// A server once there are people to start it with: only then does it take addresses with other letters than ASCII.
struct Ldap {
    dir: TestDir,
    running: Option<(Arc<Mutex<LdapServer>>, Line)>,
    /// Number and address of each entry.
    entries: Vec<(usize, String)>,
    made: usize,
}

impl Ldap {
    fn set_password(&self, password: &str) {
        let file = self.dir.write("password.txt", password);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn line(&self) -> &Line {
        &self.running.as_ref().expect("it was given people").1
    }

    fn with(&self, act: impl FnOnce(&mut LdapServer)) {
        act(&mut self.running.as_ref().expect("it was given people").0.lock().unwrap());
    }

    /// New entries for these addresses, as LDIF.
    fn enter(&mut self, addresses: Vec<String>) -> String {
        let mut ldif = String::new();
        for address in addresses {
            self.made += 1;
            let (number, mail) = (self.made, STANDARD.encode(&address));
            let entry = format!(
                "dn: uid=u{number},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: x\nsn: x\nmail:: {mail}\n\n"
            );
            ldif.push_str(&entry);
            self.entries.push((number, address));
        }
        ldif
    }
}

#[async_trait::async_trait]
impl Rig for Ldap {
    fn name(&self) -> &'static str {
        "LDAP"
    }

    fn keys(&self) -> String {
        let (line, dir) = (self.line(), self.dir.path().display());
        let mut ca = String::new();
        self.with(|server| ca = server.ca_file().display().to_string());
        format!(
            "type = \"ldap\"\nservers = [\"ldap://{}\"]\nca = \"{ca}\"\nbind_dn = \"{READER}\"\n\
             password = {{ file = \"{dir}/password.txt\" }}\nbase = \"{SUFFIX}\"\npreset = \"openldap\"\npage_size = 100\ntimeout = \"10s\"",
            line.address()
        )
    }

    async fn hold(&mut self, people: &[String]) {
        let mut new = people.to_vec();
        let mut gone = String::new();
        self.entries.retain(|(number, address)| {
            let stays = new.iter().position(|one| one == address);
            match stays {
                Some(at) => drop(new.swap_remove(at)),
                None => {
                    gone.extend(["dn: uid=u", &number.to_string(), ",", SUFFIX, "\nchangetype: delete\n\n"])
                }
            }
            stays.is_some()
        });
        let new = self.enter(new);
        if self.running.is_none() {
            let server = LdapServer::start(Setup { ldif: new, page: Some(100), ..Setup::default() });
            let line = Line::to(server.address());
            self.running = Some((Arc::new(Mutex::new(server)), line));
            return;
        }
        self.with(|server| {
            for (change, ldif) in [(true, gone), (false, new)] {
                match (ldif.is_empty(), change) {
                    (true, _) => {}
                    (false, true) => server.modify(&ldif),
                    (false, false) => server.load(&ldif),
                }
            }
        });
    }

    async fn harm(&mut self, fault: Fault) -> Option<&'static str> {
        match fault {
            Fault::Away => {
                self.with(LdapServer::kill);
                Some("no answer")
            }
            Fault::Lost => {
                self.line().cut(None);
                Some("no answer")
            }
            Fault::Killed => {
                let server = Arc::clone(&self.running.as_ref()?.0);
                let kill: Deed = Box::new(move || server.lock().unwrap().kill());
                self.line().cut(Some(kill));
                Some("no answer")
            }
            Fault::Password => {
                self.set_password("another");
                Some("access refused: ")
            }
            Fault::Certificate => {
                self.with(|server| server.show(Shown::Expired));
                Some("xpired")
            }
        }
    }

    async fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Away | Fault::Killed => self.with(LdapServer::restart),
            Fault::Certificate => self.with(|server| server.show(Shown::Good)),
            Fault::Password => self.set_password(READER_PASSWORD),
            Fault::Lost => {}
        }
        self.line().mend();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ldap_in_the_battery() {
    let rig = Ldap { dir: TestDir::new(), running: None, entries: Vec::new(), made: 0 };
    rig.set_password(READER_PASSWORD);
    battery::run(rig).await;
}
