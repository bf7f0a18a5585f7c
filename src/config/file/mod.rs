// SPDX-License-Identifier: GPL-3.0-or-later
//! The configuration file as it is written: its tables and keys, their defaults, and what the schema says of them.
//!
//! Nothing here is checked beyond its type. A key that must be there is optional here, so that a file without it can
//! still be searched for other problems. The comments are the schema's descriptions: they address whoever writes the file.

mod directory;
mod doors;
mod gateway;
mod outside;
mod routing;

pub(super) use directory::{Attributes, Columns, Directory};
pub(super) use doors::{Milter, Policyd, Socketmap};
pub(super) use gateway::{Feed, Gateway, Header, SecretSource};
pub(super) use outside::{Dns, Dnsbl, Reputation};
pub(super) use routing::{DomainScan, GroupOf, Route, Scan, Server};

use super::placed::Placed;
use super::table::Table;
use super::words::{Gateways, Mode, RecipientMode, Strip, Verdict};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A named table for each entry: `[gateway.NAME]`.
pub(super) type Named<T> = BTreeMap<Placed<String>, Table<T>>;

/// The configuration of Postern, `/etc/postern/postern.toml`. Paths are relative to this file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "postern.toml")]
#[schemars(extend("anyOf" = [{ "required": ["milter"] }, { "required": ["policyd"] }, { "required": ["socketmap"] }]))]
pub(super) struct File {
    /// Directory for what Postern keeps from one start to the next.
    #[serde(default = "state_dir")]
    pub state_dir: Placed<String>,
    /// Where the MTA reaches Postern over the milter protocol, and how it is served. There must be one of `[milter]`,
    /// `[policyd]` and `[socketmap]`.
    pub milter: Option<Table<Milter>>,
    /// Where Postfix reaches Postern for policy delegation (`check_policy_service`).
    pub policyd: Option<Table<Policyd>>,
    /// Where Postfix and Sendmail look recipients, next hops, domains, clients and TLS policies up (`socketmap:`).
    pub socketmap: Option<Table<Socketmap>>,
    /// Whom names are asked of.
    #[serde(default)]
    pub dns: Table<Dns>,
    /// What is asked about clients that are no gateway: block lists and their reverse name. Nothing is, unless it is
    /// written here.
    pub reputation: Option<Table<Reputation>>,
    /// Clients whose mail is accepted without a look at source and recipient. Nobody is, unless listed here or logged in.
    #[serde(default)]
    pub internal: Table<Internal>,
    /// What happens to recipients whose domain is not listed in this file.
    #[serde(default)]
    pub unlisted: Table<Unlisted>,
    /// A directory with files of providers, one for each, in addition to those that are built in; one of the same name
    /// takes the place of a built-in one.
    pub providers: Option<Placed<String>>,
    /// Who may hand us mail: `[gateway.NAME]`, one for each secure email gateway.
    #[serde(default)]
    pub gateway: Named<Gateway>,
    /// Who exists: `[directory.NAME]`, one for each source of recipients.
    #[serde(default)]
    pub directory: Named<Directory>,
    /// Where mail goes on to: `[server.NAME]`, one for each mailbox server, and for each gateway that mail is sent through.
    #[serde(default)]
    pub server: Named<Server>,
    /// Which recipients' mail goes to which server: `[[route]]`, in order. The first rule that is for a recipient decides.
    #[serde(default)]
    pub route: Vec<Table<Route>>,
    /// The keys that scan tokens are signed with, where a domain has `[domain.X.scan]`.
    #[serde(default)]
    pub scan: Table<Scan>,
    /// The protected domains: `[domain."example.com"]`, or `[domain."*.example.com"]` for all below it. An exact name
    /// beats a wildcard, a longer wildcard a shorter one.
    #[serde(default)]
    pub domain: Named<Domain>,
    /// What is to happen when a check fails, for all domains that do not say otherwise.
    #[serde(default)]
    pub verdict: Table<Verdicts>,
    /// The replies to refused mail, for all domains that do not say otherwise: `[reply.REASON]`.
    #[serde(default)]
    pub reply: Table<Replies>,
    /// The loop check.
    #[serde(default, rename = "loop")]
    pub loops: Table<Loop>,
}

