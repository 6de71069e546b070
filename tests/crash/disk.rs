//! A full disk, for real: a small file system of its own, with the data folder on it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::{Process, announced, login};

/// A tmpfs in a mount namespace of its own, for as long as its keeper lives.
struct SmallDisk {
    keeper: Child,
    /// Where it is, as those inside see it.
    data: PathBuf,
    config: PathBuf,
    _folder: tempfile::TempDir,
}

const SIZE: u64 = 64 << 20;

impl SmallDisk {
    fn mount() -> Self {
        Self::of(SIZE)
    }

    fn of(size: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let config = folder.path().join("prepress.toml");
        std::fs::write(&config, "[dispatch]\nmax_attempts = 2\nretry_base = \"1s\"\nretry_max = \"5s\"\n").unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script =
            format!("mount -t tmpfs -o size={size},mode=0750 small '{}' && echo mounted && exec cat", data.display());
        command.args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let hint = "this test mounts a tmpfs in a namespace: install util-linux and mount, and run it as root or allow user \
                    namespaces (sysctl kernel.unprivileged_userns_clone=1; in a container: CAP_SYS_ADMIN)";
        let mut keeper = command.spawn().unwrap_or_else(|error| panic!("unshare: {error}; {hint}"));
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said != "mounted\n" {
            let mut why = String::new();
            keeper.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("{why}; {hint}");
        }
        Self { keeper, data, config, _folder: folder }
    }

