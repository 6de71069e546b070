//! `[sets]`: sets that scripts put together.

use serde::Deserialize;

use super::read::{Check, Section};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sets {
    pub max_assets: u32,
}

impl Default for Sets {
    fn default() -> Self {
        Self { max_assets: 1000 }
    }
}

impl Section for Sets {
    const NAME: &'static str = "sets";

    fn check(&self, check: &mut Check) {
        check.range("max_assets", self.max_assets, 1, 100_000);
    }
}
