//! Who calls. A password is verified once; then the login is remembered, under a keyed hash of what was sent, for as
//! long as the account keeps that password. The account and its roles are read for every request. What has failed before
//! decides when the next one is verified (`guard.rs`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::guard::{Attempt, Digest256, Guard};
use super::services::LoginSettings;
use super::{Caller, Error, NotAuthenticated, Services, password};
use crate::model::locale::Locale;
use crate::model::network::Network;
use crate::store::accounts::Login;

/// Longest address, in bytes.
const LONGEST_EMAIL: usize = 320;

/// What is kept, and logged, of how a program calls itself, with its address: characters.
const LONGEST_CLIENT: usize = 200;

/// What a request says about its sender.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    pub user: Option<String>,
    pub password: Option<String>,
    /// Language asked for by the request, whichever header it came in.
    pub locale: Option<Locale>,
    /// What the calling program calls itself.
    pub app_name: Option<String>,
    /// Where failed logins are counted; None where no network was used, and nothing is counted.
    pub peer: Option<IpAddr>,
    /// This server as the caller addressed it.
    pub address: Option<String>,
}

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub peer: Option<IpAddr>,
    pub client: Option<&'a str>,
    /// Whether it delays others if it fails, and is delayed itself.
    pub counted: bool,
}

#[derive(Debug)]
struct Remembered {
    /// Of the password hash that was verified: another one now, and the login must be verified again.
    fingerprint: Digest256,
    until: DateTime<Utc>,
}

/// What came of a verification, for all who brought the same login.
type Verdict = Result<bool, Error>;

/// Tells them. Its receivers are those who still want to know.
type Tell = watch::Sender<Option<Verdict>>;

/// Logins that were verified.
#[derive(Debug)]
pub(super) struct Logins {
    key: Digest256,
    settings: LoginSettings,
    remembered: Mutex<HashMap<Digest256, Remembered>>,
    /// Verifications under way, by login, password hash and network.
    under_way: Mutex<HashMap<Digest256, Tell>>,
    guard: Guard,
    verified: AtomicU64,
    refused: AtomicU64,
}

/// A verification.
struct Case {
    attempt: Attempt,
    password: String,
    /// None: nobody has that name, which takes as long to find out.
    password_hash: Option<String>,
    fingerprint: Option<Digest256>,
    /// Neither is longer than any can be.
    is_possible: bool,
}

/// The calling program, as it is logged and kept with what it submits.
fn client(peer: Option<IpAddr>, app_name: Option<&str>) -> Option<String> {
    let app_name = app_name.filter(|name| !name.is_empty()).map(|name| beginning(name, LONGEST_CLIENT));
    let parts = [peer.map(|peer| peer.to_string()), app_name.map(str::to_owned)];
    let client = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!client.is_empty()).then(|| beginning(&client, LONGEST_CLIENT).to_owned())
}

