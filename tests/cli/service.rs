//! The real binary as a service manager, a log collector and an impatient person see it.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use super::*;

/// Longer than anything takes that a test waits for.
pub const GUARD: Duration = Duration::from_secs(120);

/// Looks until there is something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < GUARD, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn interrupt(child: &Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), Signal::INT).unwrap();
}

/// Starts a command whose lines can be waited for.
fn start(mut command: Command) -> (Child, impl FnMut(&str)) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let until_said = move |what: &str| {
        let said = lines.by_ref().map(|line| line.unwrap()).find(|line| line.contains(what));
        assert!(said.is_some(), "it never said {what}");
    };
    (child, until_said)
}

/// What a command that was started came to: its code, and what it wrote to standard error.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

/// So many pictures that a job about them lasts until somebody ends it.
fn many_pictures(folder: &std::path::Path) {
    fs::create_dir_all(folder).unwrap();
    for number in 0..400_u32 {
        let shade = u8::try_from(number % 251).unwrap();
        let picture = image::RgbImage::from_fn(400, 300, |x, y| image::Rgb([shade, x as u8, y as u8]));
        picture.save(folder.join(format!("picture-{number}.bmp"))).unwrap();
    }
}

#[test]
fn a_service_manager_is_told_of_the_start_the_life_and_the_end() {
    let place = Place::new();
    let path = place.data.with_extension("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(GUARD)).unwrap();
    let hear = || {
        let mut text = [0; 4096];
        let length = socket.recv(&mut text).expect("the service manager is told something");
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
    let mut daemon = Daemon::of(command.stderr(Stdio::null()));
    let ready = hear();
    assert!(ready.lines().any(|line| line == "READY=1"), "{ready}");
    assert!(ready.lines().any(|line| line == format!("STATUS=Listening on {}", daemon.address)), "{ready}");
    assert!(daemon.get("/readyz", None).0.starts_with("HTTP/1.1 200"), "and it is true");
    for _ in 0..3 {
        assert_eq!(hear().trim_end(), "WATCHDOG=1");
    }
    daemon.signal(Signal::TERM);
    let last = until("it says that it stops", || Some(hear()).filter(|said| said.trim_end() != "WATCHDOG=1"));
    assert_eq!(last.trim_end(), "STOPPING=1");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
}

/// The log is JSON if that is asked for, and whatever it says, the passwords in addresses are not in it; nor are they
/// shown to anybody.
#[test]
fn a_json_log_is_one_value_a_line_and_addresses_are_shown_without_their_passwords() {
    const SECRET: &str = "s3cret";
    let place = Place::new();
    let (config, log) = (place.data.with_extension("toml"), place.data.with_extension("log"));
    let text = "[log]\nformat = \"json\"\nlevel = \"debug\"\n[fetch]\nallow_private = true\nattempts = 1\n";
    fs::write(&config, text).unwrap();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.env("PREPRESS_CONFIG", &config).stderr(File::create(&log).unwrap()));
    place.furnish();
    let nobody = format!("http://ann:{SECRET}@127.0.0.1:1");
    let order = format!(
        r#"{{"companyHandle": "c|47", "jobName": "Secrets", "uploadUrlsJob": {{
            "urlArray": [{{"sourceUrl": "{nobody}/shoe.jpg", "destPath": ""}}], "postHttpUrl": "{nobody}/done",
            "postImageServingPublishJob": {{"publishType": "Full", "httpCompletionUrl": "{nobody}/published"}}}}}}"#
    );
    let dry = place.run_with_input(&["submit", "-", "--user", "ada@acme.example", "--dry-run"], &order).ok();
    let waited = place.run_with_input(&["submit", "-", "--user", "ada@acme.example", "--wait"], &order);
    assert_eq!(waited.code, Some(4), "nothing listens there: {}{}", waited.out, waited.err);
    let tried = || {
        let details = place.json(&["jobs", "show", "Secrets", "--json"]);
        (details["notices"][0]["attempts"] == 1).then_some(details)
    };
    let details = until("the completion URL is tried", tried);
    assert_eq!(details["order"]["uploadUrlsJob"]["urlArray"][0]["sourceUrl"], "http://127.0.0.1:1/shoe.jpg");
    assert_eq!(details["order"]["uploadUrlsJob"]["postHttpUrl"], "http://127.0.0.1:1/done");
    assert_eq!(details["notices"][0]["recipient"], "http://127.0.0.1:1/done");
    let run = details["run"].to_string();
    let login = Some(("ada@acme.example", PASSWORD));
    let shown = [
        dry,
        waited.out,
        details.to_string(),
        place.run(&["jobs", "show", &run]).ok(),
        place.run(&["jobs", "log", &run]).ok(),
        daemon.get(&format!("/api/jobs/{run}"), login).1,
        daemon.get(&format!("/api/jobs/{run}/log"), login).1,
        daemon.get("/api/jobs", login).1,
    ];
    for text in shown {
        assert!(!text.contains(SECRET) && !text.contains("ann:"), "{text}");
    }
    assert_eq!(daemon.terminate(), Some(0));

    let log = fs::read_to_string(log).unwrap();
    let mut messages = Vec::new();
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value["timestamp"].is_string() && value["level"].is_string(), "{line}");
        messages.extend(value["message"].as_str().map(str::to_owned));
    }
    for said in ["begins", "ends", "a message was not delivered yet", "ended in good order"] {
        assert!(messages.iter().any(|message| message == said), "{said}: {log}");
    }
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn a_demo_that_is_interrupted_ends_in_good_order() {
    // While it draws.
    let place = Place::new();
    let (child, mut until_said) = start(place.command(&["demo", "--exit", "--size", "8192"]));
    until_said("Drawing a sample catalogue");
    interrupt(&child);
    let (code, said) = end(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.starts_with("interrupted: ") && said.lines().count() == 1, "{said}");

    // While the job runs: what was begun is back in the queue, and goes on.
    let pictures = place.data.with_extension("pictures");
    many_pictures(&pictures);
    let demo = ["demo", "--exit", "--clear", "--from", pictures.to_str().unwrap()];
    let (child, mut until_said) = start(place.command(&demo));
    until_said("submitted");
    interrupt(&child);
    let (code, said) = end(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.starts_with("interrupted: ") && said.contains("prepress serve --data"), "{said}");
    assert!(!place.data.join("prepress.db-wal").exists(), "the database was closed");
    let run = || place.json(&["jobs", "list", "--json"])["jobs"][0].clone();
    assert_eq!((run()["state"].as_str(), run()["failures"].as_i64()), (Some("WaitingCoordinator"), Some(0)));
    let daemon = place.serve();
    until("it goes on", || (run()["progress"]["done"].as_i64() > Some(0)).then_some(()));
    assert_eq!(daemon.terminate(), Some(0));

    // While it serves.
    fs::remove_dir_all(&pictures).unwrap();
    fs::create_dir_all(&pictures).unwrap();
    image::RgbImage::new(80, 60).save(pictures.join("lamp.png")).unwrap();
    let (child, mut until_said) = start(place.command(&["demo", "--clear", "--from", pictures.to_str().unwrap()]));
    until_said("Serving until Ctrl-C");
    interrupt(&child);
    assert_eq!(end(child), (Some(0), String::new()), "there it is the way to end it");

    // What it made goes when somebody says so, and not before another can begin.
    let database = place.data.join("prepress.db");
    let demo = |more: &[&str]| place.run(&[&["demo", "--exit"], more].concat()).refused();
    let refused = demo(&["--clear", "--from", "/not/there"]);
    assert!(refused.contains("/not/there is not a folder") && database.exists(), "{refused}");
    let refused = demo(&["--from", pictures.to_str().unwrap()]);
    assert!(refused.contains("holds an earlier demo") && refused.contains("--clear") && database.exists(), "{refused}");
    let own = place.data.join("ingest/Demo/spring");
    let refused = demo(&["--clear", "--from", own.to_str().unwrap()]);
    assert!(refused.contains("would be removed with it") && own.join("lamp.png").exists(), "{refused}");
    let daemon = place.serve();
    let refused = place.run(&["company", "add", "48"]).refused();
    assert!(refused.contains("must not be a number or a handle"), "{refused}");
    assert_eq!(daemon.terminate(), Some(0));
}

