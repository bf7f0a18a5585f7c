// SPDX-License-Identifier: GPL-3.0-or-later
//! The macros that an MTA defines at each stage: those that the milter asked for, or else Postfix's default lists
//! (`milter_connect_macros` and so on, postconf(5)). A macro without a value is left out.

use crate::cli::question::{Address, Question};
use indymilter::MacroStage;
use std::ffi::CString;

/// The queue id of a message that never is in a queue.
pub(super) const QUEUE_ID: &str = "POSTERNTRY";

/// What the macros are made of.
#[derive(Debug)]
pub(super) struct Macros<'a> {
    question: &'a Question,
    mta_name: String,
    client: String,
}

impl<'a> Macros<'a> {
    pub(super) fn new(question: &'a Question) -> Self {
        let mta_name = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let client = match question.client.0 {
            Some(std::net::IpAddr::V6(address)) => format!("IPv6:{address}"),
            Some(std::net::IpAddr::V4(address)) => address.to_string(),
            None => "unknown".to_owned(),
        };
        Self { question, mta_name, client }
    }

    /// Names and values for a stage. `queued` says that the message has a queue id, `recipient` is the one it is about.
    pub(super) fn at(
        &self,
        stage: MacroStage,
        wanted: Option<&CString>,
        queued: bool,
        recipient: Option<&Address>,
    ) -> Vec<(String, String)> {
        let wanted = wanted.map_or_else(|| default_list(stage).into(), |names| names.to_string_lossy());
        let names = wanted.split([' ', ',', '\t']).filter(|name| !name.is_empty());
        names
            .filter_map(|name| {
                let value = self.value(name.trim_matches(['{', '}']), queued, recipient)?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect()
    }

    fn value(&self, name: &str, queued: bool, recipient: Option<&'a Address>) -> Option<&str> {
        let login = self.question.login.as_deref();
        match name {
            "j" | "daemon_name" => Some(&self.mta_name),
            // It is spoken as Postfix speaks, and answered so.
            "v" => Some("Postfix"),
            "i" => queued.then_some(QUEUE_ID),
            "client_addr" => Some(&self.client),
            "client_name" | "client_ptr" => Some("unknown"),
            "client_port" => Some("0"),
            "client_resolve" => Some("FAIL"),
            // As Postfix tells of a certificate that it trusts.
            "cert_subject" => self.question.certificate.as_deref(),
            "tls_version" => self.question.certificate.as_ref().and(Some("TLSv1.3")),
            "auth_type" => login.and(Some("PLAIN")),
            "auth_authen" => login,
            "mail_addr" => Some(self.question.sender.as_str()),
            "rcpt_addr" => recipient.map(Address::as_str),
            "mail_mailer" => Some("smtp"),
            "rcpt_mailer" => recipient.and(Some("smtp")),
            _ => None,
        }
    }
}

fn default_list(stage: MacroStage) -> &'static str {
    match stage {
        MacroStage::Connect => "j {daemon_name} v",
        MacroStage::Helo => "{tls_version} {cert_subject}",
        MacroStage::Mail => "i {auth_type} {auth_authen} {mail_addr} {mail_mailer}",
        MacroStage::Rcpt => "i {rcpt_addr} {rcpt_mailer}",
        MacroStage::Data | MacroStage::Eoh | MacroStage::Eom => "i",
    }
}
