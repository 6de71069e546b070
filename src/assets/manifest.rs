//! The manifest of a tree: one JSON object a line, that names every published file.
//!
//! ```text
//! {"name":"mug.tif","bytes":48211,"sha256":"9f86…","asset":"mug","id":12}
//! {"name":"old.tif","removed":true}
//! {"publish":7,"run":54091,"files":1041,"lines":1103,"at":"2026-11-23T09:15:04.120Z"}
//! ```
//!
//! A line may say more of its file than the example does, and a line without `bytes` and `sha256` is about no file at
//! all: it says something of its asset. Of several lines about a name the last one counts. Every publish appends what it changed and closes with a line of
//! totals, so that its price is what changed; lines without one behind them were left by a publish that broke off, and
//! the next one cuts them off. When there are more than twice as many lines as files, the manifest is written anew.
//!
//! The file ends with that line, and has the time that it names, so that a look tells whether somebody else has written to it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::published::{create_afresh, open_file};
use crate::model::listing::{Entry, Listed};

/// Small manifests are not worth writing anew.
const SPARE_LINES: u64 = 1000;

/// The line that closes a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of the publish.
    pub publish: i64,
    /// The run that published; None of one by an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// Files in the tree.
    pub files: i64,
    /// Lines about files, those before included.
    pub lines: u64,
    pub at: String,
}

impl Totals {
    /// Whether so many more lines make it too long for what it says.
    pub fn is_worth_compacting(&self, more: usize, files: i64) -> bool {
        self.lines.saturating_add(more as u64) > files.unsigned_abs().saturating_mul(2).saturating_add(SPARE_LINES)
    }
}

/// What a publish is closed with, beside what is counted.
#[derive(Debug, Clone, Copy)]
pub struct Closing<'a> {
    pub publish: i64,
    pub run: Option<i64>,
    pub at: &'a str,
}

impl Closing<'_> {
    fn totals(self, files: i64, lines: u64) -> Totals {
        Totals { publish: self.publish, run: self.run, files, lines, at: self.at.to_owned() }
    }
}

pub struct Manifest {
    path: PathBuf,
}

impl Manifest {
    pub fn of(tree: &Path, name: &str) -> Self {
        Self { path: tree.join(name) }
    }

    /// The totals of the last publish that was finished.
    pub fn totals(&self) -> io::Result<Option<Totals>> {
        match self.open()? {
            Some(mut file) => Ok(last_totals(&mut file, FURTHEST_BACK)?.map(|(totals, _)| totals)),
            None => Ok(None),
        }
    }

    /// The same for who reads no more than a few megabytes of it: an error where they do not tell.
    pub fn totals_near_its_end(&self) -> io::Result<Option<Totals>> {
        let Some(mut file) = self.open()? else { return Ok(None) };
        match last_totals(&mut file, NEAR)? {
            Some((totals, _)) => Ok(Some(totals)),
            None if file.metadata()?.len() <= NEAR => Ok(None),
            None => Err(io::Error::other(format!(
                "no publish is closed in the last {} MiB of {}",
                NEAR >> 20,
                self.path.display()
            ))),
        }
    }

    fn open(&self) -> io::Result<Option<File>> {
        open_file(&self.path)
    }

