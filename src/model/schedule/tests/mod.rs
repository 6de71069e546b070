mod expressions;
mod oracle;
mod zones;

use chrono::{DateTime, Utc};

use super::Schedule;

fn schedule(expression: &str) -> Schedule {
    Schedule::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
