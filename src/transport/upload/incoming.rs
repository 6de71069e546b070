//! The body of a post as it comes: never more than may be held, and never without end.
//!
//! ```text
//! until the login is accepted   at most MOST_BEFORE_LOGIN bytes, all of them within the patience
//! after it                      LEAST_PROGRESS bytes, or the end, within each further patience
//! after a refusal               at most MOST_DRAINED bytes are thrown away, all of them within the patience
//! ```
//!
//! Only the time that the sender is waited for counts, not what the server takes for its own work.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt;
use thiserror::Error;

use crate::clock::Stopwatch;
use crate::transport::connections::LEAST_PROGRESS;

/// What is read of a post before somebody answers for it. A login has some hundred bytes, and what stands before it in
/// the same packet as much again.
pub(super) const MOST_BEFORE_LOGIN: u64 = 1 << 20;

/// What still comes after a refusal is read and thrown away up to here: a client that is cut off while it writes never
/// reads why.
pub(super) const MOST_DRAINED: u64 = 64 << 20;

/// Why no more of a body is read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Cut {
    #[error("it broke off: {0}")]
    BrokeOff(String),
    #[error("its login did not come within {} seconds", .0.as_secs())]
    SlowLogin(Duration),
    #[error("less than {LEAST_PROGRESS} bytes of it came in {} seconds", .0.as_secs())]
    Slow(Duration),
    #[error("its first {MOST_BEFORE_LOGIN} bytes hold no login that is accepted")]
    NoLogin,
    #[error("it is larger than {0} bytes, which is more than all its files and parts may come to")]
    Long(u64),
}

/// How much longer a sender is waited for.
#[derive(Debug)]
struct Pace {
    patience: Duration,
    left: Duration,
    /// Bytes that are still to come before the patience begins anew; `None` if it never does.
    wanted: Option<u64>,
}

impl Pace {
    /// All must come within the patience.
    fn strict(patience: Duration) -> Self {
        Self { patience, left: patience, wanted: None }
    }

    /// It must go on.
    fn steady(patience: Duration) -> Self {
        Self { patience, left: patience, wanted: Some(LEAST_PROGRESS) }
    }

    fn came(&mut self, bytes: u64, waited: Duration) {
        match self.wanted {
            Some(wanted) if bytes >= wanted => *self = Self::steady(self.patience),
            wanted => {
                self.wanted = wanted.map(|wanted| wanted - bytes);
                self.left = self.left.saturating_sub(waited);
            }
        }
    }
}

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Unknown,
    LoggedIn,
    Refused,
}

/// A body, and how far it has come.
pub(super) struct Incoming {
    chunks: BodyDataStream,
    pace: Pace,
    sender: Sender,
    taken: u64,
    /// Bytes that the body may have.
    most: u64,
    /// All of it has come.
    is_whole: bool,
    /// No more of it will come.
    is_over: bool,
}

impl Incoming {
    pub fn new(body: Body, patience: Duration, most: u64) -> Self {
        let (chunks, pace) = (body.into_data_stream(), Pace::strict(patience));
        Self { chunks, pace, sender: Sender::Unknown, taken: 0, most, is_whole: false, is_over: false }
    }

    /// Somebody answers for what comes from now on.
    pub fn accept(&mut self) {
        self.sender = Sender::LoggedIn;
        self.pace = Pace::steady(self.pace.patience);
    }

    /// The next bytes; `None` at the end. This is the one place where bytes of a post come in.
    pub async fn take(&mut self) -> Result<Option<Bytes>, Cut> {
        let taken = self.wait().await;
        self.is_whole |= taken == Ok(None);
        self.is_over |= matches!(taken, Ok(None) | Err(Cut::BrokeOff(_) | Cut::SlowLogin(_) | Cut::Slow(_)));
        taken
    }

    async fn wait(&mut self) -> Result<Option<Bytes>, Cut> {
        let stopwatch = Stopwatch::start();
        let next = tokio::time::timeout(self.pace.left, self.chunks.next()).await;
        let chunk = match next.map_err(|_elapsed| self.too_slow())? {
            None => return Ok(None),
            Some(Err(error)) => return Err(Cut::BrokeOff(error.to_string())),
            Some(Ok(chunk)) => chunk,
        };
        let length = chunk.len() as u64;
        self.pace.came(length, stopwatch.elapsed());
        self.taken = self.taken.saturating_add(length);
        match self.sender {
            Sender::Unknown if self.taken > MOST_BEFORE_LOGIN => Err(Cut::NoLogin),
            Sender::LoggedIn if self.taken > self.most => Err(Cut::Long(self.most)),
            Sender::Unknown | Sender::LoggedIn | Sender::Refused => Ok(Some(chunk)),
        }
    }

