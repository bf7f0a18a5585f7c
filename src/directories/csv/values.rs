// SPDX-License-Identifier: GPL-3.0-or-later
//! Several values in one field.
//!
//! Addresses are parted by `;`, `,`, blanks, ends of lines, and by `+`. A `+` may be part of a local part and never of a
//! domain, so it parts what stands behind an at sign, or before a protocol such as `smtp:`. Addresses of other protocols
//! than SMTP are dropped, with the pieces that their own blanks and semicolons make of them (X.400, X.500). What is in
//! quotes stays together.

use super::super::proxy_address::ProxyAddress;

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FieldError {
    /// `PowerShell` wrote the name of a type instead of what is in it.
    TypeName,
    /// `PowerShell` cut off a list (`$FormatEnumerationLimit`).
    CutOff,
}

/// Gives every SMTP address of a field to `each`, and whether it is marked as the primary one.
pub(super) fn addresses<'a>(field: &'a str, mut each: impl FnMut(&'a str, bool)) -> Result<(), FieldError> {
    let mut field = field.trim();
    if !field.contains('@') && is_type_name(field) {
        return Err(FieldError::TypeName);
    }
    // As `PowerShell` shows a list.
    if let Some(list) = field.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        field = list.trim();
        if field.ends_with("...") || field.ends_with('…') {
            return Err(FieldError::CutOff);
        }
    }
    let mut other = false;
    for value in (Values { rest: field }) {
        match ProxyAddress::read(value) {
            ProxyAddress::Alias("") | ProxyAddress::Primary("") => other = false,
            ProxyAddress::Primary(address) => {
                other = false;
                each(address, true);
            }
            ProxyAddress::Alias(address) => {
                // A piece of an address of another protocol, unless it is one of its own.
                if !other || address.contains('@') {
                    other = false;
                    each(address, false);
                }
            }
            ProxyAddress::Other => other = true,
        }
    }
    Ok(())
}

/// Names in a field: parted by `;` or ends of lines where there are any, else by `,` unless it is a distinguished name.
pub(super) fn names(field: &str) -> impl Iterator<Item = &str> {
    let many = field.contains([';', '\n']);
    let one = !many && field.contains('=');
    field
        .split(move |c| match c {
            ';' | '\n' => true,
            ',' => !many && !one,
            _ => false,
        })
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

fn is_type_name(field: &str) -> bool {
    (field.starts_with("Microsoft.") || field.starts_with("System.")) && !field.contains([';', ' '])
}

/// The values of a field, prefixes and all.
struct Values<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let parts = |c: u8| matches!(c, b';' | b',' | b' ' | b'\t' | b'\r' | b'\n');
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii() && parts(c as u8));
        if self.rest.is_empty() {
            return None;
        }
        let octets = self.rest.as_bytes();
        let (mut quoted, mut after_at, mut at) = (false, false, 0);
        while at < octets.len() {
            match octets[at] {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted && has_end(&octets[at + 1..]),
                _ if quoted => {}
                b'@' => after_at = true,
                b'+' if after_at || begins_with_protocol(&self.rest[at + 1..]) => break,
                octet if parts(octet) => break,
                _ => {}
            }
            at += 1;
        }
        let at = at.min(octets.len());
        let value = &self.rest[..at];
        self.rest = self.rest.get(at + 1..).unwrap_or_default();
        Some(value)
    }
}

/// Whether a quote ends; one that does not is no quote.
fn has_end(rest: &[u8]) -> bool {
    rest.contains(&b'"')
}

