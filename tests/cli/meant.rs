//! Which job is meant, and which zone.

use super::service::until;
use super::*;

/// With a second company, and nobody at work: what is submitted waits.
fn two_companies() -> Place {
    let place = Place::new();
    assert_eq!(place.serve().terminate(), Some(0));
    place.furnish();
    place.run(&["company", "add", "Beta", "--id", "48"]).ok();
    place
}

fn submit(place: &Place, company: &str, name: &str, more: &[&str]) -> String {
    let order = ["submit", "--kind", "optimizeImages", "--company", company, "--name", name, "--json"];
    let submitted = place.json(&[&order[..], more].concat());
    submitted["run"].as_i64().map(|run| run.to_string()).unwrap_or_default()
}

fn run_of(place: &Place, run: &str) -> Value {
    place.json(&["jobs", "show", run, "--json"])
}

/// The handles that a refusal lists, ready to paste.
fn listed(refused: &str) -> Vec<String> {
    let line = |line: &str| Some(line.trim().strip_prefix('\'')?.split_once("'  ")?.0.to_owned());
    refused.lines().filter_map(line).collect()
}

#[test]
fn a_name_that_several_have_is_refused_with_the_list_to_choose_from() {
    let place = two_companies();
    let acme = submit(&place, "Acme", "Night", &[]);
    let beta = submit(&place, "Beta", "Night", &[]);
    for verb in ["stop", "run", "delete", "pause", "resume", "retry", "show", "log", "slots"] {
        let refused = place.run(&["jobs", verb, "Night"]).refused();
        assert!(refused.contains("more than one job could be meant by \"Night\""), "{verb}: {refused}");
        assert_eq!(listed(&refused).len(), 2, "{verb}: {refused}");
    }
    let open = |run: &str| run_of(&place, run)["state"] == "WaitingCoordinator";
    assert!(open(&acme) && open(&beta), "nothing was done");
    // Which of them it is can be said by the company, or by a handle of the list.
    let handles = listed(&place.run(&["jobs", "stop", "Night"]).refused());
    let stopped = place.run(&["jobs", "stop", &handles[1]]).ok();
    assert!(stopped.contains("in Beta") && open(&acme) && !open(&beta), "{stopped}");
    // One of them is over. Who stops the other by its name may have meant the one that is over.
    assert!(place.run(&["jobs", "stop", "Night"]).refused().contains("Beta: nothing of it waits or runs"));
    let stopped = place.run(&["jobs", "stop", "Night", "--company", "Acme"]).ok();
    assert!(stopped.contains("in Acme") && !open(&acme), "{stopped}");

    // Two jobs of the name in one company: a verb for one job wants to know which.
    let (first, second) = (submit(&place, "Acme", "Ada's", &[]), submit(&place, "Acme", "Ada's", &[]));
    for verb in ["stop", "run", "delete", "retry"] {
        let refused = place.run(&["jobs", verb, "Ada's"]).refused();
        assert!(refused.contains(&format!("|{first}'")) && refused.contains(&format!("|{second}'")), "{refused}");
        assert!(refused.contains(r"Ada'\''s"), "as a shell reads it: {refused}");
    }
    assert!(
        place.run(&["jobs", "run", "j|47|Ada's||"]).refused().contains("more than one job"),
        "nor the handle they share"
    );
    place.run(&["jobs", "delete", &first]).ok();
    assert!(open(&second));
    // Now there is one that the verb could mean.
    assert!(place.run(&["jobs", "stop", "Ada's"]).ok().contains(&format!("|{second}")));
    // The handle that jobs of one name share means all of them where that can be meant.
    let both = [submit(&place, "Acme", "Twice", &[]), submit(&place, "Acme", "Twice", &[])];
    assert!(place.run(&["jobs", "stop", "j|47|Twice||"]).ok().contains("Every job \"Twice\" in Acme"));
    assert!(both.iter().all(|run| !open(run)));
    // What is run once more is named by the run that follows.
    let ended = place.sql("UPDATE job SET deleted_at = 1 WHERE name = 'Twice' AND id < (SELECT max(id) FROM job)");
    assert_eq!(ended, "");
    let taken = place.run(&["jobs", "run", "Twice"]).ok();
    let newest = place.sql("SELECT max(id) FROM instance");
    assert!(!both.contains(&newest) && taken.contains(&format!("|{newest}, is queued for a run")), "{taken}");
}

