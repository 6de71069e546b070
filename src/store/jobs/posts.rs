//! Posts of HTTP uploads: each adds its files to a run that waits for its client.

use chrono::{DateTime, Utc};

use crate::model::id::{CompanyId, InstanceId};
use crate::model::state::{self, Event, State};
use crate::store::jobs::submit::{self, NewJob, RunId};
use crate::store::sql::{self, Row};
use crate::store::{Bell, Reads, Store, StoreError, Transaction, rows};

/// What a post adds its files to.
#[derive(Debug, Clone)]
pub enum Upload {
    /// A job that begins with this post; its run is among it.
    New(Box<NewJob>),
    Begun(InstanceId),
}

/// A file that is in the blob store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedFile {
    /// Folder below the company root and file name, as posted.
    pub path: String,
    pub blob: String,
    pub bytes: u64,
}

#[derive(Debug, Clone)]
pub struct Post {
    pub upload: Upload,
    pub company: CompanyId,
    /// Where it came from: all posts of a job come from one address.
    pub address: String,
    pub files: Vec<PostedFile>,
    /// How long the next post may take; None: this is the last one.
    pub next_until: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
}

/// Why a post was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PostError {
    #[error("there is no such upload")]
    NoSuchRun,
    #[error("the upload takes no more files: its state is {0}")]
    NotWaiting(State),
    #[error("the upload was begun from another address")]
    OtherAddress,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run that takes posts, as far as the next one must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    pub run: RunId,
    pub state: State,
    pub address: Option<String>,
}

impl Reads {
    /// The upload that a handle of a run names.
    pub async fn upload_run(
        &self,
        company: CompanyId,
        run_name: &str,
        run: Option<InstanceId>,
    ) -> Result<Option<OpenUpload>, StoreError> {
        sql::query(
            "SELECT id, run_name, state, client_address FROM instance
             WHERE company_id = $1 AND run_name = $2 AND (CAST($3 AS bigint) IS NULL OR id = $3) AND client_address IS NOT NULL",
        )
        .bind(company.0)
        .bind(run_name)
        .bind(run.map(|run| run.0))
        .fetch_optional(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("look for an upload"))?
        .map(|row| open(&row))
        .transpose()
    }

    pub async fn posted_files(&self, run: InstanceId) -> Result<Vec<PostedFile>, StoreError> {
        sql::query("SELECT path, blob, bytes FROM posted_file WHERE instance_id = $1 ORDER BY number")
            .bind(run.0)
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read the files of an upload"))?
            .iter()
            .map(|row| {
                Ok(PostedFile {
                    path: rows::get(row, "path")?,
                    blob: rows::get(row, "blob")?,
                    bytes: rows::get::<i64>(row, "bytes")?.unsigned_abs(),
                })
            })
            .collect()
    }

    /// When the last file was posted.
    pub async fn last_post(&self, run: InstanceId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> = sql::scalar("SELECT max(posted_at) FROM posted_file WHERE instance_id = $1")
            .bind(run.0)
            .fetch_one(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("read the files of an upload"))?;
        Ok(at.and_then(DateTime::from_timestamp_millis))
    }

    /// When the next client will have been silent for too long.
    pub async fn next_silence(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> = sql::scalar("SELECT min(not_before_at) FROM instance WHERE state = 'WaitingClient'")
            .fetch_one(&mut *self.reader().await?)
            .await
            .map_err(StoreError::doing("look for uploads that wait for their clients"))?;
        Ok(at.and_then(DateTime::from_timestamp_millis))
    }
}

impl Store {
    /// Adds the files of a post, with the job if it is the first, and answers after the commit.
    pub async fn post(&self, post: Post) -> Result<RunId, PostError> {
        let zone = self.zone();
        self.write_and_ring(&[Bell::Waiting], move |tx| Box::pin(async move { take(tx, &post, zone).await })).await
    }

    /// Lets uploads whose clients have been silent for too long go on with what they have.
    pub async fn close_silent_uploads(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.write_and_ring(&[Bell::Waiting], move |tx| {
            Box::pin(async move {
                sql::query(
                    "UPDATE instance SET state = 'WaitingCoordinator', not_before_at = $1
                     WHERE state = 'WaitingClient' AND not_before_at <= $1",
                )
                .bind(now.timestamp_millis())
                .execute(tx)
                .await
                .map(|done| done.rows_affected())
                .map_err(StoreError::doing("close uploads whose clients are silent"))
            })
        })
        .await
    }
}

async fn take(tx: &mut Transaction, post: &Post, zone: chrono_tz::Tz) -> Result<RunId, PostError> {
    let (run, from) = match &post.upload {
        Upload::New(job) => (begin(tx, job, zone).await?, State::New),
        Upload::Begun(run) => {
            let found = sql::query(
                "SELECT id, run_name, state, client_address FROM instance WHERE id = $1 AND company_id = $2",
            )
            .bind(run.0)
            .bind(post.company.0)
            .fetch_optional(&mut *tx)
            .await
            .map_err(StoreError::doing("look for an upload"))?;
            let found = open(&found.ok_or(PostError::NoSuchRun)?)?;
            if found.address.as_ref() != Some(&post.address) {
                return Err(PostError::OtherAddress);
            }
            (found.run, found.state)
        }
    };
    let event = if post.next_until.is_some() { Event::Post } else { Event::Close };
    let next = state::next(from, event).map_err(|_| PostError::NotWaiting(from))?.state();
    let changed = sql::query(
        "UPDATE instance SET state = $3, client_address = $4, not_before_at = $5 WHERE id = $1 AND state = $2",
    )
    .bind(run.id.0)
    .bind(from.as_str())
    .bind(next.as_str())
    .bind(&post.address)
    .bind(post.next_until.unwrap_or(post.at).timestamp_millis())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("note a post"))?
    .rows_affected();
    if changed != 1 {
        return Err(StoreError::corrupt("an upload", format!("{changed} rows changed")).into());
    }
    for file in &post.files {
        sql::query(
            "INSERT INTO posted_file (instance_id, number, path, blob, bytes, posted_at)
             SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5 FROM posted_file WHERE instance_id = $1",
        )
        .bind(run.id.0)
        .bind(&file.path)
        .bind(&file.blob)
        .bind(i64::try_from(file.bytes).unwrap_or(i64::MAX))
        .bind(post.at.timestamp_millis())
        .execute(&mut *tx)
        .await
        .map_err(StoreError::doing("write a posted file"))?;
    }
    Ok(run)
}

/// Writes the job and its run, which is new until its first files are there.
async fn begin(tx: &mut Transaction, job: &NewJob, zone: chrono_tz::Tz) -> Result<RunId, PostError> {
    let written = submit::insert(tx, std::slice::from_ref(job), zone).await?.pop();
    let run = match written {
        Some(Ok(submitted)) => submitted.run,
        Some(Err(error)) => return Err(StoreError::corrupt("an upload", error).into()),
        None => None,
    };
    let run = run.ok_or_else(|| StoreError::corrupt("an upload", "it has no run"))?;
    sql::query("UPDATE instance SET state = 'New' WHERE id = $1 AND state = 'WaitingCoordinator'")
        .bind(run.id.0)
        .execute(tx)
        .await
        .map_err(StoreError::doing("begin an upload"))?;
    Ok(run)
}

fn open(row: &Row) -> Result<OpenUpload, StoreError> {
    Ok(OpenUpload {
        run: RunId { id: InstanceId(rows::get(row, "id")?), name: rows::get(row, "run_name")? },
        state: rows::constant(row, "state")?,
        address: rows::get(row, "client_address")?,
    })
}
