//! `POST /scene7/UploadFile`: files in multipart/form-data.
//!
//! ```text
//! part `auth`          XML, root authHeader (or HTTP Basic instead)
//! part `uploadParams`  XML, root uploadPostParam
//! every other part     a file, written to the disk as it comes
//! ```
//!
//! The two XML parts come first, so that nothing of a caller who may not is stored. The reply is an XML document without
//! envelope: `uploadPostReturn`, or one of the three faults. How much is read before the login is accepted, and how long
//! anybody is waited for, is said in [`incoming`].

mod incoming;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::FutureExt;
use serde_json::Value;

use self::incoming::{Cut, Incoming};
use super::budget::{Budgets, Charge, RETRY_AFTER};
use super::connections::Visit;
use super::multipart::{self, Event, Head, Malformed, MediaType, Parser};
use super::proxies;
use super::soap::operations::{self, fault};
use super::soap::{self, AuthHeader, Element, Fault, FaultCode, Framing};
use crate::contract::{Contract, Operation, Version};
use crate::model::locale::Locale;
use crate::service::uploads::{self, Opened, UploadPostParam, Uploads};
use crate::service::{Caller, Credentials};

pub const UPLOAD_PATH: &str = "/scene7/UploadFile";

/// Largest part `auth`. Assertions of other servers that clients put into it (`samlResponse`) have some ten KiB.
const MOST_AUTH: usize = 128 << 10;

/// What the elements of `auth` may grow to. It has ten of them.
const AUTH_LIMITS: soap::Limits = soap::Limits {
    depth: 16,
    elements: 500,
    attributes: 32,
    all_attributes: 1000,
    bindings: 64,
    text: MOST_AUTH,
    namespace: 1000,
};

/// Largest part `uploadParams`.
const MOST_PARAMS: usize = 1 << 20;

// What is held of a part's head is room that the length of a post has for it.
const _: () = assert!(multipart::Limits::DEFAULT.head as u64 <= uploads::HEAD_BYTES);

/// What the route needs.
pub struct UploadState {
    pub uploads: Uploads,
    /// In which a login must have come, and then each further stretch of the post.
    pub patience: Duration,
    /// Where what is held of a post is charged.
    pub budgets: Budgets,
}

pub fn router(state: Arc<UploadState>) -> Router {
    Router::new().route(UPLOAD_PATH, post(receive).fallback(wrong_method)).with_state(state)
}

async fn wrong_method(method: Method) -> Response {
    let method: String = method.as_str().chars().take(20).collect();
    let text = format!("{method} is not how this address is used: POST files to it as multipart/form-data\n");
    let allow = [(header::ALLOW, "POST"), (header::CONTENT_TYPE, "text/plain;charset=UTF-8")];
    (StatusCode::METHOD_NOT_ALLOWED, allow, text).into_response()
}

/// How the reply is wanted, as far as the post has said so yet.
#[derive(Default)]
struct Style {
    fault_status: Option<u16>,
    /// The connection ends with the reply.
    closes: bool,
}

async fn receive(State(state): State<Arc<UploadState>>, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut style = Style::default();
    let taken = AssertUnwindSafe(take(&state, &parts, body, &mut style)).catch_unwind().await;
    let outcome = taken.unwrap_or_else(|_panic| {
        tracing::error!("an upload made its handler panic");
        Err(Fault::exception("Internal error: the server's log has more"))
    });
    let (status, text) = match outcome {
        Ok(element) => (StatusCode::OK, element),
        Err(fault) => {
            tracing::debug!(%fault, "an upload was refused");
            let asked = style.fault_status.and_then(|status| StatusCode::from_u16(status).ok());
            let busy = fault.is_busy.then_some(StatusCode::SERVICE_UNAVAILABLE);
            (busy.or(asked).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), fault.to_body(Framing::Plain))
        }
    };
    let xml = HeaderValue::from_static("text/xml;charset=UTF-8");
    let mut response = (status, [(header::CONTENT_TYPE, xml)], soap::wrap(Framing::Plain, &text)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    }
    if style.closes {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The boundary of the parts, or what can be refused by the head alone, before a client is told to send.
fn check_head(state: &UploadState, parts: &Parts) -> Result<String, (Option<StatusCode>, Fault)> {
    let unknown = |problem: String| (Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), Fault::request_xml(problem));
    if !soap::Codings::of(&parts.headers).map_err(unknown)?.is_empty() {
        return Err(unknown("A post of files is not taken compressed: send it without Content-Encoding".to_owned()));
    }
    let most = state.uploads.most_sent();
    if soap::announced(&parts.headers).is_some_and(|length| length > most) {
        let rule = format!("The post is larger than the limit of {most} bytes for all its files and parts");
        return Err((Some(StatusCode::PAYLOAD_TOO_LARGE), Fault::request_xml(rule)));
    }
    let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| MediaType::read(value.as_bytes()));
    let rule = "The request must be multipart/form-data with a boundary";
    match media_type {
        Some(Ok(media_type)) if media_type.subtype == "form-data" => Ok(media_type.boundary),
        Some(Ok(_)) | None => Err((None, Fault::request_xml(rule))),
        Some(Err(problem)) => Err((None, Fault::request_xml(format!("{rule}; of its Content-Type, {problem}")))),
    }
}

