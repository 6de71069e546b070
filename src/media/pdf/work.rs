//! The side of the child: opens the file, draws pages, and says a line about each.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hayro::hayro_syntax::Pdf;
use memchr::memmem;

use super::super::limits::Limits;
use super::super::metadata::of_pdf;
use super::draw::{self, Page};
use super::opening::Opening;
use super::{
    INFORMATION, Orders, PageCount, PageFiles, PageOrders, PdfError, Said, Task, Undrawn, information, largest_file,
    opening, portfolio, tree,
};

/// What the other side of the fence knows this work by.
pub const NAME: &str = "pdf";

/// The file in its folder that tells it what to do.
pub const ORDERS: &str = "orders";

/// Does what the orders in the current folder say.
pub fn work() -> ExitCode {
    match read_orders().and_then(|orders| carry_out(&orders)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn read_orders() -> io::Result<Orders> {
    Ok(serde_json::from_slice(&fs::read(ORDERS)?)?) // bounded: by the program, which wrote it
}

fn say(said: &Said) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(said)?)?;
    out.flush()
}

fn carry_out(orders: &Orders) -> io::Result<()> {
    let limits = Limits {
        max_pixels: orders.max_pixels,
        max_side: orders.max_side,
        max_source_bytes: u64::MAX,
        max_memory: orders.max_memory,
        scratch: ".".into(),
    };
    let Opened { opening: Opening { pdf, by_search }, is_cut } = match open(&orders.path, &limits)? {
        Ok(opened) => opened,
        Err(why) => return say(&Said::Unreadable(why)),
    };
    match &orders.task {
        Task::Count => say(&Said::Pages(count(&pdf, by_search, is_cut))),
        Task::Inform => {
            say(&Said::Pages(count(&pdf, by_search, is_cut)))?;
            let information = panic::catch_unwind(AssertUnwindSafe(|| information::read(&pdf))).unwrap_or_default();
            fs::write(INFORMATION, serde_json::to_vec(&of_pdf(&information))?)?;
            say(&Said::Informed)
        }
        Task::Draw(pages) => draw(&pdf, is_cut, pages, (&limits, orders.all_memory)),
    }
}

/// A file, and whether its end is missing.
struct Opened {
    opening: Opening,
    is_cut: bool,
}

fn count(pdf: &Pdf, by_search: bool, is_cut: bool) -> PageCount {
    let found = u32::try_from(pdf.pages().len()).unwrap_or(u32::MAX);
    let looked = panic::catch_unwind(AssertUnwindSafe(|| tree::look(pdf)));
    let (told, faults) = looked.unwrap_or_default();
    let missing = if is_cut { u32::MAX } else { told.saturating_sub(found) };
    let portfolio = panic::catch_unwind(AssertUnwindSafe(|| portfolio::files(pdf))).unwrap_or_default();
    PageCount { found, missing, faults, by_search, portfolio }
}

/// Whether the end of a file is missing. What was added to a file stands behind its end, and has an end of its own: without that
/// the file reads as it was before. Some leave out the last line of an end, or send something else along behind it; what was cut may
/// have been filled up with zeros. (ISO 32000-1, 7.5.5 and 7.5.6; by its annex H the end is in the last 1,024 bytes.)
fn is_cut(file: &[u8]) -> bool {
    const TAIL: usize = 1024;
    let Some(end) = memmem::rfind(file, b"%%EOF").max(memmem::rfind(file, b"startxref")) else { return true };
    let behind = &file[end..];
    let is_filled = || behind.len() > TAIL && behind[behind.len() - TAIL..].iter().all(|byte| *byte == 0);
    memmem::find(behind, b" obj").is_some() || is_filled()
}

/// Reads all of the file: pages refer to each other's parts.
fn open(path: &Path, limits: &Limits) -> io::Result<Result<Opened, PdfError>> {
    let bytes = fs::metadata(path)?.len();
    let limit = largest_file(limits.max_memory);
    if bytes > limit {
        return Ok(Err(PdfError::TooLarge { bytes, limit }));
    }
    let bytes = fs::read(path)?; // bounded: by largest_file
    let is_cut = is_cut(&bytes);
    let opened = panic::catch_unwind(AssertUnwindSafe(|| opening::open(bytes))).unwrap_or(Err(PdfError::Damaged));
    Ok(opened.map(|opening| Opened { opening, is_cut }))
}

