//! What is kept from others on the machine and in the network: files, logins; and what is said of a database that is no good.

use std::fs::{File, Permissions};
use std::path::Path;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A command by somebody who takes care of nothing.
fn careless(place: &Place, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_prepress");
    command.args(["-c", &format!("umask 000; exec {binary} {arguments}")]).stdin(Stdio::null());
    command.env("PREPRESS_DATA", &place.data).env_remove("PREPRESS_CONFIG");
    command
}

#[test]
fn the_database_is_closed_to_others_also_in_a_folder_that_was_open() {
    let place = Place::new();
    let path = |name: &str| place.data.join(name);
    let serve = || Daemon::of(careless(&place, "serve --listen 127.0.0.1:0").stderr(Stdio::null()));
    let all_are = |expected: u32, when: &str| {
        for name in ["prepress.db", "prepress.db-wal", "prepress.db-shm"] {
            assert_eq!(mode(&path(name)), expected, "{name} {when}");
        }
    };
    let daemon = serve();
    all_are(0o640, "of a new folder, whose group is admitted");
    assert_eq!(mode(&path("admin-login")), 0o600);
    assert_eq!(daemon.terminate(), Some(0));

    for (folder, expected) in [(0o755, 0o640), (0o700, 0o600)] {
        fs::write(path("prepress.db.bak"), "a copy").unwrap();
        for name in ["prepress.db", "prepress.db.bak"] {
            set_mode(&path(name), 0o666);
        }
        set_mode(&place.data, folder);
        let daemon = serve();
        all_are(expected, "after a start");
        assert_eq!(mode(&path("prepress.db.bak")), expected);
        assert_eq!(daemon.terminate(), Some(0));
        set_mode(&path("prepress.db"), 0o644);
        Ran::of(careless(&place, &format!("company add Acme{folder}")).output().unwrap()).ok();
        assert_eq!(mode(&path("prepress.db")), expected, "a command beside no daemon");
    }
}

/// Runs a command of the shell as somebody whom nothing here belongs to.
fn as_nobody(command: &str) -> Ran {
    assert!(rustix::process::geteuid().is_root(), "this test becomes somebody else: run it as root, or in a container");
    let output = Command::new("su").args(["nobody", "-s", "/bin/sh", "-c", command]).current_dir("/").output();
    Ran::of(output.unwrap())
}

#[test]
fn another_user_gets_at_neither_database_nor_login_and_is_told_so() {
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    assert_eq!(daemon.terminate(), Some(0));
    for folder in place.data.ancestors().take(2) {
        set_mode(folder, 0o755);
    }
    let seen = as_nobody(&format!("ls {}", place.data.display()));
    assert!(seen.out.contains("prepress.db"), "the folder is open: {}{}", seen.out, seen.err);
    for name in ["prepress.db", "admin-login"] {
        let read = as_nobody(&format!("cat {}", place.data.join(name).display()));
        assert!(read.code != Some(0) && read.err.contains("Permission denied"), "{name}: {}{}", read.out, read.err);
    }
    let written = as_nobody(&format!("echo x > {}/blobs/x", place.data.display()));
    assert_ne!(written.code, Some(0), "{}", written.err);
    // Where the program itself lies, others may not be let in.
    let program = place.data.with_extension("program");
    fs::hard_link(env!("CARGO_BIN_EXE_prepress"), &program)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_prepress"), &program).map(drop))
        .unwrap();
    for command in ["company list", "jobs list", "doctor", "doctor --repair"] {
        let run = format!("{} --data {} {command}", program.display(), place.data.display());
        let told = as_nobody(&run).refused();
        assert!(told.contains("prepress.db cannot be read"), "{command}: {told}");
        assert!(told.contains("as the daemon's user, or as a member of its group"), "{command}: {told}");
    }
}

