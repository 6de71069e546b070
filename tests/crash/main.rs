//! A real process, killed at any moment and started again.

#![allow(clippy::unwrap_used, reason = "what fails here fails its test")]

#[path = "../support/database.rs"]
mod database;
mod disk;
mod leaks;
mod load;
mod loops;
mod memory;
mod pages;
mod watched;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use database::Database;
use serde_json::json;

const PASSWORD: &str = "correct horse battery";

struct Process {
    child: Child,
    address: String,
}

fn prepress(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prepress"));
    command.args(arguments).env("PREPRESS_DATA", data).env("TZ", "Europe/Berlin");
    let config = data.with_extension("toml");
    if config.exists() {
        command.env("PREPRESS_CONFIG", config);
    }
    command
}

/// Starts a daemon and waits until it says where it listens.
fn serve(data: &Path) -> Process {
    announced(&mut prepress(data, &["serve", "--listen", "127.0.0.1:0"]))
}

fn announced(command: &mut Command) -> Process {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().expect("the daemon says where it listens").unwrap();
    let address = first.rsplit("http://").next().unwrap().to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    Process { child, address }
}

impl Process {
    fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no chance to tidy up.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its exit code.
    fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

fn run(data: &Path, arguments: &[&str], input: &str) {
    let mut child = prepress(data, arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}");
}

/// A company with `count` small pictures, half a dozen of them different.
fn catalogue(data: &Path, count: usize) {
    run(data, &["company", "add", "Acme", "--id", "47"], "");
    let user = ["user", "add", "ada@acme.example", "--company", "Acme", "--role", "IpsUser", "--password-stdin"];
    run(data, &user, PASSWORD);
    let folder = data.join("ingest/Acme/in");
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..count {
        let shade = u8::try_from(number % 256).unwrap();
        let picture = image::RgbImage::from_fn(48, 32, |x, y| image::Rgb([shade, x as u8 * 5, y as u8 * 7]));
        picture.save(folder.join(format!("picture-{number:04}.png"))).unwrap();
    }
}

fn login() -> String {
    let login = base64::engine::general_purpose::STANDARD.encode(format!("ada@acme.example:{PASSWORD}"));
    format!("Basic {login}")
}

async fn submit(address: &str, name: &str) {
    let body = format!(
        r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><submitJobParam xmlns="http://www.scene7.com/IpsApi/xsd/2014-04-03"><companyHandle>c|47</companyHandle><jobName>{name}</jobName>
        <uploadDirectoryJob><serverDir>in</serverDir><overwrite>true</overwrite><readyForPublish>true</readyForPublish><includeSubfolders>false</includeSubfolders><createMask>false</createMask><processMetadataFiles>false</processMetadataFiles><emailSetting>JobCompletion</emailSetting>
        <postImageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting></postImageServingPublishJob></uploadDirectoryJob></submitJobParam></e:Body></e:Envelope>"#
    );
    prepress::daemon::parts::install_crypto();
    let answer = reqwest::Client::new()
        .post(format!("http://{address}/scene7/services/IpsApiService"))
        .header("Authorization", login())
        .body(body)
        .send()
        .await
        .unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
}

async fn open(data: &Path) -> Database {
    Database::read_only(data).await
}

/// Whether files are to be tried alone, or just are. A daemon that is killed then takes one for what ended it.
fn has_suspects(data: &Path) -> bool {
    let is_suspect = |path: PathBuf| path.extension().is_some_and(|end| end == "suspect" || end == "alone");
    let look = || std::fs::read_dir(data.join("work")).into_iter().flatten();
    // One that is renamed meanwhile may be missed once.
    (0..2).any(|_| look().any(|entry| is_suspect(entry.unwrap().path())))
}

fn published(data: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(data.join("publish/image-serving/Acme")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "tif")).collect()
}

