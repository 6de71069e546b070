//! The manifest of a tree: one JSON object a line, that names every published file.
//!
//! ```text
//! {"name":"mug.tif","bytes":48211,"sha256":"9f86…","asset":"mug","id":12}
//! {"name":"old.tif","removed":true}
//! {"publish":7,"files":1041,"lines":1103,"at":"2026-11-23T09:15:04.120Z"}
//! ```
//!
//! A line may say more of its file than the example does, and a line without `bytes` and `sha256` is about no file at
//! all: it says something of its asset. Of several lines about a name the last one counts. Every publish appends what it changed and closes with a line of
//! totals, so that its price is what changed; lines without one behind them were left by a publish that broke off, and
//! the next one cuts them off. When there are more than twice as many lines as files, the manifest is written anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::store::publishing::Publication;

/// Small manifests are not worth writing anew.
const SPARE_LINES: u64 = 1000;

/// The line that closes a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of the publish.
    pub publish: i64,
    /// Files in the tree.
    pub files: i64,
    /// Lines about files, those before included.
    pub lines: u64,
    pub at: String,
}

impl Totals {
    /// Whether so many more lines make it too long for what it says.
    pub fn is_worth_compacting(&self, more: usize, files: i64) -> bool {
        self.lines + more as u64 > 2 * files.unsigned_abs() + SPARE_LINES
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
        match File::open(&self.path) {
            Ok(mut file) => Ok(last_totals(&mut file)?.map(|(totals, _)| totals)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it anew.
    pub fn write(&self, rows: &[Publication], publish: i64, at: &str) -> io::Result<()> {
        let temporary = self.path.with_extension("new");
        let mut out = BufWriter::new(File::create(&temporary)?);
        let present: Vec<&Publication> = rows.iter().filter(|row| row.present).collect();
        let (files, lines) = (present.len() as i64, present.len() as u64);
        write_lines(&mut out, present)?;
        write_line(&mut out, &Totals { publish, files, lines, at: at.to_owned() })?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(temporary, &self.path)
    }

    /// Adds what changed.
    pub fn append(&self, rows: &[Publication], publish: i64, files: i64, at: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        let (before, end) = last_totals(&mut file)?.map_or((0, 0), |(totals, end)| (totals.lines, end));
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        let mut out = BufWriter::new(file);
        write_lines(&mut out, rows)?;
        write_line(&mut out, &Totals { publish, files, lines: before + rows.len() as u64, at: at.to_owned() })?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn write_lines<'a>(out: &mut impl Write, rows: impl IntoIterator<Item = &'a Publication>) -> io::Result<()> {
    for row in rows {
        write_line(out, &line(row))?;
    }
    Ok(())
}

fn line(row: &Publication) -> Value {
    if !row.present {
        return json!({ "name": row.file_name, "removed": true });
    }
    let mut line = if row.blob.is_empty() {
        json!({ "name": row.file_name })
    } else {
        json!({ "name": row.file_name, "bytes": row.bytes, "sha256": row.blob })
    };
    line["asset"] = json!(row.asset_name);
    line["id"] = json!(row.asset);
    for (name, value) in row.detail.iter().filter_map(Value::as_object).flatten() {
        line[name] = value.clone();
    }
    line
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// The last line of totals and where it ends, searched from the end backwards: what is read in vain is no more than
/// what a publish that broke off has left.
fn last_totals(file: &mut File) -> io::Result<Option<(Totals, u64)>> {
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
        if start == 0 {
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
    use chrono::DateTime;

    use super::*;
    use crate::model::id::AssetId;
    use crate::model::log::FileType;

    fn row(name: &str, present: bool) -> Publication {
        Publication {
            file_name: name.to_owned(),
            asset: AssetId(1),
            asset_name: "mug".to_owned(),
            file_type: FileType::OptimizedImage,
            blob: "ab".to_owned(),
            bytes: 3,
            detail: None,
            present,
            seq: 1,
            stamp: None,
            published_at: DateTime::UNIX_EPOCH,
        }
    }

    fn manifest() -> (tempfile::TempDir, Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest::of(folder.path(), "manifest.jsonl");
        (folder, manifest)
    }

    #[test]
    fn a_publish_appends_what_changed() {
        let (_folder, manifest) = manifest();
        assert_eq!(manifest.totals().unwrap(), None);
        manifest.write(&[row("a.tif", true), row("b.tif", true)], 1, "then").unwrap();
        manifest.append(&[row("a.tif", false)], 2, 1, "now").unwrap();
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
        manifest.write(&[row("a.tif", true)], 1, "then").unwrap();
        let whole = fs::read(&manifest.path).unwrap();
        let many: Vec<Publication> = (0..500).map(|number| row(&format!("{number}.tif"), true)).collect();
        manifest.append(&many, 2, 501, "now").unwrap();
        let appended = fs::read(&manifest.path).unwrap();
        for length in [whole.len(), whole.len() + 1, whole.len() + 70, appended.len() - 20, appended.len() - 1] {
            fs::write(&manifest.path, &appended[..length]).unwrap();
            assert_eq!(manifest.totals().unwrap().unwrap().publish, 1, "{length}");
            manifest.append(&many, 2, 501, "now").unwrap();
            assert_eq!(fs::read(&manifest.path).unwrap(), appended, "{length}");
        }
    }

    #[test]
    fn it_is_written_anew_when_it_says_too_much() {
        let totals = Totals { publish: 1, files: 10, lines: 1000, at: String::new() };
        assert!(!totals.is_worth_compacting(20, 10));
        assert!(totals.is_worth_compacting(21, 10));
    }
}
