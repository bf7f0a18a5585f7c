// SPDX-License-Identifier: GPL-3.0-or-later
//! What a command's manual says below its options: for `--help` and for the man pages.

use super::output::{Mood, Page};

/// Sections below the options.
#[derive(Debug)]
pub(super) struct Manual(pub(super) &'static [Section]);

/// One section.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) heading: &'static str,
    pub(super) parts: &'static [Part],
}

/// A part of a section.
#[derive(Debug)]
pub(super) enum Part {
    /// A paragraph.
    Prose(&'static str),
    /// Terms and what they mean.
    List(&'static [(&'static str, &'static str)]),
    /// Lines that stay as they are.
    Verbatim(&'static str),
}

use Part::{List, Prose, Verbatim};

impl Manual {
    /// The manual of a command, by the name of its man page.
    pub(super) fn of(page: &str) -> Option<&'static Self> {
        match page {
            "postern" => Some(&POSTERN),
            "postern-run" => Some(&RUN),
            "postern-check" => Some(&CHECK),
            "postern-try" => Some(&TRY),
            "postern-test" => Some(&TEST),
            "postern-gateways" => Some(&GATEWAYS),
            "postern-directories" => Some(&DIRECTORIES),
            "postern-route" => Some(&ROUTE),
            "postern-servers" => Some(&SERVERS),
            "postern-mta" => Some(&MTA),
            "postern-generate" => Some(&GENERATE),
            _ => None,
        }
    }

    /// The text for `--help`.
    pub(super) fn help(&self) -> String {
        let mut page = Page::new(false);
        for Section { heading, parts } in self.0 {
            page.gap();
            page.line(Mood::Plain, &format!("{heading}:"));
            for (at, part) in parts.iter().enumerate() {
                match part {
                    Prose(text) => {
                        if at > 0 {
                            page.gap();
                        }
                        page.entry(2, "", 2, text);
                    }
                    List(entries) => {
                        let longest = entries.iter().map(|(term, _)| term.len()).max().unwrap_or_default();
                        for (term, meaning) in *entries {
                            page.entry(2, term, longest.min(26) + 4, meaning);
                        }
                    }
                    Verbatim(text) => text.lines().for_each(|line| page.entry(4, line, 0, "")),
                }
            }
        }
        page.into_text()
    }
}

const CONFIGURATION: (&str, &str) =
    ("/etc/postern/postern.toml", "the configuration, unless --config names another");

pub(super) const POSTERN: Manual = Manual(&[Section {
    heading: "Begin with",
    parts: &[
        Prose("Is the configuration right? What would it do? Then serve, and let the MTA ask:"),
        Verbatim(
            "postern check --config postern.toml\n\
             postern try --config postern.toml \\\n    --client 192.0.2.1 --rcpt ann@example.com\n\
             postern run --config postern.toml",
        ),
    ],
}]);

pub(super) const RUN: Manual = Manual(&[
    Section {
        heading: "Signals",
        parts: &[List(&[
            (
                "SIGHUP",
                "reads the configuration and every file it names again; unless all of it is right, nothing changes",
            ),
            (
                "SIGUSR1",
                "asks for all that gateways publish now, or for what is named in STATE_DIR/refresh.json; directories \
                 are asked by postern directories sync",
            ),
            (
                "SIGTERM, SIGINT",
                "stop accepting connections, let messages under way finish within drain_timeout, and end; a second \
                 one ends at once",
            ),
        ])],
    },
    Section {
        heading: "Files",
        parts: &[List(&[
            CONFIGURATION,
            (
                "STATE_DIR/postern.pid",
                "the process id, for kill -HUP where there is no systemd; locked while the server lives",
            ),
            ("STATE_DIR/status.json", "what postern gateways and postern servers show of the server"),
            (
                "STATE_DIR/gateways/",
                "what gateways have published last, so that a start without DNS enforces; what no gateway uses any \
                 more goes after 30 days",
            ),
            (
                "STATE_DIR/directories/",
                "what directories hold, so that a start without their sources enforces; what is put in force there \
                 is in use within seconds",
            ),
            ("STATE_DIR/learned.json", "recipients that domains in learn mode have accepted"),
        ])],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "it was told to stop, and did"),
            ("2", "it could not serve: a problem in the configuration, or a socket that is taken"),
        ])],
    },
]);