fn beginning(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

impl Logins {
    pub fn new(settings: LoginSettings) -> Result<Self, Error> {
        Ok(Self {
            key: password::random()?,
            guard: Guard::new(settings.verifications, settings.longest_wait),
            settings,
            remembered: Mutex::default(),
            under_way: Mutex::default(),
            verified: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// The digest never leaves the process, so that a key in front is enough.
    fn digest(&self, parts: &[&[u8]]) -> Digest256 {
        let mut hash = Sha256::new_with_prefix(self.key);
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn knows(&self, case: &Case, now: DateTime<Utc>) -> bool {
        let Some(fingerprint) = case.fingerprint else { return false };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        match remembered.get(&case.attempt.login) {
            Some(known) if known.until > now && known.fingerprint == fingerprint => true,
            Some(_) => {
                remembered.remove(&case.attempt.login);
                false
            }
            None => false,
        }
    }

    fn remember(&self, login: Digest256, fingerprint: Digest256, now: DateTime<Utc>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= self.settings.remembered {
            remembered.retain(|_, known| known.until > now);
        }
        if remembered.len() >= self.settings.remembered {
            let oldest = remembered.iter().min_by_key(|(_, known)| known.until).map(|(login, _)| *login);
            oldest.and_then(|oldest| remembered.remove(&oldest));
        }
        if self.settings.remembered > 0 {
            remembered.insert(login, Remembered { fingerprint, until: now + self.settings.remember });
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Digest256, Tell>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.remembered.lock().unwrap().len()
    }
}

impl Services {
    /// Passwords hashed to verify them since the start: what a login costs unless it is remembered.
    pub fn passwords_verified(&self) -> u64 {
        self.logins.verified.load(Ordering::Relaxed)
    }

    /// Logins that were refused since the start, for a wrong password or because too many had failed.
    pub fn logins_refused(&self) -> u64 {
        self.logins.refused.load(Ordering::Relaxed)
    }

    /// Logins that wait just now, because others failed before them.
    pub fn logins_waiting(&self) -> u64 {
        self.logins.guard.waiting()
    }

    pub async fn authenticate(&self, credentials: Credentials) -> Result<Caller, Error> {
        let (Some(user), Some(password)) = (credentials.user, credentials.password) else {
            return Err(NotAuthenticated::NoCredentials.into());
        };
        let user = user.trim();
        if user.is_empty() {
            return Err(NotAuthenticated::NoCredentials.into());
        }
        let (peer, client) = (credentials.peer, client(credentials.peer, credentials.app_name.as_deref()));
        let source = Source { peer, client: client.as_deref(), counted: true };
        let Login { account, roles, .. } = self.log_in(user, password, source).await?;
        Ok(Caller {
            account: account.id,
            email: account.email,
            is_ips_admin: account.is_ips_admin,
            roles,
            locale: credentials.locale.or(account.locale).unwrap_or_else(Locale::english),
            client,
            peer,
            address: credentials.address,
        })
    }

    /// The account with its roles, if the password is right and both may be used. A refusal has a line in the log that names
    /// the peer.
    pub(super) async fn log_in(&self, user: &str, password: String, source: Source<'_>) -> Result<Login, Error> {
        let network = source.peer.map(Network::of_caller);
        self.check(user, password, network.filter(|_| source.counted)).await.inspect_err(|error| {
            if !matches!(error, Error::NotAuthenticated(_) | Error::Busy) {
                return;
            }
            self.logins.refused.fetch_add(1, Ordering::Relaxed);
            let Some(left_out) = self.logins.guard.line(network, self.clock.now()) else { return };
            let user = beginning(user, LONGEST_EMAIL);
            let peer = source.peer.map_or_else(|| "none".to_owned(), |peer| peer.to_canonical().to_string());
            let client = source.client.unwrap_or("unknown");
            // Lines about this address that were too many in their second.
            let left_out = (left_out > 0).then_some(left_out);
            tracing::warn!(user, %peer, client, reason = %error, left_out, "a login was refused");
        })
    }

    /// That an account is closed, or its password expired, is only told to who knows the password.
    async fn check(&self, user: &str, mut password: String, network: Option<Network>) -> Result<Login, Error> {
        let begun = self.clock.now();
        // Nobody has one that long: not worth a look or a hash, but a guess like any other.
        let is_possible = user.len() <= LONGEST_EMAIL && password.len() <= password::LONGEST;
        let login = if is_possible { self.store.login(user, network, begun).await? } else { None };
        let user = beginning(user, LONGEST_EMAIL + 1);
        password.truncate(beginning(&password, password::LONGEST + 1).len());
        let seen_at = login.as_ref().and_then(|login| login.seen_at);
        let right = self.verify(Case { is_possible, ..self.case(user, password, network, login.as_ref()) }).await?;
        let login = login.filter(|_| right).ok_or(NotAuthenticated::InvalidCredentials)?;
        let now = self.clock.now();
        if login.account.password_expires_at.is_some_and(|expires| expires <= now) || !login.account.is_valid {
            return Err(NotAuthenticated::InvalidUser.into());
        }
        if let Some(network) = network
            && seen_at.is_none_or(|seen| now - seen >= TimeDelta::days(1))
            && let Err(error) = self.store.note_network(login.account.id, network, now).await
        {
            // The login is good all the same; the next one writes it down.
            tracing::warn!(%error, %network, "it could not be noted where a user has logged in from");
        }
        Ok(login)
    }

    fn case(&self, user: &str, password: String, network: Option<Network>, login: Option<&Login>) -> Case {
        let logins = &self.logins;
        let name = user.to_ascii_lowercase();
        let password_hash = login.map(|login| login.account.password_hash.clone());
        let attempt = Attempt {
            name: logins.digest(&[name.as_bytes()]),
            login: logins.digest(&[name.as_bytes(), password.as_bytes()]),
            network,
            known: login.is_some_and(|login| login.seen_at.is_some()),
        };
        let fingerprint = password_hash.as_ref().map(|hash| logins.digest(&[hash.as_bytes()]));
        Case { attempt, password, password_hash, fingerprint, is_possible: true }
    }

    /// Of many requests that bring the same login from the same place at once, one has it verified for all. It is verified
    /// in a task of its own, which goes on when its client hangs up: else guesses would be free for who does not wait. But it
    /// does not begin when all have.
    async fn verify(&self, case: Case) -> Verdict {
        let logins = &self.logins;
        let Attempt { login, network, known, .. } = case.attempt;
        if logins.guard.trusts(&case.attempt, self.clock.now()) && logins.knows(&case, self.clock.now()) {
            return Ok(true);
        }
        let (hash, from) = (case.fingerprint.unwrap_or_default(), network.map(|network| network.to_string()));
        let key = logins.digest(&[&login, &hash, from.unwrap_or_default().as_bytes(), &[u8::from(known)]]);
        let mut verdict = match logins.under_way().entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.get().subscribe(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let (tell, verdict) = watch::channel(None);
                entry.insert(tell.clone());
                let (services, under_way) =
                    (self.clone(), UnderWay { services: self.clone(), key, tell: tell.clone() });
                tokio::spawn(async move {
                    let judged = services.judge(case, &under_way).await;
                    drop(under_way);
                    tell.send_replace(Some(judged));
                });
                verdict
            }
        };
        let told = verdict.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        told.unwrap_or_else(|| Err(Error::Internal("the verification of a password broke off".to_owned())))
    }

    /// Waits for the turn of the attempt, and for a place among the hashes.
    async fn judge(&self, case: Case, under_way: &UnderWay) -> Verdict {
        let (logins, guard) = (&self.logins, &self.logins.guard);
        let mut turn = guard.admit(&case.attempt, self.clock.now())?;
        // Kept until the failure is counted, so that whoever gets it next knows of it.
        let _place = loop {
            let wait = turn.at - self.clock.now();
            if wait > TimeDelta::zero() {
                let until = self.clock.sleep(wait);
                match guard.wait(&case.attempt, wait)? {
                    Some(seat) => seat.wait(until).await.ok_or(Error::Busy)?,
                    None => until.await,
                }
            }
            let place = guard.place(&case.attempt, turn).await?;
            match guard.renew(&case.attempt, turn, self.clock.now())? {
                None => break place,
                Some(later) => turn = later,
            }
        };
        if under_way.is_abandoned() {
            return Err(Error::Busy);
        }
        // Another address may have had it verified meanwhile.
        let right = if logins.knows(&case, self.clock.now()) {
            true
        } else if !case.is_possible {
            false
        } else {
            logins.verified.fetch_add(1, Ordering::Relaxed);
            let Case { ref password, ref password_hash, .. } = case;
            password::verify(password.clone(), password_hash.clone(), self.settings().passwords).await?
        };
        match (right, case.fingerprint) {
            (true, Some(fingerprint)) => {
                guard.succeeded(&case.attempt);
                logins.remember(case.attempt.login, fingerprint, self.clock.now());
            }
            _ => guard.failed(&case.attempt, self.clock.now()),
        }
        Ok(right)
    }
}

/// A verification that others may join, until it is over, however it ends.
struct UnderWay {
    services: Services,
    key: Digest256,
    tell: Tell,
}

impl UnderWay {
    /// Whether nobody wants to know any more. Then nobody joins it from here on.
    fn is_abandoned(&self) -> bool {
        let mut all = self.services.logins.under_way();
        let is_abandoned = self.tell.receiver_count() == 0;
        if is_abandoned {
            all.remove(&self.key);
        }
        is_abandoned
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.services.logins.under_way();
        if all.get(&self.key).is_some_and(|tell| tell.same_channel(&self.tell)) {
            all.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let settings = LoginSettings { remember: TimeDelta::minutes(5), remembered: 3, ..LoginSettings::default() };
        let logins = Logins::new(settings).unwrap();
        let start = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
        let print = logins.digest(&[b"hash"]);
        let login = |n: i64| logins.digest(&[n.to_string().as_bytes(), b"password"]);
        let case = |n: i64, fingerprint: Digest256| Case {
            attempt: Attempt { name: login(n), login: login(n), network: None, known: false },
            password: "password".to_owned(),
            password_hash: None,
            fingerprint: Some(fingerprint),
            is_possible: true,
        };
        for n in 0..10 {
            logins.remember(login(n), print, start + TimeDelta::seconds(n));
            assert!(logins.len() <= 3);
        }
        let now = start + TimeDelta::seconds(10);
        assert!(!logins.knows(&case(6, print), now));
        assert!(logins.knows(&case(9, print), now));
        assert!(!logins.knows(&case(9, logins.digest(&[b"another hash"])), now), "the password was changed");
        assert!(!logins.knows(&case(8, print), start + TimeDelta::minutes(6)), "it has expired");
    }

    #[test]
    fn a_program_is_named_shortly_whatever_it_calls_itself() {
        let peer = Some("192.0.2.7".parse().unwrap());
        assert_eq!(client(peer, Some("tervis")).as_deref(), Some("192.0.2.7 tervis"));
        assert_eq!(client(peer, Some("")).as_deref(), Some("192.0.2.7"));
        assert_eq!(client(None, None), None);
        let long = client(peer, Some(&"ü".repeat(4 << 20))).unwrap();
        assert!(long.starts_with("192.0.2.7 üü") && long.chars().count() == 200, "{} characters", long.chars().count());
    }

    #[test]
    fn parts_cannot_be_shifted() {
        let logins = Logins::new(LoginSettings::default()).unwrap();
        assert_ne!(logins.digest(&[b"ab", b"c"]), logins.digest(&[b"a", b"bc"]));
        let other = Logins::new(LoginSettings::default()).unwrap();
        assert_ne!(logins.digest(&[b"a", b"b"]), other.digest(&[b"a", b"b"]), "the key is the process's own");
    }
}
