//! Passwords: argon2id, never on a thread that serves requests.

use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::Error;
use crate::model::invalid::Invalid;

/// Longest password, in bytes: nobody has one that long, and it must not cost more to refuse than to send.
pub const LONGEST: usize = 1024;

/// What the configuration says about passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Least characters of one that somebody chooses.
    pub shortest: usize,
    /// What a hash costs: KiB of memory, and passes over it.
    pub memory_kib: u32,
    pub iterations: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { shortest: 10, memory_kib: 19 << 10, iterations: 2 }
    }
}

/// Letters and digits that cannot be taken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// Checks a password that somebody wants to have.
pub fn check(field: &str, password: &str, rules: Rules) -> Result<(), Invalid> {
    let length = password.chars().count();
    if length < rules.shortest {
        return Err(Invalid::new(field, format!("must have at least {} characters", rules.shortest)));
    }
    if password.len() > LONGEST {
        return Err(Invalid::new(field, format!("must have at most {LONGEST} bytes")));
    }
    Ok(())
}

/// A random password of 100 bits.
pub fn generate() -> Result<String, Error> {
    let random: [u8; 20] = random()?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::Internal(format!("the operating system gives no random bytes: {e}")))?;
    Ok(bytes)
}

/// The PHC string to keep.
pub async fn hash(password: String, rules: Rules) -> Result<String, Error> {
    blocking(move || hash_now(&password, rules)).await?
}

fn hash_now(password: &str, rules: Rules) -> Result<String, Error> {
    let failed = |e: &dyn std::fmt::Display| Error::Internal(format!("a password cannot be hashed: {e}"));
    let cost = Params::new(rules.memory_kib, rules.iterations, 1, None).map_err(|e| failed(&e))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
    let hash: PasswordHash = argon2.hash_password(password.as_bytes()).map_err(|e| failed(&e))?;
    Ok(hash.to_string())
}

/// Whether the password belongs to the hash, which says itself what it cost. Without a hash it never does, and that takes as
/// long to find out. Who does not wait for the answer does not end the work.
pub async fn verify(password: String, hash: Option<String>, rules: Rules) -> Result<bool, Error> {
    blocking(move || {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => stand_in(rules)?.to_owned(),
        };
        let hash = PasswordHash::new(&hash)
            .map_err(|e| Error::Internal(format!("a password hash in the database cannot be read: {e}")))?;
        let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        Ok(right && known)
    })
    .await?
}

/// A hash of a password that nobody knows.
fn stand_in(rules: Rules) -> Result<&'static str, Error> {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash);
    }
    let hash = hash_now(&generate()?, rules)?;
    Ok(HASH.get_or_init(|| hash))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::Internal(format!("the verification of a password broke off: {e}")))
}
