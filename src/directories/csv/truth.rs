// SPDX-License-Identifier: GPL-3.0-or-later
//! Yes or no, as exports and spreadsheets in several languages write it.

/// Reads a field; an empty one is no.
pub(super) fn read(field: &str) -> Option<bool> {
    const YES: [&str; 8] = ["true", "yes", "1", "t", "y", "wahr", "vrai", "verdadero"];
    const NO: [&str; 9] = ["", "false", "no", "0", "f", "n", "falsch", "faux", "falso"];
    let is = |words: &[&str]| words.iter().any(|word| field.eq_ignore_ascii_case(word));
    match (is(&YES), is(&NO)) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn words() {
        for (field, want) in [
            ("True", Some(true)),
            ("", Some(false)),
            ("FALSCH", Some(false)),
            ("1", Some(true)),
            ("maybe", None),
        ] {
            assert_eq!(read(field), want, "{field}");
        }
    }
}