fn draw(pdf: &Pdf, is_cut: bool, orders: &PageOrders, limits: (&Limits, u64)) -> io::Result<()> {
    let pen = draw::Pen::new(pdf, is_cut, &orders.drawing, limits);
    let watch = Watch::start(Duration::from_millis(orders.milliseconds));
    for number in orders.first..=orders.last {
        watch.begin(number);
        let files = PageFiles::of(Path::new("."), number);
        let drawn = panic::catch_unwind(AssertUnwindSafe(|| {
            let (mut pyramid, mut thumbnail) = (File::create(&files.pyramid)?, File::create(&files.thumbnail)?);
            pen.draw(number, &orders.by, &mut pyramid, &mut thumbnail)
        }));
        match drawn {
            Ok(Ok(facts)) => {
                let mut out = BufWriter::new(File::create(&files.facts)?);
                serde_json::to_writer(&mut out, &facts)?;
                out.flush()?;
                say(&Said::Drawn(number))?;
            }
            Ok(Err(Page::Elsewhere { wanted, document })) => {
                fs::write(&files.document, document)?;
                say(&Said::Elsewhere(number, wanted))?;
            }
            Ok(Err(Page::Undrawn(why))) => say(&Said::Failed(number, why))?,
            Ok(Err(Page::Io(error))) => return Err(error),
            Err(_) => say(&Said::Failed(number, Undrawn::Other("it is damaged: drawing it failed".to_owned())))?,
        }
    }
    Ok(())
}

/// Ends the process when a page takes too long. Nothing inside a page can be asked to stop.
struct Watch(Sender<u32>);

impl Watch {
    fn start(time: Duration) -> Self {
        let (pages, begun) = mpsc::channel();
        thread::spawn(move || {
            let Ok(mut page) = begun.recv() else { return };
            loop {
                match begun.recv_timeout(time) {
                    Ok(next) => page = next,
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {
                        let why = format!("drawing it takes longer than {} s", time.as_secs_f64());
                        // With or without this line, the page is the one that was not drawn.
                        let _ = say(&Said::Failed(page, Undrawn::Other(why)));
                        std::process::exit(0);
                    }
                }
            }
        });
        Self(pages)
    }

    fn begin(&self, page: u32) {
        // Without anybody who watches, the limits of the process remain.
        let _ = self.0.send(page);
    }
}

#[cfg(test)]
mod tests {
    use super::is_cut;

    const WHOLE: &[u8] = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n";
    const ADDED: &[u8] = b"2 0 obj\n<<>>\nendobj\ntrailer\n<<>>\nstartxref\n70\n%%EOF\n";

    #[test]
    fn what_was_added_to_a_file_has_an_end_of_its_own() {
        let both = [WHOLE, ADDED].concat();
        assert!(!is_cut(WHOLE) && !is_cut(&both));
        let added = both.len() - ADDED.len() + 8..both.len() - b"startxref\n70\n%%EOF\n".len();
        for length in added {
            assert!(is_cut(&both[..length]), "cut at {length}");
            let filled = [&both[..length], &[0; 2000]].concat();
            assert!(is_cut(&filled), "filled up from {length}");
        }
        assert!(is_cut(&[WHOLE, &[0; 2000]].concat()));
    }

    #[test]
    fn an_end_may_be_sloppy() {
        let tails: [&[u8]; 4] = [b"\r\n\r\n", &[0; 512], b"<!-- served in 3 ms -->", &[b' '; 2000]];
        for tail in tails {
            assert!(!is_cut(&[WHOLE, tail].concat()), "{tail:?}");
        }
        assert!(!is_cut(WHOLE.strip_suffix(b"%%EOF\n").unwrap()));
        assert!(is_cut(b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n"));
    }
}
