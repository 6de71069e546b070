//! The command line as a person uses it: the real binary, beside a real daemon.

#![allow(clippy::unwrap_used, reason = "what fails here fails its test")]

#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/guarded.rs"]
mod guarded;
#[path = "cli/meant.rs"]
mod meant;
#[path = "cli/reload.rs"]
mod reload;
#[path = "cli/service.rs"]
mod service;
#[path = "cli/waits.rs"]
mod waits;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const PASSWORD: &str = "correct horse battery";

/// A data folder, and the commands on it.
struct Place {
    _folder: tempfile::TempDir,
    data: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self { _folder: folder, data }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = prepress(arguments);
        command.env("PREPRESS_DATA", &self.data);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let out = self.run(arguments).ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// Starts a daemon and reads what it says until its greeting is over.
    fn serve(&self) -> Daemon {
        Daemon::of(self.command(&["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null()))
    }

    /// With a company, a member, and pictures of which one is broken.
    fn furnish(&self) {
        self.run(&["company", "add", "Acme", "--id", "47"]).ok();
        let user = ["user", "add", "ada@acme.example", "--company", "Acme", "--role", "IpsUser", "--password-stdin"];
        self.run_with_input(&user, PASSWORD).ok();
        let folder = self.data.join("ingest/Acme/spring");
        fs::create_dir_all(&folder).unwrap();
        let picture = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, 90]));
        picture.save(folder.join("shoe.png")).unwrap();
        fs::write(folder.join("empty.jpg"), []).unwrap();
    }
}

