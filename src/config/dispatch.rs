//! `[dispatch]`: slots, attempts and leases.

use std::{collections::BTreeMap, num::NonZeroU32, thread};

use serde::{Deserialize, Deserializer, de};

use super::{
    read::{Check, Section, nearest},
    units::Period,
};
use crate::model::kind::JobKind;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Dispatch {
    /// None: as many as there are processors; see [`Dispatch::slots`].
    pub slots: Option<NonZeroU32>,
    pub slots_by_kind: SlotsByKind,
    pub max_attempts: u32,
    pub retry_base: Period,
    pub retry_max: Period,
    pub lease: Period,
    pub heartbeat: Period,
    pub stop_grace: Period,
    pub shutdown_grace: Period,
    pub job_timeout: Option<Period>,
}

/// How many jobs of a kind run at a time, for the kinds that are bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotsByKind(BTreeMap<JobKind, NonZeroU32>);

impl SlotsByKind {
    pub fn get(&self, kind: JobKind) -> Option<NonZeroU32> {
        self.0.get(&kind).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (JobKind, NonZeroU32)> {
        self.0.iter().map(|(kind, slots)| (*kind, *slots))
    }
}

const MAX_SLOTS: u32 = 1024;

impl Dispatch {
    /// How many jobs run at a time.
    pub fn slots(&self) -> NonZeroU32 {
        self.slots.unwrap_or_else(|| {
            let processors = thread::available_parallelism().map_or(1, |n| n.get());
            NonZeroU32::new(u32::try_from(processors).unwrap_or(MAX_SLOTS)).unwrap_or(NonZeroU32::MIN)
        })
    }
}

impl Default for Dispatch {
    fn default() -> Self {
        Self {
            slots: None,
            slots_by_kind: SlotsByKind::default(),
            max_attempts: 5,
            retry_base: Period::seconds(10),
            retry_max: Period::minutes(10),
            lease: Period::minutes(1),
            heartbeat: Period::seconds(20),
            stop_grace: Period::seconds(30),
            shutdown_grace: Period::seconds(30),
            job_timeout: None,
        }
    }
}

impl Section for Dispatch {
    const NAME: &'static str = "dispatch";

    fn check(&self, check: &mut Check) {
        if let Some(slots) = self.slots {
            check.range("slots", slots.get(), 1, MAX_SLOTS);
        }
        for (kind, slots) in self.slots_by_kind.iter() {
            check.range(&format!("slots_by_kind.{}", kind.element()), slots.get(), 1, MAX_SLOTS);
        }
        check.range("max_attempts", self.max_attempts, 1, 100);
        check.range("retry_base", self.retry_base, Period::seconds(1), Period::hours(1));
        check.range("retry_max", self.retry_max, self.retry_base, Period::days(1));
        check.range("lease", self.lease, Period::seconds(5), Period::hours(1));
        check.range("heartbeat", self.heartbeat, Period::seconds(1), Period::minutes(30));
        let rule = format!("must be less than half of dispatch.lease ({}): one lost beat must not lose it", self.lease);
        check.that(self.heartbeat.duration() * 2 < self.lease.duration(), "heartbeat", self.heartbeat, rule);
        check.range("stop_grace", self.stop_grace, Period::seconds(0), Period::hours(1));
        check.range("shutdown_grace", self.shutdown_grace, Period::seconds(0), Period::hours(1));
        if let Some(timeout) = self.job_timeout {
            check.range("job_timeout", timeout, Period::minutes(1), Period::days(30));
        }
    }
}

impl<'de> Deserialize<'de> for SlotsByKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<String, i64>::deserialize(deserializer)?;
        written
            .into_iter()
            .map(|(element, slots)| bound::<D::Error>(&element, slots))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn bound<E: de::Error>(element: &str, slots: i64) -> Result<(JobKind, NonZeroU32), E> {
    let elements = JobKind::ALL.iter().map(|kind| kind.element());
    let Some(kind) = JobKind::from_element(element) else {
        let nearest = nearest(element, elements).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        return Err(E::custom(format!("`{element}` is not a job element of submitJob{nearest}")));
    };
    match u32::try_from(slots).ok().and_then(NonZeroU32::new) {
        Some(slots) => Ok((kind, slots)),
        None => {
            Err(E::custom(format!("`{element}` must be from 1 to {MAX_SLOTS}: a kind without a slot would never run")))
        }
    }
}
