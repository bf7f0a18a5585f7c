// SPDX-License-Identifier: GPL-3.0-or-later
//! Back room: who may hand us mail, from the configuration and the files it names.
//!
//! A network file has one network or address a line; `#` begins a comment, also behind a network. A malformed line
//! refuses the whole file. Nothing is kept fresh by itself yet: a reload reads everything again.

pub mod hosts;
mod source;
pub mod spf;

pub use source::{Published, PublishedNetwork, SourceError};

use crate::config::{self, FileProblems, NetworkList, Problems, wide_sum};
use crate::policy::{self, Addresses};
use std::sync::Arc;

/// Reads the networks of a gateway.
pub fn load(gateway: &config::Gateway, problems: &mut Problems) -> policy::Gateway {
    let config::Gateway {
        name,
        provider: _,
        networks,
        files,
        sources,
        certificate,
        header,
        require,
        subset_of: _,
        guard: _,
        behind,
        accept_private,
        place,
    } = gateway;
    let mut networks = networks.clone();
    for file in files {
        let mut list = NetworkList::of_gateway(*accept_private);
        file.read("network", problems, |entry, found| {
            let written = entry.text.split('#').next().unwrap_or_default().trim();
            list.add(written, &entry.place(), |problem| found.push(problem));
        });
        let mut found = FileProblems::default();
        networks.extend(list.finish(|problem| found.push(problem)));
        found.give_to(file.named(), problems);
    }
    if let Some(problem) = wide_sum(&networks, place) {
        problems.push(problem);
    }
    let is_known_by_address = !networks.is_empty() || !sources.is_empty();
    let addresses = Addresses {
        networks: networks.into_iter().collect(),
        complete: sources.is_empty(),
        live: Box::default(),
    };
    policy::Gateway {
        name: Arc::clone(name),
        addresses: is_known_by_address.then_some(addresses),
        certificate: certificate.as_slice().into(),
        header: header.clone(),
        require: *require,
        behind: *behind,
        accept_private: *accept_private,
    }
}
