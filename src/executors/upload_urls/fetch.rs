//! Fetching a file over HTTP from a server that is not trusted, to a file of our own.
//!
//! * Every hop of a redirect is looked at anew: its scheme, its port, and the addresses its host has ([`outward`]).
//! * The size is bounded by what the server announces and by what comes; the time by a limit on the whole and a limit on
//!   silence.
//! * What may pass is tried again after a while. If the server can prove that it is still the same file, the fetch goes on
//!   where it broke off.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{self, HeaderMap};
use reqwest::{Response, StatusCode};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use url::Url;

use crate::assets::blobs::{BlobError, Draft};
use crate::clock::SharedClock;
use crate::executors::{Failure, Settings, reason};
use crate::model::log::Message;
use crate::outward::{self, Guard, Refusal, chain};

/// Why a try failed.
#[derive(Debug)]
pub enum Trouble {
    /// It will not pass.
    Lasting(Message),
    /// It may pass. The server may have said when to come back.
    Passing { why: Message, not_before: Option<Duration> },
    /// It is not the server's fault.
    Ours(Failure),
}

impl Trouble {
    const fn passing(why: Message) -> Self {
        Self::Passing { why, not_before: None }
    }

    fn writing(error: std::io::Error) -> Self {
        Self::Ours(Failure::of_io(&error, &error))
    }
}

/// A file that has partly arrived.
pub struct Download {
    pub draft: Draft,
    bytes: u64,
    /// What the server knows this version of the file by, if it does.
    validator: Option<String>,
    pub media_type: Option<String>,
}

impl Download {
    pub const fn new(draft: Draft) -> Self {
        Self { draft, bytes: 0, validator: None, media_type: None }
    }
}

pub struct Fetcher {
    client: reqwest::Client,
    guard: Guard,
    settings: Arc<Settings>,
    clock: SharedClock,
}

impl Fetcher {
    pub fn new(settings: Arc<Settings>, clock: SharedClock) -> Result<Self, Failure> {
        let guard = Guard { reachable: settings.reachable, ports: settings.fetch.allowed_ports.clone() };
        let client = guard
            .client()
            .connect_timeout(settings.fetch.connect_timeout.duration())
            .read_timeout(settings.fetch.read_timeout.duration())
            .build();
        let client = client.map_err(|error| Failure::Fatal(reason::other(chain(&error))))?;
        Ok(Self { client, guard, settings, clock })
    }

    /// Tries once, beginning behind what has arrived before if the server lets us.
    pub async fn fetch(&self, url: &Url, download: &mut Download) -> Result<(), Trouble> {
        let mut url = url.clone();
        for _ in 0..=self.settings.fetch.max_redirects {
            self.guard.check(&url).map_err(|refusal| Trouble::Lasting(refused(&refusal)))?;
            let response = self.ask(&url, download).await?;
            match next_hop(&url, &response)? {
                Some(next) => url = next,
                None => return self.receive(response, download).await,
            }
        }
        let limit = self.settings.fetch.max_redirects;
        Err(Trouble::Lasting(Message::new("reason-too-many-redirects").with("limit", limit)))
    }

    async fn ask(&self, url: &Url, download: &Download) -> Result<Response, Trouble> {
        // What is stored is what was sent, so it must not come in a wrapping.
        let mut request = self.client.get(url.clone()).header(header::ACCEPT_ENCODING, "identity");
        if let (1.., Some(validator)) = (download.bytes, &download.validator) {
            request =
                request.header(header::RANGE, format!("bytes={}-", download.bytes)).header(header::IF_RANGE, validator);
        }
        request.send().await.map_err(|error| self.network(error))
    }

