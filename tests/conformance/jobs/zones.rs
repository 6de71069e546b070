//! Schedules are in the server's local time.

use chrono_tz::Tz;
use prepress::clock::Clock;
use prepress::model::id::AccountId;

use super::control::{administrator, named, services};
use crate::support::{Daemon, Plan, Scripted, World, at, policy};

/// Moves the clock by whole hours through a span and gives the slots of a job at its end.
async fn through(zone: &str, from: &str, until: &str, cron: &str) -> Vec<String> {
    let world = World::in_zone(zone, from).await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "local", Plan::Cron(cron)).await.job;
    while world.now() < at(until) {
        world.advance(chrono::TimeDelta::minutes(30));
        let now = world.clock.now().timestamp_millis();
        world.until_count(0, &format!("job WHERE next_fire_at <= {now}")).await;
        world.until_count(0, "instance WHERE state <> 'Done'").await;
    }
    let slots = world.slot_list(job).await;
    daemon.shut_down().await;
    world.check().await;
    slots
}

#[tokio::test]
async fn a_daily_job_in_the_lost_hour_runs_once_that_day() {
    // 29 March 2026, 02:00 to 03:00 does not exist in Berlin.
    let slots = through("Europe/Berlin", "2026-03-27T22:00:00Z", "2026-03-30T12:00:00Z", "0 30 2 * * ?").await;
    assert_eq!(slots, ["2026-03-28T01:30:00Z fired", "2026-03-29T01:00:00Z fired", "2026-03-30T00:30:00Z fired"]);
}

#[tokio::test]
async fn a_daily_job_in_the_repeated_hour_runs_once_that_day() {
    // 25 October 2026, 02:00 to 03:00 comes twice in Berlin.
    let slots = through("Europe/Berlin", "2026-10-23T22:00:00Z", "2026-10-26T12:00:00Z", "0 30 2 * * ?").await;
    assert_eq!(slots, ["2026-10-24T00:30:00Z fired", "2026-10-25T00:30:00Z fired", "2026-10-26T01:30:00Z fired"]);
}

#[tokio::test]
async fn an_hourly_job_runs_every_hour_of_both_days() {
    let spring = through("Europe/Berlin", "2026-03-28T22:30:00Z", "2026-03-29T04:00:00Z", "0 0 * * * ?").await;
    let autumn = through("Europe/Berlin", "2026-10-24T21:30:00Z", "2026-10-25T03:00:00Z", "0 0 * * * ?").await;
    assert_eq!(spring.len(), 6, "{spring:?}");
    assert_eq!(autumn.len(), 6, "{autumn:?}");
}

#[tokio::test]
async fn run_names_are_distinct_in_the_hour_that_comes_twice() {
    let world = World::in_zone("Europe/Berlin", "2026-10-25T00:30:00Z").await;
    let first = world.submit(1, "twice", Plan::AtOnce).await.run.unwrap().name;
    world.clock.set(at("2026-10-25T01:30:00Z"));
    let second = world.submit(1, "twice", Plan::AtOnce).await.run.unwrap().name;
    assert_eq!([first.as_str(), second.as_str()], ["twice_2026-10-25-02:30:00.000", "twice_2026-10-25-02:30:00.001"]);
}