fn prepress(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prepress"));
    command.args(arguments).env("TZ", "Europe/Berlin").env_remove("PREPRESS_CONFIG").env_remove("PREPRESS_DATA");
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Ran {
    Ran::of(prepress(arguments).output().unwrap())
}

/// What came of a command.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        assert_eq!(self.err, "");
        self.out
    }

    /// One line that says what, and one that says what to do.
    fn refused(self) -> String {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    /// Starts one, and reads what it says until it has said where it listens.
    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the daemon greets").unwrap();
        let address = first.rsplit("://").next().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// SIGTERM, and its exit code.
    fn terminate(mut self) -> Option<i32> {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().unwrap().code()
    }

    /// A GET over a bare socket: status line and headers, and body.
    fn get(&self, path: &str, login: Option<(&str, &str)>) -> (String, String) {
        use base64::Engine;
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        let login = login.map(|(user, password)| {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Authorization: Basic {encoded}\r\n")
        });
        let login = login.unwrap_or_default();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{login}Connection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Only of use when a test failed half-way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_start_makes_a_login_and_says_where_everything_is() {
    let place = Place::new();
    let daemon = place.serve();
    let login = place.data.join("admin-login");
    assert_eq!(fs::metadata(&login).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&place.data).unwrap().permissions().mode() & 0o777, 0o750, "others have no business there");
    let text = fs::read_to_string(&login).unwrap();
    let password = text.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
    assert_eq!(fs::read_to_string(place.data.join("listen")).unwrap().trim(), daemon.address);
    let (head, _) = daemon.get("/api/jobs", Some(("admin@localhost", password)));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");

    let second = place.run(&["serve", "--listen", "127.0.0.1:0"]).refused();
    assert!(second.contains("another daemon (process "), "{second}");
    assert!(second.contains("--data"), "{second}");
    assert_eq!(daemon.terminate(), Some(0));

    // A second start makes no second login.
    fs::remove_file(&login).unwrap();
    let daemon = place.serve();
    assert!(!login.exists());
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_daemon_that_cannot_start_says_why() {
    // Whoever runs the tests, nobody may make folders there.
    let error = run(&["serve", "--data", "/sys/prepress", "--listen", "127.0.0.1:0"]).refused();
    assert!(error.contains("/sys/prepress"), "{error}");
    assert!(error.contains("hint: "), "{error}");

    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = place.run(&["serve", "--listen", &address]).refused();
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
    assert!(!place.data.join("admin-login").exists(), "a login that nobody was told");

    let config = place.data.join("bad.toml");
    fs::write(&config, "[mail]\nsmpt_host = \"x\"\n").unwrap();
    let error = run(&["serve", "--config", config.to_str().unwrap()]).refused();
    assert!(error.contains("did you mean `mail.smtp_host`"), "{error}");
}

#[test]
fn a_first_start_that_breaks_off_leaves_a_login_that_is_written_down() {
    let place = Place::new();
    fs::create_dir_all(place.data.join("listen.part")).unwrap();
    let error = place.run(&["serve", "--listen", "127.0.0.1:0"]).refused();
    assert!(error.contains("cannot write"), "{error}");
    fs::remove_dir(place.data.join("listen.part")).unwrap();
    let daemon = place.serve();
    let text = fs::read_to_string(place.data.join("admin-login")).unwrap();
    let password = text.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
    let (head, _) = daemon.get("/api/jobs", Some(("admin@localhost", password)));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[test]
fn what_the_configuration_says_of_accounts_and_addresses_holds() {
    let place = Place::new();
    let config = place.data.with_extension("toml");
    fs::write(
        &config,
        "[server]\npublic_url = \"https://images.example.com/\"\n\
         [accounts]\npassword_min_length = 14\nargon2_memory = \"8 MiB\"\nargon2_iterations = 3\n",
    )
    .unwrap();
    let config = config.to_str().unwrap();
    let run = |arguments: &[&str], input: &str| {
        let mut command = place.command(arguments);
        command.env("PREPRESS_CONFIG", config);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ran::of(child.wait_with_output().unwrap())
    };
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.env("PREPRESS_CONFIG", config).stderr(Stdio::null()));

    run(&["company", "add", "Acme"], "").ok();
    let add = ["user", "add", "ada@acme.example", "--company", "Acme", "--password-stdin"];
    assert!(run(&add, "thirteen char").refused().contains("at least 14"));
    run(&add, "fourteen chars").ok();
    let database = place.data.join("prepress.db");
    let hash = Command::new("sqlite3").arg(database).arg("SELECT password_hash FROM account").output().unwrap();
    let hashes = String::from_utf8(hash.stdout).unwrap();
    assert_eq!(hashes.matches("$argon2id$v=19$m=8192,t=3,p=1$").count(), 2, "{hashes}");
    let (head, _) = daemon.get("/api/jobs", Some(("ada@acme.example", "fourteen chars")));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (_, wsdl) = daemon.get("/scene7/IpsApi.wsdl", None);
    assert!(wsdl.contains("location=\"https://images.example.com/scene7/services/IpsApiService\""), "{wsdl}");

    // A company may be closed and opened.
    assert!(run(&["company", "expire", "Acme"], "").ok().contains("has expired, at "));
    let (head, body) = daemon.get("/api/jobs", Some(("ada@acme.example", "fourteen chars")));
    assert!(head.starts_with("HTTP/1.1 403"), "{head}{body}");
    assert!(run(&["company", "expire", "Acme", "--never"], "").ok().contains("does not expire"));
    let (head, _) = daemon.get("/api/jobs", Some(("ada@acme.example", "fourteen chars")));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    for (at, said) in [
        ("2090-07-01T12:00Z", "expires at 2090-07-01 14:00:00"),
        ("2090-07-01", "expires at 2090-07-01 00:00:00"),
        ("2090-07-01T12:00:00+02:00", "expires at 2090-07-01 12:00:00"),
    ] {
        let expired = run(&["company", "expire", "Acme", "--at", at], "").ok();
        assert!(expired.contains(said), "{at}: {expired}");
    }
    assert!(run(&["company", "expire", "Acme", "--at", "soon"], "").refused().contains("\"soon\" is not a time"));
    assert!(run(&["company", "expire", "Acme", "--never"], "").ok().contains("does not expire"));
    assert!(run(&["company", "expire", "Nobody"], "").refused().contains("prepress company list"));
}

#[test]
fn commands_without_a_database_say_how_to_get_one() {
    let place = Place::new();
    for command in [&["company", "list"][..], &["jobs", "list"], &["user", "list"], &["jobs", "show", "1"]] {
        let error = place.run(command).refused();
        assert!(error.contains("no Prepress database") && error.contains("prepress serve"), "{error}");
    }
    let check = place.run(&["check"]).ok();
    assert!(check.contains("is not there"), "{check}");
}

#[test]
fn companies_and_users() {
    let place = Place::new();
    let daemon = place.serve();
    let added = place.run(&["company", "add", "Acme", "--id", "47"]).ok();
    assert!(added.contains("c|47"), "{added}");
    assert!(place.data.join("ingest/Acme").is_dir());
    assert!(place.run(&["company", "add", "Acme"]).refused().contains("already exists"));
    let listed = place.json(&["company", "list", "--json"]);
    assert_eq!(listed[0]["handle"], "c|47");
    assert_eq!(listed[0]["rootPath"], "Acme");

    let made = place.run(&["user", "add", "ada@acme.example", "--company", "Acme", "--role", "IpsUser"]).ok();
    assert!(made.contains("password"), "{made}");
    let unknown = place.run(&["user", "add", "bob@acme.example", "--company", "Nobody", "--role", "IpsUser"]).refused();
    assert!(unknown.contains("prepress company list"), "{unknown}");
    assert!(place.run(&["user", "add", "no address", "--company", "Acme"]).refused().contains("mail address"));
    let wrong_role = place.run(&["user", "add", "x@y.example", "--company", "Acme", "--role", "King"]);
    assert_eq!(wrong_role.code, Some(2));
    assert!(wrong_role.err.contains("IpsCompanyAdmin"), "{}", wrong_role.err);

    place.run_with_input(&["user", "password", "ada@acme.example", "--password-stdin"], PASSWORD).ok();
    let (head, _) = daemon.get("/api/jobs", Some(("ada@acme.example", PASSWORD)));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let short = place.run_with_input(&["user", "password", "ada@acme.example", "--password-stdin"], "abc");
    assert!(short.refused().contains("at least"));
    assert!(
        place
            .run_with_input(&["user", "password", "x@y.example", "--password-stdin"], PASSWORD)
            .refused()
            .contains("no user")
    );

    let users = place.json(&["user", "list", "--json"]);
    let ada = users.as_array().unwrap().iter().find(|user| user["email"] == "ada@acme.example").unwrap();
    assert_eq!(ada["memberships"][0]["role"], "IpsUser");
    assert!(ada.get("passwordHash").is_none(), "{ada}");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_job_from_submission_to_its_log() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let submit = ["submit", "--kind", "uploadDirectory", "--dir", "spring", "--publish", "Full", "--email", "All"];
    let dry = place.run(&[&submit[..], &["--dry-run"]].concat()).ok();
    assert!(dry.contains("This job is in order. Nothing was submitted"), "{dry}");
    let mistyped = place.run(&["submit", "--kind", "uploadDirectory", "--dir", "sprng", "--dry-run"]).ok();
    assert!(mistyped.contains("would fail") && mistyped.contains("Acme/sprng does not exist"), "{mistyped}");
    assert_eq!(place.json(&["jobs", "list", "--json"])["jobs"].as_array().unwrap().len(), 0);

    let user = ["--user", "ada@acme.example", "--name", "Spring", "--wait", "--json"];
    let waited = place.run(&[&submit[..], &user].concat());
    assert_eq!(waited.code, Some(4), "a file had an error: {}{}", waited.out, waited.err);
    let runs: Value = serde_json::from_str(&waited.out).unwrap();
    assert_eq!(runs.as_array().unwrap().len(), 2, "the upload and its publish: {runs}");

    let list = place.json(&["jobs", "list", "--name", "Spring", "--json"]);
    let job = &list["jobs"][0];
    assert_eq!(job["outcome"], "Succeeded");
    assert_eq!(job["counters"]["success"], 1);
    assert_eq!(job["counters"]["errors"], 1);
    assert_eq!(job["responsible"], "ada@acme.example");
    let table = place.run(&["jobs", "list"]).ok();
    assert!(table.starts_with("RUN  STATE") && table.contains("done, errors"), "{table}");
    assert!(!table.contains('\x1b'), "colour where no terminal is");

    let run = job["run"].as_i64().unwrap().to_string();
    let handle = job["handle"].as_str().unwrap();
    for id in [run.as_str(), handle, "Spring"] {
        let details = place.json(&["jobs", "show", id, "--json"]);
        assert_eq!(details["run"].to_string(), run, "by {id}");
        assert_eq!(details["followUps"].as_array().unwrap().len(), 1);
        assert_eq!(details["notices"].as_array().unwrap().len(), 2, "mails at begin and end");
    }
    let shown = place.run(&["jobs", "show", &run]).ok();
    assert!(shown.contains("serverDir") && shown.contains("mail, end"), "{shown}");

    let log = place.run(&["jobs", "log", &run]).ok();
    assert!(log.contains("BeginUpload") && log.contains("EndUpload"), "{log}");
    let errors = place.run(&["jobs", "log", &run, "--errors"]).ok();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("empty.jpg"), "{errors}");
    let typed = place.run(&["jobs", "log", &run, "--type", "uploadsuccess", "--json"]).ok();
    let line: Value = serde_json::from_str(&typed).unwrap();
    assert_eq!(line["type"], "UploadSuccess");
    let followed = place.run(&["jobs", "log", &run, "--follow"]).ok();
    assert_eq!(followed, log, "following a run that is done ends");
    let unknown = place.run(&["jobs", "log", &run, "--type", "UploadEror"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("UploadError"), "{}", unknown.err);

    assert!(place.run(&["jobs", "show", "999"]).refused().contains("no job \"999\""));
    assert!(place.run(&["jobs", "stop", &run]).refused().contains("no run of this job is waiting or running"));
    assert_eq!(daemon.terminate(), Some(0));
}

/// What a command has in `DATA/mail`, the newest last.
fn mails(place: &Place) -> Vec<String> {
    let mut found: Vec<_> =
        fs::read_dir(place.data.join("mail")).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "eml"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[test]
fn a_file_that_is_left_out_for_its_name_is_told_everywhere() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let cards = place.data.join("ingest/Acme/cards");
    for (card, shade) in [("A", 10), ("B", 200)] {
        fs::create_dir_all(cards.join(card)).unwrap();
        let picture = image::RgbImage::from_fn(40, 30, |x, _| image::Rgb([x as u8, shade, 0]));
        picture.save(cards.join(card).join("IMG_0001.png")).unwrap();
    }
    let submit = |more: &[&str]| {
        let flags = ["submit", "--kind", "uploadDirectory", "--dir", "cards", "--wait", "--json", "--email", "Error"];
        let ran = place.run(&[&flags[..], &["--user", "ada@acme.example"], more].concat());
        let runs: Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
        (ran.code, runs[0].clone())
    };
    let (code, job) = submit(&[]);
    let counters = |job: &Value| {
        ["success", "duplicates", "leftOut", "errors"].map(|name| job["counters"][name].as_i64().unwrap())
    };
    assert_eq!((code, counters(&job)), (Some(4), [1, 1, 1, 0]), "{job}");
    let run = job["run"].to_string();
    for flag in ["--problems", "--errors"] {
        let problems = place.run(&["jobs", "log", &run, flag]).ok();
        assert_eq!(problems.lines().count(), 1, "{problems}");
        assert!(problems.contains("DuplicateSkipped") && problems.contains("B/IMG_0001.png"), "{problems}");
        assert!(problems.contains("Acme/A/IMG_0001.png has its name and other content"), "{problems}");
    }
    let table = place.run(&["jobs", "list"]).ok();
    assert!(table.contains("done, errors") && table.contains("1 left out"), "{table}");
    assert!(place.run(&["jobs", "show", &run]).ok().contains("1 ok, 1 left out"), "{table}");
    let ended = place.run(&["jobs", "log", &run]).ok();
    assert!(ended.contains("1 of the duplicates was left out although nothing with its content is stored"), "{ended}");
    let told = service::until("the mail", || mails(&place).pop());
    assert!(told.contains("done, but 1 file was left out"), "{told}");

    // The same again is the same; numbered it is none of it; and what has its number is a duplicate.
    assert_eq!(submit(&[]).0, Some(4));
    assert!(place.run(&["company", "same-name", "Acme", "rename"]).err.contains("must be skip, number or default"));
    assert!(place.run(&["company", "same-name", "Nobody", "skip"]).refused().contains("prepress company list"));
    assert!(place.run(&["company", "list"]).ok().contains("  skip (default)  "));
    let said = place.run(&["company", "same-name", "Acme", "number"]).ok();
    assert!(place.run(&["company", "list"]).ok().contains("  number  "));
    assert!(said.contains("that has the name of an asset with other content gets a number."), "{said}");
    assert_eq!(submit(&["--same-name", "skip"]).0, Some(4));
    let (code, job) = submit(&[]);
    assert_eq!((code, counters(&job)), (Some(0), [1, 1, 0, 0]), "{job}");
    let said = place.run(&["company", "same-name", "Acme", "default"]).ok();
    assert!(said.contains("is left out, as the configuration says"), "{said}");
    let (code, job) = submit(&[]);
    assert_eq!((code, counters(&job)), (Some(0), [0, 2, 0, 0]), "{job}");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_document_that_lacks_pages_is_told_everywhere() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let folder = place.data.join("ingest/Acme/papers");
    fs::create_dir_all(&folder).unwrap();
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>";
    let objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 5 >>", page, page];
    let mut pdf = "%PDF-1.7\n".to_owned();
    let mut table = "xref\n0 5\n0000000000 65535 f \n".to_owned();
    for (number, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", pdf.len());
        pdf += &format!("{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let start = pdf.len();
    fs::write(
        folder.join("report.pdf"),
        format!("{pdf}{table}trailer << /Size 5 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"),
    )
    .unwrap();
    let order = r#"{"companyHandle": "c|47", "jobName": "Papers", "uploadDirectoryJob": {"serverDir": "papers",
        "emailSetting": "Error", "pdfOptions": {"process": "Rasterize"}}}"#;
    let ran = place.run_with_input(&["submit", "-", "--wait", "--user", "ada@acme.example"], order);
    let said = "report.pdf says that it has 5 pages, but only 2 can be found in it";
    assert_eq!(ran.code, Some(4), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("done, errors") && ran.out.contains("1 err"), "{}", ran.out);
    for flag in ["--problems", "--errors"] {
        let problems = place.run(&["jobs", "log", "1", flag]).ok();
        assert!(problems.contains("PdfRipError") && problems.contains(said), "{problems}");
    }
    let told = service::until("the mail", || mails(&place).pop());
    assert!(told.contains("1 error"), "{told}");
    assert!(told.replace("=\r\n", "").replace("=\n", "").contains("says that it has 5 pages"), "{told}");

    // By flags as well.
    let flags = ["submit", "--kind", "uploadDirectory", "--dir", "papers", "--dest", "again", "--email", "None"];
    let refused = place.run(&[&flags[..], &["--pages=2401"]].concat()).refused();
    assert!(refused.contains("resolution") && refused.contains("2400"), "{refused}");
    let document = fs::read(folder.join("report.pdf")).unwrap();
    for (pages, pixels) in [("--pages", 150), ("--pages=36", 36)] {
        // What is there already is a duplicate.
        let another = [&document[..], format!("% {pixels}\n").as_bytes()].concat();
        fs::write(folder.join(format!("at{pixels}.pdf")), another).unwrap();
        assert_eq!(place.run(&[&flags[..], &[pages, "--wait"]].concat()).code, Some(4));
        let sides = format!("SELECT width, height FROM asset WHERE name = 'at{pixels}-2'");
        let sides = Command::new("sqlite3").arg(place.data.join("prepress.db")).arg(sides).output().unwrap();
        assert_eq!(String::from_utf8(sides.stdout).unwrap(), format!("{pixels}|{pixels}\n"), "{pages}");
    }
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_time_that_has_passed_is_said_to_mean_at_once() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let order = ["submit", "--kind", "optimizeImages", "--at", "2020-01-02T03:04:00Z"];
    let said = place.run(&order).ok();
    assert!(said.contains("at once, because its time has passed: ") && said.contains("2020-01-0"), "{said}");
    let log =
        service::until("the log", || Some(place.run(&["jobs", "log", "1"]).out).filter(|log| log.contains("JobInfo")));
    assert!(log.contains("The job was to run on ") && log.contains(" Jan 2020, "), "{log}");
    assert!(log.contains("had passed when it was submitted, so it runs at once"), "{log}");
    let dry = place.run(&[&order[..], &["--dry-run"]].concat()).ok();
    assert!(dry.contains("at once, because its time has passed"), "{dry}");
    let json = place.json(&[&order[..], &["--json"]].concat());
    assert_eq!(json["passed"], "2020-01-02T03:04:00Z", "{json}");
    let now = place.json(&["submit", "--kind", "optimizeImages", "--json"]);
    assert!(now["passed"].is_null(), "{now}");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn jobs_from_files() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let inner = "<companyHandle>47</companyHandle><jobName>My Test Job</jobName><imageServingPublishJob>\
                 <publishType>Full</publishType><emailSetting>Error</emailSetting></imageServingPublishJob>";
    let bare = format!("<submitJobParam xmlns=\"http://www.scene7.com/IpsApi/xsd\">{inner}</submitJobParam>");
    let envelope = format!(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>{bare}</e:Body></e:Envelope>"
    );
    let json = "{\"companyHandle\": \"c|47\", \"jobName\": \"My Test Job\", \
                \"imageServingPublishJob\": {\"publishType\": \"Full\", \"emailSetting\": \"Error\"}}";
    let wrapped = format!("{{\"submitJobParam\": {json}}}");
    for text in [bare.as_str(), &envelope, json, &wrapped] {
        let waited = place.run_with_input(&["submit", "-", "--wait", "--json"], text).ok();
        let runs: Value = serde_json::from_str(&waited).unwrap();
        assert_eq!(runs[0]["name"], "My Test Job");
        assert_eq!(runs[0]["outcome"], "Succeeded");
    }
    for (text, said) in [
        ("", "it is empty"),
        ("<submitJobParam>", "is not a submitJobParam"),
        ("<!DOCTYPE x><submitJobParam/>", "DTD"),
        ("{\"companyHandle\": ", "is not a submitJobParam"),
        ("{\"jobName\": \"x\"}", "exactly one is needed"),
        ("{\"jobName\": \"x\", \"imageServingPublishJob\": {\"publishType\": \"Some\"}}", "publishType"),
        ("{\"jobName\": \"a|b\", \"optimizeImagesJob\": {}}", "jobName"),
        ("{\"companyHandle\": \"c|9\", \"jobName\": \"x\", \"optimizeImagesJob\": {}}", "no such company"),
        ("<getActiveJobsParam xmlns=\"http://www.scene7.com/IpsApi/xsd\"/>", "getActiveJobs"),
    ] {
        let error = place.run_with_input(&["submit", "-"], text).refused();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert!(place.run(&["submit", "/nonexistent/job.xml"]).refused().contains("/nonexistent/job.xml"));
    assert_eq!(place.run(&["submit"]).code, Some(2));
    // Flags that would be passed over without a word.
    assert_eq!(place.run(&["submit", "job.xml", "--dir", "spring"]).code, Some(2));
    for flags in [["--kind", "optimizeImages", "--dir", "x"], ["--kind", "uploadDirectory", "--url", "http://a/b.jpg"]]
    {
        let error = place.run(&[&["submit"], &flags[..]].concat()).refused();
        assert!(error.contains(&format!("{} means nothing to --kind {}", flags[2], flags[1])), "{error}");
    }
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn schedules_are_controlled_and_waits_explained() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let nightly = ["submit", "--kind", "imageServingPublish", "--name", "Nightly", "--schedule", "0 0 2 * * ?"];
    let submitted = place.run(&nightly).ok();
    assert!(submitted.contains("every day at 02:00:00") && submitted.contains("next"), "{submitted}");
    assert!(place.run(&nightly).refused().contains("already exists"));
    assert!(place.run(&[&nightly[..], &["--dry-run"]].concat()).refused().contains("exists already"));
    assert!(place.run(&[&nightly[..], &["--wait"]].concat()).refused().contains("no end to wait for"));
    let wrong = ["submit", "--kind", "optimizeImages", "--schedule", "0 2 * * *"];
    assert!(place.run(&wrong).refused().contains("Unix cron"));

    let schedules = || place.json(&["jobs", "schedule", "--company", "Acme", "--json"]);
    let state = || schedules()[0]["triggerState"].clone();
    assert_eq!(state(), "Normal");
    place.run(&["jobs", "pause", "Nightly"]).ok();
    assert_eq!(state(), "Paused");
    assert!(place.run(&["jobs", "show", "Nightly"]).ok().contains("paused"));
    place.run(&["jobs", "resume", "Nightly"]).ok();
    assert_eq!(state(), "Normal");
    assert!(place.run(&["jobs", "resume", "Nightly"]).refused().contains("is not paused"));
    assert!(place.run(&["jobs", "log", "Nightly"]).refused().contains("has not run yet"));
    assert_eq!(daemon.terminate(), Some(0));

    // Without a daemon nothing moves, and every command says so.
    assert!(place.run(&["jobs", "run", "Nightly"]).ok().contains("not running"));
    let submitted = place.run(&["submit", "--kind", "optimizeImages", "--name", "Later"]).ok();
    assert!(submitted.contains("No daemon is running"), "{submitted}");
    let waits = ["submit", "--kind", "optimizeImages", "--wait"];
    assert!(place.run(&waits).refused().contains("no daemon is running"));
    assert!(place.run(&["jobs", "list", "--state", "waiting"]).ok().contains("No daemon runs on this"));
    assert_eq!(place.json(&["jobs", "show", "Later", "--json"])["waits"]["code"], "wait-daemon");
    place.run(&["jobs", "stop", "Later"]).ok();
    assert_eq!(place.json(&["jobs", "show", "Later", "--json"])["outcome"], "Stopped");
    place.run(&["jobs", "delete", "Nightly"]).ok();
    assert_eq!(schedules().as_array().unwrap().len(), 0);
    assert_eq!(place.json(&["jobs", "schedule", "--json"])[0]["name"], "Cleanup", "the server's own");
}

#[test]
fn a_schedule_across_the_changes_of_the_clock() {
    let next = |arguments: &[&str]| run(&[&["schedule", "next"], arguments].concat());
    let spring = ["0 30 2 * * ?", "--zone", "Europe/Berlin", "--from", "2027-03-27", "-n", "3"];
    let out = next(&spring).ok();
    let lines: Vec<&str> = out.lines().skip(3).collect();
    assert!(out.starts_with("Every day at 02:30:00"), "{out}");
    assert!(lines[0].starts_with("Sat 2027-03-27 02:30:00 CET") && lines[0].contains("2027-03-27 01:30:00"), "{out}");
    assert!(lines[1].starts_with("Sun 2027-03-28 03:00:00 CEST"), "{out}");
    assert!(lines[1].contains("clock set forward 1 h to summer time"), "{out}");
    assert!(!lines[2].contains("clock set"), "{out}");

    let autumn = ["0 0/30 1-3 * * ?", "--zone", "Europe/Berlin", "--from", "2027-10-31T01:45", "-n", "5", "--json"];
    let answer: Value = serde_json::from_str(&next(&autumn).ok()).unwrap();
    let utc: Vec<&str> = answer["firings"].as_array().unwrap().iter().map(|at| at["utc"].as_str().unwrap()).collect();
    assert_eq!(
        utc,
        [
            "2027-10-31T00:00:00Z",
            "2027-10-31T00:30:00Z",
            "2027-10-31T01:00:00Z",
            "2027-10-31T01:30:00Z",
            "2027-10-31T02:00:00Z"
        ]
    );
    assert_eq!(answer["firings"][2]["remark"], "clock set back 1 h to standard time");

    assert!(next(&["0 0 12 1 1 ? 1999"]).ok().contains("It never fires.\n"));
    assert!(next(&["0 0 25 * * ?"]).refused().contains("hours"));
    assert!(
        next(&["0 0 12 * * ?", "--from", "2027-03-28T02:30", "--zone", "Europe/Berlin"])
            .refused()
            .contains("set forward")
    );
    let zone = next(&["0 0 12 * * ?", "--zone", "Europe/Berln"]);
    assert_eq!(zone.code, Some(2));
    assert!(zone.err.contains("did you mean Europe/Berlin"), "{}", zone.err);
}

#[test]
fn check_lists_what_is_wrong() {
    let place = Place::new();
    let daemon = place.serve();
    let good = place.run(&["check"]).ok();
    assert!(good.contains("runs as process") && good.contains("database"), "{good}");
    assert_eq!(daemon.terminate(), Some(0));

    let config = place.data.join("check.toml");
    let text = "[mail]\nsmtp_host = \"127.0.0.1\"\nsmtp_port = 1\ntls = \"none\"\n\
                [server]\ntls_certificate = \"no.crt\"\ntls_key = \"no.key\"\n[ingest]\nroot = \"check.toml\"\n";
    fs::write(&config, text).unwrap();
    let bad = place.run(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(bad.code, Some(1));
    for said in [
        "no.crt cannot be read: No such file",
        "check.toml is not a folder",
        "127.0.0.1:1",
        "It does not work: 3 errors, and 1 warning beside.",
    ] {
        assert!(bad.out.contains(said), "{said}: {}", bad.out);
    }
}

#[test]
fn administrators_see_jobs_as_json_with_the_rights_of_their_login() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    place.run(&["company", "add", "Beta", "--id", "48"]).ok();
    let bob = ["user", "add", "bob@beta.example", "--company", "Beta", "--role", "IpsUser", "--password-stdin"];
    place.run_with_input(&bob, PASSWORD).ok();
    let upload =
        ["submit", "--kind", "uploadDirectory", "--dir", "spring", "--company", "Acme", "--name", "Spring", "--wait"];
    assert_eq!(place.run(&upload).code, Some(4));

    let get = |path: &str, user: &str| {
        let (head, body) = daemon.get(path, Some((user, PASSWORD)));
        let status = head.split(' ').nth(1).unwrap().parse::<u16>().unwrap();
        (status, serde_json::from_str::<Value>(&body).unwrap(), head)
    };
    let (status, page, _) = get("/api/jobs", "ada@acme.example");
    assert_eq!((status, page["jobs"][0]["name"].as_str()), (200, Some("Spring")));
    let run = page["jobs"][0]["run"].to_string();
    assert_eq!(get("/api/jobs", "bob@beta.example").1["jobs"].as_array().unwrap().len(), 0);
    for path in [format!("/api/jobs/{run}"), format!("/api/jobs/{run}/log"), "/api/jobs?company=Acme".to_owned()] {
        let (status, problem, head) = get(&path, "bob@beta.example");
        assert_eq!((status, problem["type"].as_str()), (404, Some("not-found")), "{path}");
        assert!(head.contains("application/problem+json"), "{head}");
    }
    let (_, details, _) = get(&format!("/api/jobs/{run}"), "ada@acme.example");
    assert_eq!(details["order"]["uploadDirectoryJob"]["serverDir"], "spring");
    let (_, log, _) = get(&format!("/api/jobs/{run}/log?severity=error"), "ada@acme.example");
    assert_eq!(log["lines"].as_array().unwrap().len(), 1);
    assert_eq!(log["lines"][0]["code"], "upload-error");
    let (_, first, _) = get(&format!("/api/jobs/{run}/log?limit=2"), "ada@acme.example");
    let (_, second, _) = get(&format!("/api/jobs/{run}/log?limit=2&after={}", first["next"]), "ada@acme.example");
    assert!(second["lines"][0]["id"].as_i64() > first["lines"][1]["id"].as_i64());
    for (query, field) in [
        ("state=Runing", "state"),
        ("kind=x", "kind"),
        ("limit=0", "limit"),
        ("since=yesterday", "since"),
        ("before=x", "before"),
        ("sate=Running", "sate"),
    ] {
        let (status, problem, _) = get(&format!("/api/jobs?{query}"), "ada@acme.example");
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{problem}");
    }
    let (head, body) = daemon.get("/api/jobs", None);
    assert!(head.starts_with("HTTP/1.1 401") && head.contains("Basic realm"), "{head}");
    assert!(body.contains("not-authenticated"), "{body}");

    assert!(daemon.get("/healthz", None).1.contains("alive"));
    let (head, body) = daemon.get("/readyz", None);
    assert!(head.starts_with("HTTP/1.1 200") && body.contains("\"ready\""), "{head}{body}");
    let (head, metrics) = daemon.get("/metrics", None);
    for secret in ["Acme", "acme", "Beta", "company=", "ada", "bob", "Spring", "spring", "shoe", "empty"] {
        assert!(!metrics.contains(secret), "it is for everybody to read, so it names no {secret}: {metrics}");
    }
    assert!(head.contains("openmetrics-text"), "{head}");
    for line in [
        "prepress_attempts_ended_total{result=\"Succeeded\"} 1",
        "prepress_items_total 2",
        "prepress_companies 2",
        "prepress_outbox_pending{channel=\"mail\"} 0",
        "prepress_http_requests_total{route=\"health\",operation=\"\",status=\"200\"} 2",
        "prepress_commit_group_size_count",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn commands_take_the_configuration_of_the_daemon() {
    let place = Place::new();
    fs::create_dir_all(&place.data).unwrap();
    let file = place.data.with_extension("toml");
    fs::write(&file, "zone = \"Asia/Tokyo\"\n[ingest]\nroot = \"../elsewhere\"\n").unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()];
    let daemon = Daemon::of(place.command(&serve).stderr(Stdio::null()));
    let added = place.run(&["company", "add", "Acme"]).ok();
    assert!(added.contains("elsewhere/Acme"), "{added}");
    let next = place.run(&["schedule", "next", "0 0 3 * * ?", "--count", "1"]).ok();
    assert!(next.contains("Asia/Tokyo"), "{next}");
    let checked = place.run(&["check"]);
    assert!(checked.out.contains(file.to_str().unwrap()), "{}", checked.out);
    assert_eq!(daemon.terminate(), Some(0));

    // Started without one, it has none.
    let daemon = place.serve();
    assert!(!place.run(&["schedule", "next", "0 0 3 * * ?", "--count", "1"]).ok().contains("Asia/Tokyo"));
    assert_eq!(daemon.terminate(), Some(0));
}

/// In small, so that it is known to run: figures come from larger ones.
#[test]
fn media_are_measured_against_other_tools() {
    let place = Place::new();
    fs::create_dir_all(&place.data).unwrap();
    let small = ["bench", "media", "--pictures", "2", "--side", "128", "--rounds", "1", "--json"];
    let folder = ["--folder", place.data.to_str().unwrap()];
    let ran = place.command(&[&small[..], &folder].concat()).output().unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    let figures: Vec<Value> = serde_json::from_str(&shown).unwrap();
    for (what, program) in [("JPEGs", "vips"), ("WebPs", "vips"), ("PDF pages", "pdftoppm"), ("views", "vipsthumbnail")]
    {
        let is_meant = |figure: &&Value| {
            figure["what"].as_str().unwrap().contains(what)
                && figure["against"]["what"].as_str().unwrap().starts_with(program)
        };
        let found: Vec<_> = figures.iter().filter(is_meant).collect();
        assert!(found.len() >= 2, "speed and memory of {what}: {shown}");
        assert!(found.iter().all(|figure| figure["value"].as_f64().unwrap() > 0.0), "{shown}");
    }
    assert_eq!(fs::read_dir(&place.data).unwrap().count(), 0, "its files are gone");
}

/// In small, so that it is known to run: figures come from larger ones.
#[test]
fn lists_are_measured_at_size() {
    let place = Place::new();
    fs::create_dir_all(&place.data).unwrap();
    let small = ["bench", "queries", "--runs", "10000", "--rounds", "1", "--rows", "20", "--json"];
    let folder = ["--folder", place.data.to_str().unwrap()];
    let ran = place.command(&[&small[..], &folder].concat()).output().unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    let figures: Vec<Value> = serde_json::from_str(&shown).unwrap();
    for what in ["getJobLogs of a company by Email", "getJobLogDetails by name", "jobs list: failed", "pollers"] {
        let found = figures.iter().find(|figure| figure["what"].as_str().unwrap().contains(what));
        let figure = found.unwrap_or_else(|| panic!("{what}: {shown}"));
        assert!(figure["value"].as_f64().unwrap() > 0.0 && figure["against"].is_object(), "{shown}");
    }
    assert_eq!(fs::read_dir(&place.data).unwrap().count(), 0, "its files are gone");
}

#[test]
fn the_demo_makes_pages_a_spin_an_archive_and_a_film() {
    let place = Place::new();
    let shown = place.run(&["demo", "--exit", "--size", "200"]).ok();
    for made in ["Lookbook-catalog", "Mug-spin", "Mug-turning-240p", "Mug-turning-AVS", "The exported archive"] {
        assert!(shown.contains(made), "{made}: {shown}");
    }
    let published = place.data.join("publish");
    for file in
        ["image-serving/Demo/Lookbook-2.tif", "image-serving/Demo/Mug-spin.json", "video/Demo/Mug-turning-AVS.m3u8"]
    {
        assert!(published.join(file).is_file(), "{file}: {shown}");
    }
    assert!(!shown.contains("failed"), "{shown}");
}

#[test]
fn the_demo_shows_the_whole_and_takes_no_foreign_folder() {
    let place = Place::new();
    let pictures = place.data.with_extension("pictures");
    fs::create_dir_all(&pictures).unwrap();
    image::RgbImage::new(80, 60).save(pictures.join("lamp.png")).unwrap();
    let demo = ["demo", "--exit", "--from", pictures.to_str().unwrap()];
    let shown = place.run(&demo).ok();
    for said in ["j|1|Spring catalogue||", "UploadSuccess", "Subject: ", "lamp.tif", "Where to look next"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    place.run(&[&demo[..], &["--clear"]].concat()).ok();
    let foreign = place.run(&["demo", "--exit", "--data", pictures.to_str().unwrap()]).refused();
    assert!(foreign.contains("no demo made it"), "{foreign}");
    assert!(pictures.join("lamp.png").exists());
}

#[test]
fn presets_are_made_changed_and_removed() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    let properties = run(&["preset", "properties", "set-script"]).ok();
    assert!(properties.contains("baseName") && !properties.contains("videoBitrate"), "{properties}");
    let rules = run(&["preset", "properties", "--json"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&rules).unwrap()[1]["properties"][1]["name"], "suffix");

    let add = ["preset", "add", "set-script", "--company", "Acme", "name=Colours", "setType=ImageSet"];
    let script = place.json(&[&add[..], &["match=(.*-.*)-[0-9]+", "suffix=-SET", "--json"]].concat());
    assert_eq!(script["properties"]["match"], "(.*-.*)-[0-9]+");
    let handle = script["handle"].as_str().unwrap();
    let why = place.run(&[&add[..], &["match=("]].concat()).refused();
    assert!(why.contains("match") && why.contains("unclosed group"), "{why}");
    assert!(place.run(&[&add[..], &["match=(.*)"]].concat()).refused().contains("Colours"));

    let file = place.data.join("small.json");
    fs::write(&file, r#"{"name": "Small", "suffix": "-480p", "height": 480}"#).unwrap();
    let file = file.to_str().unwrap();
    let video = ["preset", "add", "video", "--company", "Acme", "--file", file, "height=360"];
    assert!(place.run(&video).ok().contains("ps|"), "its handle is said");
    let listed = place.json(&["preset", "list", "--company", "Acme", "--json"]);
    assert_eq!((listed[0]["name"].as_str(), listed[1]["name"].as_str()), (Some("Colours"), Some("Small")));
    assert_eq!(listed[1]["properties"]["height"], "360", "what is typed comes before the file");
    assert_eq!(place.json(&["preset", "list", "--kind", "video", "--json"]).as_array().unwrap().len(), 1);
    let table = place.run(&["preset", "list"]).ok();
    assert!(table.contains("set-script") && table.contains("suffix=-SET"), "{table}");

    let changed = place.run(&["preset", "change", handle, "suffix=", "prefix=Set "]).ok();
    assert!(changed.contains("Colours") && changed.contains("Set "), "{changed}");
    assert!(place.run(&["preset", "show", handle]).ok().contains("set-script"));
    let number = handle.trim_start_matches("ps|");
    assert!(place.run(&["preset", "remove", number]).refused().contains("no preset"), "a number is no handle");
    assert_eq!(place.run(&["preset", "show", "Colours"]).ok(), place.run(&["preset", "show", handle]).ok());
    assert!(place.run(&["preset", "change", handle, "colour=red"]).refused().contains("colour"));
    let submit = ["submit", "--kind", "uploadDirectory", "--company", "Acme", "--dir", "", "--dry-run", "--sets"];
    let dry = place.run(&[&submit[..], &[handle, "--json"]].concat()).ok();
    let order = &serde_json::from_str::<Value>(&dry).unwrap()["order"]["uploadDirectoryJob"];
    assert_eq!(order["autoSetCreationOptions"]["autoSetsArray"], serde_json::json!([handle]));
    let small = listed[1]["handle"].as_str().unwrap();
    assert!(place.run(&[&submit[..], &[small]].concat()).refused().contains("of type SetScript"));
    place.run(&["preset", "remove", handle]).ok();
    assert!(place.run(&["preset", "show", handle]).refused().contains("no preset"));
    assert!(place.run(&["preset", "add", "video", "--company", "Nobody", "name=A"]).refused().contains("Nobody"));
    assert!(place.run(&["preset", "add", "video", "--company", "Acme"]).refused().contains("no properties"));
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn completions_and_manual() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(&["completions", shell]).ok().contains("prepress"), "{shell}");
    }
    let page = run(&["man"]).ok();
    assert!(page.contains(".TH prepress 1") && page.contains("Exit codes"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    run(&["man", "--out", folder.path().to_str().unwrap()]).ok();
    assert!(folder.path().join("prepress-jobs-list.1").is_file());
    let main = fs::read_to_string(folder.path().join("prepress.1")).unwrap();
    for said in [".SH ENVIRONMENT", "PREPRESS_DATA", ".SH FILES", "prepress.db"] {
        assert!(main.contains(said) && page.contains(said), "{said}");
    }
    assert!(run(&["--help"]).ok().contains("Exit codes"));
    assert_eq!(run(&["jbos"]).code, Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let daemon = place.serve();
    let closed = |arguments: &[&str]| {
        let mut child = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        Ran::of(child.wait_with_output().unwrap())
    };
    for command in [&["user", "list"][..], &["completions", "bash"], &["jobs", "list", "--json"], &["man"]] {
        let ran = closed(command);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{command:?}");
    }
    assert_eq!(daemon.terminate(), Some(0));
}
