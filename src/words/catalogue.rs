//! The Fluent files and the search through them.

use std::sync::LazyLock;

use chrono::DateTime;
use chrono_tz::Tz;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use serde_json::{Map, Value};
use unic_langid::LanguageIdentifier;

use super::{arguments, format, harmless};

/// The language that has words for every code.
const LAST_RESORT: &str = "en";

/// Every locale there is: its name and its file. To add a language, add its file here.
pub(super) const FILES: &[(&str, &str)] = &[(LAST_RESORT, include_str!("en.ftl"))];

pub(super) struct Catalogue {
    locales: Vec<(String, FluentBundle<FluentResource>)>,
}

pub(super) fn embedded() -> &'static Catalogue {
    static EMBEDDED: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(FILES));
    &EMBEDDED
}

impl Catalogue {
    /// A line that does not parse is left out, and its code then shows without words; the tests parse every file.
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let locales = files.iter().map(|(locale, source)| ((*locale).to_owned(), bundle(locale, source))).collect();
        Self { locales }
    }

    pub(super) fn text(&self, code: &str, params: &Map<String, Value>, locale: &str, zone: Tz) -> String {
        let arguments = arguments::from_params(params, |code, params| self.text(code, params, locale, zone), zone);
        fallbacks(locale)
            .iter()
            .filter_map(|locale| self.bundle(locale))
            .find_map(|bundle| in_words(bundle, code, &arguments))
            .unwrap_or_else(|| without_words(code, params))
    }

    fn bundle(&self, locale: &str) -> Option<&FluentBundle<FluentResource>> {
        self.locales.iter().find(|(name, _)| name.eq_ignore_ascii_case(locale)).map(|(_, bundle)| bundle)
    }
}

/// `de-AT` -> `de-AT`, `de`, `en`.
fn fallbacks(locale: &str) -> Vec<String> {
    let locale = locale.trim().replace('_', "-");
    let language = locale.split('-').next().unwrap_or_default().to_owned();
    vec![locale, language, LAST_RESORT.to_owned()]
}

/// None if the code is unknown or a parameter is missing.
fn in_words(bundle: &FluentBundle<FluentResource>, code: &str, arguments: &FluentArgs) -> Option<String> {
    let pattern = bundle.get_message(code)?.value()?;
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(arguments), &mut errors).into_owned();
    errors.is_empty().then_some(text)
}

fn without_words(code: &str, params: &Map<String, Value>) -> String {
    let shown = match params.is_empty() {
        true => code.to_owned(),
        false => format!("{code} {}", Value::Object(params.clone())),
    };
    harmless(&shown)
}

fn bundle(locale: &str, source: &str) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = locale.parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(false);
    bundle.add_resource_overriding(FluentResource::try_new(source.to_owned()).unwrap_or_else(|(parsed, _)| parsed));
    for (name, function) in FUNCTIONS {
        let locale = locale.to_owned();
        bundle
            .add_function(name, move |values, _| function(values, &locale).unwrap_or(FluentValue::Error))
            .expect("function names are distinct");
    }
    bundle
}

type Function = fn(&[FluentValue], &str) -> Option<FluentValue<'static>>;

/// What a Fluent file can call. A value of the wrong type is shown as it is.
const FUNCTIONS: &[(&str, Function)] = &[
    ("NUMBER", |values, locale| whole(values, |number| format::number(number, locale))),
    ("SIZE", |values, locale| whole(values, |bytes| format::size(bytes, locale))),
    ("DURATION", |values, locale| whole(values, |milliseconds| format::duration(milliseconds, locale))),
    ("TIME", time),
];

fn whole(values: &[FluentValue], write: impl Fn(u64) -> String) -> Option<FluentValue<'static>> {
    let value = values.first()?;
    match value {
        FluentValue::Number(number) if number.value >= 0.0 => Some(write(number.value as u64).into()),
        other => Some(other.clone().into_owned()),
    }
}

fn time(values: &[FluentValue], locale: &str) -> Option<FluentValue<'static>> {
    let value = values.first()?;
    let instant = match value {
        FluentValue::Number(number) => DateTime::from_timestamp_millis(number.value as i64),
        FluentValue::String(text) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
        _ => None,
    };
    let zone = match values.get(1) {
        Some(FluentValue::String(name)) => name.parse().unwrap_or(Tz::UTC),
        _ => Tz::UTC,
    };
    match instant {
        Some(instant) => Some(format::time(instant, zone, locale).into()),
        None => Some(value.clone().into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alpine() -> Catalogue {
        Catalogue::new(&[
            ("en", "hello = Hello { $name }\nbye = Bye\nonly-english = Only English"),
            ("de", "hello = Hallo { $name }\nbye = Tschüss"),
            ("de-AT", "hello = Servus { $name }"),
        ])
    }

    fn say(code: &str, locale: &str) -> String {
        let params = json!({"name": "Zoë"});
        alpine().text(code, params.as_object().unwrap(), locale, Tz::UTC)
    }

    #[test]
    fn a_locale_falls_back_to_its_language_and_then_to_english() {
        assert_eq!(say("hello", "de-AT"), "Servus Zoë");
        assert_eq!(say("bye", "de-AT"), "Tschüss");
        assert_eq!(say("only-english", "de-AT"), "Only English");
        assert_eq!(say("hello", "de-CH"), "Hallo Zoë");
        assert_eq!(say("hello", "fr-FR"), "Hello Zoë");
        assert_eq!(say("hello", ""), "Hello Zoë");
    }

    #[test]
    fn a_locale_is_taken_in_any_spelling() {
        for spelling in ["de-at", "DE_AT", " de-AT "] {
            assert_eq!(say("hello", spelling), "Servus Zoë", "{spelling}");
        }
        assert_eq!(say("hello", "EN"), "Hello Zoë");
    }
}
