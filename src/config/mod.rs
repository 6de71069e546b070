//! The configuration: a TOML file of sections, each of which knows its keys, defaults and rules.
//!
//! Every key has a default, so that no file is needed. `config/example.toml` documents them all. A key that nobody
//! knows or a value that breaks a rule is an error, and all errors of a file are told at once.
//!
//! What decides, first to last: the command line, the file, the environment (`STATE_DIRECTORY` as systemd sets it,
//! `TZ`), the defaults. Relative paths start at the file's folder; those of the command line, and all if there is no
//! file, start at the current folder.

mod accounts;
mod archive;
mod dispatch;
mod environment;
mod error;
mod export;
mod fetch;
mod ingest;
mod live;
mod log;
mod mail;
mod media;
mod publish;
mod read;
mod retention;
mod scheduler;
mod server;
mod sets;
#[cfg(test)]
mod tests;
mod top;
mod units;
mod upload;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf, absolute},
};

use chrono_tz::Tz;
use toml::Table;

pub use self::{
    accounts::Accounts,
    archive::Archive,
    dispatch::{Dispatch, SlotsByKind},
    environment::{Environment, LocalZone, ZoneOrigin},
    error::{ConfigError, Problem},
    export::Export,
    fetch::Fetch,
    ingest::{Ingest, NamePatterns},
    live::{Changes, Document},
    log::{Log, LogFormat, LogTarget},
    mail::{Mail, MailTls},
    media::{JpegChroma, Media, PageAnnotations, Poppler, TiffPages},
    publish::Publish,
    retention::Retention,
    scheduler::Scheduler,
    server::{Gzip, Server},
    sets::Sets,
    units::{Period, PeriodError, Secret, Size, SizeError, WebAddress, WebAddressError},
    upload::Upload,
};
use self::{read::Reader, top::Top};

/// All settings, checked, with absolute paths.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    data: PathBuf,
    zone: LocalZone,
    server_name: String,
    pub server: Server,
    pub accounts: Accounts,
    pub scheduler: Scheduler,
    pub dispatch: Dispatch,
    pub ingest: Ingest,
    pub archive: Archive,
    pub fetch: Fetch,
    pub upload: Upload,
    pub media: Media,
    pub publish: Publish,
    pub export: Export,
    pub mail: Mail,
    pub retention: Retention,
    pub sets: Sets,
    pub log: Log,
}

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    pub data: Option<PathBuf>,
    pub listen: Option<SocketAddr>,
}

