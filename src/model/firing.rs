//! What becomes of the instants at which a job was due: every one of them is accounted for.
//!
//! The scheduler looks at a job when its next fire time has come, or long after, when the daemon was down. [`plan`]
//! takes all instants from that fire time up to now and gives each a disposition:
//!
//! * one that is no older than the misfire threshold is in time and fires;
//! * older ones are misfires, and the misfire policy decides: `fire_once` runs the newest (late) and merges the others
//!   into it, `skip` runs none of them, `fire_all` runs each, one after the other, up to a limit;
//! * what fires while the job's own last run is still going is subject to the overlap policy; only the misfires of
//!   `fire_all` are not, for each of them is wanted.
//!
//! A one-shot (`execTime`) has one instant and never drops it: it runs, late if need be, or once its company is open again.

use chrono::{DateTime, TimeDelta, Utc};

use super::constants;
use super::trigger::{Misfire, Overlap};

constants! {
    /// What became of an expected instant.
    #[allow(non_camel_case_types)]
    pub enum Disposition("slot disposition") { fired, late, coalesced, skipped }
}

/// An expected instant and its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    pub due_at: DateTime<Utc>,
    pub fate: Fate,
}

/// Very many instants in a row with one fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotRange {
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
    pub count: u64,
    /// No run of its own.
    pub fate: Fate,
}

impl SlotRange {
    /// Message code that says why: of all of them, and of no run.
    pub const fn reason(&self) -> &'static str {
        match self.fate {
            Fate::Skip(SkipReason::Misfire) => "slots-skipped-misfire",
            Fate::Skip(SkipReason::Overlap) => "slots-skipped-overlap",
            Fate::Skip(reason @ (SkipReason::Paused | SkipReason::Expired | SkipReason::Zone)) => reason.code(),
            Fate::Coalesce | Fate::Fire | Fate::FireLate => "slots-coalesced",
        }
    }
}

/// Most instants of one fate that are written down one by one, in a transaction of some milliseconds. More become a range.
pub const MOST_SINGLE: u64 = 1_000;

/// Instants that passed without a run: one by one, or as a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    Slots(Vec<Slot>),
    Range(SlotRange),
}

impl Missed {
    pub const fn count(&self) -> u64 {
        match self {
            Self::Slots(slots) => slots.len() as u64,
            Self::Range(range) => range.count,
        }
    }

    pub fn last(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Slots(slots) => slots.last().map(|slot| slot.due_at),
            Self::Range(range) => Some(range.last),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Runs, in time.
    Fire,
    /// Runs, late.
    FireLate,
    /// Is merged into the run of the next instant that fires.
    Coalesce,
    Skip(SkipReason),
}

/// Why an instant did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    Misfire,
    Overlap,
    Paused,
    /// The company has expired.
    Expired,
    /// The server's zone, or its rules, have changed before it came.
    Zone,
}

impl SkipReason {
    /// Message code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Misfire => "slot-skipped-misfire",
            Self::Overlap => "slot-skipped-overlap",
            Self::Paused => "slot-skipped-paused",
            Self::Expired => "slot-skipped-expired",
            Self::Zone => "slot-skipped-zone",
        }
    }
}

impl Fate {
    pub const fn fires(self) -> bool {
        match self {
            Self::Fire | Self::FireLate => true,
            Self::Coalesce | Self::Skip(_) => false,
        }
    }

    pub const fn disposition(self) -> Disposition {
        match self {
            Self::Fire => Disposition::fired,
            Self::FireLate => Disposition::late,
            Self::Coalesce => Disposition::coalesced,
            Self::Skip(_) => Disposition::skipped,
        }
    }

    /// Message code that says why, for what did not simply fire in time.
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Fire => None,
            Self::FireLate => Some("slot-late"),
            Self::Coalesce => Some("slot-coalesced"),
            Self::Skip(reason) => Some(reason.code()),
        }
    }
}

/// What the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub misfire: Misfire,
    /// Older than this is a misfire.
    pub threshold: TimeDelta,
    /// Most misfires that `fire_all` makes up for, the newest ones; the others are merged into the first of them.
    pub max_catch_up: usize,
    pub overlap: Overlap,
}

