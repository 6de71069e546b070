//! PostScript and EPS, by way of Ghostscript: it makes a PDF of them, which then is read as any other.
//!
//! PostScript is a language: only an interpreter can tell what a file draws. Ghostscript works as a child process
//! without rights, and what it makes is taken to be as hostile as what it was given.

use std::io::{self, Read, Seek, SeekFrom};
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

/// How many pages a file says that it has that lacks its end: gs takes one that breaks off between two operators for whole. None: it
/// has its end, or says nothing. With `u32::MAX` it would have said so in what is missing. (Adobe, "PostScript Language Document
/// Structuring Conventions", `%%Pages` and `%%EOF`.)
pub fn pages_before_cut(mut file: impl Read + Seek) -> io::Result<Option<u32>> {
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    file.by_ref().take(ENDS).read_to_end(&mut head)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(ENDS)))?;
    file.take(ENDS).read_to_end(&mut tail)?;
    let is_structured = head.starts_with(b"%!PS-Adobe-");
    if !is_structured || tail.windows(5).any(|window| window == b"%%EOF") {
        return Ok(None);
    }
    let said = |text: &[u8]| {
        let at = text.windows(8).position(|window| window == b"%%Pages:")? + 8;
        let line = text[at..].split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        Some(String::from_utf8_lossy(line).trim().to_owned())
    };
    Ok(match said(&head) {
        Some(text) if text.starts_with("(atend)") => Some(u32::MAX),
        Some(text) => text.split_whitespace().next().and_then(|number| number.parse().ok()),
        None => None,
    })
}

/// Bytes of a file's beginning and end in which its comments are looked for.
const ENDS: u64 = 1 << 16;
