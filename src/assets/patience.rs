//! Looks at places that may never answer, such as a disk behind a network that is gone.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

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

/// A place that is looked at again and again, by one thread at a time: however often it is asked, no more than one hangs. Clones
/// are the same place.
#[derive(Debug, Clone)]
pub struct Watched {
    name: Arc<str>,
    turn: Arc<Semaphore>,
    pub(crate) patience: Duration,
}

impl Watched {
    /// The name is said of a place that does not answer.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), turn: Arc::new(Semaphore::new(1)), patience: PATIENCE }
    }

    /// What the place answers, or an error after a while in which it did not.
    pub async fn look<R: Send + 'static>(
        &self,
        look: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let looked = timeout(self.patience, self.wait(look)).await;
        looked.unwrap_or_else(|_| {
            let said = format!("{} has not answered for {} seconds", self.name, self.patience.as_secs_f64());
            Err(io::Error::new(io::ErrorKind::TimedOut, said))
        })
    }

    /// On a thread of its own, for which the end of the daemon does not wait.
    async fn wait<R: Send + 'static>(&self, look: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<R> {
        let turn = self.turn.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (tell, told) = oneshot::channel();
        std::thread::Builder::new().name("look".to_owned()).spawn(move || {
            let found = look();
            drop(turn);
            // Whoever asked may have gone.
            let _ = tell.send(found);
        })?;
        told.await.map_err(io::Error::other)?
    }
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

impl Pulse {
    fn began(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a look is under way that has had no answer for so long.
    pub fn is_gone(&self, patience: Duration) -> bool {
        self.began().is_some_and(|began| began + patience <= Instant::now())
    }

    /// Whether the look that is under way, or else this one, has an answer within `patience` from its beginning.
    pub async fn beats(&self, patience: Duration, look: impl FnOnce() + Send + 'static) -> bool {
        let is_first = {
            let mut began = self.began();
            let is_first = began.is_none();
            began.get_or_insert_with(Instant::now);
            is_first
        };
        if is_first {
            let beat = self.0.clone();
            let look = move || {
                look();
                *beat.began.lock().unwrap_or_else(PoisonError::into_inner) = None;
                beat.ended.notify_waiters();
            };
            if std::thread::Builder::new().name("look".to_owned()).spawn(look).is_err() {
                *self.began() = None;
                return true;
            }
        }
        let ended = self.0.ended.notified();
        let mut ended = pin!(ended);
        ended.as_mut().enable();
        let Some(began) = *self.began() else { return true };
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
}
