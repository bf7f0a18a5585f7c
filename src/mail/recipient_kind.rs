// SPDX-License-Identifier: GPL-3.0-or-later
//! What a recipient is, as far as a directory tells.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a recipient is. The numbers of the variants are kept on disk: new ones go to the end.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipientKind {
    /// The directory does not say.
    #[default]
    Unspecified,
    /// A mailbox of a person.
    User,
    /// A shared mailbox.
    Shared,
    /// A mailbox of a room or of equipment.
    Room,
    /// A group or distribution list.
    Group,
    /// A contact, whose mail goes on to elsewhere.
    Contact,
    /// A public folder that takes mail.
    PublicFolder,
}

impl RecipientKind {
    /// All that a directory can say.
    pub const SAID: [Self; 6] =
        [Self::User, Self::Shared, Self::Room, Self::Group, Self::Contact, Self::PublicFolder];

    /// The word used in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "recipient",
            Self::User => "user",
            Self::Shared => "shared",
            Self::Room => "room",
            Self::Group => "group",
            Self::Contact => "contact",
            Self::PublicFolder => "public-folder",
        }
    }
}

impl fmt::Display for RecipientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
