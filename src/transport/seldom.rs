//! Lines of the log that would come with each request, and come once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);

/// When a line was written last, and how often it was not written since.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Option<(Instant, u64)>>);

impl Seldom {
    /// Whether the line is to be written now: then how many were left out since the last.
    pub fn is_due(&self, now: Instant) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, left_out)) = &mut *last
            && now < *at + EVERY
        {
            *left_out += 1;
            return None;
        }
        Some(last.replace((now, 0)).map_or(0, |(_, left_out)| left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_once_a_minute_and_says_what_was_left_out() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let at = |seconds| seldom.is_due(start + Duration::from_secs(seconds));
        assert_eq!([0, 1, 59, 60, 61, 200].map(at), [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
