//! `[fetch]`: downloads of upload jobs.

use serde::Deserialize;

use super::{
    read::{Check, Section},
    units::{Period, Size},
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Fetch {
    pub allow_private: bool,
    /// None: every port.
    pub allowed_ports: Option<Vec<u16>>,
    pub max_bytes: Size,
    pub connect_timeout: Period,
    pub read_timeout: Period,
    pub total_timeout: Period,
    pub max_redirects: u32,
    pub attempts: u32,
    pub parallel: u32,
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            allow_private: false,
            allowed_ports: None,
            max_bytes: Size::gib(2),
            connect_timeout: Period::seconds(10),
            read_timeout: Period::seconds(30),
            total_timeout: Period::hours(1),
            max_redirects: 5,
            attempts: 4,
            parallel: 4,
        }
    }
}

impl Section for Fetch {
    const NAME: &'static str = "fetch";

    fn check(&self, check: &mut Check) {
        if let Some(ports) = &self.allowed_ports {
            let rule = "must name at least one port, and none may be 0; leave the key out to allow every port";
            check.that(!ports.is_empty() && !ports.contains(&0), "allowed_ports", format!("{ports:?}"), rule);
        }
        check.range("max_bytes", self.max_bytes, Size::kib(1), Size::gib(1024));
        check.range("connect_timeout", self.connect_timeout, Period::seconds(1), Period::minutes(5));
        check.range("read_timeout", self.read_timeout, Period::seconds(1), Period::minutes(30));
        check.range("total_timeout", self.total_timeout, self.read_timeout, Period::days(1));
        check.range("max_redirects", self.max_redirects, 0, 20);
        check.range("attempts", self.attempts, 1, 20);
        check.range("parallel", self.parallel, 1, 64);
    }
}
