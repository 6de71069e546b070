//! Requests of which many of one sort are written at once by bulk statements, because the price of a statement is its
//! hand-off, not its rows. When a bulk fails, or panics, its requests are written one by one, so that only the bad one is
//! refused.

use std::any::{Any, TypeId};
use std::panic::AssertUnwindSafe;

use chrono_tz::Tz;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::StoreError;
use super::signal::{Bell, Signals};
use super::transaction::{Transaction, execute};

/// A request that is written together with others of its sort.
pub(super) trait Bulk: Sized + Send + Sync + 'static {
    type Done: Send + Sync + 'static;
    type Error: From<StoreError> + Send + Sync + 'static;

    /// Of the sorts in a transaction, the lowest is written first.
    const TURN: u8;

    /// Writes all of `requests`; an error means that none was written.
    fn write(
        tx: &mut Transaction,
        requests: &[Self],
        zone: Tz,
    ) -> impl Future<Output = Result<Results<Self>, StoreError>> + Send;

    /// What rings when it is committed.
    fn bells(done: &Self::Done) -> impl Iterator<Item = Bell>;
}

pub(super) type Results<B> = Vec<Result<<B as Bulk>::Done, <B as Bulk>::Error>>;

type Reply<B> = oneshot::Sender<Result<<B as Bulk>::Done, <B as Bulk>::Error>>;

/// A request, and whom to answer.
pub(super) struct Waiting<B: Bulk> {
    pub request: B,
    pub reply: Reply<B>,
}

/// A request of whatever sort.
pub(super) trait AnyWaiting: Send {
    /// Puts it to those of its sort.
    fn join(self: Box<Self>, batches: &mut Batches);
}

impl<B: Bulk> AnyWaiting for Waiting<B> {
    fn join(self: Box<Self>, Batches(batches): &mut Batches) {
        let at = batches.iter().position(|batch| batch.sort() == TypeId::of::<B>()).unwrap_or_else(|| {
            let at = batches.iter().take_while(|batch| batch.turn() < B::TURN).count();
            batches.insert(at, Box::new(Batch::<B>::new()));
            at
        });
        if let Some(batch) = batches[at].as_any().downcast_mut::<Batch<B>>() {
            batch.push(*self);
        }
    }
}

/// The requests of a group, by their sorts.
#[derive(Default)]
pub(super) struct Batches(Vec<Box<dyn AnyBatch>>);

impl Batches {
    /// An error undid the whole transaction.
    pub async fn write(&mut self, tx: &mut Transaction, zone: Tz) -> Result<(), StoreError> {
        for batch in &mut self.0 {
            batch.write(tx, zone).await?;
        }
        Ok(())
    }

    /// After the commit, or with the error that undid all.
    pub fn answer(self, committed: &Result<(), StoreError>, signals: &Signals) {
        for batch in self.0 {
            batch.answer(committed, signals);
        }
    }
}

trait AnyBatch: Send {
    fn sort(&self) -> TypeId;
    fn turn(&self) -> u8;
    fn as_any(&mut self) -> &mut dyn Any;
    fn write<'b>(&'b mut self, tx: &'b mut Transaction, zone: Tz) -> BoxFuture<'b, Result<(), StoreError>>;
    fn answer(self: Box<Self>, committed: &Result<(), StoreError>, signals: &Signals);
}

/// The requests of one sort in a group, whom to answer, and what became of them.
pub(super) struct Batch<B: Bulk> {
    requests: Vec<B>,
    replies: Vec<Reply<B>>,
    results: Results<B>,
}

impl<B: Bulk> AnyBatch for Batch<B> {
    fn sort(&self) -> TypeId {
        TypeId::of::<B>()
    }

    fn turn(&self) -> u8 {
        B::TURN
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn write<'b>(&'b mut self, tx: &'b mut Transaction, zone: Tz) -> BoxFuture<'b, Result<(), StoreError>> {
        Box::pin(async move {
            self.results = self.written(tx, zone).await?;
            Ok(())
        })
    }

    fn answer(self: Box<Self>, committed: &Result<(), StoreError>, signals: &Signals) {
        let results = match committed {
            Ok(()) => self.results,
            Err(error) => self.replies.iter().map(|_| Err(error.clone().into())).collect(),
        };
        for bell in results.iter().filter_map(|result| result.as_ref().ok()).flat_map(B::bells) {
            signals.ring(bell);
        }
        for (reply, result) in self.replies.into_iter().zip(results) {
            // A caller that has gone away no longer wants to know.
            let _ = reply.send(result);
        }
    }
}

impl<B: Bulk> Batch<B> {
    pub const fn new() -> Self {
        Self { requests: Vec::new(), replies: Vec::new(), results: Vec::new() }
    }

    pub fn push(&mut self, Waiting { request, reply }: Waiting<B>) {
        self.requests.push(request);
        self.replies.push(reply);
    }

    /// An error undid the whole transaction.
    pub async fn written(&self, tx: &mut Transaction, zone: Tz) -> Result<Results<B>, StoreError> {
        if self.requests.is_empty() {
            return Ok(Vec::new());
        }
        if let Ok(results) = in_savepoint(tx, &self.requests, zone).await? {
            return Ok(results);
        }
        let mut results = Vec::with_capacity(self.requests.len());
        for request in self.requests.chunks(1) {
            match in_savepoint(tx, request, zone).await? {
                Ok(result) => results.extend(result),
                Err(error) => results.push(Err(error.into())),
            }
        }
        Ok(results)
    }
}

/// The inner error undid these requests only, the outer one the whole transaction.
async fn in_savepoint<B: Bulk>(
    tx: &mut Transaction,
    requests: &[B],
    zone: Tz,
) -> Result<Result<Results<B>, StoreError>, StoreError> {
    execute(tx, "SAVEPOINT bulk", "set a savepoint").await?;
    let result = AssertUnwindSafe(B::write(tx, requests, zone)).catch_unwind().await.unwrap_or_else(|_| {
        // The panic itself is in the log. It must not be the end of the writer.
        let reason = "an internal error; the daemon's log says more".to_owned();
        Err(StoreError::Database { doing: "write what was asked for", reason })
    });
    if let Err(error) = &result {
        // Without a savepoint to go back to SQLite has undone everything, for the reason that the statement gave.
        execute(tx, "ROLLBACK TO bulk", "undo a bulk").await.map_err(|_| error.clone())?;
    }
    execute(tx, "RELEASE bulk", "release a savepoint").await?;
    Ok(result)
}
