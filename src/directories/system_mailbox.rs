// SPDX-License-Identifier: GPL-3.0-or-later
//! Exchange's own mailboxes, to which nobody outside has anything to write: health, arbitration, discovery, migration.

/// Beginnings of their local parts, in lower case (Exchange Server 2013 to 2019 and Exchange Online set them up so).
const BEGINNINGS: [&str; 8] = [
    "healthmailbox",
    "extest_",
    "systemmailbox{",
    "discoverysearchmailbox",
    "federatedemail.",
    "migration.",
    "sm_",
    "msexch",
];

/// Whether an address or a name is one of Exchange's own. Those of people that begin so have no digits, braces or dots
/// after it: `migration.board@` is told from `Migration.8f3e7716-2011-43e4-96b1-aba62d229136@`.
pub(super) fn is_system_mailbox(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default().to_lowercase();
    BEGINNINGS.iter().any(|beginning| {
        local
            .strip_prefix(beginning)
            .is_some_and(|rest| rest.bytes().filter(u8::is_ascii_hexdigit).count() >= 12)
    })
}

#[cfg(test)]
mod tests {
    use super::is_system_mailbox;

    #[test]
    fn exchange_has_mailboxes_of_its_own() {
        for (address, want) in [
            ("HealthMailbox0659e34c2d5b4aa1bc5b9ed5b4d1f9a7@a.example", true),
            ("SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@a.example", true),
            ("DiscoverySearchMailbox{D919BA05-46A6-415f-80AD-7E09334BB852}@a.example", true),
            ("FederatedEmail.4c1f4d8b-8179-4148-93bf-00a95fa1e042@a.example", true),
            ("Migration.8f3e7716-2011-43e4-96b1-aba62d229136@a.example", true),
            ("SM_0f3a1c9d2b4e4f5aa@a.example", true),
            ("migration.board@a.example", false),
            ("sm_team@a.example", false),
            ("healthmailbox@a.example", false),
            ("ann@a.example", false),
        ] {
            assert_eq!(is_system_mailbox(address), want, "{address}");
        }
    }
}
