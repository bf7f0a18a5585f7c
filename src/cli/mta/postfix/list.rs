// SPDX-License-Identifier: GPL-3.0-or-later
//! Lists as main.cf writes them: parted by commas and blanks, with braces around what belongs together
//! (`{ inet:127.0.0.1:8891, timeout=10s, { default_action = 451 4.3.5 later } }`).

/// The elements of a list; one in braces keeps them.
pub(super) fn elements(list: &str) -> Vec<&str> {
    let (mut found, mut start, mut depth) = (Vec::new(), None, 0_usize);
    for (at, c) in list.char_indices() {
        let parts = depth == 0 && (c == ',' || c.is_ascii_whitespace());
        match (parts, start) {
            (true, Some(from)) => {
                found.push(&list[from..at]);
                start = None;
            }
            (true, None) | (false, Some(_)) => {}
            (false, None) => start = Some(at),
        }
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found.extend(start.map(|from| &list[from..]));
    found
}

/// A server in a list, and what is set for it alone.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    settings: Vec<(&'a str, &'a str)>,
}

impl<'a> Member<'a> {
    /// Takes an element apart.
    pub(super) fn of(element: &'a str) -> Self {
        let Some(inner) = inner(element) else { return Self { name: element, settings: Vec::new() } };
        let mut parts = elements(inner).into_iter();
        let name = parts.next().unwrap_or_default();
        let setting = |part: &'a str| {
            let (name, value) = self::inner(part).unwrap_or(part).split_once('=')?;
            Some((name.trim(), value.trim()))
        };
        Self { name, settings: parts.filter_map(setting).collect() }
    }

    /// What is set for it.
    pub(super) fn setting(&self, name: &str) -> Option<&'a str> {
        self.settings.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// What stands between braces.
fn inner(element: &str) -> Option<&str> {
    element.strip_prefix('{')?.strip_suffix('}').map(str::trim)
}

/// A time in seconds: a number with s, m, h, d or w behind it, or without, which is seconds.
pub(super) fn seconds(time: &str) -> Option<u64> {
    let digits = time.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &time[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        "w" => 7 * 86400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart() {
        for (list, want) in [
            ("", &[][..]),
            (" ,, a,b  c\td,", &["a", "b", "c", "d"]),
            ("{ inet:x:1, a=b }, unix:/y", &["{ inet:x:1, a=b }", "unix:/y"]),
            (
                "reject_unauth_destination, check_policy_service { inet:x:1, { d = 4 5 } }",
                &["reject_unauth_destination", "check_policy_service", "{ inet:x:1, { d = 4 5 } }"],
            ),
            ("{ never, closed", &["{ never, closed"]),
            ("}} a", &["}}", "a"]),
        ] {
            assert_eq!(elements(list), want, "{list}");
        }
    }

    #[test]
    fn members_have_settings() {
        let member = Member::of("{ inet:x:1, timeout=10s, { default_action = 451 4.3.5 a=b }, odd }");
        assert_eq!(member.name, "inet:x:1");
        assert_eq!(member.setting("timeout"), Some("10s"));
        assert_eq!(member.setting("default_action"), Some("451 4.3.5 a=b"));
        assert_eq!(member.setting("odd"), None);
        assert_eq!(Member::of("unix:/x").name, "unix:/x");
        assert_eq!(Member::of("{}").name, "");
    }

    #[test]
    fn times_are_read() {
        let all = ["30s", "5m", "300", "1h", "2w", "", "x", "5 m", "-1s"];
        let want = [Some(30), Some(300), Some(300), Some(3600), Some(1_209_600), None, None, None, None];
        assert_eq!(all.map(seconds), want);
    }
}