async fn take(state: &UploadState, parts: &Parts, body: Body, style: &mut Style) -> Result<String, Fault> {
    let charge = state.budgets.charge(parts);
    let given_up = charge.given_up();
    let taken = tokio::select! {
        biased;
        taken = read_and_close(state, parts, body, charge, style) => taken,
        busy = given_up => Err(busy.into()),
    };
    if taken.as_ref().is_err_and(|fault| fault.is_busy) {
        // What comes of the rest is not waited for.
        style.closes |= soap::closes_unread(parts);
    }
    taken
}

async fn read_and_close(
    state: &UploadState,
    parts: &Parts,
    body: Body,
    mut charge: Charge,
    style: &mut Style,
) -> Result<String, Fault> {
    charge.come(parts).await?;
    let mut incoming = Incoming::new(body, state.patience, state.uploads.most_sent());
    let boundary = match check_head(state, parts) {
        Ok(boundary) => boundary,
        Err((status, fault)) => {
            style.fault_status = status.map(|status| status.as_u16());
            let is_read = !soap::awaits_continue(&parts.headers) && incoming.drain().await;
            style.closes = !is_read && soap::closes_unread(parts);
            return Err(fault);
        }
    };
    let parser = Parser::new(&boundary, multipart::Limits::DEFAULT);
    let mut form = Form { incoming, parser, charge: Some(charge), charged: 0, is_over: false, is_too_long: false };
    let read = read_form(state, parts, &mut form, style).await;
    if form.is_too_long {
        style.fault_status.get_or_insert(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
    }
    if read.as_ref().is_err_and(|fault| !fault.is_busy) {
        style.closes = !form.drain().await && soap::closes_unread(parts);
    }
    let (opened, version) = read?;
    let answer = state.uploads.close(opened).await.map_err(fault)?;
    let value = serde_json::to_value(answer).map_err(|error| Fault::exception(error.to_string()))?;
    soap::write_answer(&value, upload_post()?, version)
}

/// A post, part by part.
struct Form {
    incoming: Incoming,
    parser: Parser,
    /// None once the files come, of which no more is held than a piece.
    charge: Option<Charge>,
    /// Of the charge, what the parser holds.
    charged: u64,
    /// The body has ended, and the parser knows.
    is_over: bool,
    /// More came than all files and parts may have.
    is_too_long: bool,
}

impl Form {
    /// `None` at the end of the post.
    async fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        loop {
            match self.parser.next_event().map_err(malformed)? {
                Some(event) => return Ok(Some(event)),
                None if self.is_over => return Ok(None),
                None => {}
            }
            self.charge_for(0).await?;
            let taken = self.incoming.take().await;
            self.is_too_long |= matches!(taken, Err(Cut::Long(_)));
            match taken.map_err(cut)? {
                Some(bytes) => {
                    self.charge_for(bytes.len()).await?;
                    self.parser.feed(&bytes);
                }
                None => {
                    self.parser.end();
                    self.is_over = true;
                }
            }
        }
    }

    /// What its login takes has come: its client keeps nobody waiting until that is looked at.
    fn waits_for_login(&self) {
        self.charge.iter().for_each(Charge::has_come);
    }

    /// The parser holds what it has not given out, and is about to be fed so many bytes more.
    async fn charge_for(&mut self, more: usize) -> Result<(), Fault> {
        let Some(charge) = &mut self.charge else { return Ok(()) };
        let held = (self.parser.held() + more) as u64;
        match held.checked_sub(self.charged) {
            Some(more) => charge.grow(more).await?,
            None => charge.shrink(self.charged - held),
        }
        self.charged = held;
        Ok(())
    }

    async fn grow(&mut self, bytes: u64) -> Result<(), Fault> {
        let Some(charge) = &mut self.charge else { return Ok(()) };
        Ok(charge.grow(bytes).await?)
    }

    /// Somebody answers for all of it.
    async fn accept(&mut self) -> Result<(), Fault> {
        self.incoming.accept();
        let Some(charge) = &mut self.charge else { return Ok(()) };
        Ok(charge.accept().await?)
    }

    /// Of the rest nothing is held. True if all of it has come.
    async fn drain(self) -> bool {
        let Self { mut incoming, charge: _charge, .. } = self;
        incoming.drain().await
    }

    async fn next_part(&mut self) -> Result<Option<Head>, Fault> {
        loop {
            match self.next_event().await? {
                Some(Event::Begin(head)) => return Ok(Some(head)),
                Some(Event::Data(_) | Event::End) => {}
                None => return Ok(None),
            }
        }
    }

    /// More of the part that has begun; `None` at its end.
    async fn content(&mut self) -> Result<Option<bytes::Bytes>, Fault> {
        match self.next_event().await? {
            Some(Event::Data(bytes)) => Ok(Some(bytes)),
            Some(Event::Begin(_) | Event::End) | None => Ok(None),
        }
    }
}