pub(super) const CHECK: Manual = Manual(&[
    Section {
        heading: "What is asked",
        parts: &[
            Prose(
                "Whether every source of a gateway answers, and its answer can be used, and whether every block list is in \
                 order. A name that does not exist is an error; a server that gives no answer now is a warning. With \
                 --offline nobody is asked.",
            ),
            Prose(
                "Whether every server of a directory answers, lets us in and has somebody to tell of; after the first one \
                 it is left alone. What a sync would find, postern directories diff shows.",
            ),
            Prose(
                "Whether every host of every [server] takes mail and speaks TLS as tls asks, as far as that shows without a \
                 message; postern servers probe shows each step.",
            ),
            Prose(
                "Files of directories are looked at with --offline, too: lists line by line, exports at their beginning.",
            ),
        ],
    },
    Section { heading: "Files", parts: &[List(&[CONFIGURATION])] },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "the configuration can be used; there may be warnings"),
            ("1", "it cannot be used: there are errors"),
            ("2", "there is no such file"),
        ])],
    },
]);

pub(super) const TRY: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[
            Prose("What happens to a message that does not come through the gateway?"),
            Verbatim("postern try --client 198.51.100.7 --rcpt ann@example.com"),
            Prose("Two recipients, and a message that has been here before:"),
            Verbatim(
                "postern try --client 192.0.2.1 --rcpt ann@example.com \\\n    \
                 --rcpt bob@example.com --header 'X-Postern-Loop: mx.example.com'",
            ),
            Prose("A message from a file, put to the server that Postfix asks:"),
            Verbatim(
                "postern try --live inet:127.0.0.1:8890 --client 192.0.2.1 \\\n    \
                 --mail joe@example.org --rcpt ann@example.com message.eml",
            ),
        ],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "the message would be accepted, or tagged, for all recipients"),
            ("1", "it would not: deferred, rejected, held or discarded for at least one"),
            ("2", "no answer: bad arguments, a bad configuration, a server that cannot be reached"),
        ])],
    },
]);

pub(super) const TEST: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[
            Verbatim("postern test --config postern.toml cases.toml"),
            Prose("where cases.toml holds, for instance:"),
            Verbatim(
                "[[case]]\n\
                 name = \"a stranger is refused\"\n\
                 client = \"198.51.100.7\"\n\
                 rcpt = \"ann@example.com\"\n\
                 expect = \"reject\"\n\
                 reason = \"source-not-gateway\"\n\
                 \n\
                 [[case]]\n\
                 name = \"the gateway is let in, but not for those who are gone\"\n\
                 client = \"192.0.2.1\"\n\
                 rcpt = [\"ann@example.com\", \"gone@example.com\"]\n\
                 expect = [\"accept\", \"reject\"]\n\
                 reply = [\"250\", \"550 5.1.1\"]",
            ),
        ],
    },
    Section {
        heading: "Keys of a case",
        parts: &[
            Prose("The message; name, client and rcpt have to be there:"),
            List(&[
                ("name", "what the case shows; no two cases of a file share one"),
                ("client", "address of the SMTP client, or \"unknown\""),
                ("rcpt", "one recipient, or a list"),
                ("mail", "the envelope sender; without it, the null sender"),
                ("helo", "the name that the client says in HELO"),
                ("auth", "the name that the client has logged in with"),
                ("certificate", "the common name of the client's TLS certificate, trusted by the MTA"),
                ("headers", "a list of header lines, each \"Name: value\""),
                ("message", "a file with further header lines, relative to the file of the cases"),
            ]),
            Prose(
                "What is to become of it; at least one of these. Each is one value for all recipients, or a list with \
                 one for each:",
            ),
            List(&[
                (
                    "expect",
                    "what is done: accept, tag, quarantine, discard, defer, reject; or 452 for a recipient that \
                     cannot share the message with those before it",
                ),
                ("verdict", "what would be done if the domain's mode were enforce"),
                ("reason", "why, such as source-not-gateway"),
                (
                    "reply",
                    "how the reply to the client begins: \"550 5.7.1\"; \"250\" when it is not refused",
                ),
            ]),
        ],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "every case came out as expected"),
            ("1", "at least one did not"),
            ("2", "the cases or the configuration cannot be used"),
        ])],
    },
]);

