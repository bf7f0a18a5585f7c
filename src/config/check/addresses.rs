// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a gateway's addresses come from: networks, files, and what is published.

use super::Check;
use super::preset::Preset;
use crate::config::file;
use crate::config::networks::NetworkList;
use crate::config::placed::Placed;
use crate::config::published::{self, Wrong};
use crate::config::settings::{AddressSource, Feed};
use crate::config::source::read_whole;
use crate::config::table::Table;
use crate::config::text_or::{OneOrMore, TextOr};
use crate::config::wording::{header, quoted};
use crate::config::{DataFile, FeedFormat};
use crate::mail::Network;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;

/// Largest file of certificates, in octets.
const MAX_CA: u64 = 1024 * 1024;

/// The addresses of a gateway.
pub(super) struct Found {
    pub(super) networks: Vec<Network>,
    pub(super) files: Vec<DataFile>,
    pub(super) sources: Vec<AddressSource>,
    /// Whether anything about addresses is written at all, right or wrong.
    pub(super) any: bool,
}

impl Check<'_> {
    pub(super) fn addresses(
        &mut self,
        name: &Placed<String>,
        table: &Table<file::Gateway>,
        preset: &Preset<'_>,
    ) -> Found {
        let file::Gateway { networks, files, spf, hosts, feed, accept_private, .. } = &***table;
        let mut list = NetworkList::of_gateway(*accept_private);
        if let Some(networks) = networks {
            let help = "write the networks that the gateway delivers from, or leave the key out";
            self.not_empty(networks, &["gateway", name, "networks"], "it would let nobody in", help);
            for written in networks.iter() {
                list.add(written, &self.place(written), |problem| self.problems.push(problem));
            }
        }
        self.own_networks.extend(list.entries().iter().map(|(net, at)| (*net, name.to_string(), at.clone())));
        let mut data_files = Vec::new();
        if let Some(files) = files {
            let help = "write the files that hold the gateway's networks, or leave the key out";
            self.not_empty(files, &["gateway", name, "files"], "it would let nobody in", help);
            data_files.extend(self.once(files).into_iter().filter_map(|written| self.data_file(written)));
        }
        let mut networks = list.finish(|problem| self.problems.push(problem));
        networks.extend(
            preset.resolved.networks.iter().filter(|n| !networks.contains(n)).copied().collect::<Vec<_>>(),
        );
        let mut sources = preset.resolved.sources.clone();
        for (key, list, read) in [
            ("spf", spf, (|text| published::spf(text).map(AddressSource::Spf)) as fn(&str) -> _),
            ("hosts", hosts, |text| published::host(text).map(AddressSource::Host)),
        ] {
            if let Some(list) = list {
                self.published(name, key, list, read, &mut sources);
            }
        }
        if let Some(feed) = feed {
            self.feeds(name, feed, &mut sources);
        }
        let is_lost = ["provider", "networks", "files", "spf", "hosts", "feed"]
            .iter()
            .any(|key| self.lost.touches(&["gateway", name, key]));
        let written = networks.is_empty()
            && table.networks.is_none()
            && files.is_none()
            && spf.is_none()
            && hosts.is_none()
            && feed.is_none();
        let any = !written || !preset.resolved.sources.is_empty() || preset.failed || is_lost;
        Found { networks, files: data_files, sources, any }
    }

    fn published(
        &mut self,
        gateway: &str,
        key: &str,
        list: &Placed<Vec<Placed<String>>>,
        read: fn(&str) -> Result<AddressSource, Wrong>,
        sources: &mut Vec<AddressSource>,
    ) {
        let help = "write the names under which the gateway's addresses are published, or leave the key out";
        self.not_empty(list, &["gateway", gateway, key], "it would let nobody in", help);
        for written in self.once(list) {
            match read(written) {
                Ok(source) => add(source, sources),
                Err((what, help)) => self.error(written, what, help),
            }
        }
    }

    fn feeds(
        &mut self,
        gateway: &str,
        feeds: &Placed<OneOrMore<TextOr<file::Feed>>>,
        sources: &mut Vec<AddressSource>,
    ) {
        let path = ["gateway", gateway, "feed"];
        if feeds.is_empty() && !self.lost.touches(&path) {
            let what = "the list is empty: it would let nobody in";
            self.error(
                feeds,
                what,
                "write the URL of a document with the gateway's networks, or leave the key out",
            );
        }
        for feed in feeds.each() {
            let (url, table) = match *feed {
                TextOr::Text(url) => (Some(Placed::at(&feed, url.clone())), None),
                TextOr::Table(table) => (table.url.clone(), Some(table)),
            };
            let Some(url) = url else {
                if !self.lost.touches(&path) {
                    let what = format!("`url` is missing in {}", header(&path));
                    self.error(&feed, what, "write `url = \"https://...\"`");
                }
                continue;
            };
            let ca = table.and_then(|table| table.ca.as_ref()).map(|ca| self.certificates(ca));
            let pins = table.and_then(|table| table.pin.as_ref()).map(|pins| self.pins(gateway, pins));
            match published::feed(&url) {
                Ok((url, usual)) => {
                    let written: Option<FeedFormat> = table.and_then(|table| table.format).map(Into::into);
                    let feed = Feed {
                        url,
                        format: written.unwrap_or(usual),
                        ca: ca.flatten(),
                        pins: pins.unwrap_or_default(),
                    };
                    add(AddressSource::Feed(Arc::new(feed)), sources);
                }
                Err((what, help)) => self.error(&url, what, help),
            }
        }
    }

    /// Certificates (PEM) of those who may vouch for a server.
    pub(super) fn certificates(&mut self, written: &Placed<String>) -> Option<Arc<[u8]>> {
        let path = self.path(written);
        let name = quoted(&path.to_string_lossy());
        let (octets, _) = match read_whole(&path, MAX_CA) {
            Ok(read) => read,
            Err(_) if written.is_empty() => return None,
            Err(error) => {
                let help = "name a file with the certificates of the authority, in PEM";
                self.error(written, format!("cannot read {name}: {error}"), help);
                return None;
            }
        };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&octets).collect();
        if certificates.is_ok_and(|found| !found.is_empty()) {
            return Some(octets.into());
        }
        let what = format!("{name} holds no certificate");
        self.error(
            written,
            what,
            "it begins with -----BEGIN CERTIFICATE-----; from DER: openssl x509 -inform DER",
        );
        None
    }

    fn pins(&mut self, gateway: &str, list: &Placed<Vec<Placed<String>>>) -> Vec<[u8; 32]> {
        let path = ["gateway", gateway, "feed"];
        let help = "write the SHA-256 of the server's public key, or leave the key out";
        self.not_empty(list, &path, "no server would do", help);
        let mut pins = Vec::new();
        for written in self.once(list) {
            match pin(written) {
                Some(pin) if !pins.contains(&pin) => pins.push(pin),
                Some(_) => {}
                None => {
                    let what = format!("{} is no SHA-256 of a public key", quoted(written));
                    let help =
                        "write \"sha256/\" and the 44 characters of its BASE64, or its 64 hexadecimal digits";
                    self.error(written, what, help);
                }
            }
        }
        pins
    }
}

/// `sha256/BASE64`, as in HPKP and curl (which doubles the slash), or hexadecimal digits with or without colons.
fn pin(written: &str) -> Option<[u8; 32]> {
    let text = written.strip_prefix("sha256/").unwrap_or(written);
    let text = text.strip_prefix('/').unwrap_or(text);
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let octets = if digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        let pairs = (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16));
        pairs.collect::<Result<Vec<u8>, _>>().ok()?
    } else if written.starts_with("sha256/") {
        STANDARD.decode(text).ok()?
    } else {
        return None;
    };
    octets.try_into().ok()
}

fn add(source: AddressSource, sources: &mut Vec<AddressSource>) {
    if !sources.contains(&source) {
        sources.push(source);
    }
}
