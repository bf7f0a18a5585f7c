// SPDX-License-Identifier: GPL-3.0-or-later
//! Exchange's `proxyAddresses`: addresses of several protocols, each with its own before a colon. `SMTP:` in capitals marks
//! the primary one, `smtp:` an alias; the others (`x500:`, `sip:`, `SPO:`, `EUM:`, ...) are no mail addresses.

/// What one value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ProxyAddress<'a> {
    /// The primary address.
    Primary(&'a str),
    /// Another address, also one without a protocol.
    Alias(&'a str),
    /// An address of another protocol.
    Other,
}

impl<'a> ProxyAddress<'a> {
    /// Reads a value; blanks around it do not count.
    pub(super) fn read(value: &'a str) -> Self {
        let value = value.trim();
        // A colon may be part of a quoted local part, but no protocol has an at sign before it.
        match value.split_once(':') {
            Some(("SMTP", address)) => Self::Primary(address.trim_start()),
            Some((protocol, address)) if protocol.eq_ignore_ascii_case("smtp") => {
                Self::Alias(address.trim_start())
            }
            Some((protocol, _)) if !protocol.contains(['@', '"']) => Self::Other,
            Some(_) | None => Self::Alias(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProxyAddress::{self, Alias, Other, Primary};

    #[test]
    fn values() {
        for (value, want) in [
            ("SMTP:Ann@a.example", Primary("Ann@a.example")),
            ("smtp:ann@a.example", Alias("ann@a.example")),
            ("Smtp: ann@a.example ", Alias("ann@a.example")),
            ("ann@a.example", Alias("ann@a.example")),
            ("\"a:b\"@a.example", Alias("\"a:b\"@a.example")),
            ("x500:/o=A/cn=ann", Other),
            ("sip:ann@a.example", Other),
            ("SPO:SPO_1@SPO_2", Other),
            ("", Alias("")),
        ] {
            assert_eq!(ProxyAddress::read(value), want, "{value}");
        }
    }
}
