//! SIGHUP and certificates, as an administrator sees them: a real daemon, real signals, real handshakes.

use std::fs::File;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use chrono::{Datelike, TimeDelta};
use prepress::clock::{Clock, SystemClock};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::service::{GUARD, until};
use super::*;

/// A certificate for localhost, and its key.
struct Issued {
    der: CertificateDer<'static>,
    certificate: String,
    key: String,
}

/// One that began `age` days ago and ends in so many days.
fn issued(age: i64, days: i64) -> Issued {
    let date = |days: i64| {
        let at = SystemClock.now() + TimeDelta::days(days);
        rcgen::date_time_ymd(at.year(), at.month() as u8, at.day() as u8)
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date(-age), date(days));
    let certificate = params.self_signed(&key).unwrap();
    Issued { der: certificate.der().clone(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// A data folder whose daemon is run by a file, and watched as a service manager does.
struct Service {
    place: Place,
    socket: UnixDatagram,
    daemon: Daemon,
}

impl Service {
    fn file(place: &Place, name: &str) -> PathBuf {
        place.data.with_file_name(name)
    }

    fn put(place: &Place, config: &str, certificate: &str, key: &str) {
        fs::write(Self::file(place, "server.crt"), certificate).unwrap();
        fs::write(Self::file(place, "server.key"), key).unwrap();
        Self::write(place, config);
    }

    fn write(place: &Place, config: &str) {
        fs::write(Self::file(place, "prepress.toml"), config).unwrap();
    }

    fn start(place: Place) -> Self {
        let socket = UnixDatagram::bind(Self::file(&place, "notify")).unwrap();
        socket.set_read_timeout(Some(GUARD)).unwrap();
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", Self::file(&place, "notify")).env_remove("WATCHDOG_USEC");
        command.env("PREPRESS_CONFIG", Self::file(&place, "prepress.toml"));
        let daemon = Daemon::of(command.stderr(File::create(Self::file(&place, "log")).unwrap()));
        let service = Self { place, socket, daemon };
        assert!(service.hear().contains("READY=1"));
        service
    }

    fn hear(&self) -> String {
        let mut text = [0; 4096];
        let length = self.socket.recv(&mut text).expect("the service manager is told something");
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    /// SIGHUP, until the daemon says that it is done; what it says then.
    fn reload(&self) -> String {
        self.daemon.signal(Signal::HUP);
        let begun = self.hear();
        assert!(begun.lines().any(|line| line == "RELOADING=1"), "{begun}");
        assert!(begun.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "{begun}");
        let done = self.hear();
        assert!(done.lines().any(|line| line == "READY=1"), "{done}");
        done
    }

    fn log(&self) -> String {
        fs::read_to_string(Self::file(&self.place, "log")).unwrap()
    }

    /// A handshake by these roots, and a request over it: the certificate, and the answer.
    fn ask(&self, roots: &[&Issued], request: &str) -> (CertificateDer<'static>, String) {
        let mut store = RootCertStore::empty();
        roots.iter().for_each(|root| store.add(root.der.clone()).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = Arc::new(client.with_root_certificates(store).with_no_client_auth());
        let connection = ClientConnection::new(client, ServerName::try_from("localhost").unwrap()).unwrap();
        let stream = TcpStream::connect(&self.daemon.address).unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Some end without saying good-bye.
        let _ = stream.read_to_end(&mut answer);
        let served = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
        (served, String::from_utf8(answer).unwrap())
    }

    fn get(&self, roots: &[&Issued], path: &str) -> (CertificateDer<'static>, String) {
        self.ask(roots, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    fn post(&self, roots: &[&Issued], bytes: usize) -> String {
        let path = "/scene7/services/IpsApiService";
        let body = " ".repeat(bytes);
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
        self.ask(roots, &format!("{head}{body}")).1
    }
}

#[test]
fn a_hang_up_has_the_configuration_read_again_and_a_bad_one_is_not_used() {
    let (old, new) = (issued(1, 400), issued(1, 800));
    let both = [&old, &new];
    let place = Place::new();
    let tls = "[server]\ntls_certificate = \"server.crt\"\ntls_key = \"server.key\"\n";
    Service::put(&place, &format!("{tls}[log]\nlevel = \"info\"\n"), &old.certificate, &old.key);
    let service = Service::start(place);
    let (served, metrics) = service.get(&both, "/metrics");
    assert_eq!(served, old.der);
    let expiry = |metrics: &str| -> i64 {
        let line = metrics.lines().find(|line| line.starts_with("prepress_certificate_expiry_timestamp_seconds "));
        line.unwrap_or_else(|| panic!("{metrics}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    let before = expiry(&metrics);
    assert!(service.post(&both, 100_000).contains("there is no XML in it"), "100 kB are read");
    assert!(!service.log().contains("DEBUG"), "{}", service.log());
    service.place.furnish();

    // Everything at once: certificate, level, bounds, mail; and two settings that need a new start.
    let mails = Service::file(&service.place, "letters");
    let changed = format!(
        "{tls}max_request_bytes = \"64 KiB\"\nmax_connections = 500\n[dispatch]\nslots = 3\n[log]\nlevel = \"debug\"\n\
         [mail]\neml_dir = \"letters\"\nfrom = \"Studio <studio@acme.example>\"\n"
    );
    Service::put(&service.place, &changed, &new.certificate, &new.key);
    let said = service.reload();
    assert!(said.contains(&format!("STATUS=Listening on {}", service.daemon.address)), "{said}");
    let (served, metrics) = service.get(&both, "/metrics");
    assert_eq!(served, new.der);
    assert_eq!((expiry(&metrics) - before) / 86_400, 400);
    assert!(service.post(&both, 100_000).contains("larger than the limit of 65536 bytes"));
    let log = service.log();
    let line = |word: &str| log.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("{word}: {log}"));
    let taken = line("the configuration was read again");
    for key in ["server.max_request_bytes", "mail.from", "mail.eml_dir", "log.level"] {
        assert!(taken.contains(key), "{key}: {taken}");
    }
    let waiting = line("when the daemon is started again");
    assert!(waiting.contains("server.max_connections") && waiting.contains("dispatch.slots"), "{waiting}");
    assert!(!waiting.contains("log.level") && !taken.contains("slots") && !taken.contains("tls_key"), "{taken}");
    assert!(log.contains("DEBUG"), "{log}");
    let order = r#"{"companyHandle": "c|47", "jobName": "Mailed", "optimizeImagesJob": {"emailSetting": "All"}}"#;
    service.place.run_with_input(&["submit", "-", "--user", "ada@acme.example", "--wait"], order);
    let mail = until("a mail in the new folder", || {
        let mut files = fs::read_dir(&mails).ok()?.map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "eml"))
    });
    assert!(fs::read_to_string(mail).unwrap().contains("studio@acme.example"));

    // What cannot be used is told, and nothing of it is used, nor what stands beside it.
    let refused = |config: &str, certificate: &Issued, key: &Issued, word: &str| {
        Service::put(&service.place, config, &certificate.certificate, &key.key);
        let said = service.reload();
        assert!(said.contains("is bad, see the log"), "{said}");
        let log = service.log();
        let told = log.lines().rfind(|line| line.contains("the new configuration is not used"));
        assert!(told.is_some_and(|line| line.contains("ERROR") && line.contains(word)), "{word}: {log}");
        assert_eq!(service.get(&both, "/healthz").0, new.der);
        assert!(service.post(&both, 100_000).contains("65536"));
    };
    let larger = changed.replace("64 KiB", "1 MiB");
    refused(&format!("{larger}[nonsense]\nkey = 1\n"), &new, &new, "unknown key `nonsense");
    refused(&larger.replace("1 MiB", "1 KiB"), &new, &new, "server.max_request_bytes = 1 KiB");
    let two = format!("{}[nonsense]\nkey = 1\n", larger.replace("\"debug\"", "\"loud\""));
    refused(&two, &new, &new, "unknown key `nonsense`; log.level = ");
    refused("[server\n", &new, &new, "not valid TOML: line 1");
    refused(&larger, &old, &new, "is not that of the certificate");
    fs::remove_file(Service::file(&service.place, "prepress.toml")).unwrap();
    assert!(service.reload().contains("is bad"));

    // It is not too late for a good one; and settings that went back to what is in force wait for nothing.
    let back = larger.replace("max_connections = 500\n", "").replace("slots = 3\n", "");
    Service::put(&service.place, &back, &new.certificate, &new.key);
    service.reload();
    assert!(service.post(&both, 100_000).contains("there is no XML in it"));
    assert_eq!(service.log().matches("when the daemon is started again").count(), 1, "{}", service.log());
    assert_eq!(service.daemon.terminate(), Some(0));
}

#[test]
fn a_hang_up_without_a_file_changes_nothing_and_ends_nothing() {
    let place = Place::new();
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let log = Service::file(&place, "log");
    let daemon = Daemon::of(command.stderr(File::create(&log).unwrap()));
    for times in 1..=3 {
        daemon.signal(Signal::HUP);
        until("it says that it has read", || {
            let log = fs::read_to_string(&log).unwrap();
            (log.matches("the configuration was read again").count() == times).then_some(())
        });
    }
    assert!(daemon.get("/readyz", None).0.starts_with("HTTP/1.1 200"));
    let log = fs::read_to_string(&log).unwrap();
    assert!(!log.contains("WARN") && !log.contains("ERROR") && !log.contains("changed="), "{log}");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn certificates_that_wait_for_a_new_start_are_looked_at_before() {
    let (place, good) = (Place::new(), issued(1, 400));
    Service::write(&place, "");
    let service = Service::start(place);
    let tls = "[server]\ntls_certificate = \"server.crt\"\ntls_key = \"server.key\"\n";
    Service::write(&service.place, tls);
    service.reload();
    let log = service.log();
    let line = log.lines().find(|line| line.contains("the daemon will not start with this certificate"));
    assert!(line.is_some_and(|line| line.contains("ERROR") && line.contains("server.crt cannot be read")), "{log}");
    Service::put(&service.place, tls, &good.certificate, &good.key);
    service.reload();
    let log = service.log();
    assert_eq!(log.matches("when the daemon is started again").count(), 2, "{log}");
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
    assert_eq!(service.daemon.terminate(), Some(0));
}

#[test]
fn check_looks_at_the_certificate() {
    let place = Place::new();
    let config = Service::file(&place, "prepress.toml");
    let tls = "[server]\ntls_certificate = \"server.crt\"\ntls_key = \"server.key\"\nlisten = \"127.0.0.1:0\"\n";
    let check = |certificate: &Issued, key: &Issued| {
        Service::put(&place, tls, &certificate.certificate, &key.key);
        let ran = place.run(&["check", "--config", config.to_str().unwrap()]);
        let line =
            ran.out.lines().find(|line| line.contains("  certificate ")).unwrap_or_else(|| panic!("{}", ran.out));
        (ran.code, line.to_owned())
    };
    let (far, near, over) = (issued(10, 400), issued(100, 6), issued(100, -1));
    for (certificate, key, code, mark, word) in [
        (&far, &far, 0, "ok", "server.crt, valid until"),
        (&near, &near, 0, "warning", "expires in 5 days"),
        (&over, &over, 1, "error", "has expired"),
        (&far, &near, 1, "error", "is not that of the certificate"),
    ] {
        let (ended, line) = check(certificate, key);
        assert!(ended == Some(code) && line.starts_with(mark) && line.contains(word), "{word}: {ended:?} {line}");
    }
}

/// Before the daemon has said where it listens it has nothing to read again, but it is not ended either.
#[test]
fn a_hang_up_during_the_start_is_heard_after_it() {
    let place = Place::new();
    let log = Service::file(&place, "log");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    // From when it listens to signals on.
    let caught = format!("/proc/{}/status", child.id());
    until("it catches the signal", || {
        let status = fs::read_to_string(&caught).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t"))?.to_owned();
        (u64::from_str_radix(caught.trim(), 16).ok()? & 1 != 0).then_some(())
    });
    rustix::process::kill_process(pid, Signal::HUP).unwrap();
    until("it says that it has read", || {
        fs::read_to_string(&log).unwrap().contains("the configuration was read again").then_some(())
    });
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
