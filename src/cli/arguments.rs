// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line. One definition feeds `--help`, the man pages and the completions; `manual` holds what stands
//! below the options.
#![allow(clippy::doc_markdown)] // The comments are help texts, where backticks would be shown.

use super::content::HeaderLine;
use super::gateways::export;
use super::live::Endpoint;
use super::mta::PostfixVersion;
use super::question::{Address, ClientAddress};
use super::{log, manual};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Locks a mail server behind its secure email gateway.
///
/// Postern is asked by Postfix or Sendmail about every message: did it come through the gateway that the recipient's
/// domain uses, does the recipient exist, has it been here before? Each answer becomes a verdict that the MTA carries
/// out: accept, tag, quarantine, discard, defer, reject.
#[derive(Debug, Parser)]
#[command(name = "postern", version, max_term_width = 80, after_long_help = manual::POSTERN.help())]
pub struct Arguments {
    /// The configuration file
    #[arg(long, short, global = true, value_name = "FILE", default_value = "/etc/postern/postern.toml")]
    pub config: PathBuf,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM; SIGHUP reloads
    ///
    /// Listens where [milter] listen says and answers what Postfix or Sendmail asks.
    #[command(after_long_help = manual::RUN.help())]
    Run(RunOptions),
    /// Check the configuration and everything it names
    ///
    /// Prints every problem with its file, line and column, and what to write instead.
    #[command(after_long_help = manual::CHECK.help())]
    Check(CheckOptions),
    /// Say what would happen to a message, and why
    ///
    /// Decides about one message as the service would, without an MTA and without a message being sent, and shows
    /// what each check found. With --live it asks a running server instead, Postern or any other milter, in the way
    /// of an MTA, and shows every answer.
    #[command(name = "try", after_long_help = manual::TRY.help())]
    Try(TryOptions),
    /// Run test cases against the configuration
    ///
    /// Each case names a message and what is to become of it. The cases say whether a change of the configuration
    /// does what it should, before it is in force.
    #[command(after_long_help = manual::TEST.help())]
    Test(TestOptions),
    /// Show the gateways, their addresses and how fresh they are
    ///
    /// Reads what the service keeps in state_dir, so it works beside a running service and without one.
    #[command(after_long_help = manual::GATEWAYS.help())]
    Gateways(GatewaysOptions),
    /// Show the directories, their recipients and how fresh they are
    ///
    /// Reads what is kept in state_dir, so it works beside a running service and without one. What is changed here is in
    /// force in a running service within seconds.
    #[command(after_long_help = manual::DIRECTORIES.help())]
    Directories(DirectoriesOptions),
    /// Say which server the mail of a recipient goes to, and by which rule
    ///
    /// Reads the configuration and what is kept of directories in state_dir, so it works beside a running service and without
    /// one.
    #[command(after_long_help = manual::ROUTE.help())]
    Route(RouteOptions),
    /// Show the servers, the order of their hosts, and which take mail
    ///
    /// Shows what the running service knows of them. What a host answers at this moment, probe tells.
    #[command(after_long_help = manual::SERVERS.help())]
    Servers(ServersOptions),
    /// Print what goes into the MTA's configuration, or check what is there
    ///
    /// The lines that this configuration needs, with a word on each and nothing besides. With --check, what a running
    /// configuration has instead, and why that matters.
    #[command(after_long_help = manual::MTA.help())]
    Mta(MtaOptions),
    /// Write man pages, shell completions or the configuration's schema
    #[command(after_long_help = manual::GENERATE.help())]
    Generate(GenerateOptions),
}

/// Options of `run`.
#[derive(Args, Debug)]
pub struct RunOptions {
    /// How events are written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: log::Format,

    /// The least important events that are written
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub log_level: log::Threshold,
}

/// Options of `check`.
#[derive(Args, Debug)]
pub struct CheckOptions {
    /// Print the problems as JSON
    #[arg(long)]
    pub json: bool,

    /// Ask no name server, look at no server and fetch nothing
    #[arg(long)]
    pub offline: bool,
}

/// Options of `try`.
#[derive(Args, Debug)]
pub struct TryOptions {
    /// Address of the SMTP client, or `unknown`
    #[arg(long, value_name = "IP")]
    pub client: ClientAddress,

    /// A recipient, as the MTA would deliver to it; repeat it for several
    #[arg(long, value_name = "ADDRESS", required = true, value_parser = Address::recipient)]
    pub rcpt: Vec<Address>,

    /// The envelope sender [default: <>, the null sender]
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub mail: Address,

    /// The name that the client says in HELO
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub helo: Option<String>,