#[tokio::test]
async fn another_zone_moves_what_is_to_come_and_keeps_what_was_missed() {
    let mut world = World::new().await;
    // At noon in Berlin, 11:00 UTC.
    let daily = world.submit(1, "daily", Plan::Cron("0 0 12 * * ?")).await.job;
    let paused = world.submit(1, "paused", Plan::Cron("0 0 12 * * ?")).await.job;
    let once = world.submit(1, "once", Plan::At(at("2026-01-05T20:00:00Z"))).await.job;
    let missed = world.submit(1, "missed", Plan::Cron("0 30 9 * * ?")).await.job;
    world.store().pause_job(paused).await.unwrap();
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    daemon.shut_down().await;
    let next = |job: prepress::model::id::JobId| format!("job WHERE id = {job} AND next_fire_at = ");
    let noon_berlin = at("2026-01-05T11:00:00Z").timestamp_millis();
    assert_eq!(world.count(&format!("{}{noon_berlin}", next(daily))).await, 1);

    world.zone = Tz::America__New_York;
    world.clock.set(at("2026-01-05T09:00:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let noon_new_york = at("2026-01-05T17:00:00Z").timestamp_millis();
    for job in [daily, paused] {
        world.until_count(1, &format!("{}{noon_new_york}", next(job))).await;
    }
    let evening = at("2026-01-05T20:00:00Z").timestamp_millis();
    assert_eq!(world.count(&format!("{}{evening}", next(once))).await, 1, "an instant has no zone");
    // 09:30 in Berlin passed while the daemon was down: it was missed, and is not forgotten.
    world.until_count(1, &format!("slot WHERE job_id = {missed}")).await;
    assert_eq!(world.slot_list(missed).await, ["2026-01-05T08:30:00Z late slot-late"]);
    daemon.shut_down().await;
    world.check().await;
}

/// A country abolishes summer time, and the daemon is brought up to date.
#[tokio::test]
async fn new_rules_of_the_same_zone_move_the_fire_times() {
    let world = World::in_zone("Europe/Berlin", "2026-07-01T08:00:00Z").await;
    let daily = world.submit(1, "daily", Plan::Cron("0 0 12 * * ?")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    let noon = at("2026-07-01T10:00:00Z").timestamp_millis();
    assert_eq!(world.count(&format!("job WHERE id = {daily} AND next_fire_at = {noon}")).await, 1);
    // As it was by the rules of before.
    let spring = at("2026-03-29T01:00:00Z").timestamp_millis();
    world.sql(&format!("UPDATE zone_offset SET millis = 3600000 WHERE from_at = {spring}")).await;
    world.sql(&format!("UPDATE job SET next_fire_at = {noon} + 3600000 WHERE id = {daily}")).await;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    assert_eq!(world.count(&format!("job WHERE id = {daily} AND next_fire_at = {noon}")).await, 1);
    assert_eq!(world.count(&format!("zone_offset WHERE from_at = {spring} AND millis = 7200000")).await, 1);
}

/// Summer time is introduced, by which 08:00 has passed already: each firing that was to come by the rules of before is told.
#[tokio::test]
async fn what_new_rules_of_the_same_zone_leave_out_has_slots() {
    let world = World::in_zone("Europe/Berlin", "2026-07-01T05:30:00Z").await;
    let job = world.submit(1, "mornings", Plan::Cron("0 0,15,30,45 8 * * ?")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    // By the rules of before it is not 06:50 UTC, but an hour later, that the last of today comes.
    let (spring, next) = (at("2026-03-29T01:00:00Z"), at("2026-07-01T07:00:00Z"));
    world.sql(&format!("UPDATE zone_offset SET millis = 3600000 WHERE from_at = {}", spring.timestamp_millis())).await;
    world.sql(&format!("UPDATE job SET next_fire_at = {} WHERE id = {job}", next.timestamp_millis())).await;
    world.clock.set(at("2026-07-01T06:50:00Z"));
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    let left_out: Vec<String> =
        ["00", "15", "30", "45"].map(|minute| format!("2026-07-01T07:{minute}:00Z skipped slot-skipped-zone")).into();
    assert_eq!(world.slot_list(job).await, left_out);
    let tomorrow = at("2026-07-02T06:00:00Z").timestamp_millis();
    assert_eq!(world.count(&format!("job WHERE id = {job} AND next_fire_at = {tomorrow}")).await, 1);
    world.check().await;
}

#[tokio::test]
async fn a_schedule_without_a_future_in_the_new_zone_keeps_its_last_time() {
    let mut world = World::in_zone("America/New_York", "2026-01-05T12:00:00Z").await;
    // 08:00 in New York is to come, 08:00 in Berlin was five hours ago.
    let job = world.submit(1, "last", Plan::Cron("0 0 8 5 1 ? 2026")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    world.zone = Tz::Europe__Berlin;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.clock.set(at("2026-01-05T13:00:00Z"));
    world.until_count(1, "instance WHERE state = 'Done'").await;
    assert_eq!(world.count(&format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await, 1);
    daemon.shut_down().await;
}

/// A daemon is started once without its zone, and put right: what was to come comes.
#[tokio::test]
async fn what_a_wrong_zone_left_out_comes_when_the_zone_is_right_again() {
    for wrong in [Tz::UTC, Tz::Asia__Tokyo] {
        let mut world = World::in_zone("Europe/Berlin", "2026-01-05T05:00:00Z").await;
        let daily = world.submit(1, "daily", Plan::Cron("0 0 8 * * ?")).await.job;
        let once = world.submit(1, "once", Plan::Cron("0 0 8 5 1 ? 2026")).await.job;
        for zone in [Tz::Europe__Berlin, wrong, Tz::Europe__Berlin] {
            world.zone = zone;
            Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
        }
        assert_eq!(world.count("slot").await, 0, "{wrong}: nothing is left out");
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        world.clock.set(at("2026-01-05T07:00:00Z"));
        world.until_count(2, "instance WHERE state = 'Done'").await;
        for job in [daily, once] {
            let fired = format!("slot WHERE job_id = {job} AND disposition = 'fired'");
            assert_eq!(world.count(&fired).await, 1, "{wrong}");
        }
        daemon.shut_down().await;
    }
}

/// Of several firings the next one stays, the others are told, and come if the zone is right again in time.
#[tokio::test]
async fn what_a_new_zone_leaves_no_time_for_is_told_and_comes_back() {
    let mut world = World::in_zone("America/New_York", "2026-01-05T12:30:00Z").await;
    // 08:00, 09:00 and 10:00 in New York are to come, in Berlin they have been.
    let job = world.submit(1, "morning", Plan::Cron("0 0 8-10 5 1 ? 2026")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    world.zone = Tz::Europe__Berlin;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let left_out = ["2026-01-05T14:00:00Z skipped slot-skipped-zone", "2026-01-05T15:00:00Z skipped slot-skipped-zone"];
    assert_eq!(world.slot_list(job).await, left_out);
    world.clock.set(at("2026-01-05T13:00:00Z"));
    world.until_count(1, "instance WHERE state = 'Done'").await;
    assert_eq!(world.count(&format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await, 1);
    daemon.shut_down().await;

    // The zone is put right between the second and the third.
    world.zone = Tz::America__New_York;
    world.clock.set(at("2026-01-05T14:30:00Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.clock.set(at("2026-01-05T15:00:00Z"));
    world.until_count(2, "instance WHERE state = 'Done'").await;
    let slots = ["2026-01-05T13:00:00Z fired", left_out[0], "2026-01-05T15:00:00Z fired"];
    assert_eq!(world.slot_list(job).await, slots);
    assert_eq!(world.count(&format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await, 1);
    daemon.shut_down().await;
    world.check().await;
}

/// What a zone further east has passed already is written down one by one.
#[tokio::test]
async fn each_firing_that_another_zone_leaves_out_has_a_slot() {
    let mut world = World::in_zone("America/New_York", "2026-01-05T12:30:00Z").await;
    let job = world.submit(1, "mornings", Plan::Cron("0 0 8-10 * * ?")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    for (zone, left_out) in [(Tz::Europe__Berlin, 3), (Tz::America__New_York, 0)] {
        world.zone = zone;
        Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
        assert_eq!(world.count(&format!("slot WHERE job_id = {job} AND reason = 'slot-skipped-zone'")).await, left_out);
    }
}

/// The daemon is down over a fire time, and comes up in another zone: what was missed fires, and the rest is told.
#[tokio::test]
async fn what_was_missed_fires_and_the_rest_is_left_out_with_slots() {
    for cron in ["0 35 13-16 1 12 ? 2026", "0 35 13-16 * * ?"] {
        let mut world = World::in_zone("America/New_York", "2026-12-01T18:00:00Z").await;
        let job = world.submit(1, "missed", Plan::Cron(cron)).await.job;
        Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
        world.zone = Tz::Asia__Tokyo;
        world.clock.set(at("2026-12-01T18:40:00Z"));
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        world.until_count(1, "instance WHERE state = 'Done'").await;
        daemon.shut_down().await;
        let left_out: Vec<String> = [19, 20, 21]
            .into_iter()
            .map(|hour| format!("2026-12-01T{hour}:35:00Z skipped slot-skipped-zone"))
            .collect();
        let late = "2026-12-01T18:35:00Z late slot-late".to_owned();
        assert_eq!(world.slot_list(job).await, [&[late][..], &left_out].concat(), "{cron}");
        world.zone = Tz::America__New_York;
        let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
        world.clock.set(at("2026-12-01T19:36:00Z"));
        world.until_count(2, "instance WHERE state = 'Done'").await;
        daemon.shut_down().await;
        world.check().await;
    }
}

#[tokio::test]
async fn the_views_show_the_time_of_the_server() {
    // Whatever zone the process that reads them is in. The hour after one o'clock UTC is three o'clock from this night on.
    let world = World::in_zone("Europe/Berlin", "2026-03-29T00:59:00Z").await;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    let job = world.submit(1, "local", Plan::Cron("0 0 3 * * ?")).await.job;
    world.submit(1, "once", Plan::AtOnce).await;
    world.until_count(1, "instance WHERE state = 'Done'").await;
    world.clock.set(at("2026-03-29T01:00:00Z"));
    world.until_count(2, "instance WHERE state = 'Done'").await;
    let runs = world.table("SELECT started, run_name FROM job_overview ORDER BY run").await;
    assert_eq!(runs[0], "2026-03-29 01:59:00 once_2026-03-29-01:59:00.000");
    assert_eq!(runs[1], "2026-03-29 03:00:00 local_2026-03-29-03:00:00.000");
    let scheduled =
        world.table(&format!("SELECT next_fire, last_fire FROM schedule_overview WHERE job_id = {job}")).await;
    assert_eq!(scheduled, ["2026-03-30 03:00:00 2026-03-29 03:00:00"]);
    assert_eq!(
        world.table("SELECT due, decided FROM slot_overview").await,
        ["2026-03-29 03:00:00 2026-03-29 03:00:00"]
    );
    daemon.shut_down().await;
}

/// An end is no end where the zone left out what comes in another; but a name is that of one waiting order.
#[tokio::test]
async fn a_name_that_was_taken_meanwhile_keeps_no_daemon_from_starting() {
    let mut world = World::in_zone("America/New_York", "2026-01-05T13:00:05Z").await;
    let first = world.submit(1, "morning", Plan::Cron("0 30,40,50 8 5 1 ? 2026")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    world.zone = Tz::Europe__Berlin;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.clock.set(at("2026-01-05T13:30:05Z"));
    world.until_count(1, &format!("job WHERE id = {first} AND trigger_state = 'Complete'")).await;
    let second = world.submit(1, "morning", Plan::Cron("0 0 3 * * ?")).await.job;
    daemon.shut_down().await;
    world.zone = Tz::America__New_York;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    assert_eq!(world.count(&format!("job WHERE id = {first} AND trigger_state = 'Complete'")).await, 1);
    let in_new_york = at("2026-01-06T08:00:00Z").timestamp_millis();
    assert_eq!(world.count(&format!("job WHERE id = {second} AND next_fire_at = {in_new_york}")).await, 1);
    assert_eq!(world.slot_list(first).await.len(), 3, "what was left out stays told");
    // Who deletes what has the name, by whatever words, means this one as well: it never comes back.
    world.store().delete_job(second, AccountId(1), world.now()).await.unwrap();
    for zone in [Tz::Europe__Berlin, Tz::America__New_York] {
        world.zone = zone;
        Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    }
    assert_eq!(world.count("job WHERE deleted_at IS NOT NULL AND next_fire_at IS NULL").await, 2);
    world.check().await;
}

/// What ended in its own zone has ended, though its time comes once more in another.
#[tokio::test]
async fn what_has_run_for_the_last_time_does_not_run_again_in_another_zone() {
    let mut world = World::in_zone("Europe/Berlin", "2026-01-05T06:59:00Z").await;
    let job = world.submit(1, "once", Plan::Cron("0 0 8 5 1 ? 2026")).await.job;
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    world.clock.set(at("2026-01-05T07:00:00Z"));
    world.until_count(1, "instance WHERE state = 'Done'").await;
    daemon.shut_down().await;
    world.zone = Tz::America__New_York;
    world.clock.set(at("2026-01-05T12:59:00Z"));
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    assert_eq!(world.count(&format!("job WHERE id = {job} AND trigger_state = 'Complete'")).await, 1);
}

/// Of a range that one zone left out, another has a part: that comes, and the rest stays told.
#[tokio::test]
async fn a_range_that_another_zone_has_in_part_keeps_nothing_from_coming() {
    let mut world = World::in_zone("America/New_York", "2026-01-05T12:50:00Z").await;
    let job = world.submit(1, "often", Plan::Cron("0/5 * 8-9 ? * MON-FRI")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    world.zone = Tz::America__Los_Angeles;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    assert_eq!(world.count("slot_range WHERE count = 1440").await, 1);
    world.zone = Tz::America__Halifax;
    world.clock.set(at("2026-01-05T12:59:58Z"));
    let daemon = Daemon::start(&world, policy(), Scripted::idle()).await;
    for second in ["00", "05", "10"] {
        let now = at(&format!("2026-01-05T13:00:{second}Z"));
        world.clock.set(now);
        world.until_count(0, &format!("job WHERE next_fire_at <= {}", now.timestamp_millis())).await;
        world.until_count(0, "instance WHERE state <> 'Done'").await;
        let fired =
            format!("slot WHERE job_id = {job} AND due_at = {} AND disposition = 'fired'", now.timestamp_millis());
        assert_eq!(world.count(&fired).await, 1, "{second}");
    }
    assert_eq!(world.count("slot_range WHERE reason = 'slot-skipped-zone'").await, 1);
    daemon.shut_down().await;
}

/// What passes of such a range while the job is paused is told as that, beside it.
#[tokio::test]
async fn a_range_of_a_pause_that_begins_as_one_of_a_zone_does_is_told_as_what_it_is() {
    let mut world = World::in_zone("America/New_York", "2026-01-05T12:50:00Z").await;
    let job = world.submit(1, "often", Plan::Cron("* 0-30 8,9 ? * MON-FRI")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    for zone in [Tz::America__Los_Angeles, Tz::America__Halifax] {
        world.zone = zone;
        Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    }
    let (services, caller) = (services(&world), administrator());
    services.pause_job(&caller, named("often")).await.unwrap();
    world.clock.set(at("2026-01-05T13:50:00Z"));
    services.resume_job(&caller, named("often")).await.unwrap();
    let ranges = "SELECT reason, count FROM slot_range ORDER BY reason";
    assert_eq!(world.table(ranges).await, ["slot-skipped-paused 1860", "slot-skipped-zone 3720"]);
    assert_eq!(services.job_slots(&caller, job, 100).await.unwrap().len(), 2);
}

/// A job each second, of an hour that the zone has behind it.
#[tokio::test]
async fn very_many_that_a_zone_leaves_out_are_one_range_and_come_back() {
    let mut world = World::in_zone("America/New_York", "2026-01-05T12:30:00Z").await;
    let job = world.submit(1, "seconds", Plan::Cron("* * 8 * * ?")).await.job;
    Daemon::start(&world, policy(), Scripted::idle()).await.shut_down().await;
    let ranges = "SELECT first_at, last_at, count FROM slot_range WHERE reason = 'slot-skipped-zone'";
    let millis = |text: &str| at(text).timestamp_millis();
    let start = async |world: &World| Daemon::start(world, policy(), Scripted::idle()).await.shut_down().await;
    world.zone = Tz::Europe__Berlin;
    start(&world).await;
    let (first, last) = (millis("2026-01-05T13:00:00Z"), millis("2026-01-05T13:59:59Z"));
    assert_eq!(world.table(ranges).await, [format!("{first} {last} 3600")]);
    assert_eq!(world.count("slot").await, 0);
    // It is set right after ten seconds of that hour.
    world.clock.set(at("2026-01-05T13:00:09Z"));
    world.zone = Tz::America__New_York;
    start(&world).await;
    assert_eq!(world.table(ranges).await, [format!("{first} {} 10", first + 9000)]);
    let next = millis("2026-01-05T13:00:10Z");
    assert_eq!(world.count(&format!("job WHERE id = {job} AND next_fire_at = {next}")).await, 1);
    // What has passed of a job that is paused is told when it is resumed, and not by the zone.
    world.store().pause_job(job).await.unwrap();
    world.clock.set(at("2027-01-05T12:30:00Z"));
    world.zone = Tz::Europe__Berlin;
    start(&world).await;
    let of_today = (millis("2027-01-05T13:00:00Z"), millis("2027-01-05T13:59:59Z"));
    assert_eq!(world.table(ranges).await[1..], [format!("{} {} 3600", of_today.0, of_today.1)]);
    assert_eq!(world.count("slot").await, 0);
}
