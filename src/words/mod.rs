//! Message codes put into words in the reader's language.
//!
//! What happens is stored as a [`Message`]: a code and its parameters. It becomes a sentence only when it is read or
//! mailed, in the language and the time zone of that reader. The words are Fluent files beside this one, `xx.ftl` or
//! `xx-YY.ftl`; a code that a locale lacks is looked up in its language, then in English. Nothing here fails: what has
//! no words is shown as its code and parameters.

mod arguments;
mod catalogue;
pub mod code;
pub mod format;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A sentence before it has words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub code: String,
    #[serde(default)]
    pub params: Map<String, Value>,
}

impl Message {
    /// `code` is one of [`code`]'s constants.
    pub fn new(code: &str) -> Self {
        Self { code: code.to_owned(), params: Map::new() }
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    pub fn text(&self, locale: &str, zone: Tz) -> String {
        text_in(&self.code, &self.params, locale, zone)
    }
}

/// A message can be the parameter of another one, such as a reason.
impl From<Message> for Value {
    fn from(message: Message) -> Self {
        let mut object = Map::new();
        object.insert("code".into(), Value::String(message.code));
        object.insert("params".into(), Value::Object(message.params));
        Value::Object(object)
    }
}

/// The words of `code` in `locale` (`xx` or `xx-YY`, any case), with times in UTC.
pub fn text(code: &str, params: &Map<String, Value>, locale: &str) -> String {
    text_in(code, params, locale, Tz::UTC)
}

/// As [`text`], with times in `zone`.
pub fn text_in(code: &str, params: &Map<String, Value>, locale: &str, zone: Tz) -> String {
    catalogue::embedded().text(code, params, locale, zone)
}

/// Replaces what a name must not do to a terminal, a mail header or a reader: control characters, line breaks and
/// signs that turn the direction of writing.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|sign| match sign {
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
            sign if sign.is_control() => char::REPLACEMENT_CHARACTER,
            sign => sign,
        })
        .collect()
}

#[cfg(test)]
mod tests;
