//! Values of commands: numbers in ranges, one of some words, and lists of them.

use super::script::BadCommand;

/// The value of a command, taken apart at its commas.
pub(super) struct Values<'a> {
    command: &'a str,
    whole: &'a str,
    parts: Vec<&'a str>,
}

impl<'a> Values<'a> {
    /// At least `least` and at most `most` of them; those at the end may be empty.
    pub fn new(command: &'a str, whole: &'a str, least: usize, most: usize, form: &str) -> Result<Self, BadCommand> {
        let mut parts: Vec<&str> = whole.split(',').map(str::trim).collect();
        while parts.len() > least && parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
        let values = Self { command, whole, parts };
        if (least..=most).contains(&values.parts.len()) {
            Ok(values)
        } else {
            Err(values.bad(format!("must be {form}")))
        }
    }

    pub fn bad(&self, rule: impl std::fmt::Display) -> BadCommand {
        let shown: String = self.whole.chars().take(80).collect();
        BadCommand::new(self.command, format!("{rule}, not \"{shown}\""))
    }

    /// The text at a place; None where nothing was written.
    pub fn text(&self, at: usize) -> Option<&'a str> {
        self.parts.get(at).copied().filter(|text| !text.is_empty())
    }

    pub fn real(&self, at: usize, low: f64, high: f64, what: &str) -> Result<Option<f64>, BadCommand> {
        self.text(at).map(|text| self.within(text, low, high, what)).transpose()
    }

    pub fn whole(&self, at: usize, low: i64, high: i64, what: &str) -> Result<Option<i64>, BadCommand> {
        let read = |text: &str| {
            let number = text.parse::<i64>().ok().filter(|number| (low..=high).contains(number));
            number.ok_or_else(|| self.bad(format!("{what} must be a whole number from {low} to {high}")))
        };
        self.text(at).map(read).transpose()
    }

    pub fn flag(&self, at: usize, what: &str) -> Result<Option<bool>, BadCommand> {
        let read = |text: &str| match text {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(self.bad(format!("{what} must be 0 or 1"))),
        };
        self.text(at).map(read).transpose()
    }

    /// One of some words, in any case of letters.
    pub fn word<T: Copy>(&self, at: usize, words: &[(&str, T)], what: &str) -> Result<Option<T>, BadCommand> {
        let read = |text: &str| {
            let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            let names = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            found.map(|(_, value)| *value).ok_or_else(|| self.bad(format!("{what} must be one of {}", names())))
        };
        self.text(at).map(read).transpose()
    }

    /// What must be there.
    pub fn needed<T>(&self, value: Option<T>, form: &str) -> Result<T, BadCommand> {
        value.ok_or_else(|| self.bad(format!("must be {form}")))
    }

    fn within(&self, text: &str, low: f64, high: f64, what: &str) -> Result<f64, BadCommand> {
        let number = text.parse::<f64>().ok().filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| self.bad(format!("{what} must be a number from {low} to {high}")))
    }
}