/// Killed again and again, each time a little further on, until the job and its follow-up are through.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_nothing_is_lost_and_nothing_done_twice() {
    const FILES: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Every kill is a failed attempt, and there will be many.
    std::fs::write(data.with_extension("toml"), "[dispatch]\nmax_attempts = 100\nretry_base = \"1s\"\n").unwrap();
    serve(&data).kill();
    catalogue(&data, FILES);
    let process = serve(&data);
    submit(&process.address, "Crash").await;
    let database = open(&data).await;
    let mut process = Some(process);
    let mut kills = 0;
    // The next kill comes when some more items are committed than at the last one.
    let mut next = 3;
    loop {
        let done = database.number("SELECT coalesce(sum(items_done), 0) FROM instance").await;
        let open_runs = database.number("SELECT count(*) FROM instance WHERE state <> 'Done'").await;
        if open_runs == 0 {
            break;
        }
        if done >= next && !has_suspects(&data) {
            process.take().unwrap().kill();
            kills += 1;
            next = done + 40 + (kills % 7) * 5;
            process = Some(serve(&data));
        }
        tokio::task::yield_now().await;
    }
    assert!(kills >= 3, "it was killed {kills} times");
    let files = i64::try_from(FILES).unwrap();
    assert_eq!(database.number("SELECT count(*) FROM instance").await, 2, "the upload and one follow-up");
    assert_eq!(database.number("SELECT count(*) FROM instance WHERE outcome = 'Succeeded'").await, 2);
    assert_eq!(database.number("SELECT success_count FROM instance WHERE id = 1").await, files);
    assert_eq!(database.number("SELECT count(*) FROM log_detail WHERE log_type = 'UploadSuccess'").await, files);
    assert_eq!(
        database.number("SELECT count(DISTINCT asset_name) FROM log_detail WHERE log_type = 'UploadSuccess'").await,
        files
    );
    assert_eq!(database.number("SELECT count(*) FROM asset").await, files);
    assert_eq!(database.number("SELECT count(*) FROM outbox").await, 1, "one mail, however often it was started");
    assert_eq!(published(&data).len(), FILES);
    assert!(database.number("SELECT attempt FROM instance WHERE id = 1").await > 1);
    assert_eq!(process.unwrap().terminate(), Some(0));
    let unfinished = std::fs::read_dir(data.join("blobs/tmp")).unwrap().count();
    assert_eq!(unfinished, 0, "no unfinished file stays");
    assert!(!data.join("publish/image-serving/.Acme.in").exists(), "nor one on its way to a tree");
    for folder in (0..=255).map(|first| data.join(format!("blobs/{first:02x}"))) {
        for stored in std::fs::read_dir(folder).unwrap() {
            assert_eq!(stored.unwrap().metadata().unwrap().nlink(), 1, "no stored file is a published one too");
        }
    }
    run(&data, &["doctor", "--verify"], "");
}