/// Reads all parts. Files are on the disk when it returns, but belong to nothing yet.
async fn read_form(
    state: &UploadState,
    parts: &Parts,
    form: &mut Form,
    style: &mut Style,
) -> Result<(Opened, Version), Fault> {
    let mut caller: Option<Caller> = None;
    let mut opened: Option<(Opened, Version)> = None;
    while let Some(head) = form.next_part().await? {
        match head.name.as_deref() {
            Some("auth") if caller.is_some() => {
                return Err(Fault::invalid("auth", "must be the first part, and there once"));
            }
            Some("auth") => {
                let auth = xml(form, &head, "auth", MOST_AUTH, &AUTH_LIMITS).await?;
                let auth = AuthHeader::read(&[auth]);
                style.fault_status = auth.fault_status;
                if let Some(problem) = auth.problem {
                    return Err(problem);
                }
                form.waits_for_login();
                caller = Some(log_in(state, parts, auth).await?);
                form.accept().await?;
            }
            Some("uploadParams" | "uploadPostParams" | "uploadPostParam") => {
                if opened.is_some() {
                    return Err(Fault::invalid("uploadParams", "must be there once"));
                }
                let caller = match &caller {
                    Some(caller) => caller,
                    None => {
                        form.waits_for_login();
                        let found = log_in(state, parts, AuthHeader::default()).await?;
                        form.accept().await?;
                        &*caller.insert(found)
                    }
                };
                let limits = soap::Limits::default();
                let element = xml(form, &head, "uploadParams", MOST_PARAMS, &limits).await?;
                opened = Some(open(state, parts, caller, &element).await?);
                form.charge = None;
            }
            // What browsers say of their text fields (HTML, 4.10.21.5), of which the other parts have none.
            Some("_charset_") if head.file_name.is_none() => {}
            _ => match &mut opened {
                Some((opened, _)) => take_file(state, opened, form, &head, style).await?,
                None => {
                    let rule = "The parts auth and uploadParams must come before the files";
                    return Err(Fault::new(FaultCode::MissingParameter, rule));
                }
            },
        }
    }
    opened.ok_or_else(|| Fault::missing("the part uploadParams"))
}

async fn log_in(state: &UploadState, parts: &Parts, auth: AuthHeader) -> Result<Caller, Fault> {
    let credentials = auth.credentials.or_else(|| soap::basic(&parts.headers));
    let locale = auth.locale.or_else(|| soap::accepted_language(&parts.headers));
    let (user, password) = credentials.map(|given| (given.user, given.password)).unzip();
    let credentials = Credentials {
        user,
        password,
        locale: locale.and_then(|text| Locale::parse(&text).ok()),
        app_name: auth.app_name,
        peer: Some(peer(parts)),
        // Nothing that a post makes has an address.
        address: None,
    };
    let verified = tokio::time::timeout(state.patience, state.uploads.authenticate(credentials)).await;
    let caller = verified.map_err(|_elapsed| too_slow(state.patience))?.map_err(fault)?;
    if let Some(visit) = parts.extensions.get::<Visit>() {
        visit.let_in(&caller)?;
    }
    Ok(caller)
}

