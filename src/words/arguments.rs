//! Parameters as they are stored, turned into what Fluent takes.

use chrono_tz::Tz;
use fluent_bundle::{FluentArgs, FluentValue};
use serde_json::{Map, Value};

use super::harmless;

/// Messages within messages within messages: as deep as this, and then no deeper, whatever was stored.
const DEEPEST: usize = 4;

/// `words` puts a message that stands as a parameter into words.
pub(super) fn from_params(
    params: &Map<String, Value>,
    words: impl Fn(&str, &Map<String, Value>) -> String,
    zone: Tz,
) -> FluentArgs<'static> {
    let mut arguments = FluentArgs::new();
    arguments.set("zone", zone.name());
    for (name, value) in params {
        if let Some(value) = argument(value, &words) {
            arguments.set(name.clone(), value);
        }
    }
    arguments
}

/// None for null: a parameter without a value is a missing one.
fn argument(value: &Value, words: &impl Fn(&str, &Map<String, Value>) -> String) -> Option<FluentValue<'static>> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(flag.to_string().into()),
        Value::Number(number) => number.as_f64().map(FluentValue::from),
        Value::String(text) => Some(harmless(text).into()),
        Value::Array(_) | Value::Object(_) => Some(nested(value, words).into()),
    }
}

fn nested(value: &Value, words: &impl Fn(&str, &Map<String, Value>) -> String) -> String {
    match value {
        Value::String(text) => harmless(text),
        Value::Array(items) => items.iter().map(|item| nested(item, words)).collect::<Vec<_>>().join(", "),
        Value::Object(object) if depth(value) <= DEEPEST => match (object.get("code"), object.get("params")) {
            (Some(Value::String(code)), Some(Value::Object(params))) => words(code, params),
            (Some(Value::String(code)), None) => words(code, &Map::new()),
            _ => harmless(&value.to_string()),
        },
        other => harmless(&other.to_string()),
    }
}

/// How many messages stand within each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => {
            let own = usize::from(object.contains_key("code"));
            own + object.values().map(depth).max().unwrap_or(0)
        }
        _ => 0,
    }
}
