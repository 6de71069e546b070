//! Every fault code that the operations can produce, and what one company may know of another: nothing.

use std::collections::BTreeSet;

use prepress::model::id::CompanyId;
use prepress::model::role::Role;

use crate::server::stage::Stage;
use crate::server::{Answer, PASSWORD, Server, envelope};
use crate::shapes::until;
use crate::{ADA, NEWEST, server};

const EVE: &str = "eve@other.example";

fn call(operation: &str, fields: &str) -> String {
    format!("<{operation}Param xmlns=\"{NEWEST}\">{fields}</{operation}Param>")
}

/// The reference says no more of the codes than their names. What is told of other companies and their users is nothing:
/// those are 20000 to 20002. The "illegal" ones are about what the caller may know of.
#[tokio::test(flavor = "multi_thread")]
async fn every_code_is_reached() {
    let server = server().await;
    server.company("Other", 48).await;
    server.company("Closed", 49).await;
    server.user(ADA, "Closed", Role::IpsUser).await;
    server.expire(49).await;
    let eve = server.user(EVE, "Other", Role::IpsUser).await;
    let boss = server.user("boss@acme.example", "Acme", Role::IpsCompanyAdmin).await;
    let ada = server.store().account_with_email(ADA).await.unwrap().unwrap().id;
    let gone = server.user("gone@acme.example", "Acme", Role::IpsUser).await;
    server.execute(&format!("UPDATE account SET is_valid = 0 WHERE id = {gone}")).await;
    server.user("portal@acme.example", "Acme", Role::ImagePortalUser).await;
    let acme = "<companyHandle>c|47</companyHandle>";
    let folders = |access: &str| call("getFolders", &format!("{acme}{access}"));
    let info = |fields: &str| call("getUserInfo", fields);
    let create = |path: &str| call("createFolder", &format!("{acme}<folderPath>{path}</folderPath>"));
    let stop = |handle: &str| call("stopJob", &format!("{acme}<jobHandle>{handle}</jobHandle>"));
    let publish = |user: &str| {
        let head = format!("{acme}<userHandle>{user}</userHandle><jobName>N</jobName>");
        let job = "<imageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting>\
            </imageServingPublishJob>";
        call("submitJob", &format!("{head}{job}"))
    };
    let upload = |server_dir: &str| {
        let job = format!(
            "<uploadDirectoryJob><serverDir>{server_dir}</serverDir><overwrite>true</overwrite><readyForPublish>true\
             </readyForPublish><includeSubfolders>false</includeSubfolders><createMask>false</createMask>\
             <processMetadataFiles>false</processMetadataFiles><emailSetting>None</emailSetting></uploadDirectoryJob>"
        );
        call("submitJob", &format!("{acme}<jobName>N</jobName>{job}"))
    };
    let cases = [
        (ADA, "wrong", info(""), "authenticationFault", 10001),
        ("nobody@acme.example", PASSWORD, info(""), "authenticationFault", 10001),
        ("gone@acme.example", PASSWORD, info(""), "authenticationFault", 10002),
        (ADA, PASSWORD, folders("").replace("c|47", "c|48"), "authorizationFault", 20000),
        (ADA, PASSWORD, info(&format!("<email>{EVE}</email>")), "authorizationFault", 20001),
        (ADA, PASSWORD, info(&format!("<userHandle>u|{eve}|{EVE}</userHandle>")), "authorizationFault", 20002),
        (ADA, PASSWORD, call("getCompanySettings", acme), "authorizationFault", 20003),
        ("portal@acme.example", PASSWORD, call("getActiveJobs", acme), "authorizationFault", 20003),
        (
            ADA,
            PASSWORD,
            folders(&format!("<accessUserHandle>u|{boss}|b</accessUserHandle>")),
            "authorizationFault",
            20004,
        ),
        (
            "boss@acme.example",
            PASSWORD,
            folders(&format!("<accessUserHandle>u|{eve}|{EVE}</accessUserHandle>")),
            "authorizationFault",
            20002,
        ),
        (ADA, PASSWORD, folders("<accessGroupHandle>g|2</accessGroupHandle>"), "authorizationFault", 20008),
        // A value that reaches for what is not the caller's.
        (ADA, PASSWORD, create("../Other/Secret"), "authorizationFault", 20005),
        (ADA, PASSWORD, upload("../Other"), "authorizationFault", 20005),
        // A company that she belongs to, but that has expired; and a handle of one company in a call on another.
        (ADA, PASSWORD, folders("").replace("c|47", "c|49"), "authorizationFault", 20006),
        (ADA, PASSWORD, call("getCompanyInfo", "<companyName>Closed</companyName>"), "authorizationFault", 20006),
        (EVE, PASSWORD, folders("").replace("c|47", "c|49"), "authorizationFault", 20000),
        (ADA, PASSWORD, stop("j|48|Nightly||"), "authorizationFault", 20006),
        (ADA, PASSWORD, stop("j|99||Never_2026-01-01-00:00:00.000|7"), "authorizationFault", 20006),
        // A user of the company whose account is closed.
        (ADA, PASSWORD, publish(&format!("u|{gone}|gone@acme.example")), "authorizationFault", 20007),
        (
            "boss@acme.example",
            PASSWORD,
            folders(&format!("<accessUserHandle>u|{gone}|g</accessUserHandle>")),
            "authorizationFault",
            20007,
        ),
        (ADA, PASSWORD, publish(&format!("u|{eve}|{EVE}")), "authorizationFault", 20002),
        (ADA, PASSWORD, publish("u|999|nobody@acme.example"), "authorizationFault", 20002),
        // Nor an administrator of the server, who is no member.
        (ADA, PASSWORD, publish("u|1|admin@localhost"), "authorizationFault", 20002),
        // What the role allows, but not with this folder.
        (
            "boss@acme.example",
            PASSWORD,
            call("deleteFolder", &format!("{acme}<folderHandle>f|Acme/</folderHandle>")),
            "authorizationFault",
            20009,
        ),
        (ADA, PASSWORD, create("Acme/"), "ipsApiFault", 30000),
        (ADA, PASSWORD, call("getZipEntries", acme), "ipsApiFault", 30000),
        (ADA, PASSWORD, call("getProperty", "<name>Secret</name>"), "ipsApiFault", 30001),
        (ADA, PASSWORD, call("getProperty", ""), "ipsApiFault", 30002),
        (ADA, PASSWORD, call("makeCoffee", ""), "ipsApiFault", 30003),
    ];
    // Without credentials: below.
    let mut reached = BTreeSet::from([10000]);
    for (user, password, body, element, code) in cases {
        let answer = server.soap_as(user, password, &body).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(code)), "{user} {body}: {}", answer.text);
        let start = format!(
            "<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{element}</faultstring><detail>\
             <tns:{element} xmlns:tns=\"http://www.scene7.com/IpsApi/xsd\"><tns:code>{code}</tns:code><tns:reason>"
        );
        assert!(answer.payload().starts_with(&start), "{}", answer.text);
        assert!(!answer.reason().is_empty());
        reached.insert(code);
    }
    let none = server.post("/scene7/services/IpsApiService", &envelope("", &info("")), &[]).await;
    assert_eq!((none.status, none.fault_code()), (500, Some(10000)), "{}", none.text);
    let all: BTreeSet<i32> = (10000..=10002).chain(20000..=20009).chain(30000..=30003).collect();
    assert_eq!(reached, all);
    // A user may name herself.
    let own = folders(&format!("<accessUserHandle>u|{ada}|{ADA}</accessUserHandle>"));
    assert_eq!(server.soap(ADA, &own).await.status, 200);
    server.shut_down().await;
}

