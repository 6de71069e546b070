//! Completion URLs over real HTTP, by the parts of a real daemon.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::TimeDelta;
use prepress::config::{Config, Environment, Overrides};
use prepress::daemon::parts;
use prepress::engine::Notify;
use prepress::model::id::InstanceId;
use prepress::model::outcome::Outcome;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Daemon, Database, Plan, Scripted, Wire, World, company, policy, upload};

/// A request that came in, and what the database said of the run at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    request: String,
    login: Option<String>,
    body: usize,
    outcome: Option<String>,
}

/// Somebody's web server.
struct Hook {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Hook {
    /// Answers the n-th request (from 0), for a path, as `answer` says.
    async fn open(world: &World, answer: fn(usize, &str) -> Response) -> Self {
        Self::listen(world, TcpListener::bind("127.0.0.1:0").await.unwrap(), answer)
    }

    fn listen(world: &World, listener: TcpListener, answer: fn(usize, &str) -> Response) -> Self {
        let address = listener.local_addr().unwrap();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let (database, noted) = (world.raw.clone(), heard.clone());
        let router = Router::new().fallback(move |request: Request<Body>| async move {
            let (head, body) = request.into_parts();
            let login = head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
            let body = to_bytes(body, 1000).await.unwrap().len();
            let outcome = outcome(&database).await;
            let request = format!("{} {}", head.method, head.uri);
            let number = {
                let mut noted = noted.lock().unwrap();
                noted.push(Heard { request, login, body, outcome });
                noted.len() - 1
            };
            answer(number, head.uri.path())
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn requests(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.request).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn outcome(database: &Database) -> Option<String> {
    let newest = database.row("SELECT outcome FROM instance ORDER BY id DESC LIMIT 1").await;
    newest[0].as_str().map(str::to_owned)
}

/// The ways out of a daemon with the configuration.
async fn notify(world: &World, configure: impl FnOnce(&mut Config)) -> Notify {
    let overrides = Overrides { data: Some(world.dir.path().to_owned()), listen: None };
    let mut config = Config::load_in(&Environment::of_process(), None, overrides).unwrap();
    configure(&mut config);
    parts::install_crypto();
    parts::notify(&config, &world.store()).await.unwrap()
}

/// One that may call this machine.
async fn inward(world: &World) -> Notify {
    notify(world, |config| config.fetch.allow_private = true).await
}

async fn submit(world: &World, url: &str) -> InstanceId {
    let spec = upload(&json!({"emailSetting": "None", "postHttpUrl": url}));
    world.try_submit(1, "told", spec, Plan::AtOnce).await.unwrap().run.unwrap().id
}

fn ok(_: usize, _: &str) -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_requested_once_and_after_the_end_is_committed() {
    let world = World::new().await;
    let hook = Hook::open(&world, ok).await;
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), inward(&world).await).await;
    let id = submit(&world, &format!(" http://ann:s3cret@{}/done?job=7 ", hook.address)).await;
    world.until_count(1, "outbox WHERE state = 'Delivered' AND attempts = 1").await;
    world.advance(TimeDelta::days(1));
    daemon.look();
    daemon.shut_down().await;
    assert_eq!(world.run(id).await.outcome, Some(Outcome::Succeeded));
    let only = Heard {
        request: "GET /done?job=7".to_owned(),
        login: Some("Basic YW5uOnMzY3JldA==".to_owned()),
        body: 0,
        outcome: Some("Succeeded".to_owned()),
    };
    assert_eq!(hook.heard(), [only]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_followed_so_far() {
    fn answer(_: usize, path: &str) -> Response {
        match path {
            "/start" => Redirect::permanent("next/step").into_response(),
            "/next/step" => Redirect::to("/end").into_response(),
            "/end" => StatusCode::OK.into_response(),
            _ => Redirect::temporary("/loop").into_response(),
        }
    }
    let world = World::new().await;
    let hook = Hook::open(&world, answer).await;
    let ways = notify(&world, |config| (config.fetch.allow_private, config.fetch.max_redirects) = (true, 2)).await;
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), ways).await;
    submit(&world, &hook.url("/start")).await;
    world.until_count(1, "outbox WHERE state = 'Delivered'").await;
    assert_eq!(hook.requests(), ["GET /start", "GET /next/step", "GET /end"]);
    submit(&world, &hook.url("/loop")).await;
    world.until_count(1, "outbox WHERE state = 'GivenUp' AND last_error LIKE '%more than 2 times%'").await;
    assert_eq!(hook.requests().len(), 6, "the first, and two more");
    daemon.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_not_asked_again() {
    fn answer(_: usize, path: &str) -> Response {
        StatusCode::from_u16(path[1..].parse().unwrap()).unwrap().into_response()
    }
    let world = World::new().await;
    let hook = Hook::open(&world, answer).await;
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), inward(&world).await).await;
    for (done, status) in ["400", "401", "403", "404", "410", "422"].into_iter().enumerate() {
        submit(&world, &hook.url(&format!("/{status}"))).await;
        let row = format!("outbox WHERE state = 'GivenUp' AND attempts = 1 AND last_error LIKE '%{status}%'");
        world.until_count(1, &row).await;
        assert_eq!(hook.requests().len(), done + 1);
    }
    world.advance(TimeDelta::days(1));
    daemon.look();
    daemon.shut_down().await;
    assert_eq!(hook.requests().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_pass_is_asked_again_with_growing_waits() {
    fn answer(number: usize, _: &str) -> Response {
        let codes = [408, 429, 500, 503];
        StatusCode::from_u16(codes.get(number).copied().unwrap_or(200)).unwrap().into_response()
    }
    let world = World::new().await;
    let hook = Hook::open(&world, answer).await;
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), inward(&world).await).await;
    submit(&world, &hook.url("/done")).await;
    for (tries, (status, wait)) in [(408, 30), (429, 60), (500, 120), (503, 240)].into_iter().enumerate() {
        let (tries, due) = (tries + 1, (world.now() + TimeDelta::seconds(wait)).timestamp_millis());
        let waits = "outbox WHERE state = 'Pending' AND attempts";
        world
            .until_count(1, &format!("{waits} = {tries} AND next_try_at = {due} AND last_error LIKE '%{status}%'"))
            .await;
        world.advance(TimeDelta::seconds(wait) - TimeDelta::milliseconds(1));
        daemon.look();
        assert_eq!(hook.requests().len(), tries, "not before its time");
        world.advance(TimeDelta::milliseconds(1));
    }
    world.until_count(1, "outbox WHERE state = 'Delivered' AND attempts = 5 AND last_error IS NULL").await;
    daemon.shut_down().await;
    assert_eq!(hook.requests().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_left_after_a_while() {
    let world = World::new().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ways = notify(&world, |config| {
        config.fetch.allow_private = true;
        config.publish.completion_timeout = "1s".parse().unwrap();
    });
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), ways.await).await;
    submit(&world, &format!("http://{}/", silent.local_addr().unwrap())).await;
    world.until_count(1, "outbox WHERE state = 'Pending' AND attempts = 1 AND last_error LIKE '%timed out%'").await;
    daemon.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_is_not_called_unless_the_configuration_says_so() {
    fn answer(_: usize, _: &str) -> Response {
        Redirect::temporary("http://169.254.169.254/latest").into_response()
    }
    let world = World::new().await;
    let hook = Hook::open(&world, answer).await;
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), notify(&world, |_| {}).await).await;
    let port = hook.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f000001"] {
        submit(&world, &format!("http://{host}:{port}/done")).await;
    }
    let refused = "outbox WHERE state = 'GivenUp' AND attempts = 1 AND last_error LIKE '%may not be connected to%'";
    world.until_count(5, refused).await;
    daemon.shut_down().await;
    assert_eq!(hook.requests(), Vec::<String>::new());

