//! What a decoder comes upon while it makes pixels, and is no reason to give up.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::color::Note;
use super::super::error::MediaError;

/// Of one pass over a picture. Clones are the same, and all of it is known when the last row has been read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remarks(Rc<RefCell<Vec<Note>>>);

impl Remarks {
    pub fn add(&self, note: Note) {
        let mut notes = self.0.borrow_mut();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    pub fn notes(&self) -> Vec<Note> {
        self.0.borrow().clone()
    }
}

/// What is found of a picture that is looked at for damage alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wholeness {
    Whole,
    /// It can be read to its end, and something in it should not be there.
    Doubtful,
    Broken,
}

impl Wholeness {
    /// By an attempt to read it, and what was remarked on the way. What was not read because it is too large, or of a kind that is not
    /// read, is not broken.
    pub fn of(read: Result<(), MediaError>, remarks: &Remarks) -> Self {
        match read {
            Err(MediaError::Truncated { .. } | MediaError::Corrupt { .. }) => Self::Broken,
            _ if remarks.notes().iter().any(Note::is_damage) => Self::Doubtful,
            _ => Self::Whole,
        }
    }
}
