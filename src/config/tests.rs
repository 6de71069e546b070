use std::{fs, path::PathBuf};

use chrono_tz::Tz;
use tempfile::TempDir;

use super::{
    read::{Section, keys_of},
    *,
};
use crate::model::{
    kind::JobKind,
    trigger::{Misfire, Overlap},
};

/// Loads a file of this text from a folder of its own, in a bare environment.
fn load(text: &str) -> (TempDir, Result<Config, ConfigError>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prepress.toml");
    fs::write(&file, text).unwrap();
    let config = Config::load_in(&Environment::default(), Some(&file), Overrides::default());
    (folder, config)
}

fn loaded(text: &str) -> Config {
    load(text).1.unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// The problems as lines.
fn problems(text: &str) -> Vec<String> {
    match load(text).1 {
        Err(ConfigError::Invalid { problems, .. }) => problems.iter().map(Problem::to_string).collect(),
        other => panic!("{text}\nmust be refused with problems, not {other:?}"),
    }
}

fn example() -> (PathBuf, String) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/example.toml");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    (file, text)
}

/// `section.key` of every line that sets a key, also in a comment.
fn documented(text: &str) -> Vec<String> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
            if let Some((outer, key)) = name.split_once('.') {
                keys.push(format!("{outer}.{key}"));
            }
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            keys.push(format!("{section}{key}"));
        }
    }
    keys
}

#[test]
fn example_holds_the_defaults() {
    let (file, text) = example();
    let (folder, config) = load(&text);
    let expected = Config { data: folder.path().join("data"), ..Config::default() };
    assert_eq!(config.unwrap(), expected, "{}", file.display());
}

#[test]
fn example_documents_every_key() {
    fn keys<T: Section>(_: T) -> impl Iterator<Item = String> {
        let section = if T::NAME.is_empty() { String::new() } else { format!("{}.", T::NAME) };
        keys_of::<T>().iter().map(move |key| format!("{section}{key}"))
    }
    // Taken apart in full, so that a new section cannot be forgotten.
    let Config {
        data: _,
        zone: _,
        server_name: _,
        server,
        accounts,
        scheduler,
        dispatch,
        ingest,
        archive,
        fetch,
        upload,
        media,
        publish,
        export,
        mail,
        retention,
        sets,
        log,
    } = Config::default();
    let known: Vec<String> = keys(Top::default())
        .chain(keys(server))
        .chain(keys(accounts))
        .chain(keys(scheduler))
        .chain(keys(dispatch))
        .chain(keys(ingest))
        .chain(keys(archive))
        .chain(keys(fetch))
        .chain(keys(upload))
        .chain(keys(media))
        .chain(keys(publish))
        .chain(keys(export))
        .chain(keys(mail))
        .chain(keys(retention))
        .chain(keys(sets))
        .chain(keys(log))
        .collect();
    assert!(known.len() > 60, "the names of the keys were not found: {known:?}");
    let documented = documented(&example().1);
    for key in known {
        assert!(documented.contains(&key), "config/example.toml does not document {key}");
    }
}

/// The examples given in comments are good values, too.
#[test]
fn examples_in_comments_hold() {
    let text = example().1;
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if !documented(rest).is_empty() => rest,
            _ => line,
        })
        // Only one of the two ways to give a password is allowed.
        .filter(|line| !line.starts_with("password ="))
        .collect();
    let config = loaded(&uncommented.join("\n"));
    assert_eq!(config.mail.smtp_port(), 587);
    assert_eq!(config.local_zone().origin, ZoneOrigin::Config);
    assert!(config.dispatch.slots_by_kind.get(JobKind::OptimizeImages).is_some());
}

