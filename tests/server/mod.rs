//! A daemon on a port of its own, and a client that speaks SOAP to it by hand.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and what fails here fails its test"
)]

#[path = "../support/attempt.rs"]
pub mod attempt;
#[path = "../support/database.rs"]
pub mod database;
pub mod stage;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use attempt::{Attempt, picture};
use database::Database;
use prepress::clock::{SharedClock, SystemClock};
use prepress::config::{Config, Environment, Overrides};
use prepress::daemon::Daemon;
use prepress::executors::{Context, Executor, Failure, Registry};
use prepress::model::asset::AssetType;
use prepress::model::handle;
use prepress::model::id::{AccountId, AssetId, CompanyId, InstanceId};
use prepress::model::job::JobSpec;
use prepress::model::role::Role;
use prepress::service::Services;
use prepress::service::admin::AddUser;
use prepress::store::assets::arrival::Arrival;
use prepress::store::jobs::Fence;
use prepress::store::jobs::query::RunFilter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PASSWORD: &str = "correct horse battery";

pub struct Server {
    daemon: Daemon,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

/// An answer, with what tests look for in it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    /// What stands between the Body tags.
    pub fn payload(&self) -> &str {
        self.between("<soapenv:Body>", "</soapenv:Body>")
    }

    pub fn fault_code(&self) -> Option<i32> {
        self.between("<tns:code>", "</tns:code>").parse().ok()
    }

    pub fn reason(&self) -> &str {
        self.between("<tns:reason>", "</tns:reason>")
    }

    fn between(&self, from: &str, to: &str) -> &str {
        let rest = self.text.split_once(from).map_or("", |(_, rest)| rest);
        rest.split_once(to).map_or("", |(inside, _)| inside)
    }
}

pub fn envelope(header: &str, body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>"#
    )
}

/// Executors that do nothing, for tests of what surrounds them.
struct Idle;

#[async_trait]
impl Executor for Idle {
    async fn run(&self, _context: &Context) -> Result<(), Failure> {
        Ok(())
    }
}

impl Registry for Idle {
    fn executor(&self, _spec: &JobSpec) -> Box<dyn Executor> {
        Box::new(Idle)
    }
}

impl Server {
    /// A daemon whose jobs do nothing.
    pub async fn start() -> Self {
        Self::start_with(Some(Arc::new(Idle)), |_| {}).await
    }

    /// A daemon that does its work.
    pub async fn start_working() -> Self {
        Self::start_with(None, |_| {}).await
    }

    /// A daemon with the executors of a test, or else its own.
    pub async fn start_with(registry: Option<Arc<dyn Registry>>, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_by(SystemClock::shared(), registry, configure).await
    }

    /// A daemon whose jobs do nothing, by a clock that the test moves.
    pub async fn start_idle_by(clock: SharedClock, configure: impl FnOnce(&mut Config)) -> Self {
        Self::start_by(clock, Some(Arc::new(Idle)), configure).await
    }

    async fn start_by(
        clock: SharedClock,
        registry: Option<Arc<dyn Registry>>,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let overrides =
            Overrides { data: Some(folder.path().join("data")), listen: Some("127.0.0.1:0".parse().unwrap()) };
        let environment = Environment { tz: Some("Europe/Berlin".to_owned()), ..Environment::of_process() };
        let mut config = Config::load_in(&environment, None, overrides).unwrap();
        configure(&mut config);
        let config = Arc::new(config);
        let daemon = match registry {
            Some(registry) => Daemon::start_with(config, clock, registry).await.unwrap(),
            None => {
                let binary = Path::new(env!("CARGO_BIN_EXE_prepress"));
                Daemon::start_as(config, clock, binary).await.unwrap()
            }
        };
        Self { daemon, client: reqwest::Client::new(), folder }
    }

    pub fn services(&self) -> &Services {
        self.daemon.services()
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.daemon.address()
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.daemon.address())
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub async fn company(&self, name: &str, id: i64) {
        self.daemon.services().add_company(name, Some(CompanyId(id)), None).await.unwrap();
    }

    /// From now on the company is closed. Its users were told so by nobody: they find out.
    pub async fn expire(&self, company: i64) {
        self.execute(&format!("UPDATE company SET expires_at = 1 WHERE id = {company}")).await;
    }

    /// Writes past the daemon, where time has to have passed.
    pub async fn execute(&self, sql: &str) {
        Database::of(&self.data()).await.execute(sql).await;
    }

