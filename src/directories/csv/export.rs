// SPDX-License-Identifier: GPL-3.0-or-later
//! Exports that are known by their header: Microsoft 365 admin centre (users), Exchange (`Get-Recipient`, `Get-Mailbox`, ...),
//! Active Directory (`csvde`, `Get-ADUser`), Google Workspace (users, members of groups) and what GAM prints of it.
//!
//! What holds no aliases, though aliases exist there, is refused or said in a note: their mail would be refused. Accounts that
//! are blocked or suspended stay recipients, because shared mailboxes and rooms are blocked accounts, too.

use super::header::Header;
use super::layout::{Layout, Membership};
use crate::mail::RecipientKind;

/// How Exchange's addresses are exported so that they can be read.
pub(super) const EXCHANGE: &str = "Get-Recipient -ResultSize Unlimited | Select-Object PrimarySmtpAddress,RecipientTypeDetails,\
     @{n='EmailAddresses';e={$_.EmailAddresses -join ';'}} | Export-Csv -NoTypeInformation -Encoding UTF8";

/// Where a known export keeps what; nothing for an unknown one.
pub(super) fn known(header: &Header) -> Result<Option<Layout>, String> {
    let has = |names: &[&str]| names.iter().all(|name| header.has(name));
    if has(&["user principal name", "proxy addresses"]) {
        return microsoft_365(header).map(Some);
    }
    if has(&["emailaddresses"]) {
        return exchange(header).map(Some);
    }
    if has(&["proxyaddresses"]) {
        return active_directory(header).map(Some);
    }
    if has(&["primarysmtpaddress"]) {
        return Err(format!(
            "there is `PrimarySmtpAddress` and no `EmailAddresses`, so mail to aliases would be refused; export both: {EXCHANGE}"
        ));
    }
    if has(&["user principal name", "soft deletion time stamp"]) {
        return Err("there is no column `Proxy addresses`, so mail to aliases would be refused; export the users with it".to_owned());
    }
    if has(&["group email", "member email"]) {
        return members(header, "group email", "member email").map(Some);
    }
    if has(&["group", "email", "role"]) {
        return members(header, "group", "email").map(Some);
    }
    if has(&["email address", "org unit path"]) || has(&["email address [required]"]) {
        return google(header).map(Some);
    }
    if has(&["primaryemail"]) {
        return gam(header, "primaryemail", RecipientKind::Unspecified).map(Some);
    }
    if has(&["email", "directmemberscount"]) || has(&["email", "admincreated"]) {
        return gam(header, "email", RecipientKind::Group).map(Some);
    }
    if has(&["target", "targettype"]) && (has(&["alias"]) || has(&["aliases"])) {
        return gam_aliases(header).map(Some);
    }
    Ok(None)
}

/// The columns of these names that there are.
fn columns(header: &Header, names: &[&str]) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for name in names {
        found.extend(header.column(name)?);
    }
    Ok(found)
}

/// The first column of these names that there is.
fn first(header: &Header, names: &[&str]) -> Result<Option<usize>, String> {
    Ok(columns(header, names)?.into_iter().next())
}

fn microsoft_365(header: &Header) -> Result<Layout, String> {
    Ok(Layout {
        addresses: columns(header, &["proxy addresses"])?,
        gone: header.column("soft deletion time stamp")?,
        of_exchange: true,
        ..Layout::new(header)
    })
}

fn exchange(header: &Header) -> Result<Layout, String> {
    Ok(Layout {
        addresses: columns(header, &["primarysmtpaddress", "emailaddresses"])?,
        kind: first(header, &["recipienttypedetails", "recipienttype"])?,
        internal_only: header.column("requiresenderauthenticationenabled")?,
        name: first(header, &["displayname", "name"])?,
        of_exchange: true,
        ends_lines: true,
        ..Layout::new(header)
    })
}

fn active_directory(header: &Header) -> Result<Layout, String> {
    Ok(Layout {
        key: first(header, &["dn", "distinguishedname"])?,
        addresses: columns(header, &["mail", "proxyaddresses"])?,
        kind: first(header, &["msexchrecipienttypedetails", "objectclass"])?,
        internal_only: header.column("msexchrequireauthtosendto")?,
        name: first(header, &["displayname", "cn", "name"])?,
        members: first(header, &["member", "members"])?,
        of_exchange: true,
        ends_lines: true,
        ..Layout::new(header)
    })
}

fn google(header: &Header) -> Result<Layout, String> {
    Ok(Layout {
        addresses: columns(header, &["email address"])?,
        note: Some(
            "Google's export of users has no aliases and no groups in it: give the domain further directories with them",
        ),
        ..Layout::new(header)
    })
}

fn gam(header: &Header, primary: &str, kind: RecipientKind) -> Result<Layout, String> {
    let mut addresses = columns(header, &[primary])?;
    addresses.extend(header.numbered("aliases")?);
    addresses.extend(header.numbered("noneditablealiases")?);
    let note = (addresses.len() == 1)
        .then_some("there are no aliases in it: print them with `gam print users aliases`");
    let name = if kind == RecipientKind::Group { header.column("name")? } else { None };
    Ok(Layout { addresses, standard_kind: kind, name, note, ..Layout::new(header) })
}

fn gam_aliases(header: &Header) -> Result<Layout, String> {
    let addresses = columns(header, &["target", "alias", "aliases", "noneditablealias"])?;
    Ok(Layout { addresses, one_row_each: false, ..Layout::new(header) })
}

fn members(header: &Header, group: &str, member: &str) -> Result<Layout, String> {
    let (Some(group), Some(member)) = (header.column(group)?, header.column(member)?) else {
        return Err(header.unknown());
    };
    Ok(Layout {
        addresses: vec![group],
        standard_kind: RecipientKind::Group,
        membership: Some(Membership { group, member }),
        ..Layout::new(header)
    })
}