#[test]
fn check_says_when_others_may_enter_the_data_folder() {
    let place = Place::new();
    assert_eq!(place.serve().terminate(), Some(0));
    let data = place.data.display();
    let line = |said: &str| said.lines().find(|line| line.contains(" data ")).unwrap().to_owned();
    assert!(line(&place.run(&["check"]).ok()).starts_with("ok"));
    set_mode(&place.data, 0o755);
    let open = place.run(&["check"]).ok();
    assert!(line(&open).starts_with("warning") && line(&open).contains("entered by every user"), "{open}");
    assert!(open.contains(&format!("chmod o-rwx {data}")), "{open}");
    set_mode(&place.data, 0o777);
    let wide = place.run(&["check"]);
    assert_eq!(wide.code, Some(1));
    assert!(line(&wide.out).starts_with("error") && line(&wide.out).contains("written by every user"), "{}", wide.out);
    set_mode(&place.data, 0o750);
    set_mode(&place.data.join("admin-login"), 0o644);
    let login = place.run(&["check"]).ok();
    assert!(
        line(&login).starts_with("warning") && line(&login).contains("may be read by the folder's group"),
        "{login}"
    );
    assert!(login.contains(&format!("chmod go-rwx {data}/admin-login")), "{login}");
    // Nobody but its owner gets to what is in a folder that is closed.
    set_mode(&place.data, 0o700);
    assert!(line(&place.run(&["check"]).ok()).starts_with("ok"));
}

#[test]
fn check_says_where_no_file_can_be_stored() {
    let place = Place::new();
    assert_eq!(place.serve().terminate(), Some(0));
    for folder in place.data.ancestors().take(2) {
        set_mode(folder, 0o755);
    }
    let program = place.data.with_extension("program");
    fs::copy(env!("CARGO_BIN_EXE_prepress"), &program).unwrap();
    let check = || {
        let said = as_nobody(&format!("{} --data {} check", program.display(), place.data.display()));
        said.out.lines().find(|line| line.contains(" blobs ")).unwrap_or_default().to_owned()
    };
    let closed = place.data.join("blobs/ab");
    fs::create_dir_all(&closed).unwrap();
    let owned = Command::new("chown").args(["-R", "nobody", place.data.to_str().unwrap()]).status().unwrap();
    assert!(owned.success());
    assert!(check().starts_with("ok"), "{}", check());
    rustix::fs::chown(&closed, Some(rustix::fs::Uid::ROOT), None).unwrap();
    let said = check();
    assert!(said.starts_with("error") && said.contains("blobs/ab cannot be used"), "{said}");
    // Root may write to it all the same, and is told.
    let said = place.run(&["check"]).out;
    let line = said.lines().find(|line| line.contains(" blobs ")).unwrap_or_default();
    assert!(line.starts_with("error") && line.contains("blobs/ab belongs to the user 0, and "), "{said}");
    // As it is told of a database that root has restored.
    rustix::fs::chown(&closed, Some(rustix::fs::Uid::from_raw(65_534)), None).unwrap();
    rustix::fs::chown(place.data.join("prepress.db"), Some(rustix::fs::Uid::ROOT), None).unwrap();
    let said = place.run(&["check"]).out;
    assert!(said.contains("prepress.db belongs to the user 0") && said.contains("It does not work"), "{said}");
    let said = check();
    assert!(said.starts_with("error") && said.contains("prepress.db cannot be written"), "{said}");
    // And of all else that the daemon writes to, whoever the data folder belongs to.
    rustix::fs::chown(place.data.join("prepress.db"), Some(rustix::fs::Uid::from_raw(65_534)), None).unwrap();
    for what in ["lock", "blobs/ab", ""] {
        rustix::fs::chown(place.data.join(what), Some(rustix::fs::Uid::ROOT), None).unwrap();
        let said = place.run(&["check"]).out;
        let line = said.lines().find(|line| line.contains(" blobs ")).unwrap_or_default();
        assert!(
            line.starts_with("error") && line.contains(&format!("{what} belongs to the user 0, and ")),
            "{what}: {said}"
        );
        if what != "blobs/ab" {
            rustix::fs::chown(place.data.join(what), Some(rustix::fs::Uid::from_raw(65_534)), None).unwrap();
        }
    }
    // The folder is root's, and lets the daemon's user write to it; what is in it does not.
    rustix::fs::chown(&place.data, Some(rustix::fs::Uid::ROOT), Some(rustix::fs::Gid::from_raw(65_534))).unwrap();
    rustix::fs::chown(place.data.join("prepress.db"), None, Some(rustix::fs::Gid::from_raw(65_534))).unwrap();
    set_mode(&place.data, 0o770);
    let said = place.run(&["check"]).out;
    assert!(said.contains("blobs/ab belongs to the user 0, and "), "{said}");
    // All is root's but the folder itself: it may be that root's daemon works there.
    let owned = Command::new("chown").args(["-R", "root:root", place.data.to_str().unwrap()]).status().unwrap();
    assert!(owned.success());
    set_mode(&place.data, 0o755);
    let line =
        || place.run(&["check"]).out.lines().find(|line| line.contains(" blobs ")).unwrap_or_default().to_owned();
    assert!(line().starts_with("ok"), "{}", line());
    rustix::fs::chown(&place.data, Some(rustix::fs::Uid::from_raw(1000)), None).unwrap();
    assert!(line().starts_with("warning") && line().contains("if the daemon is to run as that user"), "{}", line());
    // As it does, which then is known.
    let daemon = place.serve();
    assert!(line().starts_with("ok"), "{}", line());
    assert_eq!(daemon.terminate(), Some(0));
}

