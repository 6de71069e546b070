//! PostScript and EPS, by way of Ghostscript: it makes a PDF of them, which then is read as any other.
//!
//! PostScript is a language: only an interpreter can tell what a file draws. Ghostscript works as a child process
//! without rights, and what it makes is taken to be as hostile as what it was given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::child::{ChildError, Folder, Launcher, Limits, Tool};
use super::decode::Cancel;

/// What the conversion of a file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostScriptLimits {
    pub time: Duration,
    /// Bytes.
    pub memory: u64,
}

/// Makes a PDF in `folder` of the file at `path`, an absolute path.
pub fn to_pdf(
    launcher: &Launcher,
    path: &Path,
    folder: &Folder,
    limits: PostScriptLimits,
    cancel: Cancel<'_>,
) -> Result<PathBuf, ChildError> {
    /// Address space for the program and its libraries.
    const PROGRAM: u64 = 512 << 20;
    const LARGEST_PDF: u64 = 2 << 30;
    let limits = Limits {
        wall: limits.time,
        cpu: limits.time,
        memory: limits.memory.saturating_add(PROGRAM),
        file: LARGEST_PDF,
        output: 1 << 20,
    };
    let tool = Tool::installed("gs", "ghostscript", limits)
        .arguments(["-dSAFER", "-dBATCH", "-dNOPAUSE", "-dQUIET", "-dEPSCrop", "-dAutoRotatePages=/None"])
        .arguments(["-sDEVICE=pdfwrite", "-dPassThroughJPEGImages=true", "-sOutputFile=document.pdf", "-f"])
        .argument(path)
        .reads(path);
    launcher.run(tool, folder, cancel)?;
    Ok(folder.path().join("document.pdf"))
}
