//! Property sets: named values that belong to a company, to a user, or to a user in a company.
//!
//! What the names and values may be is free, but for the types that this server itself reads ([`BuiltIn`]): theirs are
//! checked whenever a set is written, so that a job finds only sets it can use.

mod encoding_preset;
mod reader;
mod set_script;

use serde::{Deserialize, Serialize};

pub use encoding_preset::{Codec, EncodingPreset, Profile};
pub use reader::Rule;
pub use set_script::{Cell, CellError, Kind, NoSet, SetScript};

use super::constants;
use super::invalid::Invalid;

/// Most properties in a set.
const MOST_PROPERTIES: usize = 500;

/// Longest name of a property or a type, in characters.
pub const LONGEST_NAME: usize = 200;

/// Longest value of a property, in bytes.
const LONGEST_VALUE: usize = 64 * 1024;

/// The property that people know a set of a built-in type by.
pub const NAME: &str = "name";

constants! {
    /// PropertySetTypes constants: what owns a set.
    pub enum PropertyType("property set type") { UserProperty, CompanyProperty, UserCompanyProperty }
}

constants! {
    /// Types that exist in every company, because jobs read their sets. They are called by these names.
    pub enum BuiltIn("built-in property set type") { SetScript, VideoEncodingPreset }
}

impl BuiltIn {
    /// Checks the values of a set of this type.
    pub fn check(self, properties: &Properties) -> Result<(), Invalid> {
        match self {
            Self::SetScript => SetScript::read(properties).map(|_| ()),
            Self::VideoEncodingPreset => EncodingPreset::read(properties).map(|_| ()),
        }
    }

    /// The properties that sets of this type may have.
    pub const fn rules(self) -> &'static [Rule] {
        match self {
            Self::SetScript => set_script::RULES,
            Self::VideoEncodingPreset => encoding_preset::RULES,
        }
    }

    pub const fn purpose(self) -> &'static str {
        match self {
            Self::SetScript => "groups assets into sets by their names (autoSetCreationOptions)",
            Self::VideoEncodingPreset => "says how a video is encoded (mediaOptions)",
        }
    }
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    pub name: String,
    pub value: String,
}

/// Values with names that are unique, in the order they were given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Properties(Vec<Property>);

impl Properties {
    /// Checks what is true of the properties of every type.
    pub fn new(properties: Vec<Property>) -> Result<Self, Invalid> {
        if properties.len() > MOST_PROPERTIES {
            let rule = format!("must hold at most {MOST_PROPERTIES} properties, not {}", properties.len());
            return Err(Invalid::new("propertyArray", rule));
        }
        for (index, Property { name, value }) in properties.iter().enumerate() {
            let refuse = |field: &str, rule: String| {
                Err(Invalid::new(format!("propertyArray/items[{}]/{field}", index + 1), rule))
            };
            check_name("name", name).map_err(|e| e.within(&format!("propertyArray/items[{}]", index + 1)))?;
            if properties[..index].iter().any(|other| other.name == *name) {
                return refuse("name", format!("must be another: the property \"{name}\" is there twice"));
            }
            if value.len() > LONGEST_VALUE {
                return refuse("value", format!("must have at most {LONGEST_VALUE} bytes, not {}", value.len()));
            }
        }
        Ok(Self(properties))
    }

    /// Values of names that are there take the place of the old ones; others are added.
    pub fn merge(self, changes: Self) -> Result<Self, Invalid> {
        let mut merged = self.0;
        for change in changes.0 {
            match merged.iter_mut().find(|property| property.name == change.name) {
                Some(known) => known.value = change.value,
                None => merged.push(change),
            }
        }
        Self::new(merged)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|property| property.name == name).map(|property| property.value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Property> {
        self.0.iter()
    }

    pub fn into_vec(self) -> Vec<Property> {
        self.0
    }
}

/// Checks the name of a property or of a type.
pub fn check_name(field: &str, name: &str) -> Result<(), Invalid> {
    if name.trim().is_empty() {
        return Err(Invalid::new(field, "must not be empty"));
    }
    let length = name.chars().count();
    if length > LONGEST_NAME {
        return Err(Invalid::new(field, format!("must have at most {LONGEST_NAME} characters, not {length}")));
    }
    match name.chars().find(|c| c.is_control()) {
        Some(c) => Err(Invalid::new(field, format!("must not contain the control character U+{:04X}", c as u32))),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) fn properties(pairs: &[(&str, &str)]) -> Properties {
    let property = |(name, value): &(&str, &str)| Property { name: (*name).to_owned(), value: (*value).to_owned() };
    Properties(pairs.iter().map(property).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sizes_are_bounded() {
        let many: Vec<Property> =
            (0..=MOST_PROPERTIES).map(|n| Property { name: n.to_string(), value: String::new() }).collect();
        let long = "v".repeat(LONGEST_VALUE + 1);
        for (given, field) in [
            (properties(&[("a", ""), ("a", "x")]).0, "propertyArray/items[2]/name"),
            (properties(&[(" ", "")]).0, "propertyArray/items[1]/name"),
            (properties(&[("a\nb", "")]).0, "propertyArray/items[1]/name"),
            (properties(&[(&"n".repeat(LONGEST_NAME + 1), "")]).0, "propertyArray/items[1]/name"),
            (properties(&[("a", &long)]).0, "propertyArray/items[1]/value"),
            (many, "propertyArray"),
        ] {
            assert_eq!(Properties::new(given).unwrap_err().field, field);
        }
        assert!(Properties::new(properties(&[("A", ""), ("a", "x")]).0).is_ok(), "the case of letters counts");
    }

    #[test]
    fn merging_changes_what_is_named_and_keeps_the_rest() {
        let old = properties(&[("a", "1"), ("b", "2")]);
        let merged = old.merge(properties(&[("c", "3"), ("a", "")])).unwrap();
        assert_eq!(merged, properties(&[("a", ""), ("b", "2"), ("c", "3")]));
    }
}
