//! Marks: while the bytes of a file are worked on, a small file below the data folder names it. What is still marked when a
//! daemon starts was in work when the last one ended, and may be what ended it.
//!
//! | mark | says |
//! |---|---|
//! | `<work>` | in work, beside others |
//! | `<work>.suspect` | was in work when a daemon ended, and has not been worked through since |
//! | `<work>.alone` | is a suspect, and in work with no other marked file: if the daemon ends now, it is the one |
//!
//! Files are known by their content (its SHA-256, which is the blob's name), not by their names: the same bytes are the same
//! file under every name and in every job, and another file of the same name is another. What is done in several steps, such
//! as the pages of a document, is marked step by step (`<content>+page-9`): a step that goes well says nothing of the others.
//!
//! Nothing is fsynced. A killed process leaves what it wrote to the kernel; a power cut may take marks away, and then
//! nobody is suspected of it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::model::id::{CompanyId, InstanceId};

/// Ending of a mark that is being written.
const UNFINISHED: &str = "new";

/// Most suspects that are kept: those of jobs that were stopped are tried by nobody.
const MOST_SUSPECTS: usize = 1000;

#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}; check the rights of the data folder", path.display())]
pub struct MarkError {
    doing: &'static str,
    path: PathBuf,
    pub source: io::Error,
}

impl MarkError {
    fn doing(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }
}

/// Work on the bytes of a file: all of it, or a step of it that is called the same whoever does it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Work {
    pub content: String,
    /// Empty for all of it.
    step: String,
}

/// Longest name of a step: names of files are bounded.
const LONGEST_STEP: usize = 40;

impl Work {
    pub fn whole(content: &str) -> Self {
        Self::step(content, "")
    }

    pub fn step(content: &str, step: &str) -> Self {
        let plain = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '-' };
        Self { content: content.to_owned(), step: step.chars().take(LONGEST_STEP).map(plain).collect() }
    }

    fn parse(name: &str) -> Option<Self> {
        let (content, step) = name.split_once('+').unwrap_or((name, ""));
        let is_content = content.len() == 64 && content.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_content.then(|| Self::step(content, step))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.content)?;
        if self.step.is_empty() { Ok(()) } else { write!(f, "+{}", self.step) }
    }
}

/// What a mark says of a file besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What it is called where it is in work.
    pub file: String,
    pub company: CompanyId,
    pub run: InstanceId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkState {
    InWork,
    Suspect,
    Alone,
}

impl MarkState {
    const ALL: [Self; 3] = [Self::InWork, Self::Suspect, Self::Alone];

    const fn ending(self) -> &'static str {
        match self {
            Self::InWork => "",
            Self::Suspect => ".suspect",
            Self::Alone => ".alone",
        }
    }
}

/// A mark as it lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    pub work: Work,
    pub state: MarkState,
    /// None when it was cut short.
    pub mark: Option<Mark>,
    changed: SystemTime,
}

impl Marked {
    fn path(&self, folder: &Path) -> PathBuf {
        path(folder, &self.work, self.state)
    }
}

fn path(folder: &Path, work: &Work, state: MarkState) -> PathBuf {
    folder.join(format!("{work}{}", state.ending()))
}

/// The marks that lie in a folder, in the order of their contents. One that vanishes meanwhile is left out: its file has been worked
/// through.
pub fn list(folder: &Path) -> Result<Vec<Marked>, MarkError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(MarkError::doing("list", folder))?,
    };
    let mut marks = Vec::new();
    for entry in entries {
        let path = entry.map_err(MarkError::doing("list", folder))?.path();
        let Some((work, state)) = path.file_name().and_then(|name| parse(name.to_str()?)) else { continue };
        let Ok(text) = fs::read(&path) else { continue };
        let changed = fs::metadata(&path).and_then(|facts| facts.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        marks.push(Marked { work, state, mark: serde_json::from_slice(&text).ok(), changed });
    }
    marks.sort_by(|a, b| a.work.cmp(&b.work));
    Ok(marks)
}

fn parse(name: &str) -> Option<(Work, MarkState)> {
    let work = name.split('.').next().unwrap_or(name);
    let state = MarkState::ALL.into_iter().find(|state| name.strip_prefix(work) == Some(state.ending()))?;
    Some((Work::parse(work)?, state))
}

/// Takes the suspicions of a file back, for a folder that no daemon uses just now.
pub fn clear(folder: &Path, content: &str) -> Result<(), MarkError> {
    let mut of_file = list(folder)?.into_iter().filter(|marked| marked.work.content == content);
    of_file.try_for_each(|marked| remove(&marked.path(folder)).map(drop))
}

