//! Real SOAP clients against a running daemon: they load its WSDL and call its operations.

mod server;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use prepress::contract::{Contract, Version};
use prepress::model::role::Role;
use prepress::transport::soap::operations;
use serde_json::{Value, json};
use server::stage::Stage;
use server::{PASSWORD, Server};

const USER: &str = "ada@acme.example";
const PICTURES: [&str; 4] = ["shoe", "boot", "sandal", "clog"];

/// A company with pictures for each documented version, so that versions do not see what the others did.
async fn server(stage: Stage, registry: std::sync::Arc<dyn prepress::executors::Registry>) -> (Server, Stage, Value) {
    let server = Server::start_with(Some(registry), |_| {}).await;
    let mut versions = Vec::new();
    for (index, version) in Contract::get().documented_versions().enumerate() {
        let (id, company) = (47 + index as i64, format!("Acme {version}"));
        server.company(&company, id).await;
        server.user(USER, &company, Role::IpsCompanyAdmin).await;
        for picture in PICTURES {
            server.asset(id, "", picture).await;
        }
        versions.push(json!({
            "name": version.to_string(), "namespace": version.namespace(), "wsdl": version.wsdl_file(),
            "company": company, "operations": operations_of(version),
        }));
    }
    let setup = json!({"url": server.url(""), "user": USER, "password": PASSWORD, "versions": versions});
    (server, stage, setup)
}

/// What of this server's operations the version has.
fn operations_of(version: Version) -> Vec<&'static str> {
    let has = |name: &&str| Contract::get().operation(name).is_some_and(|operation| operation.range.contains(version));
    operations::NAMES.iter().copied().filter(has).collect()
}

/// Runs a client with the path of the setup as its argument; its words, if it succeeded.
async fn run(program: &Path, script: &str, server: &Server, setup: &Value) -> String {
    let file = server.data().join("clients.json");
    std::fs::write(&file, setup.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let output = tokio::process::Command::new(program)
        .arg(&script)
        .arg(&file)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}; tests/run.sh installs it", program.display()));
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} failed:\n{said}\n{complained}", script.display());
    said.into_owned()
}

fn python() -> PathBuf {
    match std::env::var_os("PREPRESS_TEST_PYTHON") {
        Some(path) => path.into(),
        None => panic!(
            "PREPRESS_TEST_PYTHON does not name a Python with tests/clients/requirements.txt installed; run tests/run.sh, \
             which makes one in target/test-python, and then: PREPRESS_TEST_PYTHON=target/test-python/bin/python cargo test"
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zeep_calls_every_operation_in_every_documented_version() {
    let python = python();
    let (stage, registry) = Stage::set();
    let (server, _stage, setup) = server(stage, registry).await;
    let said = run(&python, "zeep_client.py", &server, &setup).await;
    let newest = Version::newest_documented();
    assert!(said.contains(&format!("{newest}: {} operations", operations::NAMES.len())), "{said}");
    assert_eq!(said.lines().count(), 8, "{said}");
    assert_eq!(server.services().passwords_verified(), 9, "one for the login, one for each wrong password");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn php_calls_every_documented_version() {
    let modules = std::process::Command::new("php").arg("-m").output();
    let has_soap =
        modules.is_ok_and(|modules| String::from_utf8_lossy(&modules.stdout).lines().any(|line| line == "soap"));
    assert!(has_soap, "php with its SOAP extension is missing: install the Debian packages php-cli and php-soap");
    let (stage, registry) = Stage::set();
    let (server, _stage, setup) = server(stage, registry).await;
    let said = run(Path::new("php"), "soap_client.php", &server, &setup).await;
    assert_eq!(said.lines().count(), 16, "{said}");
    server.shut_down().await;
}
