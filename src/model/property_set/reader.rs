//! Reads the values of a set of a built-in type; an error names the property.

use std::fmt::Display;
use std::str::FromStr;

use super::Properties;
use crate::model::invalid::Invalid;

/// A property that a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub name: &'static str,
    pub required: bool,
    /// What it says and which values it takes, for people.
    pub meaning: &'static str,
}

impl Rule {
    pub const fn required(name: &'static str, meaning: &'static str) -> Self {
        Self { name, required: true, meaning }
    }

    pub const fn optional(name: &'static str, meaning: &'static str) -> Self {
        Self { name, required: false, meaning }
    }
}

/// Properties of which each is known and all that are required are there.
pub(super) struct Reader<'a>(&'a Properties);

impl<'a> Reader<'a> {
    pub fn new(properties: &'a Properties, rules: &'static [Rule]) -> Result<Self, Invalid> {
        for property in properties.iter() {
            if !rules.iter().any(|rule| rule.name == property.name) {
                let known: Vec<&str> = rules.iter().map(|rule| rule.name).collect();
                let rule = format!("is not a property of this type; it has {}", known.join(", "));
                return Err(Invalid::new(shown(&property.name), rule));
            }
        }
        let reader = Self(properties);
        match rules.iter().find(|rule| rule.required && reader.text(rule.name).is_none()) {
            Some(rule) => Err(Invalid::new(rule.name, format!("is missing: {}", rule.meaning))),
            None => Ok(reader),
        }
    }

    /// A value; an empty one is none.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).filter(|value| !value.trim().is_empty())
    }

    /// A value that the rules say is there.
    pub fn required(&self, name: &str) -> &'a str {
        self.text(name).unwrap_or_default()
    }

    pub fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Invalid> {
        let parse = |text: &str| text.trim().parse().map_err(|error: T::Err| Invalid::new(name, error.to_string()));
        self.text(name).map(parse).transpose()
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Invalid> {
        match self.text(name).map(str::trim) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(other) => Err(Invalid::new(name, format!("must be true or false, not \"{}\"", shown(other)))),
        }
    }

    pub fn number(&self, name: &str, low: u32, high: u32) -> Result<Option<u32>, Invalid> {
        let Some(text) = self.text(name).map(str::trim) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(Invalid::new(name, format!("must be a number from {low} to {high}, not \"{}\"", shown(text)))),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