/// Who is internal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Internal {
    /// Networks of internal clients, in CIDR notation. Private addresses are not internal by themselves: behind a
    /// proxy that hides addresses, every client looks private.
    #[serde(default)]
    pub networks: Vec<Placed<String>>,
    /// Whether clients that have logged in (SMTP AUTH) are internal.
    #[serde(default = "yes")]
    pub authenticated: bool,
}

/// Recipients of other domains.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unlisted {
    /// What happens to them. Relay control stays with the MTA, so the default is `accept`, and the log says so.
    pub verdict: Option<Verdict>,
}

/// A protected domain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["gateways"] }, { "required": ["alias_of"] }]))]
pub(super) struct Domain {
    /// The domain that this one is another name for. Everything is as that one's table says, and no other key may stand
    /// beside this one. A recipient exists if it is listed under either name.
    pub alias_of: Option<Placed<String>>,
    /// How far it is switched on.
    #[serde(default)]
    pub mode: Placed<Mode>,
    /// Names of the gateways that may deliver for it, or `"any"` for a domain that is its own first hop.
    pub gateways: Option<Placed<Gateways>>,
    /// Names of the directories that know its recipients. Without this key, and without `recipients`, recipients are not
    /// checked.
    #[schemars(length(min = 1))]
    pub directories: Option<Placed<Vec<Placed<String>>>>,
    /// What becomes of recipients that nobody knows. Without this key, what `verdict.recipient` says.
    pub recipients: Option<Placed<RecipientMode>>,
    /// Each of these characters parts a subaddress from its mailbox, the first one that stands there: with `+`, mail for
    /// `ann+x` is for `ann`, unless `ann+x` is listed itself. With `-`, `owner-ann` and `ann-request` stay whole. An
    /// empty text turns that off.
    #[serde(default = "subaddress")]
    #[schemars(regex(pattern = r"^[!#$%&'*+./=?^_`{|}~-]*$"))]
    pub subaddress: Placed<String>,
    /// What is taken off an address when it is looked up, for bounces to what our own MTA has made of a sender's address.
    #[schemars(length(min = 1))]
    pub strip: Option<Placed<Vec<Placed<Strip>>>>,
    /// Bounce addresses that the domain's own list software makes, without `@` and domain, such as `bounces-*`; `*` stands
    /// for any characters. They exist.
    #[schemars(length(min = 1), inner(regex(pattern = r"^[^@]*\*[^@]*$")))]
    pub verp: Option<Placed<Vec<Placed<String>>>>,
    /// Where mail goes that no `[[route]]` is for: `reject`, nowhere; `default:SERVER`, to that server; `pass`, wherever the
    /// MTA thinks. The default is `reject` where there are rules for the domain, and else `pass`.
    #[schemars(regex(pattern = r"^(reject|pass|default:.+)$"))]
    pub unrouted: Option<Placed<String>>,
    /// Sends the domain's mail through a scanning gateway before it is delivered.
    pub scan: Option<Table<DomainScan>>,
    /// What is to happen when a check fails, for this domain.
    #[serde(default)]
    pub verdict: Table<Verdicts>,
    /// The replies to refused mail, for this domain: `[domain."example.com".reply.REASON]`.
    #[serde(default)]
    pub reply: Table<Replies>,
}

