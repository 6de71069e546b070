//! Looks at places that may never answer, such as a disk behind a network that is gone.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How long a look at one place may take until it is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Looks that may hang at a time, each with a thread that nobody can end.
const MOST_HANGING: usize = 8;

/// What a look at each of these places finds, in their order: an error for those behind one that does not answer as well. It
/// blocks, but not for ever, and neither the end of a command nor that of the daemon waits for what hangs.
pub fn look_at_each<T, R>(places: &[T], look: fn(&T) -> io::Result<R>) -> Vec<io::Result<R>>
where
    T: Clone + Send + 'static,
    R: Send + 'static,
{
    static HANGING: AtomicUsize = AtomicUsize::new(0);
    look_within(PATIENCE, &HANGING, places, look)
}

fn look_within<T, R>(
    patience: Duration,
    hanging: &'static AtomicUsize,
    places: &[T],
    look: fn(&T) -> io::Result<R>,
) -> Vec<io::Result<R>>
where
    T: Clone + Send + 'static,
    R: Send + 'static,
{
    let silent =
        || io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {} seconds", patience.as_secs_f64()));
    let (all, (tell, told)) = (places.to_vec(), mpsc::channel());
    let mut found = Vec::new();
    let turn = Turn::take(hanging);
    if turn.before < MOST_HANGING {
        let looking = std::thread::Builder::new().name("look".to_owned()).spawn(move || {
            let _turn = turn;
            // Whoever asked may have gone.
            let _ = all.iter().try_for_each(|place| tell.send(look(place)));
        });
        match looking {
            Ok(_) => found.extend(std::iter::from_fn(|| told.recv_timeout(patience).ok())),
            Err(error) => found.push(Err(error)),
        }
    }
    found.resize_with(places.len(), || Err(silent()));
    found
}

/// Whether a place answers, for many who ask at once: one look at a time answers all of them. Clones are the same place.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Beat>);

#[derive(Debug, Default)]
struct Beat {
    /// When the look began that is under way.
    began: Mutex<Option<Instant>>,
    ended: Notify,
}

impl Beat {
    fn began(&self) -> MutexGuard<'_, Option<Instant>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The look that is under way, until it is dropped.
struct UnderWay(Arc<Beat>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.began() = None;
        self.0.ended.notify_waiters();
    }
}

impl Pulse {
    /// Whether a look is under way that has had no answer for so long.
    pub fn is_gone(&self, patience: Duration) -> bool {
        self.0.began().is_some_and(|began| began + patience <= Instant::now())
    }

    /// Whether the look that is under way, or else this one, has an answer within `patience` from its beginning.
    pub async fn beats(&self, patience: Duration, look: impl FnOnce() + Send + 'static) -> bool {
        let is_first = {
            let mut began = self.0.began();
            let is_first = began.is_none();
            began.get_or_insert_with(Instant::now);
            is_first
        };
        if is_first {
            let under_way = UnderWay(self.0.clone());
            let look = move || {
                let _under_way = under_way;
                look();
            };
            // Without a thread for it nobody knows that the place is silent.
            if std::thread::Builder::new().name("look".to_owned()).spawn(look).is_err() {
                return true;
            }
        }
        let mut ended = pin!(self.0.ended.notified());
        ended.as_mut().enable();
        let Some(began) = *self.0.began() else { return true };
        timeout_at(began + patience, ended).await.is_ok()
    }
}

/// One of the looks under way, until it is dropped.
struct Turn {
    hanging: &'static AtomicUsize,
    /// How many there were before it.
    before: usize,
}

impl Turn {
    fn take(hanging: &'static AtomicUsize) -> Self {
        Self { hanging, before: hanging.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.hanging.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    static HANGS: AtomicBool = AtomicBool::new(true);

    /// As a disk behind a network that comes back after a while.
    #[test]
    fn what_does_not_answer_is_given_up_with_what_is_behind_it_and_hangs_few_threads() {
        static HANGING: AtomicUsize = AtomicUsize::new(0);
        let look = |patience| {
            look_within(patience, &HANGING, &[1, 2, 3], |place| {
                while *place == 2 && HANGS.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                Ok(*place)
            })
        };
        for _ in 0..MOST_HANGING + 3 {
            let found = look(Duration::from_millis(30));
            assert_eq!(found.len(), 3);
            let said: Vec<String> = found.iter().filter_map(|found| Some(found.as_ref().err()?.to_string())).collect();
            assert!(said.len() >= 2 && said.iter().all(|said| said == "no answer for 0.03 seconds"), "{said:?}");
        }
        assert_eq!(HANGING.load(Ordering::SeqCst), MOST_HANGING);
        HANGS.store(false, Ordering::SeqCst);
        while HANGING.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        let found: Vec<i32> = look(Duration::from_secs(600)).into_iter().map(Result::unwrap).collect();
        assert_eq!(found, [1, 2, 3]);
    }
    /// A place that is slow has many who ask, and each has its answer by the look that is under way.
    #[tokio::test]
    async fn one_look_answers_all_who_ask_meanwhile() {
        let (pulse, patience, looks) = (Pulse::default(), Duration::from_secs(600), Arc::new(AtomicUsize::new(0)));
        let (answer, answered) = mpsc::channel::<()>();
        let answered = Arc::new(Mutex::new(answered));
        let mut asked: Vec<_> = (0..100)
            .map(|_| {
                let (looks, answered) = (looks.clone(), answered.clone());
                Box::pin(pulse.beats(patience, move || {
                    looks.fetch_add(1, Ordering::SeqCst);
                    answered.lock().unwrap().recv().unwrap();
                }))
            })
            .collect();
        for one in &mut asked {
            assert!(one.as_mut().now_or_never().is_none(), "it has an answer before the place gave one");
        }
        answer.send(()).unwrap();
        assert!(join_all(asked).await.into_iter().all(|beats| beats));
        assert_eq!(looks.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_look_that_breaks_off_is_an_answer_and_the_next_is_made() {
        let (pulse, patience) = (Pulse::default(), Duration::from_secs(600));
        assert!(pulse.beats(patience, || std::panic::resume_unwind(Box::new("the look broke off"))).await);
        assert!(!pulse.is_gone(Duration::ZERO));
        let (tell, told) = mpsc::channel();
        assert!(pulse.beats(patience, move || tell.send(()).unwrap()).await);
        told.recv().unwrap();
    }

    #[tokio::test]
    async fn a_place_is_gone_while_its_look_has_no_answer() {
        let (pulse, (answer, answered)) = (Pulse::default(), mpsc::channel::<()>());
        assert!(!pulse.beats(Duration::ZERO, move || assert!(answered.recv().is_err())).await);
        assert!(pulse.is_gone(Duration::ZERO));
        assert!(!pulse.is_gone(Duration::from_secs(600)), "it has had no time yet");
        drop(answer);
        while pulse.is_gone(Duration::ZERO) {
            std::thread::yield_now();
        }
    }
}
