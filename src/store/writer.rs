//! The writer: the only task that writes, and the group commit.
//!
//! Requests wait in a channel. The writer takes all that are there, does them in one transaction and commits; then it
//! rings the bells of the engine and answers all of them. While it waits for the disk, the next group gathers. Each
//! request runs inside a savepoint of its own, so that one that fails, or panics, takes none of its neighbours with it.
//! Requests that come in numbers, submissions and ends of runs, are written by bulk statements (`bulk.rs`).
//!
//! The bells are rung here and not by the caller, because a caller may be gone (a client that hung up) by the time its
//! write is committed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use chrono_tz::Tz;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::StoreError;
use super::bulk::{AnyWaiting, Batches, Bulk, Waiting};
use super::signal::{Bell, Signals};
use super::stats::Stats;
use super::transaction::{Transaction, execute};
use crate::store::sql::{self, Connection};

/// Longest queue in front of the writer: beyond it callers wait in turn.
const QUEUE: usize = 4096;

/// Most requests in one transaction, so that the first of them does not wait for ever.
const GROUP: usize = 1024;

/// A request that is not a submission: what to do, and whom to tell.
trait Op: Send {
    /// True when it may stay; false rolls it back.
    fn run<'t>(&'t mut self, tx: &'t mut Transaction) -> BoxFuture<'t, bool>;
    /// After the commit, or with the error that undid the whole group.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>, signals: &Signals);
}

/// What a request said, or the panic it ended in, which goes on in its caller.
type Outcome<T, E> = Result<Result<T, E>, Box<dyn Any + Send>>;

/// What rings when a request is committed.
pub enum Bells<T> {
    These(&'static [Bell]),
    /// By what it came to.
    By(fn(&T) -> &'static [Bell]),
}

impl<T> Bells<T> {
    fn of(&self, done: &T) -> &'static [Bell] {
        match self {
            Self::These(bells) => bells,
            Self::By(bells) => bells(done),
        }
    }
}

struct Closure<T, E, F> {
    work: Option<F>,
    outcome: Option<Outcome<T, E>>,
    bells: Bells<T>,
    reply: oneshot::Sender<Outcome<T, E>>,
}

impl<T, E, F> Op for Closure<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Transaction) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.outcome = Some(AssertUnwindSafe(async { work(tx).await }).catch_unwind().await);
            }
            matches!(self.outcome, Some(Ok(Ok(_))))
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>, signals: &Signals) {
        let outcome = match (self.outcome, committed) {
            // A refusal stands whatever became of the group.
            (Some(undone @ (Ok(Err(_)) | Err(_))), _) => undone,
            (Some(done), Ok(())) => {
                let bells = done.as_ref().ok().and_then(|done| done.as_ref().ok()).map(|done| self.bells.of(done));
                bells.into_iter().flatten().for_each(|bell| signals.ring(*bell));
                done
            }
            (_, Err(error)) => Ok(Err(error.into())),
            (None, Ok(())) => Ok(Err(StoreError::Closed.into())),
        };
        // A caller that has gone away no longer wants to know.
        let _ = self.reply.send(outcome);
    }
}

enum Request {
    Bulk(Box<dyn AnyWaiting>),
    Op(Box<dyn Op>),
}

/// The callers' end.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
    /// Nothing more is taken.
    closing: CancellationToken,
    /// The connection is closed.
    closed: CancellationToken,
}

impl Writer {
    /// Starts the writer. It ends, and closes its connection, when it is told to or the last [`Writer`] is gone.
    pub fn start(connection: Connection, zone: Tz, signals: Arc<Signals>, stats: Arc<Stats>) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
        let ended = closed.clone().drop_guard();
        let run = run(connection, requests, zone, signals, stats, closing.clone());
        let written = async move {
            run.await;
            drop(ended);
        };
        // Whoever opens a database inside a span sees there what is written to it.
        tokio::spawn(written.in_current_span());
        Self { queue, closing, closed }
    }

    /// Does what waits, takes nothing more, and closes the connection.
    pub async fn close(&self) {
        self.closing.cancel();
        self.closed.cancelled().await;
    }

    /// Writes a request together with others of its sort.
    pub async fn bulk<B: Bulk>(&self, request: B) -> Result<B::Done, B::Error> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Bulk(Box::new(Waiting { request, reply }))).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Does `work`, and rings `bells` when it is committed.
    pub async fn write<T, E, F>(&self, bells: Bells<T>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Op(Box::new(Closure { work: Some(work), outcome: None, bells, reply }))).await?;
        answer.await.map_err(|_| StoreError::Closed)?.unwrap_or_else(|panic| resume_unwind(panic))
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        self.queue.send(request).await.map_err(|_| StoreError::Closed)
    }
}

async fn run(
    mut connection: Connection,
    mut requests: mpsc::Receiver<Request>,
    zone: Tz,
    signals: Arc<Signals>,
    stats: Arc<Stats>,
    closing: CancellationToken,
) {
    let mut group = Vec::new();
    loop {
        tokio::select! {
            biased;
            received = requests.recv_many(&mut group, GROUP) => if received == 0 { break },
            () = closing.cancelled(), if !requests.is_closed() => {
                requests.close();
                continue;
            }
        }
        stats.group_size.observe(group.len() as f64);
        commit_group(&mut connection, group.drain(..), zone, &signals).await;
    }
    if let Err(error) = sql::close(connection).await {
        tracing::warn!(%error, "the database was not closed cleanly; it will recover when it is opened again");
    }
}

async fn commit_group(
    connection: &mut Connection,
    requests: impl Iterator<Item = Request>,
    zone: Tz,
    signals: &Signals,
) {
    let mut group = Group::default();
    for request in requests {
        match request {
            Request::Bulk(waiting) => waiting.join(&mut group.bulks),
            Request::Op(op) => group.ops.push(op),
        }
    }
    let committed = transact(connection, &mut group, zone).await;
    group.bulks.answer(&committed, signals);
    for op in group.ops {
        op.answer(committed.clone(), signals);
    }
}

/// What shares a transaction.
#[derive(Default)]
struct Group {
    bulks: Batches,
    ops: Vec<Box<dyn Op>>,
}

/// Does a whole group in one transaction. An error means that nothing of it was done.
async fn transact(connection: &mut Connection, group: &mut Group, zone: Tz) -> Result<(), StoreError> {
    let result = async {
        let begun = sql::begin(connection).await?;
        within(connection, group, zone).await?;
        begun.commit(connection).await
    };
    let result = result.await;
    if let Err(error) = &result {
        tracing::error!(%error, "a group of writes was undone");
        // SQLite may have rolled back by itself (disk full, I/O error); then this says so, which changes nothing. Where a
        // transaction could not begin, one may have been left open that could not be undone either.
        let _ = sql::query("ROLLBACK").execute(connection).await;
    }
    result
}

async fn within(tx: &mut Transaction, group: &mut Group, zone: Tz) -> Result<(), StoreError> {
    group.bulks.write(tx, zone).await?;
    if !group.ops.is_empty() {
        execute(tx, "SAVEPOINT request", "set a savepoint").await?;
        for op in &mut group.ops {
            if op.run(tx).await {
                // One hand-off for the end of this one and the beginning of the next.
                execute(tx, "RELEASE request; SAVEPOINT request", "move a savepoint").await?;
            } else {
                execute(tx, "ROLLBACK TO request", "undo a refused request").await?;
            }
        }
        execute(tx, "RELEASE request", "release a savepoint").await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