/// Decides about the instants `due`, oldest first, all of them at or before `now`. `busy`: the job's last run is not done.
/// `more`: there were too many for one look, and the newest of them is not among these.
pub fn plan(due: &[DateTime<Utc>], more: bool, now: DateTime<Utc>, policy: Policy, busy: bool) -> Vec<Slot> {
    let newest = if more { due.len() } else { due.len().saturating_sub(1) };
    let misfires = due.iter().filter(|at| now - **at > policy.threshold).count();
    let too_old = if more { misfires } else { misfires.saturating_sub(policy.max_catch_up) };
    let fate = |index: usize, at: DateTime<Utc>| {
        let misfired = now - at > policy.threshold;
        let fate = match policy.misfire {
            Misfire::Skip if misfired => return Fate::Skip(SkipReason::Misfire),
            // Whoever asked for every missed run wants them in a row, not dropped because the first is still going.
            Misfire::FireAll if misfired && index < too_old => return Fate::Coalesce,
            Misfire::FireAll if misfired => return Fate::FireLate,
            Misfire::FireOnce if index < newest => Fate::Coalesce,
            // Firing both would let the job meet itself.
            Misfire::Skip | Misfire::FireAll if index < newest && policy.overlap == Overlap::Skip => Fate::Coalesce,
            Misfire::FireOnce if misfired => Fate::FireLate,
            Misfire::FireOnce | Misfire::Skip | Misfire::FireAll => Fate::Fire,
        };
        if busy && policy.overlap == Overlap::Skip { Fate::Skip(SkipReason::Overlap) } else { fate }
    };
    due.iter().enumerate().map(|(index, at)| Slot { due_at: *at, fate: fate(index, *at) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn fates(due: &[i64], now: i64, misfire: Misfire, overlap: Overlap, busy: bool) -> Vec<Fate> {
        let due: Vec<_> = due.iter().map(|s| at(*s)).collect();
        let policy = Policy { misfire, threshold: TimeDelta::seconds(60), max_catch_up: 3, overlap };
        let slots = plan(&due, false, at(now), policy, busy);
        assert_eq!(slots.iter().map(|s| s.due_at).collect::<Vec<_>>(), due, "every instant is accounted for");
        slots.into_iter().map(|s| s.fate).collect()
    }

    use Fate::{Coalesce, Fire, FireLate, Skip};

    #[test]
    fn one_instant_in_time_fires() {
        for misfire in [Misfire::FireOnce, Misfire::Skip, Misfire::FireAll] {
            assert_eq!(fates(&[0], 1, misfire, Overlap::Skip, false), [Fire]);
            assert_eq!(fates(&[0], 60, misfire, Overlap::Skip, false), [Fire]);
        }
    }

    #[test]
    fn after_downtime_the_policy_decides() {
        let missed = [0, 3600, 7200];
        assert_eq!(fates(&missed, 9000, Misfire::FireOnce, Overlap::Skip, false), [Coalesce, Coalesce, FireLate]);
        assert_eq!(fates(&missed, 7201, Misfire::FireOnce, Overlap::Skip, false), [Coalesce, Coalesce, Fire]);
        assert_eq!(fates(&missed, 9000, Misfire::Skip, Overlap::Skip, false), [Skip(SkipReason::Misfire); 3]);
        let mixed = [Skip(SkipReason::Misfire), Skip(SkipReason::Misfire), Fire];
        assert_eq!(fates(&missed, 7201, Misfire::Skip, Overlap::Skip, false), mixed);
        assert_eq!(fates(&missed, 9000, Misfire::FireAll, Overlap::Skip, false), [FireLate; 3]);
        let many = [0, 10, 20, 30, 40];
        let newest = [Coalesce, Coalesce, FireLate, FireLate, FireLate];
        assert_eq!(
            fates(&many, 9000, Misfire::FireAll, Overlap::Skip, false),
            newest,
            "no more than three are made up for"
        );
    }

    #[test]
    fn what_is_cut_short_merges_into_what_follows() {
        let policy = Policy {
            misfire: Misfire::FireOnce,
            threshold: TimeDelta::seconds(60),
            max_catch_up: 3,
            overlap: Overlap::Skip,
        };
        let slots = plan(&[at(0), at(60)], true, at(9000), policy, false);
        assert!(slots.iter().all(|slot| slot.fate == Coalesce));
    }

    #[test]
    fn a_busy_job_is_subject_to_the_overlap_policy() {
        assert_eq!(fates(&[0], 0, Misfire::FireOnce, Overlap::Skip, true), [Skip(SkipReason::Overlap)]);
        assert_eq!(fates(&[0], 0, Misfire::FireOnce, Overlap::Queue, true), [Fire]);
        assert_eq!(fates(&[0], 0, Misfire::FireOnce, Overlap::Allow, true), [Fire]);
    }

    #[test]
    fn every_missed_run_is_wanted_but_none_that_meets_the_last() {
        let overlapped = Skip(SkipReason::Overlap);
        assert_eq!(fates(&[0, 60], 300, Misfire::FireAll, Overlap::Skip, true), [FireLate, FireLate]);
        assert_eq!(fates(&[0, 90], 100, Misfire::FireAll, Overlap::Skip, true), [FireLate, overlapped]);
        assert_eq!(fates(&[0, 90], 100, Misfire::FireAll, Overlap::Queue, true), [FireLate, Fire]);
    }

    #[test]
    fn a_job_that_skips_overlaps_does_not_meet_itself() {
        assert_eq!(fates(&[0, 10, 20], 30, Misfire::FireAll, Overlap::Skip, false), [Coalesce, Coalesce, Fire]);
        assert_eq!(fates(&[0, 10, 20], 30, Misfire::FireAll, Overlap::Queue, false), [Fire; 3]);
        assert_eq!(fates(&[0, 70, 80], 90, Misfire::FireAll, Overlap::Skip, false), [FireLate, Coalesce, Fire]);
        assert_eq!(fates(&[0, 10, 20], 30, Misfire::Skip, Overlap::Skip, false), [Coalesce, Coalesce, Fire]);
        assert_eq!(fates(&[0, 10, 20], 30, Misfire::Skip, Overlap::Queue, false), [Fire; 3]);
        assert_eq!(
            fates(&[0, 70, 80], 90, Misfire::Skip, Overlap::Skip, false),
            [Skip(SkipReason::Misfire), Coalesce, Fire]
        );
    }
}
