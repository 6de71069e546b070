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
use serde_json::{Map, Value};

use crate::model::log::Message;

/// The words of `message` in `locale` (`xx` or `xx-YY`, any case), with times in `zone`.
pub fn say(message: &Message, locale: &str, zone: Tz) -> String {
    text_in(&message.code, &message.params, locale, zone)
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
