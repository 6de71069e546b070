//! What the world outside hears of a run: exactly what was asked for, until it has arrived or is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use prepress::engine::{EnginePolicy, Undelivered};
use prepress::executors::{Context, Failure, Item};
use prepress::model::email_setting::EmailSetting;
use prepress::model::id::AccountId;
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::log::Message;
use prepress::model::outcome::{Counters, Outcome};
use prepress::store::effect::Effect;
use prepress::store::jobs::attempt::ItemReport;
use prepress::store::jobs::outbox::{Channel, Moment};
use serde_json::json;

use crate::support::{Daemon, Plan, Scripted, Wire, World, company, eventually, policy, stage, upload};

/// Ends as the name of its job says.
async fn as_named(context: Context) -> Result<(), Failure> {
    let context = &context;
    let one = |counters| async move {
        let report = ItemReport { counters, ..ItemReport::default() };
        context.commit(Item("a".to_owned()), Effect::Nothing, move |_| report).await.map(|_| ())
    };
    match context.run.job_name.as_str() {
        "clean" => one(Counters { success: 1, ..Counters::default() }).await,
        "warned" => one(Counters { success: 1, warning: 1, ..Counters::default() }).await,
        "erred" => one(Counters { error: 1, ..Counters::default() }).await,
        "failed" => Err(Failure::Fatal(Message::new("reason-internal"))),
        "stopped" => {
            context.stop_token().cancelled().await;
            context.checkpoint()
        }
        _ => Ok(()),
    }
}

