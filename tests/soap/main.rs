//! The SOAP API over real HTTP, against a daemon with a real database.
#![allow(clippy::unwrap_used, reason = "what fails here fails its test")]

#[path = "../server/mod.rs"]
mod server;

mod bounds;
mod built_in;
mod connections;
mod controls;
mod export;
mod faults;
mod guesses;
mod handles;
mod hostile;
mod image_formats;
mod job_fields;
mod job_options;
mod job_rules;
mod library;
mod mail;
mod metadata;
mod option_values;
mod recorded;
mod shapes;
mod upload_file;
mod upload_forms;
mod versions;
mod wire;

use prepress::model::role::Role;
use server::{PASSWORD, Server};

const NEWEST: &str = "http://www.scene7.com/IpsApi/xsd/2014-04-03";
const OLDEST: &str = "http://www.scene7.com/IpsApi/xsd";

const ADA: &str = "ada@acme.example";

/// An Acme with a user in it.
async fn server() -> Server {
    let server = Server::start().await;
    server.company("Acme", 47).await;
    server.user("ada@acme.example", "Acme", Role::IpsUser).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_example_is_answered_to_the_byte() {
    let server = server().await;
    let body = server
        .soap(
            "ada@acme.example",
            r#"<submitJobParam xmlns="http://www.scene7.com/IpsApi/xsd"><companyHandle>47</companyHandle><jobName>My Test Job</jobName>
               <imageServingPublishJob><publishType>Full</publishType><emailSetting>Error</emailSetting></imageServingPublishJob></submitJobParam>"#,
        )
        .await;
    assert_eq!(body.status, 200);
    let expected = r#"<submitJobReturn xmlns="http://www.scene7.com/IpsApi/xsd"><jobHandle>47|My Test Job|</jobHandle></submitJobReturn>"#;
    assert_eq!(body.payload(), expected);
    server.shut_down().await;
}

/// (what is wrong, the body, fault element, code, what the reason names)
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_submission_is_named() {
    let server = server().await;
    server.company("Other", 48).await;
    let stranger = server.user("eve@other.example", "Other", Role::IpsUser).await;
    server.user("portal@acme.example", "Acme", Role::ImagePortalUser).await;
    let publish = "<imageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting></imageServingPublishJob>";
    let job = |head: &str, rest: &str| format!(r#"<submitJobParam xmlns="{NEWEST}">{head}{rest}</submitJobParam>"#);
    let head = "<companyHandle>c|47</companyHandle><jobName>N</jobName>";
    let cases = [
        (job("<jobName>N</jobName>", publish), "ipsApiFault", 30002, "companyHandle"),
        (job("<companyHandle>c|47</companyHandle>", publish), "ipsApiFault", 30002, "jobName"),
        (
            job("<companyHandle>c|48</companyHandle><jobName>N</jobName>", publish),
            "authorizationFault",
            20000,
            "companyHandle",
        ),
        (
            job("<companyHandle>c|99</companyHandle><jobName>N</jobName>", publish),
            "authorizationFault",
            20000,
            "companyHandle",
        ),
        (
            job("<companyHandle>u|47</companyHandle><jobName>N</jobName>", publish),
            "ipsApiFault",
            30001,
            "companyHandle",
        ),
        (job("<companyHandle>c|47</companyHandle><jobName>a|b</jobName>", publish), "ipsApiFault", 30001, "jobName"),
        (
            job(&format!("<companyHandle>c|47</companyHandle><jobName>{}</jobName>", "n".repeat(300)), publish),
            "ipsApiFault",
            30001,
            "jobName",
        ),
        (job(head, ""), "ipsApiFault", 30002, "job element"),
        (
            job(head, &format!("{publish}<optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob>")),
            "ipsApiFault",
            30001,
            "optimizeImagesJob",
        ),
        (
            job(
                head,
                &format!("<execTime>2026-11-23T10:00:00Z</execTime><execSchedule>0 0 12 * * ?</execSchedule>{publish}"),
            ),
            "ipsApiFault",
            30001,
            "execSchedule",
        ),
        (
            job(head, &format!("<execSchedule>0 0 25 * * ?</execSchedule>{publish}")),
            "ipsApiFault",
            30001,
            "execSchedule",
        ),
        (job(head, &format!("<execTime>tomorrow</execTime>{publish}")), "ipsApiFault", 30001, "execTime"),
        (job(head, &format!("<locale>english</locale>{publish}")), "ipsApiFault", 30001, "locale"),
        (job(head, &format!("<locale>xx</locale>{publish}")), "ipsApiFault", 30001, "locale"),
        (job(head, &format!("<locale>de-QQ</locale>{publish}")), "ipsApiFault", 30001, "locale"),
        (job(head, &format!("<execSchedule>  </execSchedule>{publish}")), "ipsApiFault", 30001, "execSchedule"),
        (
            job(
                &format!(
                    "<companyHandle>c|47</companyHandle><userHandle>u|{stranger}|eve@other.example</userHandle><jobName>N</jobName>"
                ),
                publish,
            ),
            "authorizationFault",
            20002,
            "userHandle",
        ),
        (
            job(
                head,
                "<imageServingPublishJob><publishType>Partly</publishType><emailSetting>None</emailSetting></imageServingPublishJob>",
            ),
            "ipsApiFault",
            30001,
            "publishType",
        ),
        (
            job(
                head,
                "<imageServingPublishJob><publishType>Full</publishType><emailSetting>Often</emailSetting></imageServingPublishJob>",
            ),
            "ipsApiFault",
            30001,
            "emailSetting",
        ),
        (
            job(head, "<imageServingPublishJob><publishType>Full</publishType></imageServingPublishJob>"),
            "ipsApiFault",
            30002,
            "emailSetting",
        ),
        (
            job(
                head,
                "<imageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting><contextHandle>pc|999</contextHandle></imageServingPublishJob>",
            ),
            "ipsApiFault",
            30001,
            "contextHandle",
        ),
        (
            job(
                head,
                "<exportJob><assetHandleArray><items>c|1</items></assetHandleArray><fmt>orig</fmt><emailSetting>None</emailSetting></exportJob>",
            ),
            "ipsApiFault",
            30001,
            "assetHandleArray",
        ),
    ];
    for (body, fault, code, named) in cases {
        let answer = server.soap("ada@acme.example", &body).await;
        assert_eq!(answer.status, 500, "{body}\n{}", answer.text);
        assert!(answer.text.contains(&format!("<tns:{fault}")), "{fault} for {body}\n{}", answer.text);
        assert_eq!(answer.fault_code(), Some(code), "{body}\n{}", answer.text);
        assert!(answer.reason().contains(named), "\"{named}\" in \"{}\"", answer.reason());
    }
    let body = job(head, publish);
    let answer = server.soap("portal@acme.example", &body).await;
    assert_eq!(answer.fault_code(), Some(20003), "{}", answer.text);
    assert_eq!(server.jobs().await, 0, "nothing was written");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_name_is_taken_once() {
    let server = server().await;
    let job = |when: &str| {
        format!(
            r#"<submitJobParam xmlns="{NEWEST}"><companyHandle>c|47</companyHandle><jobName>Nightly</jobName>{when}<optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob></submitJobParam>"#
        )
    };
    let nightly = job("<execSchedule>0 0 3 * * ?</execSchedule>");
    assert_eq!(server.soap("ada@acme.example", &nightly).await.status, 200);
    let again = server.soap("ada@acme.example", &nightly).await;
    assert_eq!(again.fault_code(), Some(30001), "{}", again.text);
    assert!(again.reason().contains("already exists"), "{}", again.reason());
    for _ in 0..2 {
        assert_eq!(server.soap("ada@acme.example", &job("")).await.status, 200, "an immediate one may");
    }
    let list = format!(
        r#"<getScheduledJobsParam xmlns="{NEWEST}"><companyHandle>c|47</companyHandle></getScheduledJobsParam>"#
    );
    let answer = server.soap("ada@acme.example", &list).await;
    assert!(answer.text.contains("<execSchedule>0 0 3 * * ?</execSchedule>"), "{}", answer.text);
    assert!(answer.text.contains("<triggerState>Normal</triggerState>"), "{}", answer.text);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_come_in_every_way_clients_send_them() {
    let server = server().await;
    let login = |namespace: &str| {
        format!(
            r#"<checkLoginParam xmlns="{namespace}"><email>ada@acme.example</email><password>{PASSWORD}</password></checkLoginParam>"#
        )
    };
    let none = server.post("/scene7/services/IpsApiService", &server::envelope("", &login(NEWEST)), &[]).await;
    assert_eq!((none.status, none.fault_code()), (500, Some(10000)), "{}", none.text);
    let wrong = server.soap_as("ada@acme.example", "not it", &login(NEWEST)).await;
    assert_eq!(wrong.fault_code(), Some(10001));
    let basic = server.basic("ada@acme.example", &server::envelope("", &login(OLDEST))).await;
    assert!(basic.text.contains("<status>ValidLogin</status>"), "{}", basic.text);
    let plain = format!(
        r#"<Request xmlns="{NEWEST}"><authHeader><user>ada@acme.example</user><password>{PASSWORD}</password></authHeader>{}</Request>"#,
        login(NEWEST)
    );
    let plain = server.post("/scene7/api/IpsApiService", &plain, &[]).await;
    assert!(plain.text.contains(&format!("<checkLoginReturn xmlns=\"{NEWEST}\">")), "{}", plain.text);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_are_not_there_say_so() {
    let server = server().await;
    let answer = server
        .soap(
            "ada@acme.example",
            &format!(
                r#"<getZipEntriesParam xmlns="{NEWEST}"><companyHandle>c|47</companyHandle></getZipEntriesParam>"#
            ),
        )
        .await;
    assert_eq!((answer.status, answer.fault_code()), (500, Some(30000)), "{}", answer.text);
    assert!(answer.reason().contains("getZipEntries"), "{}", answer.reason());
    server.shut_down().await;
}