fn too_slow(patience: Duration) -> Fault {
    let reason = format!("The login could not be verified within {} seconds", patience.as_secs());
    Fault { is_busy: true, ..Fault::exception(reason) }
}

fn upload_post() -> Result<&'static Operation, Fault> {
    Contract::get().operation("uploadPost").ok_or_else(|| Fault::exception("the contract has no uploadPost"))
}

async fn open(
    state: &UploadState,
    parts: &Parts,
    caller: &Caller,
    element: &Element,
) -> Result<(Opened, Version), Fault> {
    let version = Version::from_namespace(element.namespace()).ok_or_else(|| {
        Fault::request_xml(format!("uploadParams: the namespace \"{}\" is not one of the API", element.namespace()))
    })?;
    let value: Value = soap::decode(element, &upload_post()?.param, version)?;
    let param: UploadPostParam = operations::read(value).map_err(fault)?;
    let opened = state.uploads.open(caller, peer(parts), param).await.map_err(fault)?;
    Ok((opened, version))
}

fn peer(parts: &Parts) -> IpAddr {
    proxies::peer(&parts.extensions).unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

async fn take_file(
    state: &UploadState,
    opened: &mut Opened,
    form: &mut Form,
    head: &Head,
    style: &mut Style,
) -> Result<(), Fault> {
    let is_mixed = |found: &str| found.trim_start().to_ascii_lowercase().starts_with("multipart/mixed");
    if head.file_name.is_none() && head.content_type.as_deref().is_some_and(is_mixed) {
        let rule = "must be a file, and not several in one part; each has a part of its own (RFC 7578, 4.3)";
        return Err(Fault::invalid(&format!("the part \"{}\"", head.name.as_deref().unwrap_or_default()), rule));
    }
    let mut content = form.content().await?;
    // A field for a file that nobody has chosen one for.
    if head.file_name.as_deref() == Some("") && content.is_none() {
        return Ok(());
    }
    let mut receiving = state.uploads.begin_file(opened, head.file_name.as_deref()).await.map_err(fault)?;
    while let Some(bytes) = content {
        let written = receiving.write(&bytes).await;
        if receiving.is_too_large() {
            style.fault_status.get_or_insert(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
        }
        written.map_err(fault)?;
        content = form.content().await?;
    }
    state.uploads.end_file(opened, receiving).await.map_err(fault)
}

/// A part that is an XML document.
async fn xml(form: &mut Form, head: &Head, name: &str, most: usize, limits: &soap::Limits) -> Result<Element, Fault> {
    let mut bytes = Vec::new();
    while let Some(more) = form.content().await? {
        if bytes.len() + more.len() > most {
            return Err(Fault::request_xml(format!("{name} is larger than {most} bytes")));
        }
        form.grow(more.len() as u64).await?;
        bytes.extend_from_slice(&more);
    }
    let unreadable = |problem: String| Fault::request_xml(format!("{name} cannot be read: {problem}"));
    let charset = soap::media_parameter(head.content_type.as_deref(), "charset");
    // Line breaks before the document are of the form, not of the document.
    let document = bytes.trim_ascii_start();
    form.grow(soap::decoded_room(document, charset.as_deref()) as u64).await?;
    let text = soap::decode_text(document, charset.as_deref()).map_err(unreadable)?;
    form.grow(soap::weight(&text, limits.elements)).await?;
    soap::parse(text.trim_start(), limits).map_err(unreadable)
}

fn malformed(problem: Malformed) -> Fault {
    Fault::request_xml(format!("The post cannot be read: {problem}"))
}

fn cut(why: Cut) -> Fault {
    let reason = format!("The post cannot be read: {why}");
    match why {
        Cut::SlowLogin(_) | Cut::Slow(_) => Fault::exception(reason),
        Cut::BrokeOff(_) | Cut::NoLogin | Cut::Long(_) => Fault::request_xml(reason),
    }
}