    /// Writes it anew: names that are not there are left out.
    pub fn write<'a>(&self, entries: impl Iterator<Item = Entry<'a>>, closing: Closing<'_>) -> io::Result<()> {
        self.write_with(entries, &[], closing)
    }

    /// The same, with lines of an earlier one.
    pub fn write_with<'a>(
        &self,
        entries: impl Iterator<Item = Entry<'a>>,
        kept: &[String],
        closing: Closing<'_>,
    ) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        let mut out = BufWriter::new(create_afresh(&temporary)?);
        let mut lines = write_lines(&mut out, entries.filter(|entry| entry.file.is_some()))?;
        for line in kept {
            writeln!(out, "{line}")?;
            lines += 1;
        }
        close(out, &closing.totals(lines.cast_signed(), lines))?;
        fs::rename(temporary, &self.path)
    }

    /// Adds what changed.
    pub fn append<'a>(
        &self,
        entries: impl Iterator<Item = Entry<'a>>,
        files: i64,
        closing: Closing<'_>,
    ) -> io::Result<()> {
        let mut file = self.open_own()?;
        let (before, end) = last_totals(&mut file, FURTHEST_BACK)?.map_or((0, 0), |(totals, end)| (totals.lines, end));
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        let mut out = BufWriter::new(file);
        let lines = before.saturating_add(write_lines(&mut out, entries)?);
        close(out, &closing.totals(files, lines))
    }

    /// To be written to, and to be given a time. One of somebody else, as may come from a backup, is replaced by a copy: only
    /// who owns a file sets its time.
    fn open_own(&self) -> io::Result<File> {
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path);
        let opened = open().and_then(|file| {
            file.set_modified(file.metadata()?.modified()?)?;
            Ok(file)
        });
        match opened {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let temporary = self.path.with_extension("new");
                io::copy(&mut File::open(&self.path)?, &mut create_afresh(&temporary)?)?;
                fs::rename(&temporary, &self.path)?;
                open()
            }
            opened => opened,
        }
    }

    /// Whether nobody has written to it since the publish that it ends with, as far as its size and its time tell, and that is
    /// one of these: a tree that was put back from a backup has the times of then, and who alters a number may alter times.
    pub fn is_untouched(&self, publishes: &RangeInclusive<i64>) -> io::Result<bool> {
        let Some(mut file) = self.open()? else { return Ok(false) };
        let found = file.metadata()?;
        let Some((totals, end)) = last_totals(&mut file, FURTHEST_BACK)? else { return Ok(false) };
        let closed = time_of(&totals.at);
        let modified = found.modified()?;
        let has_its_time = closed.is_some_and(|closed| is_time_of(modified, closed));
        Ok(publishes.contains(&totals.publish) && end == found.len() && has_its_time)
    }

    /// What it says, read in full.
    pub fn read(&self) -> io::Result<Reading> {
        let Some(file) = self.open()? else { return Ok(Reading::default()) };
        let mut reading = Reading::default();
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        while (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)? > 0 {
            if line.len() as u64 == LONGEST_LINE {
                // No publish writes such a line: what is there is somebody else's, and is written anew.
                return Ok(Reading::default());
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            reading.take(text);
            line.clear();
        }
        Ok(reading)
    }
}

/// A line names a file, which has a path of some kilobytes at most.
const LONGEST_LINE: u64 = 1 << 16;

/// What file systems round times to.
const GRAINS: [Duration; 4] =
    [Duration::from_millis(1), Duration::from_millis(10), Duration::from_secs(1), Duration::from_secs(2)];

/// Whether a file has this time, as far as its file system could keep it. Whoever writes to it gives it one that is not round.
fn is_time_of(found: SystemTime, given: SystemTime) -> bool {
    let nanos = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let (found, given) = (nanos(found), nanos(given));
    let is_rounded_to = |grain: u128| found.is_multiple_of(grain) && found.abs_diff(given) < grain;
    GRAINS.iter().any(|grain| is_rounded_to(grain.as_nanos()))
}

/// What a manifest was found to say.
#[derive(Debug, Default)]
pub struct Reading {
    /// Number of the publish that it ends with, and of its run.
    publish: Option<i64>,
    run: Option<i64>,
    /// The last line about each name.
    lines: HashMap<String, String>,
    /// Whether there was a line that nobody of ours wrote.
    has_other: bool,
    /// What follows the last line of totals, line by line.
    behind: Vec<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(default)]
    removed: bool,
}

impl Reading {
    /// Takes the next line, with its end. Lines count once one of totals closes them.
    fn take(&mut self, line: String) {
        let totals = line.ends_with('\n').then(|| serde_json::from_str::<Totals>(&line).ok()).flatten();
        let Some(totals) = totals else { return self.behind.push(line) };
        self.publish = Some(totals.publish);
        self.run = totals.run;
        for mut line in self.behind.drain(..) {
            line.truncate(line.trim_end_matches('\n').len());
            match serde_json::from_str::<Named>(&line) {
                Ok(Named { name, removed: false }) => drop(self.lines.insert(name, line)),
                Ok(Named { name, removed: true }) => drop(self.lines.remove(&name)),
                Err(_) => self.has_other = true,
            }
        }
    }

