//! Downloads of exports: `GET /Exports/<company name>/<run number>/<token>.zip`, without a login.
//!
//! The address is the key: whoever was told it may download, until it expires. HEAD, conditions and ranges are answered, so
//! that a download that broke off can go on ([`parts`]).

mod parts;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::model::id::InstanceId;
use crate::service::Services;
use crate::service::exports::Download;
use crate::transport::budget::RETRY_AFTER;
use parts::{Answer, Validators};

/// What the route needs.
pub struct ExportState {
    services: Services,
    /// Above the files of all exports.
    root: PathBuf,
    open: OpenArchives,
    readers: Readers,
}

impl ExportState {
    pub fn new(services: Services, root: PathBuf) -> Self {
        Self { services, root, open: OpenArchives::default(), readers: Readers::default() }
    }
}

/// Threads that read archives at a time: where exports lie may be a disk behind a network, and what hangs there keeps its thread
/// for as long, however often its client comes again.
const MOST_READERS: usize = 16;

/// How long somebody waits for one of them.
const READER_COMES_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_READERS)))
    }
}

impl Readers {
    async fn read<T: Send + 'static>(&self, read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let reader = timeout(READER_COMES_WITHIN, self.0.clone().acquire_owned()).await;
        let reader = reader.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)?;
        let read = move || {
            let _reader = reader;
            read()
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }
}

/// The archives that are being downloaded, each open once for all who do: they may be many, take their time, and have no login.
#[derive(Default)]
struct OpenArchives(Mutex<HashMap<PathBuf, Weak<Archive>>>);

/// Archives that are open at a time.
const MOST_OPEN: usize = 64;

impl OpenArchives {
    /// None if too many others are open.
    fn open(&self, path: &FilePath, hash: Option<&str>) -> io::Result<Option<Arc<Archive>>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(archive) = open.get(path).and_then(Weak::upgrade) {
            return Ok(Some(archive));
        }
        open.retain(|_, archive| archive.strong_count() > 0);
        if open.len() >= MOST_OPEN {
            return Ok(None);
        }
        let archive = Arc::new(Archive::open(path, hash)?);
        open.insert(path.to_owned(), Arc::downgrade(&archive));
        Ok(Some(archive))
    }
}

pub fn router(state: Arc<ExportState>) -> Router {
    Router::new().route("/Exports/{company}/{run}/{file}", get(download)).with_state(state)
}

const TYPE: &str = "application/zip";

/// Bytes that are read at a time, and held for a download. Nobody logs in for one.
const PIECE: u64 = 16 << 10;

