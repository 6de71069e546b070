//! HTTP uploads: a run waits for its client's posts, and no longer than it must.

use chrono::TimeDelta;
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::outcome::Outcome;
use prepress::model::state::State;
use prepress::model::trigger::Trigger;
use prepress::store::jobs::posts::{Post, PostError, PostedFile, Upload};
use prepress::store::jobs::submit::{NewJob, NewRun};
use serde_json::json;

use crate::support::{Daemon, Scripted, World, company, policy};

const HALF_AN_HOUR: TimeDelta = TimeDelta::minutes(30);

pub fn first(world: &World) -> Upload {
    let options = json!({"overwrite": true, "readyForPublish": true, "emailSetting": "None"});
    let spec = JobSpec::parse(JobKind::UploadPost, &options).unwrap();
    Upload::New(Box::new(NewJob {
        company: company(1),
        name: "posted".to_owned(),
        spec,
        responsible: prepress::model::id::AccountId(1),
        submitter: prepress::model::id::AccountId(1),
        locale: None,
        description: None,
        client: None,
        address: None,
        created_at: world.now(),
        trigger: Trigger::AtOnce,
        next_fire_at: None,
        run: Some(NewRun::at(world.now(), None)),
        parent: None,
    }))
}

pub fn post(world: &World, upload: Upload, name: &str, ends: bool) -> Post {
    Post {
        upload,
        company: company(1),
        address: "192.0.2.1".to_owned(),
        files: vec![PostedFile { path: name.to_owned(), blob: "b".repeat(64), bytes: 1 }],
        next_until: (!ends).then(|| world.now() + HALF_AN_HOUR),
        at: world.now(),
    }
}

#[tokio::test]
async fn an_upload_waits_half_an_hour_for_each_next_post() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let run = world.store().post(post(&world, first(&world), "a.jpg", false)).await.unwrap();
    let state = async || world.run(run.id).await.state;
    assert_eq!(state().await, State::WaitingClient);
    world.advance(HALF_AN_HOUR - TimeDelta::seconds(1));
    world.store().post(post(&world, Upload::Begun(run.id), "b.jpg", false)).await.unwrap();
    world.advance(HALF_AN_HOUR - TimeDelta::seconds(1));
    // A job of another company shows that the daemon has looked.
    let witness = world.submit(2, "witness", crate::support::Plan::AtOnce).await.run.unwrap().id;
    world.until_done(witness).await;
    assert_eq!(state().await, State::WaitingClient);
    world.advance(TimeDelta::seconds(1));
    let done = world.until_done(run.id).await;
    assert_eq!(done.outcome, Some(Outcome::Succeeded));
    let files: Vec<String> =
        world.store().posted_files(run.id).await.unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(files, ["a.jpg", "b.jpg"]);
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn posts_survive_a_kill_between_them() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let run = world.store().post(post(&world, first(&world), "a.jpg", false)).await.unwrap();
    daemon.kill().await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    assert_eq!(world.run(run.id).await.state, State::WaitingClient);
    let again = world.store().post(post(&world, Upload::Begun(run.id), "b.jpg", true)).await.unwrap();
    assert_eq!(again, run);
    world.until_done(run.id).await;
    assert_eq!(world.count("posted_file").await, 2);
    daemon.kill().await;

    // A client that never comes back, while the daemon is down.
    let run = world.store().post(post(&world, first(&world), "c.jpg", false)).await.unwrap();
    world.advance(TimeDelta::days(1));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.until_done(run.id).await;
    daemon.shut_down().await;
    world.check().await;
}

#[tokio::test]
async fn a_post_is_taken_only_from_where_and_while_it_is_waited_for() {
    let world = World::new().await;
    let run = world.store().post(post(&world, first(&world), "a.jpg", false)).await.unwrap();
    let elsewhere = Post { address: "192.0.2.2".to_owned(), ..post(&world, Upload::Begun(run.id), "b.jpg", false) };
    assert!(matches!(world.store().post(elsewhere).await, Err(PostError::OtherAddress)));
    let foreign = Post { company: company(2), ..post(&world, Upload::Begun(run.id), "b.jpg", false) };
    assert!(matches!(world.store().post(foreign).await, Err(PostError::NoSuchRun)));
    world.store().post(post(&world, Upload::Begun(run.id), "b.jpg", true)).await.unwrap();
    let late = world.store().post(post(&world, Upload::Begun(run.id), "c.jpg", false)).await;
    assert!(matches!(late, Err(PostError::NotWaiting(State::WaitingCoordinator))), "{late:?}");
    assert_eq!(world.count("posted_file").await, 2, "what was refused left nothing");
    // One post may be the whole job.
    let run = world.store().post(post(&world, first(&world), "d.jpg", true)).await.unwrap();
    assert_eq!(world.run(run.id).await.state, State::WaitingCoordinator);
}
