// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern try`: what would happen to one message, and why.

use super::arguments::TryOptions;
use super::assemble::{self, Assembled};
use super::content::{Content, ContentError};
use super::output::{self, Page};
use super::question::Question;
use super::trial::Trial;
use super::{FAILED, live, outside, scan_watch};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use tokio::runtime;

/// Tries a message: 0 when it would be accepted or tagged for all recipients, 1 when not, 2 when nothing can be said.
pub(super) fn ask(config: &Path, options: TryOptions) -> io::Result<ExitCode> {
    let TryOptions { client, rcpt, mail, helo, auth, certificate, header, live, json, message } = options;
    let mut content = match message.as_deref().map(read).transpose() {
        Ok(content) => content.unwrap_or_default(),
        Err(complaint) => {
            output::complain(&format!("postern: {complaint}\n"));
            return Ok(ExitCode::from(FAILED));
        }
    };
    content.headers.splice(..0, header);
    let question =
        Question { client, helo, login: auth, certificate, sender: mail, recipients: rcpt, content };
    match live {
        Some(server) => live::ask(&server, &question, message.is_none(), json),
        None => decide(config, &question, json),
    }
}

fn decide(config: &Path, question: &Question, json: bool) -> io::Result<ExitCode> {
    let Assembled { problems, outcome, .. } = assemble::assemble(config);
    let Some((config, policy)) = outcome else {
        super::print_errors(problems);
        return Ok(ExitCode::from(FAILED));
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let keys = scan_watch::for_once(&config, &policy);
    let trial = runtime.block_on(async {
        let outside = outside::for_once(&config, &policy).await;
        Trial::hold(&policy, question, (&*outside, keys.as_ref())).await
    });
    if json {
        output::print_json(&trial.to_json())?;
    } else {
        let mut page = Page::new(output::colour(&io::stdout()));
        trial.show(&mut page);
        output::print(&page.into_text())?;
    }
    Ok(ExitCode::from(u8::from(!trial.passes())))
}

fn read(path: &Path) -> Result<Content, String> {
    Content::read(path)
        .map_err(|error: ContentError| format!("cannot read the message {}: {error}", path.display()))
}
