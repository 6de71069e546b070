//! Passwords under fire: who is slowed down by failed logins, and who is not, on every way in. The peers are real: a machine
//! has all of 127.0.0.0/8.

use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};
use prepress::clock::ManualClock;
use prepress::config::Config;
use prepress::model::role::Role;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::server::{Answer, PASSWORD, Server, envelope};
use crate::{ADA, NEWEST};

const BOB: &str = "bob@acme.example";

struct World {
    server: Arc<Server>,
    clock: Arc<ManualClock>,
}

/// Nothing is remembered, so that each login costs a hash.
async fn world(configure: impl FnOnce(&mut Config)) -> World {
    prepress::daemon::parts::install_crypto();
    let clock = ManualClock::at(Utc.with_ymd_and_hms(2026, 11, 23, 9, 15, 0).unwrap());
    let server = Server::start_idle_by(clock.clone(), |config| {
        config.accounts.login_cache_size = 0;
        configure(config);
    })
    .await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    server.user(BOB, "Acme", Role::IpsUser).await;
    World { server: Arc::new(server), clock }
}

fn header(user: &str, password: &str) -> String {
    format!(
        "<authHeader xmlns=\"http://www.scene7.com/IpsApi/xsd\"><user>{user}</user><password>{password}</password></authHeader>"
    )
}

fn question() -> String {
    format!("<getUserInfoParam xmlns=\"{NEWEST}\"/>")
}

impl World {
    fn client(&self, from: &str) -> reqwest::Client {
        reqwest::Client::builder().local_address(Some(from.parse().unwrap())).build().unwrap()
    }

    async fn read(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        Answer { status: response.status().as_u16(), text: response.text().await.unwrap() }
    }

    /// A call over SOAP; what a proxy would say of who makes it is made up.
    async fn call(&self, from: &str, user: &str, password: &str) -> Answer {
        self.call_through(from, "198.51.100.77", user, password).await
    }

    async fn call_through(&self, from: &str, forwarded: &str, user: &str, password: &str) -> Answer {
        let request = self.client(from).post(self.server.url("/scene7/services/IpsApiService"));
        let request = request.header("X-Forwarded-For", forwarded).header("Content-Type", "text/xml");
        Self::read(request.body(envelope(&header(user, password), &question()))).await
    }

    async fn goes_in(&self, from: &str, user: &str) {
        let answer = self.call(from, user, PASSWORD).await;
        assert_eq!(answer.status, 200, "{user} from {from}: {}", answer.text);
    }

    /// The call waits until the clock has gone so far, and not before.
    async fn goes_in_after(&self, delay: TimeDelta, from: &'static str, user: &'static str) {
        let world = World { server: self.server.clone(), clock: self.clock.clone() };
        let call = tokio::spawn(async move { world.call(from, user, PASSWORD).await });
        // It is certainly there when it counts as waiting; until then the clock may not move.
        self.until_waiting(1).await;
        self.clock.advance(delay - TimeDelta::milliseconds(1));
        self.goes_in("127.0.0.1", ADA).await;
        assert!(!call.is_finished(), "{user} from {from} did not wait");
        self.clock.advance(TimeDelta::milliseconds(1));
        let answer = call.await.unwrap();
        assert_eq!(answer.status, 200, "{user} from {from}: {}", answer.text);
    }

    async fn until_waiting(&self, most: u64) {
        crate::shapes::until(async || (self.server.services().logins_waiting() >= most).then_some(())).await;
    }

    fn verified(&self) -> u64 {
        self.server.services().passwords_verified()
    }

    async fn end(self) {
        Arc::into_inner(self.server).unwrap().shut_down().await;
    }
}

