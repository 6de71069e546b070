//! A configuration that is read again while a daemon runs by an earlier one: what differs, and what of it the daemon
//! takes over.

use std::path::Path;

use toml::{Table, Value};

use super::{Config, ConfigError, Environment, Overrides, read::Reader};

/// What a file says, before any of it is a setting. It may hold a password, so it is not shown.
#[derive(Clone, Default)]
pub struct Document(Table);

impl Document {
    /// An empty one without a file.
    pub fn read(file: Option<&Path>) -> Result<Self, ConfigError> {
        file.map_or(Ok(Table::new()), super::read).map(Self)
    }

    pub(super) fn table(&self) -> &Table {
        &self.0
    }

    /// Gives a key the value that another document has, or none if that has none.
    fn follow(&mut self, key: &str, other: &Self) {
        let Some((section, name)) = key.split_once('.') else { return };
        match other.0.get(section).and_then(|table| table.get(name)) {
            Some(value) => {
                let table = self.0.entry(section).or_insert_with(|| Value::Table(Table::new()));
                if let Some(table) = table.as_table_mut() {
                    table.insert(name.to_owned(), value.clone());
                }
            }
            None => {
                if let Some(table) = self.0.get_mut(section).and_then(Value::as_table_mut) {
                    table.remove(name);
                }
            }
        }
    }
}

/// Takes a setting over from another configuration.
type Take = fn(&mut Config, &Config);

/// The keys that a running daemon takes over. Whoever adds one sees to it that everything that goes by it hears of it.
const LIVE: &[(&str, Take)] = &[
    ("server.tls_certificate", |to, from| to.server.tls_certificate.clone_from(&from.server.tls_certificate)),
    ("server.tls_key", |to, from| to.server.tls_key.clone_from(&from.server.tls_key)),
    ("server.max_request_bytes", |to, from| to.server.max_request_bytes = from.server.max_request_bytes),
    ("server.gzip", |to, from| to.server.gzip = from.server.gzip),
    ("server.system_message", |to, from| to.server.system_message.clone_from(&from.server.system_message)),
    ("upload.max_file_bytes", |to, from| to.upload.max_file_bytes = from.upload.max_file_bytes),
    ("upload.max_post_bytes", |to, from| to.upload.max_post_bytes = from.upload.max_post_bytes),
    ("upload.max_files", |to, from| to.upload.max_files = from.upload.max_files),
    ("upload.client_timeout", |to, from| to.upload.client_timeout = from.upload.client_timeout),
    ("publish.completion_timeout", |to, from| to.publish.completion_timeout = from.publish.completion_timeout),
    ("publish.image_server_url", |to, from| to.publish.image_server_url.clone_from(&from.publish.image_server_url)),
    ("mail.from", |to, from| to.mail.from.clone_from(&from.mail.from)),
    ("mail.smtp_host", |to, from| to.mail.smtp_host.clone_from(&from.mail.smtp_host)),
    ("mail.smtp_port", |to, from| to.mail.smtp_port = from.mail.smtp_port),
    ("mail.tls", |to, from| to.mail.tls = from.mail.tls),
    ("mail.user", |to, from| to.mail.user.clone_from(&from.mail.user)),
    ("mail.password", |to, from| to.mail.password.clone_from(&from.mail.password)),
    ("mail.password_file", |to, from| to.mail.password_file.clone_from(&from.mail.password_file)),
    ("mail.timeout", |to, from| to.mail.timeout = from.mail.timeout),
    ("mail.eml_dir", |to, from| to.mail.eml_dir.clone_from(&from.mail.eml_dir)),
    ("mail.console_url", |to, from| to.mail.console_url.clone_from(&from.mail.console_url)),
    ("sets.max_assets", |to, from| to.sets.max_assets = from.sets.max_assets),
    ("log.level", |to, from| to.log.level.clone_from(&from.log.level)),
];

#[cfg(test)]
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    LIVE.iter().map(|(key, _)| *key)
}

/// What a configuration that was read again comes to.
pub struct Changes {
    /// What is to be in force now: as before, but for the keys that are taken over.
    pub config: Config,
    /// The document that belongs to it.
    pub document: Document,
    /// Keys that are taken over, and keys that take effect with the next start only.
    pub taken: Vec<String>,
    pub waiting: Vec<String>,
    /// The whole of the configuration that was read: what is in force after the next start.
    pub wanted: Config,
}

impl Changes {
    /// Reads a file again, by which and by whose overrides the configuration in force was made.
    pub fn read(
        config: &Config,
        document: &Document,
        file: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        Self::read_in(&Environment::of_process(), config, document, file, overrides)
    }

    pub(super) fn read_in(
        environment: &Environment,
        config: &Config,
        document: &Document,
        file: Option<&Path>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let newer = Document::read(file)?;
        let wanted = Config::of(&newer, environment, file, overrides.clone())?;
        let mut comparing = Reader::beside(newer.0.clone(), document.0.clone());
        // It is sound: it has just been read. Only what it is compared with counts here.
        let _ = Config::parse(&mut comparing, environment);
        let mut changes = Self {
            config: config.clone(),
            document: document.clone(),
            taken: vec![],
            waiting: vec![],
            wanted: wanted.clone(),
        };
        for key in comparing.changed() {
            let overridden = match key.as_str() {
                "data" => overrides.data.is_some(),
                "server.listen" => overrides.listen.is_some(),
                _ => false,
            };
            if overridden {
                continue;
            }
            match take_of(&key, config, &wanted) {
                Some(take) => {
                    take(&mut changes.config, &wanted);
                    changes.document.follow(&key, &newer);
                    changes.taken.push(key);
                }
                None => changes.waiting.push(key),
            }
        }
        // The system may say otherwise than before, where the file says nothing.
        for (key, differs) in [
            ("zone", wanted.local_zone() != config.local_zone()),
            ("server_name", wanted.server_name() != config.server_name()),
        ] {
            if differs && !changes.waiting.iter().any(|waiting| waiting == key) {
                changes.waiting.push(key.to_owned());
            }
        }
        Ok(changes)
    }
}

/// How a key is taken over, if it is. A listener that has begun with TLS or without it goes on so.
fn take_of(key: &str, config: &Config, wanted: &Config) -> Option<Take> {
    let of_tls = matches!(key, "server.tls_certificate" | "server.tls_key");
    if of_tls && config.server.tls_certificate.is_some() != wanted.server.tls_certificate.is_some() {
        return None;
    }
    LIVE.iter().find(|(live, _)| *live == key).map(|(_, take)| *take)
}