#[test]
fn a_number_is_a_run_or_else_the_name_of_a_job() {
    let place = two_companies();
    let run = submit(&place, "Acme", "First", &[]);
    let other = submit(&place, "Acme", &run, &[]);
    let numbered = submit(&place, "Acme", "4711", &[]);
    let taken = place.run(&["jobs", "stop", "4711"]).ok();
    assert!(taken.contains("There is no run 4711") && taken.contains("The job \"4711\" in Acme"), "{taken}");
    assert_eq!(run_of(&place, &numbered)["outcome"], "Stopped");
    let taken = place.run(&["jobs", "stop", &run]).ok();
    assert!(taken.contains("The run of \"First\" in Acme") && !taken.contains("There is no run"), "{taken}");
    assert_eq!(run_of(&place, &run)["outcome"], "Stopped");
    assert_eq!(run_of(&place, &other)["state"], "WaitingCoordinator", "the job of that name is another");
    for name in [format!("00{other}"), format!("+{other}")] {
        let named = submit(&place, "Beta", &name, &[]);
        assert_eq!(place.json(&["jobs", "show", &name, "--json"])["name"], name);
        place.run(&["jobs", "stop", &name]).ok();
        assert_eq!(run_of(&place, &named)["outcome"], "Stopped", "{name}");
        assert_eq!(run_of(&place, &other)["state"], "WaitingCoordinator", "{name} is no number");
    }
    assert!(place.run(&["jobs", "stop", "4712"]).refused().contains("there is no job \"4712\""));
}

#[test]
fn administrators_see_and_end_what_is_left_in_a_company_that_has_expired() {
    let place = two_companies();
    let run = submit(&place, "Beta", "Left", &[]);
    submit(&place, "Beta", "Later", &["--at", "2090-01-01T00:00"]);
    place.run(&["company", "expire", "Beta"]).ok();
    assert_eq!(place.json(&["jobs", "list", "--company", "Beta", "--json"])["jobs"][0]["name"], "Left");
    assert_eq!(place.json(&["jobs", "schedule", "--company", "Beta", "--json"])[0]["name"], "Later");
    for verb in ["run", "pause", "resume", "retry"] {
        assert!(place.run(&["jobs", verb, "Later"]).refused().contains("the company expired at"), "{verb}");
    }
    place.run(&["jobs", "stop", "Left"]).ok();
    assert_eq!(run_of(&place, &run)["outcome"], "Stopped");
    place.run(&["jobs", "delete", "Later", "--company", "Beta"]).ok();
    assert_eq!(place.json(&["jobs", "schedule", "--company", "Beta", "--json"]).as_array().unwrap().len(), 0);
}

#[test]
fn a_job_whose_time_came_while_its_company_was_expired_is_shown_to_wait_for_it() {
    let place = two_companies();
    submit(&place, "Beta", "Later", &["--at", "2090-01-01T00:00"]);
    submit(&place, "Beta", "Often", &["--schedule", "0 0 2 * * ?"]);
    place.run(&["company", "expire", "Beta"]).ok();
    place.sql("UPDATE job SET next_fire_at = 1000 WHERE name = 'Later'");
    let daemon = place.serve();
    let shown = || place.run(&["jobs", "schedule", "--company", "Beta"]).ok();
    until("it is held", || (shown().matches("company expired").count() == 2).then_some(()));
    assert!(place.run(&["jobs", "show", "Later"]).ok().contains("it runs when the company is open again"));
    assert!(place.run(&["jobs", "show", "Often"]).ok().contains("what falls due meanwhile is skipped"));
    place.run(&["company", "expire", "Beta", "--never"]).ok();
    let done = || place.json(&["jobs", "list", "--name", "Later", "--json"])["jobs"][0]["outcome"] == "Succeeded";
    until("it runs, late", || done().then_some(()));
    let slots = place.run(&["jobs", "slots", "Later"]).ok();
    assert!(slots.contains("late"), "{slots}");
    assert_eq!(daemon.terminate(), Some(0));
    // What never ran, because its last time passed meanwhile, is there to be looked at.
    submit(&place, "Acme", "Once", &["--schedule", "0 0 2 1 1 ? 2090"]);
    place.run(&["jobs", "pause", "Once"]).ok();
    place.sql("UPDATE job SET exec_schedule = '0 0 2 1 1 ? 2001', next_fire_at = 978310800000 WHERE name = 'Once'");
    let resumed = place.run(&["jobs", "resume", "Once"]).ok();
    assert!(resumed.contains("fires no more: its last time passed while it was paused"), "{resumed}");
    assert!(place.run(&["jobs", "show", "Once"]).ok().contains("complete"));
    assert!(place.run(&["jobs", "slots", "Once"]).ok().contains("Skipped, because the schedule was paused."));
}