/// A guess that waits for its turn.
async fn guess_after(world: &World, delay: TimeDelta, from: &'static str, password: String) -> Answer {
    let there = World { server: world.server.clone(), clock: world.clock.clone() };
    let call = tokio::spawn(async move { there.call(from, ADA, &password).await });
    world.until_waiting(1).await;
    assert!(!call.is_finished());
    world.clock.advance(delay);
    call.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_guess_costs_the_next_one_more_and_the_owner_nothing() {
    let world = world(|_| {}).await;
    world.goes_in("127.0.0.1", ADA).await;
    let before = world.verified();
    for n in 0..5 {
        assert_eq!(world.call("127.0.0.2", ADA, &format!("guess {n}")).await.fault_code(), Some(10001));
    }
    for (n, delay) in [500, 1000, 2000, 4000, 8000].into_iter().enumerate() {
        let answer = guess_after(&world, TimeDelta::milliseconds(delay), "127.0.0.2", format!("slow {n}")).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(10001)), "{}", answer.text);
        world.goes_in("127.0.0.1", ADA).await;
    }
    assert_eq!(world.verified() - before, 15, "ten guesses, and five logins of the owner");

    // From here on it is refused at once, whatever the password, in the way of each way in.
    let before = world.verified();
    let soap = world.call("127.0.0.2", ADA, PASSWORD).await;
    assert_eq!((soap.status, soap.fault_code()), (500, Some(10001)), "{}", soap.text);
    assert!(soap.reason().ends_with("try again in 16 s"), "{}", soap.text);
    let client = world.client("127.0.0.2");
    let url = |path: &str| world.server.url(path);
    let basic = client.post(url("/scene7/services/IpsApiService")).basic_auth(BOB, Some(PASSWORD));
    let plain = format!("<Request xmlns=\"{NEWEST}\">{}{}</Request>", header(ADA, PASSWORD), question());
    let form = reqwest_form(&[("auth", &header(ADA, PASSWORD))]);
    for request in [
        basic.body(envelope("", &question())),
        client.post(url("/scene7/api/IpsApiService")).body(plain),
        client.post(url("/scene7/UploadFile")).header("Content-Type", form.0).body(form.1),
    ] {
        let answer = World::read(request).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(10001)), "{}", answer.text);
        assert!(answer.reason().contains("too many"), "{}", answer.text);
    }
    let json = client.get(url("/api/jobs")).basic_auth(ADA, Some(PASSWORD)).send().await.unwrap();
    assert_eq!((json.status().as_u16(), &json.headers()["retry-after"]), (429, &"16".parse().unwrap()));
    assert_eq!(world.verified(), before, "no password was looked at");

    // Nobody else is concerned, and the address itself not for ever.
    world.goes_in("127.0.0.3", BOB).await;
    world.clock.advance(TimeDelta::seconds(16));
    world.goes_in_after(TimeDelta::milliseconds(500), "127.0.0.2", ADA).await;
    world.goes_in("127.0.0.2", ADA).await;
    world.end().await;
}

