//! The words of PostgreSQL (15 and later), for lists that are bound as JSON.

use std::fmt::Write;

use super::fragments::{Dialect, List, Part, Type};

pub struct Postgres;

impl Dialect for Postgres {
    fn source(&self, list: &List, argument: &str, alias: &str) -> String {
        let elements = |function: &str, columns: &str| {
            format!(
                "LATERAL (SELECT {columns}, e.n - 1 AS n FROM {function}(CAST({argument} AS jsonb)) WITH ORDINALITY AS e (value, n)) {alias}"
            )
        };
        match list {
            List::Ids => elements("jsonb_array_elements_text", "CAST(e.value AS bigint) AS id"),
            List::Texts => elements("jsonb_array_elements_text", "e.value COLLATE \"C\" AS text"),
            List::Rows(columns) => {
                let mut read = String::new();
                for (at, column) in columns.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    let value = typed(&format!("e.value ->> {at}"), column.of);
                    let _ = write!(read, "{comma}{value} AS {}", column.name);
                }
                elements("jsonb_array_elements", &read)
            }
        }
    }

    fn among(&self, list: &List, argument: &str) -> String {
        let element = if *list == List::Ids { "CAST(e.value AS bigint)" } else { "e.value COLLATE \"C\"" };
        format!("(SELECT {element} FROM jsonb_array_elements_text(CAST({argument} AS jsonb)) AS e (value))")
    }

    fn part(&self, alias: &str, name: &str, _: Part) -> String {
        format!("{alias}.{name}")
    }

    fn call(&self, name: &str, arguments: &[String]) -> Option<String> {
        match (name, arguments) {
            ("unindexed", [value]) => Some(value.clone()),
            ("json_text", [json, key]) => Some(format!("(({}) COLLATE \"C\")", member(json, key))),
            ("json_int", [json, key]) => Some(format!("CAST({} AS bigint)", member(json, key))),
            ("rfc3339", [millis]) => Some(format!(
                "to_char(to_timestamp({millis} / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
            )),
            ("leading_number", [text]) => {
                const NUMBER: &str = r"'^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?'";
                // One that begins like a number and is none is 0, as SQLite has it.
                Some(format!(
                    "CASE WHEN {text} ~ '^[-+.0-9]' THEN coalesce(CAST(substring({text} FROM {NUMBER}) AS double precision), 0) END"
                ))
            }
            // No rows are an empty list, as elsewhere.
            ("json_agg", [value]) => Some(format!("CAST(coalesce(json_agg({value}), '[]') AS text)")),
            _ => None,
        }
    }

    fn straight_join(&self) -> &'static str {
        "JOIN"
    }

    fn hint<'h>(&self, _: &'h str) -> &'h str {
        ""
    }
}

/// A member by its key, or by its path (`'$.color.blob'`).
fn member(json: &str, key: &str) -> String {
    match key.strip_prefix("'$.") {
        Some(path) => format!("CAST({json} AS json) #>> '{{{}}}'", path.trim_end_matches('\'').replace('.', ",")),
        None => format!("CAST({json} AS json) ->> {key}"),
    }
}

fn typed(value: &str, of: Type) -> String {
    match of {
        Type::Int => format!("CAST({value} AS bigint)"),
        Type::Real => format!("CAST({value} AS double precision)"),
        Type::Bool => format!("CAST(CAST({value} AS boolean) AS integer)"),
        Type::Text => format!("({value}) COLLATE \"C\""),
    }
}
