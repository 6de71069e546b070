//! `[mail]`: reports to users.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use lettre::message::Mailbox;
use serde::Deserialize;

use super::{
    error::ConfigError,
    read::{Check, Section},
    units::{Period, Secret, WebAddress},
};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Mail {
    pub from: String,
    /// None: mails are written to files.
    pub smtp_host: Option<String>,
    /// None: the usual one; see [`Mail::smtp_port`].
    pub smtp_port: Option<u16>,
    pub tls: MailTls,
    pub user: Option<String>,
    /// Either this or the file; see [`Mail::password`].
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
    pub timeout: Period,
    /// None: `mail` in the data folder; see [`super::Config::eml_dir`].
    pub eml_dir: Option<PathBuf>,
    pub retry_base: Period,
    pub retry_max: Period,
    pub give_up_after: Period,
    pub console_url: Option<WebAddress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    None,
    Starttls,
    Tls,
}

impl Mail {
    /// As configured, or the usual one of the protocol.
    pub fn smtp_port(&self) -> u16 {
        self.smtp_port.unwrap_or(match self.tls {
            MailTls::None => 25,
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
        })
    }

    /// From the configuration or its file, without the file's last newline.
    pub fn password(&self) -> Result<Option<Secret>, ConfigError> {
        let Some(file) = &self.password_file else { return Ok(self.password.clone()) };
        match fs::read_to_string(file) {
            Ok(text) => Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n'])))),
            Err(source) => Err(ConfigError::PasswordFile { file: file.clone(), source }),
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            from: "Prepress <prepress@localhost>".to_owned(),
            smtp_host: None,
            smtp_port: None,
            tls: MailTls::Starttls,
            user: None,
            password: None,
            password_file: None,
            timeout: Period::seconds(30),
            eml_dir: None,
            retry_base: Period::seconds(30),
            retry_max: Period::hours(1),
            give_up_after: Period::days(3),
            console_url: None,
        }
    }
}

impl Section for Mail {
    const NAME: &'static str = "mail";

    fn check(&self, check: &mut Check) {
        let rule = "must be a mail address, such as \"Prepress <prepress@example.com>\"";
        check.that(self.from.parse::<Mailbox>().is_ok(), "from", format!("{:?}", self.from), rule);
        if let Some(host) = &self.smtp_host {
            let name = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@".contains(c));
            let host = format!("{host:?}");
            check.that(name, "smtp_host", host, "must be the name or address of a mail server");
        }
        if let Some(port) = self.smtp_port {
            check.range("smtp_port", port, 1, u16::MAX);
        }
        self.check_login(check);
        check.range("timeout", self.timeout, Period::seconds(1), Period::minutes(10));
        check.range("retry_base", self.retry_base, Period::seconds(1), Period::hours(1));
        check.range("retry_max", self.retry_max, self.retry_base, Period::days(1));
        check.range("give_up_after", self.give_up_after, self.retry_base, Period::days(30));
    }
}

impl Mail {
    fn check_login(&self, check: &mut Check) {
        let file = self.password_file.as_deref().map(Path::display);
        if let Some(file) = &file {
            check.that(self.password.is_none(), "password_file", file, "excludes mail.password: keep one of them");
        }
        let has_password = self.password.is_some() || file.is_some();
        if let Some(user) = &self.user {
            check.that(self.smtp_host.is_some(), "user", user, "needs mail.smtp_host");
            check.that(has_password, "user", user, "needs mail.password_file or mail.password");
            let local = self.smtp_host.as_deref().is_some_and(is_loopback);
            let safe = self.tls != MailTls::None || local;
            check.that(safe, "tls", "\"none\"", "would send the password in the clear; use \"starttls\" or \"tls\"");
        } else if has_password {
            check.that(false, "password", "(hidden)", "needs mail.user");
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
