//! The words of SQLite (3.44 and later).

use crate::store::sql::fragments::{Dialect, List, Part};

pub struct Sqlite;

impl Dialect for Sqlite {
    fn source(&self, _: &List, argument: &str, alias: &str) -> String {
        format!("json_each({argument}) {alias}")
    }

    fn among(&self, _: &List, argument: &str) -> String {
        format!("(SELECT value FROM json_each({argument}))")
    }

    fn part(&self, alias: &str, _: &str, part: Part) -> String {
        match part {
            Part::Place => format!("{alias}.key"),
            Part::Element => format!("{alias}.value"),
            Part::Column(at) => format!("{alias}.value ->> {at}"),
        }
    }

    fn call(&self, name: &str, arguments: &[String]) -> Option<String> {
        let all = || arguments.join(", ");
        match (name, arguments) {
            ("unindexed", [value]) => Some(format!("+{value}")),
            ("least", _) => Some(format!("min({})", all())),
            ("greatest", _) => Some(format!("max({})", all())),
            ("chr", [number]) => Some(format!("char({number})")),
            ("strpos", _) => Some(format!("instr({})", all())),
            ("json_text" | "json_int", [json, key]) => Some(format!("{json} ->> {key}")),
            ("rfc3339", [millis]) => Some(format!("strftime('%Y-%m-%dT%H:%M:%fZ', {millis} / 1000.0, 'unixepoch')")),
            ("leading_number", [text]) => {
                Some(format!("CASE WHEN {text} GLOB '[-+.0-9]*' THEN CAST({text} AS REAL) END"))
            }
            ("json_agg", _) => Some(format!("json_group_array({})", all())),
            ("json_build_object", _) => Some(format!("json_object({})", all())),
            ("json_build_array", _) => Some(format!("json_array({})", all())),
            _ => None,
        }
    }

    fn straight_join(&self) -> &'static str {
        "CROSS JOIN"
    }

    fn hint<'h>(&self, hint: &'h str) -> &'h str {
        hint
    }
}
