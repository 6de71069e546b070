//! Who calls. A password is verified once; then the login is remembered, under a keyed hash of what was sent, for as
//! long as the account keeps that password. The account and its roles are read for every request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::services::LoginSettings;
use super::{Caller, Error, NotAuthenticated, Services, password};
use crate::model::locale::Locale;
use crate::store::accounts::{Account, Login};

/// Longest address, in bytes.
const LONGEST_EMAIL: usize = 320;

/// What a request says about its sender.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    pub user: Option<String>,
    pub password: Option<String>,
    /// Language asked for by the request, whichever header it came in.
    pub locale: Option<Locale>,
    /// Address, or name, of the calling program.
    pub client: Option<String>,
    /// This server as the caller addressed it.
    pub address: Option<String>,
}

type Digest256 = [u8; 32];

#[derive(Debug)]
struct Remembered {
    /// Of the password hash that was verified: another one now, and the login must be verified again.
    fingerprint: Digest256,
    until: DateTime<Utc>,
}

/// Logins that were verified.
#[derive(Debug)]
pub(super) struct Logins {
    key: Digest256,
    settings: LoginSettings,
    remembered: Mutex<HashMap<Digest256, Remembered>>,
    verifications: Semaphore,
    verified: AtomicU64,
}

impl Logins {
    pub fn new(settings: LoginSettings) -> Result<Self, Error> {
        Ok(Self {
            key: password::random()?,
            verifications: Semaphore::new(settings.verifications.max(1)),
            settings,
            remembered: Mutex::default(),
            verified: AtomicU64::new(0),
        })
    }

    /// The digest never leaves the process, so that a key in front is enough.
    fn digest(&self, parts: &[&str]) -> Digest256 {
        let mut hash = Sha256::new_with_prefix(self.key);
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn knows(&self, login: &Digest256, fingerprint: &Digest256, now: DateTime<Utc>) -> bool {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        match remembered.get(login) {
            Some(known) if known.until > now && known.fingerprint == *fingerprint => true,
            Some(_) => {
                remembered.remove(login);
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

    pub async fn authenticate(&self, credentials: Credentials) -> Result<Caller, Error> {
        let (Some(user), Some(password)) = (credentials.user, credentials.password) else {
            return Err(NotAuthenticated::NoCredentials.into());
        };
        let user = user.trim();
        if user.is_empty() {
            return Err(NotAuthenticated::NoCredentials.into());
        }
        let Login { account, roles } = self.log_in(user, password).await.inspect_err(|error| {
            if let Error::NotAuthenticated(why) = error {
                let user: String = user.chars().take(LONGEST_EMAIL).collect();
                let client = credentials.client.as_deref().unwrap_or("unknown");
                tracing::warn!(user, client, reason = %why, "a login was refused");
            }
        })?;
        Ok(Caller {
            account: account.id,
            email: account.email,
            is_ips_admin: account.is_ips_admin,
            roles,
            locale: credentials.locale.or(account.locale).unwrap_or_else(Locale::english),
            client: credentials.client,
            address: credentials.address,
        })
    }

    /// The account with its roles, if the password is right and both may be used. That an account is closed, or its
    /// password expired, is only told to who knows the password.
    pub(super) async fn log_in(&self, user: &str, password: String) -> Result<Login, Error> {
        if user.len() > LONGEST_EMAIL || password.len() > password::LONGEST {
            return Err(NotAuthenticated::InvalidCredentials.into());
        }
        let login = self.store.login(user, self.clock.now()).await?;
        let right = self.verify(user, password, login.as_ref().map(|login| &login.account)).await?;
        let login = login.filter(|_| right).ok_or(NotAuthenticated::InvalidCredentials)?;
        let expired = login.account.password_expires_at.is_some_and(|expires| expires <= self.clock.now());
        if expired || !login.account.is_valid {
            return Err(NotAuthenticated::InvalidUser.into());
        }
        Ok(login)
    }

    async fn verify(&self, user: &str, password: String, account: Option<&Account>) -> Result<bool, Error> {
        let logins = &self.logins;
        let login = logins.digest(&[&user.to_ascii_lowercase(), &password]);
        let fingerprint = account.map(|account| logins.digest(&[&account.password_hash]));
        let known = || fingerprint.is_some_and(|print| logins.knows(&login, &print, self.clock.now()));
        if known() {
            return Ok(true);
        }
        let _turn = logins.verifications.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
        // Of many requests that bring the same new login at once, the first has it verified for all.
        if known() {
            return Ok(true);
        }
        logins.verified.fetch_add(1, Ordering::Relaxed);
        let right =
            password::verify(password, account.map(|account| account.password_hash.clone()), self.settings().passwords)
                .await?;
        if let (true, Some(fingerprint)) = (right, fingerprint) {
            logins.remember(login, fingerprint, self.clock.now());
        }
        Ok(right)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone};

    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes_first() {
        let settings = LoginSettings { remember: TimeDelta::minutes(5), remembered: 3, verifications: 1 };
        let logins = Logins::new(settings).unwrap();
        let start = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
        let print = logins.digest(&["hash"]);
        let login = |n: i64| logins.digest(&[&n.to_string(), "password"]);
        for n in 0..10 {
            logins.remember(login(n), print, start + TimeDelta::seconds(n));
            assert!(logins.len() <= 3);
        }
        let now = start + TimeDelta::seconds(10);
        assert!(!logins.knows(&login(6), &print, now));
        assert!(logins.knows(&login(9), &print, now));
        assert!(!logins.knows(&login(9), &logins.digest(&["another hash"]), now), "the password was changed");
        assert!(!logins.knows(&login(8), &print, start + TimeDelta::minutes(6)), "it has expired");
    }

    #[test]
    fn parts_cannot_be_shifted() {
        let logins = Logins::new(LoginSettings::default()).unwrap();
        assert_ne!(logins.digest(&["ab", "c"]), logins.digest(&["a", "bc"]));
        let other = Logins::new(LoginSettings::default()).unwrap();
        assert_ne!(logins.digest(&["a", "b"]), other.digest(&["a", "b"]), "the key is the process's own");
    }
}
