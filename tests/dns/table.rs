// SPDX-License-Identifier: GPL-3.0-or-later
//! SPF names and what they pass: zones as text, and the set that each name comes to.
//!
//! Every case has a zone of its own below `test.`, named by the case; in its records `@` is that zone. The same cases are
//! held against the expansion and against the live evaluation, which share no code but the grammar.

/// What a name comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Comes {
    /// Exactly these networks, in any order.
    To(&'static [&'static str]),
    /// These, and the rest is asked live.
    Live(&'static [&'static str]),
    /// Nothing that can be used; the words are in the message.
    Wrong(&'static str),
    /// Nothing at the moment.
    Unreachable,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its name, and its zone's.
    pub(crate) name: &'static str,
    /// The zone.
    pub(crate) zone: &'static str,
    /// What `spf.NAME.test` comes to.
    pub(crate) comes: Comes,
    /// Addresses beside the edges of the set, with whether they pass; for what is live, the only ones.
    pub(crate) also: &'static [(&'static str, bool)],
}

use Comes::{Live, To, Unreachable, Wrong};

const fn case(name: &'static str, zone: &'static str, comes: Comes) -> Case {
    Case { name, zone, comes, also: &[] }
}

const fn with(mut case: Case, also: &'static [(&'static str, bool)]) -> Case {
    case.also = also;
    case
}

/// The name that a case is about.
pub(crate) fn name(case: &Case) -> String {
    format!("spf.{}.test", case.name)
}

/// All cases as records of the zone `test`.
pub(crate) fn records() -> String {
    let zones = CASES.iter().map(|case| format!("$ORIGIN {}.test.\n{}\n", case.name, case.zone));
    zones.chain([format!("$ORIGIN appendix.test.\n{APPENDIX_A}\n")]).collect()
}

/// Names below here answer SERVFAIL.
pub(crate) const BROKEN: &str = "broken.test";

/// The zone of RFC 7208 appendix A, under another name.
const APPENDIX_A: &str = r"
@       IN MX 10 mail-a
@       IN MX 20 mail-b
@       IN A  192.0.2.10
@       IN A  192.0.2.11
amy     IN A  192.0.2.65
bob     IN A  192.0.2.66
mail-a  IN A  192.0.2.129
mail-b  IN A  192.0.2.130
www     IN CNAME @
org     IN MX 10 mail-c.org
mail-c.org IN A 192.0.2.140
";

