//! A database full of made-up rows, as years would leave them: for benchmarks, and for tests of how statements are carried
//! out when there is much to read.
//!
//! Six of ten jobs are of company 1, the others of four more. A quarter of all runs are of a hundred recurring jobs, and a
//! quarter of jobs that all have one name. One run in a hundred is not done.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::model::job::JobSpec;
use crate::model::kind::JobKind;
use crate::store::StoreError;

/// Companies 1 to this one.
pub const COMPANIES: i64 = 5;
/// Accounts 1 to this one.
pub const ACCOUNTS: i64 = 50;
/// Recurring jobs 1 to this one.
pub const RECURRING: i64 = 100;
/// The name that many jobs have.
pub const COMMON_NAME: &str = "Nightly upload";

/// The instant of the first run, in milliseconds; each begins some seconds after the one before.
const BEGINNING: i64 = 1_500_000_000_000;
const STEP: i64 = 7_919;
/// No daemon looks at what is due then.
const NEVER: i64 = 4_000_000_000_000;

/// The numbers above $1, up to $2.
macro_rules! numbered {
    ($sql:literal) => {
        concat!("WITH RECURSIVE n(n) AS (SELECT $1 + 1 UNION ALL SELECT n + 1 FROM n WHERE n < $2) ", $sql)
    };
}

const BASE: &[&str] = &[
    numbered!(
        "INSERT INTO company (id, name, root_path, created_at)
         SELECT n, 'Sample ' || n, 'Sample ' || n, 0 FROM n WHERE true ON CONFLICT DO NOTHING"
    ),
    numbered!(
        "INSERT INTO publish_context (id, company_id, kind, name)
         SELECT n, n, 'ImageServing', 'Image serving' FROM n WHERE true ON CONFLICT DO NOTHING"
    ),
];

const USERS: &str = numbered!(
    "INSERT INTO account (id, email, password_hash, created_at, password_changed_at)
     SELECT n, 'user' || n || '@sample.example', '', 0, 0 FROM n WHERE true ON CONFLICT DO NOTHING"
);