async fn download(
    State(state): State<Arc<ExportState>>,
    Path((_company, run, file)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let (Ok(run), Some(token)) = (run.parse(), file.strip_suffix(".zip")) else { return unknown() };
    let run = InstanceId(run);
    match state.services.download(run, token).await {
        Ok(Download::Ready(export)) => {
            let path = state.root.join(run.to_string()).join(format!("{}.zip", export.token));
            let readers = state.readers.clone();
            let open = move || state.open.open(&path, export.sha256.as_deref());
            match readers.read(open).await {
                Ok(Some(archive)) => described(answer(&archive, &readers, request.method(), request.headers()), run),
                Ok(None) => busy(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => unknown(),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    tracing::warn!(%run, "an export cannot be read: the disk of exports does not answer");
                    plain(StatusCode::SERVICE_UNAVAILABLE, "Exports cannot be read just now. Try again later.\n")
                }
                Err(error) => {
                    tracing::error!(%run, %error, "the archive of an export cannot be read");
                    plain(StatusCode::INTERNAL_SERVER_ERROR, "The export cannot be read.\n")
                }
            }
        }
        Ok(Download::Expired) => plain(StatusCode::GONE, "This export has expired. Export the assets again.\n"),
        Ok(Download::Unknown) => unknown(),
        Err(error) => {
            tracing::error!(%error, "an export could not be looked up");
            plain(StatusCode::SERVICE_UNAVAILABLE, "The export cannot be looked up just now. Try again later.\n")
        }
    }
}

/// An archive that is handed out. It does not change any more.
struct Archive {
    file: File,
    bytes: u64,
    validators: Validators,
}

/// Something of a body.
enum Piece {
    Text(String),
    /// Bytes of the archive.
    File(Range<u64>),
}

impl Archive {
    fn open(path: &FilePath, hash: Option<&str>) -> io::Result<Self> {
        let file = File::open(path)?;
        let facts = file.metadata()?;
        let validators = Validators::new(hash, facts.len(), facts.modified()?);
        Ok(Self { bytes: facts.len(), file, validators })
    }
}

fn answer(archive: &Arc<Archive>, readers: &Readers, method: &Method, headers: &HeaderMap) -> Response {
    let bytes = archive.bytes;
    let answer = archive.validators.answer(method, headers, bytes);
    let all = |range: &Range<u64>| format!("bytes {}-{}/{bytes}", range.start, range.end - 1);
    let (status, mut more, pieces) = match &answer {
        Answer::NotModified => (StatusCode::NOT_MODIFIED, vec![], vec![]),
        Answer::Failed => (StatusCode::PRECONDITION_FAILED, vec![], vec![]),
        Answer::Unsatisfiable => {
            let range = (header::CONTENT_RANGE, format!("bytes */{bytes}"));
            (StatusCode::RANGE_NOT_SATISFIABLE, vec![range], vec![])
        }
        Answer::Whole => {
            let kind = (header::CONTENT_TYPE, TYPE.to_owned());
            (StatusCode::OK, vec![kind], vec![Piece::File(0..bytes)])
        }
        Answer::Parts(ranges) => match &ranges[..] {
            [range] => {
                let described = vec![(header::CONTENT_TYPE, TYPE.to_owned()), (header::CONTENT_RANGE, all(range))];
                (StatusCode::PARTIAL_CONTENT, described, vec![Piece::File(range.clone())])
            }
            ranges => {
                let boundary = archive.validators.boundary();
                let kind = (header::CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}"));
                let mut pieces = Vec::new();
                for range in ranges {
                    let range_of = all(range);
                    pieces.push(Piece::Text(format!(
                        "\r\n--{boundary}\r\nContent-Type: {TYPE}\r\nContent-Range: {range_of}\r\n\r\n"
                    )));
                    pieces.push(Piece::File(range.clone()));
                }
                pieces.push(Piece::Text(format!("\r\n--{boundary}--\r\n")));
                (StatusCode::PARTIAL_CONTENT, vec![kind], pieces)
            }
        },
    };
    if !matches!(answer, Answer::NotModified) {
        let length = pieces.iter().map(Piece::len).sum::<u64>();
        more.push((header::CONTENT_LENGTH, length.to_string()));
    }
    more.push((header::ACCEPT_RANGES, "bytes".to_owned()));
    more.push((header::ETAG, archive.validators.tag.clone()));
    more.push((header::LAST_MODIFIED, archive.validators.date()));
    let body =
        if method == Method::HEAD { Body::empty() } else { body(archive.clone(), readers.clone(), pieces.into()) };
    let mut response = (status, body).into_response();
    for (name, value) in more {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::File(range) => range.end - range.start,
        }
    }
}

/// Reads as it is taken.
fn body(archive: Arc<Archive>, readers: Readers, pieces: VecDeque<Piece>) -> Body {
    Body::from_stream(stream::try_unfold(pieces, move |mut pieces| {
        let (archive, readers) = (archive.clone(), readers.clone());
        async move {
            match pieces.pop_front() {
                None => Ok::<_, io::Error>(None),
                Some(Piece::Text(text)) => Ok(Some((Bytes::from(text), pieces))),
                Some(Piece::File(range)) => {
                    let end = range.end.min(range.start + PIECE);
                    let start = range.start;
                    let read = move || {
                        let mut piece = vec![0; (end - start) as usize];
                        archive.file.read_exact_at(&mut piece, start).map(|()| piece)
                    };
                    let piece = readers.read(read).await?;
                    if end < range.end {
                        pieces.push_front(Piece::File(end..range.end));
                    }
                    Ok(Some((Bytes::from(piece), pieces)))
                }
            }
        }
    }))
}

fn described(mut response: Response, run: InstanceId) -> Response {
    let headers = response.headers_mut();
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"export-{run}.zip\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}

fn busy() -> Response {
    let text =
        format!("{MOST_OPEN} other exports are being downloaded just now. Try again in {RETRY_AFTER} seconds.\n");
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))], text).into_response()
}

fn unknown() -> Response {
    plain(StatusCode::NOT_FOUND, "There is no such export.\n")
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain;charset=UTF-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_open_once_and_few_are_at_a_time() {
        let (folder, archives) = (tempfile::tempdir().unwrap(), OpenArchives::default());
        let open = |n: usize| {
            let path = folder.path().join(n.to_string());
            std::fs::write(&path, "archive").unwrap();
            archives.open(&path, None).unwrap()
        };
        let mut kept: Vec<_> = (0..MOST_OPEN).map(|n| open(n).unwrap()).collect();
        assert!(Arc::ptr_eq(&open(3).unwrap(), &kept[3]), "however many download it");
        assert!(open(MOST_OPEN).is_none());
        kept.pop();
        assert!(open(MOST_OPEN).is_some());
    }
}