fn reqwest_form(parts: &[(&str, &str)]) -> (&'static str, String) {
    let parts = parts
        .iter()
        .map(|(name, text)| format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"));
    ("multipart/form-data; boundary=edge", parts.collect::<String>() + "--edge--\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_make_strangers_wait_a_little_and_lock_nobody_out() {
    let world = world(|_| {}).await;
    world.goes_in("127.0.0.1", ADA).await;
    for n in 0..20 {
        let (stranger, guess) = (format!("127.0.1.{n}"), format!("guess {n}"));
        let answer = world.call(&stranger, ADA, &guess);
        let (answer, ()) = tokio::join!(answer, async {
            if n >= 10 {
                world.until_waiting(1).await;
                world.clock.advance(TimeDelta::seconds(8));
            }
        });
        assert_eq!(answer.fault_code(), Some(10001), "{}", answer.text);
    }
    world.goes_in("127.0.0.1", ADA).await;
    world.goes_in("127.0.1.1", BOB).await;
    world.goes_in_after(TimeDelta::seconds(8), "127.0.0.4", ADA).await;
    world.goes_in("127.0.0.4", ADA).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_to_be_a_name_or_a_password_is_a_guess_all_the_same() {
    let world = world(|_| {}).await;
    let before = world.verified();
    let (name, password) = ("u".repeat(10_000), "p".repeat(10_000));
    for n in 0..5 {
        let (user, password) = if n % 2 == 0 { (name.as_str(), "p") } else { (ADA, password.as_str()) };
        let answer = world.call("127.0.0.2", &format!("{user}{n}"), &format!("{password}{n}")).await;
        assert_eq!(answer.fault_code(), Some(10001), "{}", answer.text);
    }
    assert_eq!(world.verified(), before, "none is worth a hash");
    world.goes_in_after(TimeDelta::milliseconds(500), "127.0.0.2", BOB).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_guesses_and_clients_that_hang_up_get_no_more_tries() {
    let world = world(|_| {}).await;
    let before = world.verified();
    let request = |n: usize| {
        let body = envelope(&header(ADA, &format!("guess {n}")), &question());
        let length = body.len();
        format!("POST /scene7/services/IpsApiService HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let mut streams = Vec::new();
    for n in 0..40 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut stream = socket.connect(world.server.address()).await.unwrap();
        stream.write_all(request(n).as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // Those that are not free stand in line for ten seconds of a clock that does not move, or were refused.
    world.until_waiting(10).await;
    drop(streams);
    world.goes_in("127.0.0.1", ADA).await;
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let guessed = world.verified() - before - 1;
    assert!((5..5 + cores).contains(&guessed), "{guessed} were verified");
    assert!(world.server.services().logins_waiting() >= 10, "who hangs up keeps its place in line");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_whose_client_has_hung_up_is_not_looked_at() {
    let world = world(|_| {}).await;
    let before = world.verified();
    let mut streams = Vec::new();
    for n in 0..150 {
        let body = envelope(&header(&format!("no{n}@acme.example"), "p"), &question());
        let head = format!(
            "POST /scene7/services/IpsApiService HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("127.0.1.{n}:0").parse().unwrap()).unwrap();
        let mut stream = socket.connect(world.server.address()).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        streams.push(stream);
    }
    drop(streams);
    // Strangers stand in one line: when this one has had its turn, so have those before it.
    world.goes_in("127.0.0.3", BOB).await;
    let looked_at = world.verified() - before;
    assert!(looked_at < 75, "{looked_at}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_whether_a_login_is_good_is_guessing_too() {
    let world = world(|_| {}).await;
    world.goes_in("127.0.0.2", BOB).await;
    let ask = async |password: &str| {
        let question = format!(
            "<checkLoginParam xmlns=\"{NEWEST}\"><email>{ADA}</email><password>{password}</password></checkLoginParam>"
        );
        let request = world.client("127.0.0.2").post(world.server.url("/scene7/services/IpsApiService"));
        World::read(request.body(envelope(&header(BOB, PASSWORD), &question))).await
    };
    for n in 0..5 {
        assert!(ask(&format!("guess {n}")).await.text.contains("InvalidLogin"));
    }
    for delay in [500, 1000, 2000, 4000, 8000] {
        let guess = format!("slow {delay}");
        let (answer, ()) = tokio::join!(ask(&guess), async {
            world.until_waiting(1).await;
            world.clock.advance(TimeDelta::milliseconds(delay));
        });
        assert!(answer.text.contains("InvalidLogin"), "{}", answer.text);
    }
    let refused = ask(PASSWORD).await;
    assert_eq!(refused.fault_code(), Some(10001), "not looked at, so it is not called invalid: {}", refused.text);
    world.goes_in("127.0.0.2", BOB).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_tells_its_callers_apart_and_how_they_came() {
    let world = world(|config| config.server.trusted_proxies = vec!["127.0.0.8/30".parse().unwrap()]).await;
    for n in 0..10 {
        let (guess, through) = (format!("guess {n}"), format!("203.0.113.{n}, 192.0.2.7, 127.0.0.10"));
        let call = world.call_through("127.0.0.9", &through, ADA, &guess);
        let (answer, ()) = tokio::join!(call, async {
            if n >= 5 {
                world.until_waiting(1).await;
                world.clock.advance(TimeDelta::seconds(8));
            }
        });
        assert_eq!(answer.fault_code(), Some(10001), "{}", answer.text);
    }
    let guesser = world.call_through("127.0.0.9", "192.0.2.7", BOB, PASSWORD).await;
    assert!(guesser.reason().contains("too many"), "{}", guesser.text);
    let other = world.call_through("127.0.0.9", "192.0.2.8", BOB, PASSWORD).await;
    assert_eq!(other.status, 200, "{}", other.text);

    let wsdl = async |from: &str| {
        let request = world.client(from).get(world.server.url("/scene7/IpsApi.wsdl"));
        let forwarded = [("Proto", "https"), ("Host", "ips.example.com"), ("For", "192.0.2.8")];
        let add = |request: reqwest::RequestBuilder, (name, value): (&str, &str)| {
            request.header(format!("X-Forwarded-{name}"), value)
        };
        World::read(forwarded.into_iter().fold(request, add)).await.text
    };
    let own = format!("location=\"http://{}/scene7", world.server.address());
    assert!(wsdl("127.0.0.9").await.contains("location=\"https://ips.example.com/scene7"));
    assert!(wsdl("127.0.0.1").await.contains(&own), "who is not trusted decides nothing");
    world.end().await;
}