const RUNS: &[&str] = &[
    // $3: the specs by kind; $4: the number of recurring jobs; $5 and $6: the first instant, and the step to the next
    numbered!(
        "INSERT INTO job (id, company_id, name, kind, spec, account_id, submitter_id, created_at, trigger_kind,
                          exec_schedule, trigger_state, next_fire_at)
         SELECT n, CASE WHEN n % 10 < 6 THEN 1 ELSE 2 + n % 4 END,
                CASE WHEN n <= $4 THEN 'Recurring ' || n WHEN n % 4 = 0 THEN $8 ELSE 'Upload ' || n END,
                k.key, k.value, 1 + n % 50, 1 + CASE n % 100 WHEN 7 THEN n + 1 ELSE n END % 50, $5 + n * $6,
                CASE WHEN n <= $4 THEN 'exec_schedule' ELSE 'at_once' END,
                CASE WHEN n <= $4 THEN '0 0 3 ? * MON-FRI' END,
                CASE WHEN n <= $4 THEN 'Normal' ELSE 'Complete' END, CASE WHEN n <= $4 THEN $7 END
         FROM n JOIN json_each($3) k ON k.key = CASE
             WHEN n <= $4 THEN 'uploadDirectoryJob' WHEN n % 1000 = 1 THEN 'exportJob'
             WHEN n % 100 = 3 THEN 'imageServingPublishJob' WHEN n % 20 = 5 THEN 'optimizeImagesJob'
             ELSE 'uploadDirectoryJob' END
         WHERE n <= $4 OR n % 4 <> 2"
    ),
    numbered!(
        "INSERT INTO instance (id, job_id, company_id, kind, job_name, run_name, state, due_at, created_at, not_before_at,
                               started_at, finished_at, outcome, attempt, lease_owner, lease_expires_at, success_count,
                               error_count, warning_count, account_id, submitter_id)
         SELECT n, j.id, j.company_id, j.kind, j.name,
                j.name || strftime('_%Y-%m-%d-%H:%M:%S', ($5 + n * $6) / 1000, 'unixepoch')
                       || printf('.%03d', ($5 + n * $6) % 1000),
                state, $5 + n * $6, $5 + n * $6, CASE state WHEN 'Done' THEN $5 + n * $6 ELSE $7 END,
                CASE state WHEN 'WaitingCoordinator' THEN NULL ELSE $5 + n * $6 + n % 60000 END,
                CASE state WHEN 'Done' THEN $5 + n * $6 + n % 60000 + 5000 END,
                CASE WHEN state <> 'Done' THEN NULL WHEN n % 997 = 0 THEN 'Failed' WHEN n % 4999 = 0 THEN 'Stopped'
                     ELSE 'Succeeded' END,
                state <> 'WaitingCoordinator', CASE state WHEN 'Running' THEN 'sample' END,
                CASE state WHEN 'Running' THEN $7 END, CASE state WHEN 'Done' THEN n % 50 ELSE 0 END,
                CASE WHEN n % 200 = 0 THEN n % 7 ELSE 0 END, CASE WHEN n % 20 = 0 THEN n % 3 ELSE 0 END,
                j.account_id, nullif(j.submitter_id, j.account_id)
         FROM (SELECT n, CASE WHEN n <= $2 - $2 / 100 THEN 'Done' WHEN n > $2 - 5 THEN 'Running'
                              ELSE 'WaitingCoordinator' END AS state FROM n) n
         JOIN job j ON j.id = CASE WHEN n % 4 = 2 THEN 1 + n % $4 ELSE n END"
    ),
    numbered!(
        "INSERT INTO slot (job_id, due_at, disposition, instance_id, decided_at)
         SELECT i.job_id, i.due_at, 'fired', i.id, i.due_at FROM n JOIN instance i ON i.id = n.n WHERE i.job_id <= $4"
    ),
    numbered!(
        "INSERT INTO log_detail (instance_id, logged_at, log_type, code, params)
         SELECT i.id, i.created_at, 'OriginalJobName', 'original-job-name', json_object('name', i.job_name)
         FROM n JOIN instance i ON i.id = n.n WHERE i.started_at IS NOT NULL"
    ),
    numbered!(
        "INSERT INTO item (instance_id, key, done_at) SELECT n, 'file', $5 FROM n WHERE n % 10 = 0"
    ),
    numbered!(
        "INSERT INTO outbox (instance_id, company_id, channel, moment, recipient, state, next_try_at, created_at,
                             finished_at)
         SELECT i.id, i.company_id, 'mail', 'end', 'user1@sample.example',
                CASE WHEN n.n % 1000 = 0 THEN 'Pending' ELSE 'Delivered' END, $7, i.created_at,
                CASE WHEN n.n % 1000 = 0 THEN NULL ELSE i.created_at END
         FROM n JOIN instance i ON i.id = n.n WHERE n.n % 10 = 0 AND i.state = 'Done'"
    ),
];

const ASSETS: &[&str] = &[
    numbered!(
        "INSERT INTO folder (company_id, path, created_at, modified_at)
         SELECT DISTINCT CASE WHEN n % 10 < 6 THEN 1 ELSE 2 + n % 4 END, 'Folder ' || n % 100, 0, 0
         FROM n WHERE true ON CONFLICT DO NOTHING"
    ),
    numbered!(
        "INSERT INTO asset (id, company_id, folder_id, name, asset_type, file_name, blob, bytes, created_at, created_by,
                            modified_at, modified_by, change_seq)
         SELECT n, f.company_id, f.id, 'asset-' || n, 'Image', 'asset-' || n || '.jpg', 'blob' || n, 1000, $3 + n, 1, $3 + n,
                1, n
         FROM n JOIN folder f ON f.company_id = CASE WHEN n % 10 < 6 THEN 1 ELSE 2 + n % 4 END
                             AND f.path = 'Folder ' || n % 100"
    ),
    numbered!(
        "INSERT INTO derived (asset_id, role, blob, bytes, width, height, source_blob, recipe, made_at)
         SELECT n, 'Pyramid', 'pyramid' || n, 1000, 100, 100, 'blob' || n, 'sample', 0 FROM n"
    ),
    numbered!(
        "INSERT INTO publish_mark (asset_id, context_id, marked)
         SELECT a.id, a.company_id, 1 FROM n JOIN asset a ON a.id = n.n"
    ),
    numbered!(
        "INSERT INTO publication (context_id, file_name, asset_id, asset_name, blob, bytes, present, seq, published_at)
         SELECT a.company_id, a.name || '.tif', a.id, a.name, 'pyramid' || a.id, 1000, 1, a.id, 0
         FROM n JOIN asset a ON a.id = n.n"
    ),
    numbered!(
        "INSERT INTO asset_metadata (asset_id, name, origin, value)
         SELECT n, 'dc.title', 'File', json_array('Title ' || n) FROM n"
    ),
];