/// Root may do all, and is told what the daemon's user may not.
#[test]
fn check_as_root_says_where_the_daemons_user_cannot_work() {
    const NOBODY: u32 = 65_534;
    const GROUP: u32 = 4711;
    let place = Place::new();
    assert_eq!(place.serve().terminate(), Some(0));
    let folder = |name: &str| place.data.with_file_name(name);
    for above in place.data.ancestors().take(2) {
        set_mode(above, 0o755);
    }
    let chown = |path: &Path, user: u32, group: u32| {
        let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
        rustix::fs::chown(path, Some(user), Some(group)).unwrap();
    };
    let owned = Command::new("chown").args(["-R", "nobody", place.data.to_str().unwrap()]).status().unwrap();
    assert!(owned.success());
    let (ingest, outer, closed) = (folder("ingest"), folder("outer"), folder("closed"));
    let (publish, exports) = (outer.join("publish"), closed.join("exports"));
    for made in [&ingest, &outer, &closed, &exports] {
        fs::create_dir(made).unwrap();
        chown(made, 0, 0);
        set_mode(made, 0o755);
    }
    let config = folder("config.toml");
    let roots = format!("[ingest]\nroot = {ingest:?}\n[publish]\nroot = {publish:?}\n[export]\nroot = {exports:?}\n");
    fs::write(&config, format!("data = {:?}\n{roots}", place.data)).unwrap();
    let check = |what: &str| {
        let said = place.run(&["check", "--config", config.to_str().unwrap()]).out;
        said.lines().find(|line| line.contains(&format!(" {what} "))).unwrap_or_default().to_owned()
    };
    let is_told = |what: &str, kind: &str, expected: &str| {
        let line = check(what);
        assert!(line.starts_with(kind) && line.contains(expected), "{kind}, {expected}: {line}");
    };
    is_told("ingest", "ok", "");
    set_mode(&ingest, 0o700);
    is_told("ingest", "error", "ingest belongs to the user 0, and ");
    is_told("ingest", "error", "who may not enter it; the daemon cannot work like that");
    // A list of access control that lets it do all: what it says is not read, only that it is there.
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 7, NOBODY), (4, 0, u32::MAX), (0x10, 7, u32::MAX), (0x20, 0, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend([&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat());
    }
    chown(&ingest, 0, GROUP);
    rustix::fs::setxattr(&ingest, "system.posix_acl_access", &list, rustix::fs::XattrFlags::empty()).unwrap();
    is_told("ingest", "warning", "its list of access control may say otherwise");
    rustix::fs::removexattr(&ingest, "system.posix_acl_access").unwrap();
    chown(&ingest, 0, 0);
    set_mode(&ingest, 0o711);
    is_told("ingest", "error", "who may not read it");
    // What is not there is made in the nearest folder that is.
    is_told("publish", "error", "publish cannot be made: ");
    is_told("publish", "error", "outer belongs to the user 0, and ");
    chown(&outer, NOBODY, NOBODY);
    is_told("publish", "ok", "made by the first publish");
    let trees = publish.join("image-serving");
    fs::create_dir_all(&trees).unwrap();
    chown(&publish, NOBODY, NOBODY);
    is_told("publish", "error", "image-serving belongs to the user 0, and ");
    chown(&trees, NOBODY, NOBODY);
    is_told("publish", "ok", "");
    // Its own, but behind a door that is shut; also where a link leads.
    chown(&exports, NOBODY, NOBODY);
    is_told("exports", "ok", "");
    set_mode(&closed, 0o700);
    is_told("exports", "error", "closed belongs to the user 0, and ");
    let link = outer.join("exports");
    std::os::unix::fs::symlink(&exports, &link).unwrap();
    let linked = fs::read_to_string(&config).unwrap().replace(exports.to_str().unwrap(), link.to_str().unwrap());
    fs::write(&config, linked).unwrap();
    is_told("exports", "error", "closed belongs to the user 0, and ");
    // Of its groups all are known once it runs.
    chown(&closed, 0, GROUP);
    set_mode(&closed, 0o750);
    is_told("exports", "warning", "unless the daemon is to run with the group 4711");
    let program = folder("program");
    fs::copy(env!("CARGO_BIN_EXE_prepress"), &program).unwrap();
    let serve = |groups: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--groups", groups]);
        command.arg(&program).args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&place.data);
        Daemon::of(command.current_dir("/").stdin(Stdio::null()).stderr(Stdio::null()))
    };
    let daemon = serve("65534,4711");
    is_told("exports", "ok", "");
    assert_eq!(daemon.terminate(), Some(0));
    let daemon = serve("65534");
    is_told("exports", "error", "and the daemon to 65534, who may not enter it");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_database_that_is_no_good_is_called_what_it_is() {
    let place = Place::new();
    assert_eq!(place.serve().terminate(), Some(0));
    let database = place.data.join("prepress.db");
    let whole = fs::read(&database).unwrap();
    let newer = || {
        let sql = "UPDATE _sqlx_migrations SET version = 99999 WHERE version = 1";
        assert!(Command::new("sqlite3").arg(&database).arg(sql).status().unwrap().success());
    };
    let damaged = || {
        let mut bytes = whole.clone();
        bytes[100..4096].fill(0x5a);
        fs::write(&database, bytes).unwrap();
    };
    let altered = || {
        let sql = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2";
        assert!(Command::new("sqlite3").arg(&database).arg(sql).status().unwrap().success());
    };
    let beheaded = || {
        let mut bytes = whole.clone();
        bytes[16..4096].fill(0x5a);
        fs::write(&database, bytes).unwrap();
    };
    let foreign = || fs::write(&database, "a text and no database ".repeat(1000)).unwrap();
    let cases: [(&dyn Fn(), &str, &str); 5] = [
        (&newer, "a newer version of prepress has written it (its schema has number 99999", "start that version"),
        (&altered, "another build of prepress has written it", "use the build that wrote it"),
        (&damaged, "is damaged", "restore a backup"),
        (&beheaded, "is not an SQLite database", "a backup"),
        (&foreign, "is not an SQLite database", "a backup"),
    ];
    for (spoil, said, hint) in cases {
        fs::write(&database, &whole).unwrap();
        spoil();
        for arguments in
            [&["serve", "--listen", "127.0.0.1:0"][..], &["jobs", "list"], &["company", "add", "Acme"], &["check"]]
        {
            let ran = place.run(arguments);
            // Nobody starts it again and again; `check` has more to say than that.
            let expected = if arguments[0] == "check" { 1 } else { 78 };
            assert_eq!(ran.code, Some(expected), "{arguments:?}: {}{}", ran.out, ran.err);
            let text = ran.out + &ran.err;
            assert!(text.contains(said) && text.contains(hint), "{arguments:?}: {text}");
            assert!(text.contains(&database.display().to_string()), "{arguments:?}: {text}");
        }
    }
    fs::write(&database, &whole).unwrap();
    assert_eq!(place.serve().terminate(), Some(0));
}