/// Removes marks that nobody finished writing: their files were not in work yet.
fn sweep(folder: &Path) -> Result<(), MarkError> {
    for entry in fs::read_dir(folder).map_err(MarkError::doing("list", folder))? {
        let path = entry.map_err(MarkError::doing("list", folder))?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<bool, MarkError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true).map_err(MarkError::doing("remove", path)),
    }
}

fn rename(from: &Path, to: &Path) -> Result<bool, MarkError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        renamed => renamed.map(|()| true).map_err(MarkError::doing("rename", from)),
    }
}

/// The marks of this process. Clones share them.
#[derive(Debug, Clone)]
pub struct Marks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// How often each is in work.
    in_work: HashMap<Work, usize>,
    suspects: HashSet<Work>,
    is_closed: bool,
}

/// What the daemon before this one left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// Each was in work alone when a daemon ended. They stay marked until [`Marks::forget`].
    pub culprits: Vec<Marked>,
    /// How many are to be tried alone.
    pub suspects: usize,
    /// Older suspects that were let go because there were too many.
    pub let_go: usize,
}

impl Marks {
    /// Takes the marks of a folder over. For the one process that works here, before it does.
    pub fn open(folder: &Path) -> Result<(Self, LeftBehind), MarkError> {
        fs::create_dir_all(folder).map_err(MarkError::doing("make the folder", folder))?;
        sweep(folder)?;
        let mut found = list(folder)?;
        found.sort_by_key(|marked| std::cmp::Reverse(marked.changed));
        let (culprits, mut suspects): (Vec<Marked>, Vec<Marked>) =
            found.into_iter().partition(|marked| marked.state == MarkState::Alone);
        let too_many = suspects.split_off(suspects.len().min(MOST_SUSPECTS));
        for marked in &too_many {
            remove(&marked.path(folder))?;
        }
        let mut held = Held::default();
        for marked in suspects {
            rename(&marked.path(folder), &path(folder, &marked.work, MarkState::Suspect))?;
            held.suspects.insert(marked.work);
        }
        let left = LeftBehind { culprits, suspects: held.suspects.len(), let_go: too_many.len() };
        Ok((Self(Arc::new(Inner { folder: folder.to_owned(), held: Mutex::new(held) })), left))
    }

    /// Marks that name nothing: for work without a data folder.
    pub fn none() -> Self {
        let held = Held { is_closed: true, ..Held::default() };
        Self(Arc::new(Inner { folder: PathBuf::new(), held: Mutex::new(held) }))
    }

    /// Once it is written down elsewhere what they were.
    pub fn forget(&self, culprits: &[Marked]) -> Result<(), MarkError> {
        culprits.iter().try_for_each(|marked| remove(&marked.path(&self.0.folder)).map(drop))
    }

    pub fn is_suspect(&self, work: &Work) -> bool {
        self.0.held().suspects.contains(work)
    }

    /// Marks a file until the guard is dropped.
    pub fn enter(&self, work: &Work, mark: &Mark) -> Result<Entered, MarkError> {
        let mut held = self.0.held();
        let is_first = held.in_work.get(work).copied().unwrap_or(0) == 0;
        let is_suspect = held.suspects.contains(work);
        // Whoever is in work beside it could be the one as well.
        let is_alone = is_suspect && held.in_work.is_empty();
        if !held.is_closed {
            let at = |state| path(&self.0.folder, work, state);
            if is_alone {
                if !rename(&at(MarkState::Suspect), &at(MarkState::Alone))? {
                    self.0.write(&at(MarkState::Alone), mark)?;
                }
            } else if is_first && !is_suspect {
                self.0.write(&at(MarkState::InWork), mark)?;
            }
        }
        *held.in_work.entry(work.clone()).or_default() += 1;
        Ok(Entered {
            work: work.clone(),
            is_alone: Mutex::new(is_alone),
            is_given_up: AtomicBool::new(false),
            inner: self.0.clone(),
        })
    }