impl Config {
    /// Reads and checks a file, or the defaults without one.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        Self::load_in(&Environment::of_process(), file, overrides)
    }

    /// The same, with what it was made from, by which [`Changes`] are found later.
    pub fn load_with_document(file: Option<&Path>, overrides: Overrides) -> Result<(Self, Document), ConfigError> {
        let document = Document::read(file)?;
        let config = Self::of(&document, &Environment::of_process(), file, overrides)?;
        Ok((config, document))
    }

    /// The same in an environment of the caller's making.
    pub fn load_in(environment: &Environment, file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        Self::of(&Document::read(file)?, environment, file, overrides)
    }

    /// The settings of a document that was read from a file, or of none.
    fn of(
        document: &Document,
        environment: &Environment,
        file: Option<&Path>,
        overrides: Overrides,
    ) -> Result<Self, ConfigError> {
        let file = file.map(to_absolute).transpose()?;
        let mut config = Self::parse(&mut Reader::new(document.table().clone()), environment)
            .map_err(|problems| ConfigError::Invalid { file: file.clone(), problems })?;
        if let Some(listen) = overrides.listen {
            config.server.listen = listen;
        }
        let folder = match &file {
            Some(file) => file.parent().unwrap_or(file).to_owned(),
            None => to_absolute(Path::new("."))?,
        };
        config.resolve(&folder);
        if let Some(data) = overrides.data {
            config.data = to_absolute(&data)?;
        }
        Ok(config)
    }

    fn parse(reader: &mut Reader, environment: &Environment) -> Result<Self, Vec<Problem>> {
        let (server, accounts, scheduler) = (reader.section(), reader.section(), reader.section());
        let (dispatch, ingest, fetch) = (reader.section(), reader.section(), reader.section());
        let archive = reader.section();
        let (media, publish, mail) = (reader.section(), reader.section(), reader.section());
        let (retention, sets, log, upload) = (reader.section(), reader.section(), reader.section(), reader.section());
        let export = reader.section();
        let top: Top = reader.top();
        let mut problems = reader.finish();
        let zone = environment.local_zone(top.zone).unwrap_or_else(|problem| {
            problems.push(problem);
            LocalZone { zone: Tz::UTC, origin: ZoneOrigin::Assumed }
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let data = top.data.or_else(|| environment.state_directory.clone()).unwrap_or_else(|| "data".into());
        let server_name = top.server_name.unwrap_or_else(|| environment.host_name.clone());
        Ok(Self {
            data,
            zone,
            server_name,
            server,
            accounts,
            scheduler,
            dispatch,
            ingest,
            archive,
            fetch,
            upload,
            media,
            publish,
            export,
            mail,
            retention,
            sets,
            log,
        })
    }

    /// Makes every path absolute.
    fn resolve(&mut self, folder: &Path) {
        let optional = [
            &mut self.server.tls_certificate,
            &mut self.server.tls_key,
            &mut self.ingest.root,
            &mut self.publish.root,
            &mut self.media.cmyk_profile,
            &mut self.export.root,
            &mut self.mail.password_file,
            &mut self.mail.eml_dir,
        ];
        for path in optional.into_iter().flatten().chain([&mut self.data]) {
            *path = folder.join(&*path).components().collect();
        }
    }

    /// The folder of everything the daemon keeps.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The zone in which schedules are read and times are shown.
    pub fn zone(&self) -> Tz {
        self.zone.zone
    }

    /// The same with where it was found.
    pub fn local_zone(&self) -> LocalZone {
        self.zone
    }

    /// The name of this server in mails and logs.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// The folder above the companies' folders that upload jobs read.
    pub fn ingest_root(&self) -> PathBuf {
        self.below_data(&self.ingest.root, "ingest")
    }

    /// The folder above the trees of published files.
    pub fn publish_root(&self) -> PathBuf {
        self.below_data(&self.publish.root, "publish")
    }

    /// The folder above the files of exports.
    pub fn export_root(&self) -> PathBuf {
        self.below_data(&self.export.root, "exports")
    }

    /// The folder of mails as files, if there is no mail server.
    pub fn eml_dir(&self) -> PathBuf {
        self.below_data(&self.mail.eml_dir, "mail")
    }

    fn below_data(&self, configured: &Option<PathBuf>, name: &str) -> PathBuf {
        configured.clone().unwrap_or_else(|| self.data.join(name))
    }
}

fn read(file: &Path) -> Result<Table, ConfigError> {
    let text = fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
    text.parse().map_err(|error: toml::de::Error| {
        let before = text.bytes().take(error.span().map_or(0, |span| span.start));
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        ConfigError::Syntax { file: file.to_owned(), line, message: error.message().to_owned() }
    })
}

fn to_absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    absolute(path).map_err(|source| ConfigError::Path { path: path.to_owned(), source })
}

/// The defaults, untouched by the environment: for tests, and for tools that only need limits.
impl Default for Config {
    fn default() -> Self {
        let mut config = Self {
            data: "data".into(),
            zone: LocalZone { zone: Tz::UTC, origin: ZoneOrigin::Assumed },
            server_name: Environment::default().host_name,
            server: Server::default(),
            accounts: Accounts::default(),
            scheduler: Scheduler::default(),
            dispatch: Dispatch::default(),
            ingest: Ingest::default(),
            archive: Archive::default(),
            fetch: Fetch::default(),
            upload: Upload::default(),
            media: Media::default(),
            publish: Publish::default(),
            export: Export::default(),
            mail: Mail::default(),
            retention: Retention::default(),
            sets: Sets::default(),
            log: Log::default(),
        };
        config.resolve(&absolute(".").unwrap_or_default());
        config
    }
}
