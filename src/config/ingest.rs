//! `[ingest]`: server directories that upload jobs may read.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::Size,
};
use crate::model::overwrite::SameName;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Ingest {
    /// None: `ingest` in the data folder; see [`super::Config::ingest_root`].
    pub root: Option<PathBuf>,
    pub max_files: u32,
    pub max_file_bytes: Size,
    pub max_depth: u32,
    pub skip: NamePatterns,
    pub same_name: SameName,
}

impl Default for Ingest {
    fn default() -> Self {
        let junk = [".DS_Store", "Thumbs.db", "desktop.ini", "._*"];
        Self {
            root: None,
            max_files: 100_000,
            max_file_bytes: Size::gib(2),
            max_depth: 32,
            skip: NamePatterns(junk.map(str::to_owned).to_vec()),
            same_name: SameName::Skip,
        }
    }
}

impl Section for Ingest {
    const NAME: &'static str = "ingest";

    fn check(&self, check: &mut Check) {
        check.range("max_files", self.max_files, 1, 10_000_000);
        check.range("max_file_bytes", self.max_file_bytes, Size::kib(1), Size::gib(1024));
        check.range("max_depth", self.max_depth, 1, 256);
        for pattern in &self.skip.0 {
            let rule = "must hold names of files, in which * stands for any characters and ? for one";
            check.that(!pattern.is_empty() && !pattern.contains('/'), "skip", format!("{pattern:?}"), rule);
        }
    }
}

/// Names of files, in any case, in which `*` stands for any characters and `?` for one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct NamePatterns(Vec<String>);

impl NamePatterns {
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.to_lowercase().chars().collect();
        self.0.iter().any(|pattern| matches(&pattern.to_lowercase().chars().collect::<Vec<_>>(), &name))
    }
}

/// Goes back to the last `*` only, which is enough and takes at most pattern x name steps.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(sign) if *sign == '?' || *sign == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((after_star, taken)) = star else { return false };
                star = Some((after_star, taken + 1));
                at = after_star;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_is_known_by_name() {
        let skip = Ingest::default().skip;
        for name in [".DS_Store", "thumbs.db", "DESKTOP.INI", "._shoe.jpg", "._"] {
            assert!(skip.matches(name), "{name}");
        }
        for name in ["shoe.jpg", "_.jpg", "xThumbs.db", "Thumbs.db.jpg", "", "."] {
            assert!(!skip.matches(name), "{name}");
        }
    }

    #[test]
    fn patterns() {
        let matching = |pattern: &str, name: &str| NamePatterns(vec![pattern.to_owned()]).matches(name);
        assert!(matching("*.tmp", "a.b.TMP"));
        assert!(matching("?.tmp", "ä.tmp"));
        assert!(matching("a*b*c", "aXXbYYbZc"));
        assert!(matching("*", ""));
        assert!(!matching("?.tmp", "ab.tmp"));
        assert!(!matching("a*b*c", "acb"));
        assert!(!matching(&"*a".repeat(100), &"a".repeat(99)));
    }
}
