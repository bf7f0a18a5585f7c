// SPDX-License-Identifier: GPL-3.0-or-later
//! Ground floor: mail's own types. Text becomes one of these at the edge, and only these are
//! compared, hashed, stored or decided upon. Nothing here does I/O, and nothing here knows Postern's policy.

mod address_ranges;
mod batv;
mod certificate;
mod certificate_fingerprint;
mod client;
mod domain;
mod domain_table;
mod escape;
mod fingerprint;
mod fingerprint_table;
mod header;
mod local_pattern;
mod mailbox;
mod mailbox_set;
mod network;
mod network_set;
mod next_hop;
mod path;
mod private;
mod queue_id;
mod received;
mod recipient;
mod recipient_kind;
mod reply;
mod scan_token;
mod secret;
mod session;
mod srs;

pub use address_ranges::AddressRanges;
pub use batv::batv_mailbox;
pub use certificate::{CertificatePattern, CertificatePatternError, ClientCertificate, from_xtext};
pub use certificate_fingerprint::{
    CertificateFingerprint, CertificateFingerprintError, CertificateFingerprints,
};
pub use client::{Client, login_name, parse_client_address, parse_client_name};
pub use domain::{Domain, DomainError, DomainPattern, Host};
pub use domain_table::DomainTable;
pub use escape::{Escaped, header_value};
pub use fingerprint::{Fingerprint, MailboxKey};
pub use fingerprint_table::FingerprintsError;
pub use header::{
    CAME_SCANNED, HeaderFacts, HeaderToRemove, HeaderWatch, LOOP_HEADER, SENT_TO_SCAN, TAG_HEADER,
};
pub use local_pattern::{LocalPattern, LocalPatternError, LocalPatterns};
pub use mailbox::{AddressError, LocalPart, Mailbox, address};
pub use mailbox_set::{MailboxSet, MailboxSetBuilder};
pub use network::{Network, NetworkError, ParsedNetwork, aggregate};
pub use network_set::NetworkSet;
pub use next_hop::{HopHost, NextHop, NextHopError};
pub use path::ReversePath;
pub use private::is_private;
pub use queue_id::QueueId;
pub use received::original_client;
pub use recipient::Recipient;
pub use recipient_kind::RecipientKind;
pub use reply::{EnhancedCode, Reply, ReplyClass, ReplyError, ReplyText};
pub use scan_token::{
    CLOCK_SKEW, MAX_DIGESTS, MAX_TOKEN, SCAN_HEADER, ScanAddress, ScanKey, ScanKeyError, ScanKeys, ScanToken,
    SpentToken, TokenFault, VIA_HEADER,
};
pub use secret::Secret;
pub use session::{Message, Session};
pub use srs::{SrsSender, srs_sender};