/// Another company's jobs look the same as jobs that are not there: the same answer but for the handle that was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_another_company_are_as_good_as_none() {
    let (stage, registry) = Stage::set();
    let server = Server::start_with(Some(registry), |_| {}).await;
    for (name, id, user) in [("Acme", 47, ADA), ("Other", 48, EVE)] {
        server.company(name, id).await;
        server.user(user, name, Role::IpsUser).await;
    }
    let shoe = server.asset(48, "", "shoe").await;
    let other = "<companyHandle>c|48</companyHandle>";
    let upload = "<uploadUrlsJob><urlArray><items><sourceUrl>http://127.0.0.1:9/a</sourceUrl><destPath>a</destPath></items>\
        </urlArray><overwrite>true</overwrite><readyForPublish>true</readyForPublish><createMask>false</createMask>\
        <emailSetting>None</emailSetting></uploadUrlsJob>";
    for name in ["Held upload", "Nightly"] {
        let when = if name == "Nightly" { "<execSchedule>0 0 3 * * ?</execSchedule>" } else { "" };
        let body = call("submitJob", &format!("{other}<jobName>{name}</jobName>{when}{upload}"));
        assert_eq!(server.soap(EVE, &body).await.status, 200);
    }
    let running = until(async || {
        let active = server.soap(EVE, &call("getActiveJobs", other)).await.text;
        active.contains("<state>Running</state>").then_some(active)
    })
    .await;
    let run = running.split("<jobHandle>").nth(1).unwrap().split("</jobHandle>").next().unwrap().to_owned();
    let absent = run.replace("Held upload", "Never upload");
    for (there, not_there) in [
        (run.as_str(), absent.as_str()),
        ("j|48|Nightly||", "j|48|Never||"),
        ("48|Nightly|", "48|Never|"),
        ("j|48|Held upload||", "j|48|Never upload||"),
    ] {
        for company in ["", "<companyHandle>c|47</companyHandle>"] {
            for operation in ["getActiveJobs", "getScheduledJobs"] {
                let body = call(operation, &format!("{company}<jobHandle>{there}</jobHandle>"));
                let answer = server.soap(ADA, &body).await;
                assert_eq!(answer.status, 200, "{}", answer.text);
                assert!(answer.text.contains("<jobArray/>"), "{operation} {there}: {}", answer.text);
            }
        }
        for operation in ["stopJob", "pauseJob", "resumeJob", "executeJob", "deleteJob", "getJobLogDetails"] {
            let ask = async |company: &str, handle: &str| -> Answer {
                let fields = format!("<companyHandle>{company}</companyHandle><jobHandle>{handle}</jobHandle>");
                server.soap(ADA, &call(operation, &fields)).await
            };
            // In her own company, and in the other one, which she is not in.
            for company in ["c|47", "c|48", "c|99"] {
                let (there, not_there) = (ask(company, there).await, ask(company, not_there).await);
                let told = there.text.replace(run.as_str(), "H").replace("Nightly", "N").replace("Held upload", "U");
                let untold =
                    not_there.text.replace(absent.as_str(), "H").replace("Never upload", "U").replace("Never", "N");
                assert_eq!((there.status, told), (not_there.status, untold), "{operation} {company}");
            }
        }
    }
    for operation in ["getActiveJobs", "getScheduledJobs", "getJobLogs"] {
        let answer = server.soap(ADA, &call(operation, "")).await;
        assert!(answer.status == 200 && !answer.text.contains("<items>"), "{operation}: {}", answer.text);
        assert_eq!(server.soap(ADA, &call(operation, other)).await.fault_code(), Some(20000), "{operation}");
    }
    let by_name = "<companyHandle>c|47</companyHandle><originalName>Held upload</originalName>";
    assert!(server.soap(ADA, &call("getJobLogDetails", by_name)).await.text.contains("<jobLogArray/>"));
    let of_asset =
        call("getAssetJobLogs", &format!("<companyHandle>c|47</companyHandle><assetHandle>{shoe}</assetHandle>"));
    assert!(server.soap(ADA, &of_asset).await.text.contains("<jobLogArray/>"));
    let of_user = call("getJobLogs", "<companyHandle>c|47</companyHandle><userHandle>u|2|x</userHandle>");
    assert_eq!(server.soap(ADA, &of_user).await.status, 200);
    // Nothing happened to them.
    let scheduled = server.soap(EVE, &call("getScheduledJobs", other)).await.text;
    assert!(scheduled.contains("<triggerState>Normal</triggerState>"), "{scheduled}");
    let active = server.soap(EVE, &call("getActiveJobs", other)).await.text;
    assert_eq!(active.matches("<state>Running</state>").count(), 1, "{active}");
    stage.clear();
    let runs = server.all_done().await;
    assert!(runs.iter().all(|run| run.company == CompanyId(48)) && runs.len() == 1);
    server.shut_down().await;
}
