//! How a run ended, and what it counted.

use serde::{Deserialize, Serialize};

use super::constants;

constants! {
    /// How a run ended. A run in which single files failed has still succeeded: their lines say so.
    pub enum Outcome("job outcome") { Succeeded, Failed, Stopped }
}

/// The counters of a job log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub success: i64,
    pub error: i64,
    pub warning: i64,
    pub duplicate: i64,
    pub update: i64,
    pub transfer_success: i64,
    pub transfer_error: i64,
    pub transfer_warning: i64,
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        let Self { success, error, warning, duplicate, update, transfer_success, transfer_error, transfer_warning } =
            other;
        self.success += success;
        self.error += error;
        self.warning += warning;
        self.duplicate += duplicate;
        self.update += update;
        self.transfer_success += transfer_success;
        self.transfer_error += transfer_error;
        self.transfer_warning += transfer_warning;
    }
}

impl Counters {
    /// Files that came through: what `postJobOnlyIfFiles` asks about.
    pub const fn processed(&self) -> i64 {
        self.success + self.update
    }

    pub const fn has_errors(&self) -> bool {
        self.error > 0 || self.transfer_error > 0
    }

    pub const fn has_warnings(&self) -> bool {
        self.warning > 0 || self.transfer_warning > 0
    }
}
