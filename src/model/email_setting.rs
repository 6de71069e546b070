//! Who hears of what: emailSetting of a job (EmailSettings constants).

use super::constants;
use super::outcome::{Counters, Outcome};

constants! {
    /// Which events of a job its responsible user is mailed about.
    #[derive(Default)]
    pub enum EmailSetting("email setting") { All, Error, ErrorAndWarning, JobCompletion, #[default] None }
}

impl EmailSetting {
    /// A mail when the job begins: only who wants to hear of everything gets one.
    pub const fn wants_begin(self) -> bool {
        match self {
            Self::All => true,
            Self::Error | Self::ErrorAndWarning | Self::JobCompletion | Self::None => false,
        }
    }

    /// A mail when the job has ended like this. A job that was stopped by hand has completed, but is no error.
    pub const fn wants_end(self, outcome: Outcome, counters: &Counters) -> bool {
        let failed = matches!(outcome, Outcome::Failed) || counters.has_errors();
        match self {
            Self::All | Self::JobCompletion => true,
            Self::Error => failed,
            Self::ErrorAndWarning => failed || counters.has_warnings(),
            Self::None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_hears_exactly_what_it_asked_for() {
        let clean = Counters { success: 3, ..Counters::default() };
        let warned = Counters { warning: 1, ..clean };
        let erred = Counters { error: 1, ..clean };
        let left_out = Counters { duplicate: 1, left_out: 1, ..clean };
        assert!(
            EmailSetting::Error.wants_end(Outcome::Succeeded, &left_out),
            "a file is not where its owner believes it"
        );
        let twice = Counters { duplicate: 1, ..clean };
        assert!(!EmailSetting::ErrorAndWarning.wants_end(Outcome::Succeeded, &twice), "it is there already");
        // (setting, begin, clean end, end with warnings, end with errors, failed, stopped)
        let table = [
            (EmailSetting::All, [true, true, true, true, true, true]),
            (EmailSetting::Error, [false, false, false, true, true, false]),
            (EmailSetting::ErrorAndWarning, [false, false, true, true, true, false]),
            (EmailSetting::JobCompletion, [false, true, true, true, true, true]),
            (EmailSetting::None, [false; 6]),
        ];
        assert_eq!(table.len(), EmailSetting::ALL.len());
        for (setting, expected) in table {
            let told = [
                setting.wants_begin(),
                setting.wants_end(Outcome::Succeeded, &clean),
                setting.wants_end(Outcome::Succeeded, &warned),
                setting.wants_end(Outcome::Succeeded, &erred),
                setting.wants_end(Outcome::Failed, &clean),
                setting.wants_end(Outcome::Stopped, &clean),
            ];
            assert_eq!(told, expected, "{setting}");
        }
    }
}
