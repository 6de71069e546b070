//! How large an answer about jobs can become.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::server::Server;
use crate::{ADA, NEWEST, server};

/// Changes the database of a server behind its back.
pub async fn write(server: &Server, sql: &str) {
    let path = server.data().join("prepress.db");
    let mut database = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut database).await.unwrap();
}

async fn call(server: &Server, operation: &str, fields: &str) -> String {
    let company = "<companyHandle>c|47</companyHandle>";
    let answer =
        server.soap(ADA, &format!("<{operation}Param xmlns=\"{NEWEST}\">{company}{fields}</{operation}Param>")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

fn numbers(to: usize) -> String {
    format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {to})")
}

/// A company with more waiting jobs than an answer holds: those that began first are in it, the others are found by name
/// and handle.
#[tokio::test(flavor = "multi_thread")]
async fn active_jobs_are_so_many_and_no_more() {
    const RUNS: usize = 10_050;
    let server = server().await;
    let job = "<jobName>Later</jobName><execTime>2098-01-01T00:00:00Z</execTime><optimizeImagesJob>\
               <emailSetting>None</emailSetting></optimizeImagesJob>";
    call(&server, "submitJob", job).await;
    // Runs that wait for a time far away, so that the daemon leaves them alone.
    let runs = format!(
        "INSERT INTO instance(id, job_id, company_id, kind, run_name, state, due_at, created_at, not_before_at)
         {} SELECT n, (SELECT id FROM job WHERE name = 'Later'), 47, 'optimizeImagesJob', 'Later_' || n, 'WaitingCoordinator', n, n, 4000000000000 FROM n",
        numbers(RUNS)
    );
    write(&server, &runs).await;
    let all = call(&server, "getActiveJobs", "").await;
    assert_eq!(all.matches("<jobHandle>").count(), 10_000);
    assert!(all.contains("<name>Later_1</name>") && all.contains("<name>Later_10000</name>"), "the first are there");
    let handle = format!("<jobHandle>j|47||Later_{RUNS}|{RUNS}</jobHandle>");
    assert_eq!(call(&server, "getActiveJobs", &handle).await.matches("<jobHandle>").count(), 1);

    let logs = call(&server, "getJobLogDetails", "<originalName>Later</originalName>").await;
    assert_eq!(logs.matches("<jobHandle>").count(), 100, "the newest runs of the name");
    assert!(logs.contains(&format!("<jobName>Later_{RUNS}</jobName>")), "{logs}");
    server.shut_down().await;
}

/// A log of more lines than a page holds is read page by page.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_comes_in_pages() {
    const LINES: usize = 2_500;
    let server = server().await;
    let job = "<jobName>Long</jobName><optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob>";
    call(&server, "submitJob", job).await;
    server.all_done().await;
    write(&server, "DELETE FROM log_detail").await;
    let lines = format!(
        "INSERT INTO log_detail(instance_id, logged_at, log_type, code, params)
         {} SELECT (SELECT max(id) FROM instance), n, 'JobInfo', 'optimize-fresh', json_object('count', n) FROM n",
        numbers(LINES)
    );
    write(&server, &lines).await;
    let page = async |fields: &str| {
        let fields = format!("<originalName>Long</originalName>{fields}");
        let text = call(&server, "getJobLogDetails", &fields).await;
        assert!(text.contains(&format!("<detailTotalRows>{LINES}</detailTotalRows>")), "{text}");
        text.matches("<logMessage>").count()
    };
    assert_eq!(page("").await, 1000, "no more than that");
    assert_eq!(page("<recordsPerPage>1000000</recordsPerPage>").await, 1000);
    for (number, lines) in [(1, 1000), (2, 1000), (3, 500), (4, 0), (i32::MAX, 0)] {
        let fields = format!("<resultsPage>{number}</resultsPage><recordsPerPage>1000</recordsPerPage>");
        assert_eq!(page(&fields).await, lines, "page {number}");
    }
    server.shut_down().await;
}