/// The daemon's zone is that of the data, whatever the shell of who looks at it says, or the configuration that it names.
#[test]
fn the_command_line_is_in_the_zone_of_the_data() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let tokyo = place.data.with_extension("toml");
    fs::write(&tokyo, "zone = \"Asia/Tokyo\"\n").unwrap();
    let tokyo = tokyo.to_str().unwrap();
    // (TZ of the shell, the configuration that it names, what it is told of)
    let shells: [(&str, Option<&str>, Option<&str>); 4] = [
        ("Europe/Berlin", None, None),
        ("UTC", None, Some("UTC (from TZ)")),
        ("America/New_York", None, Some("America/New_York (from TZ)")),
        ("Europe/Berlin", Some(tokyo), Some("Asia/Tokyo (from the configuration)")),
    ];
    for (index, (zone, file, told)) in shells.into_iter().enumerate() {
        let shell = |arguments: &[&str]| {
            let mut command = place.command(arguments);
            command.env("TZ", zone).envs(file.map(|file| ("PREPRESS_CONFIG", file)));
            let ran = Ran::of(command.output().unwrap());
            assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
            match told {
                None => assert_eq!(ran.err, ""),
                Some(told) => {
                    assert_eq!(ran.err.lines().count(), 1, "it is told once: {}", ran.err);
                    assert!(ran.err.contains("Europe/Berlin") && ran.err.contains(told), "{}", ran.err);
                }
            }
            ran.out
        };
        let (noon, once, now) = (format!("Noon {index}"), format!("Once {index}"), format!("Now {index}"));
        let order = ["submit", "--kind", "optimizeImages", "--name"];
        let said = shell(&[&order[..], &[&noon, "--schedule", "0 0 12 * * ?"]].concat());
        assert!(said.contains("(Europe/Berlin)") && said.contains(" 12:00:00 CE"), "{said}");
        shell(&[&order[..], &[&once, "--at", "2090-07-01T12:00"]].concat());
        let fires = |name: &str| {
            let text = place.json(&["jobs", "show", name, "--json"])["nextFireAt"].as_str().unwrap().to_owned();
            text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().with_timezone(&chrono_tz::Europe::Berlin)
        };
        for name in [&noon, &once] {
            assert_eq!(fires(name).format("%H:%M").to_string(), "12:00", "{name} in a shell in {zone}");
        }
        // Another resumes it.
        shell(&["jobs", "pause", &noon]);
        shell(&["jobs", "resume", &noon]);
        assert_eq!(fires(&noon).format("%H:%M").to_string(), "12:00");
        assert!(shell(&["jobs", "schedule"]).contains("2090-07-01 12:00:00"));
        assert!(shell(&["schedule", "next", "0 0 12 * * ?", "-n", "1"]).contains("(Europe/Berlin)"));
        // Runs have the time of the zone in their names.
        shell(&[&order[..], &[&now]].concat());
        let run = place.json(&["jobs", "show", &now, "--json"]);
        let created: chrono::DateTime<chrono::Utc> = run["createdAt"].as_str().unwrap().parse().unwrap();
        let local = created.with_timezone(&chrono_tz::Europe::Berlin).format("%Y-%m-%d-%H:%M");
        assert!(run["runName"].as_str().unwrap().contains(&local.to_string()), "{run} {local}");
    }
    assert_eq!(daemon.terminate(), Some(0));

    // A daemon that starts in another zone takes the data with it.
    let serve = ["serve", "--listen", "127.0.0.1:0", "--config", tokyo];
    let daemon = Daemon::of(place.command(&serve).stderr(Stdio::null()));
    assert!(place.run(&["schedule", "next", "0 0 12 * * ?", "-n", "1"]).ok().contains("(Asia/Tokyo)"));
    assert_eq!(daemon.terminate(), Some(0));
}

/// A job that is deleted comes after those that are there, and does not keep their name from meaning them.
#[test]
fn jobs_that_are_deleted_leave_their_name_to_those_that_are_not() {
    let place = two_companies();
    submit(&place, "Beta", "Night", &["--at", "2090-01-01T00:00"]);
    let gone = submit(&place, "Beta", "Day", &[]);
    place.run(&["jobs", "delete", "Night"]).ok();
    place.run(&["jobs", "delete", "Day"]).ok();
    submit(&place, "Acme", "Night", &["--at", "2091-01-01T00:00"]);
    let day = submit(&place, "Acme", "Day", &[]);
    let shown = place.run(&["jobs", "show", "Night"]).ok();
    assert!(shown.contains("Acme") && shown.contains("Other jobs have this name, or had it"), "{shown}");
    assert!(shown.contains("prepress jobs list --name 'Night'"), "{shown}");
    assert_eq!(run_of(&place, "Day")["run"].to_string(), day);
    for verb in ["log", "slots"] {
        let ran = place.run(&["jobs", verb, "Day"]);
        assert!(!ran.err.contains("more than one job"), "{}", ran.err);
    }
    // Also in one company.
    let (first, second) = (submit(&place, "Acme", "Both", &[]), submit(&place, "Acme", "Both", &[]));
    place.run(&["jobs", "delete", &second]).ok();
    assert_eq!(run_of(&place, "Both")["run"].to_string(), first);
    // One that has nobody beside it says nothing of others; what is deleted is still found by its name if that is all there is.
    submit(&place, "Acme", "Alone", &[]);
    assert!(!place.run(&["jobs", "show", "Alone"]).ok().contains("Other jobs"));
    place.run(&["jobs", "delete", &day]).ok();
    assert_eq!(run_of(&place, &gone)["outcome"], "Stopped");
    assert!(place.run(&["jobs", "show", "Day"]).refused().contains("more than one job"));
}

