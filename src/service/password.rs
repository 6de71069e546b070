//! Passwords: argon2id, never on a thread that serves requests.

use std::sync::OnceLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use super::Error;
use crate::model::invalid::Invalid;

/// Longest password, in bytes: nobody has one that long, and it must not cost more to refuse than to send.
pub const LONGEST: usize = 1024;

const SHORTEST: usize = 8;

/// Letters and digits that cannot be taken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// Checks a password that somebody wants to have.
pub fn check(field: &str, password: &str) -> Result<(), Invalid> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(Invalid::new(field, format!("must have at least {SHORTEST} characters")));
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
pub async fn hash(password: String) -> Result<String, Error> {
    blocking(move || hash_now(&password)).await?
}

fn hash_now(password: &str) -> Result<String, Error> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|e| Error::Internal(format!("a password cannot be hashed: {e}")))?;
    Ok(hash.to_string())
}

/// Whether the password belongs to the hash. Without a hash it never does, and that takes as long to find out.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, Error> {
    blocking(move || {
        let known = hash.is_some();
        let hash = match hash {
            Some(hash) => hash,
            None => stand_in()?.to_owned(),
        };
        let hash = PasswordHash::new(&hash)
            .map_err(|e| Error::Internal(format!("a password hash in the database cannot be read: {e}")))?;
        let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        Ok(right && known)
    })
    .await?
}

/// A hash of a password that nobody knows.
fn stand_in() -> Result<&'static str, Error> {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash);
    }
    let hash = hash_now(&generate()?)?;
    Ok(HASH.get_or_init(|| hash))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::Internal(format!("the verification of a password broke off: {e}")))
}
