//! The side of the child: opens the file, draws pages, and says a line about each.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use hayro::hayro_syntax::object::Dict;
use hayro::hayro_syntax::object::dict::keys;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use super::super::limits::Limits;
use super::super::metadata::of_pdf;
use super::draw::{self, Page};
use super::{INFORMATION, Orders, PageCount, PageFiles, PageOrders, PdfError, Said, Task, information};

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
    let pdf = match open(&orders.path, &limits)? {
        Ok(pdf) => pdf,
        Err(why) => return say(&Said::Unreadable(why)),
    };
    match &orders.task {
        Task::Count => say(&Said::Pages(count(&pdf))),
        Task::Inform => {
            say(&Said::Pages(count(&pdf)))?;
            let information = panic::catch_unwind(AssertUnwindSafe(|| information::read(&pdf))).unwrap_or_default();
            fs::write(INFORMATION, serde_json::to_vec(&of_pdf(&information))?)?;
            say(&Said::Informed)
        }
        Task::Draw(pages) => draw(&pdf, pages, &limits),
    }
}

fn count(pdf: &Pdf) -> PageCount {
    let found = u32::try_from(pdf.pages().len()).unwrap_or(u32::MAX);
    // What cannot be read of the tree of pages is passed over in silence; its root says how many there should be.
    let told = panic::catch_unwind(AssertUnwindSafe(|| {
        let catalogue = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
        catalogue.get::<Dict<'_>>(keys::PAGES)?.get::<i32>(keys::COUNT)
    }));
    let told = told.ok().flatten().and_then(|count| u32::try_from(count).ok());
    PageCount { found, missing: told.map_or(0, |told| told.saturating_sub(found)) }
}

/// Reads all of the file: pages refer to each other's parts.
fn open(path: &Path, limits: &Limits) -> io::Result<Result<Pdf, PdfError>> {
    let bytes = fs::metadata(path)?.len();
    let limit = limits.max_memory / 2;
    if bytes > limit {
        return Ok(Err(PdfError::TooLarge { bytes, limit }));
    }
    let bytes = fs::read(path)?; // bounded: by half of max_memory
    let opened = panic::catch_unwind(AssertUnwindSafe(|| Pdf::new(bytes)));
    Ok(opened.unwrap_or(Err(LoadPdfError::Invalid)).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => PdfError::Encrypted,
        LoadPdfError::Decryption(_) => PdfError::UnknownEncryption,
        LoadPdfError::Invalid => PdfError::Damaged,
    }))
}

fn draw(pdf: &Pdf, orders: &PageOrders, limits: &Limits) -> io::Result<()> {
    let pen = draw::Pen::new(pdf, &orders.drawing, limits);
    let watch = Watch::start(Duration::from_millis(orders.milliseconds));
    for number in orders.first..=orders.last {
        watch.begin(number);
        let files = PageFiles::of(Path::new("."), number);
        let drawn = panic::catch_unwind(AssertUnwindSafe(|| {
            let (mut pyramid, mut thumbnail) = (File::create(&files.pyramid)?, File::create(&files.thumbnail)?);
            pen.draw(number, &mut pyramid, &mut thumbnail)
        }));
        match drawn {
            Ok(Ok(facts)) => {
                let mut out = BufWriter::new(File::create(&files.facts)?);
                serde_json::to_writer(&mut out, &facts)?;
                out.flush()?;
                say(&Said::Drawn(number))?;
            }
            Ok(Err(Page::Unusable(why))) => say(&Said::Failed(number, why))?,
            Ok(Err(Page::Io(error))) => return Err(error),
            Err(_) => say(&Said::Failed(number, "it is damaged: drawing it failed".to_owned()))?,
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
                        let _ = say(&Said::Failed(page, why));
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
