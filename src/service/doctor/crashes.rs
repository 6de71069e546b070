//! Files that ended the daemon, or may have: which they are, and how they are tried again.
//!
//! They are no difference between database and disk, and so no finding: somebody should know of them, that is all.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::{Error, Examination, Message, Section};
use crate::assets::marks::{self, Mark, MarkError, MarkState, Marked};
use crate::model::id::{CompanyId, InstanceId};
use crate::service::Services;
use crate::store::condemned::CondemnedFile;

/// As much of a content as a mark or a line of a log shows.
const SHOWN: usize = 16;

/// Fewer digits may be a name.
const FEWEST_DIGITS: usize = 8;

/// A file that is not tried any more, or only alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccusedFile {
    /// SHA-256.
    pub content: String,
    /// What it was called where it was in work; empty if that is not known.
    pub file: String,
    pub is_condemned: bool,
    company: Option<CompanyId>,
    run: Option<InstanceId>,
    since: Option<DateTime<Utc>>,
}

impl AccusedFile {
    /// As much of the content as tells it from all others.
    pub fn shown_content(&self) -> &str {
        self.content.get(..SHOWN).unwrap_or(&self.content)
    }

    /// By its name, or by its content where it has none.
    pub fn shown(&self) -> &str {
        if self.file.is_empty() { self.shown_content() } else { &self.file }
    }

    fn is_named(&self, named: &str) -> bool {
        let last = self.file.rsplit('/').next();
        self.file == named || last == Some(named) || self.has_digits(named)
    }

    fn has_digits(&self, named: &str) -> bool {
        named.len() >= FEWEST_DIGITS && self.content.starts_with(&named.to_ascii_lowercase())
    }
}

impl From<CondemnedFile> for AccusedFile {
    fn from(CondemnedFile { content, file, company, run, at }: CondemnedFile) -> Self {
        Self { content, file, is_condemned: true, company: Some(company), run: Some(run), since: Some(at) }
    }
}

impl From<Marked> for AccusedFile {
    fn from(Marked { work, mark, .. }: Marked) -> Self {
        let (file, company, run) = match mark {
            Some(Mark { file, company, run }) => (file, Some(company), Some(run)),
            None => (String::new(), None, None),
        };
        Self { content: work.content, file, is_condemned: false, company, run, since: None }
    }
}

/// Where the marks lie, and in whose hands they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkFolder {
    pub path: PathBuf,
    /// What is marked as in work is in work just now; otherwise it was when the daemon ended.
    pub daemon_runs: bool,
}

impl MarkFolder {
    async fn suspects(&self) -> Result<Vec<AccusedFile>, Error> {
        let Self { path, daemon_runs } = self.clone();
        let listed = off_thread(move || marks::list(&path)).await?;
        let is_suspect = |marked: &Marked| !daemon_runs || marked.state != MarkState::InWork;
        Ok(listed.into_iter().filter(is_suspect).map(AccusedFile::from).collect())
    }
}

pub(super) async fn look(exam: &mut Examination<'_>) -> Result<(), Error> {
    let accused = exam.services.accused_files(&exam.places.marks).await?;
    let condemned = accused.iter().filter(|file| file.is_condemned).count();
    for file in &accused {
        let message = describe(exam.services, file).await?;
        let remedy = if file.is_condemned { "remedy-clear" } else { "remedy-suspect" };
        exam.noticed(Section::Crashes, message, Message::new(remedy).with("content", file.shown_content()));
    }
    let message = Message::new("doctor-crashes").with("count", condemned).with("suspects", accused.len() - condemned);
    exam.looked(Section::Crashes, message);
    Ok(())
}

async fn describe(services: &Services, file: &AccusedFile) -> Result<Message, Error> {
    let (Some(company), Some(run)) = (file.company, file.run) else {
        return Ok(Message::new("doctor-suspect-unnamed").with("content", file.shown_content()));
    };
    let known = services.store().company(company).await?;
    let company = known.map_or_else(|| company.to_string(), |company| company.name);
    let message = match file.since {
        Some(at) => Message::new("doctor-condemned")
            .with("file", file.shown())
            .with("content", file.shown_content())
            .with("company", company)
            .with("run", run.0)
            .with("at", at.timestamp_millis()),
        None => Message::new("doctor-suspect")
            .with("file", file.shown())
            .with("content", file.shown_content())
            .with("company", company)
            .with("run", run.0),
    };
    Ok(message)
}

impl Services {
    /// Files that are not tried any more, the newest first, and then those that are tried alone.
    pub async fn accused_files(&self, folder: &MarkFolder) -> Result<Vec<AccusedFile>, Error> {
        let condemned = self.store.condemned_files().await?.into_iter().map(AccusedFile::from);
        let mut accused: Vec<AccusedFile> = condemned.collect();
        // A file that is done in several steps has several marks.
        for suspect in folder.suspects().await? {
            if !accused.iter().any(|file| file.content == suspect.content) {
                accused.push(suspect);
            }
        }
        Ok(accused)
    }

    /// Lets a file be tried again like any other. It is named as in the list, or by its content or the beginning of that. None when no
    /// file is called so.
    pub async fn clear_file(&self, folder: &MarkFolder, named: &str) -> Result<Option<AccusedFile>, Error> {
        let named = named.trim();
        let accused = self.accused_files(folder).await?;
        let mut found: Vec<AccusedFile> = accused.into_iter().filter(|file| file.is_named(named)).collect();
        let file = match (found.pop(), found.as_slice()) {
            (None, _) => return Ok(None),
            (Some(file), []) => file,
            (Some(file), others) => {
                let all: Vec<&str> = others.iter().chain([&file]).map(AccusedFile::shown_content).collect();
                let (count, all) = (all.len(), all.join(", "));
                return Err(Error::Refused(format!("{count} files are called {named}; name one of them: {all}")));
            }
        };
        if file.is_condemned {
            self.store.pardon_file(file.content.clone()).await?;
        } else if folder.daemon_runs {
            let what = "was in work when the daemon ended, and is not condemned";
            let hint = "the running daemon tries it alone by itself, and then like any other file";
            return Err(Error::Refused(format!("{} {what}; {hint}", file.shown())));
        }
        if !folder.daemon_runs {
            let (path, content) = (folder.path.clone(), file.content.clone());
            off_thread(move || marks::clear(&path, &content)).await?;
        }
        Ok(Some(file))
    }
}

async fn off_thread<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, MarkError> + Send + 'static,
) -> Result<T, Error> {
    let looked = tokio::task::spawn_blocking(look).await;
    let looked = looked.map_err(|error| Error::Internal(format!("a look at marks ended early: {error}")))?;
    looked.map_err(|error| Error::Refused(error.to_string()))
}
