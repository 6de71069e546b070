//! Who waits for a job, and what else must not hang or be left behind.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use super::service::until;
use super::*;

/// Waits for a job whose time is far away.
fn waiting(place: &Place, more: &[&str]) -> Child {
    let order = ["submit", "--kind", "optimizeImages", "--name", "Far", "--at", "2090-01-01T00:00", "--wait"];
    let mut command = place.command(&[&order[..], more].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_there = || place.json(&["jobs", "schedule", "--company", "Acme", "--json"])[0]["name"] == "Far";
    until("it is submitted", || is_there().then_some(()));
    child
}

fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn who_waits_for_a_job_hears_that_it_was_deleted() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let child = waiting(&place, &[]);
    place.run(&["jobs", "delete", "Far"]).ok();
    let ran = ended(child);
    assert!(ran.code == Some(1) && ran.err.contains("error: the job was deleted before it ran"), "{}", ran.err);
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn who_waits_for_a_job_hears_that_the_daemon_has_ended_and_waits_for_its_return() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let (impatient, patient) = (waiting(&place, &["--restart-within", "1s"]), {
        // The name is taken, so that this one waits for another job.
        let order = ["submit", "--kind", "optimizeImages", "--name", "Further", "--at", "2090-01-01T00:00", "--wait"];
        let mut command = place.command(&[&order[..], &["--restart-within", "10m"]].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let shown = || place.run(&["jobs", "schedule"]).ok().contains("Further");
        until("it is submitted", || shown().then_some(()));
        child
    });
    assert_eq!(daemon.terminate(), Some(0));
    let said = ended(impatient);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("did not come back within 1s"), "{}", said.err);
    assert!(said.err.contains("prepress jobs show 'j|47|Far||'"), "{}", said.err);
    let daemon = place.serve();
    place.run(&["jobs", "run", "Further"]).ok();
    let said = ended(patient);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.err.contains("the daemon has ended") && said.err.contains("the daemon is back"), "{}", said.err);
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_daemon_that_is_stopped_keeps_no_command_waiting() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    place.run(&["submit", "--kind", "optimizeImages", "--name", "Nightly", "--schedule", "0 0 2 * * ?"]).ok();
    // Stopped in the middle of a transaction it would keep the database from everybody: that is another matter.
    until("it is stopped while it writes nothing", || {
        daemon.signal(Signal::STOP);
        let free =
            Command::new("sqlite3").arg(place.data.join("prepress.db")).arg("BEGIN IMMEDIATE; ROLLBACK").output();
        let is_free = free.unwrap().status.success();
        if !is_free {
            daemon.signal(Signal::CONT);
        }
        is_free.then_some(())
    });
    let bell = UnixDatagram::unbound().unwrap();
    bell.set_nonblocking(true).unwrap();
    let rings = (0..1_000_000).find(|_| bell.send_to(b"look", place.data.join("wake.sock")).is_err());
    assert!(rings.is_some(), "nothing more fits before the door");
    place.run(&["jobs", "pause", "Nightly"]).ok();
    place.run(&["jobs", "resume", "Nightly"]).ok();
    daemon.signal(Signal::CONT);
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_daemon_whose_greeting_nobody_can_read_runs_all_the_same() {
    let place = Place::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let address = until("it listens", || fs::read_to_string(place.data.join("listen")).ok());
    let daemon = Daemon { child, address: address.trim().to_owned() };
    assert!(daemon.get("/readyz", None).0.starts_with("HTTP/1.1 200"));
    daemon.signal(Signal::TERM);
    let mut daemon = daemon;
    let mut log = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0), "{log}");
    assert!(log.contains("the greeting was not written") && log.contains("ended in good order"), "{log}");
    assert!(!place.data.join("prepress.db-wal").exists(), "the database was closed");
}

#[test]
fn a_changed_password_is_not_kept_where_the_first_one_was() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let login = place.data.join("admin-login");
    place.run_with_input(&["user", "password", "ada@acme.example", "--password-stdin"], PASSWORD).ok();
    assert!(login.exists(), "that was another user");
    let said = place.run_with_input(&["user", "password", "Admin@localhost", "--password-stdin"], PASSWORD).ok();
    assert!(said.contains("admin-login held the old one, and is removed"), "{said}");
    assert!(!login.exists());
    assert!(daemon.get("/api/jobs", Some(("admin@localhost", PASSWORD))).0.starts_with("HTTP/1.1 200"));
    assert_eq!(daemon.terminate(), Some(0));
}

/// What a held job waits for is said once, and again when it is something else.
#[test]
fn who_waits_for_a_job_hears_what_it_waits_for() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let mut child = waiting(&place, &[]);
    let (said, heard) = std::sync::mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| said.send(line).unwrap()));
    let hears = |what: &str| {
        let line = heard.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        assert!(line.contains(what), "{line}");
        // The same words as those of the job.
        let shown = place.run(&["jobs", "show", "Far"]).ok();
        assert!(shown.contains(&line), "{line}\n{shown}");
    };
    hears("Fires next on ");
    place.run(&["jobs", "pause", "Far"]).ok();
    hears("Its schedule is paused");
    place.run(&["jobs", "resume", "Far"]).ok();
    hears("Fires next on ");
    place.run(&["company", "expire", "Acme"]).ok();
    place.sql("UPDATE job SET next_fire_at = 1000 WHERE name = 'Far'");
    // The daemon looks whenever a command has changed something.
    place.run(&["jobs", "pause", "Cleanup"]).ok();
    loop {
        let line = heard.recv_timeout(std::time::Duration::from_secs(90)).unwrap();
        if line.contains("it runs when the company is open again") {
            break;
        }
        assert!(line.contains("Fires next on "), "{line}");
    }
    place.run(&["company", "expire", "Acme", "--never"]).ok();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    reader.join().unwrap();
    assert_eq!(daemon.terminate(), Some(0));
}
