//! A report put into subject, text and HTML.
//!
//! The templates hold layout only: every word comes from a message code, and everything is put together in a [`View`]
//! that both templates show. The HTML one escapes all of it.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

use super::Mail;
use super::report::{Counters, Ending, Finish, JobReport, Problem, ResultPlace, Severity, Stage};
use crate::model::log::{self, Message};
use crate::words::{code, format, harmless};

/// Problems shown in full; the others are counted.
const MOST_PROBLEMS: usize = 10;
/// Characters of a job's name in the subject.
const LONGEST_NAME: usize = 100;
/// Characters of a name, a path or a sentence in the body.
const LONGEST_TEXT: usize = 400;

const HTML: &str = "letter.html";
const TEXT: &str = "letter.txt";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(syntax.expect("the usual delimiters differ from each other"));
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in [(HTML, include_str!("letter.html")), (TEXT, include_str!("letter.txt"))] {
        templates.add_template(name, source).expect("the embedded templates parse");
    }
    templates
});

pub fn compose(report: &JobReport, stage: Stage<'_>, locale: &str, zone: Tz) -> Mail {
    let writer = Writer { locale, zone };
    let view = writer.view(report, stage);
    let render = |name| {
        let template = TEMPLATES.get_template(name).expect("both templates are embedded");
        template.render(Serde(&view)).expect("the templates use only what a view always has")
    };
    Mail { subject: writer.subject(&report.name, stage), text: render(TEXT), html: render(HTML) }
}

/// How it went, which decides the words and the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Begun,
    Done,
    Warnings,
    Errors,
    Failed,
    Stopped,
}

impl Verdict {
    fn of(stage: Stage<'_>) -> Self {
        let Stage::End(finish) = stage else { return Verdict::Begun };
        match finish.ending {
            Ending::Failed { .. } => Verdict::Failed,
            Ending::Stopped { .. } => Verdict::Stopped,
            Ending::Finished if finish.counters.failed() > 0 => Verdict::Errors,
            Ending::Finished if finish.counters.warnings > 0 => Verdict::Warnings,
            Ending::Finished => Verdict::Done,
        }
    }

