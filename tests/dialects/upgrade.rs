//! A database of an earlier version, as the one that follows finds it.

use std::path::Path;

use prepress::model::id::{AssetId, CompanyId};
use prepress::store::{Options, Store};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

/// Makes a database as it was before migration `version`, and opens it.
async fn before(version: i64, path: &Path) -> SqliteConnection {
    let mut connection = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
    let all = Migrator::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite")).await.unwrap();
    let earlier = all.iter().filter(|migration| migration.version < version).cloned().collect();
    Migrator::with_migrations(earlier).run_direct(None, &mut connection, false).await.unwrap();
    connection
}

#[tokio::test]
async fn a_publish_that_was_still_to_tell_what_it_published_tells_it_after_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let mut connection = before(90, &path).await;
    let sql = "INSERT INTO company (id, name, root_path, created_at) VALUES (1, 'c', 'c', 0), (2, 'd', 'd', 0);
               INSERT INTO account (id, email, password_hash, created_at, password_changed_at) VALUES (1, 'u@x.de', '', 0, 0);
               INSERT INTO publish_context (id, company_id, kind, name, publish_seq, live_side, side_a_seq, side_b_seq) VALUES
                   (71, 1, 'ImageServing', 'x', 5, 'a', 5, 4), (72, 2, 'ImageServing', 'x', 5, 'b', 3, 5),
                   (73, 1, 'Video', 'x', 0, NULL, 0, 0);
               INSERT INTO job (id, company_id, name, kind, spec, account_id, submitter_id, created_at, trigger_kind, trigger_state)
                   VALUES (1, 1, 'p', 'imageServingPublishJob', '{}', 1, 1, 0, 'at_once', 'None');
               INSERT INTO instance (id, job_id, company_id, kind, job_name, run_name, state, due_at, created_at, not_before_at,
                                     account_id)
                   VALUES (1, 1, 1, 'imageServingPublishJob', 'p', 'p_1', 'WaitingCoordinator', 0, 0, 0, 1);
               INSERT INTO item (instance_id, key, result, done_at) VALUES
                   (1, '/begin', '{\"begun\":{\"seq\":5,\"scanned\":0,\"until\":9},\"live_seq\":3}', 0), (1, '/switched', 'null', 0);";
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let store = Store::open(Options::new(&path, chrono_tz::Tz::UTC)).await.unwrap();
    let sites = store.publish_sites().await.unwrap();
    let numbers: Vec<_> =
        sites.iter().map(|site| (site.state.id.0, site.state.shown_seq, site.state.told_seq)).collect();
    assert!([(71, 5, 3), (72, 5, 5), (73, 0, 0)].iter().all(|numbers_of| numbers.contains(numbers_of)), "{numbers:?}");
}

#[tokio::test]
async fn pages_and_layers_are_published_anew_after_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let mut connection = before(96, &path).await;
    let sql = "INSERT INTO company (id, name, root_path, created_at, change_seq) VALUES (1, 'c', 'c', 0, 9), (2, 'd', 'd', 0, 9);
               INSERT INTO account (id, email, password_hash, created_at, password_changed_at) VALUES (1, 'u@x.de', '', 0, 0);
               INSERT INTO folder (id, company_id, path, created_at, modified_at) VALUES (1, 1, '', 0, 0), (2, 2, '', 0, 0);
               INSERT INTO asset (id, company_id, folder_id, name, asset_type, file_name, blob, bytes, created_at, created_by,
                                  modified_at, modified_by, change_seq, parent_id, part) VALUES
                   (1, 1, 1, 'book', 'Pdf', 'book.pdf', 'x', 1, 0, 1, 0, 1, 5, NULL, NULL),
                   (2, 1, 1, 'book-1', 'Image', 'book-1.pdf', 'x', 1, 0, 1, 0, 1, 5, 1, 'page:1'),
                   (3, 1, 1, 'film-a', 'Video', 'film-a.mp4', 'y', 1, 0, 1, 0, 1, 5, 1, 'rendition:3'),
                   (4, 2, 2, 'shoe', 'Image', 'shoe.jpg', 'z', 1, 0, 1, 0, 1, 5, NULL, NULL);";
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let store = Store::open(Options::new(&path, chrono_tz::Tz::UTC)).await.unwrap();
    assert_eq!(store.assets_changed(CompanyId(1), 9).await.unwrap(), [AssetId(2)]);
    assert_eq!(store.assets_changed(CompanyId(2), 9).await.unwrap(), []);
    store.close().await;
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let made_of: Vec<Option<String>> =
        sqlx::query_scalar("SELECT made_of FROM asset ORDER BY id").fetch_all(&mut connection).await.unwrap();
    assert_eq!(made_of, [None, Some("x".into()), Some("x".into()), None], "the master of the parent");
    connection.close().await.unwrap();
}
