//! The terminal: its width, its colours, and output that may have nobody to read it.

use std::env;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::Value as Json;

use super::failure::Failure;

/// What a text is painted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Red,
    Green,
    Yellow,
    Cyan,
    Bold,
    Dim,
}

/// Whether to paint: on a terminal, unless `NO_COLOR` is set (no-color.org) or the terminal is a dumb one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
}

impl Style {
    pub fn of(stream: &impl IsTerminal) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: stream.is_terminal() && !unwanted && !dumb }
    }

    pub fn paint(self, paint: Paint, text: impl AsRef<str>) -> String {
        let text = text.as_ref();
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Red => "31",
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Cyan => "36",
            Paint::Bold => "1",
            Paint::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Standard output.
#[derive(Debug)]
pub struct Screen {
    pub style: Style,
    /// Columns of the terminal; `None` when it is none, and lines may be as long as they are.
    pub width: Option<u16>,
}

impl Screen {
    pub fn new() -> Self {
        let stdout = io::stdout();
        let columns = || env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let width = stdout.is_terminal().then(|| comfy_table::Table::new().width().or_else(columns).unwrap_or(80));
        Self { style: Style::of(&stdout), width }
    }

    pub fn paint(&self, paint: Paint, text: impl AsRef<str>) -> String {
        self.style.paint(paint, text)
    }

    /// Writes a line, or several.
    pub fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }

    /// Bytes as they are, such as a completion script.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::new(format!("cannot write the answer as JSON: {error}")))?;
        self.line(text)
    }

    /// A value per line under a common margin, as in a letterhead.
    pub fn facts<'a>(&self, facts: impl IntoIterator<Item = (&'a str, String)>) -> Result<(), Failure> {
        let facts: Vec<(&str, String)> = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let margin = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in facts {
            let name = self.paint(Paint::Dim, format!("{name:margin$}"));
            let mut lines = value.lines();
            self.line(format!("  {name}  {}", lines.next().unwrap_or_default()))?;
            for line in lines {
                self.line(format!("  {:margin$}  {line}", ""))?;
            }
        }
        Ok(())
    }

    pub fn heading(&self, text: &str) -> Result<(), Failure> {
        self.line(format!("\n{}", self.paint(Paint::Bold, text)))
    }
}

/// Options that were not given say nothing.
pub fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let given = fields.iter().filter(|(_, value)| !value.is_null());
            Json::Object(given.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}
