//! A field of plain numbers: lists of values, ranges and steps.

use std::{collections::BTreeSet, fmt};

use super::error::{Field, Rule, ScheduleError};

/// One item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    /// `*`
    Every,
    /// `5`
    At(u32),
    /// `10-20`, `22-2`, `10-20/5`; wraps around when `first > last`.
    Range { first: u32, last: u32, step: u32 },
    /// `5/15`: from the first to the end of the field; `*/15` starts at its beginning.
    From { first: u32, step: u32 },
}

impl Term {
    /// Reads one upper-case item.
    pub(super) fn parse(field: Field, item: &str) -> Result<Self, ScheduleError> {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(parse_step(field, item, step)?)),
            None => (item, None),
        };
        let term = match (base, step) {
            ("*", None) => Self::Every,
            ("*" | "", Some(step)) => Self::From { first: field.min(), step },
            (base, step) => match base.split_once('-') {
                Some((first, last)) => Self::Range {
                    first: parse_value(field, item, first)?,
                    last: parse_value(field, item, last)?,
                    step: step.unwrap_or(1),
                },
                None => {
                    let first = parse_value(field, item, base)?;
                    step.map_or(Self::At(first), |step| Self::From { first, step })
                }
            },
        };
        match term {
            Self::From { first, step: 1 } if first == field.min() => Ok(Self::Every),
            Self::Range { first, last, .. } if first == last => Ok(Self::At(first)),
            Self::Range { first, last, .. } if field == Field::Year && first > last => {
                Err(ScheduleError::new(field, item, Rule::YearsBackwards))
            }
            term => Ok(term),
        }
    }

    pub(super) fn values(self, field: Field) -> impl Iterator<Item = u32> {
        let (first, last, step) = match self {
            Self::Every => (field.min(), field.max(), 1),
            Self::At(value) => (value, value, 1),
            Self::From { first, step } => (first, field.max(), step),
            Self::Range { first, last, step } if first <= last => (first, last, step),
            Self::Range { first, last, step } => (first, last + field.span(), step),
        };
        let wrap = move |value| if value > field.max() { value - field.span() } else { value };
        (first..=last).step_by(step as usize).map(wrap)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Every => f.write_str("*"),
            Self::At(value) => write!(f, "{value}"),
            Self::From { first, step } => write!(f, "{first}/{step}"),
            Self::Range { first, last, step: 1 } => write!(f, "{first}-{last}"),
            Self::Range { first, last, step } => write!(f, "{first}-{last}/{step}"),
        }
    }
}

/// Reads a number or a name of the field; `item` is what an error shows.
pub(super) fn parse_value(field: Field, item: &str, text: &str) -> Result<u32, ScheduleError> {
    if let Some(value) = field.named(text) {
        return Ok(value);
    }
    let value = parse_digits(text).ok_or_else(|| ScheduleError::new(field, item, Rule::Unreadable(field)))?;
    if (field.min()..=field.max()).contains(&value) {
        Ok(value)
    } else {
        Err(ScheduleError::new(field, item, Rule::OutOfRange(field)))
    }
}

fn parse_step(field: Field, item: &str, text: &str) -> Result<u32, ScheduleError> {
    // As in Quartz, a step is at most the highest value of a cycle; years do not cycle.
    let longest = if field == Field::Year { field.span() } else { field.max() };
    parse_digits(text)
        .filter(|step| (1..=longest).contains(step))
        .ok_or_else(|| ScheduleError::new(field, item, Rule::Step(longest)))
}

/// Digits only: `str::parse` would let a sign through. What is too long to be a number of any field is out of range.
pub(super) fn parse_digits(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// The items of a list, in upper case.
pub(super) fn items(field: Field, text: &str) -> Result<Vec<String>, ScheduleError> {
    text.split(',')
        .map(|item| match item {
            "" => Err(ScheduleError::new(field, text, Rule::EmptyItem)),
            item => Ok(item.to_ascii_uppercase()),
        })
        .collect()
}

/// A field that holds only numbers; never empty, and `*` only alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) field: Field,
    pub(super) terms: Vec<Term>,
}

impl Numbers {
    pub(super) fn parse(field: Field, text: &str) -> Result<Self, ScheduleError> {
        let terms = items(field, text)?.iter().map(|item| Term::parse(field, item)).collect::<Result<Vec<_>, _>>()?;
        Ok(if terms.contains(&Term::Every) { Self::every(field) } else { Self { field, terms } })
    }

    pub(super) fn every(field: Field) -> Self {
        Self { field, terms: vec![Term::Every] }
    }

    pub(super) fn is_every(&self) -> bool {
        self.terms == [Term::Every]
    }

    pub(super) fn values(&self) -> BTreeSet<u32> {
        self.terms.iter().flat_map(|term| term.values(self.field)).collect()
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, &self.terms)
    }
}

pub(super) fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(",")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}
