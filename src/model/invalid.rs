//! What is wrong with a value a caller gave, in a form that names the field and the rule.

use std::fmt;

/// A field that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field as the caller spells it, such as `uploadDirectoryJob/serverDir`.
    pub field: String,
    /// The rule, as a sentence that follows the field's name: "must be …".
    pub rule: String,
    /// The value is no nonsense, but it reaches for what is not the caller's.
    pub is_trespass: bool,
}

impl Invalid {
    pub fn new(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { field: field.into(), rule: rule.into(), is_trespass: false }
    }

    /// The value names something outside of what the caller may reach at all.
    pub fn trespass(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { is_trespass: true, ..Self::new(field, rule) }
    }

    /// The same, seen from the structure that holds the field.
    pub fn within(self, outer: &str) -> Self {
        Self { field: format!("{outer}/{}", self.field), ..self }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.rule)
    }
}

impl std::error::Error for Invalid {}

/// A string that is none of the constants of its set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownConstant {
    rule: String,
}

impl UnknownConstant {
    pub fn new<'a>(what: &str, text: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let known: Vec<_> = known.collect();
        let shown: String = text.chars().take(60).collect();
        let article = if what.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        Self { rule: format!("must be {article} {what}, one of {}; not \"{shown}\"", known.join(", ")) }
    }
}

impl fmt::Display for UnknownConstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)
    }
}

impl std::error::Error for UnknownConstant {}
