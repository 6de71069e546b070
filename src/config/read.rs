//! Reads sections from TOML key by key, so that every error names its key and all errors are found in one go.

use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use toml::{Table, Value};

use super::error::Problem;

/// A table of the configuration. Every key has a default; a section judges its own values.
pub(super) trait Section: DeserializeOwned + Default + PartialEq {
    /// Empty for the keys outside any table.
    const NAME: &'static str;

    /// Whether the values make sense, each and together.
    fn check(&self, check: &mut Check);
}

/// Collects broken rules of one section.
pub(super) struct Check {
    section: &'static str,
    problems: Vec<Problem>,
}

impl Check {
    pub(super) fn that(&mut self, holds: bool, key: &str, value: impl fmt::Display, rule: impl Into<String>) {
        if !holds {
            let (key, value) = (path(self.section, key), value.to_string());
            self.problems.push(Problem::BadValue { key, value, rule: rule.into() });
        }
    }

    /// Both ends belong to the range.
    pub(super) fn range<T: PartialOrd + fmt::Display>(&mut self, key: &str, value: T, least: T, most: T) {
        let rule = format!("must be from {least} to {most}");
        self.that(value >= least && value <= most, key, value, rule);
    }
}

/// Takes a document apart, section by section.
pub(super) struct Reader {
    document: Table,
    /// An earlier document that this one is compared with.
    before: Option<Table>,
    /// Paths of the keys that have another value than before.
    changed: Vec<String>,
    /// Paths of all keys of the sections read so far.
    known: Vec<String>,
    unknown: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(document: Table) -> Self {
        let (changed, known, unknown, problems) = <_>::default();
        Self { document, before: None, changed, known, unknown, problems }
    }

    /// One that also compares each key with an earlier document.
    pub(super) fn beside(document: Table, before: Table) -> Self {
        Self { before: Some(before), ..Self::new(document) }
    }

    /// Keys outside any table; to be read after all tables.
    pub(super) fn top<T: Section>(&mut self) -> T {
        if let Some(before) = self.before.take() {
            self.compare::<T>(&self.document.clone(), &before);
        }
        let table = std::mem::take(&mut self.document);
        self.read(table)
    }

    pub(super) fn section<T: Section>(&mut self) -> T {
        if let Some(before) = self.before.as_mut().map(|before| before.remove(T::NAME)) {
            let table = |value: Option<&Value>| value.and_then(Value::as_table).cloned().unwrap_or_default();
            let now = table(self.document.get(T::NAME));
            self.compare::<T>(&now, &table(before.as_ref()));
        }
        match self.document.remove(T::NAME) {
            None => self.read(Table::new()),
            Some(Value::Table(table)) => self.read(table),
            Some(value) => {
                let (key, value) = (T::NAME.to_owned(), value.to_string());
                let rule = format!("must be a table: write [{key}] and its keys below it");
                self.problems.push(Problem::BadValue { key, value, rule });
                T::default()
            }
        }
    }

    fn read<T: Section>(&mut self, table: Table) -> T {
        let keys = keys_of::<T>();
        self.known.extend(keys.iter().map(|key| path(T::NAME, key)));
        let mut good = Table::new();
        for (key, value) in table {
            if !keys.contains(&&*key) {
                self.unknown.push(path(T::NAME, &key));
                continue;
            }
            let alone = Table::from_iter([(key.clone(), value.clone())]);
            match alone.try_into::<T>() {
                Ok(_) => {
                    good.insert(key, value);
                }
                Err(error) => {
                    let rule = bounds_of::<T>(&key, &value).unwrap_or_else(|| error.message().to_owned());
                    let (key, value) = (path(T::NAME, &key), shown(&key, &value));
                    self.problems.push(Problem::BadValue { key, value, rule });
                }
            }
        }
        let section: T = good.try_into().unwrap_or_default();
        let mut check = Check { section: T::NAME, problems: Vec::new() };
        section.check(&mut check);
        self.problems.append(&mut check.problems);
        section
    }

    /// Notes the keys whose values differ. One that is written out as its default is as one that is not there.
    fn compare<T: Section>(&mut self, now: &Table, before: &Table) {
        for key in keys_of::<T>() {
            let alone = |table: &Table| {
                let pair = table.get(*key).map(|value| ((*key).to_owned(), value.clone()));
                Table::from_iter(pair).try_into::<T>().ok()
            };
            if alone(now) != alone(before) {
                self.changed.push(path(T::NAME, key));
            }
        }
    }

    /// Paths of the keys that have another value than in the earlier document.
    pub(super) fn changed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changed)
    }

    /// Everything that was wrong.
    pub(super) fn finish(&self) -> Vec<Problem> {
        let unknown = self.unknown.iter().map(|key| Problem::UnknownKey {
            key: key.clone(),
            nearest: nearest(key, self.known.iter().map(String::as_str)).map(str::to_owned),
        });
        unknown.chain(self.problems.iter().cloned()).collect()
    }
}

/// The rule of a key whose number does not even fit its type, which says what the type is and not what is meant: the rule
/// that a number breaks which does fit.
fn bounds_of<T: Section>(key: &str, value: &Value) -> Option<String> {
    value.as_integer()?;
    let fitting = [i64::MAX, i64::from(u32::MAX), i64::from(u16::MAX), i64::from(u8::MAX), 0];
    fitting.into_iter().find_map(|number| {
        let section: T = Table::from_iter([(key.to_owned(), Value::Integer(number))]).try_into().ok()?;
        let mut check = Check { section: T::NAME, problems: Vec::new() };
        section.check(&mut check);
        check.problems.into_iter().find_map(|problem| match problem {
            Problem::BadValue { key: broken, rule, .. } if broken == path(T::NAME, key) => Some(rule),
            _ => None,
        })
    })
}

fn path(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

fn shown(key: &str, value: &Value) -> String {
    if key == "password" { "(hidden)".to_owned() } else { value.to_string() }
}

/// The candidate most like a name, if any is like it. One with the same last part is: the name is in a wrong table.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |path: &str| path.rsplit('.').next().map(str::to_owned);
    let likeness = |candidate: &str| {
        let misplaced = if last(candidate) == last(name) { 0.9 } else { 0.0 };
        strsim::normalized_damerau_levenshtein(candidate, name).max(misplaced)
    };
    candidates
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The names of a struct's fields as serde knows them.
pub(super) fn keys_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // Always an error, for there is no value; the names have been noted by then.
    drop(T::deserialize(FieldNames(&mut keys)));
    keys
}

struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only structs have field names"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
