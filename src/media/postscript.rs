//! PostScript and EPS, by way of Ghostscript: it makes a PDF of them, which then is read as any other.
//!
//! PostScript is a language: only an interpreter can tell what a file draws. Ghostscript works as a child process
//! without rights, and what it makes is taken to be as hostile as what it was given.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use memchr::memmem;

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
    let mut wrong = None;
    let ended = launcher.run_with_lines(tool, folder, cancel, &mut |line| {
        wrong = wrong.take().or_else(|| error_in(line));
    });
    match (ended, wrong) {
        (Err(ChildError::Failed { .. }), Some(wrong)) => Err(ChildError::Refused(wrong)),
        (ended, _) => ended.map(|_| folder.path().join("document.pdf")),
    }
}

/// What is wrong with a program, of which gs says only to its standard output what that is: the error, and the name or operator that
/// it came of.
fn error_in(line: &str) -> Option<String> {
    const LONGEST: usize = 100;
    let (error, of) = line.strip_prefix("Error: /")?.split_once(" in ")?;
    let of = of.trim().trim_start_matches("--").trim_end_matches("--");
    let of: String = of.chars().take(LONGEST).collect();
    Some(format!("PostScript error {error} in {of:?}"))
}

/// How many pages a file says that it has that lacks its end: gs takes one that breaks off between two operators for whole. None: it
/// has its end, or says nothing. With `u32::MAX` it would have said so in what is missing. (Adobe, "PostScript Language Document
/// Structuring Conventions", `%%Pages` and `%%EOF`; "Encapsulated PostScript File Format", 5.2, of files with a preview.)
pub fn pages_before_cut(mut file: impl Read + Seek) -> io::Result<Option<u32>> {
    let (begin, length) = program_in(&mut file)?;
    file.seek(SeekFrom::Start(begin))?;
    let mut program = BufReader::with_capacity(1 << 16, file.take(length));
    let mut head = Vec::new();
    program.by_ref().take(HEAD).read_to_end(&mut head)?;
    let first = memmem::find(&head, b"%!");
    if !first.is_some_and(|at| head[at..].starts_with(b"%!PS-Adobe-")) {
        return Ok(None);
    }
    let mut framing = Framing::default();
    head.iter().for_each(|byte| framing.read(*byte));
    loop {
        let more = program.fill_buf()?;
        if more.is_empty() {
            break;
        }
        more.iter().for_each(|byte| framing.read(*byte));
        let count = more.len();
        program.consume(count);
    }
    if framing.has_ended() {
        return Ok(None);
    }
    let said = memmem::find(&head, b"%%Pages:").and_then(|at| {
        let line = head[at + 8..].split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        Some(String::from_utf8_lossy(line).trim().to_owned())
    });
    Ok(match said {
        Some(text) if text.starts_with("(atend)") => Some(u32::MAX),
        Some(text) => text.split_whitespace().next().and_then(|number| number.parse().ok()),
        None => None,
    })
}

/// Bytes of a file's beginning in which its comments are looked for.
const HEAD: u64 = 1 << 16;

/// Where the program begins and how long it is: a file with a preview says so at its beginning.
fn program_in(file: &mut (impl Read + Seek)) -> io::Result<(u64, u64)> {
    let mut head = Vec::new();
    file.by_ref().take(12).read_to_end(&mut head)?;
    Ok(match head.as_slice() {
        [0xc5, 0xd0, 0xd3, 0xc6, b0, b1, b2, b3, l0, l1, l2, l3] => {
            (u32::from_le_bytes([*b0, *b1, *b2, *b3]).into(), u32::from_le_bytes([*l0, *l1, *l2, *l3]).into())
        }
        _ => (0, u64::MAX),
    })
}

/// Follows the comments by which a document says where it ends, and where others lie within it that have ends of their own.
#[derive(Default)]
struct Framing {
    /// The beginning of the line that is read.
    line: Vec<u8>,
    /// Documents around the line.
    inside: u32,
    /// Ends within these: one more than there are documents is that of the whole, and some program forgot to say that they are over.
    ends_inside: u32,
    /// The last line that says anything was the end.
    is_over: bool,
    /// Since the last page the document's own trailer has begun: what follows its end is what the program that wrote it keeps there.
    in_trailer: bool,
}

impl Framing {
    const LONGEST: usize = b"%%BeginDocument".len();

    fn read(&mut self, byte: u8) {
        if matches!(byte, b'\r' | b'\n') {
            self.end_line();
        } else if self.line.len() < Self::LONGEST {
            self.line.push(byte);
        }
    }

