//! What a decoder comes upon while it makes pixels, and is no reason to give up.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::color::Note;

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
