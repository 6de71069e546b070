//! What is changed of a page before it is drawn, so that it comes out as it should.

use std::collections::BTreeSet;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::{ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::Page;

use super::super::limits::Limits;
use super::annotations::Plan;
use super::excerpt::Excerpt;
use super::fonts::NotEmbedded;
use super::parts::Known;
use super::{Drawing, Need, Others, groups, parts};

/// A page as it is to be drawn.
#[derive(Default)]
pub struct Prepared {
    /// A document of this page alone to draw it from, where that is not the one that there is.
    pub file: Option<Vec<u8>>,
    /// What hayro draws wrongly even so.
    pub needs: BTreeSet<Need>,
    pub notes: Vec<String>,
    /// Appearances of annotations were made that have letters beyond those that every font has.
    pub has_made_letters: bool,
    /// Shadings are made of triangles or patches.
    pub has_meshes: bool,
    /// Those that it does not bring.
    pub fonts: NotEmbedded,
}

pub fn prepare<'a>(pdf: &Pdf, page: &'a Page<'a>, drawing: &Drawing, known: &Known, limits: &Limits) -> Prepared {
    let plan = Plan::of(pdf, page, drawing.annotations);
    let found = groups::survey(page, &plan.appearances);
    let parts::Survey { mut notes, has_meshes, fonts } = parts::survey(pdf, page, &plan.appearances, known, limits);
    notes.extend(plan.notes());
    let mut prepared = Prepared {
        file: None,
        needs: found.needs,
        notes,
        has_made_letters: plan.has_made_letters(),
        has_meshes,
        fonts,
    };
    let is_as_it_is = !plan.differs && found.transparent.is_empty() && prepared.needs.is_empty();
    if is_as_it_is && drawing.others != Others::Always {
        return prepared;
    }
    prepared.file = written(pdf, page, &plan, &found.transparent, limits);
    if prepared.file.is_none() {
        prepared
            .notes
            .push("its annotations and groups are drawn as they are: the document cannot be changed".to_owned());
    }
    prepared
}

fn written(
    pdf: &Pdf,
    page: &Page<'_>,
    plan: &Plan<'_>,
    transparent: &BTreeSet<ObjectIdentifier>,
    limits: &Limits,
) -> Option<Vec<u8>> {
    let mut excerpt = Excerpt::of(pdf, limits);
    for form in transparent {
        groups::open(&mut excerpt, &pdf.xref().get::<Stream<'_>>(*form)?)?;
    }
    let annotations = plan.write(&mut excerpt)?;
    excerpt.finish(page, Some(annotations))
}