    fn end_line(&mut self) {
        match self.line.as_slice() {
            b"%%BeginDocument" => self.inside += 1,
            line if line.starts_with(b"%%EndDocument") => {
                self.inside = self.inside.saturating_sub(1);
                self.ends_inside = self.ends_inside.min(self.inside);
            }
            line if line.starts_with(b"%%EOF") => {
                self.ends_inside += u32::from(self.inside > 0);
                self.is_over = self.inside == 0 || self.ends_inside > self.inside;
            }
            line if line.starts_with(b"%%Trailer") && self.inside == 0 => {
                (self.in_trailer, self.is_over) = (true, false);
            }
            line if line.starts_with(b"%%Page:") => (self.in_trailer, self.is_over) = (false, false),
            // What goes around a document on its way to a printer: ends of transmission, and lines of its job language.
            line if line.trim_ascii().is_empty() || matches!(line[0], 0 | 4 | 0x1b) || line.starts_with(b"@PJL") => {}
            _ => self.is_over &= self.in_trailer,
        }
        self.line.clear();
    }

    fn has_ended(mut self) -> bool {
        self.end_line();
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{error_in, pages_before_cut};

    const HEAD: &str = "%!PS-Adobe-3.0\n%%Pages: 4\n%%EndComments\n";
    const PAGE: &str = "%%Page: 1 1\nshowpage\n";
    const END: &str = "%%Trailer\n%%EOF\n";
    const INSIDE: &str = "%%BeginDocument: logo.eps\n%!PS-Adobe-3.0 EPSF-3.0\n%%Pages: 1\n%%EOF\n%%EndDocument\n";

    fn before_cut(file: impl AsRef<[u8]>) -> Option<u32> {
        pages_before_cut(Cursor::new(file.as_ref())).unwrap()
    }

    #[test]
    fn a_file_that_lacks_its_end_says_how_many_pages_it_had() {
        let job = "\u{1b}%-12345X@PJL JOB\n@PJL ENTER LANGUAGE = POSTSCRIPT\n";
        let inside = INSIDE.split_inclusive("%%EOF\n").next().unwrap();
        for before in ["", "\u{4}", "\n", job] {
            for after in ["", INSIDE, inside, "%%EOF\n10 10 moveto\n", "%%EO"] {
                let cut = format!("{before}{HEAD}{PAGE}{after}");
                assert_eq!(before_cut(&cut), Some(4), "{cut}");
                assert_eq!(before_cut(format!("{cut}{}", "\0".repeat(3000))), Some(4), "{cut}");
            }
        }
        assert_eq!(before_cut(HEAD.replace('4', "(atend)")), Some(u32::MAX));
    }

    #[test]
    fn an_error_and_what_it_came_of_are_taken_from_what_is_said() {
        let said = |line| error_in(line).unwrap_or_default();
        assert_eq!(said("Error: /undefined in undefinedop"), "PostScript error undefined in \"undefinedop\"");
        assert_eq!(said("Error: /typecheck in --add--"), "PostScript error typecheck in \"add\"");
        assert_eq!(said("Operand stack:"), "");
    }

    #[test]
    fn a_file_with_its_end_is_whole() {
        let job = "\u{4}\u{1b}%-12345X@PJL EOJ\n\u{1b}%-12345X";
        for (after, line) in
            ["", "\n\n", "\u{4}", job, "\0\0\0"].iter().flat_map(|after| [(after, "\n"), (after, "\r")])
        {
            let whole = format!("{HEAD}{INSIDE}{PAGE}{END}{after}").replace('\n', line);
            assert_eq!(before_cut(&whole), None, "{whole}");
        }
        let forgotten = INSIDE.replace("%%EndDocument\n", "");
        assert_eq!(
            before_cut(format!("{HEAD}{forgotten}{PAGE}{END}")),
            None,
            "it was not said where the inner one ends"
        );
        assert_eq!(before_cut(format!("{HEAD}{forgotten}{PAGE}")), Some(4));
        assert_eq!(before_cut(format!("%!\nshowpage\n{HEAD}")), None, "it makes no promise");
        let private = "%AI9_PrintingDataEnd\nmuch of it\n";
        for head in [HEAD.to_owned(), HEAD.replace('4', "(atend)")] {
            assert_eq!(before_cut(format!("{head}{PAGE}{END}{private}")), None);
            assert!(before_cut(format!("{head}{PAGE}{END}{private}{PAGE}")).is_some(), "another page follows");
        }
    }

    #[test]
    fn a_preview_is_no_part_of_the_program() {
        let file = |program: &str| {
            let mut file = [0xc5, 0xd0, 0xd3, 0xc6, 30, 0, 0, 0].to_vec();
            file.extend((program.len() as u32).to_le_bytes());
            file.resize(30, 0);
            [&file, program.as_bytes(), b"II*\0 preview"].concat()
        };
        assert_eq!(before_cut(file(&format!("{HEAD}{PAGE}{END}"))), None);
        assert_eq!(before_cut(file(&format!("{HEAD}{PAGE}"))), Some(4));
    }
}