/// Where its own folder lies among the pictures, which a user makes by taking the folder that the shell is in.
#[test]
fn a_demo_takes_the_pictures_and_nothing_of_its_own() {
    let place = Place::new();
    let pictures = place.data.with_extension("pictures");
    fs::create_dir_all(pictures.join("more")).unwrap();
    image::RgbImage::new(80, 60).save(pictures.join("lamp.png")).unwrap();
    fs::copy(pictures.join("lamp.png"), pictures.join("more/shade.png")).unwrap();
    std::os::unix::fs::symlink("lamp.png", pictures.join("link.png")).unwrap();
    let demo = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prepress"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(&pictures);
        let said = command.args(["demo", "--exit", "--from", "."]).args(more).output().unwrap();
        (said.status.code(), String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned())
    };
    let (code, said) = demo(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 files (1 links and special files stay behind) in "), "{said}");
    let own = pictures.join("prepress-demo/ingest/Demo/spring");
    let mut names: Vec<_> = fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lamp.png", "more"]);
    // What only looks like a demo's is not cleared, and a link to one is.
    let real = pictures.with_extension("real");
    fs::rename(pictures.join("prepress-demo"), &real).unwrap();
    std::os::unix::fs::symlink(&real, pictures.join("prepress-demo")).unwrap();
    fs::write(real.join("other"), "other").unwrap();
    let (code, said) = demo(&["--clear"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!real.join("other").exists() && real.join("prepress.db").exists());
    fs::write(real.join(".prepress-demo"), "something else").unwrap();
    let (code, said) = demo(&["--clear"]);
    assert!(code != Some(0) && said.contains("no demo made it") && real.join("prepress.db").exists(), "{said}");
    // Nor does it write where a configuration has other folders.
    let ingest = pictures.with_extension("ingest");
    fs::create_dir_all(ingest.join("Demo")).unwrap();
    fs::write(pictures.join("other.toml"), format!("[ingest]\nroot = \"{}\"\n", ingest.display())).unwrap();
    let (code, said) = demo(&["--data", "fresh", "--config", "other.toml"]);
    assert!(code != Some(0) && said.contains("is not empty, and not the demo's"), "{said}");
    assert!(!pictures.join("fresh").exists());
}

#[test]
fn who_stops_waiting_for_a_job_does_not_stop_the_job() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    many_pictures(&place.data.join("ingest/Acme/many"));
    let mut command =
        place.command(&["submit", "--kind", "uploadDirectory", "--dir", "many", "--name", "Many", "--wait"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let run = || place.json(&["jobs", "list", "--json"])["jobs"][0].clone();
    until("it runs", || (run()["state"] == "Running").then_some(()));
    interrupt(&child);
    let (code, said) = end(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("the job goes on") && said.contains("prepress jobs show"), "{said}");
    assert_eq!(run()["state"], "Running");
    assert_eq!(daemon.terminate(), Some(0));
}

/// A page that another program would have to draw, which is not installed, is drawn all the same, and has a line that says so.
#[test]
fn a_page_that_needs_a_program_which_is_not_there_says_which() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.env("PATH", "/nonexistent").stderr(Stdio::null()));
    place.furnish();
    let folder = place.data.join("ingest/Acme/pages");
    fs::create_dir_all(&folder).unwrap();
    let form = "/Type/XObject/Subtype/Form/BBox[0 0 90 90]/Group<</S/Transparency/K true>>/Resources<</ExtGState<</H<</ca 0.5>>>>>>";
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 90 90]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>".to_owned(),
        "<</Length 5>>\nstream\n/X Do\nendstream".to_owned(),
        format!("<<{form}/Length 35>>\nstream\n/H gs 5 5 60 60 re f 30 30 60 60 re f\nendstream"),
    ];
    let mut file = "%PDF-1.7\n".to_owned();
    for (number, object) in (1..).zip(objects) {
        file += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    file += "trailer<</Size 6/Root 1 0 R>>\nstartxref\n0\n%%EOF\n";
    fs::write(folder.join("leaf.pdf"), file).unwrap();
    fs::write(folder.join("print.eps"), "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n0 0 9 9 rectfill\n%%EOF\n")
        .unwrap();
    let order = r#"{"companyHandle": "c|47", "jobName": "Leaf", "uploadDirectoryJob": {"serverDir": "pages",
        "pdfOptions": {"process": "Rasterize"}, "postScriptOptions": {"process": "Rasterize"}, "emailSetting": "None"}}"#;
    place.run_with_input(&["submit", "-", "--user", "ada@acme.example", "--wait"], order);
    let log = place.run(&["jobs", "log", "Leaf"]).out;
    let line = log.lines().find(|line| line.contains("knockout")).unwrap_or_default();
    assert!(line.contains("gs is not installed") && line.contains("Debian package ghostscript"), "{log}");
    assert!(log.contains("leaf-1.pdf was processed as page 1"), "{log}");
    let eps = log.lines().find(|line| line.contains("print.eps: its pages")).unwrap_or_default();
    assert!(eps.contains("UploadWarning") && eps.contains("gs is not installed"), "{log}");
    // A job that is there to draw pages has not done what it is for.
    let order = r#"{"companyHandle": "c|47", "jobName": "Rip", "ripPdfsJob": {"pdfHandleArray": ["a|1", "a|2", "a|3"], "emailSetting": "None"}}"#;
    let ripped = place.run_with_input(&["submit", "-", "--user", "ada@acme.example", "--wait"], order);
    let log = place.run(&["jobs", "log", "Rip"]).out;
    assert_eq!(ripped.code, Some(4), "{log}");
    let eps = log.lines().find(|line| line.contains("print.eps: its pages")).unwrap_or_default();
    assert!(eps.contains("PdfRipError") && eps.contains("gs is not installed"), "{log}");
    // What is no document is named.
    assert!(log.contains("(leaf-1): its pages could not be drawn: it is a page"), "{log}");
    assert_eq!(daemon.terminate(), Some(0));
}