    // Nor other ports than those that are named, and the password of an address is told to nobody but its server.
    let ways = notify(&world, |config| {
        (config.fetch.allow_private, config.fetch.allowed_ports) = (true, Some(vec![port]));
    });
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), ways.await).await;
    submit(&world, "http://ann:s3cret@127.0.0.1:1/done").await;
    world.until_count(1, "outbox WHERE state = 'GivenUp' AND last_error LIKE '%port 1 %'").await;
    submit(&world, &format!("http://ann:s3cret@127.0.0.1:{port}/done")).await;
    world.until_count(1, "outbox WHERE state = 'GivenUp' AND last_error LIKE '%port 80 %'").await;
    assert_eq!(world.count("outbox WHERE last_error LIKE '%s3cret%'").await, 0);
    daemon.shut_down().await;
    assert_eq!(hook.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_the_end_and_the_call_does_not_swallow_it() {
    let world = World::new().await;
    // The address is there, its server is not yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (silent, _held) = Wire::silent_for(company(1));
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), silent.notify()).await;
    let id = submit(&world, &format!("http://{address}/done")).await;
    world.until_done(id).await;
    daemon.kill().await;
    world.until_count(1, "outbox WHERE state = 'Pending' AND attempts = 0").await;

    drop(listener);
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), inward(&world).await).await;
    world.until_count(1, "outbox WHERE state = 'Pending' AND attempts = 1").await;
    daemon.kill().await;

    let hook = Hook::listen(&world, TcpListener::bind(address).await.unwrap(), ok);
    world.advance(TimeDelta::minutes(1));
    let daemon = Daemon::start_with(&world, policy(), Scripted::idle(), inward(&world).await).await;
    world.until_count(1, "outbox WHERE state = 'Delivered' AND attempts = 2").await;
    daemon.shut_down().await;
    assert_eq!(hook.requests(), ["GET /done"]);
}
