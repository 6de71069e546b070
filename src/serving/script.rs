//! Commands as they are written, and what the macros among them stand for.

use percent_encoding::percent_decode_str;

use super::commands::Commands;
use super::reference::Why;

/// Macros may stand for macros, but not deeper than this.
const DEEPEST_MACRO: usize = 8;

/// Longest text that is looked at, in bytes.
const LONGEST: usize = 8_192;

/// A command whose value breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{command}: {rule}")]
pub struct BadCommand {
    pub command: String,
    pub rule: String,
}

impl BadCommand {
    pub(super) fn new(command: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { command: command.into(), rule: rule.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The name in small letters, the value decoded.
    Command { name: String, value: String },
    /// `$name$`.
    Macro(String),
}

/// Commands in the order in which they were written. Their values have not been looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script(Vec<Step>);

impl Script {
    pub fn read(text: &str) -> Result<Self, BadCommand> {
        if text.len() > LONGEST {
            let rule = format!("the commands must have at most {LONGEST} bytes, not {}", text.len());
            return Err(BadCommand::new("the whole", rule));
        }
        let steps = text.trim_start().trim_start_matches('?').split('&').map(str::trim);
        // A comment begins with a point.
        let steps = steps.filter(|step| !step.is_empty() && !step.starts_with('.'));
        steps.map(Self::step).collect::<Result<_, _>>().map(Self)
    }

    fn step(text: &str) -> Result<Step, BadCommand> {
        let name_of = |text: &str| text.trim().to_ascii_lowercase();
        let decoded = |command: &str, text: &str| {
            let text = percent_decode_str(text.trim()).decode_utf8();
            text.map(|text| text.trim().to_owned())
                .map_err(|_| BadCommand::new(command, "its value must be UTF-8, percent-encoded"))
        };
        match text.split_once('=') {
            Some((name, value)) => {
                let name = name_of(name);
                Ok(Step::Command { value: decoded(&name, value)?, name })
            }
            None => match text.strip_prefix('$').and_then(|rest| rest.strip_suffix('$')) {
                Some(name) if !name.is_empty() => Ok(Step::Macro(decoded(text, name)?)),
                _ => Ok(Step::Command { name: name_of(text), value: String::new() }),
            },
        }
    }

    /// The same with every macro replaced by what it stands for.
    fn expanded(self, formats: &dyn Fn(&str) -> Option<String>, depth: usize) -> Result<Self, BadCommand> {
        let mut steps = Vec::with_capacity(self.0.len());
        for step in self.0 {
            match step {
                Step::Command { .. } => steps.push(step),
                Step::Macro(name) => steps.extend(Self::of_macro(&name, formats, depth)?.0),
            }
        }
        Ok(Self(steps))
    }

    fn of_macro(name: &str, formats: &dyn Fn(&str) -> Option<String>, depth: usize) -> Result<Self, BadCommand> {
        let shown = format!("${}$", name.chars().take(80).collect::<String>());
        if depth == DEEPEST_MACRO {
            let rule = format!("macros must not stand for macros more than {DEEPEST_MACRO} levels deep");
            return Err(BadCommand::new(shown, rule));
        }
        let Some(text) = formats(name) else {
            return Err(BadCommand::new(shown, "must name an image format of the company; see getImageFormats"));
        };
        Self::read(&text)?.expanded(formats, depth + 1)
    }

    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Command { name, .. } if name == wanted))
    }

    fn without(mut self, unwanted: &str) -> Self {
        self.0.retain(|step| !matches!(step, Step::Command { name, .. } if name == unwanted));
        self
    }

    fn commands(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|step| match step {
            Step::Command { name, value } => Some((name.as_str(), value.as_str())),
            Step::Macro(_) => None,
        })
    }
}

/// What an order comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    pub commands: Commands,
    /// Commands that have no effect, in the order in which they were written, each once.
    pub ignored: Vec<Ignored>,
}

/// A command that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    pub command: String,
    pub why: Why,
}

impl Ignored {
    pub(super) fn new(command: &str, why: Why) -> Self {
        Self { command: command.chars().take(80).collect(), why }
    }
}

/// The commands of an order: those of the image format `preset` first, then those of `modifier`, the last of a name
/// counting; but the file format of the preset beats the modifier's. `formats` knows what image formats stand for.
pub fn resolve(
    modifier: &str,
    preset: Option<&str>,
    formats: &dyn Fn(&str) -> Option<String>,
) -> Result<Resolved, BadCommand> {
    let preset = match preset.map(|name| name.trim().trim_matches('$').trim()).filter(|name| !name.is_empty()) {
        Some(name) => Script::of_macro(name, formats, 0)?,
        None => Script::default(),
    };
    let mut modifier = Script::read(modifier)?.expanded(formats, 0)?;
    if preset.has("fmt") {
        modifier = modifier.without("fmt");
    }
    Commands::read(preset.commands().chain(modifier.commands()))
}
