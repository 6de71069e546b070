//! Rows of metadata files. Who has read a file to some row keeps it open there; anybody else reads it from its start.

use std::fs::File;

use serde::{Deserialize, Serialize};

use super::super::error::MediaError;
use super::super::metadata::sheet::{Form, Row, Rows, SheetError};
use super::{Desk, Errand, Files};

/// The next rows of a metadata file; none behind the last. File: it.
#[derive(Debug, Serialize, Deserialize)]
pub struct TakeRows {
    /// What the file is known by.
    pub sheet: String,
    pub form: Form,
    /// Rows that were taken before.
    pub from: usize,
    pub most: usize,
    /// What they may weigh before no more are added, as [`Row::weight`] counts.
    pub weight: usize,
}

/// A metadata file at hand.
pub struct Begun {
    sheet: String,
    rows: Rows<File>,
    taken: usize,
}

impl TakeRows {
    fn begin(&self, file: File) -> Result<Begun, SheetError> {
        let mut rows = Rows::open(self.form, file)?;
        for row in rows.by_ref().take(self.from) {
            row?;
        }
        Ok(Begun { sheet: self.sheet.clone(), rows, taken: self.from })
    }
}

impl Errand for TakeRows {
    const NAME: &'static str = "the reader of metadata files";
    type Answer = Vec<Row>;
    type Error = SheetError;

    fn keeps(&self) -> Option<&str> {
        Some(&self.sheet)
    }

    fn carry_out(self, mut files: Files, desk: &mut Desk) -> Result<Vec<Row>, SheetError> {
        let missing = |error: MediaError| SheetError::Io(std::io::Error::other(error));
        let file = files.next("the metadata file").map_err(missing)?;
        let is_at_hand = |begun: &Begun| begun.sheet == self.sheet && begun.taken == self.from;
        let mut begun = match desk.sheet.take().filter(is_at_hand) {
            Some(begun) => begun,
            None => self.begin(file)?,
        };
        let (mut rows, mut weight) = (Vec::new(), 0);
        for row in begun.rows.by_ref().take(self.most) {
            let row = row?;
            weight += row.weight();
            rows.push(row);
            if weight > self.weight {
                break;
            }
        }
        begun.taken += rows.len();
        desk.sheet = Some(begun);
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn rows_are_the_same_wherever_somebody_goes_on() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let lines: String = (1..=9).map(|number| format!("asset{number}\tvalue {number}\n")).collect();
        file.write_all(format!("id\tNote\n{lines}").as_bytes()).unwrap();
        let take = |desk: &mut Desk, from: usize, weight: usize| {
            let sheet = "1".to_owned();
            let errand = TakeRows { sheet, form: Form::TabDelimited, from, most: 4, weight };
            let files = vec![File::open(file.path()).unwrap()].into();
            let rows = errand.carry_out(files, desk).unwrap();
            rows.into_iter().map(|row| row.number).collect::<Vec<_>>()
        };
        let much = usize::MAX;
        let desk = &mut Desk::default();
        assert_eq!(
            [take(desk, 0, much), take(desk, 4, much), take(desk, 8, much)],
            [vec![1, 2, 3, 4], vec![5, 6, 7, 8], vec![9]]
        );
        assert_eq!(take(desk, 9, much), Vec::<usize>::new());
        assert_eq!(take(&mut Desk::default(), 4, much), [5, 6, 7, 8], "by another worker");
        assert_eq!(take(desk, 2, much), [3, 4, 5, 6], "from before where this one is");
        assert_eq!(take(desk, 6, 0), [7], "as much as may be held");
    }
}