    /// The name that the client has logged in with
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub auth: Option<String>,

    /// The common name of the client's TLS certificate, trusted by the MTA
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub certificate: Option<String>,

    /// A header line before those of MESSAGE; repeat it for several
    #[arg(long, value_name = "NAME: VALUE", value_parser = header_line)]
    pub header: Vec<HeaderLine>,

    /// Ask the server at inet:HOST:PORT or unix:PATH
    ///
    /// Any milter can be asked; no configuration is read then.
    #[arg(long, value_name = "WHERE")]
    pub live: Option<Endpoint>,

    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,

    /// A file with a message, or - for standard input
    ///
    /// Without --live only its header section is looked at.
    pub message: Option<PathBuf>,
}

/// Options of `test`.
#[derive(Args, Debug)]
pub struct TestOptions {
    /// Files of test cases
    #[arg(required = true, value_name = "CASES.toml")]
    pub files: Vec<PathBuf>,

    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `gateways`.
#[derive(Args, Debug)]
pub struct GatewaysOptions {
    /// What to do; without it, list them
    #[command(subcommand)]
    pub what: Option<Gateways>,

    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be done about gateways.
#[derive(Debug, Subcommand)]
pub enum Gateways {
    /// Show a gateway's networks, and where each comes from
    Show {
        /// The gateway
        name: String,

        /// Write the networks alone, in the way that something else reads
        #[arg(long, value_enum, value_name = "FORMAT")]
        format: Option<export::Format>,

        /// Write no IPv4 network wider than this prefix length
        ///
        /// Some connectors take nothing wider than /24.
        #[arg(long, value_name = "LENGTH", requires = "format", value_parser = clap::value_parser!(u8).range(8..=32))]
        split: Option<u8>,

        /// Leave out IPv6
        #[arg(long, requires = "format")]
        ipv4: bool,

        /// Print as JSON
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
    /// Say whether a client is a gateway, and by what
    ///
    /// Names that can only be asked for one client are asked now.
    Test {
        /// The gateway
        name: String,

        /// Address of the client
        client: ClientAddress,

        /// The common name of the client's trusted certificate
        #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
        certificate: Option<String>,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask a gateway's sources now, and show what would change
    ///
    /// Nothing is changed.
    Diff {
        /// The gateway
        name: String,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the sources of gateways now
    ///
    /// A running service is told to; without one, what is heard is kept in state_dir for its next start.
    Refresh {
        /// The gateways; without any, all
        names: Vec<String>,

        /// Take what they publish even where it shrinks or grows too much to be believed
        #[arg(long, requires = "names")]
        force: bool,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the providers that are known, with their regions
    Providers {
        /// One provider, with its facts and where they are from
        name: Option<String>,

        /// Which provider's mail host is this?
        #[arg(long, value_name = "HOST", conflicts_with = "name")]
        mx: Option<String>,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Options of `directories`.
#[derive(Args, Debug)]
pub struct DirectoriesOptions {
    /// What to do; without it, list them
    #[command(subcommand)]
    pub what: Option<Directories>,

    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be done about directories.
#[derive(Debug, Subcommand)]
pub enum Directories {
    /// Show a directory's recipients
    ///
    /// One a line: what it is, its addresses, where it stands in the source. Those that are gone and in grace are shown as such.
    Show {
        /// The directory
        name: String,

        /// Only addresses with this text in them, or like this pattern with *
        pattern: Option<String>,

        /// Show groups and how many are in each
        #[arg(long, conflicts_with = "pattern")]
        groups: bool,

        /// Show this many at most
        #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
        limit: usize,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say which directory knows an address, by which entry and rule
    ///
    /// It is looked up as a recipient of a message is, with all that its domain says of subaddresses, bounce addresses and other
    /// names. Of one that is unknown, the addresses most like it are shown.
    Lookup {
        /// Addresses, such as ann+news@example.com
        #[arg(required = true, value_name = "ADDRESS")]
        addresses: Vec<String>,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a sync would change, or what waits to be accepted
    ///
    /// Where nothing waits, the source is asked. Nothing is changed.
    Diff {
        /// The directory
        name: String,

        /// Show this many of each at most
        #[arg(long, value_name = "NUMBER", default_value_t = 100)]
        limit: usize,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the sources of directories now
    ///
    /// Beside a running server and without one; what comes of it is in force in the server within seconds. Ctrl-C ends it, and
    /// nothing has changed.
    Sync {
        /// The directories; without any, all
        names: Vec<String>,

        /// Ask for everything, also where changes could be told
        #[arg(long)]
        full: bool,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Put in force what was held
    ///
    /// diff shows what that would change. Those who are gone stay for removal_grace.
    Accept {
        /// The directory
        name: String,

        /// Let those who are gone go at once, without removal_grace
        #[arg(long)]
        now: bool,
    },
    /// Take a CSV file for the whole directory
    ///
    /// For directories of type csv without a path. Whoever is not in the file is gone; too many of those, and it is held, as a
    /// sync is.
    Import {
        /// The directory
        name: String,

        /// The file
        file: PathBuf,
    },
    /// Go back to an earlier snapshot
    ///
    /// What syncs find from then on is held, until it is accepted.
    Rollback {
        /// The directory
        name: String,

        /// The snapshot's number; without it, the one before
        #[arg(long, value_name = "NUMBER")]
        to: Option<u64>,
    },
    /// List unknown recipients that domains have accepted and learned
    ///
    /// Of domains with recipients = "learn". Approved ones exist from then on, in any mode; whoever can send through a gateway
    /// can invent addresses, so look before you approve.
    Learned {
        /// Take these in: from now on they exist
        #[arg(long, value_name = "ADDRESS", num_args = 1.., conflicts_with = "forget")]
        approve: Vec<String>,

        /// Take all in that are listed
        #[arg(long, conflicts_with_all = ["approve", "forget"])]
        approve_all: bool,

        /// Forget these, approved or not
        #[arg(long, value_name = "ADDRESS", num_args = 1..)]
        forget: Vec<String>,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Options of `route`.
#[derive(Args, Debug)]
pub struct RouteOptions {
    /// Addresses, such as ann+news@example.com
    #[arg(required = true, value_name = "ADDRESS", value_parser = Address::recipient)]
    pub addresses: Vec<Address>,

    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `servers`.
#[derive(Args, Debug)]
pub struct ServersOptions {
    /// What to do; without it, list them
    #[command(subcommand)]
    pub what: Option<Servers>,

    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be done about servers.
#[derive(Debug, Subcommand)]
pub enum Servers {
    /// Look now whether the hosts of servers take mail, and show each step
    ///
    /// Every address of every host is visited: banner, EHLO, STARTTLS where tls asks for it, QUIT. No message is begun, and
    /// nothing changes in a running service.
    Probe {
        /// The servers; without any, all
        names: Vec<String>,

        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Options of `mta`.
#[derive(Args, Debug)]
pub struct MtaOptions {
    /// Which MTA
    #[command(subcommand)]
    pub which: Mta,
}

/// The MTAs.
#[derive(Debug, Subcommand)]
pub enum Mta {
    /// The lines of main.cf, or what Postfix has instead
    Postfix(MtaPostfix),
    /// The lines of sendmail.mc, or what Sendmail has instead
    Sendmail(MtaSendmail),
}

/// Options of `mta postfix`.
#[derive(Args, Debug)]
pub struct MtaPostfix {
    /// Check the running configuration instead; nothing is changed
    #[arg(long)]
    pub check: bool,

    /// The directory with main.cf and master.cf [default: Postfix's own]
    #[arg(long, value_name = "DIRECTORY")]
    pub postfix_config: Option<PathBuf>,

    /// Which Postfix it is for, such as 3.7 [default: the one that is installed here]
    #[arg(long, value_name = "VERSION")]
    pub postfix_version: Option<PostfixVersion>,

    /// With a table for postscreen, by which gateways pass at once
    #[arg(long)]
    pub postscreen: bool,

    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `mta sendmail`.
#[derive(Args, Debug)]
pub struct MtaSendmail {
    /// Check the running configuration instead; nothing is changed
    #[arg(long)]
    pub check: bool,

    /// The configuration that Sendmail reads
    #[arg(long, value_name = "FILE", requires = "check", default_value = "/etc/mail/sendmail.cf")]
    pub sendmail_cf: PathBuf,

    /// Print what is found by --check as JSON
    #[arg(long, requires = "check")]
    pub json: bool,
}

/// Options of `generate`.
#[derive(Args, Debug)]
pub struct GenerateOptions {
    /// What to write
    #[command(subcommand)]
    pub what: Generated,
}

/// What can be generated.
#[derive(Debug, Subcommand)]
pub enum Generated {
    /// Write a man page for each command into a directory
    Man {
        /// The directory
        directory: PathBuf,
    },
    /// Write completions for a shell on standard output
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the JSON schema of postern.toml, for editors, on standard output
    Schema,
}

fn header_line(text: &str) -> Result<HeaderLine, &'static str> {
    HeaderLine::parse(text.as_bytes()).ok_or("write it like `Subject: hello`")
}