    /// Where the same is seen from outside.
    fn seen(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.keeper.id(), self.data.display()))
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.keeper.id().to_string(), "--mount"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(program).env("PREPRESS_DATA", &self.data).env("PREPRESS_CONFIG", &self.config);
        command
    }

    fn prepress(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.inside(env!("CARGO_BIN_EXE_prepress"));
        let pipes = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn run(&self, arguments: &[&str], input: &str) {
        let output = self.prepress(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn serve(&self) -> Process {
        let mut command = self.inside(env!("CARGO_BIN_EXE_prepress"));
        announced(command.args(["serve", "--listen", "127.0.0.1:0"]))
    }

    /// One value from the database. SQLite looks behind links by itself, and from outside would end up outside.
    fn ask(&self, sql: &str) -> String {
        let mut command = self.inside("sqlite3");
        let output =
            command.args(["-cmd", ".timeout 10000"]).arg(self.data.join("prepress.db")).arg(sql).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap_or_default().to_owned()
    }

    fn number(&self, sql: &str) -> i64 {
        let answer = self.ask(sql);
        answer.parse().unwrap_or_else(|_| panic!("{sql}: {answer}"))
    }

    fn free(&self) -> u64 {
        let space = rustix::fs::statvfs(self.seen()).unwrap();
        space.f_bavail * space.f_frsize
    }

    /// Leaves `room` bytes free.
    fn fill(&self, room: u64) {
        let path = self.seen().join("ballast");
        let mut ballast = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        while let Some(more) = self.free().checked_sub(room).filter(|more| *more > 0) {
            let piece = vec![7; usize::try_from(more.min(1 << 20)).unwrap()];
            if ballast.write_all(&piece).is_err() {
                break;
            }
        }
    }

    fn clear(&self) {
        std::fs::remove_file(self.seen().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Submits and gives the status and the text of the answer.
async fn submit(address: &str, job: &str) -> (u16, String) {
    let body = format!(
        r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><submitJobParam xmlns="http://www.scene7.com/IpsApi/xsd/2014-04-03"><companyHandle>c|47</companyHandle>{job}</submitJobParam></e:Body></e:Envelope>"#
    );
    let request = reqwest::Client::new().post(format!("http://{address}/scene7/services/IpsApiService"));
    let answer = request.header("Authorization", login()).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn status(address: &str, path: &str) -> u16 {
    reqwest::get(format!("http://{address}{path}")).await.unwrap().status().as_u16()
}

/// Bytes that do not compress, as the pixels of a picture.
fn noise(path: &Path, seed: u32) {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let picture = image::RgbImage::from_fn(256, 256, |_, _| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let [red, green, blue, _] = state.to_le_bytes();
        image::Rgb([red, green, blue])
    });
    picture.save(path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_answered_is_lost_and_all_goes_on_when_there_is_room() {
    const PICTURES: i64 = 30;
    const WAITED: &str = "SELECT count(*) FROM log_detail WHERE code = 'disk-full'";
    prepress::daemon::parts::install_crypto();
    let disk = SmallDisk::mount();
    let process = disk.serve();
    disk.run(&["company", "add", "Acme", "--id", "47"], "");
    let user = ["user", "add", "ada@acme.example", "--company", "Acme", "--role", "IpsUser", "--password-stdin"];
    disk.run(&user, crate::PASSWORD);
    let folder = disk.seen().join("ingest/Acme/in");
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..PICTURES {
        noise(&folder.join(format!("picture-{number:02}.png")), u32::try_from(number).unwrap());
    }
    assert_eq!(status(&process.address, "/readyz").await, 503, "there is little room already");

    // An upload that needs more room than there is: it waits for some, however often, and the daemon goes on.
    disk.fill(2 << 20);
    let upload = "<jobName>Upload</jobName><uploadDirectoryJob><serverDir>in</serverDir><overwrite>true</overwrite>\
        <readyForPublish>true</readyForPublish><includeSubfolders>false</includeSubfolders><createMask>false</createMask>\
        <processMetadataFiles>false</processMetadataFiles><emailSetting>None</emailSetting></uploadDirectoryJob>";
    let (code, text) = submit(&process.address, upload).await;
    assert_eq!(code, 200, "{text}");
    while disk.free() > 256 << 10 && disk.number(WAITED) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(disk.number("SELECT count(*) FROM instance WHERE state = 'Done'"), 0, "it is not over");

    // Submissions until not one page fits any more: each is answered with a handle, or refused with the reason.
    disk.fill(0);
    let mut answered = Vec::new();
    let mut refused = 0;
    for attempt in 0.. {
        let name = format!("Order {attempt}");
        let job = format!(
            "<jobName>{name}</jobName><description>{}</description><optimizeImagesJob><emailSetting>None</emailSetting>\
             </optimizeImagesJob>",
            "d".repeat(20_000)
        );
        let (code, text) = submit(&process.address, &job).await;
        if code == 200 {
            answered.push(name);
            disk.fill(0);
        } else {
            assert!(text.contains("<tns:code>30000</tns:code>") && text.contains("is full"), "{text}");
            refused += 1;
        }
        assert!(attempt < 2000, "the disk does not fill: {} bytes are free", disk.free());
        if refused == 5 {
            break;
        }
    }
    assert_eq!(status(&process.address, "/healthz").await, 200);

    // Room again: what was answered is done, and new work is taken.
    disk.clear();
    let (code, text) = submit(
        &process.address,
        "<jobName>After</jobName><optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob>",
    )
    .await;
    assert_eq!(code, 200, "{text}");
    while disk.number("SELECT count(*) FROM instance WHERE state <> 'Done'") > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(disk.number("SELECT count(*) FROM instance WHERE outcome <> 'Succeeded'"), 0);
    assert_eq!(disk.number("SELECT count(*) FROM instance WHERE failures > 0"), 0, "a full disk is no failure");
    assert!(disk.number(WAITED) > 0);
    assert_eq!(disk.number("SELECT count(*) FROM asset"), PICTURES);
    assert_eq!(disk.number("SELECT success_count FROM instance WHERE id = 1"), PICTURES);
    for name in answered.iter().map(String::as_str).chain(["After"]) {
        let sql = format!("SELECT count(*) FROM instance i JOIN job j ON j.id = i.job_id WHERE j.name = '{name}'");
        assert_eq!(disk.number(&sql), 1, "{name} was answered");
    }
    assert_eq!(disk.ask("PRAGMA integrity_check"), "ok");
    assert_eq!(std::fs::read_dir(disk.seen().join("blobs/tmp")).unwrap().count(), 0, "no unfinished file stays");
    assert_eq!(process.terminate(), Some(0));

    // The same folder, not to be written: a daemon does not start on it, and says why.
    let remount = || disk.inside("mount").args(["-o", "remount,ro"]).arg(&disk.data).output().unwrap();
    let mut remounted = remount();
    // A worker that was killed as the daemon ended has its files open for a moment more.
    while String::from_utf8_lossy(&remounted.stderr).contains("busy") {
        tokio::task::yield_now().await;
        remounted = remount();
    }
    assert!(remounted.status.success(), "{}", String::from_utf8_lossy(&remounted.stderr));
    let refusal = disk.prepress(&["serve", "--listen", "127.0.0.1:0"], "");
    let said = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert_eq!(refusal.status.code(), Some(1), "{said}");
    assert!(said.contains(&disk.data.display().to_string()) && said.contains("ead-only"), "{said}");
}

/// Whether a daemon says that it is ready, and of which of its checks it says that they fail.
async fn readiness(address: &str) -> (u16, Vec<String>) {
    let answer = reqwest::get(format!("http://{address}/readyz")).await.unwrap();
    let status = answer.status().as_u16();
    let said: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let checks = said["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 3, "{said}");
    let failing: Vec<&serde_json::Value> = checks.iter().filter(|check| check["ok"] != true).collect();
    assert!(failing.iter().all(|check| check["detail"].is_string()), "{said}");
    (status, failing.iter().map(|check| check["name"].as_str().unwrap().to_owned()).collect())
}

/// Who asks whether the daemon is ready hears that the disk is almost full, that the database cannot be written any more, and
/// that all is well again; and the daemon lives on.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_tells_a_disk_that_fills_from_one_that_is_full() {
    prepress::daemon::parts::install_crypto();
    let disk = SmallDisk::of(2 * SIZE);
    let process = disk.serve();
    assert_eq!(readiness(&process.address).await, (200, vec![]));
    disk.fill(SIZE / 2);
    assert_eq!(readiness(&process.address).await, (503, vec!["disk".to_owned()]), "it can be written still");
    for round in 0.. {
        disk.fill(0);
        let said = readiness(&process.address).await;
        if said.1.len() == 2 {
            assert_eq!(said, (503, vec!["database".to_owned(), "disk".to_owned()]));
            break;
        }
        // What was allotted to the log of the database before is used up first.
        assert!(round < 5000, "the database can be written on a full disk");
    }
    assert_eq!(status(&process.address, "/healthz").await, 200);
    disk.clear();
    assert_eq!(readiness(&process.address).await, (200, vec![]));
    assert_eq!(process.terminate(), Some(0));
}

/// Why nothing gets on is to be seen at once: which disk is full, how much room it has, and what is needed.
#[tokio::test(flavor = "multi_thread")]
async fn who_looks_sees_at_once_that_a_disk_is_full_and_which() {
    prepress::daemon::parts::install_crypto();
    let disk = SmallDisk::of(2 * SIZE);
    let process = disk.serve();
    disk.run(&["company", "add", "Acme", "--id", "47"], "");
    disk.run(
        &["user", "add", "ada@acme.example", "--company", "Acme", "--role", "IpsUser", "--password-stdin"],
        crate::PASSWORD,
    );
    let folder = disk.seen().join("ingest/Acme/in");
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..10 {
        noise(&folder.join(format!("picture-{number}.png")), number);
    }
    let told = |arguments: &[&str]| {
        let output = disk.prepress(arguments, "");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let data = disk.data.display().to_string();
    let (code, said) = told(&["check"]);
    assert!(code == Some(0) && said.contains("It works"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("warning") && line.contains(&format!("{data}, "))), "{said}");

    // More than there is room for.
    disk.fill(512 << 10);
    disk.run(&["submit", "--kind", "uploadDirectory", "--dir", "in", "--user", "ada@acme.example"], "");
    for room in [512 << 10, 0] {
        disk.fill(room);
        for arguments in [&["jobs", "list"][..], &["jobs", "show", "1"]] {
            let (code, said) = told(arguments);
            assert_eq!(code, Some(0), "{said}");
            assert!(said.contains("Waits for room: the disk of the database, stored files, published files"), "{said}");
            assert!(said.contains(" free, and jobs need 67 MB"), "{said}");
        }
        let (code, said) = told(&["check"]);
        assert_eq!(code, Some(1), "{said}");
        let line = said.lines().find(|line| line.starts_with("error")).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(&format!("{data}, ")) && line.contains(": jobs need 67 MB"), "{line}");
        assert!(
            said.contains(&format!("free some space on {data}; until then a job that cannot write waits")),
            "{said}"
        );
        assert!(said.contains("It does not work: 1 error"), "{said}");
    }
    assert_eq!(readiness(&process.address).await.0, 503);
    disk.clear();

    // Only what tools write has no room.
    std::fs::create_dir_all(disk.seen().join("scratch")).unwrap();
    let scratch = disk.data.join("scratch");
    let mounted = disk.inside("mount").args(["-t", "tmpfs", "-o", "size=32k", "tiny"]).arg(&scratch).output().unwrap();
    assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
    let (code, said) = told(&["check"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("{}, ", scratch.display())) && said.contains("for scratch files: jobs need"),
        "{said}"
    );
    assert_eq!(readiness(&process.address).await, (503, vec!["disk".to_owned()]));
    assert_eq!(process.terminate(), Some(0));
}

/// A start on a full disk says that it is full, on a new folder and on one that is in use; nothing is lost by it.
#[test]
fn a_start_on_a_full_disk_says_so() {
    let disk = SmallDisk::mount();
    let refused = |arguments: &[&str], when: &str| {
        let output = disk.prepress(arguments, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{when}: {said}");
        assert!(said.contains("full") && said.contains("hint: free some space"), "{when}: {said}");
    };
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    disk.fill(0);
    refused(&serve, "a new folder");
    disk.clear();
    let process = disk.serve();
    disk.run(&["company", "add", "Acme", "--id", "47"], "");
    assert_eq!(process.terminate(), Some(0));
    disk.fill(0);
    refused(&serve, "one that was in use");
    refused(&["company", "add", "Beta"], "a command");
    disk.clear();
    let process = disk.serve();
    assert_eq!(disk.number("SELECT count(*) FROM company WHERE id > 0"), 1);
    assert_eq!(process.terminate(), Some(0));
}

/// Somebody who may read the data folder and not write it sees the jobs: beside a daemon, without one, and after one that
/// was killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_only_be_read_shows_what_is_in_it() {
    prepress::daemon::parts::install_crypto();
    let disk = SmallDisk::mount();
    let run = |program: &str, arguments: &[&str]| {
        let output = disk.inside(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let process = disk.serve();
    disk.run(&["company", "add", "Acme", "--id", "47"], "");
    disk.run(
        &["user", "add", "ada@acme.example", "--company", "Acme", "--role", "IpsUser", "--password-stdin"],
        crate::PASSWORD,
    );
    let job = "<jobName>Tidy up</jobName><optimizeImagesJob><emailSetting>None</emailSetting></optimizeImagesJob>";
    assert_eq!(submit(&process.address, job).await.0, 200);
    while disk.number("SELECT count(*) FROM instance WHERE state = 'Done'") == 0 {
        tokio::task::yield_now().await;
    }
    let view = disk.data.with_file_name("view");
    let (data, view) = (disk.data.to_str().unwrap(), view.to_str().unwrap());
    let look = |folder: &str, when: &str| {
        let prepress = |arguments: &[&str]| {
            let mut command = disk.inside(env!("CARGO_BIN_EXE_prepress"));
            command.args(arguments).env("PREPRESS_DATA", folder).output().unwrap()
        };
        for (arguments, said) in [
            (&["jobs", "list"][..], "Tidy up"),
            (&["jobs", "show", "1"], "Tidy up"),
            (&["jobs", "log", "1"], "BeginReoptimize"),
            (&["jobs", "schedule"], ""),
            (&["company", "list"], "Acme"),
            (&["user", "list"], "ada@acme.example"),
            (&["preset", "list"], ""),
        ] {
            let output = prepress(arguments);
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(
                output.status.success() && out.contains(said) && err.is_empty(),
                "{when}: {arguments:?}: {out}{err}"
            );
        }
        let checked = prepress(&["check"]);
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(said.contains("data cannot be used") || said.contains("view cannot be used"), "{when}: {said}");
        assert!(said.lines().any(|line| line.starts_with("ok") && line.contains("prepress.db")), "{when}: {said}");
        for arguments in [&["company", "add", "Beta"][..], &["user", "password", "ada@acme.example"]] {
            let output = prepress(arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{when}: {arguments:?}: {said}");
            assert!(said.contains("cannot be written") && said.contains("rights of the data folder"), "{when}: {said}");
        }
    };
    run("mkdir", &[view]);
    run("mount", &["--bind", data, view]);
    run("mount", &["-o", "remount,bind,ro", view]);
    look(view, "beside a daemon");
    assert_eq!(process.terminate(), Some(0));
    assert!(!disk.seen().join("prepress.db-wal").exists());
    look(view, "without a daemon");

    let process = disk.serve();
    assert_eq!(submit(&process.address, job).await.0, 200);
    process.kill();
    assert!(disk.seen().join("prepress.db-wal").exists());
    look(view, "after one that was killed");
}

/// A tool that finds no room for what it makes: that is not the file's fault, and the job waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_without_room_costs_no_file_and_no_attempt() {
    const EPS: &str = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n%%EndComments\n200 200 scale\n/line 400 string def\n\
        400 400 8 [400 0 0 -400 0 400] { 0 1 399 { line exch rand 256 mod put } for line } image\nshowpage\n";
    let disk = SmallDisk::mount();
    let process = disk.serve();
    disk.run(&["company", "add", "Acme", "--id", "47"], "");
    let folder = disk.seen().join("ingest/Acme/in");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("noise.eps"), EPS).unwrap();
    let mount = |arguments: &[&str]| {
        let output = disk.inside("mount").args(arguments).arg(disk.data.join("scratch")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::create_dir_all(disk.seen().join("scratch")).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=32k", "tiny"]);
    let order = r#"{"companyHandle": "c|47", "jobName": "Noise",
        "uploadDirectoryJob": {"serverDir": "in", "postScriptOptions": {"process": "Rasterize"}}}"#;
    disk.run(&["submit", "-"], order);
    while disk.number("SELECT count(*) FROM log_detail WHERE code = 'disk-full'") == 0 {
        assert_eq!(disk.number("SELECT count(*) FROM instance WHERE state = 'Done'"), 0, "it is not over");
        tokio::task::yield_now().await;
    }
    mount(&["-o", "remount,size=32m"]);
    while disk.number("SELECT count(*) FROM instance WHERE state <> 'Done'") > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(disk.ask("SELECT outcome || failures || error_count FROM instance"), "Succeeded00");
    assert_eq!(disk.number("SELECT count(*) FROM asset"), 2, "the file and its page");
    assert_eq!(process.terminate(), Some(0));
}
