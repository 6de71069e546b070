//! How a run looks in a table.

use crate::model::kind::JobKind;
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::service::jobs::board::{CountersView, JobView};
use crate::transport::cli::screen::Paint;
use crate::transport::cli::table::Value;

/// The job element without its last syllable, which every one has.
pub fn short(kind: JobKind) -> &'static str {
    kind.element().trim_end_matches("Job")
}

/// State and outcome in one.
pub fn state(job: &JobView) -> Value {
    let files_failed = job.counters.errors + job.counters.transfer_errors + job.counters.left_out > 0;
    match (job.state, job.outcome) {
        (State::Done, Some(Outcome::Succeeded)) if files_failed => Value::painted(Paint::Yellow, "done, errors"),
        (State::Done, Some(Outcome::Succeeded)) => Value::painted(Paint::Green, "done"),
        (State::Done, Some(Outcome::Failed)) => Value::painted(Paint::Red, "failed"),
        (State::Done, Some(Outcome::Stopped)) => Value::painted(Paint::Yellow, "stopped"),
        (State::Done, None) => "done".into(),
        (State::Running, _) => match percent(job) {
            Some(percent) => Value::painted(Paint::Cyan, format!("running {percent} %")),
            None => Value::painted(Paint::Cyan, "running"),
        },
        (State::Stopping, _) => Value::painted(Paint::Yellow, "stopping"),
        (State::WaitingCoordinator, _) if job.failures > 0 => Value::painted(Paint::Yellow, "waiting, retry"),
        (State::WaitingCoordinator, _) => "waiting".into(),
        (State::New | State::WaitingClient, _) => "waiting, upload".into(),
    }
}

fn percent(job: &JobView) -> Option<i64> {
    (job.progress.total > 0).then(|| job.progress.done * 100 / job.progress.total)
}

/// What was counted, the worst deciding the colour.
pub fn result(counters: &CountersView) -> Value {
    let CountersView {
        success,
        updated,
        parts,
        failed_parts,
        duplicates,
        left_out,
        warnings,
        errors,
        transferred,
        transfer_warnings,
        transfer_errors,
    } = *counters;
    // A publish counts what it could not send, and what it says of what it sent, as both.
    let (warnings, errors) = (warnings.max(transfer_warnings), errors.max(transfer_errors));
    let counted = [
        (success.max(transferred), "ok"),
        (updated, "updated"),
        (duplicates - left_out, "dup"),
        (left_out, "left out"),
        (warnings, "warn"),
        (errors, "err"),
        // As many of all these are no files.
        (parts + failed_parts, "of parts"),
    ];
    let counted = counted.iter().filter(|(count, _)| *count > 0);
    let text = counted.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ");
    match (errors + left_out, warnings) {
        (1.., _) => Value::painted(Paint::Red, text),
        (_, 1..) => Value::painted(Paint::Yellow, text),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::outcome::Counters;
    use crate::transport::cli::screen::Screen;

    #[test]
    fn what_a_publish_counts_as_both_is_shown_once() {
        let published = Counters { transfer_success: 7, warning: 2, transfer_warning: 2, ..Counters::default() };
        let failed = Counters { error: 3, transfer_error: 1, ..published };
        let shown = |counters: Counters| super::result(&counters.into()).on(&Screen::new());
        assert!(shown(published).contains("7 ok, 2 warn"), "{}", shown(published));
        assert!(shown(failed).contains("7 ok, 2 warn, 3 err"), "{}", shown(failed));
        let pages = Counters { success: 5, part: 4, ..Counters::default() };
        assert!(shown(pages).contains("5 ok, 4 of parts"), "{}", shown(pages));
    }
}