    fn badge(self) -> &'static str {
        match self {
            Verdict::Begun => code::LETTER_BADGE_BEGIN,
            Verdict::Done => code::LETTER_BADGE_DONE,
            Verdict::Warnings => code::LETTER_BADGE_WARNINGS,
            Verdict::Errors => code::LETTER_BADGE_ERRORS,
            Verdict::Failed => code::LETTER_BADGE_FAILED,
            Verdict::Stopped => code::LETTER_BADGE_STOPPED,
        }
    }

    fn tone(self) -> Tone {
        match self {
            Verdict::Begun | Verdict::Stopped => Tone::Calm,
            Verdict::Done => Tone::Good,
            Verdict::Warnings => Tone::Warning,
            Verdict::Errors | Verdict::Failed => Tone::Bad,
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Tone {
    Calm,
    Good,
    Warning,
    Bad,
}

/// Everything the templates show, in words.
#[derive(Serialize)]
struct View {
    language: String,
    tone: Tone,
    badge: String,
    name: String,
    lead: String,
    counters: Vec<CounterView>,
    problems: Option<ProblemsView>,
    results: Option<ResultsView>,
    facts: Vec<FactView>,
    more: MoreView,
    footer: String,
    sender: String,
}

#[derive(Serialize)]
struct FactView {
    label: String,
    /// The label, filled up so that the values of the text part stand below each other.
    column: String,
    value: String,
}

#[derive(Serialize)]
struct CounterView {
    label: String,
    column: String,
    value: String,
    tone: Tone,
}

#[derive(Serialize)]
struct ProblemsView {
    title: String,
    items: Vec<ProblemView>,
    more: Option<String>,
}

#[derive(Serialize)]
struct ProblemView {
    label: String,
    tone: Tone,
    file: Option<String>,
    text: String,
}

#[derive(Serialize)]
struct ResultsView {
    title: String,
    items: Vec<ResultView>,
}

#[derive(Serialize)]
struct ResultView {
    text: String,
    link: Option<String>,
}

#[derive(Serialize)]
struct MoreView {
    command_label: String,
    command: String,
    link_label: String,
    link: Option<String>,
}

struct Writer<'a> {
    locale: &'a str,
    zone: Tz,
}

impl Writer<'_> {
    fn word(&self, code: &str) -> String {
        self.say(Message::new(code))
    }

    fn say(&self, message: Message) -> String {
        crate::words::say(&message, self.locale, self.zone)
    }

    fn time(&self, instant: DateTime<Utc>) -> String {
        format::time(instant, self.zone, self.locale)
    }

    fn subject(&self, name: &str, stage: Stage<'_>) -> String {
        let counters = match stage {
            Stage::Begin => Counters::default(),
            Stage::End(finish) => finish.counters,
        };
        let (code, count) = match Verdict::of(stage) {
            Verdict::Begun => (code::LETTER_SUBJECT_BEGIN, None),
            Verdict::Done => (code::LETTER_SUBJECT_DONE, Some(("processed", counters.files()))),
            Verdict::Warnings => (code::LETTER_SUBJECT_WARNINGS, Some(("warnings", counters.warnings))),
            Verdict::Errors if counters.errors == 0 => {
                (code::LETTER_SUBJECT_LEFT_OUT, Some(("left-out", counters.left_out)))
            }
            Verdict::Errors if counters.processed() == 0 => {
                (code::LETTER_SUBJECT_ERRORS_ONLY, Some(("errors", counters.errors)))
            }
            Verdict::Errors => (code::LETTER_SUBJECT_ERRORS, Some(("errors", counters.errors))),
            Verdict::Failed => (code::LETTER_SUBJECT_FAILED, Some(("processed", counters.files()))),
            Verdict::Stopped => (code::LETTER_SUBJECT_STOPPED, Some(("processed", counters.files()))),
        };
        let message = Message::new(code).with("name", shortened(name, LONGEST_NAME));
        let message = match code {
            code::LETTER_SUBJECT_ERRORS | code::LETTER_SUBJECT_ERRORS_ONLY => {
                message.with("left-out", counters.left_out)
            }
            _ => message,
        };
        self.say(match count {
            Some((name @ "processed", count)) => message.with(name, count).with("parts", counters.parts),
            Some((name, count)) => message.with(name, count),
            None => message,
        })
    }

    fn view(&self, report: &JobReport, stage: Stage<'_>) -> View {
        let verdict = Verdict::of(stage);
        let finish = match stage {
            Stage::Begin => None,
            Stage::End(finish) => Some(finish),
        };
        View {
            language: self.locale.to_owned(),
            tone: verdict.tone(),
            badge: self.word(verdict.badge()),
            name: shortened(&report.name, LONGEST_TEXT),
            lead: self.lead(verdict, finish),
            counters: finish.map(|finish| self.counters(&finish.counters)).unwrap_or_default(),
            problems: finish.and_then(|finish| self.problems(finish)),
            results: finish.and_then(|finish| self.results(&finish.results)),
            facts: self.facts(report, finish),
            more: self.more(report),
            footer: self.say(Message::new(code::LETTER_FOOTER).with("setting", report.email_setting.as_str())),
            sender: self.word(code::LETTER_SENDER),
        }
    }

    fn lead(&self, verdict: Verdict, finish: Option<&Finish>) -> String {
        let Some(finish) = finish else { return self.word(code::LETTER_LEAD_BEGIN) };
        let Counters { parts, removed, .. } = finish.counters;
        let files = finish.counters.files();
        let lead = match &finish.ending {
            Ending::Failed { reason } => Message::new(code::LETTER_LEAD_FAILED).with("reason", reason.clone()),
            Ending::Stopped { by, done, items } => Message::new(code::LETTER_LEAD_STOPPED)
                .with("user", by.as_str())
                .with("done", *done)
                .with("items", *items),
            Ending::Finished => match verdict {
                Verdict::Errors => Message::new(code::LETTER_LEAD_ERRORS)
                    .with("errors", finish.counters.failed())
                    .with("parts-asked", parts + finish.counters.failed_parts)
                    .with("warnings", finish.counters.warnings),
                Verdict::Warnings => {
                    Message::new(code::LETTER_LEAD_WARNINGS).with("warnings", finish.counters.warnings)
                }
                _ => Message::new(code::LETTER_LEAD_DONE),
            }
            .with("processed", files)
            .with("parts", parts)
            .with("removed", removed),
        };
        let mut lead = shortened(&self.say(lead), LONGEST_TEXT);
        if let Some(kind) = &finish.follow_up {
            let message = Message::new(code::FOLLOW_UP_NOT_SUBMITTED).with("kind", kind.as_str());
            lead = format!("{lead} {}", self.say(message));
        }
        lead
    }

    fn facts(&self, report: &JobReport, finish: Option<&Finish>) -> Vec<FactView> {
        let kind = self.say(Message::new(code::KIND).with("kind", report.kind.as_str()));
        let mut facts = vec![
            (code::LETTER_LABEL_COMPANY, report.company.clone()),
            (code::LETTER_LABEL_KIND, kind),
            (code::LETTER_LABEL_RUN, report.run.clone()),
        ];
        if let Some(description) = report.description.as_ref().filter(|text| !text.trim().is_empty()) {
            facts.push((code::LETTER_LABEL_DESCRIPTION, description.clone()));
        }
        facts.push((code::LETTER_LABEL_STARTED, self.time(report.started)));
        if let Some(finish) = finish {
            let took = (finish.at - report.started).num_milliseconds().max(0).unsigned_abs();
            facts.push((code::LETTER_LABEL_ENDED, self.time(finish.at)));
            facts.push((code::LETTER_LABEL_TOOK, format::duration(took, self.locale)));
        }
        if report.attempt > 1 {
            let attempts =
                Message::new(code::LETTER_ATTEMPTS).with("attempt", report.attempt).with("attempts", report.attempts);
            facts.push((code::LETTER_LABEL_ATTEMPTS, self.say(attempts)));
        }
        let labels: Vec<String> = facts.iter().map(|(label, _)| self.word(label)).collect();
        let columns = columns(&labels);
        facts
            .into_iter()
            .zip(labels)
            .zip(columns)
            .map(|(((_, value), label), column)| FactView { label, column, value: shortened(&value, LONGEST_TEXT) })
            .collect()
    }

    fn counters(&self, counters: &Counters) -> Vec<CounterView> {
        let Counters {
            success,
            updated,
            parts,
            failed_parts: _,
            duplicates,
            left_out,
            warnings,
            removed,
            errors,
            total,
        } = *counters;
        let mut shown = vec![
            (code::LETTER_COUNT_SUCCESS, success, Tone::Good),
            (code::LETTER_COUNT_UPDATED, updated, Tone::Good),
            (code::LETTER_COUNT_DUPLICATES, duplicates, Tone::Calm),
            (code::LETTER_COUNT_WARNINGS, warnings, Tone::Warning),
            (code::LETTER_COUNT_ERRORS, errors, Tone::Bad),
            (code::LETTER_COUNT_TOTAL, total, Tone::Calm),
        ];
        if removed > 0 {
            shown.insert(3, (code::LETTER_COUNT_REMOVED, removed, Tone::Calm));
        }
        if left_out > 0 {
            shown.insert(3, (code::LETTER_COUNT_LEFT_OUT, left_out, Tone::Bad));
        }
        if parts > 0 {
            shown.insert(2, (code::LETTER_COUNT_PARTS, parts, Tone::Calm));
        }
        let labels: Vec<String> = shown.iter().map(|(label, ..)| self.word(label)).collect();
        let columns = columns(&labels);
        shown
            .into_iter()
            .zip(labels)
            .zip(columns)
            .map(|(((_, count, tone), label), column)| {
                let tone = if count == 0 { Tone::Calm } else { tone };
                CounterView { label, column, value: format::number(count, self.locale), tone }
            })
            .collect()
    }

    fn problems(&self, finish: &Finish) -> Option<ProblemsView> {
        let mut worst_first: Vec<&Problem> = finish.problems.iter().collect();
        worst_first.sort_by_key(|problem| problem.severity);
        let items: Vec<ProblemView> =
            worst_first.into_iter().take(MOST_PROBLEMS).map(|problem| self.problem(problem)).collect();
        if items.is_empty() {
            return None;
        }
        let counted = finish.counters.failed() + finish.counters.warnings;
        let count = counted.max(finish.problems.len() as u64);
        let hidden = count - items.len() as u64;
        Some(ProblemsView {
            title: self.say(Message::new(code::LETTER_PROBLEMS_TITLE).with("count", count)),
            more: (hidden > 0).then(|| self.say(Message::new(code::LETTER_PROBLEMS_MORE).with("count", hidden))),
            items,
        })
    }

    fn problem(&self, problem: &Problem) -> ProblemView {
        let (label, tone) = match problem.severity {
            Severity::Error => (code::LETTER_PROBLEM_ERROR, Tone::Bad),
            Severity::Warning => (code::LETTER_PROBLEM_WARNING, Tone::Warning),
        };
        let params = &problem.message.params;
        let file = ["file", "url", "asset"].iter().find_map(|name| params.get(*name).and_then(Value::as_str));
        // What says more, as of which page, says so in its sentence.
        let (file, text) = match (file, params.get("reason")) {
            (Some(file), Some(reason)) if params.len() == 2 => {
                let reason = self.say(Message::new(code::REASON_OTHER).with("detail", reason.clone()));
                (Some(shortened(file, LONGEST_TEXT)), capitalised(&reason))
            }
            _ => (None, self.say(problem.message.clone())),
        };
        ProblemView { label: self.word(label), tone, file, text: shortened(&text, LONGEST_TEXT) }
    }

    fn results(&self, places: &[ResultPlace]) -> Option<ResultsView> {
        let items: Vec<ResultView> = places.iter().map(|place| self.result(place)).collect();
        (!items.is_empty()).then(|| ResultsView { title: self.word(code::LETTER_RESULTS_TITLE), items })
    }

    fn result(&self, place: &ResultPlace) -> ResultView {
        let (message, link) = match place {
            ResultPlace::Folder(folder) => {
                (Message::new(code::LETTER_RESULT_FOLDER).with("folder", folder.as_str()), None)
            }
            ResultPlace::Published(path) => {
                (Message::new(code::LETTER_RESULT_PUBLISHED).with("path", path.as_str()), None)
            }
            ResultPlace::Download { address, until } => {
                let message = Message::new(code::LETTER_RESULT_DOWNLOAD)
                    .with("address", address.as_str())
                    .with("at", until.timestamp_millis());
                (message, web_address(address))
            }
            ResultPlace::DownloadPath { path, until } => {
                let message = Message::new(code::LETTER_RESULT_DOWNLOAD_PATH)
                    .with("path", path.as_str())
                    .with("at", until.timestamp_millis());
                (message, None)
            }
        };
        ResultView { text: self.say(message), link }
    }

    fn more(&self, report: &JobReport) -> MoreView {
        MoreView {
            command_label: self.word(code::LETTER_MORE_COMMAND),
            command: format!("prepress jobs log {}", report.id),
            link_label: self.word(code::LETTER_MORE_LINK),
            link: report.link.as_deref().and_then(web_address),
        }
    }
}

/// The address, if a reader can be trusted to click on it.
fn web_address(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

fn shortened(text: &str, limit: usize) -> String {
    log::shortened(harmless(text), limit)
}

fn capitalised(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

/// The labels, filled up to the width of the longest.
fn columns(labels: &[String]) -> Vec<String> {
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    labels.iter().map(|label| format!("{label:<width$}")).collect()
}

#[cfg(test)]
mod tests;