#[test]
fn values_are_read() {
    let config = loaded(
        r#"
        server_name = "press-1"
        zone = "Europe/Berlin"
        [server]
        listen = "[::1]:0"
        gzip = "soap"
        max_request_bytes = "32 MB"
        [scheduler]
        misfire = "fire_all"
        overlap = "queue"
        [dispatch]
        slots = 3
        job_timeout = "6h"
        slots_by_kind = { uploadDirectoryJob = 2 }
        [fetch]
        allowed_ports = [80, 443]
        [log]
        level = "info,prepress::engine=debug"
        target = "journald"
        "#,
    );
    assert_eq!(config.server_name(), "press-1");
    assert_eq!(config.zone(), Tz::Europe__Berlin);
    assert_eq!(config.server.listen.to_string(), "[::1]:0");
    assert_eq!(config.server.gzip, Gzip::Soap);
    assert_eq!(config.server.max_request_bytes.get(), 32_000_000);
    assert_eq!((config.scheduler.misfire, config.scheduler.overlap), (Misfire::FireAll, Overlap::Queue));
    assert_eq!(config.dispatch.slots().get(), 3);
    assert_eq!(config.dispatch.job_timeout, Some(Period::hours(6)));
    assert_eq!(config.dispatch.slots_by_kind.get(JobKind::UploadDirectory).unwrap().get(), 2);
    assert_eq!(config.dispatch.slots_by_kind.get(JobKind::Export), None);
    assert_eq!(config.fetch.allowed_ports, Some(vec![80, 443]));
    assert_eq!(config.log.target, LogTarget::Journald);
}

