// SPDX-License-Identifier: GPL-3.0-or-later
//! The providers that are compiled in. A test holds that each file is right.

use super::read::read_one;
use super::{Provider, Providers};
use crate::config::Problems;
use crate::config::text::Text;
use std::path::Path;
use std::sync::LazyLock;

/// The files, by name.
pub(super) const FILES: [(&str, &str); 28] = [
    ("barracuda.toml", include_str!("barracuda.toml")),
    ("check-point.toml", include_str!("check-point.toml")),
    ("cisco.toml", include_str!("cisco.toml")),
    ("cloudflare.toml", include_str!("cloudflare.toml")),
    ("firstwave.toml", include_str!("firstwave.toml")),
    ("forcepoint.toml", include_str!("forcepoint.toml")),
    ("fortimail-cloud.toml", include_str!("fortimail-cloud.toml")),
    ("google.toml", include_str!("google.toml")),
    ("hornetsecurity.toml", include_str!("hornetsecurity.toml")),
    ("intermedia.toml", include_str!("intermedia.toml")),
    ("libraesva.toml", include_str!("libraesva.toml")),
    ("mailmarshal.toml", include_str!("mailmarshal.toml")),
    ("mailroute.toml", include_str!("mailroute.toml")),
    ("messagelabs.toml", include_str!("messagelabs.toml")),
    ("microsoft-365.toml", include_str!("microsoft-365.toml")),
    ("mimecast.toml", include_str!("mimecast.toml")),
    ("n-able.toml", include_str!("n-able.toml")),
    ("proofpoint.toml", include_str!("proofpoint.toml")),
    ("proofpoint-essentials.toml", include_str!("proofpoint-essentials.toml")),
    ("reflexion.toml", include_str!("reflexion.toml")),
    ("securence.toml", include_str!("securence.toml")),
    ("seppmail-cloud.toml", include_str!("seppmail-cloud.toml")),
    ("sophos.toml", include_str!("sophos.toml")),
    ("spamhero.toml", include_str!("spamhero.toml")),
    ("spamtitan.toml", include_str!("spamtitan.toml")),
    ("trellix.toml", include_str!("trellix.toml")),
    ("trend-micro.toml", include_str!("trend-micro.toml")),
    ("zix.toml", include_str!("zix.toml")),
];

/// Read once; what cannot be read is left out.
pub(super) static ALL: LazyLock<Vec<Provider>> = LazyLock::new(|| read(&mut Problems::default()));

pub(super) fn read(problems: &mut Problems) -> Vec<Provider> {
    let mut all = Providers::default();
    for (name, content) in FILES {
        let text = Text::of(Path::new(name).into(), content.to_owned());
        if let Some((provider, _)) = read_one(&text, problems) {
            // Two of one name are the test's to find.
            let _ = all.put(provider);
        }
    }
    all.list
}