/// Whichever way a wrong password comes in: one line, with the address that it came from.
#[test]
fn each_refused_login_has_a_line_that_names_its_peer() {
    const NAMESPACE: &str = "http://www.scene7.com/IpsApi/xsd/2014-04-03";
    let place = Place::new();
    let log = place.data.with_extension("log");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.stderr(File::create(&log).unwrap()));
    place.furnish();
    let auth = |user: &str, password: &str| {
        format!("<authHeader xmlns=\"{NAMESPACE}\"><user>{user}</user><password>{password}</password></authHeader>")
    };
    let soap = |header: &str, body: &str| {
        format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header>{header}</e:Header>\
             <e:Body>{body}</e:Body></e:Envelope>"
        )
    };
    let question = format!("<getUserInfoParam xmlns=\"{NAMESPACE}\"/>");
    let bad = auth("mallory@acme.example", "wrong");
    let checked = format!(
        "<checkLoginParam xmlns=\"{NAMESPACE}\"><email>mallory@acme.example</email><password>wrong</password></checkLoginParam>"
    );
    let form = format!("--edge\r\nContent-Disposition: form-data; name=\"auth\"\r\n\r\n{bad}\r\n--edge--\r\n");
    let service = "/scene7/services/IpsApiService";
    let ways = [
        (service, "text/xml", soap(&bad, &question), false),
        (service, "text/xml", soap("", &question), true),
        (
            "/scene7/api/IpsApiService",
            "text/xml",
            format!("<Request xmlns=\"{NAMESPACE}\">{bad}{question}</Request>"),
            false,
        ),
        ("/scene7/UploadFile", "multipart/form-data; boundary=edge", form, false),
        ("/api/jobs", "", String::new(), true),
        (service, "text/xml", soap(&auth("ada@acme.example", PASSWORD), &checked), false),
    ];
    prepress::daemon::parts::install_crypto();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let count = ways.len();
    runtime.block_on(async {
        for (n, (path, content_type, body, basic)) in ways.into_iter().enumerate() {
            let peer: std::net::IpAddr = format!("127.0.7.{n}").parse().unwrap();
            let client = reqwest::Client::builder().local_address(Some(peer)).build().unwrap();
            let url = format!("http://{}{path}", daemon.address);
            let request = if content_type.is_empty() { client.get(url) } else { client.post(url).body(body) };
            let request = request.header("Content-Type", content_type).header("X-Forwarded-For", "198.51.100.7");
            let request = if basic { request.basic_auth("mallory@acme.example", Some("wrong")) } else { request };
            let text = request.send().await.unwrap().text().await.unwrap();
            assert!(
                ["10001", "not-authenticated", "InvalidLogin"].iter().any(|said| text.contains(said)),
                "{path}: {text}"
            );
        }
    });
    assert_eq!(daemon.terminate(), Some(0));
    let log = fs::read_to_string(log).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a login was refused")).collect();
    assert_eq!(lines.len(), count, "{log}");
    for n in 0..count {
        let named = lines.iter().filter(|line| line.contains(&format!("peer=127.0.7.{n} "))).collect::<Vec<_>>();
        assert_eq!(named.len(), 1, "{log}");
        assert!(named[0].contains("mallory@acme.example") && !named[0].contains("198.51.100.7"), "{log}");
    }
}