/// The table.
pub(crate) const CASES: &[Case] = &[
    // The mechanisms, one by one.
    case(
        "ip4",
        r#"spf TXT "v=spf1 ip4:192.0.2.1 ip4:198.51.100.0/24 -all""#,
        To(&["192.0.2.1/32", "198.51.100.0/24"]),
    ),
    case(
        "ip6",
        r#"spf TXT "v=spf1 ip6:2001:db8:1::/48 ip6:2001:db8:2::9 ~all""#,
        To(&["2001:db8:1::/48", "2001:db8:2::9/128"]),
    ),
    case(
        "host-bits",
        r#"spf TXT "v=spf1 ip4:192.0.2.77/24 ip6:2001:db8::77/64""#,
        To(&["192.0.2.0/24", "2001:db8::/64"]),
    ),
    case(
        "mapped",
        r#"spf TXT "v=spf1 ip4:192.0.2.1 ip6:::ffff:198.51.100.0/120 ip6:::ffff:203.0.113.9 -all""#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "a",
        r#"
spf TXT "v=spf1 a -all"
spf A 192.0.2.7
spf AAAA 2001:db8::7
"#,
        To(&["192.0.2.7/32", "2001:db8::7/128"]),
    ),
    case(
        "a-of-another",
        r#"
spf TXT "v=spf1 a:host.a-of-another.test -all"
spf A 192.0.2.7
host A 192.0.2.8
"#,
        To(&["192.0.2.8/32"]),
    ),
    case(
        "a-dual-cidr",
        r#"
spf TXT "v=spf1 a/24//64 -all"
spf A 192.0.2.7
spf AAAA 2001:db8::7
"#,
        To(&["192.0.2.0/24", "2001:db8::/64"]),
    ),
    case(
        "a-cidr6-alone",
        r#"
spf TXT "v=spf1 a//64 -all"
spf A 192.0.2.7
spf AAAA 2001:db8::7
"#,
        To(&["192.0.2.7/32", "2001:db8::/64"]),
    ),
    case(
        "a-alias",
        r#"
spf TXT "v=spf1 a:www.a-alias.test -all"
www CNAME host
host A 192.0.2.8
"#,
        To(&["192.0.2.8/32"]),
    ),
    case(
        "mx",
        r#"
spf TXT "v=spf1 mx -all"
spf MX 10 m1
spf MX 20 m2
m1 A 192.0.2.1
m2 A 192.0.2.2
m2 AAAA 2001:db8::2
"#,
        To(&["192.0.2.1/32", "192.0.2.2/32", "2001:db8::2/128"]),
    ),
    case(
        "mx-dual-cidr",
        r#"
spf TXT "v=spf1 mx:b.mx-dual-cidr.test/28//96 -all"
b MX 10 m1
m1 A 192.0.2.17
m1 AAAA 2001:db8::1:2
"#,
        To(&["192.0.2.16/28", "2001:db8::/96"]),
    ),
    case(
        "mx-null",
        r#"
spf TXT "v=spf1 mx ip4:192.0.2.1 -all"
spf MX 0 .
"#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "mx-ten",
        r#"
spf TXT "v=spf1 mx -all"
$GENERATE 1-10 spf MX "10 m$"
$GENERATE 1-10 m$ A 192.0.2.$
"#,
        To(&[
            "192.0.2.1/32",
            "192.0.2.2/32",
            "192.0.2.3/32",
            "192.0.2.4/32",
            "192.0.2.5/32",
            "192.0.2.6/32",
            "192.0.2.7/32",
            "192.0.2.8/32",
            "192.0.2.9/32",
            "192.0.2.10/32",
        ]),
    ),
    case(
        "mx-eleven",
        r#"
spf TXT "v=spf1 mx -all"
$GENERATE 1-11 spf MX "10 m$"
$GENERATE 1-11 m$ A 192.0.2.$
"#,
        Wrong("has 11 MX hosts, more than 10"),
    ),
    case("ptr", r#"spf TXT "v=spf1 ptr ip4:192.0.2.1 ptr:test -all""#, Wrong("cannot be read: ptr:test")),
    case("ptr-passed-over", r#"spf TXT "v=spf1 ptr ip4:192.0.2.1 ptr:a.test -all""#, To(&["192.0.2.1/32"])),
    // Order and qualifiers.
    case("shadow", r#"spf TXT "v=spf1 -ip4:192.0.2.128/25 ip4:192.0.2.0/24 -all""#, To(&["192.0.2.0/25"])),
    case(
        "shadow-softfail",
        r#"spf TXT "v=spf1 ~ip4:192.0.2.0/25 ip4:192.0.2.0/24 -all""#,
        To(&["192.0.2.128/25"]),
    ),
    case(
        "shadow-neutral",
        r#"spf TXT "v=spf1 ?ip4:192.0.2.64/26 ip4:192.0.2.0/24 -all""#,
        To(&["192.0.2.0/26", "192.0.2.128/25"]),
    ),
    case(
        "shadow-too-late",
        r#"spf TXT "v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.128/25 -all""#,
        To(&["192.0.2.0/24"]),
    ),
    case(
        "shadow-whole",
        r#"spf TXT "v=spf1 -ip4:192.0.0.0/16 ip4:192.0.2.0/24 ip4:198.51.100.1 -all""#,
        To(&["198.51.100.1/32"]),
    ),
    case(
        "shadow-by-a",
        r#"
spf TXT "v=spf1 -a ip4:192.0.2.0/30 -all"
spf A 192.0.2.2
"#,
        To(&["192.0.2.0/31", "192.0.2.3/32"]),
    ),
    case(
        "plus-written",
        r#"spf TXT "v=spf1 +ip4:192.0.2.0/24 +ip4:192.0.2.0/24 -all""#,
        To(&["192.0.2.0/24"]),
    ),
    case(
        "wide-exclusion",
        r#"spf TXT "v=spf1 -ip4:0.0.0.0/1 ip4:192.0.2.0/24 ip4:10.0.0.0/8 -all""#,
        To(&["192.0.2.0/24"]),
    ),
    case(
        "all-ends",
        r#"spf TXT "v=spf1 ip4:192.0.2.0/24 -all ip4:198.51.100.0/24 include:nowhere.test""#,
        To(&["192.0.2.0/24"]),
    ),
    case(
        "all-adds-nothing",
        r#"
spf TXT "v=spf1 include:a.all-adds-nothing.test include:b.all-adds-nothing.test include:c.all-adds-nothing.test"
a TXT "v=spf1 ip4:192.0.2.1 ?all"
b TXT "v=spf1 ip4:192.0.2.2 ~all"
c TXT "v=spf1 ip4:192.0.2.3 -all"
"#,
        To(&["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"]),
    ),
    case("nothing", r#"spf TXT "v=spf1 -all""#, To(&[])),
    case("bare", r#"spf TXT "v=spf1""#, To(&[])),
    // Includes and redirects.
    case(
        "include",
        r#"
spf TXT "v=spf1 include:a.include.test ip4:192.0.2.9 -all"
a TXT "v=spf1 ip4:192.0.2.1 -all"
"#,
        To(&["192.0.2.1/32", "192.0.2.9/32"]),
    ),
    case(
        "include-own-qualifiers",
        r#"
spf TXT "v=spf1 include:a.include-own-qualifiers.test ip4:192.0.2.0/24 -all"
a TXT "v=spf1 -ip4:192.0.2.0/25 ip4:192.0.2.0/26 ip4:198.51.100.1 -all"
"#,
        To(&["198.51.100.1/32", "192.0.2.0/24"]),
    ),
    case(
        "include-excluded",
        r#"
spf TXT "v=spf1 -include:a.include-excluded.test ip4:192.0.2.0/24 -all"
a TXT "v=spf1 ip4:192.0.2.0/25 ~all"
"#,
        To(&["192.0.2.128/25"]),
    ),
    case(
        "include-shadowed",
        r#"
spf TXT "v=spf1 ?ip4:192.0.2.128/25 include:a.include-shadowed.test -all"
a TXT "v=spf1 ip4:192.0.2.0/24 -all"
"#,
        To(&["192.0.2.0/25"]),
    ),
    case(
        "include-of-current-domain",
        r#"
spf TXT "v=spf1 include:a.include-of-current-domain.test -all"
spf A 192.0.2.1
a TXT "v=spf1 a mx -all"
a A 192.0.2.2
a MX 10 m
m A 192.0.2.3
"#,
        To(&["192.0.2.2/32", "192.0.2.3/32"]),
    ),
    case(
        "include-twice",
        r#"
spf TXT "v=spf1 include:a.include-twice.test include:b.include-twice.test -all"
a TXT "v=spf1 include:c.include-twice.test"
b TXT "v=spf1 include:c.include-twice.test"
c TXT "v=spf1 ip4:192.0.2.1"
"#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "include-redirect",
        r#"
spf TXT "v=spf1 include:a.include-redirect.test -all"
a TXT "v=spf1 -ip4:192.0.2.1 redirect=b.include-redirect.test"
b TXT "v=spf1 ip4:192.0.2.0/31 -all"
"#,
        To(&["192.0.2.0/32"]),
    ),
    case(
        "redirect",
        r#"
spf TXT "v=spf1 redirect=a.redirect.test"
a TXT "v=spf1 ip4:192.0.2.1 a -all"
a A 192.0.2.2
spf A 192.0.2.3
"#,
        To(&["192.0.2.1/32", "192.0.2.2/32"]),
    ),
    case(
        "redirect-with-all",
        r#"spf TXT "v=spf1 redirect=nowhere.test ip4:192.0.2.1 ~all""#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "redirect-after-terms",
        r#"
spf TXT "v=spf1 redirect=a.redirect-after-terms.test -ip4:192.0.2.0/25"
a TXT "v=spf1 ip4:192.0.2.0/24"
"#,
        To(&["192.0.2.128/25"]),
    ),
    case(
        "redirect-nowhere",
        r#"spf TXT "v=spf1 ip4:192.0.2.1 redirect=a.redirect-nowhere.test""#,
        Wrong("redirect=a.redirect-nowhere.test: a.redirect-nowhere.test does not exist"),
    ),
    case(
        "redirect-twice",
        r#"spf TXT "v=spf1 redirect=a.b.test redirect=a.c.test""#,
        Wrong("redirect= stands there more than once"),
    ),
    case(
        "modifiers",
        r#"spf TXT "v=spf1 exp=explain.modifiers.test ip4:192.0.2.1 moo=%{i} -all""#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "macros",
        r#"
spf TXT "v=spf1 include:%{d1r}.a.%{d2} a:%{d3}%-.b.macros.test -all"
spf.a TXT "v=spf1 ip4:192.0.2.1"
spf.macros.test%20.b A 192.0.2.2
"#,
        To(&["192.0.2.1/32", "192.0.2.2/32"]),
    ),
    case(
        "malformed-name",
        r#"spf TXT "v=spf1 a:a..test include:-a.test ip4:192.0.2.1 -all""#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "exists-static",
        r#"
spf TXT "v=spf1 ip4:192.0.2.1 -exists:here.exists-static.test ip4:192.0.2.2 -all"
here A 127.0.0.2
"#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "exists-static-not",
        r#"spf TXT "v=spf1 ip4:192.0.2.1 -exists:nowhere.exists-static-not.test ip4:192.0.2.2 -all""#,
        To(&["192.0.2.1/32", "192.0.2.2/32"]),
    ),
    case(
        "exists-static-pass",
        r#"
spf TXT "v=spf1 exists:here.exists-static-pass.test -all"
here A 127.0.0.2
"#,
        Wrong("passes more than a gateway can have"),
    ),
    // What is refused.
    case("plus-all", r#"spf TXT "v=spf1 +all""#, Wrong("passes more than a gateway can have")),
    case("plain-all", r#"spf TXT "v=spf1 ip4:192.0.2.1 all""#, Wrong("passes more than a gateway can have")),
    case(
        "plus-all-below",
        r#"
spf TXT "v=spf1 include:a.plus-all-below.test -all"
a TXT "v=spf1 all"
"#,
        Wrong("passes more than a gateway can have"),
    ),
    case(
        "plus-all-redirect",
        r#"
spf TXT "v=spf1 redirect=a.plus-all-redirect.test"
a TXT "v=spf1 all"
"#,
        Wrong("passes more than a gateway can have"),
    ),
    case(
        "whole-ip4",
        r#"spf TXT "v=spf1 ip4:0.0.0.0/0 -all""#,
        Wrong("spf.whole-ip4.test > ip4:0.0.0.0/0 passes more"),
    ),
    case("whole-ip6", r#"spf TXT "v=spf1 ip6:::/0 -all""#, Wrong("ip6:::/0 passes more")),
    case("too-wide-ip4", r#"spf TXT "v=spf1 ip4:10.0.0.0/7 -all""#, Wrong("ip4:10.0.0.0/7 passes more")),
    case(
        "just-not-too-wide",
        r#"spf TXT "v=spf1 ip4:10.0.0.0/8 ip6:2001::/19 -all""#,
        To(&["10.0.0.0/8", "2001::/19"]),
    ),
    case("too-wide-ip6", r#"spf TXT "v=spf1 ip6:2001::/18 -all""#, Wrong("ip6:2001::/18 passes more")),
    case(
        "too-wide-a",
        r#"
spf TXT "v=spf1 a/4 -all"
spf A 192.0.2.1
"#,
        Wrong("a/4 passes more"),
    ),
    case(
        "too-wide-below",
        r#"
spf TXT "v=spf1 include:a.too-wide-below.test -all"
a TXT "v=spf1 ip4:128.0.0.0/1"
"#,
        Wrong("include:a.too-wide-below.test > ip4:128.0.0.0/1 passes more"),
    ),
    case(
        "unknown-mechanism",
        r#"spf TXT "v=spf1 ip4:192.0.2.1 ipv4:192.0.2.2 -all""#,
        Wrong("cannot be read: ipv4:192.0.2.2"),
    ),
    case(
        "broken-address",
        r#"spf TXT "v=spf1 ip4:192.0.2.256 -all""#,
        Wrong("cannot be read: ip4:192.0.2.256"),
    ),
    case(
        "explanation-macro",
        r#"spf TXT "v=spf1 exists:%{t}.a.test -all""#,
        Wrong("the macros c, r and t are for explanations only"),
    ),
    // Records.
    case(
        "no-record",
        r#"
spf TXT "google-site-verification=x"
spf A 192.0.2.1
"#,
        Wrong("spf.no-record.test has no SPF record"),
    ),
    case("no-name", "other A 192.0.2.1", Wrong("spf.no-name.test does not exist")),
    case("no-text", "spf A 192.0.2.1", Wrong("spf.no-text.test has no SPF record")),
    case(
        "two-records",
        r#"
spf TXT "v=spf1 ip4:192.0.2.1"
spf TXT "v=spf1 ip4:192.0.2.2"
"#,
        Wrong("has 2 SPF records"),
    ),
    case(
        "other-records",
        r#"
spf TXT "v=spf10 all"
spf TXT "v=spf1-all"
spf TXT "\255\000\254 v=spf1 all"
spf TXT "v=DMARC1"
spf TXT "V=SPF1 ip4:192.0.2.1"
"#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "dead-include",
        r#"spf TXT "v=spf1 ip4:192.0.2.1 include:_spf.dead-include.test -all""#,
        Wrong("include:_spf.dead-include.test: _spf.dead-include.test does not exist"),
    ),
    case(
        "include-without-record",
        r#"
spf TXT "v=spf1 ip4:192.0.2.1 include:a.include-without-record.test -all"
a A 192.0.2.1
"#,
        Wrong("a.include-without-record.test has no SPF record"),
    ),
    case(
        "include-of-two",
        r#"
spf TXT "v=spf1 include:a.include-of-two.test -all"
a TXT "v=spf1 -all"
a TXT "v=spf1 ~all"
"#,
        Wrong("a.include-of-two.test has 2 SPF records"),
    ),
    case(
        "split-strings",
        r#"spf TXT "v=spf1 ip4:192.0." "2.0/24 ip4:198.51.100.1" " -all""#,
        To(&["192.0.2.0/24", "198.51.100.1/32"]),
    ),
    // Limits.
    case(
        "ten-terms",
        r#"
spf TXT "v=spf1 a:h1.ten-terms.test a:h2.ten-terms.test a:h3.ten-terms.test a:h4.ten-terms.test a:h5.ten-terms.test include:a.ten-terms.test -all"
a TXT "v=spf1 a:h6.ten-terms.test a:h7.ten-terms.test a:h8.ten-terms.test a:h9.ten-terms.test -all"
$GENERATE 1-9 h$ A 192.0.2.$
"#,
        To(&[
            "192.0.2.1/32",
            "192.0.2.2/32",
            "192.0.2.3/32",
            "192.0.2.4/32",
            "192.0.2.5/32",
            "192.0.2.6/32",
            "192.0.2.7/32",
            "192.0.2.8/32",
            "192.0.2.9/32",
        ]),
    ),
    case(
        "eleven-terms",
        r#"
spf TXT "v=spf1 a:h1.eleven-terms.test a:h2.eleven-terms.test a:h3.eleven-terms.test a:h4.eleven-terms.test a:h5.eleven-terms.test include:a.eleven-terms.test -all"
a TXT "v=spf1 a:h6.eleven-terms.test a:h7.eleven-terms.test a:h8.eleven-terms.test a:h9.eleven-terms.test ptr -all"
$GENERATE 1-9 h$ A 192.0.2.$
"#,
        Wrong("more than 10 terms ask DNS"),
    ),
    case(
        "two-void",
        r#"spf TXT "v=spf1 a:v1.two-void.test mx:v2.two-void.test ip4:192.0.2.1 -all""#,
        To(&["192.0.2.1/32"]),
    ),
    case(
        "three-void",
        r#"spf TXT "v=spf1 a:v1.three-void.test mx:v2.three-void.test a:v3.three-void.test ip4:192.0.2.1 -all""#,
        Wrong("more than 2 look-ups find nothing"),
    ),
    case(
        "one-family-is-not-void",
        r#"
spf TXT "v=spf1 a:h1.one-family-is-not-void.test a:h2.one-family-is-not-void.test a:h3.one-family-is-not-void.test a:h4.one-family-is-not-void.test a:h5.one-family-is-not-void.test a:h6.one-family-is-not-void.test -all"
$GENERATE 1-3 h$ A 192.0.2.$
$GENERATE 4-6 h$ AAAA 2001:db8::$
"#,
        To(&[
            "192.0.2.1/32",
            "192.0.2.2/32",
            "192.0.2.3/32",
            "2001:db8::4/128",
            "2001:db8::5/128",
            "2001:db8::6/128",
        ]),
    ),
    case(
        "cycle",
        r#"
spf TXT "v=spf1 include:a.cycle.test -all"
a TXT "v=spf1 include:SPF.cycle.test -all"
"#,
        Wrong("spf.cycle.test > include:a.cycle.test > include:SPF.cycle.test: comes back to spf.cycle.test"),
    ),
    case(
        "cycle-of-one",
        r#"spf TXT "v=spf1 redirect=spf.cycle-of-one.test""#,
        Wrong("comes back to spf.cycle-of-one.test"),
    ),
    // Failures.
    case("servfail-below", r#"spf TXT "v=spf1 ip4:192.0.2.1 include:a.broken.test -all""#, Unreachable),
    case("servfail-host", r#"spf TXT "v=spf1 ip4:192.0.2.1 a:a.broken.test -all""#, Unreachable),
    // What can only be asked about one client.
    with(
        case(
            "live-exists",
            r#"
spf TXT "v=spf1 ip4:192.0.2.0/24 exists:%{ir}.%{v}.live-exists.test ip4:198.51.100.1 -all"
7.113.0.203.in-addr A 127.0.0.2
"#,
            Live(&["192.0.2.0/24", "198.51.100.1/32"]),
        ),
        &[
            ("192.0.2.9", true),
            ("198.51.100.1", true),
            ("203.0.113.7", true),
            ("203.0.113.8", false),
            ("2001:db8::1", false),
        ],
    ),
    with(
        case(
            "live-exclusion",
            r#"
spf TXT "v=spf1 ip4:192.0.2.0/24 -exists:%{i}.live-exclusion.test ip4:198.51.100.0/31 -all"
198.51.100.1 A 127.0.0.2
"#,
            Live(&["192.0.2.0/24"]),
        ),
        &[("192.0.2.9", true), ("198.51.100.0", true), ("198.51.100.1", false), ("203.0.113.8", false)],
    ),
    case(
        "live-exclusion-of-nothing",
        r#"spf TXT "v=spf1 ip4:192.0.2.0/24 -exists:%{i}.live-exclusion-of-nothing.test -all""#,
        To(&["192.0.2.0/24"]),
    ),
    with(
        case(
            "live-below",
            r#"
spf TXT "v=spf1 -include:a.live-below.test ip4:192.0.2.0/24 -all"
a TXT "v=spf1 ip4:192.0.2.0/25 exists:%{i}.live-below.test -all"
192.0.2.200 A 127.0.0.2
"#,
            Live(&[]),
        ),
        &[("192.0.2.9", false), ("192.0.2.200", false), ("192.0.2.201", true), ("203.0.113.8", false)],
    ),
    with(
        case(
            "live-partly-below",
            r#"
spf TXT "v=spf1 ip4:192.0.2.0/26 include:a.live-partly-below.test ip4:192.0.2.0/25 -all"
a TXT "v=spf1 -ip4:192.0.2.0/24 exists:%{i}.live-partly-below.test ip4:198.51.100.1 -all"
203.0.113.1 A 127.0.0.2
"#,
            Live(&["192.0.2.0/26", "198.51.100.1/32", "192.0.2.0/25"]),
        ),
        &[
            ("192.0.2.1", true),
            ("192.0.2.127", true),
            ("192.0.2.128", false),
            ("203.0.113.1", true),
            ("203.0.113.2", false),
        ],
    ),
    with(
        case(
            "live-include",
            r#"
spf TXT "v=spf1 ip4:192.0.2.1 include:%{i}.live-include.test ip4:192.0.2.2 -all"
192.0.2.2 TXT "v=spf1 -all"
192.0.2.3 TXT "v=spf1 all"
192.0.2.4 TXT "v=spf1 ?all"
"#,
            Live(&["192.0.2.1/32", "192.0.2.2/32"]),
        ),
        &[("192.0.2.1", true), ("192.0.2.2", true), ("192.0.2.3", true), ("192.0.2.4", false)],
    ),
    with(
        case(
            "live-redirect",
            r#"
spf TXT "v=spf1 ip4:192.0.2.1 -ip4:192.0.2.2 redirect=%{v}.live-redirect.test"
in-addr TXT "v=spf1 ip4:192.0.2.0/29"
ip6 TXT "v=spf1 ip6:2001:db8::/64"
"#,
            Live(&["192.0.2.1/32"]),
        ),
        &[
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("192.0.2.3", true),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ],
    ),
    with(
        case(
            "live-own-domain",
            r#"
spf TXT "v=spf1 include:%{l}.%{o}.%{h}.live-own-domain.test -all"
postmaster.own.example.own.example TXT "v=spf1 ip4:192.0.2.0/24 -all"
"#,
            Live(&[]),
        ),
        &[("192.0.2.1", true), ("198.51.100.1", false), ("2001:db8::1", false)],
    ),
    // RFC 7208 appendix A, whose zone is appendix.test.
    case("a1-plus-all", r#"spf TXT "v=spf1 +all""#, Wrong("passes more than a gateway can have")),
    case("a1-a", r#"spf TXT "v=spf1 a:appendix.test -all""#, To(&["192.0.2.10/32", "192.0.2.11/32"])),
    case("a1-a-org", r#"spf TXT "v=spf1 a:org.appendix.test -all""#, To(&[])),
    case("a1-mx", r#"spf TXT "v=spf1 mx:appendix.test -all""#, To(&["192.0.2.129/32", "192.0.2.130/32"])),
    case("a1-mx-org", r#"spf TXT "v=spf1 mx:org.appendix.test -all""#, To(&["192.0.2.140/32"])),
    case(
        "a1-mx-both",
        r#"spf TXT "v=spf1 mx:appendix.test mx:org.appendix.test -all""#,
        To(&["192.0.2.129/32", "192.0.2.130/32", "192.0.2.140/32"]),
    ),
    case(
        "a1-mx-cidr",
        r#"spf TXT "v=spf1 mx:appendix.test/30 mx:org.appendix.test/30 -all""#,
        To(&["192.0.2.128/30", "192.0.2.140/30"]),
    ),
    case("a1-ptr", r#"spf TXT "v=spf1 ptr:appendix.test -all""#, To(&[])),
    case("a1-ip4", r#"spf TXT "v=spf1 ip4:192.0.2.128/28 -all""#, To(&["192.0.2.128/28"])),
    case(
        "a2-include",
        r#"
spf TXT "v=spf1 include:com.a2-include.test include:org.a2-include.test -all"
com TXT "v=spf1 a:appendix.test -all"
org TXT "v=spf1 mx:org.appendix.test -all"
"#,
        To(&["192.0.2.10/32", "192.0.2.11/32", "192.0.2.140/32"]),
    ),
    case(
        "a2-redirect",
        r#"
spf TXT "v=spf1 redirect=com.a2-redirect.test"
com TXT "v=spf1 a:appendix.test -all"
"#,
        To(&["192.0.2.10/32", "192.0.2.11/32"]),
    ),
    with(
        case(
            "a3-dnsbl-style",
            r#"
spf TXT "v=spf1 mx:appendix.test include:x.a3-dnsbl-style.test -all"
x TXT "v=spf1 exists:%{ir}.%{l}.%{o}.x.a3-dnsbl-style.test -all"
9.100.51.198.postmaster.own.example.x A 127.0.0.2
"#,
            Live(&["192.0.2.129/32", "192.0.2.130/32"]),
        ),
        &[("192.0.2.129", true), ("198.51.100.9", true), ("198.51.100.8", false)],
    ),
    // Both must hold, by a double negation; a reverse name never does here.
    case(
        "a4-both",
        r#"
spf TXT "v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all"
ip4._spf.spf TXT "v=spf1 -ip4:192.0.2.0/24 +all"
ptr._spf.spf TXT "v=spf1 -ptr:appendix.test +all"
"#,
        To(&[]),
    ),
    case(
        "both",
        r#"
spf TXT "v=spf1 -include:not.both.test ip4:192.0.0.0/16 -all"
not TXT "v=spf1 -ip4:192.0.2.0/24 +all"
"#,
        To(&["192.0.2.0/24"]),
    ),
    case(
        "all-but",
        r#"spf TXT "v=spf1 -ip4:0.0.0.0/1 -ip6:::/0 +all""#,
        Wrong("passes more than a gateway can have"),
    ),
    case(
        "all-but-live",
        r#"spf TXT "v=spf1 -exists:%{i}.all-but-live.test +all""#,
        Wrong("passes more than a gateway can have"),
    ),
    case(
        "all-but-live-below",
        r#"
spf TXT "v=spf1 include:a.all-but-live-below.test -all"
a TXT "v=spf1 -exists:%{i}.all-but-live-below.test ip4:64.0.0.0/2"
"#,
        Wrong("ip4:64.0.0.0/2 passes more than a gateway can have"),
    ),
    // Traps that providers have set, with their own shape.
    case(
        "google-flat",
        r#"spf TXT "v=spf1 ip4:74.125.0.0/16 ip4:209.85.128.0/17 ip6:2001:4860:4864::/56 ip6:2404:6800:4864::/56 ip6:2607:f8b0:4864::/56 ip6:2800:3f0:4864::/56 ip6:2a00:1450:4864::/56 ip6:2c0f:fb50:4864::/56" " ~all""#,
        To(&[
            "74.125.0.0/16",
            "209.85.128.0/17",
            "2001:4860:4864::/56",
            "2404:6800:4864::/56",
            "2607:f8b0:4864::/56",
            "2800:3f0:4864::/56",
            "2a00:1450:4864::/56",
            "2c0f:fb50:4864::/56",
        ]),
    ),
    case(
        "google-before",
        r#"
spf TXT "v=spf1 include:_netblocks.google-before.test include:_netblocks2.google-before.test ~all"
_netblocks TXT "v=spf1 ip4:74.125.0.0/16 ~all"
_netblocks2 TXT "v=spf1 ip6:2001:4860:4864::/56 ~all"
"#,
        To(&["74.125.0.0/16", "2001:4860:4864::/56"]),
    ),
    case(
        "mimecast",
        r#"
spf TXT "v=spf1 include:eu.mimecast.test include:us.mimecast.test include:za.mimecast.test include:au.mimecast.test include:de.mimecast.test include:ca.mimecast.test ~all"
eu TXT "v=spf1 ip4:195.130.217.0/24 ip4:91.220.42.0/24 ~all"
us TXT "v=spf1 ip4:207.211.31.0/25 ~all"
za TXT "v=spf1 ip4:41.74.192.0/22 ~all"
au TXT "v=spf1 ip4:103.13.69.0/24 ~all"
de TXT "v=spf1 ip4:51.163.158.0/24 ~all"
ca TXT "v=spf1 ip4:170.10.132.0/24 ~all"
"#,
        To(&[
            "195.130.217.0/24",
            "91.220.42.0/24",
            "207.211.31.0/25",
            "41.74.192.0/22",
            "103.13.69.0/24",
            "51.163.158.0/24",
            "170.10.132.0/24",
        ]),
    ),
    case(
        "trend-chain",
        r#"
spf TXT "v=spf1 ip4:18.208.22.64/26 ip4:18.208.22.128/25 include:spfb.trend-chain.test ~all"
spfb TXT "v=spf1 ip4:107.22.223.18 include:spfc.trend-chain.test ~all"
spfc TXT "v=spf1 ip4:18.97.0.160/27 ~all"
"#,
        To(&["18.208.22.64/26", "18.208.22.128/25", "107.22.223.18/32", "18.97.0.160/27"]),
    ),
    case(
        "essentials-host",
        r#"
spf TXT "v=spf1 a:dispatch.essentials-host.test/25 -all"
$GENERATE 1-100 dispatch A 198.51.100.$
"#,
        To(&["198.51.100.0/25"]),
    ),
    case(
        "look-alike",
        r#"
spf TXT "v=spf1 include:look-alike.test.attacker.look-alike.test -all"
look-alike.test.attacker TXT "v=spf1 ip4:203.0.113.66 -all"
@ TXT "v=spf1 ip4:192.0.2.1 -all"
"#,
        To(&["203.0.113.66/32"]),
    ),
    with(
        case(
            "proofpoint",
            r#"
spf TXT "v=spf1 include:%{ir}.%{v}.%{d}.has.proofpoint.test ~all"
1.2.0.192.in-addr.spf.proofpoint.test.has TXT "v=spf1 ip4:192.0.2.1 ~all"
*.2.0.192.in-addr.spf.proofpoint.test.has TXT "v=spf1 ~all"
*.spf.proofpoint.test.has TXT "v=spf1 ~all"
"#,
            Live(&[]),
        ),
        &[("192.0.2.1", true), ("192.0.2.2", false), ("2001:db8::1", false)],
    ),
    with(
        case(
            "cisco",
            r#"
spf TXT "v=spf1 exists:%{i}.spf.hc1.cisco.test ~all"
192.0.2.1.spf.hc1 A 127.0.0.2
"#,
            Live(&[]),
        ),
        &[("192.0.2.1", true), ("192.0.2.2", false)],
    ),
];