    /// Adds a user, or a membership of one that is there.
    pub async fn user(&self, email: &str, company: &str, role: Role) -> AccountId {
        let known = self.services().store().account_with_email(email).await.unwrap();
        let user = AddUser {
            email: email.to_owned(),
            first_name: "Ada".to_owned(),
            last_name: "Lovelace".to_owned(),
            company: company.to_owned(),
            role,
            password: known.is_none().then(|| PASSWORD.to_owned()),
            locale: None,
        };
        self.daemon.services().add_user(user).await.unwrap();
        self.daemon.services().store().account_with_email(email).await.unwrap().unwrap().id
    }

    /// Puts a picture into a company; its handle.
    pub async fn asset(&self, company: i64, folder: &str, name: &str) -> String {
        let arrival = picture(CompanyId(company), folder, name, self.services().clock().now());
        handle::asset(self.add(arrival).await, AssetType::Image)
    }

    /// Files it as a job does, which leaves no trace: the daemon would claim a run that waits, and tests look at all runs there are. So
    /// this one is written as if it were claimed, by a number that is given to no run, and is taken away again.
    pub async fn add(&self, arrival: Arrival) -> AssetId {
        let (company, at) = (arrival.company, arrival.at.timestamp_millis());
        let kind = attempt::spec().kind().element();
        let spec = serde_json::to_string(&attempt::spec()).unwrap();
        self.execute(&format!(
            "INSERT INTO job (id, company_id, name, kind, spec, account_id, submitter_id, created_at, trigger_kind, trigger_state)
             VALUES (-1, {company}, 'By a test', '{kind}', '{spec}', 1, 1, {at}, 'at_once', 'Complete')"
        ))
        .await;
        self.execute(&format!(
            "INSERT INTO instance (id, job_id, company_id, kind, job_name, run_name, state, attempt, due_at, created_at,
                                   not_before_at, started_at, account_id, lease_owner, lease_expires_at)
             VALUES (-1, -1, {company}, '{kind}', 'By a test', 'By a test', 'Running', 1, {at}, {at}, {at}, {at}, 1, 'a test',
                     {at} + 3600000)"
        ))
        .await;
        let mut attempt = Attempt::under(self.store(), Fence { instance: InstanceId(-1), attempt: 1 });
        let asset = attempt.add(arrival).await;
        self.execute("DELETE FROM instance WHERE id = -1").await;
        self.execute("DELETE FROM job WHERE id = -1").await;
        asset
    }

    pub async fn soap(&self, user: &str, body: &str) -> Answer {
        self.soap_as(user, PASSWORD, body).await
    }

    pub async fn soap_as(&self, user: &str, password: &str, body: &str) -> Answer {
        let header = format!(
            r#"<authHeader xmlns="http://www.scene7.com/IpsApi/xsd"><user>{user}</user><password>{password}</password><appName>tests</appName></authHeader>"#
        );
        self.post("/scene7/services/IpsApiService", &envelope(&header, body), &[("Content-Type", "text/xml")]).await
    }

    pub async fn basic(&self, user: &str, body: &str) -> Answer {
        let request = self.client.post(self.url("/scene7/services/IpsApiService")).basic_auth(user, Some(PASSWORD));
        Self::read(request.body(body.to_owned())).await
    }

    pub async fn post(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.post(self.url(path)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::read(request).await
    }

    /// Sends bytes as they are over a connection of their own, and reads until the server closes it.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        // A server that has refused already may have closed its side.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn read(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        Answer { status: response.status().as_u16(), text: response.text().await.unwrap() }
    }

    /// Runs that were written.
    pub async fn jobs(&self) -> usize {
        self.daemon.services().store().runs(&RunFilter::default()).await.unwrap().len()
    }

    pub fn store(&self) -> &prepress::store::Store {
        self.daemon.services().store()
    }

    /// Waits until every run is done, and gives them.
    pub async fn all_done(&self) -> Vec<prepress::store::jobs::query::Run> {
        let waited = std::time::Instant::now();
        while self.store().has_open_runs().await.unwrap() {
            assert!(waited.elapsed().as_secs() < 120, "the jobs do not end");
            tokio::task::yield_now().await;
        }
        self.store().runs(&RunFilter::default()).await.unwrap()
    }

    pub async fn shut_down(self) {
        self.daemon.shut_down().await;
    }
}