pub(super) const GATEWAYS: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[
            Prose("Which gateways are there, and is anything wrong with them?"),
            Verbatim("postern gateways"),
            Prose("Is this client the gateway, and why?"),
            Verbatim("postern gateways test tmes 192.0.2.17"),
            Prose("The same list for the firewall, and for a connector that takes IPv4 up to /24 only:"),
            Verbatim(
                "postern gateways show tmes --format nftables > new && nft -f new\n\
                 postern gateways show tmes --format cidr --ipv4 --split 24",
            ),
            Prose("Without a known network nothing is written, and the status is 2."),
            Prose("What would a refresh change? Nothing is changed by asking:"),
            Verbatim("postern gateways diff tmes"),
            Prose("Whose mail host is this, and what is known of that provider?"),
            Verbatim(
                "postern gateways providers --mx mx.eu.mailmarshal.cloud\n\
                 postern gateways providers mailmarshal",
            ),
        ],
    },
    Section {
        heading: "Files",
        parts: &[List(&[
            CONFIGURATION,
            ("STATE_DIR/gateways/", "the last good set of each source, with a checksum"),
            ("STATE_DIR/status.json", "what a running server tells of itself"),
        ])],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "it is done; the client is the gateway"),
            ("1", "the client is not the gateway, or nobody can tell; a source could not be refreshed"),
            ("2", "no answer: bad arguments, a bad configuration, no gateway of that name"),
        ])],
    },
]);

pub(super) const DIRECTORIES: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[
            Prose("Ask a source for the first time, and look at what came:"),
            Verbatim("postern directories sync staff\npostern directories show staff"),
            Prose("Why is somebody unknown, or known?"),
            Verbatim("postern directories lookup ann+news@example.com"),
            Prose("A sync was held, because too many would go: who, and is it meant?"),
            Verbatim("postern directories diff staff\npostern directories accept staff"),
            Prose("What is in force is wrong. Back to what was there before, until the source is mended:"),
            Verbatim("postern directories rollback staff"),
            Prose("Whom has a domain with recipients = \"learn\" accepted? They are to exist:"),
            Verbatim("postern directories learned\npostern directories learned --approve ann@example.com"),
        ],
    },
    Section {
        heading: "What holds a sync",
        parts: &[
            Prose("What is in force stays, until somebody accepts:"),
            List(&[
                ("max_removed", "more than this part of the recipients would go, and at least 10"),
                ("nobody left", "no recipient would be left"),
                ("a domain emptied", "a domain with 10 recipients or more would have none"),
                ("a rollback", "every change after it waits"),
            ]),
        ],
    },
    Section {
        heading: "What fails a sync",
        parts: &[Prose(
            "No answer, a part of one, a column that is missing, a line that cannot be read, more invalid addresses \
             than max_invalid. Nothing changes then. A running server tries again, after 30 s at first and 15 \
             minutes at last.",
        )],
    },
    Section {
        heading: "Files",
        parts: &[List(&[
            CONFIGURATION,
            ("STATE_DIR/directories/", "for each directory its snapshots, and which one is in force"),
            ("STATE_DIR/learned.json", "recipients that were accepted unknown, and those of them approved"),
        ])],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "it is done; everybody looked up exists"),
            (
                "1",
                "a sync failed or was held, a difference would be held; somebody looked up does not exist, or \
                 nobody can tell",
            ),
            ("2", "no answer: bad arguments, a bad configuration, no directory of that name"),
        ])],
    },
]);

pub(super) const ROUTE: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[
            Prose("Where does this mail go, and why?"),
            Verbatim("postern route ann@example.com bob+news@example.com"),
        ],
    },
    Section {
        heading: "What is shown",
        parts: &[
            List(&[
                ("exists", "whether the recipient exists, and by which directory"),
                (
                    "rule",
                    "each [[route]] in the order of the file, and whether it is for the recipient; the first that is \
                     not \"no\" decides",
                ),
                ("goes to", "the server, and whether a rule or unrouted says so"),
                ("hosts", "its hosts in the order in which they are tried"),
                ("postfix", "the same as Postfix gets it from socketmap:...:transport"),
                ("tls", "what a connection to it must be"),
                ("scanned", "the server that it is sent to before, where the domain's mail is scanned"),
                ("decision", "what becomes of such a recipient whom a gateway of its domain brings"),
            ]),
            Prose(
                "unknown is an answer, too: the directory of a group was never loaded. Mail is deferred then. Groups of a \
                 directory that is older than its max_age count as they were last known.",
            ),
        ],
    },
    Section {
        heading: "Files",
        parts: &[List(&[CONFIGURATION, ("STATE_DIR/directories/", "who is in which group")])],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "all of them are taken, and go to a server or wherever the MTA's own routes lead"),
            ("1", "at least one is refused or goes nowhere, nobody can tell, or its domain is not listed"),
            ("2", "no answer: bad arguments, a bad configuration"),
        ])],
    },
]);

