//! A PostgreSQL server of a test's own, in a folder of its own.

use std::fmt::Write;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// It listens in its folder, and ends with this.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    user: Option<u32>,
    server: Option<Child>,
}

impl Postgres {
    /// Starts one that has what `schema` says.
    pub fn start(schema: &Path) -> Self {
        let mut postgres =
            Self { folder: tempfile::tempdir().unwrap(), programs: programs(), user: user(), server: None };
        if let Some(user) = postgres.user {
            std::os::unix::fs::chown(postgres.folder.path(), Some(user), None).unwrap();
        }
        let data = postgres.folder.path().join("data");
        let made = postgres
            .program("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let folder = postgres.folder.path().to_str().unwrap().to_owned();
        let server = postgres
            .program("postgres")
            .args(["-D", data.to_str().unwrap(), "-k", &folder, "-c", "listen_addresses=", "-c", "fsync=off"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(postgres.folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        postgres.server = Some(server);
        postgres.until_it_listens();
        let schema = std::fs::read_to_string(schema).unwrap();
        let said = postgres.run(&format!("\\set ON_ERROR_STOP on\n{schema}"));
        assert_eq!(said, "", "the schema");
        postgres
    }

    /// What the server says of each of `statements` that it cannot prepare, by its number.
    pub fn prepare(&self, statements: &[String]) -> Vec<(usize, String)> {
        let mut script = String::new();
        for (number, statement) in statements.iter().enumerate() {
            write!(script, "\\warn @{number}\nPREPARE s{number} AS {statement}\n;\n").unwrap();
        }
        let said = self.run(&script);
        let said = said.split('@').skip(1).map(|said| said.split_once('\n').unwrap_or((said, "")));
        let said: Vec<(usize, &str)> = said.map(|(number, said)| (number.parse().unwrap(), said.trim())).collect();
        assert_eq!(said.len(), statements.len(), "psql said of each which it was about");
        said.into_iter().filter(|(_, said)| !said.is_empty()).map(|(number, said)| (number, said.to_owned())).collect()
    }

    /// Gives what went wrong.
    fn run(&self, script: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"))
            .args(["--username=postgres", "--quiet", "--no-psqlrc", "--file=-", "postgres", "--host"])
            .arg(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = psql.stdin.take().unwrap();
        let script = script.to_owned();
        // It may say more than a pipe holds before it has read all.
        let writing = std::thread::spawn(move || input.write_all(script.as_bytes()));
        let output = psql.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        String::from_utf8(output.stderr).unwrap()
    }

    fn until_it_listens(&mut self) {
        for _ in 0..600 {
            let ready =
                self.program("pg_isready").arg("--quiet").arg("--host").arg(self.folder.path()).status().unwrap();
            if ready.success() {
                return;
            }
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "the server ended: {}", log());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("PostgreSQL does not listen after half a minute");
    }

    /// A program of the server, which refuses to be root.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        if let Some(user) = self.user {
            command.uid(user);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // SIGINT: a fast shutdown, which also removes its shared memory.
            let pid = rustix::process::Pid::from_raw(server.id().cast_signed()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            let _ = server.wait();
        }
    }
}

/// Where the newest version that is installed has its programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    let newest = newest.expect("this test needs PostgreSQL's server (Debian's package postgresql)");
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

/// Whom the server runs as where this is root.
fn user() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).expect("Debian's package makes the user postgres");
    Some(line.split(':').nth(2).unwrap().parse().unwrap())
}
