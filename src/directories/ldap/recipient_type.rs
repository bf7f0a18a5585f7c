// SPDX-License-Identifier: GPL-3.0-or-later
//! What Exchange says an object is: `msExchRecipientTypeDetails`, a number of 64 bits of which one is set.
//!
//! The values are those of `Get-Recipient -RecipientTypeDetails` (Microsoft's `RecipientTypeDetails` enumeration).

use crate::mail::RecipientKind::{self, Contact, Group, PublicFolder, Room, Shared, User};

/// What an object is by its number: a kind; nothing for one of Exchange's own, to which nobody writes.
///
/// A number that is not known is a recipient of which nothing more is said: new kinds of mailboxes come, and no mail to
/// them is to be refused.
pub(in crate::directories) fn kind(number: u64) -> Option<RecipientKind> {
    let Some(bit) = number.is_power_of_two().then(|| number.trailing_zeros()) else {
        return Some(RecipientKind::Unspecified);
    };
    match bit {
        // Mailboxes of users: own, linked, legacy, of mail users, remote; users without or no more with one.
        0 | 1 | 3 | 7 | 16 | 21 | 25 | 31 => Some(User),
        // Shared, of teams (sites), and both of them remote.
        2 | 35 | 37 | 38 => Some(Shared),
        // Rooms, equipment, remote, linked, scheduling.
        4 | 5 | 33 | 34 | 41 | 44 => Some(Room),
        // Contacts, of other forests, and guests.
        6 | 15 | 17 | 45 => Some(Contact),
        // Distribution lists, security groups, dynamic ones, lists of rooms, roles, groups of Microsoft 365.
        8..=11 | 18..=20 | 28 | 30 | 40 | 43 => Some(Group),
        // Public folders that take mail, and the mailboxes that hold them.
        12 | 36 => Some(PublicFolder),
        // The system attendant, system mailboxes, Exchange itself, arbitration, plans, discovery, monitoring, audit logs,
        // supervision.
        13 | 14 | 22 | 23 | 24 | 29 | 39 | 42 | 46 | 47 => None,
        _ => Some(RecipientKind::Unspecified),
    }
}

#[cfg(test)]
mod tests {
    use super::{Contact, Group, PublicFolder, RecipientKind, Room, Shared, User, kind};

    #[test]
    fn numbers() {
        for (number, want) in [
            (1, Some(User)),
            (2, Some(User)),
            (4, Some(Shared)),
            (16, Some(Room)),
            (32, Some(Room)),
            (64, Some(Contact)),
            (128, Some(User)),
            (256, Some(Group)),
            (512, Some(Group)),
            (1024, Some(Group)),
            (2048, Some(Group)),
            (4096, Some(PublicFolder)),
            (8192, None),
            (16384, None),
            (4_194_304, None),
            (8_388_608, None),
            (536_870_912, None),
            (2_147_483_648, Some(User)),
            (8_589_934_592, Some(Room)),
            (17_179_869_184, Some(Room)),
            (34_359_738_368, Some(Shared)),
            (549_755_813_888, None),
            (1_099_511_627_776, Some(Group)),
            (4_398_046_511_104, None),
            (0, Some(RecipientKind::Unspecified)),
            (3, Some(RecipientKind::Unspecified)),
            (1 << 62, Some(RecipientKind::Unspecified)),
        ] {
            assert_eq!(kind(number), want, "{number}");
        }
    }
}