/// What is to happen when a check fails.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdicts {
    /// When the client is none of the domain's gateways. The default is `reject`.
    pub source: Option<Verdict>,
    /// When the recipient is in none of the domain's directories, or takes mail from internal clients alone. The default
    /// is `reject`.
    pub recipient: Option<Verdict>,
    /// When no `[[route]]` is for the recipient. The default is `reject`.
    pub route: Option<Verdict>,
    /// When the message loops. The default is `reject`.
    #[serde(rename = "loop")]
    pub loops: Option<Verdict>,
    /// When the client is no gateway and is on DNSBLs or has no reverse name. The default is `reject`.
    pub reputation: Option<Verdict>,
}

/// The reply for each reason.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Replies {
    /// The client is none of the domain's gateways. The default is 550 5.7.1.
    pub source_not_gateway: Option<Table<Reply>>,
    /// The recipient is in none of the domain's directories. The default is 550 5.1.1.
    pub recipient_unknown: Option<Table<Reply>>,
    /// The recipient takes mail from internal clients alone, as its directory says. The default is 550 5.7.1.
    pub recipient_internal: Option<Table<Reply>>,
    /// No `[[route]]` is for the recipient. The default is 550 5.1.1.
    pub no_route: Option<Table<Reply>>,
    /// The message has passed here before. The default is 554 5.4.6.
    pub loop_detected: Option<Table<Reply>>,
    /// The message has too many `Received` lines. The default is 554 5.4.6.
    pub too_many_hops: Option<Table<Reply>>,
    /// The client is on DNSBLs. The default is 554 5.7.1.
    pub listed: Option<Table<Reply>>,
    /// The client has no reverse name, or none that points back to it. The default is 550 5.7.25.
    pub no_reverse_name: Option<Table<Reply>>,
    /// The recipient's domain is not listed, and `[unlisted] verdict` refuses it. The default is 550 5.7.1.
    pub not_our_domain: Option<Table<Reply>>,
    /// Something that the decision needs is not known yet; such mail is only ever deferred. The default is 451 4.7.1.
    pub not_ready: Option<Table<Reply>>,
}

/// A reply to refused mail. What is left out keeps its default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    /// Reply code from 400 to 599, but not 421 and 521, which close the connection. A code of 4xx is for mail that is
    /// deferred, one of 5xx for mail that is rejected.
    #[schemars(range(min = 400, max = 599))]
    pub code: Option<Placed<i64>>,
    /// Enhanced status code of the same class as the code, such as `5.7.1` (RFC 3463).
    #[schemars(regex(pattern = r"^[45]\.[0-9]{1,3}\.[0-9]{1,3}$"))]
    pub enhanced: Option<Placed<String>>,
    /// One line of printable ASCII, 1 to 400 characters; a short reference is added to it.
    #[schemars(length(min = 1, max = 400), regex(pattern = r"^[ -~]*[!-~][ -~]*$"))]
    pub text: Option<Placed<String>>,
}

/// The loop check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Loop {
    /// What this installation writes into its `X-Postern-Loop` lines: letters, digits, `.`, `-` and `_`, at most 253.
    /// Machines that share the work for a domain share the id. The default is the host name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,253}$"))]
    pub id: Option<Placed<String>>,
    /// A message that already carries this many of our lines is a loop; 0 turns that off, and no line is added.
    #[serde(default = "max_passes")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_passes: Placed<i64>,
    /// A message with more `Received` lines than this is a loop; 0 turns that off.
    #[serde(default = "max_received")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_received: Placed<i64>,
}

fn state_dir() -> Placed<String> {
    "/var/lib/postern".to_owned().into()
}

fn yes() -> bool {
    true
}

fn subaddress() -> Placed<String> {
    "+".to_owned().into()
}

fn max_passes() -> Placed<i64> {
    3.into()
}

fn max_received() -> Placed<i64> {
    50.into()
}

impl Default for Internal {
    fn default() -> Self {
        Self { networks: Vec::new(), authenticated: yes() }
    }
}

impl Default for Loop {
    fn default() -> Self {
        Self { id: None, max_passes: max_passes(), max_received: max_received() }
    }
}