    /// The daemon ends in good order: what is still in work is nobody's fault.
    pub fn close(&self) -> Result<(), MarkError> {
        let mut held = self.0.held();
        if std::mem::replace(&mut held.is_closed, true) {
            return Ok(());
        }
        for work in held.in_work.keys() {
            let at = |state| path(&self.0.folder, work, state);
            remove(&at(MarkState::InWork))?;
            rename(&at(MarkState::Alone), &at(MarkState::Suspect))?;
        }
        Ok(())
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, path: &Path, mark: &Mark) -> Result<(), MarkError> {
        let text = serde_json::to_vec(mark).map_err(|error| MarkError::doing("write", path)(error.into()))?;
        let part = path.with_added_extension(UNFINISHED);
        // A process that is killed in between leaves a whole mark or none.
        let whole = || fs::write(&part, &text).and_then(|()| fs::rename(&part, path));
        let written = match whole() {
            // Somebody has tidied up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.folder).and_then(|()| whole())
            }
            written => written,
        };
        written.map_err(|error| {
            // On a full disk it is there, but empty. What fails here is told by the first error.
            drop(fs::remove_file(&part));
            MarkError::doing("write", path)(error)
        })
    }

    fn leave(&self, work: &Work, is_alone: bool, is_through: bool) -> Result<(), MarkError> {
        let mut held = self.held();
        let others = held.in_work.get(work).copied().unwrap_or(0).saturating_sub(1);
        if others == 0 {
            held.in_work.remove(work);
        } else {
            held.in_work.insert(work.clone(), others);
        }
        let was_suspect = held.suspects.contains(work);
        if was_suspect && is_through {
            held.suspects.remove(work);
        }
        if held.is_closed {
            return Ok(());
        }
        let at = |state| path(&self.folder, work, state);
        let present = at(match (was_suspect, is_alone) {
            (false, _) => MarkState::InWork,
            (true, false) => MarkState::Suspect,
            (true, true) => MarkState::Alone,
        });
        match (was_suspect && !is_through, others) {
            (true, _) => rename(&present, &at(MarkState::Suspect)).map(drop),
            (false, 0) => remove(&present).map(drop),
            (false, _) => rename(&present, &at(MarkState::InWork)).map(drop),
        }
    }
}

/// A file in work. Dropped, it has been worked through: also by a panic, which the daemon survives.
#[derive(Debug)]
pub struct Entered {
    work: Work,
    is_alone: Mutex<bool>,
    is_given_up: AtomicBool,
    inner: Arc<Inner>,
}

impl Entered {
    /// No other marked file is in work.
    pub fn is_alone(&self) -> bool {
        *self.alone()
    }

    fn alone(&self) -> MutexGuard<'_, bool> {
        self.is_alone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on others may be in work beside it: still a suspect, but no longer the only one.
    pub fn admit_others(&self) -> Result<(), MarkError> {
        let mut is_alone = self.alone();
        let at = |state| path(&self.inner.folder, &self.work, state);
        if std::mem::replace(&mut *is_alone, false) {
            rename(&at(MarkState::Alone), &at(MarkState::Suspect))?;
        }
        Ok(())
    }

    /// It ends before it is through: what it would have done is not known.
    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let is_through = !self.is_given_up.load(Ordering::Relaxed);
        let is_alone = self.alone();
        if let Err(error) = self.inner.leave(&self.work, *is_alone, is_through) {
            tracing::warn!(%error, "the mark of a file stays behind; the next start takes the file for a suspect");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(digit: char) -> String {
        std::iter::repeat_n(digit, 64).collect()
    }

    fn work(digit: char) -> Work {
        Work::whole(&content(digit))
    }

    fn mark(file: &str) -> Mark {
        Mark { file: file.to_owned(), company: CompanyId(47), run: InstanceId(3) }
    }

    fn names(folder: &Path) -> Vec<String> {
        let short = |marked: Marked| {
            format!("{}{}", &marked.work.to_string().replace(&marked.work.content[1..], ""), marked.state.ending())
        };
        list(folder).unwrap().into_iter().map(short).collect()
    }

    #[test]
    fn a_file_is_marked_for_as_long_as_anybody_works_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let (marks, left) = Marks::open(folder.path()).unwrap();
        assert_eq!(left, LeftBehind::default());
        let (a, b) = (work('a'), work('b'));
        let first = marks.enter(&a, &mark("shoe.jpg")).unwrap();
        let second = marks.enter(&a, &mark("boot.jpg")).unwrap();
        let other = marks.enter(&b, &mark("hat.jpg")).unwrap();
        assert_eq!(names(folder.path()), ["a", "b"]);
        assert_eq!(list(folder.path()).unwrap()[0].mark, Some(mark("shoe.jpg")));
        drop(first);
        assert_eq!(names(folder.path()), ["a", "b"]);
        drop(second);
        other.give_up();
        drop(other);
        assert_eq!(names(folder.path()), Vec::<String>::new(), "nobody suspects what never was in work at an end");
    }

    #[test]
    fn what_was_in_work_at_an_end_is_a_suspect_until_it_is_worked_through() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (work('a'), work('b'));
        let (marks, _) = Marks::open(folder.path()).unwrap();
        std::mem::forget(marks.enter(&a, &mark("shoe.jpg")).unwrap());
        std::mem::forget(marks.enter(&b, &mark("hat.jpg")).unwrap());

