//! A disk without space, played by a limit on the writer's own connection, which only the store can reach.

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::model::id::{AccountId, CompanyId};
use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::model::trigger::Trigger;
use crate::store::bulk::{Batch, Bulk, Results, Waiting};
use crate::store::jobs::submit::{NewJob, NewRun, SubmitError};
use crate::store::{Bell, Options, Store, StoreError};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

async fn execute(store: &Store, sql: String) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                let done = sqlx::query(AssertSqlSafe(sql)).execute(tx).await;
                done.map(|_| ()).map_err(StoreError::doing("test"))
            })
        })
        .await
}

async fn count(store: &Store, table: &str) -> i64 {
    let mut reader = store.reader().await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).fetch_one(&mut *reader).await.unwrap()
}

/// No more pages than there are, or as many as one likes.
async fn limit_pages(store: &Store, pages: Option<i64>) {
    let pages = match pages {
        Some(pages) => pages,
        None => {
            let mut reader = store.reader().await.unwrap();
            sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *reader).await.unwrap()
        }
    };
    execute(store, format!("PRAGMA max_page_count = {pages}")).await.unwrap();
}

async fn store(dir: &tempfile::TempDir) -> Store {
    let store = Store::open(Options::new(dir.path().join("test.db"), chrono_tz::UTC)).await.unwrap();
    execute(&store, "INSERT INTO company(id, name, root_path, created_at) VALUES (1, 'c', 'c', 0)".to_owned())
        .await
        .unwrap();
    let account = "INSERT INTO account(id, email, password_hash, created_at, password_changed_at)
                   VALUES (1, 'u@example.com', '', 0, 0)";
    execute(&store, account.to_owned()).await.unwrap();
    store
}

fn job(size: usize) -> NewJob {
    let element = serde_json::json!({"serverDir": "in"});
    NewJob {
        company: CompanyId(1),
        name: "job".to_owned(),
        spec: JobSpec::parse(JobKind::UploadDirectory, &element).unwrap(),
        responsible: AccountId(1),
        submitter: AccountId(1),
        locale: None,
        description: Some("x".repeat(size)),
        client: None,
        address: None,
        created_at: now(),
        trigger: Trigger::AtOnce,
        next_fire_at: None,
        run: Some(NewRun::at(now(), None)),
        parent: None,
    }
}

#[tokio::test]
async fn a_full_disk_says_so_and_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    store.submit(job(10)).await.unwrap();
    limit_pages(&store, None).await;
    let refused = store.submit(job(100_000)).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Store(StoreError::Full { .. })), "{refused}");
    assert!(refused.to_string().contains("disk"), "{refused}");
    assert_eq!((count(&store, "job").await, count(&store, "instance").await), (1, 1));
    // Reading goes on, and so does writing once there is space.
    limit_pages(&store, Some(1 << 30)).await;
    store.submit(job(100_000)).await.unwrap();
    assert_eq!((count(&store, "job").await, count(&store, "instance").await), (2, 2));
}

#[tokio::test]
async fn a_full_disk_is_the_same_for_the_whole_group_and_for_each_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    limit_pages(&store, None).await;
    let submissions = (0..50).map(|_| store.submit(job(2_000)));
    let notes = (0..50).map(|n| execute(&store, format!("INSERT INTO system VALUES ('{n}', hex(zeroblob(2000)))")));
    let (submitted, noted) =
        futures_util::future::join(futures_util::future::join_all(submissions), futures_util::future::join_all(notes))
            .await;
    let accepted = submitted.iter().filter(|result| result.is_ok()).count();
    let kept = noted.iter().filter(|result| result.is_ok()).count();
    assert!(accepted < 50 && kept < 50, "the disk was full");
    assert_eq!(count(&store, "job").await, i64::try_from(accepted).unwrap(), "an answer is the truth");
    assert_eq!(count(&store, "system").await, i64::try_from(kept).unwrap());
    assert!(noted.iter().any(|result| matches!(result, Err(StoreError::Full { .. }))));
    limit_pages(&store, Some(1 << 30)).await;
    store.submit(job(2_000)).await.unwrap();
}

#[tokio::test]
async fn another_process_that_holds_the_file_delays_and_does_not_lose() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let path = dir.path().join("test.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    sqlx::query("INSERT INTO system VALUES ('other', '')").execute(&mut other).await.unwrap();
    let mut submit = Box::pin(store.submit(job(10)));
    assert!(futures_util::poll!(submit.as_mut()).is_pending());
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    submit.await.unwrap();
    assert_eq!((count(&store, "job").await, count(&store, "system").await), (1, 1));
}

/// A request that panics for one number, after it has written.
struct Numbered(i64);

impl Bulk for Numbered {
    type Done = i64;
    type Error = StoreError;

    const TURN: u8 = 0;

    async fn write(
        tx: &mut super::Transaction,
        requests: &[Self],
        _zone: chrono_tz::Tz,
    ) -> Result<Results<Self>, StoreError> {
        for Self(number) in requests {
            let insert = sqlx::query("INSERT INTO written VALUES ($1)").bind(number);
            insert.execute(&mut *tx).await.map_err(StoreError::doing("test"))?;
            assert_ne!(*number, 3, "a bulk that panics");
        }
        Ok(requests.iter().map(|request| Ok(request.0)).collect())
    }

    fn bells(_: &i64) -> impl Iterator<Item = Bell> {
        std::iter::empty()
    }
}

#[tokio::test]
async fn a_bulk_that_panics_costs_its_own_request() {
    let mut connection = SqliteConnection::connect(":memory:").await.unwrap();
    sqlx::query("CREATE TABLE written (n); BEGIN").execute(&mut connection).await.unwrap();
    let mut batch = Batch::new();
    for request in (1..=5).map(Numbered) {
        batch.push(Waiting { request, reply: tokio::sync::oneshot::channel().0 });
    }
    let results = std::panic::AssertUnwindSafe(batch.written(&mut connection, chrono_tz::UTC)).catch_unwind().await;
    let results = results.expect("the writer lives").unwrap();
    let fates: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(fates, [true, true, false, true, true]);
    let written: Vec<i64> =
        sqlx::query_scalar("SELECT n FROM written ORDER BY n").fetch_all(&mut connection).await.unwrap();
    assert_eq!(written, [1, 2, 4, 5], "nothing of it is left");
}

#[tokio::test]
async fn a_transaction_that_was_left_open_does_not_block_the_writer_for_good() {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
    let nothing = super::Group::default;
    let blocked = super::transact(&mut connection, &mut nothing(), chrono_tz::UTC).await;
    assert!(blocked.unwrap_err().to_string().contains("begin a transaction"));
    super::transact(&mut connection, &mut nothing(), chrono_tz::UTC).await.unwrap();
}

/// Under load all readers are taken. Who had waited for the turn to read a list waited in their line once more.
#[tokio::test]
async fn lists_and_short_questions_do_not_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir).await;
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for _ in 0..Options::new("", chrono_tz::UTC).readers {
        short.push(store.reader().await.unwrap());
    }
    while long.len() < short.len() / 2 {
        long.push(store.list_reader().await.expect("it does not wait for those"));
    }
    drop(short);
    assert!(store.account_with_email("u@example.com").await.unwrap().is_some());
}
