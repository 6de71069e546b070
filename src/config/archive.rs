//! `[archive]`: archives that upload jobs unpack (unCompressOptions).

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use super::{
    read::{Check, Section},
    units::Size,
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Archive {
    pub max_files: u32,
    pub max_bytes: Size,
    pub max_depth: u32,
    pub max_ratio: u32,
    pub names: NamePage,
}

/// The code page of names that do not say it themselves, or `auto`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct NamePage(pub String);

impl NamePage {
    const AUTO: &'static str = "auto";
}

impl TryFrom<String> for NamePage {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        // Those of DOS are known to us, all others to the web.
        let is_known = || Encoding::for_label(name.as_bytes()).is_some_and(Encoding::is_ascii_compatible);
        if [Self::AUTO, "cp437", "cp850"].contains(&name.as_str()) || is_known() {
            return Ok(Self(name));
        }
        Err(format!(
            "must be {:?}, or a code page such as \"shift_jis\", \"gbk\", \"ibm866\", \"cp437\" or \"cp850\"",
            Self::AUTO
        ))
    }
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            max_files: 10_000,
            max_bytes: Size::gib(8),
            max_depth: 16,
            max_ratio: 200,
            names: NamePage(NamePage::AUTO.to_owned()),
        }
    }
}

impl Section for Archive {
    const NAME: &'static str = "archive";

    fn check(&self, check: &mut Check) {
        check.range("max_files", self.max_files, 1, 100_000);
        check.range("max_bytes", self.max_bytes, Size::kib(1), Size::gib(1024));
        check.range("max_depth", self.max_depth, 0, 32);
        check.range("max_ratio", self.max_ratio, 1, 2000);
    }
}