#[tokio::test]
async fn every_email_setting_hears_exactly_what_it_asked_for() {
    let world = World::new().await;
    let wire = Wire::open();
    let daemon = Daemon::start_with(&world, policy(), Scripted::new(as_named), wire.notify()).await;
    // (setting, begin, end: clean, with warnings, with errors, failed, stopped)
    let table = [
        (EmailSetting::All, true, [true, true, true, true, true]),
        (EmailSetting::JobCompletion, false, [true, true, true, true, true]),
        (EmailSetting::Error, false, [false, false, true, true, false]),
        (EmailSetting::ErrorAndWarning, false, [false, true, true, true, false]),
        (EmailSetting::None, false, [false; 5]),
    ];
    let names = ["clean", "warned", "erred", "failed", "stopped"];
    let mut expected = 0;
    for (setting, begin, ends) in table {
        for (name, end) in names.into_iter().zip(ends) {
            let spec = upload(&json!({"emailSetting": setting}));
            let id = world.try_submit(1, name, spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
            if name == "stopped" {
                world.until(id, "runs", |run| run.attempt == 1).await;
                eventually("it has a worker", || async { (daemon.running() == 1).then_some(()) }).await;
                world.store().stop_run(id, AccountId(1), world.now()).await.unwrap();
            }
            world.until_done(id).await;
            let rows = world
                .table(&format!("SELECT channel, moment, recipient FROM outbox WHERE instance_id = {id} ORDER BY id"))
                .await;
            let mut told = Vec::new();
            told.extend(begin.then_some("mail begin u1@example.com"));
            told.extend(end.then_some("mail end u1@example.com"));
            assert_eq!(rows, told, "{setting}, {name}");
            expected += told.len();
        }
    }
    eventually("all mails are sent", || async { (wire.tried().len() == expected).then_some(()) }).await;
    world.until_count(0, "outbox WHERE state <> 'Delivered'").await;
    daemon.shut_down().await;
    assert_eq!(wire.tried().len(), expected, "each once");
    world.check().await;
}

/// Every kind that has the setting; the API gives it to all but two.
#[tokio::test]
async fn every_kind_of_job_has_its_own_email_setting() {
    let world = World::new().await;
    let wire = Wire::open();
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    let assets = json!({"assetHandleArray": ["a|1"]});
    let kinds = [
        (JobKind::UploadDirectory, json!({"serverDir": "in"})),
        (JobKind::UploadUrls, json!({"urlArray": [{"sourceUrl": "http://example.com/a.jpg", "destPath": ""}]})),
        (JobKind::UploadPost, json!({"overwrite": true})),
        (
            JobKind::AutomatedSetGeneration,
            json!({"assetHandleArray": ["a|1"], "readyForPublish": true, "autoSetCreationOptions": {"autoSetsArray": ["ps|1"]}}),
        ),
        (JobKind::ReprocessAssets, assets.clone()),
        (JobKind::RipPdfs, json!({"pdfHandleArray": ["a|1"]})),
        (JobKind::Export, json!({"assetHandleArray": ["a|1"], "fmt": "orig"})),
        (JobKind::OptimizeImages, json!({})),
        (JobKind::ImageServingPublish, json!({"publishType": "Full"})),
        (JobKind::ImageRenderingPublish, json!({})),
        (JobKind::VideoPublish, json!({})),
        (JobKind::ServerDirectoryPublish, json!({})),
    ];
    for (kind, element) in kinds {
        for (setting, mails) in [("All", 2), ("JobCompletion", 1), ("ErrorAndWarning", 0), ("Error", 0), ("None", 0)] {
            let mut element = element.clone();
            element["emailSetting"] = json!(setting);
            let spec = JobSpec::parse(kind, &element).unwrap_or_else(|error| panic!("{kind}: {error}"));
            let id = world.try_submit(1, "clean", spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
            world.until_done(id).await;
            let told = world.count(&format!("outbox WHERE channel = 'mail' AND instance_id = {id}")).await;
            assert_eq!(told, mails, "{kind}, {setting}");
        }
    }
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_begin_mail_goes_out_when_the_job_begins_and_only_once() {
    let world = World::new().await;
    let (registry, mut calls) = stage();
    let wire = Wire::open();
    let daemon = Daemon::start_with(&world, policy(), registry, wire.notify()).await;
    let spec = upload(&json!({"emailSetting": "All"}));
    world.try_submit(1, "long", spec, Plan::AtOnce).await.unwrap();
    let first = calls.next().await;
    // The clock stands still: no slow look may be needed.
    eventually("the begin mail is sent", || async { (wire.tried().len() == 1).then_some(()) }).await;
    assert_eq!(wire.tried()[0].moment, Moment::Begin);
    first.end(Err(Failure::Transient(Message::new("reason-internal"))));
    world.until_count(1, "instance WHERE failures = 1").await;
    world.advance(TimeDelta::seconds(10));
    calls.next().await.succeed();
    eventually("the end mail is sent", || async { (wire.tried().len() == 2).then_some(()) }).await;
    assert_eq!(wire.tried()[1].moment, Moment::End);
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_completion_url_is_called_whatever_the_outcome() {
    let world = World::new().await;
    let wire = Wire::open();
    let daemon = Daemon::start_with(&world, policy(), Scripted::new(as_named), wire.notify()).await;
    for name in ["clean", "failed"] {
        let spec = upload(&json!({"postHttpUrl": "https://example.com/done"}));
        let id = world.try_submit(1, name, spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
        world.until_done(id).await;
        let run = |sent: &crate::support::Sent| sent.run == id.0;
        eventually("it is called", || async { wire.tried().into_iter().find(run) }).await;
    }
    // Publish jobs have it under another name.
    let publishes = [
        (JobKind::ImageServingPublish, json!({"publishType": "Full"})),
        (JobKind::ImageRenderingPublish, json!({})),
        (JobKind::VideoPublish, json!({})),
        (JobKind::ServerDirectoryPublish, json!({})),
    ];
    for (kind, mut element) in publishes {
        element["httpCompletionUrl"] = json!("https://example.com/done");
        let spec = JobSpec::parse(kind, &element).unwrap();
        let id = world.try_submit(1, "clean", spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
        world.until_done(id).await;
        eventually("it is called", || async { wire.tried().into_iter().find(|sent| sent.run == id.0) }).await;
    }
    let tried = wire.tried();
    assert_eq!(tried.len(), 6);
    assert!(tried.iter().all(|sent| sent.channel == Channel::Url && sent.recipient == "https://example.com/done"));
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_follow_up_runs_after_a_success_and_if_wanted_only_when_files_came() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::new(as_named)).await;
    // (job, only if files, follow-up, line)
    let table = [
        ("clean", false, true, "follow-up-submitted"),
        ("clean", true, true, "follow-up-submitted"),
        ("empty", false, true, "follow-up-submitted"),
        ("empty", true, false, "follow-up-no-files"),
        ("erred", true, false, "follow-up-no-files"),
        ("failed", false, false, "follow-up-not-submitted"),
    ];
    for (name, only_if_files, follows, line) in table {
        let spec = upload(&json!({
            "postJobOnlyIfFiles": only_if_files,
            "postImageServingPublishJob": {"publishType": "Incremental"},
        }));
        let id = world.try_submit(1, name, spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
        world.until_done(id).await;
        world.until_count(0, "instance WHERE state <> 'Done'").await;
        let children = world.table(&format!("SELECT name, kind FROM job WHERE parent_id = {id}")).await;
        let expected = follows.then(|| format!("Pub_{name} imageServingPublishJob"));
        assert_eq!(children, Vec::from_iter(expected), "{name}, {only_if_files}");
        let lines =
            world.table(&format!("SELECT code FROM log_detail WHERE instance_id = {id} AND code LIKE 'follow%'")).await;
        assert_eq!(lines.concat(), line);
    }
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn each_kind_of_follow_up_is_a_job_of_its_own() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::new(as_named)).await;
    for (option, order, kind) in [
        ("postImageServingPublishJob", json!({"publishType": "Full"}), "imageServingPublishJob"),
        ("postImageRenderingPublishJob", json!({}), "imageRenderingPublishJob"),
        ("postVideoPublishJob", json!({}), "videoPublishJob"),
    ] {
        for (first, element) in [
            (JobKind::UploadDirectory, json!({"serverDir": "in"})),
            (JobKind::UploadUrls, json!({"urlArray": [{"sourceUrl": "http://example.com/a.jpg", "destPath": ""}]})),
            (JobKind::ReprocessAssets, json!({"assetHandleArray": ["a|1"]})),
            (JobKind::RipPdfs, json!({"pdfHandleArray": ["a|1"]})),
        ] {
            let mut element = element.clone();
            element[option] = order.clone();
            let spec = JobSpec::parse(first, &element).unwrap();
            let id = world.try_submit(1, "clean", spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
            world.until_done(id).await;
            world.until_count(0, "instance WHERE state <> 'Done'").await;
            let children = world.table(&format!("SELECT kind FROM job WHERE parent_id = {id}")).await;
            assert_eq!(children, [kind], "{first} {option}");
        }
    }
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_delivery_that_fails_is_repeated_with_growing_waits() {
    let world = World::new().await;
    let refusals = Arc::new(AtomicUsize::new(0));
    let wire = {
        let refusals = refusals.clone();
        Wire::that(move |_| match refusals.fetch_add(1, Ordering::SeqCst) {
            0..3 => Err(Undelivered::Transient("451 try later".to_owned())),
            _ => Ok(()),
        })
    };
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    let spec = upload(&json!({"emailSetting": "JobCompletion"}));
    let id = world.try_submit(1, "mailed", spec, Plan::AtOnce).await.unwrap().run.unwrap().id;
    for (tries, wait) in [(1, 30), (2, 60), (3, 120)] {
        let due = (world.now() + TimeDelta::seconds(wait)).timestamp_millis();
        world
            .until_count(1, &format!("outbox WHERE attempts = {tries} AND state = 'Pending' AND next_try_at = {due}"))
            .await;
        world.advance(TimeDelta::seconds(wait) - TimeDelta::milliseconds(1));
        daemon.look();
        assert_eq!(wire.tried().len(), tries, "not before its time");
        world.advance(TimeDelta::milliseconds(1));
    }
    world.until_count(1, "outbox WHERE state = 'Delivered' AND attempts = 4").await;
    let notice = world.store().notices(id).await.unwrap().remove(0);
    assert_eq!((notice.state.as_str(), notice.last_error), ("Delivered", None));
    assert_eq!(world.run(id).await.outcome, Some(Outcome::Succeeded), "which the job does not mind");
    daemon.shut_down().await;
}

#[tokio::test]
async fn a_delivery_that_cannot_succeed_is_given_up() {
    for (refusal, at_once) in [
        (Undelivered::Permanent("550 no such user".to_owned()), true),
        (Undelivered::Transient("connection refused".to_owned()), false),
    ] {
        let world = World::new().await;
        let wire = { Wire::that(move |_| Err(refusal.clone())) };
        let short = EnginePolicy { give_up_after: TimeDelta::minutes(3), ..policy() };
        let daemon = Daemon::start_with(&world, short, Scripted::idle(), wire.notify()).await;
        let spec = upload(&json!({"emailSetting": "JobCompletion"}));
        world.try_submit(1, "mailed", spec, Plan::AtOnce).await.unwrap();
        if at_once {
            world.until_count(1, "outbox WHERE state = 'GivenUp' AND attempts = 1").await;
        } else {
            for tries in 1..=2 {
                world.until_count(1, &format!("outbox WHERE attempts = {tries} AND state = 'Pending'")).await;
                world.advance(TimeDelta::seconds(60));
            }
            world.until_count(1, "outbox WHERE state = 'GivenUp'").await;
        }
        world.until_count(1, "outbox WHERE last_error IS NOT NULL AND finished_at IS NOT NULL").await;
        daemon.shut_down().await;
    }
}

#[tokio::test]
async fn a_letter_that_panics_is_a_failed_delivery_and_no_end_of_the_notifier() {
    let world = World::new().await;
    let wire = Wire::that(|message| {
        assert!(message.recipient != "u1@example.com", "a letter that cannot be written");
        Ok(())
    });
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    for company in [1, 2] {
        let spec = upload(&json!({"emailSetting": "JobCompletion"}));
        world.try_submit(company, "mailed", spec, Plan::AtOnce).await.unwrap();
    }
    world.until_count(1, "outbox WHERE recipient = 'u2@example.com' AND state = 'Delivered'").await;
    world.until_count(1, "outbox WHERE recipient = 'u1@example.com' AND attempts = 1 AND state = 'Pending'").await;
    daemon.shut_down().await;
}

#[tokio::test]
async fn what_was_not_sent_before_a_crash_is_sent_after_it() {
    let world = World::new().await;
    let refuse = Wire::that(|_| Err(Undelivered::Transient("connection refused".to_owned())));
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), refuse.notify()).await;
    let spec = upload(&json!({"emailSetting": "JobCompletion", "postHttpUrl": "https://example.com/done"}));
    world.try_submit(1, "mailed", spec, Plan::AtOnce).await.unwrap();
    world.until_count(2, "outbox WHERE attempts = 1").await;
    daemon.kill().await;
    world.advance(TimeDelta::minutes(1));
    let wire = Wire::open();
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    world.until_count(2, "outbox WHERE state = 'Delivered'").await;
    assert_eq!(wire.tried().len(), 2);
    daemon.shut_down().await;
}

#[tokio::test]
async fn one_company_does_not_hold_up_the_messages_of_another() {
    let world = World::new().await;
    let (wire, answer) = Wire::silent_for(company(1));
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    let told = json!({"emailSetting": "JobCompletion", "postHttpUrl": "https://example.com/done"});
    for number in 0..50 {
        world.try_submit(1, &format!("mailed {number}"), upload(&told), Plan::AtOnce).await.unwrap();
    }
    world.until_count(100, "outbox").await;
    for id in [2, 3] {
        world.try_submit(id, "mailed", upload(&told), Plan::AtOnce).await.unwrap();
    }
    // The clock stands still: nothing may have to wait for company 1, nor for a slow look.
    world.until_count(4, "outbox WHERE company_id IN (2, 3) AND state = 'Delivered'").await;
    let of_first = wire.tried().iter().filter(|sent| sent.recipient == "u1@example.com").count();
    assert!((1..16).contains(&of_first), "company 1 has {of_first} places");
    answer.send_replace(true);
    world.until_count(104, "outbox WHERE state = 'Delivered' AND attempts = 1").await;
    daemon.shut_down().await;
    assert_eq!(wire.tried().len(), 104, "each once");
}

/// As many receivers as there are places hang, of many companies and at many hosts: those that answer are told all the same,
/// the same companies' others included, and no receiver that hangs is asked again and again.
#[tokio::test]
async fn receivers_that_hang_hold_up_none_that_answers() {
    let world = World::new().await;
    for id in 4..=9 {
        world.add_company(id).await;
    }
    let (wire, answer) = Wire::silent_at("hangs");
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    let told = async |company: i64, name: &str, url: &str| {
        let spec = upload(&json!({"emailSetting": "None", "postHttpUrl": url}));
        world.try_submit(company, name, spec, Plan::AtOnce).await.unwrap();
    };
    for company in 1..=6 {
        for number in 0..6 {
            let url = format!("https://hangs-{company}-{number}.example.com/done");
            told(company, &format!("hangs {number}"), &url).await;
        }
    }
    eventually("all places are taken", || async { (wire.tried().len() >= 16).then_some(()) }).await;
    for company in [1, 6, 9] {
        told(company, "answers", &format!("https://answers-{company}.example.com/done")).await;
        for number in 0..3 {
            told(company, &format!("hangs again {number}"), "https://hangs-1-0.example.com/done").await;
        }
    }
    world.until_count(48, "outbox").await;
    // It takes a moment to find out who hangs, and nothing of the time after which a delivery is given up.
    world.advance(TimeDelta::seconds(5));
    eventually("others have their places", || async { (wire.tried().len() >= 32).then_some(()) }).await;
    world.advance(TimeDelta::seconds(5));
    world.until_count(3, "outbox WHERE host LIKE 'answers%' AND state = 'Delivered'").await;
    assert!(wire.tried().len() <= 36 + 3 + 8, "{} are under way", wire.tried().len());
    answer.send_replace(true);
    world.until_count(48, "outbox WHERE state = 'Delivered' AND attempts = 1").await;
    daemon.shut_down().await;
    assert_eq!(wire.tried().len(), 48, "each once");
}

/// Thousands of hosts are to be tried again later, and one has hundreds of messages: whatever comes now goes out in its turn.
#[tokio::test]
async fn what_waits_and_what_has_many_messages_holds_up_no_other_host() {
    let world = World::new().await;
    let wire = Wire::open();
    let spec = upload(&json!({"emailSetting": "None", "postHttpUrl": "https://a.example.com/0"}));
    world.try_submit(1, "told", spec, Plan::AtOnce).await.unwrap();
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    world.until_count(1, "outbox WHERE state = 'Delivered'").await;
    daemon.shut_down().await;
    let later = (world.now() + TimeDelta::hours(1)).timestamp_millis();
    let many = |count: i64, url: &str, host: &str, ready: i64, at: i64| {
        format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
             INSERT INTO outbox (instance_id, company_id, channel, moment, recipient, host, state, ready, attempts, next_try_at, created_at)
             SELECT o.instance_id, o.company_id, 'url', 'end', 'https://' || {host} || '/{url}' || n, {host}, 'Pending', {ready},
                    1 - {ready}, {at}, o.created_at
             FROM n JOIN (SELECT * FROM outbox LIMIT 1) o"
        )
    };
    let now = world.now().timestamp_millis();
    for sql in [
        many(2_000, "w", "'b' || n || '.example.com'", 0, later),
        many(300, "m", "'a.example.com'", 1, now),
        many(1, "c", "'c.example.com'", 1, now),
        many(1, "z", "'z.example.com'", 1, now),
    ] {
        world.sql(&sql).await;
    }
    let before = wire.tried().len();
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), wire.notify()).await;
    world.until_count(303, "outbox WHERE state = 'Delivered'").await;
    let tried: Vec<String> = wire.tried().into_iter().skip(before).map(|sent| sent.recipient).collect();
    for host in ["c.example.com", "z.example.com"] {
        let turn = tried.iter().position(|url| url.contains(host)).unwrap();
        assert!(turn < 8, "{host} comes as number {turn}");
    }
    assert_eq!(tried.len(), 302, "nothing before its time, and each once");
    // Their time has come.
    world.advance(TimeDelta::hours(1));
    world.until_count(2_303, "outbox WHERE state = 'Delivered'").await;
    daemon.shut_down().await;
    assert_eq!(wire.tried().len(), 2_303);
}
