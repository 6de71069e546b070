//! A checklist: what was looked at, how it is, and what to do about it.

use super::failure::Failure;
use super::screen::{Paint, Screen};

/// What came of looking at something.
pub enum Verdict {
    Good(String),
    /// It works, but somebody should know; and what to do.
    Warning(String, String),
    Bad(String, String),
}

/// A checklist on the screen, which counts.
pub struct List<'a> {
    screen: &'a Screen,
    pub errors: usize,
    pub warnings: usize,
}

impl<'a> List<'a> {
    pub const fn new(screen: &'a Screen) -> Self {
        Self { screen, errors: 0, warnings: 0 }
    }

    /// A line, with what to do below it.
    pub fn line(&mut self, what: &str, verdict: Verdict) -> Result<(), Failure> {
        let (mark, paint, said, hint) = match verdict {
            Verdict::Good(said) => ("ok", Paint::Green, said, String::new()),
            Verdict::Warning(said, hint) => {
                self.warnings += 1;
                ("warning", Paint::Yellow, said, hint)
            }
            Verdict::Bad(said, hint) => {
                self.errors += 1;
                ("error", Paint::Red, said, hint)
            }
        };
        let mark = self.screen.paint(paint, format!("{mark:<7}"));
        self.screen.line(format!("{mark}  {what:<14} {said}"))?;
        if hint.is_empty() {
            Ok(())
        } else {
            self.screen.line(format!("{:24} {}", "", self.screen.paint(Paint::Cyan, hint)))
        }
    }
}

/// `1 error`, `2 errors`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
