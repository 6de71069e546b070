//! The server's own job: there from the first start, and visible and controlled like any other.

use prepress::model::id::CompanyId;
use prepress::model::role::Role;
use prepress::store::jobs::query::RunFilter;

use crate::server::{Answer, PASSWORD, Server};
use crate::{ADA, NEWEST};

/// The administrator that the daemon made for itself, with its password.
pub fn administrator(server: &Server) -> (String, String) {
    let login = std::fs::read_to_string(server.data().join("admin-login")).unwrap();
    let mut values = login.lines().map(|line| line.split_once(": ").unwrap().1.to_owned());
    (values.next().unwrap(), values.next().unwrap())
}

async fn ask(server: &Server, operation: &str, rest: &str) -> Answer {
    let (email, password) = administrator(server);
    let body =
        format!(r#"<{operation}Param xmlns="{NEWEST}"><companyHandle>c|0</companyHandle>{rest}</{operation}Param>"#);
    server.soap_as(&email, &password, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cleanup_is_a_job_like_any_other() {
    let server = Server::start_working().await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsCompanyAdmin).await;

    let scheduled = ask(&server, "getScheduledJobs", "").await;
    assert!(scheduled.text.contains("<execSchedule>0 30 3 * * ?</execSchedule>"), "{}", scheduled.text);
    let handle = "<jobHandle>j|0|Cleanup||</jobHandle>";
    assert!(scheduled.text.contains(handle), "{}", scheduled.text);

    let paused = ask(&server, "pauseJob", handle).await;
    assert_eq!(paused.status, 200, "{}", paused.text);
    let scheduled = ask(&server, "getScheduledJobs", "").await;
    assert!(scheduled.text.contains("<triggerState>Paused</triggerState>"), "{}", scheduled.text);
    assert_eq!(ask(&server, "resumeJob", handle).await.status, 200);

    let run = ask(&server, "executeJob", handle).await;
    assert_eq!(run.status, 200, "{}", run.text);
    let runs = server.all_done().await;
    assert_eq!((runs.len(), runs[0].company), (1, CompanyId(0)));
    let logs = ask(&server, "getJobLogs", "").await;
    assert!(logs.text.contains("<originalJobName>Cleanup</originalJobName>"), "{}", logs.text);
    let details = ask(&server, "getJobLogDetails", "<originalName>Cleanup</originalName>").await;
    assert!(details.text.contains("nothing was removed"), "{}", details.text);

    let deleted = ask(&server, "deleteJob", handle).await;
    assert!(deleted.reason().contains("it can be paused"), "{}", deleted.text);
    for (operation, rest) in [("getScheduledJobs", ""), ("executeJob", handle), ("pauseJob", handle)] {
        let body = format!(
            r#"<{operation}Param xmlns="{NEWEST}"><companyHandle>c|0</companyHandle>{rest}</{operation}Param>"#
        );
        let refused = server.soap_as(ADA, PASSWORD, &body).await;
        assert_eq!(refused.status, 500, "{operation} is for administrators of the server: {}", refused.text);
        assert!(!refused.text.contains("Cleanup|"), "{}", refused.text);
    }
    assert_eq!(server.store().runs(&RunFilter::default()).await.unwrap().len(), 1);
    server.shut_down().await;
}
