// SPDX-License-Identifier: GPL-3.0-or-later
//! A refresh that somebody asks for: as an order to the server, left in `state_dir` before a SIGUSR1, or done on the spot
//! where no server runs.

use super::fetch::{Fetch, Fetched, Validators};
use super::keeper::{AT_ONCE, ask};
use super::merge::Event;
use super::snapshot::Snapshot;
use super::source::SourceError;
use super::stock::Stock;
use crate::config::AddressSource;
use crate::store::{Store, StoreError};
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::pin::pin;

/// The name of the file in `state_dir`.
const FILE: &str = "refresh.json";

/// What is to be refreshed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// Names of gateways; all of them when there is none.
    #[serde(default)]
    pub gateways: Vec<String>,
    /// Whether an answer is taken as it is, however much it changes, unless it is empty.
    #[serde(default)]
    pub force: bool,
}

impl Order {
    /// Leaves the order for the server.
    pub fn leave(&self, state_dir: &Path) -> Result<(), StoreError> {
        // Texts are always JSON.
        Store::new(state_dir).write(FILE, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Takes the order that was left, if there is one. A damaged one is removed, too.
    pub fn collect(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let store = Store::new(state_dir);
        let read = store.read(FILE);
        store.remove(FILE)?;
        let Some(content) = read? else { return Ok(None) };
        let order =
            serde_json::from_slice(&content).map_err(|_| StoreError::Damaged(state_dir.join(FILE)))?;
        Ok(Some(order))
    }
}

/// A source and its answer.
pub type Answered = (AddressSource, Result<Fetched, SourceError>);

/// What a refresh did to one source.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// The source.
    pub source: AddressSource,
    /// Before.
    pub before: Snapshot,
    /// After.
    pub after: Snapshot,
    /// What happened, the same that is logged.
    pub events: Vec<Event>,
}

/// The answer of each source, as it comes in; no more are asked at one time than a server would ask.
fn answers<F: Fetch>(fetch: &F, questions: Vec<(AddressSource, Validators)>) -> impl Stream<Item = Answered> {
    let asked = questions.into_iter().map(async |(source, validators)| {
        let answer = ask(fetch, &source, &validators).await;
        (source, answer)
    });
    futures_util::stream::iter(asked).buffer_unordered(AT_ONCE)
}

/// Asks sources as if they had never been asked, and keeps nothing; after each, `step` is told. By name.
pub async fn ask_anew<F: Fetch>(fetch: &F, sources: Vec<AddressSource>, step: impl Fn()) -> Vec<Answered> {
    let questions = sources.into_iter().map(|source| (source, Validators::default())).collect();
    let mut answered: Vec<Answered> = answers(fetch, questions).inspect(|_| step()).collect().await;
    answered.sort_by_key(|(source, _)| super::source::label(source));
    answered
}

/// Refreshes the sources that an order is about, due or not, and keeps what comes of it; after each, `step` is told.
pub async fn refresh_now<F: Fetch>(
    stock: &mut Stock,
    fetch: &F,
    order: &Order,
    step: impl Fn(),
) -> Vec<Refreshed> {
    let sources = stock.plan().sources_of(&order.gateways);
    let questions: Vec<(AddressSource, Validators)> = sources
        .into_iter()
        .map(|source| {
            let known = stock.snapshot(&source).filter(|_| !order.force);
            let validators = known.map_or_else(Validators::default, |snapshot| snapshot.validators.clone());
            (source, validators)
        })
        .collect();
    let mut answers = pin!(answers(fetch, questions));
    let mut done = Vec::new();
    while let Some((source, answer)) = answers.next().await {
        let before = stock.snapshot(&source).cloned().unwrap_or_default();
        let (events, _) = stock.take(&source, &answer, order.force);
        stock.recompose(&source);
        let after = stock.snapshot(&source).cloned().unwrap_or_default();
        done.push(Refreshed { source, before, after, events });
        step();
    }
    done.sort_by_key(|refreshed| super::source::label(&refreshed.source));
    done
}
