// SPDX-License-Identifier: GPL-3.0-or-later
//! Puts the questions that only the network can answer, all at once, before policy decides.
//!
//! All questions about one decision have [`LIMIT`] together, below the time that a door gives a decision, so that an
//! answer that does not come is an unknown among the findings and not a decision that is overdue. Answers are kept by
//! whoever is outside.

use crate::mail::{Recipient, Session};
use crate::policy::{self, Answer, Answers, Listings, LiveName, Policy, Questions, ReverseName};
use futures_util::future::join_all;
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long all questions that one decision needs may take together.
const LIMIT: Duration = Duration::from_secs(4);

/// An answer that is on its way.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who answers. What cannot be told is unknown, and never an error.
pub trait Outside: Debug + Send + Sync {
    /// Whether a live name passes a client.
    fn live<'a>(&'a self, name: &'a LiveName, client: IpAddr) -> Asked<'a, Answer>;

    /// What DNSBLs say of a client.
    fn listings(&self, client: IpAddr) -> Asked<'_, Listings>;

    /// The name that a client's address points to.
    fn reverse(&self, client: IpAddr) -> Asked<'_, ReverseName>;
}

/// Nobody is there to be asked: every answer is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Outside for Nobody {
    fn live<'a>(&'a self, _: &'a LiveName, _: IpAddr) -> Asked<'a, Answer> {
        Box::pin(std::future::ready(Answer::Unknown))
    }

    fn listings(&self, _: IpAddr) -> Asked<'_, Listings> {
        Box::pin(std::future::ready(nothing_told()))
    }

    fn reverse(&self, _: IpAddr) -> Asked<'_, ReverseName> {
        Box::pin(std::future::ready(ReverseName::Unknown))
    }
}

/// Puts the questions about one recipient's client, and those that follow from their answers: whether a client is a
/// gateway comes before its reputation.
pub async fn ask_about(
    outside: &dyn Outside,
    policy: &Policy,
    (session, recipient): (&Session, &Recipient),
    questions: Questions,
    answers: &mut Answers,
) {
    let deadline = Instant::now() + LIMIT;
    put(outside, &questions, deadline, answers).await;
    if let Some(questions) = policy::questions(policy, session, recipient, answers) {
        put(outside, &questions, deadline, answers).await;
    }
}

/// Puts questions that no others follow from: about the client behind a gateway, and about one without a recipient.
pub async fn ask_apart(outside: &dyn Outside, questions: &Questions) -> Answers {
    let mut answers = Answers::default();
    put(outside, questions, Instant::now() + LIMIT, &mut answers).await;
    answers
}

/// Puts the questions, all at once, and adds what is answered.
async fn put(outside: &dyn Outside, questions: &Questions, deadline: Instant, answers: &mut Answers) {
    let Questions { client, live, listings, reverse } = questions;
    let ask_live = live.iter().map(|name| async move {
        let answer = timeout_at(deadline, outside.live(name, *client)).await.unwrap_or(Answer::Unknown);
        (name.clone(), answer)
    });
    let ask_listings = async {
        if !*listings {
            return None;
        }
        Some(timeout_at(deadline, outside.listings(*client)).await.unwrap_or_else(|_| nothing_told()))
    };
    let ask_reverse = async {
        if !*reverse {
            return None;
        }
        Some(timeout_at(deadline, outside.reverse(*client)).await.unwrap_or(ReverseName::Unknown))
    };
    let (live, listings, reverse) = tokio::join!(join_all(ask_live), ask_listings, ask_reverse);
    answers.live.extend(live);
    answers.listings = answers.listings.take().or(listings);
    answers.reverse = answers.reverse.take().or(reverse);
}

/// No DNSBL has answered.
fn nothing_told() -> Listings {
    Listings { listed: Vec::new(), unanswered: u32::MAX }
}
