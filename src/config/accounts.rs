//! `[accounts]`: passwords and logins.

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::{Period, Size},
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Accounts {
    pub login_cache_size: u32,
    pub login_cache_ttl: Period,
    pub argon2_memory: Size,
    pub argon2_iterations: u32,
    pub password_min_length: u32,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            login_cache_size: 10_000,
            login_cache_ttl: Period::minutes(10),
            argon2_memory: Size::mib(19),
            argon2_iterations: 2,
            password_min_length: 10,
        }
    }
}

impl Section for Accounts {
    const NAME: &'static str = "accounts";

    fn check(&self, check: &mut Check) {
        check.range("login_cache_size", self.login_cache_size, 0, 1_000_000);
        check.range("login_cache_ttl", self.login_cache_ttl, Period::seconds(1), Period::days(1));
        check.range("argon2_memory", self.argon2_memory, Size::mib(7), Size::gib(1));
        check.range("argon2_iterations", self.argon2_iterations, 1, 100);
        check.range("password_min_length", self.password_min_length, 8, 128);
    }
}
