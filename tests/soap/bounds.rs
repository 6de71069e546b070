//! How large an answer about jobs can become.

use crate::server::Server;
use crate::server::database::Database;
use crate::{ADA, NEWEST, PASSWORD, server};

/// Changes the database of a server behind its back.
pub async fn write(server: &Server, sql: &str) {
    server.execute(sql).await;
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

const RUNS: usize = 10_050;

/// A server with so many waiting jobs of one name that no page holds them, and so long descriptions that no buffer does.
async fn busy_server() -> Server {
    let server = server().await;
    let job = "<jobName>Later</jobName><execTime>2098-01-01T00:00:00Z</execTime><optimizeImagesJob>\
               <emailSetting>None</emailSetting></optimizeImagesJob>";
    call(&server, "submitJob", job).await;
    write(&server, "UPDATE job SET description = hex(zeroblob(1000)) WHERE name = 'Later'").await;
    // Runs that wait for a time far away, so that the daemon leaves them alone.
    let runs = format!(
        "INSERT INTO instance(id, job_id, company_id, kind, job_name, run_name, state, due_at, created_at, not_before_at, account_id)
         {} SELECT n, (SELECT id FROM job WHERE name = 'Later'), 47, 'optimizeImagesJob', 'Later', 'Later_' || n, 'WaitingCoordinator', n, n, 4000000000000, (SELECT account_id FROM job WHERE name = 'Later') FROM n",
        numbers(RUNS)
    );
    write(&server, &runs).await;
    server
}

/// The numbers of the runs in an answer, in its order.
fn runs_in(text: &str) -> Vec<usize> {
    let names = text.split("<name>Later_").skip(1);
    names.map(|rest| rest.split('<').next().unwrap().parse().unwrap()).collect()
}

async fn long_answer(server: &Server, fields: &str) -> reqwest::Response {
    let body = format!("<getActiveJobsParam xmlns=\"{NEWEST}\">{fields}</getActiveJobsParam>");
    let request = server.client().post(server.url("/scene7/services/IpsApiService")).basic_auth(ADA, Some(PASSWORD));
    let body = crate::server::envelope("", &body);
    let response = request.header("Content-Type", "text/xml").body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

/// A job that is missing from the answer passes for done: all are there, however many.
#[tokio::test(flavor = "multi_thread")]
async fn all_active_jobs_are_told() {
    let server = busy_server().await;
    for fields in ["", "<companyHandle>c|47</companyHandle>", "<originalName>Later</originalName>"] {
        let response = long_answer(&server, fields).await;
        assert_eq!(response.headers().get("content-length"), None, "it is written while it is read");
        let text = response.text().await.unwrap();
        assert_eq!(runs_in(&text), (1..=RUNS).collect::<Vec<_>>(), "{fields}");
        assert!(text.ends_with("</jobArray></getActiveJobsReturn></soapenv:Body></soapenv:Envelope>"));
    }
    let handle = format!("<jobHandle>j|47||Later_{RUNS}|{RUNS}</jobHandle>");
    assert_eq!(runs_in(&call(&server, "getActiveJobs", &handle).await), [RUNS]);
    let running = call(&server, "getActiveJobs", "<includeWaitingJobs>false</includeWaitingJobs>").await;
    assert!(running.contains("<jobArray/>"), "{running}");

    let logs = call(&server, "getJobLogDetails", "<originalName>Later</originalName>").await;
    assert_eq!(logs.matches("<jobHandle>").count(), 100, "the newest runs of the name");
    assert!(logs.contains(&format!("<jobName>Later_{RUNS}</jobName>")), "{logs}");
    let logs = call(&server, "getJobLogs", &format!("<numRows>{RUNS}</numRows><sortBy>JobName</sortBy>")).await;
    assert_eq!(logs.matches("<jobHandle>").count(), RUNS, "a list of logs is as long as it was asked for");
    server.shut_down().await;
}

/// Jobs end while a slow client reads: those that go on are in the answer once, and nothing of the database is held
/// meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_end_meanwhile_push_no_other_out() {
    let server = busy_server().await;
    let mut response = long_answer(&server, "").await;
    let mut bytes = response.chunk().await.unwrap().unwrap().to_vec();
    let database = Database::of(&server.data()).await;
    assert!(database.writes_back().await, "nobody holds a transaction open");
    let ended = "UPDATE instance SET state = 'Done', outcome = 'Succeeded', finished_at = 1 WHERE id % 2 = 0";
    database.execute(ended).await;
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    let runs = runs_in(&String::from_utf8(bytes).unwrap());
    assert!(runs.is_sorted_by(|one, other| one < other), "none comes twice");
    assert_eq!(runs.iter().filter(|run| **run % 2 == 1).count(), RUNS.div_ceil(2), "all that go on are there");
    assert!(runs.len() < RUNS, "what had ended when its page was read is not");
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
