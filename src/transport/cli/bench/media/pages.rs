//! Pages of PDFs to pyramids, against the tools that draw them as plain pictures.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::{BenchError, failed};
use super::{Contest, MediaArgs, Opponent, text};
use crate::media::child::{Launcher, RUNNING_BINARY};
use crate::media::pdf::{self, Annotations, Drawing, Others, PageColor, PageLimits};
use crate::media::{Limits, Options, child};

/// Pixels per inch.
const RESOLUTION: &str = "150";

/// Documents of a batch, at least: as many as keep all cores busy.
const DOCUMENTS: usize = 4;

pub(super) fn contest(plan: &MediaArgs, folder: &Path, catalogue: &[PathBuf]) -> Result<Contest, BenchError> {
    let documents: Vec<PathBuf> = if plan.pdf.is_empty() {
        let is_pdf = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "pdf");
        catalogue.iter().filter(is_pdf).cloned().collect()
    } else {
        plan.pdf.iter().map(std::path::absolute).collect::<Result<_, _>>().map_err(failed("find the PDF"))?
    };
    let mut pages = 0;
    let mut ours = Vec::new();
    let (mut poppler, mut mupdf) = (Vec::new(), Vec::new());
    let count = documents.len().max(DOCUMENTS);
    for (index, document) in documents.iter().cycle().take(count).enumerate() {
        let target = folder.join(format!("pages-{index}"));
        pages +=
            pdf::count_pages(&launcher(&target), document, &limits(), &|| false).map_err(failed("open a PDF"))?.found;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        ours.push(words(&["pages", text(document), text(&target)]));
        poppler.push(words(&["-jpeg", "-r", RESOLUTION, text(document), text(&target)]));
        let pattern = format!("{}-%d.ppm", target.display());
        mupdf.push(words(&["draw", "-q", "-r", RESOLUTION, "-o", &pattern, text(document)]));
    }
    Ok(Contest {
        what: format!("PDF pages at {RESOLUTION} dpi to pyramids"),
        unit: "pages/s",
        amount: f64::from(pages),
        ours,
        theirs: vec![
            Opponent { program: "pdftoppm", package: "poppler-utils", but: " to plain JPEGs", tasks: poppler },
            Opponent { program: "mutool", package: "mupdf-tools", but: " to raw pixels", tasks: mupdf },
        ],
    })
}

/// Draws all pages of a document as pyramids and thumbnails, and throws them away.
pub(super) fn draw(document: &Path, target: &Path) -> Result<(), BenchError> {
    let (launcher, limits) = (launcher(target), limits());
    let resolution = RESOLUTION.parse().map_err(failed("read the resolution"))?;
    let drawing = Drawing {
        resolution,
        color: PageColor::Auto,
        alpha: false,
        words: false,
        links: false,
        annotations: Annotations::View,
        others: Others::Needed,
        options: Options::default(),
    };
    let count = pdf::count_pages(&launcher, document, &limits, &|| false).map_err(failed("open a PDF"))?.found;
    pdf::draw_pages(&launcher, document, (1, count), &drawing, &limits, &|| false, &mut |page, drawn| {
        drawn.map(|_| ControlFlow::Continue(())).map_err(|why| failed("draw a page")(format!("page {page}: {why}")))
    })
}

impl From<child::ChildError> for BenchError {
    fn from(error: child::ChildError) -> Self {
        failed("draw pages")(error)
    }
}

fn launcher(beside: &Path) -> Launcher {
    let scratch: PathBuf = beside.with_extension("scratch");
    Launcher::new(Path::new(RUNNING_BINARY), &scratch)
}

fn limits() -> PageLimits {
    let picture = Limits::default();
    PageLimits { all_memory: picture.max_memory, picture, time: Duration::from_secs(60) }
}
