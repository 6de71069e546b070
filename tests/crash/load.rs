//! Hundreds of connections at a time, most of them up to no good.

use std::process::Command;

use crate::{PASSWORD, catalogue, serve};

/// The script says what it does and what it expects: every good request answered, nothing held that was not held before.
#[test]
fn under_load_good_requests_are_answered_and_nothing_grows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // Bounds that are reached within so short a time.
    let bounds = "request_timeout = \"10s\"\nmax_request_bytes = \"1 MiB\"\nmax_bytes_before_login = \"16 MiB\"\n";
    std::fs::write(data.with_extension("toml"), format!("[server]\n{bounds}")).unwrap();
    serve(&data).kill();
    catalogue(&data, 0);
    let process = serve(&data);
    let python =
        std::env::var("PREPRESS_TEST_PYTHON").expect("tests/run.sh names a Python with tests/clients/requirements.txt");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/load.py");
    let (pid, user) = (process.id().to_string(), "ada@acme.example");
    let mut load = Command::new(python);
    load.args([script, &process.address, &pid, user, PASSWORD, "--seconds", "20", "--slow", "12"]);
    let load = load.output().unwrap();
    let [figures, failures] = [load.stdout, load.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(load.status.success(), "{failures}{figures}");
    assert_eq!(process.terminate(), Some(0));
}
