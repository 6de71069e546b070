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
    /// Files that were left out because an asset has their name.
    pub duplicate: i64,
    /// Those of them whose content the asset does not have.
    pub left_out: i64,
    pub update: i64,
    /// Those of `success` and `update` that are about no files, but about pages, layers and renditions made of them.
    pub part: i64,
    /// Those of `error` that are about these.
    pub part_error: i64,
    pub transfer_success: i64,
    pub transfer_error: i64,
    pub transfer_warning: i64,
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        let Self {
            success,
            error,
            warning,
            duplicate,
            left_out,
            update,
            part,
            part_error,
            transfer_success,
            transfer_error,
            transfer_warning,
        } = other;
        self.success += success;
        self.error += error;
        self.warning += warning;
        self.duplicate += duplicate;
        self.left_out += left_out;
        self.update += update;
        self.part += part;
        self.part_error += part_error;
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

    /// Files that were looked at. A publish counts what it sent, and what it could not send, as both.
    pub fn files(&self) -> i64 {
        let sent = self.success.max(self.transfer_success);
        let failed = self.error.max(self.transfer_error);
        sent + self.update - self.part + self.duplicate + failed - self.part_error
    }

    /// Files that were not processed as they should have been. One that was left out for its name is among them.
    pub const fn has_errors(&self) -> bool {
        self.error > 0 || self.transfer_error > 0 || self.left_out > 0
    }

    pub const fn has_warnings(&self) -> bool {
        self.warning > 0 || self.transfer_warning > 0
    }
}
