//! Pages that other programs draw, as children without rights.
//!
//! | program | draws right |
//! |---|---|
//! | pdftoppm (poppler-utils) | groups that are not isolated, soft masks |
//! | gs (ghostscript) | these, knockout groups, and patterns that are blended with what lies behind them; not letters of East Asia whose font is not embedded, nor others that few fonts have |
//!
//! A program gets a document of the page alone in which nothing is left to it to decide: with the annotations that are to be drawn, and
//! without what only some heed (/UserUnit, the Invisible flag).

use std::fs;
use std::path::{Path, PathBuf};

use super::super::child::{ChildError, Folder, Launcher, Limits, Tool, find_in_path};
use super::super::decode::Cancel;
use super::{
    By, Drawing, DrawnPage, Need, PROGRAM, PageLimits, Said, Size, Task, Undrawn, Wanted, collect, is_its_own_fault,
    page_orders, start,
};

/// A page to be drawn.
pub struct Job<'j> {
    pub launcher: &'j Launcher,
    /// The document that it is a page of.
    pub path: &'j Path,
    /// What programs are given.
    pub document: PathBuf,
    pub page: u32,
    pub wanted: Wanted,
}

/// Draws a page. What is drawn lies in the folder that it leaves behind.
pub fn draw(
    job: &Job<'_>,
    drawing: &Drawing,
    limits: &PageLimits,
    cancel: Cancel<'_>,
    there: &mut Option<Folder>,
) -> Result<Result<DrawnPage, Undrawn>, ChildError> {
    let folder = there.insert(job.launcher.folder()?);
    let by = match raster(job, limits, cancel, folder) {
        Ok(Some(raster)) => By::Raster(raster),
        Ok(None) => By::Us(Some("Ghostscript would draw fonts that are not embedded in its own way".to_owned())),
        Err(error) if is_its_own_fault(&error) || matches!(error, ChildError::Missing { .. }) => {
            By::Us(Some(error.to_string()))
        }
        Err(error) => return Err(error),
    };
    let orders = page_orders((job.page, job.page), drawing, limits, by);
    let mut outcome = Err(Undrawn::nothing_said());
    let mut hear = |said| match said {
        Said::Drawn(page) => outcome = collect(folder, page),
        Said::Failed(_, why) => outcome = Err(why),
        Said::Unreadable(why) => outcome = Err(why.to_string().into()),
        Said::Pages(_) | Said::Informed | Said::Elsewhere(..) => {}
    };
    match start(job.launcher, folder, job.path, Task::Draw(Box::new(orders)), limits, cancel, &mut hear) {
        Err(error) if is_its_own_fault(&error) => Ok(Err(error.to_string().into())),
        Err(error) => Err(error),
        Ok(()) => Ok(outcome),
    }
}

/// Whether pdftoppm draws something of this wrongly.
pub fn is_for_ghostscript<'n>(needs: impl IntoIterator<Item = &'n Need>) -> bool {
    needs.into_iter().any(|need| matches!(need, Need::Knockout | Need::Pattern))
}

/// Has a program draw the page into a file. None where none draws it right.
fn raster(
    job: &Job<'_>,
    limits: &PageLimits,
    cancel: Cancel<'_>,
    folder: &Folder,
) -> Result<Option<PathBuf>, ChildError> {
    let document = folder.path().join("page.pdf");
    fs::rename(&job.document, &document).map_err(ChildError::doing("take the document of a page"))?;
    let limits = Limits {
        wall: limits.time,
        cpu: limits.time,
        memory: limits.picture.max_memory.saturating_add(PROGRAM),
        file: 4 << 30,
        output: 1 << 20,
    };
    let Wanted { needs, size, has_plain_fonts } = &job.wanted;
    let is_there = |tool| find_in_path(tool).is_some();
    let tool = match is_for_ghostscript(needs) {
        true if !has_plain_fonts => return Ok(None),
        true => ghostscript(*size, needs.contains(&Need::Knockout), limits),
        false if !is_there("pdftoppm") && is_there("gs") && *has_plain_fonts => ghostscript(*size, false, limits),
        false => poppler(*size, limits),
    };
    job.launcher.run(tool, folder, cancel)?;
    Ok(Some(folder.path().join("page.ppm")))
}

fn poppler(Size { width, height, .. }: Size, limits: Limits) -> Tool {
    let [width, height] = [width, height].map(|number| number.to_string());
    Tool::installed("pdftoppm", "poppler-utils", limits).arguments(["-singlefile", "-cropbox"]).arguments([
        "-scale-to-x",
        &width,
        "-scale-to-y",
        &height,
        "page.pdf",
        "page",
    ])
}

/// Of edges that it smooths it makes objects of their own, which then do not knock out what is below them.
fn ghostscript(size: Size, is_knockout: bool, limits: Limits) -> Tool {
    let Size { width, height, resolution } = size;
    let (across, down) = resolution;
    Tool::installed("gs", "ghostscript", limits)
        .arguments(["-dSAFER", "-dBATCH", "-dNOPAUSE", "-dQUIET", "-sDEVICE=ppmraw", "-dUseCropBox", "-dFIXEDMEDIA"])
        .arguments(["-dTextAlphaBits=4", if is_knockout { "-dGraphicsAlphaBits=1" } else { "-dGraphicsAlphaBits=4" }])
        // What is only for screens was left out already where a page is to be as it is printed.
        .argument("-dPrinted=false")
        .arguments([format!("-g{width}x{height}"), format!("-r{across:.6}x{down:.6}")])
        .arguments(["-sOutputFile=page.ppm", "-f", "page.pdf"])
}