/// The same in the middle of jobs of several kinds that run side by side.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_jobs_of_several_kinds_go_on() {
    const FILES: usize = 120;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::write(data.with_extension("toml"), "[dispatch]\nmax_attempts = 100\nslots = 4\nretry_base = \"1s\"\n")
        .unwrap();
    serve(&data).kill();
    catalogue(&data, FILES);
    let mut process = serve(&data);
    submit(&process.address, "Upload").await;
    let database = open(&data).await;
    while database.number("SELECT count(*) FROM instance WHERE outcome = 'Succeeded'").await < 2 {
        tokio::task::yield_now().await;
    }
    let assets = database.numbers("SELECT id FROM asset ORDER BY id").await;
    let assets: Vec<String> = assets.iter().map(|id| format!("a|{id}")).collect();
    let jobs = [
        ("Export", "exportJob", json!({"assetHandleArray": assets, "fmt": "convert", "is_modifier": "wid=20&fmt=png"})),
        (
            "Reprocess",
            "reprocessAssetsJob",
            json!({"assetHandleArray": assets, "unsharpMaskOptions": {"amount": 1.0, "radius": 2.0}}),
        ),
        ("Publish", "serverDirectoryPublishJob", json!({})),
    ];
    for (name, element, job) in jobs {
        let order = json!({"companyHandle": "c|47", "jobName": name, element: job});
        run(&data, &["submit", "-", "--user", "ada@acme.example"], &order.to_string());
    }
    let (mut kills, mut next) = (0, 0);
    loop {
        let done = database.number("SELECT sum(items_done) FROM instance WHERE id > 2").await;
        if database.number("SELECT count(*) FROM instance WHERE state <> 'Done'").await == 0 {
            break;
        }
        if done >= next && !has_suspects(&data) {
            process.kill();
            kills += 1;
            next = done + 20 + (kills % 5) * 3;
            process = serve(&data);
        }
        tokio::task::yield_now().await;
    }
    assert!(kills >= 3, "it was killed {kills} times");
    let files = i64::try_from(FILES).unwrap();
    assert_eq!(database.number("SELECT count(*) FROM instance WHERE outcome = 'Succeeded'").await, 5);
    assert_eq!(database.number("SELECT sum(error_count) FROM instance").await, 0);
    let of_log = "SELECT count(*) * 1000 + count(DISTINCT asset_name) FROM log_detail WHERE log_type =";
    for (what, expected) in [
        ("'ExportJobRenderFileSuccess'", files * 1001),
        ("'ReoptimizeSuccess'", files * 1001),
        ("'ZipFileExportJobSuccess'", 1001),
    ] {
        let sql = format!("{of_log} {what}");
        let counted = database.number(&sql).await;
        assert_eq!(counted, expected, "{what}: each once");
    }
    // What it was packed from may stay beside it when a kill came between, and goes with it.
    let exports = std::fs::read_dir(data.join("exports/3")).unwrap().map(|entry| entry.unwrap().path());
    let archives: Vec<PathBuf> = exports.filter(|path| path.extension().is_some_and(|end| end == "zip")).collect();
    let [archive] = archives.as_slice() else { panic!("one archive: {archives:?}") };
    let tested = Command::new("unzip").arg("-tq").arg(archive).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
    let listed = Command::new("unzip").arg("-Z1").arg(archive).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), FILES);
    let placed = std::fs::read_dir(data.join("publish/server-directory/Acme")).unwrap();
    let placed = placed.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "png"));
    assert_eq!(placed.count(), FILES);
    assert_eq!(process.terminate(), Some(0));
    assert_eq!(std::fs::read_dir(data.join("blobs/tmp")).unwrap().count(), 0, "no unfinished file stays");
}

/// SIGTERM: running items come to their end, the rest goes back to the queue, and the exit is a good one.
#[tokio::test(flavor = "multi_thread")]
async fn terminated_it_puts_back_what_it_had_begun() {
    const FILES: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_eq!(serve(&data).terminate(), Some(0));
    catalogue(&data, FILES);
    let process = serve(&data);
    submit(&process.address, "Drain").await;
    let database = open(&data).await;
    while database.number("SELECT items_done FROM instance WHERE id = 1").await < 5 {
        tokio::task::yield_now().await;
    }
    assert_eq!(process.terminate(), Some(0));
    let row = database.row("SELECT state, failures, items_done FROM instance WHERE id = 1").await;
    assert_eq!(row[..2], [json!("WaitingCoordinator"), json!(0)], "a shutdown is no failure");
    assert!(row[2].as_i64().unwrap() < i64::try_from(FILES).unwrap());
    let process = serve(&data);
    while database.number("SELECT count(*) FROM instance WHERE state <> 'Done'").await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(database.number("SELECT success_count FROM instance WHERE id = 1").await, i64::try_from(FILES).unwrap());
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn a_data_folder_has_one_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = serve(&data);
    let second = prepress(&data, &["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&format!("process {}", first.child.id())), "{said}");
    assert_eq!(first.terminate(), Some(0));
}
