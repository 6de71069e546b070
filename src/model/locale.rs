//! Language tags as the API has them: `xx` or `xx-YY`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::invalid::Invalid;

/// A language, and maybe a country: `de`, `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locale(String);

impl Locale {
    /// Accepts `EN`, `en_US` and `en-us` for what they mean; clients send all of them.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = || {
            let shown: String = text.chars().take(20).collect();
            Invalid::new("locale", format!("must be a language as xx or xx-YY, such as en or pt-BR; not \"{shown}\""))
        };
        let letters = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_alphabetic());
        let mut parts = text.trim().split(['-', '_']);
        let language = parts.next().filter(|p| letters(p)).ok_or_else(refuse)?.to_ascii_lowercase();
        let tag = match parts.next() {
            None => language,
            Some(country) if letters(country) => format!("{language}-{}", country.to_ascii_uppercase()),
            Some(_) => return Err(refuse()),
        };
        if parts.next().is_some() {
            return Err(refuse());
        }
        Ok(Self(tag))
    }

    pub fn english() -> Self {
        Self("en".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_clients_are_understood() {
        for (text, tag) in [("EN", "en"), ("en_us", "en-US"), ("pt-BR", "pt-BR"), (" de ", "de")] {
            assert_eq!(Locale::parse(text).unwrap().as_str(), tag);
        }
        for text in ["", "e", "eng", "en-", "en-USA", "en-US-x", "12", "ee\u{301}"] {
            let error = Locale::parse(text).unwrap_err();
            assert_eq!(error.field, "locale", "{text:?}");
        }
    }
}