    /// Whether it says of these names what it should, and nothing of others but those that are `open`. It is closed with one of
    /// `publishes`: the tree holds all up to the first, and the last was begun with. Only one that a publish may have broken off in
    /// may go on behind its last line of totals.
    pub fn agrees<'a>(
        &self,
        entries: impl Iterator<Item = Entry<'a>>,
        is_open: impl Fn(&str) -> bool,
        publishes: &RangeInclusive<i64>,
        may_break_off: bool,
    ) -> bool {
        if self.has_other || self.publish.is_none_or(|found| !publishes.contains(&found)) {
            return false;
        }
        if !self.behind.iter().all(|line| may_break_off && is_begun(line, &is_open)) {
            return false;
        }
        let mut met = 0;
        for entry in entries.filter(|entry| !is_open(entry.name)) {
            let found = self.lines.get(entry.name);
            met += usize::from(found.is_some());
            match (entry.file, found) {
                (None, None) => {}
                (Some(_), Some(found)) if is_line(found, &line(entry)) => {}
                (None, Some(_)) | (Some(_), None | Some(_)) => return false,
            }
        }
        self.lines.keys().filter(|name| !is_open(name)).count() == met
    }

    /// The run that published last.
    pub const fn run(&self) -> Option<i64> {
        self.run
    }

    /// The lines about names of which only it may know.
    pub fn lines_of(&self, is_open: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines: Vec<String> =
            self.lines.iter().filter(|(name, _)| is_open(name)).map(|(_, line)| line.clone()).collect();
        lines.sort();
        lines
    }
}

/// Whether a publish that broke off may have left this line: one about a name that it was to write of, which may be cut.
fn is_begun(line: &str, is_open: impl Fn(&str) -> bool) -> bool {
    const NAME: &str = "{\"name\":";
    const TOTALS: &str = "{\"publish\":";
    if let Ok(named) = serde_json::from_str::<Named>(line) {
        return is_open(&named.name);
    }
    // After a power cut there are zeros where nothing had been written yet.
    let begun = line.trim_end_matches('\0');
    let is_cut = !line.ends_with('\n');
    let names_open = |rest: &str| {
        let mut names = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        // A name that is cut itself could be any.
        names.next().is_none_or(|name| name.map_or_else(|error| error.is_eof(), |name| is_open(&name)))
    };
    is_cut
        && (NAME.starts_with(begun)
            || TOTALS.starts_with(begun)
            || begun.starts_with(TOTALS)
            || begun.strip_prefix(NAME).is_some_and(names_open))
}

/// The same, whatever spaces there are.
fn is_line(found: &str, line: &Value) -> bool {
    let text = line.to_string();
    found == text || serde_json::from_str::<Value>(found).is_ok_and(|found| found == *line)
}

/// Ends it with the line of totals, and gives it the time of that.
fn close(mut out: BufWriter<File>, totals: &Totals) -> io::Result<()> {
    write_line(&mut out, totals)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(at) = time_of(&totals.at) {
        file.set_modified(at)?;
    }
    file.sync_all()
}

fn time_of(at: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(at).ok().map(SystemTime::from)
}

/// How many there are.
fn write_lines<'a>(out: &mut impl Write, entries: impl Iterator<Item = Entry<'a>>) -> io::Result<u64> {
    let mut count = 0;
    for entry in entries {
        write_line(out, &line(entry))?;
        count += 1;
    }
    Ok(count)
}

fn line(Entry { name, file }: Entry<'_>) -> Value {
    let Some(Listed { content, asset, asset_name, detail }) = file else {
        return json!({ "name": name, "removed": true });
    };
    let mut line = match content {
        None => json!({ "name": name }),
        Some((bytes, sha256)) => json!({ "name": name, "bytes": bytes, "sha256": sha256 }),
    };
    line["asset"] = json!(asset_name);
    line["id"] = json!(asset);
    for (name, value) in detail.into_iter().filter_map(Value::as_object).flatten() {
        line[name] = value.clone();
    }
    line
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// A publish that broke off leaves less than this behind the totals of the one before, or its tree is made anew.
const FURTHEST_BACK: u64 = 64 << 20;

/// The same for a look at all trees there are, of which any may be anybody's file.
const NEAR: u64 = 4 << 20;

/// The last line of totals and where it ends, searched from the end backwards: what is read in vain is no more than
/// what a publish that broke off has left.
fn last_totals(file: &mut File, furthest_back: u64) -> io::Result<Option<(Totals, u64)>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut window = 1 << 12;
    loop {
        let start = length.saturating_sub(window);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::take(&mut *file, length - start).read_to_end(&mut tail)?;
        if let Some((totals, end)) = totals_in(&tail, start == 0) {
            return Ok(Some((totals, start + end)));
        }
        if start == 0 || window >= furthest_back {
            return Ok(None);
        }
        window *= 4;
    }
}

