//! Real SOAP clients against a running daemon: they load its WSDL and call its operations.
#![allow(clippy::unwrap_used, reason = "what fails here fails its test")]

mod server;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use prepress::contract::{Contract, Version};
use prepress::model::handle;
use prepress::model::id::CompanyId;
use prepress::model::property_set::{BuiltIn, Properties, Property};
use prepress::model::role::Role;
use prepress::store::property_sets::Owner;
use prepress::transport::soap::operations;
use serde_json::{Value, json};
use server::stage::Stage;
use server::{PASSWORD, Server};

const USER: &str = "ada@acme.example";
const ADMIN: &str = "root@acme.example";
const PICTURES: [&str; 4] = ["shoe", "boot", "sandal", "clog"];

/// A job element of each kind, with many options.
const KINDS: &str = include_str!("clients/kinds.xml");

/// A company with pictures and waiting jobs for each version, so that versions do not see what the others did.
async fn server(versions: impl Iterator<Item = Version>) -> (Server, Stage, Value) {
    let (stage, registry) = Stage::set();
    let server = Server::start_with(Some(registry), |_| {}).await;
    let mut facts = Vec::new();
    for (index, version) in versions.enumerate() {
        let (id, company) = (47 + index as i64, format!("Acme {version}"));
        server.company(&company, id).await;
        server.user(USER, &company, Role::IpsCompanyAdmin).await;
        server.user(ADMIN, &company, Role::IpsAdmin).await;
        for picture in PICTURES {
            server.asset(id, "", picture).await;
        }
        let kinds = KINDS
            .replace("SCRIPT", &preset(&server, id, BuiltIn::SetScript, SCRIPT).await)
            .replace("PRESET", &preset(&server, id, BuiltIn::VideoEncodingPreset, PRESET).await);
        for (number, element) in kinds.split("\n\n").enumerate() {
            wait_with(&server, id, number, element).await;
        }
        facts.push(json!({
            "name": version.to_string(), "namespace": version.namespace(), "wsdl": version.wsdl_file(),
            "company": company, "operations": operations_of(version),
        }));
    }
    let setup = json!({"url": server.url(""), "user": USER, "admin": ADMIN, "password": PASSWORD, "versions": facts});
    (server, stage, setup)
}

const SCRIPT: &[(&str, &str)] = &[("name", "Views"), ("setType", "ImageSet"), ("match", "(.*)-[0-9]+")];
const PRESET: &[(&str, &str)] = &[("name", "Small"), ("suffix", "-small"), ("height", "480")];

/// Gives a company a set of a built-in type; its handle.
async fn preset(server: &Server, company: i64, built_in: BuiltIn, values: &[(&str, &str)]) -> String {
    let property = |(name, value): &(&str, &str)| Property { name: (*name).to_owned(), value: (*value).to_owned() };
    let properties = Properties::new(values.iter().map(property).collect()).unwrap();
    let store = server.services().store();
    let set_type = store.built_in_type(built_in).await.unwrap();
    let owner = Owner { company: Some(CompanyId(company)), account: None };
    let now = server.services().clock().now();
    handle::property_set(store.add_property_set(set_type.id, owner, properties, now).await.unwrap())
}

/// Submits a job of this kind for a far day.
async fn wait_with(server: &Server, company: i64, number: usize, element: &str) {
    let newest = Contract::get().versions().next_back().unwrap().namespace();
    let body = format!(
        "<submitJobParam xmlns=\"{newest}\"><companyHandle>{company}</companyHandle><jobName>Kind {number}</jobName>\
         <execTime>2098-01-01T00:00:00Z</execTime>{element}</submitJobParam>"
    );
    let answer = server.soap(USER, &body).await;
    assert_eq!(answer.status, 200, "{element}: {}", answer.text);
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
async fn zeep_calls_every_operation_in_every_version() {
    let python = python();
    let versions = Contract::get().versions();
    let (server, _stage, setup) = server(versions.clone()).await;
    let said = run(&python, "zeep_client.py", &server, &setup).await;
    let newest = versions.clone().last().unwrap();
    assert!(said.contains(&format!("{newest}: {} operations", operations::NAMES.len())), "{said}");
    assert_eq!(said.lines().count(), versions.clone().count(), "{said}");
    let wrong = versions.count() as u64;
    assert_eq!(server.services().passwords_verified(), 2 + wrong, "one for each login, one for each wrong password");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn php_calls_every_documented_version() {
    let modules = std::process::Command::new("php").arg("-m").output();
    let has_soap =
        modules.is_ok_and(|modules| String::from_utf8_lossy(&modules.stdout).lines().any(|line| line == "soap"));
    assert!(has_soap, "php with its SOAP extension is missing: install the Debian packages php-cli and php-soap");
    let (server, _stage, setup) = server(Contract::get().documented_versions()).await;
    let said = run(Path::new("php"), "soap_client.php", &server, &setup).await;
    assert_eq!(said.lines().count(), 16, "{said}");
    server.shut_down().await;
}