pub(super) const SERVERS: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[
            Prose("Which host gets mail first now, and is any of them down?"),
            Verbatim("postern servers"),
            Prose("Why does a host take no mail, or show the wrong certificate?"),
            Verbatim("postern servers probe exchange"),
        ],
    },
    Section {
        heading: "Health",
        parts: &[
            Prose(
                "With health = \"30s\" a running server looks at each host at this interval, give or take a tenth, and never \
                 more often than every 5 s:",
            ),
            List(&[
                (
                    "steps back",
                    "two looks in a row at which it refuses connections, does not answer in time, or answers 4xx or 5xx: \
                     it stands behind the others from then on",
                ),
                ("returns", "one look at which it takes mail: it is back in its place"),
                ("down", "no host takes mail: the configured order stays, and the MTA keeps the mail"),
                ("TLS", "not as tls asks: shown, and the order stays; the MTA finds out for itself"),
            ]),
        ],
    },
    Section {
        heading: "What is not looked at",
        parts: &[Prose(
            "Whether a recipient is taken; no MAIL is ever said. TLSA records (tls = \"dane\"): only that STARTTLS is \
             offered. The names in a certificate are its DNS names, a common name counts for nothing. Authorities are this \
             system's, or those in the file that SSL_CERT_FILE names; the MTA may know others.",
        )],
    },
    Section {
        heading: "Files",
        parts: &[List(&[CONFIGURATION, ("STATE_DIR/status.json", "what a running server tells of itself")])],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "it is done; every host that was probed takes mail, with TLS as is asked"),
            ("1", "one does not"),
            ("2", "no answer: bad arguments, a bad configuration, no server of that name"),
        ])],
    },
]);

pub(super) const MTA: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[
            Prose("What does Postfix have to be told? Put these lines into main.cf:"),
            Verbatim("postern mta postfix"),
            Prose("Sendmail's go into a file of their own, because its rules are parted by tabs:"),
            Verbatim(
                "postern mta sendmail > /etc/mail/postern.m4\n\
                 echo 'include(`/etc/mail/postern.m4'\\'')' >> /etc/mail/sendmail.mc",
            ),
            Prose("Is all of it there, and does nothing undo it?"),
            Verbatim(
                "postern mta postfix --check\n\
                 postern mta sendmail --check --sendmail-cf /etc/mail/sendmail.cf",
            ),
        ],
    },
    Section {
        heading: "What is checked",
        parts: &[List(&[
            (
                "listeners",
                "each service that strangers reach asks the milter and the policy service, in the right place",
            ),
            ("outages", "mail waits while Postern is down, and is neither let in nor bounced"),
            ("domains", "the MTA takes mail for every domain that is listed"),
            ("next hops", "rules, scanning and TLS wishes of servers have an effect"),
            ("certificates", "clients are asked for them, and not everybody may vouch for them"),
            ("crowds", "no more ask at one time than max_connections of each door"),
        ])],
    },
    Section {
        heading: "Files",
        parts: &[List(&[
            CONFIGURATION,
            ("main.cf, master.cf", "are read by postconf and postmap, Postfix's own programs"),
            ("/etc/mail/sendmail.cf", "what Sendmail reads; not sendmail.mc"),
        ])],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[
            ("0", "the lines are printed; nothing differs"),
            ("1", "something differs"),
            ("2", "no answer: bad arguments, a bad configuration, no such MTA"),
        ])],
    },
]);

pub(super) const GENERATE: Manual = Manual(&[
    Section {
        heading: "Examples",
        parts: &[Verbatim(
            "postern generate man /usr/local/share/man/man1\n\
             postern generate completions bash > /etc/bash_completion.d/postern",
        )],
    },
    Section {
        heading: "Exit status",
        parts: &[List(&[("0", "it is written"), ("2", "it could not be written")])],
    },
]);