    async fn receive(&self, mut response: Response, download: &mut Download) -> Result<(), Trouble> {
        let start = self.start_of(&response, download)?;
        let announced = response.content_length().map_or(0, |length| start.saturating_add(length));
        self.check_size(announced)?;
        download.bytes = start;
        download.validator = validator(response.headers());
        download.media_type = text(response.headers(), header::CONTENT_TYPE);
        let file = download.draft.file().try_clone().map_err(Trouble::writing)?;
        let mut file = tokio::fs::File::from_std(file);
        file.set_len(start).await.map_err(Trouble::writing)?;
        file.seek(std::io::SeekFrom::Start(start)).await.map_err(Trouble::writing)?;
        let received = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    self.check_size(download.bytes + chunk.len() as u64)?;
                    file.write_all(&chunk).await.map_err(Trouble::writing)?;
                    download.bytes += chunk.len() as u64;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(self.network(error)),
            }
        };
        file.flush().await.map_err(Trouble::writing)?;
        received
    }

    /// At which byte of the file the answer begins.
    fn start_of(&self, response: &Response, download: &mut Download) -> Result<u64, Trouble> {
        match response.status() {
            StatusCode::OK => Ok(0),
            StatusCode::PARTIAL_CONTENT if content_start(response.headers()) == Some(download.bytes) => {
                Ok(download.bytes)
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                (download.bytes, download.validator) = (0, None);
                Err(Trouble::passing(reason::other("the server sent another part of the file than was asked for")))
            }
            status => Err(self.bad_status(status, response.headers())),
        }
    }

    fn bad_status(&self, status: StatusCode, headers: &HeaderMap) -> Trouble {
        let why = reason::http_status(status.as_u16());
        match status {
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Trouble::Passing { why, not_before: retry_after(headers, self.clock.now()) }
            }
            // That it does not do this at all will not change.
            StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => Trouble::Lasting(why),
            status if status.is_server_error() => {
                Trouble::Passing { why, not_before: retry_after(headers, self.clock.now()) }
            }
            _ => Trouble::Lasting(why),
        }
    }

    fn check_size(&self, bytes: u64) -> Result<(), Trouble> {
        let limit = self.settings.fetch.max_bytes.get();
        if bytes > limit { Err(Trouble::Lasting(reason::too_large(bytes, limit))) } else { Ok(()) }
    }

    fn network(&self, error: reqwest::Error) -> Trouble {
        if let Some(refusal) = outward::refusal(&error) {
            return Trouble::Lasting(refused(refusal));
        }
        // The address may hold a password.
        let error = error.without_url();
        if error.is_builder() {
            return Trouble::Lasting(reason::other(chain(&error)));
        }
        if error.is_timeout() {
            let settings = &self.settings.fetch;
            let limit = if error.is_connect() { settings.connect_timeout } else { settings.read_timeout };
            let limit = u64::try_from(limit.duration().as_millis()).unwrap_or(u64::MAX);
            return Trouble::passing(Message::new("reason-silence").with("milliseconds", limit));
        }
        Trouble::passing(Message::new("reason-connection").with("detail", chain(&error)))
    }
}

impl From<BlobError> for Trouble {
    fn from(error: BlobError) -> Self {
        Self::Ours(error.into())
    }
}

fn next_hop(url: &Url, response: &Response) -> Result<Option<Url>, Trouble> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refuse = |why: &str| Trouble::Lasting(reason::other(why));
    let location = text(response.headers(), header::LOCATION);
    let location = location.ok_or_else(|| refuse("it was redirected, but not to where"))?;
    let mut next = url.join(&location).map_err(|_| refuse("it was redirected to something that is not an address"))?;
    if next.host() != url.host() {
        // Nobody but the server they were meant for gets them, whatever it asks for.
        let _ = next.set_username("");
        let _ = next.set_password(None);
    }
    Ok(Some(next))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// What proves that a file is byte for byte the same: a strong tag, or else a date of change.
fn validator(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, header::ETAG).filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| text(headers, header::LAST_MODIFIED))
}

/// `bytes 200-999/1000` begins at 200.
fn content_start(headers: &HeaderMap) -> Option<u64> {
    let range = text(headers, header::CONTENT_RANGE)?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// How long the server wants to be left alone: so many seconds, or until a date. A date is counted from the one that the
/// answer carries, so that the clocks of both sides need not agree; without that one, from `now`.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = text(headers, header::RETRY_AFTER)?;
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value.trim()).ok()?;
    let sent = text(headers, header::DATE).and_then(|date| httpdate::parse_http_date(date.trim()).ok());
    Some(at.duration_since(sent.unwrap_or_else(|| now.into())).unwrap_or_default())
}

/// Why the guard let a request not through.
fn refused(refusal: &Refusal) -> Message {
    match refusal {
        Refusal::Address { host, address } => {
            Message::new("reason-private-address").with("host", host.clone()).with("address", address.to_string())
        }
        Refusal::Scheme(_) | Refusal::NoHost(_) | Refusal::Port(_) => reason::other(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_to_come_back() {
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let wait = |retry_after: &'static str, date: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
            date.map(|date| headers.insert(header::DATE, date.parse().unwrap()));
            super::retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("7", None), Some(7));
        assert_eq!(wait("Tue, 24 Nov 2026 10:01:30 GMT", None), Some(90));
        // The server's clock is an hour late; only the difference counts.
        assert_eq!(wait("Tue, 24 Nov 2026 09:00:20 GMT", Some("Tue, 24 Nov 2026 09:00:00 GMT")), Some(20));
        for old_form in ["Tuesday, 24-Nov-26 10:00:05 GMT", "Tue Nov 24 10:00:05 2026"] {
            assert_eq!(wait(old_form, None), Some(5), "{old_form}");
        }
        assert_eq!(wait("Tue, 24 Nov 2026 09:59:00 GMT", None), Some(0), "it is over");
        for nonsense in ["soon", "-7", "7.5", ""] {
            assert_eq!(wait(nonsense, None), None, "{nonsense}");
        }
    }
}