#[test]
fn unknown_keys_name_the_nearest() {
    let table = [
        ("dat = 'x'", "unknown key `dat`; did you mean `data`?"),
        ("[servre]\nlisten = '127.0.0.1:1'", "unknown key `servre`"),
        ("[server]\nlisen = '127.0.0.1:1'", "unknown key `server.lisen`; did you mean `server.listen`?"),
        ("[server]\njpeg_quality = 3", "unknown key `server.jpeg_quality`; did you mean `media.jpeg_quality`?"),
        ("listen = '127.0.0.1:1'", "unknown key `listen`; did you mean `server.listen`?"),
        ("[media]\nxyzzy = 1", "unknown key `media.xyzzy`"),
    ];
    for (text, expected) in table {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
}

#[test]
fn bad_values_name_key_value_and_rule() {
    let table = [
        ("server = 5", "server = 5: must be a table: write [server] and its keys below it"),
        (
            "zone = 'Europe/Berlinn'",
            "zone = \"Europe/Berlinn\": must be the IANA name of a zone, such as \"Europe/Berlin\"; did you mean \"Europe/Berlin\"?",
        ),
        (
            "[server]\nlisten = 'localhost'",
            "server.listen = \"localhost\": must be an IP address and a port, such as \"127.0.0.1:8080\", \"0.0.0.0:80\" or \"[::]:8080\"",
        ),
        ("[server]\ntls_key = 'k'", "server.tls_key = k: needs server.tls_certificate as well: TLS takes both"),
        (
            "[server]\ngzip = 'maybe'",
            "server.gzip = \"maybe\": unknown variant `maybe`, expected one of `never`, `soap`, `accept`, `always`",
        ),
        (
            "[server]\nrequest_timeout = 30",
            "server.request_timeout = 30: must be a duration in ms, s, m, h or d, such as \"30s\", \"10m\" or \"1h 30m\"",
        ),
        ("[server]\nmax_request_bytes = '1 KiB'", "server.max_request_bytes = 1 KiB: must be from 64 KiB to 1 GiB"),
        ("[server]\nmax_connections = -1", "server.max_connections = -1: must be from 1 to 65536"),
        ("[dispatch]\nslots = 0", "dispatch.slots = 0: must be from 1 to 1024"),
        (
            "[dispatch]\nheartbeat = '30s'",
            "dispatch.heartbeat = 30s: must be less than half of dispatch.lease (1m): one lost beat must not lose it",
        ),
        (
            "[dispatch]\nslots_by_kind = { exportJob = 0 }",
            "dispatch.slots_by_kind = { exportJob = 0 }: `exportJob` must be from 1 to 1024: a kind without a slot would never run",
        ),
        (
            "[dispatch]\nslots_by_kind = { exprtJob = 1 }",
            "dispatch.slots_by_kind = { exprtJob = 1 }: `exprtJob` is not a job element of submitJob; did you mean `exportJob`?",
        ),
        (
            "[fetch]\nallowed_ports = []",
            "fetch.allowed_ports = []: must name at least one port, and none may be 0; leave the key out to allow every port",
        ),
        (
            "[ingest]\nskip = ['a/b']",
            "ingest.skip = \"a/b\": must hold names of files, in which * stands for any characters and ? for one",
        ),
        (
            "[archive]\nnames = 'klingon'",
            "archive.names = \"klingon\": must be \"auto\", or a code page such as \"shift_jis\", \"gbk\", \"ibm866\", \"cp437\" or \"cp850\"",
        ),
        ("[archive]\nmax_ratio = 0", "archive.max_ratio = 0: must be from 1 to 2000"),
        ("[media]\ntile = 100", "media.tile = 100: must be a multiple of 16, as TIFF wants it"),
        ("[media]\njpeg_quality = 0", "media.jpeg_quality = 0: must be from 1 to 100"),
        ("[media]\njpeg_quality = 500", "media.jpeg_quality = 500: must be from 1 to 100"),
        ("[media]\ntile = -16", "media.tile = -16: must be from 64 to 1024"),
        ("[fetch]\nmax_redirects = -1", "fetch.max_redirects = -1: must be from 0 to 20"),
        ("[mail]\nsmtp_port = 70000", "mail.smtp_port = 70000: must be from 1 to 65535"),
        (
            "[mail]\nfrom = 'nobody'",
            "mail.from = \"nobody\": must be a mail address, such as \"Prepress <prepress@example.com>\"",
        ),
        (
            "[mail]\nconsole_url = 'x'",
            "mail.console_url = \"x\": must be an http or https address without login, query or fragment, such as \"https://images.example.com\"",
        ),
        ("[sets]\nmax_assets = 0", "sets.max_assets = 0: must be from 1 to 100000"),
        ("[retention]\nlogs = '1s'", "retention.logs = 1s: must be from 1d to 36500d"),
        (
            "[log]\nlevel = 'loud=='",
            "log.level = \"loud==\": must be a level (error, warn, info, debug, trace, off), or levels by module such as \"info,prepress::engine=debug\"",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(problems(text), [expected], "{text}");
    }
}

/// A module without a level would be logged whole, and all else not at all: so would every typo.
#[test]
fn a_typo_does_not_silence_the_log() {
    let level = |level: &str| problems(&format!("[log]\nlevel = '{level}'"));
    for good in ["info", "WARN", "off", "info,prepress=debug", "warn,prepress::engine=trace", "warn,[span{a=1}]=debug"]
    {
        let (_folder, config) = load(&format!("[log]\nlevel = '{good}'"));
        assert!(config.is_ok(), "{good}: {config:?}");
    }
    for bad in ["loud", "inof", "prepress", "info,prepress", "prepress=", "warn,prepress=inof", "", " ", ",", "[span]"]
    {
        let told = level(bad);
        assert!(told.len() == 1 && told[0].starts_with("log.level = "), "{bad}: {told:?}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "dta = 1\n[server]\nlisten = 5\nport = 1\n[media]\ntile = 1\nmemory = 'lots'\n";
    let (folder, config) = load(text);
    let error = config.unwrap_err().to_string();
    let file = folder.path().join("prepress.toml");
    assert!(error.starts_with(&format!("the configuration {} has errors:\n", file.display())), "{error}");
    for key in ["dta", "server.listen", "server.port", "media.tile", "media.memory"] {
        assert!(error.contains(key), "{key} is not in\n{error}");
    }
}

#[test]
fn passwords_go_only_over_safe_ways_and_stay_hidden() {
    let login = "[mail]\nsmtp_host = 'mail.example.com'\nuser = 'me'\n";
    let refused = [
        ("password = 'letmein'\ntls = 'none'", "mail.tls"),
        ("password = 'letmein'\npassword_file = 'p'", "mail.password_file"),
        ("password = 5", "mail.password"),
        ("", "mail.user"),
    ];
    for (more, key) in refused {
        let found = problems(&format!("{login}{more}"));
        assert!(found.iter().any(|line| line.starts_with(key)), "{more}: {found:?}");
        assert!(!found.iter().any(|line| line.contains("letmein") || line.contains('5')), "{found:?}");
    }
    assert!(problems("[mail]\npassword = 'letmein'")[0].contains("needs mail.user"));

    let config = loaded(&format!("{login}password = 'letmein'"));
    assert!(!format!("{config:?}").contains("letmein"));
    assert_eq!(config.mail.password().unwrap().unwrap().expose(), "letmein");
    loaded("[mail]\nsmtp_host = '127.0.0.1'\nuser = 'me'\npassword = 'letmein'\ntls = 'none'");

    let (folder, config) = load(&format!("{login}password_file = 'secret'"));
    let config = config.unwrap();
    let missing = config.mail.password().unwrap_err().to_string();
    assert!(missing.contains("mail.password_file") && missing.contains("secret"), "{missing}");
    fs::write(folder.path().join("secret"), "letmein \n").unwrap();
    assert_eq!(config.mail.password().unwrap().unwrap().expose(), "letmein ");
}

#[test]
fn files_that_cannot_be_read() {
    let missing = Config::load(Some(Path::new("/nonexistent/prepress.toml")), Overrides::default()).unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/prepress.toml"), "{missing}");
    let syntax = load("[mail]\npassword = 'letmein' oops\n").1.unwrap_err();
    assert!(syntax.to_string().contains("line 2"), "{syntax}");
    assert!(!format!("{syntax} {syntax:?}").contains("letmein"), "{syntax:?}");
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let (folder, config) = load("data = 'store'\n[ingest]\nroot = '/srv/in'\n[publish]\nroot = 'out'");
    let config = config.unwrap();
    assert_eq!(config.data(), folder.path().join("store"));
    assert_eq!(config.ingest_root(), Path::new("/srv/in"));
    assert_eq!(config.publish_root(), folder.path().join("out"));
    assert_eq!(config.eml_dir(), folder.path().join("store/mail"));
}

#[test]
fn command_line_then_file_then_environment() {
    let systemd = Environment { state_directory: Some("/var/lib/prepress".into()), ..Environment::default() };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    fs::write(&file, "data = '/srv/data'\n[server]\nlisten = '127.0.0.1:1'").unwrap();
    let data = |file: Option<&Path>, overrides| Config::load_in(&systemd, file, overrides).unwrap();
    assert_eq!(data(None, Overrides::default()).data(), Path::new("/var/lib/prepress"));
    assert_eq!(data(Some(&file), Overrides::default()).data(), Path::new("/srv/data"));
    let overrides = Overrides { data: Some("here".into()), listen: Some(SocketAddr::from(([0, 0, 0, 0], 0))) };
    let config = data(Some(&file), overrides);
    assert_eq!(config.data(), std::env::current_dir().unwrap().join("here"));
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:0");
}

#[test]
fn the_zone_is_found() {
    let environment = |tz: Option<&str>, system: Option<&str>| Environment {
        tz: tz.map(str::to_owned),
        system_zone: system.map(str::to_owned),
        ..Environment::default()
    };
    let found = |tz, system| environment(tz, system).local_zone(None).map(|found| (found.zone, found.origin));
    let (berlin, tokyo) = (Tz::Europe__Berlin, Tz::Asia__Tokyo);
    assert_eq!(found(Some("Europe/Berlin"), Some("Asia/Tokyo")), Ok((berlin, ZoneOrigin::Environment)));
    assert_eq!(found(Some(":Europe/Berlin"), None), Ok((berlin, ZoneOrigin::Environment)));
    assert_eq!(found(Some("/usr/share/zoneinfo/Asia/Tokyo"), None), Ok((tokyo, ZoneOrigin::Environment)));
    assert_eq!(found(None, Some("Asia/Tokyo")), Ok((tokyo, ZoneOrigin::System)));
    assert_eq!(found(None, None), Ok((Tz::UTC, ZoneOrigin::Assumed)));
    assert!(found(Some("CET-1CEST,M3.5.0"), None).unwrap_err().to_string().starts_with("TZ = \"CET-1CEST"));
    let both = environment(Some("nonsense"), None).local_zone(Some(tokyo)).map(|found| found.origin);
    assert_eq!(both, Ok(ZoneOrigin::Config));
}

/// The unit file keeps its exposure below 2.0 by systemd's own measure.
#[test]
fn the_unit_is_hardened() {
    let unit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/prepress.service");
    let output = std::process::Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=19", "--no-pager"])
        .arg(&unit)
        .output()
        .expect("systemd-analyze is missing: install the Debian package systemd");
    let report = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    assert!(!report.contains("ignoring"), "a setting is not understood:\n{report}");
}

/// systemd finds nothing to complain of, when the programs that the unit names are there.
#[test]
fn the_unit_is_sound() {
    let unit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/prepress.service");
    let text = fs::read_to_string(&unit).unwrap();
    for line in ["Type=notify", "Restart=always", "ExecReload=/bin/kill -HUP $MAINPID"] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("prepress.service");
    fs::write(&copy, text.replace("/usr/bin/prepress", "/bin/true")).unwrap();
    let output = std::process::Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .arg(&copy)
        .output()
        .expect("systemd-analyze is missing: install the Debian package systemd");
    let report = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !report.contains("prepress.service"), "{report}");
}

/// A file of this text is read, changed to the other, and read again.
fn changes(before: &str, after: &str, overrides: &Overrides) -> Result<Changes, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prepress.toml");
    fs::write(&file, before).unwrap();
    let environment = Environment::default();
    let document = Document::read(Some(&file)).unwrap();
    let config = Config::load_in(&environment, Some(&file), overrides.clone()).unwrap();
    fs::write(&file, after).unwrap();
    let first = Changes::read_in(&environment, &config, &document, Some(&file), overrides)?;
    // What is in force afterwards differs from the file in what waits, and in nothing else.
    let second = Changes::read_in(&environment, &first.config, &first.document, Some(&file), overrides)?;
    assert_eq!((&second.taken, &second.waiting, &second.config), (&vec![], &first.waiting, &first.config));
    Ok(first)
}

#[test]
fn what_differs_when_it_is_read_again_is_taken_over_or_named() {
    let none = Overrides::default();
    let listen = Overrides { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), data: Some("here".into()) };
    let tls = "[server]\ntls_certificate = \"a\"\ntls_key = \"b\"\n";
    for (before, after, overrides, taken, waiting) in [
        ("", "", &none, &[][..], &[][..]),
        // A default that is written out is no change, nor is another way of writing it.
        ("", "[server]\nmax_request_bytes = \"16 MiB\"\n[dispatch]\nmax_attempts = 5\n", &none, &[], &[]),
        ("[upload]\nclient_timeout = \"1h\"", "[upload]\nclient_timeout = \"60m\"", &none, &[], &[]),
        ("", "[log]\nlevel = \"debug\"", &none, &["log.level"], &[]),
        ("[log]\nlevel = \"debug\"", "", &none, &["log.level"], &[]),
        (
            "[mail]\nsmtp_host = \"a\"",
            "[mail]\nsmtp_host = \"b\"\nretry_base = \"1m\"",
            &none,
            &["mail.smtp_host"],
            &["mail.retry_base"],
        ),
        ("", "data = \"x\"\nzone = \"Asia/Tokyo\"\nserver_name = \"n\"", &none, &[], &["data", "zone", "server_name"]),
        ("", "[dispatch.slots_by_kind]\noptimizeImagesJob = 1", &none, &[], &["dispatch.slots_by_kind"]),
        ("", "[server]\nlisten = \"127.0.0.1:1\"", &none, &[], &["server.listen"]),
        // What the command line says does not depend on the file.
        ("", "data = \"x\"\n[server]\nlisten = \"127.0.0.1:1\"", &listen, &[], &[]),
        (tls, "[server]\ntls_certificate = \"a\"\ntls_key = \"c\"", &none, &["server.tls_key"], &[]),
        // A listener has TLS or it has not.
        (tls, "", &none, &[], &["server.tls_certificate", "server.tls_key"]),
        ("", tls, &none, &[], &["server.tls_certificate", "server.tls_key"]),
    ] {
        let found = changes(before, after, overrides).unwrap();
        let sorted = |mut keys: Vec<String>| {
            keys.sort();
            keys
        };
        let expected = |keys: &[&str]| sorted(keys.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(sorted(found.taken), expected(taken), "{before} -> {after}");
        assert_eq!(sorted(found.waiting), expected(waiting), "{before} -> {after}");
    }
    let level = changes("", "[log]\nlevel = \"debug\"\n[dispatch]\nslots = 7", &none).unwrap().config;
    assert_eq!((level.log.level.as_str(), level.dispatch.slots), ("debug", Config::default().dispatch.slots));
    for bad in ["lo=ud", "loud"] {
        assert!(changes("", &format!("[log]\nlevel = \"{bad}\""), &none).is_err(), "{bad}");
    }
}

/// A key that no section has would be taken over by nobody.
#[test]
fn keys_that_are_taken_over_are_keys() {
    let (_, text) = example();
    let documented = documented(&text);
    for key in live::keys() {
        assert!(documented.iter().any(|documented| documented == key), "{key}");
    }
}