/// The last line of totals in a piece of the file, and the offset behind it.
fn totals_in(tail: &[u8], is_whole: bool) -> Option<(Totals, u64)> {
    let mut end = tail.len();
    while let Some(newline) = tail[..end].iter().rposition(|byte| *byte == b'\n') {
        let before = tail[..newline].iter().rposition(|byte| *byte == b'\n');
        let start = match before {
            Some(before) => before + 1,
            None if is_whole => 0,
            None => return None,
        };
        let line = &tail[start..newline];
        if line.starts_with(b"{\"publish\":")
            && let Ok(totals) = serde_json::from_slice(line)
        {
            return Some((totals, newline as u64 + 1));
        }
        end = newline;
        before?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::assets::nobody::as_nobody;
    use crate::model::id::AssetId;

    fn entry(name: &str, is_there: bool) -> Entry<'_> {
        let listed = Listed { content: Some((3, "ab")), asset: AssetId(1), asset_name: "mug", detail: None };
        Entry { name, file: is_there.then_some(listed) }
    }

    fn closing(publish: i64, at: &str) -> Closing<'_> {
        Closing { publish, run: None, at }
    }

    fn manifest() -> (tempfile::TempDir, Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest::of(folder.path(), "manifest.jsonl");
        (folder, manifest)
    }

    /// As of a file that somebody has made longer: it has gigabytes of zeros, and no line.
    #[test]
    fn a_line_that_no_publish_writes_is_not_read_into_memory() {
        let (folder, manifest) = manifest();
        manifest.write([entry("a.tif", true)].into_iter(), closing(1, "now")).unwrap();
        let whole = manifest.read().unwrap();
        assert_eq!(whole.lines_of(|_| true).len(), 1);
        let file = OpenOptions::new().write(true).open(folder.path().join("manifest.jsonl")).unwrap();
        file.set_len(64 << 30).unwrap();
        let read = manifest.read().unwrap();
        assert!(read.lines_of(|_| true).is_empty(), "it is somebody else's");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("manifest.jsonl");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let manifest = Manifest::of(folder.path(), "manifest.jsonl");
        let errors = [
            manifest.totals().unwrap_err(),
            manifest.is_untouched(&(1..=9)).unwrap_err(),
            manifest.read().unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.to_string() == "it is no file"), "{errors:?}");
        let totals = Totals { publish: 1, run: None, files: i64::MAX, lines: u64::MAX, at: String::new() };
        assert!(totals.is_worth_compacting(7, 1) && !totals.is_worth_compacting(7, i64::MIN));
    }

    /// Somebody's file in the place of a manifest, of any size.
    #[test]
    fn who_looks_at_many_reads_little_of_each() {
        let (_folder, manifest) = manifest();
        assert_eq!(manifest.totals_near_its_end().unwrap(), None);
        manifest.write([entry("a.tif", true)].into_iter(), closing(7, "then")).unwrap();
        assert_eq!(manifest.totals_near_its_end().unwrap().map(|totals| totals.publish), Some(7));
        File::options().write(true).open(&manifest.path).unwrap().set_len(NEAR / 2).unwrap();
        assert_eq!(manifest.totals_near_its_end().unwrap().map(|totals| totals.publish), Some(7));
        File::options().write(true).open(&manifest.path).unwrap().set_len(1 << 40).unwrap();
        let said = manifest.totals_near_its_end().unwrap_err().to_string();
        assert!(said.starts_with("no publish is closed in the last 4 MiB of "), "{said}");
        File::options().write(true).open(&manifest.path).unwrap().set_len(10).unwrap();
        assert_eq!(manifest.totals_near_its_end().unwrap(), None, "it tells nothing");
    }

    #[test]
    fn a_number_that_was_never_given_is_not_ours_whatever_its_time_is() {
        let (_folder, manifest) = manifest();
        let at = "2026-11-23T09:15:04.120Z";
        manifest.write([entry("a.tif", true)].into_iter(), closing(9, at)).unwrap();
        assert!(manifest.is_untouched(&(7..=9)).unwrap() && !manifest.is_untouched(&(7..=8)).unwrap());
        let reading = manifest.read().unwrap();
        let agrees = |publishes| reading.agrees([entry("a.tif", true)].into_iter(), |_| false, &publishes, false);
        assert!(agrees(7..=9) && !agrees(7..=8) && !agrees(10..=12));
    }

    #[test]
    fn a_publish_appends_what_changed() {
        let (_folder, manifest) = manifest();
        assert_eq!(manifest.totals().unwrap(), None);
        manifest.write([entry("a.tif", true), entry("b.tif", true)].into_iter(), closing(1, "then")).unwrap();
        manifest.append([entry("a.tif", false)].into_iter(), 1, closing(2, "now")).unwrap();
        let text = fs::read_to_string(&manifest.path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"{"name":"a.tif","bytes":3,"sha256":"ab","asset":"mug","id":1}"#);
        assert_eq!(lines[2], r#"{"publish":1,"files":2,"lines":2,"at":"then"}"#);
        assert_eq!(lines[3], r#"{"name":"a.tif","removed":true}"#);
        assert_eq!(lines[4], r#"{"publish":2,"files":1,"lines":3,"at":"now"}"#);
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn what_a_crash_left_is_cut_off_wherever_it_broke() {
        let (_folder, manifest) = manifest();
        manifest.write([entry("a.tif", true)].into_iter(), closing(1, "then")).unwrap();
        let whole = fs::read(&manifest.path).unwrap();
        let names: Vec<String> = (0..500).map(|number| format!("{number}.tif")).collect();
        let many = || names.iter().map(|name| entry(name, true));
        manifest.append(many(), 501, closing(2, "now")).unwrap();
        let appended = fs::read(&manifest.path).unwrap();
        for length in [whole.len(), whole.len() + 1, whole.len() + 70, appended.len() - 20, appended.len() - 1] {
            fs::write(&manifest.path, &appended[..length]).unwrap();
            assert_eq!(manifest.totals().unwrap().unwrap().publish, 1, "{length}");
            manifest.append(many(), 501, closing(2, "now")).unwrap();
            assert_eq!(fs::read(&manifest.path).unwrap(), appended, "{length}");
        }
    }

    #[test]
    fn what_somebody_else_wrote_to_it_is_seen() {
        let (_folder, manifest) = manifest();
        let at = "2026-11-23T09:15:04.120Z";
        assert!(!manifest.is_untouched(&(1..=9)).unwrap(), "there is none");
        manifest.write([entry("a.tif", true), entry("b.tif", true)].into_iter(), closing(1, at)).unwrap();
        manifest.append([entry("a.tif", false), entry("c.tif", true)].into_iter(), 2, closing(2, at)).unwrap();
        assert!(manifest.is_untouched(&(2..=9)).unwrap());
        assert!(!manifest.is_untouched(&(3..=9)).unwrap(), "it is of an earlier publish");
        let whole = fs::read_to_string(&manifest.path).unwrap();
        let agrees = |open: &'static str| {
            let entries = [entry("a.tif", false), entry("b.tif", true), entry("c.tif", true)];
            manifest.read().unwrap().agrees(entries.into_iter(), |name| name == open, &(2..=9), false)
        };
        assert!(agrees(""));
        for (from, to, open) in [
            (
                "\"bytes\":3,\"sha256\":\"ab\",\"asset\":\"mug\",\"id\":1}\n{\"publish\":2",
                "\"bytes\":4}\n{\"publish\":2",
                "c.tif",
            ),
            ("{\"name\":\"a.tif\",\"removed\":true}\n", "", "a.tif"),
            ("\"publish\":2", "\"publish\":1", ""),
            ("\"publish\":2", "\"publish\":9007199254740990", ""),
            ("{\"publish\":1", "not ours\n{\"publish\":1", ""),
            ("b.tif", "x.tif", ""),
        ] {
            assert!(whole.contains(from), "{from}");
            fs::write(&manifest.path, whole.replace(from, to)).unwrap();
            assert!(!manifest.is_untouched(&(0..=9)).unwrap());
            assert!(!agrees(""), "{from}");
            assert_eq!(agrees(open), !open.is_empty(), "{from}");
        }
    }

    #[test]
    fn what_somebody_wrote_behind_its_end_is_seen_at_any_time() {
        let (_folder, manifest) = manifest();
        let at = "2026-11-23T09:15:04.120Z";
        let own = || [entry("a.tif", true)].into_iter();
        let agrees = |may_break_off: bool| {
            manifest.read().unwrap().agrees(own(), |name| name == "d.tif", &(1..=9), may_break_off)
        };
        manifest.write(own(), closing(1, at)).unwrap();
        let whole = fs::read_to_string(&manifest.path).unwrap();
        let behind = |text: &str| {
            fs::write(&manifest.path, format!("{whole}{text}")).unwrap();
            // As if it had been done in the moment of the publish.
            File::open(&manifest.path).unwrap().set_modified(time_of(at).unwrap()).unwrap();
            assert!(!manifest.is_untouched(&(1..=9)).unwrap(), "{text}");
            assert!(!agrees(false), "readers see it: no publish has broken off there: {text}");
            agrees(true)
        };
        for strange in [
            "{\"name\":\"other.tif\",\"bytes\":3}\n",
            "{\"name\":\"other.tif\",\"by",
            "{\"name\":\"d.tif\"}\nnot ours",
            "# a remark\n",
            "\n",
            "x",
        ] {
            assert!(!behind(strange), "{strange}");
        }
        // What a publish that broke off was to write.
        for begun in [
            "{\"name\":\"d.tif\"}\n{\"na",
            "{\"name\":\"d.t",
            "{\"name\":\"d.tif\",\"by",
            "{\"publish\":2,\"fi",
            "\0\0\0",
        ] {
            assert!(behind(begun), "{begun}");
        }
    }

    #[test]
    fn a_time_that_is_not_the_one_it_was_given_is_seen_in_the_same_second() {
        let (_folder, manifest) = manifest();
        let at = "2026-11-23T09:15:04.120Z";
        manifest.write([entry("a.tif", true)].into_iter(), closing(1, at)).unwrap();
        let given = time_of(at).unwrap();
        let found_at = |time: SystemTime| {
            File::open(&manifest.path).unwrap().set_modified(time).unwrap();
            manifest.is_untouched(&(1..=9)).unwrap()
        };
        assert!(found_at(given));
        assert!(!found_at(given + Duration::from_nanos(70_300_400)));
        assert!(!found_at(given - Duration::from_micros(1)));
        // As file systems keep it that know only seconds, or even ones.
        assert!(found_at(given - Duration::from_millis(120)));
        assert!(!found_at(given - Duration::from_millis(3120)));
    }

    #[test]
    fn one_of_somebody_else_goes_on_as_our_own() {
        let (folder, manifest) = manifest();
        let at = "2026-11-23T09:15:04.120Z";
        for (publish, mode) in [(2, 0o666), (4, 0o644)] {
            manifest.write([entry("a.tif", true)].into_iter(), closing(publish - 1, at)).unwrap();
            fs::set_permissions(&manifest.path, Permissions::from_mode(mode)).unwrap();
            as_nobody(folder.path(), || {
                manifest.append([entry("b.tif", true)].into_iter(), 2, closing(publish, at)).unwrap();
                assert!(manifest.is_untouched(&(publish..=9)).unwrap());
                let totals = manifest.totals().unwrap().unwrap();
                assert_eq!((totals.publish, totals.lines), (publish, 2), "{mode:o}");
            });
            fs::remove_file(&manifest.path).unwrap();
        }
    }

    #[test]
    fn it_is_written_anew_when_it_says_too_much() {
        let totals = Totals { publish: 1, run: None, files: 10, lines: 1000, at: String::new() };
        assert!(!totals.is_worth_compacting(20, 10));
        assert!(totals.is_worth_compacting(21, 10));
    }
}
