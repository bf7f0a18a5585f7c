// SPDX-License-Identifier: GPL-3.0-or-later
//! Mail that goes through a scanning gateway before it is delivered: who scans, and what its return is known by.

use super::{GatewayId, ServerId};

/// How a domain's mail is scanned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScanRule {
    /// The server that scans it.
    pub via: ServerId,
    /// The gateway that it comes back from.
    pub gateway: GatewayId,
    /// What shows that it has been there.
    pub on_return: OnReturn,
    /// How long a token is valid, in seconds.
    pub valid: u32,
    /// What happens while the scanner is down.
    pub on_down: OnScannerDown,
}

/// What shows that a message was scanned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnReturn {
    /// The token that it was sent away with.
    #[default]
    Token,
    /// The gateway's own header line, which is taken off; the gateway must require it.
    Strip,
}

/// What happens to mail while the scanner is down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnScannerDown {
    /// It waits in the MTA's queue.
    #[default]
    Wait,
    /// It is delivered without having been scanned.
    Deliver,
}
