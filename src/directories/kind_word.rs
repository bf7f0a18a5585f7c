// SPDX-License-Identifier: GPL-3.0-or-later
//! What exports and tables call the kinds of recipients: Exchange's `RecipientTypeDetails` and plain words.

use super::ldap::recipient_type;
use crate::mail::RecipientKind;

/// What a word says of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KindWord {
    /// It is a recipient of this kind.
    Recipient(RecipientKind),
    /// It is one of Exchange's own mailboxes, or nothing that takes mail.
    System,
}

/// Words for kinds, in lower case.
const KINDS: [(RecipientKind, &[&str]); 6] = [
    (
        RecipientKind::User,
        &[
            "user",
            "users",
            "mailbox",
            "person",
            "usermailbox",
            "linkedmailbox",
            "legacymailbox",
            "mailuser",
            "guestmailuser",
            "remoteusermailbox",
            "linkeduser",
        ],
    ),
    (
        RecipientKind::Shared,
        &[
            "shared",
            "shared mailbox",
            "sharedmailbox",
            "remotesharedmailbox",
            "schedulingmailbox",
            "teammailbox",
            "remoteteammailbox",
        ],
    ),
    (
        RecipientKind::Room,
        &[
            "room",
            "rooms",
            "equipment",
            "resource",
            "roommailbox",
            "equipmentmailbox",
            "linkedroommailbox",
            "remoteroommailbox",
            "remoteequipmentmailbox",
        ],
    ),
    (
        RecipientKind::Group,
        &[
            "group",
            "groups",
            "list",
            "distribution list",
            "distributionlist",
            "mailuniversaldistributiongroup",
            "mailuniversalsecuritygroup",
            "mailnonuniversalgroup",
            "dynamicdistributiongroup",
            "groupmailbox",
            "remotegroupmailbox",
            "roomlist",
        ],
    ),
    (RecipientKind::Contact, &["contact", "contacts", "mailcontact", "mailforestcontact"]),
    (RecipientKind::PublicFolder, &["public folder", "public-folder", "publicfolder", "public folders"]),
];

/// Exchange's own, in lower case.
const SYSTEM: [&str; 12] = [
    "arbitrationmailbox",
    "auditlogmailbox",
    "auxauditlogmailbox",
    "discoverymailbox",
    "healthmailbox",
    "mailboxplan",
    "microsoftexchange",
    "monitoringmailbox",
    "publicfoldermailbox",
    "supervisoryreviewpolicymailbox",
    "systemattendantmailbox",
    "systemmailbox",
];

impl KindWord {
    /// Reads a word in any case; what is not known says nothing.
    pub(super) fn read(word: &str) -> Self {
        let word = word.trim().to_lowercase();
        // The number that Active Directory keeps it as.
        if let Ok(number) = word.parse() {
            return recipient_type(number).map_or(Self::System, Self::Recipient);
        }
        if SYSTEM.contains(&word.as_str()) {
            return Self::System;
        }
        let known = KINDS.iter().find(|(_, words)| words.contains(&word.as_str()));
        Self::Recipient(known.map_or(RecipientKind::Unspecified, |(kind, _)| *kind))
    }
}

#[cfg(test)]
mod tests {
    use super::{KINDS, KindWord, RecipientKind, SYSTEM};

    #[test]
    fn words() {
        for (word, want) in [
            ("UserMailbox", KindWord::Recipient(RecipientKind::User)),
            (" room ", KindWord::Recipient(RecipientKind::Room)),
            ("MailUniversalSecurityGroup", KindWord::Recipient(RecipientKind::Group)),
            ("PublicFolder", KindWord::Recipient(RecipientKind::PublicFolder)),
            ("DiscoveryMailbox", KindWord::System),
            ("", KindWord::Recipient(RecipientKind::Unspecified)),
            ("4", KindWord::Recipient(RecipientKind::Shared)),
            ("8388608", KindWord::System),
            ("Gärtner", KindWord::Recipient(RecipientKind::Unspecified)),
        ] {
            assert_eq!(KindWord::read(word), want, "{word}");
        }
    }

    #[test]
    fn each_word_stands_once() {
        let mut words: Vec<&str> =
            KINDS.iter().flat_map(|(_, words)| words.iter()).chain(&SYSTEM).copied().collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
        assert!(words.iter().all(|word| word.to_lowercase() == **word));
    }
}
