//! The keys outside any table.

use std::path::PathBuf;

use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, de};

use super::read::{Check, Section, nearest};

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Top {
    pub(super) data: Option<PathBuf>,
    #[serde(deserialize_with = "zone")]
    pub(super) zone: Option<Tz>,
    pub(super) server_name: Option<String>,
}

impl Section for Top {
    const NAME: &'static str = "";

    fn check(&self, check: &mut Check) {
        if let Some(data) = &self.data {
            check.that(!data.as_os_str().is_empty(), "data", "\"\"", "must be a folder");
        }
        if let Some(name) = &self.server_name {
            let plain = (1..=255).contains(&name.len()) && !name.contains(|c: char| c.is_control());
            check.that(
                plain,
                "server_name",
                format!("{name:?}"),
                "must have 1 to 255 characters and no control characters",
            );
        }
    }
}

fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tz>, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map(Some).map_err(|_| {
        let nearest = nearest(&name, TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint = nearest.map(|zone| format!("; did you mean \"{zone}\"?")).unwrap_or_default();
        de::Error::custom(format!("must be the IANA name of a zone, such as \"Europe/Berlin\"{hint}"))
    })
}