    fn too_slow(&self) -> Cut {
        match self.sender {
            Sender::LoggedIn => Cut::Slow(self.pace.patience),
            Sender::Unknown | Sender::Refused => Cut::SlowLogin(self.pace.patience),
        }
    }

    /// Reads on after a refusal. True if nothing is left that could be taken for another request.
    pub async fn drain(&mut self) -> bool {
        self.sender = Sender::Refused;
        self.pace = Pace::strict(self.pace.patience);
        let end = self.taken.saturating_add(MOST_DRAINED);
        // What is wrong with the rest is of no interest any more.
        while !self.is_over && self.taken <= end {
            let _ = self.take().await;
        }
        self.is_whole
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, Stream};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn patience_begins_anew_with_each_stretch_that_came() {
        let mut pace = Pace::steady(60 * SECOND);
        pace.came(LEAST_PROGRESS - 1, 40 * SECOND);
        assert_eq!((pace.left, pace.wanted), (20 * SECOND, Some(1)), "nearly enough is not enough");
        pace.came(1, 19 * SECOND);
        assert_eq!((pace.left, pace.wanted), (60 * SECOND, Some(LEAST_PROGRESS)));
        // A byte a minute, or a second, does not get anybody further.
        for _ in 0..60 {
            assert_ne!(pace.left, Duration::ZERO);
            pace.came(1, SECOND);
        }
        assert_eq!(pace.left, Duration::ZERO);
        // And slow is not too slow, however long it takes: a KiB a second for a day.
        let mut pace = Pace::steady(60 * SECOND);
        for _ in 0..86_400 {
            pace.came(1 << 10, SECOND);
            assert!(pace.left > 28 * SECOND);
        }
    }

    #[test]
    fn before_the_login_and_after_a_refusal_patience_never_begins_anew() {
        let mut pace = Pace::strict(60 * SECOND);
        for _ in 0..59 {
            pace.came(10 * LEAST_PROGRESS, SECOND);
        }
        assert_eq!((pace.left, pace.wanted), (SECOND, None));
    }

    fn incoming<S>(chunks: S, patience: Duration, most: u64) -> Incoming
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        Incoming::new(Body::from_stream(chunks.map(Ok::<_, std::io::Error>)), patience, most)
    }

    fn endless(size: usize) -> impl Stream<Item = Bytes> {
        stream::repeat(Bytes::from(vec![b'x'; size]))
    }

    /// Takes until there is no more, and says how much came and what was the end.
    async fn take_all(incoming: &mut Incoming) -> (u64, Result<(), Cut>) {
        let mut came = 0;
        loop {
            match incoming.take().await {
                Ok(Some(bytes)) => came += bytes.len() as u64,
                Ok(None) => return (came, Ok(())),
                Err(why) => return (came, Err(why)),
            }
        }
    }

    #[tokio::test]
    async fn bytes_are_counted_as_long_as_nobody_answers_for_them() {
        let patience = 60 * SECOND;
        let mut unknown = incoming(endless(100_000), patience, u64::MAX);
        assert_eq!(take_all(&mut unknown).await, (1_000_000, Err(Cut::NoLogin)));
        assert!(!unknown.drain().await, "it never ends");
        assert!(unknown.taken > MOST_DRAINED && unknown.taken <= MOST_DRAINED + (2 << 20), "{}", unknown.taken);

        let mut known = incoming(endless(100_000), patience, 3_000_000);
        known.take().await.unwrap();
        known.accept();
        assert_eq!(take_all(&mut known).await, (2_900_000, Err(Cut::Long(3_000_000))));

        let mut short = incoming(stream::iter(vec![Bytes::from_static(b"abc"); 9]), patience, u64::MAX);
        short.take().await.unwrap();
        assert!(short.drain().await && short.drain().await);
        assert_eq!(short.taken, 27);
    }

    /// A chunk after the other, each after a moment, as long as anybody waits for them.
    fn trickle(moment: Duration) -> impl Stream<Item = Bytes> {
        stream::unfold((), move |()| async move {
            tokio::time::sleep(moment).await;
            Some((Bytes::from_static(b"x"), ()))
        })
    }

    #[tokio::test]
    async fn what_trickles_is_given_up_before_and_after_the_login_and_when_it_is_refused() {
        let (patience, moment) = (Duration::from_millis(40), Duration::from_millis(3));
        let mut unknown = incoming(trickle(moment).boxed(), patience, u64::MAX);
        assert_eq!(take_all(&mut unknown).await.1, Err(Cut::SlowLogin(patience)));
        assert!(!unknown.drain().await, "who was given up is not waited for again");

        let mut known = incoming(trickle(moment).boxed(), patience, u64::MAX);
        known.accept();
        assert_eq!(take_all(&mut known).await.1, Err(Cut::Slow(patience)));

        let mut refused = incoming(trickle(moment).boxed(), patience, u64::MAX);
        assert!(!refused.drain().await && refused.is_over);
    }
}