        let (marks, left) = Marks::open(folder.path()).unwrap();
        assert_eq!((left.suspects, left.culprits), (2, Vec::new()));
        assert_eq!(names(folder.path()), ["a.suspect", "b.suspect"]);
        let alone = marks.enter(&a, &mark("shoe.jpg")).unwrap();
        assert!(alone.is_alone() && marks.is_suspect(&a));
        assert_eq!(names(folder.path()), ["a.alone", "b.suspect"]);
        alone.give_up();
        drop(alone);
        assert_eq!(names(folder.path()), ["a.suspect", "b.suspect"], "nothing was learnt of it");
        drop(marks.enter(&a, &mark("shoe.jpg")).unwrap());
        assert!(!marks.is_suspect(&a));
        let beside = marks.enter(&a, &mark("shoe.jpg")).unwrap();
        let not_alone = marks.enter(&b, &mark("hat.jpg")).unwrap();
        assert!(!not_alone.is_alone());
        assert_eq!(names(folder.path()), ["a", "b.suspect"]);
        drop((beside, not_alone));
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn what_was_alone_at_an_end_is_the_culprit() {
        let folder = tempfile::tempdir().unwrap();
        let a = work('a');
        for expected in [0, 0, 1] {
            let (marks, left) = Marks::open(folder.path()).unwrap();
            assert_eq!(left.culprits.len(), expected);
            if let [culprit] = left.culprits.as_slice() {
                assert_eq!((&culprit.work, &culprit.mark), (&a, &Some(mark("shoe.jpg"))));
                marks.forget(&left.culprits).unwrap();
                assert!(!marks.is_suspect(&a));
            } else {
                std::mem::forget(marks.enter(&a, &mark("shoe.jpg")).unwrap());
            }
        }
        assert_eq!(names(folder.path()), Vec::<String>::new());
        let (marks, _) = Marks::open(folder.path()).unwrap();
        std::mem::forget(marks.enter(&a, &mark("shoe.jpg")).unwrap());
        let (marks, _) = Marks::open(folder.path()).unwrap();
        let alone = marks.enter(&a, &mark("shoe.jpg")).unwrap();
        alone.admit_others().unwrap();
        std::mem::forget(alone);
        let (_, left) = Marks::open(folder.path()).unwrap();
        assert_eq!((left.suspects, left.culprits.len()), (1, 0), "others may have been in work beside it");
    }

    #[test]
    fn an_end_in_good_order_leaves_no_new_suspects() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (work('a'), work('b'));
        let (marks, _) = Marks::open(folder.path()).unwrap();
        std::mem::forget(marks.enter(&a, &mark("shoe.jpg")).unwrap());
        let (marks, _) = Marks::open(folder.path()).unwrap();
        let alone = marks.enter(&a, &mark("shoe.jpg")).unwrap();
        let beside = marks.enter(&b, &mark("hat.jpg")).unwrap();
        marks.close().unwrap();
        assert_eq!(names(folder.path()), ["a.suspect"]);
        drop((alone, beside));
        assert_eq!(names(folder.path()), ["a.suspect"], "whoever comes to an end later writes nothing");
    }

    #[test]
    fn a_mark_that_was_cut_short_names_its_file_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let a = work('a');
        fs::write(folder.path().join(a.to_string()), "{\"fi").unwrap();
        fs::write(folder.path().join("README"), "somebody else's").unwrap();
        let (marks, left) = Marks::open(folder.path()).unwrap();
        assert_eq!(left.suspects, 1);
        assert!(marks.is_suspect(&a));
        clear(folder.path(), &content('a')).unwrap();
        assert_eq!(names(folder.path()), Vec::<String>::new());
        assert!(folder.path().join("README").exists());
    }

    #[test]
    fn a_step_that_goes_well_says_nothing_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let (marks, _) = Marks::open(folder.path()).unwrap();
        let a = content('a');
        let (whole, ninth) = (Work::whole(&a), Work::step(&a, "page:9"));
        std::mem::forget(marks.enter(&ninth, &mark("book.pdf")).unwrap());
        let (marks, _) = Marks::open(folder.path()).unwrap();
        drop(marks.enter(&whole, &mark("book.pdf")).unwrap());
        assert!(marks.is_suspect(&ninth));
        assert_eq!(names(folder.path()), ["a+page-9.suspect"]);
        assert!(marks.enter(&ninth, &mark("book.pdf")).unwrap().is_alone());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn suspects_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MOST_SUSPECTS + 5 {
            fs::write(folder.path().join(format!("{number:064x}")), "").unwrap();
        }
        let (_, left) = Marks::open(folder.path()).unwrap();
        assert_eq!((left.suspects, left.let_go), (MOST_SUSPECTS, 5));
        assert_eq!(list(folder.path()).unwrap().len(), MOST_SUSPECTS);
    }
}