/// Adds runs, and assets, until there are so many. The database is of this version, and nobody else has it open.
pub async fn fill(path: &Path, runs: i64, assets: i64) -> Result<(), StoreError> {
    let failed = StoreError::doing;
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // What is lost with the machine is made again in a minute.
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-500000")
        .connect()
        .await
        .map_err(failed("open a database for a sample"))?;
    let counts = "SELECT (SELECT coalesce(max(id), 0) FROM instance), (SELECT coalesce(max(id), 0) FROM asset)";
    let (has_runs, has_assets): (i64, i64) =
        sqlx::query_as(counts).fetch_one(&mut connection).await.map_err(failed("look at a sample"))?;
    let specs = json!({
        "uploadDirectoryJob": spec(JobKind::UploadDirectory, json!({"serverDir": "in"}))?,
        "imageServingPublishJob": spec(JobKind::ImageServingPublish, json!({"publishType": "Full"}))?,
        "optimizeImagesJob": spec(JobKind::OptimizeImages, json!({}))?,
        "exportJob": spec(JobKind::Export, json!({"assetHandleArray": ["a|1"], "fmt": "orig"}))?,
    });
    let mut tx = connection.begin().await.map_err(failed("begin a sample"))?;
    for sql in BASE {
        let query = sqlx::query(*sql).bind(0).bind(COMPANIES);
        query.execute(&mut *tx).await.map_err(failed("write companies of a sample"))?;
    }
    let users = sqlx::query(USERS).bind(0).bind(ACCOUNTS);
    users.execute(&mut *tx).await.map_err(failed("write users of a sample"))?;
    for sql in RUNS.iter().filter(|_| has_runs < runs) {
        let query = sqlx::query(*sql).bind(has_runs).bind(runs).bind(specs.to_string()).bind(RECURRING);
        let query = query.bind(BEGINNING).bind(STEP).bind(NEVER).bind(COMMON_NAME);
        query.execute(&mut *tx).await.map_err(failed("write runs of a sample"))?;
    }
    for sql in ASSETS.iter().filter(|_| has_assets < assets) {
        let query = sqlx::query(*sql).bind(has_assets).bind(assets).bind(BEGINNING);
        query.execute(&mut *tx).await.map_err(failed("write assets of a sample"))?;
    }
    tx.commit().await.map_err(failed("commit a sample"))?;
    connection.close().await.map_err(failed("close a sample"))
}

/// A job element as it is stored.
fn spec(kind: JobKind, element: Value) -> Result<String, StoreError> {
    let spec = JobSpec::parse(kind, &element).map_err(|e| StoreError::corrupt("a sample", e))?;
    serde_json::to_string(&spec).map_err(|e| StoreError::corrupt("a sample", e))
}

/// Reads three columns of the newest `rows` runs by their key, `times` times: what lists are held against. Gives the last
/// number that was read.
pub async fn raw_reads(path: &Path, rows: i64, times: usize) -> Result<i64, StoreError> {
    let failed = StoreError::doing;
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await.map_err(failed("open a database for the measure"))?;
    let mut last = 0;
    for _ in 0..times {
        let read: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT id, run_name, state FROM instance ORDER BY id DESC LIMIT $1")
                .bind(rows)
                .fetch_all(&mut connection)
                .await
                .map_err(failed("read for the measure"))?;
        last = read.last().map_or(0, |row| row.0);
    }
    connection.close().await.map_err(failed("close the measure"))?;
    Ok(last)
}