/// All that a word stops is named.
#[test]
fn every_run_that_is_stopped_is_said() {
    let place = two_companies();
    submit(&place, "Acme", "Often", &["--schedule", "0 0 2 1 1 ? 2090"]);
    let run = |_| {
        place.run(&["jobs", "run", "Often"]).ok();
        run_of(&place, "Often").get("run").cloned()
    };
    (0..3).for_each(|round| drop(run(round)));
    let said = place.run(&["jobs", "stop", "Often"]).ok();
    assert_eq!(said.matches("stops: run ").count(), 3, "{said}");
    let both = [submit(&place, "Acme", "Twice", &[]), submit(&place, "Acme", "Twice", &[])];
    let said = place.run(&["jobs", "stop", "j|47|Twice||"]).ok();
    for run in &both {
        assert!(said.contains(&format!("stops: run {run} ")), "{said}");
    }
    let one = submit(&place, "Acme", "Once", &[]);
    let said = place.run(&["jobs", "stop", &one]).ok();
    assert!(!said.contains("stops: run "), "it is named already: {said}");
    (0..2).for_each(|round| drop(run(round)));
    let said = place.run(&["jobs", "delete", "Often"]).ok();
    assert_eq!(said.matches("stops: run ").count(), 2, "{said}");
}

#[test]
fn a_time_is_read_with_an_offset_and_said_as_it_was_understood() {
    let place = two_companies();
    let order = ["submit", "--kind", "optimizeImages", "--company", "Acme", "--name"];
    for (index, text) in ["2090-01-01T01:00Z", "2090-01-01T01:00:00Z", "2090-01-01 10:00+09:00", "2090-01-01T02:00"]
        .into_iter()
        .enumerate()
    {
        let name = format!("At {index}");
        let said = place.run(&[&order[..], &[&name, "--at", text]].concat()).ok();
        assert!(
            said.contains("once, on Sun 2090-01-01 02:00:00 CET") && said.contains("(Europe/Berlin)"),
            "{text}: {said}"
        );
        assert_eq!(place.json(&["jobs", "show", &name, "--json"])["nextFireAt"], "2090-01-01T01:00:00Z", "{text}");
        let dry = place.run(&[&order[..], &["Dry", "--dry-run", "--at", text]].concat()).ok();
        assert!(dry.contains("once, on Sun 2090-01-01 02:00:00 CET"), "{text}: {dry}");
    }
    let json = place.json(&[&order[..], &["Json", "--json", "--at", "2090-01-01T01:00Z"]].concat());
    assert_eq!(
        (json["firesAt"].as_str(), json["zone"].as_str()),
        (Some("2090-01-01T01:00:00Z"), Some("Europe/Berlin"))
    );
    assert!(place.run(&[&order[..], &["No", "--at", "soon"]].concat()).refused().contains("soon"));
}

/// The zone that rules is that of the data.
#[test]
fn check_tells_the_zone_of_the_data_from_that_of_the_shell() {
    let place = Place::new();
    assert_eq!(place.serve().terminate(), Some(0));
    let check = |zone: &str| {
        let out = place.command(&["check"]).env("TZ", zone).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let zone =
        |said: &str| said.lines().skip_while(|line| !line.contains("zone")).take(2).collect::<Vec<_>>().join("\n");
    let (same, other) = (zone(&check("Europe/Berlin")), zone(&check("America/New_York")));
    assert!(same.contains("Europe/Berlin, that of the data"), "{same}");
    assert!(other.contains("Europe/Berlin, that of the data; here it is America/New_York (from TZ)"), "{other}");
    let out = prepress(&["check", "--data", "/nonexistent/data"]).env("TZ", "Asia/Tokyo").output().unwrap();
    assert!(zone(&String::from_utf8(out.stdout).unwrap()).contains("Asia/Tokyo, from TZ"));
}