/// Whether a text begins as `smtp:` does.
fn begins_with_protocol(text: &str) -> bool {
    let protocol = text.bytes().take(11).take_while(u8::is_ascii_alphanumeric).count();
    (2..=10).contains(&protocol) && text.as_bytes().get(protocol) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str) -> Result<Vec<String>, FieldError> {
        let mut found = Vec::new();
        addresses(field, |address, primary| {
            found.push(format!("{}{address}", if primary { "1 " } else { "" }));
        })?;
        Ok(found)
    }

    #[test]
    fn address_fields() {
        for (field, want) in [
            ("", vec![]),
            (" ; , ", vec![]),
            ("ann@a.example", vec!["ann@a.example"]),
            ("SMTP:Ann@a.example+smtp:annie@a.example", vec!["1 Ann@a.example", "annie@a.example"]),
            ("ann+x@a.example", vec!["ann+x@a.example"]),
            ("ann+x@a.example+bob+y@a.example", vec!["ann+x@a.example", "bob+y@a.example"]),
            ("SMTP:ann+x@a.example+smtp:b+c@a.example", vec!["1 ann+x@a.example", "b+c@a.example"]),
            (
                "ann@a.example;bob@a.example, cy@a.example dan@a.example\neve@a.example",
                vec!["ann@a.example", "bob@a.example", "cy@a.example", "dan@a.example", "eve@a.example"],
            ),
            (
                "SMTP:ann@a.example x500:/o=First Organization/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=ann smtp:annie@a.example",
                vec!["1 ann@a.example", "annie@a.example"],
            ),
            (
                "X400:C=us;A= ;P=First Organizati;O=Exchange;S=Smith;;SMTP:ann@a.example",
                vec!["1 ann@a.example"],
            ),
            (
                "x500:/o=A/cn=a+b+SMTP:ann@a.example+sip:ann@a.example+SPO:SPO_1@SPO_2",
                vec!["1 ann@a.example"],
            ),
            ("{SMTP:ann@a.example, smtp:annie@a.example}", vec!["1 ann@a.example", "annie@a.example"]),
            ("\"ann ; b\"@a.example;bob@a.example", vec!["\"ann ; b\"@a.example", "bob@a.example"]),
            ("\"ann\\\" ; b\"@a.example", vec!["\"ann\\\" ; b\"@a.example"]),
            ("o\"ann@a.example bob@a.example", vec!["o\"ann@a.example", "bob@a.example"]),
            (
                "grün@bücher.example;smtp:bob@xn--bcher-kva.example",
                vec!["grün@bücher.example", "bob@xn--bcher-kva.example"],
            ),
            ("Smtp: ann@a.example", vec!["ann@a.example"]),
            ("@a.example", vec!["@a.example"]),
            ("n/a", vec!["n/a"]),
            ("\"", vec!["\""]),
            ("\\", vec!["\\"]),
        ] {
            assert_eq!(read(field).unwrap(), want, "{field}");
        }
    }

    #[test]
    fn fields_that_are_no_data() {
        for (field, want) in [
            ("Microsoft.Exchange.Data.ProxyAddressCollection", FieldError::TypeName),
            ("Microsoft.ActiveDirectory.Management.ADPropertyValueCollection", FieldError::TypeName),
            ("System.Object[]", FieldError::TypeName),
            ("System.Collections.Generic.List`1[System.String]", FieldError::TypeName),
            ("{SMTP:ann@a.example, smtp:annie@a.example...}", FieldError::CutOff),
            ("{SMTP:ann@a.example, smtp:annie@a.example…}", FieldError::CutOff),
        ] {
            assert_eq!(read(field), Err(want), "{field}");
        }
    }

    #[test]
    fn name_fields() {
        for (field, want) in [
            ("", vec![]),
            ("Sales", vec!["Sales"]),
            ("Sales, Support", vec!["Sales", "Support"]),
            ("Sales, North;Support", vec!["Sales, North", "Support"]),
            ("CN=Sales,OU=Groups,DC=a,DC=example", vec!["CN=Sales,OU=Groups,DC=a,DC=example"]),
            ("Sales\nSupport\n", vec!["Sales", "Support"]),
        ] {
            assert_eq!(names(field).collect::<Vec<_>>(), want, "{field}");
        }
    }
}
