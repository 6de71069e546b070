//! The HTTP side: two addresses that take requests, and the WSDL paths.

use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{FromRef, Path, RawQuery, State},
    http::{self, HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use crate::contract::{Contract, Operation, Version};
use crate::transport::budget::{Budgets, Charge, RETRY_AFTER};
use crate::transport::connections::{Crowded, Visit};
use crate::transport::proxies;

use super::{
    Admission, Answer, Dispatch, Request, Settings,
    address::{self, Origin},
    credentials::{self, AuthHeader},
    decode::decode,
    encode::encode,
    envelope::{self, Endpoint, SOAP_12},
    fault::{Fault, Framing},
    gzip, related,
    reply::{self, Listed, Reply},
    text::{self, parameter},
    unpack::{self, Codings, Unusable},
    wsdl,
    xml::{self, Element},
};

pub const SOAP_PATH: &str = "/scene7/services/IpsApiService";
pub const PLAIN_PATH: &str = "/scene7/api/IpsApiService";

const XML: &str = "text/xml;charset=UTF-8";
const SOAP_12_XML: &str = "application/soap+xml;charset=UTF-8";

/// A body beyond the limit is read on, and thrown away, up to this many times the limit: a client that is cut off while
/// it still writes never reads why.
const DRAIN_FACTOR: usize = 16;

/// What an element of a request takes once it is read, for each of its two tags: its 96 bytes, as much again for what a list
/// that grows keeps free, its name, and its value.
const TAG: u64 = 256;

/// The longest address of a service that a WSDL is made for. It may grow sixfold when it is escaped.
const LONGEST_SERVICE_URL: usize = 300;

/// Documents up to here are parsed where they were read; it takes some milliseconds. Larger ones would keep all that shares that
/// thread waiting, and take turns.
const PARSED_AT_ONCE: usize = 128 << 10;
static PARSING: Semaphore = Semaphore::const_new(4);

/// Requests that are unpacked at the same time. Each may grow to the limit, whatever little its sender spent on it.
static UNPACKING: Semaphore = Semaphore::const_new(8);

/// Goes with a response, for whoever counts calls: the operation that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationName(pub &'static str);

/// What the routes share. It may be exchanged while they serve: a request goes on by what it began with.
pub struct SoapState {
    pub dispatch: Arc<dyn Dispatch>,
    pub settings: Settings,
    /// Where the bytes of requests are charged.
    pub budgets: Budgets,
}

type Shared = State<Arc<SoapState>>;

#[derive(Clone)]
struct Current(watch::Receiver<Arc<SoapState>>);

impl FromRef<Current> for Arc<SoapState> {
    fn from_ref(current: &Current) -> Self {
        Self::clone(&current.0.borrow())
    }
}

/// The routes of the API. Whoever serves them may add connect info, so that calls know their peer.
pub fn router(state: watch::Receiver<Arc<SoapState>>) -> Router {
    Router::new()
        .route(SOAP_PATH, post(serve_soap).get(describe).fallback(wrong_method))
        .route(PLAIN_PATH, post(serve_plain).fallback(wrong_method))
        .route("/scene7/webservice/{file}", get(serve_wsdl).fallback(wrong_wsdl_method))
        .route("/scene7/{file}", get(serve_wsdl).fallback(wrong_wsdl_method))
        .with_state(Current(state))
}

async fn serve_soap(State(state): Shared, request: axum::extract::Request) -> Response {
    serve(&state, Endpoint::Soap, request).await
}

async fn serve_plain(State(state): Shared, request: axum::extract::Request) -> Response {
    serve(&state, Endpoint::Plain, request).await
}

async fn serve(state: &SoapState, endpoint: Endpoint, request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut style = Style::of(&parts.headers, endpoint);
    let patience = state.settings.patience;
    let charge = state.budgets.charge(&parts);
    let given_up = charge.given_up();
    let exchanged = AssertUnwindSafe(exchange(state, endpoint, &parts, body, charge, &mut style)).catch_unwind();
    let exchanged = async {
        tokio::select! {
            biased;
            outcome = exchanged => outcome,
            busy = given_up => Ok(Err(busy.into())),
        }
    };
    let outcome = match tokio::time::timeout(patience, exchanged).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_panic)) => {
            // The panic hook has logged where and why; that is not for the caller.
            tracing::error!("a SOAP request made its handler panic");
            Err(Fault::exception("Internal error: the server's log has more"))
        }
        Err(_elapsed) => {
            let seconds = patience.as_secs();
            Err(Fault::exception(format!("The request was not read and answered within {seconds} seconds")))
        }
    };
    if outcome.as_ref().is_err_and(|fault| fault.is_busy) {
        // Its body may not have been read to the end, and what comes of it is not waited for.
        style.closes |= closes_unread(&parts);
    }
    let mut response = style.respond(state.settings.gzip, outcome);
    if let Some(operation) = style.operation {
        response.extensions_mut().insert(OperationName(operation));
    }
    response
}

/// Reads the request, makes the call and writes the answer's element. What is learned on the way about the form of the
/// reply goes into `style`, so that a fault has it too.
async fn exchange(
    state: &SoapState,
    endpoint: Endpoint,
    parts: &Parts,
    body: Body,
    charge: Charge,
    style: &mut Style,
) -> Result<Reply, Fault> {
    let mut admission = Admission { charge, visit: parts.extensions.get::<Visit>().cloned() };
    admission.charge.come(parts).await?;
    let early = log_in_early(state, parts, admission.visit.as_ref()).await;
    let bytes = read_body(parts, body, state.settings.max_body_bytes, &mut admission.charge, style).await?;
    let call = read_call(state, endpoint, parts, &bytes, (&mut admission.charge, early), style).await?;
    admission.charge.shrink(bytes.capacity() as u64);
    drop(bytes);
    let (operation, version) = (call.operation, call.version);
    let answer = state.dispatch.call(call, &mut admission).await?;
    let Admission { charge, .. } = admission;
    Ok(match answer {
        Answer::Whole(answer) => {
            let element = write_answer(&answer, operation, version)?;
            drop(answer);
            let charge = charge.answer((element.len() + envelope::ROOM) as u64).await?;
            Reply::Whole(element, charge)
        }
        Answer::Listed { field, pages } => {
            Reply::Listed(Listed::new(operation, field, version, pages, charge.answer(0).await?)?)
        }
    })
}

/// What came of the login in the head of a request.
enum Early {
    /// There is none, it has not been looked at, or it is good.
    Open,
    /// It was refused. The body may have another login; if not, this one is not tried again, which would count twice.
    Refused(Fault),
}

/// Lets a request in by its head where the body may come too late: on the reserve, whose connections are not open for long to
/// others than administrators. Elsewhere a login in the head is not looked at if the body has one: it may be for a proxy.
async fn log_in_early(state: &SoapState, parts: &Parts, visit: Option<&Visit>) -> Early {
    let Some(visit) = visit.filter(|visit| visit.is_reserved()) else { return Early::Open };
    let Some(credentials) = credentials::basic(&parts.headers) else { return Early::Open };
    match state.dispatch.log_in(credentials, &origin(parts, &state.settings)).await {
        Ok(caller) => match visit.let_in(&caller) {
            // Who is no administrator is told so when all is read.
            Ok(()) | Err(Crowded) => Early::Open,
        },
        Err(refusal) => Early::Refused(refusal),
    }
}

/// What the text of a request takes at most while it is read, beside what it lies in: a copy of it, its values, and its elements.
pub fn weight(text: &str, most_elements: usize) -> u64 {
    let tags = text.bytes().filter(|byte| *byte == b'<').count().min(2 * most_elements);
    2 * text.len() as u64 + tags as u64 * TAG
}

async fn parse(text: Cow<'_, str>, limits: xml::Limits) -> Result<Element, Fault> {
    let parsed = if text.len() <= PARSED_AT_ONCE {
        xml::parse(&text, &limits)
    } else {
        let (text, turn) = (text.into_owned(), PARSING.acquire().await);
        let parsed = tokio::task::spawn_blocking(move || {
            // It is parsed to the end, also when nobody waits for it any more: the turn lasts as long.
            let _turn = turn;
            xml::parse(&text, &limits)
        });
        parsed.await.map_err(|error| Fault::exception(error.to_string()))?
    };
    parsed.map_err(|problem| Fault::request_xml(format!("The request is refused: {problem}")))
}

async fn read_call(
    state: &SoapState,
    endpoint: Endpoint,
    parts: &Parts,
    bytes: &[u8],
    (charge, early): (&mut Charge, Early),
    style: &mut Style,
) -> Result<Request, Fault> {
    style.guess(bytes);
    let unreadable = |problem: String| Fault::request_xml(format!("The request cannot be read: {problem}"));
    let sent_as = header_text(&parts.headers, header::CONTENT_TYPE.as_str());
    charge.grow(related::room(sent_as, bytes) as u64).await?;
    let root = related::root(sent_as, bytes).map_err(unreadable)?;
    let content_type = root.content_type.as_deref();
    let charset = parameter(content_type, "charset");
    charge.grow(text::room(&root.bytes, charset.as_deref()) as u64).await?;
    let text = text::decode(&root.bytes, charset.as_deref()).map_err(unreadable)?;
    charge.grow(weight(&text, state.settings.xml.elements)).await?;
    style.guess(text.as_bytes());
    let document = parse(text, state.settings.xml).await?;
    let opened = envelope::open(document, endpoint)?;
    style.framing = opened.framing;
    let auth = AuthHeader::read(&opened.headers);
    style.fault_status = auth.fault_status;
    style.gzip_response = auth.gzip_response;
    if let Some(problem) = auth.problem {
        return Err(problem);
    }
    let action = header_text(&parts.headers, "soapaction")
        .map(Cow::from)
        .or_else(|| parameter(content_type, "action"))
        .or_else(|| parameter(sent_as, "action"));
    let target = opened.target(action.as_deref().map(envelope::action_name))?;
    style.operation = Some(target.operation.name);
    if !state.dispatch.supports(target.operation) {
        return Err(Fault::unsupported(target.operation.name));
    }
    let param =
        opened.param.unwrap_or_else(|| Element { name: target.operation.param.name.clone(), ..Element::default() });
    let credentials = match (auth.credentials, early) {
        (Some(credentials), _) => Some(credentials),
        (None, Early::Open) => credentials::basic(&parts.headers),
        (None, Early::Refused(refusal)) => return Err(refusal),
    };
    Ok(Request {
        operation: target.operation,
        version: target.version,
        credentials,
        locale: auth.locale.or_else(|| credentials::accepted_language(&parts.headers)),
        param: decode(&param, &target.operation.param, target.version)?,
        app_name: auth.app_name,
        app_version: auth.app_version,
        origin: origin(parts, &state.settings),
    })
}

pub fn write_answer(answer: &Value, operation: &'static Operation, version: Version) -> Result<String, Fault> {
    let encoded = encode(answer, &operation.result.name, &operation.result, version);
    Ok(reply::complete(encoded, operation, version))
}

/// The bytes of the request as they were before they were compressed.
async fn read_body(
    parts: &Parts,
    body: Body,
    limit: usize,
    charge: &mut Charge,
    style: &mut Style,
) -> Result<Vec<u8>, Fault> {
    let headers = &parts.headers;
    let codings = Codings::of(headers).map_err(|problem| {
        style.fault_status = Some(StatusCode::UNSUPPORTED_MEDIA_TYPE.as_u16());
        Fault::request_xml(problem)
    });
    // Who waits for a word before sending gets that word, and no bytes cross the network in vain.
    if awaits_continue(headers) {
        if announced(headers).is_some_and(|length| length > limit as u64) {
            style.fault_status = Some(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
            style.closes = closes_unread(parts);
            return Err(too_large(limit));
        }
        if let Err(fault) = codings {
            style.closes = closes_unread(parts);
            return Err(fault);
        }
    }
    let bytes = collect(body, limit, style, charge).await?;
    charge.has_come();
    let codings = codings?;
    if codings.is_empty() {
        return Ok(bytes);
    }
    let (sent, most) = (bytes.capacity() as u64, codings.most(bytes.len(), limit) as u64);
    // Before the turn: who waits for room keeps no other from being unpacked.
    charge.grow(most).await?;
    let turn = UNPACKING.acquire().await;
    let unpacked = tokio::task::spawn_blocking(move || {
        // It is unpacked to the end, also when nobody waits for it any more: the turn lasts as long.
        let _turn = turn;
        codings.undo(bytes, limit)
    });
    let unpacked = unpacked.await.map_err(|error| Fault::exception(error.to_string()))?.map_err(|problem| {
        if let Unusable::TooLarge(_) = problem {
            style.fault_status = Some(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
        }
        Fault::request_xml(problem.to_string())
    })?;
    charge.shrink((sent + most).saturating_sub(unpacked.capacity() as u64));
    Ok(unpacked)
}

async fn collect(body: Body, limit: usize, style: &mut Style, charge: &mut Charge) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Fault::request_xml(format!("The request broke off: {error}")))?;
        length = length.saturating_add(chunk.len());
        if length <= limit {
            make_room(&mut bytes, chunk.len(), limit, charge).await?;
            bytes.extend_from_slice(&chunk);
        } else if length <= limit.saturating_mul(DRAIN_FACTOR) {
            charge.shrink(bytes.capacity() as u64);
            bytes = Vec::new();
        } else {
            break;
        }
    }
    if length > limit {
        style.fault_status = Some(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
        return Err(too_large(limit));
    }
    Ok(bytes)
}

/// Room for so many more, charged before it is taken. It grows by a quarter at least, so that little is copied and little is
/// held for nothing, and not beyond the limit.
async fn make_room(bytes: &mut Vec<u8>, more: usize, limit: usize, charge: &mut Charge) -> Result<(), Fault> {
    let (held, needed) = (bytes.capacity(), bytes.len() + more);
    if needed > held {
        let wanted = needed.max(held + held / 4).min(limit);
        charge.grow((wanted - held) as u64).await?;
        bytes.reserve_exact(wanted - bytes.len());
    }
    Ok(())
}

fn too_large(limit: usize) -> Fault {
    Fault::request_xml(format!("The request is larger than the limit of {limit} bytes"))
}

/// True if the client sends its body only when it is told `100 Continue`, which happens when the body is first read.
pub fn awaits_continue(headers: &HeaderMap) -> bool {
    header_text(headers, header::EXPECT.as_str()).is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue"))
}

/// True if the answer must say that it ends the connection, for the body that belongs to it has not been read.
pub fn closes_unread(parts: &Parts) -> bool {
    parts.version <= http::Version::HTTP_11
}

/// The length of the body, if the client says it before sending it.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    header_text(headers, header::CONTENT_LENGTH.as_str())?.parse().ok()
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn origin(parts: &Parts, settings: &Settings) -> Origin {
    Origin {
        peer: proxies::peer(&parts.extensions),
        base_url: settings.public_url.clone().unwrap_or_else(|| {
            let authority = parts.uri.authority().map(|authority| authority.as_str());
            address::base_url(&parts.headers, authority, (settings.https, settings.port), proxies::addressed(parts))
        }),
    }
}

/// How a reply is to look.
struct Style {
    framing: Framing,
    /// The request said `application/soap+xml`, so the reply may.
    is_soap_12_media: bool,
    accepts_gzip: bool,
    gzip_response: Option<bool>,
    fault_status: Option<u16>,
    /// The connection ends with the reply.
    closes: bool,
    /// What was called, once that is known.
    operation: Option<&'static str>,
}

impl Style {
    fn of(headers: &HeaderMap, endpoint: Endpoint) -> Style {
        let media_type = header_text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
        let is_soap_12_media = media_type.starts_with("application/soap+xml") || related::is_soap_12(&media_type);
        Style {
            framing: match endpoint {
                Endpoint::Plain => Framing::Plain,
                Endpoint::Soap if is_soap_12_media => Framing::Soap12,
                Endpoint::Soap => Framing::Soap11,
            },
            is_soap_12_media,
            accepts_gzip: gzip::accepts_gzip(headers),
            gzip_response: None,
            fault_status: None,
            closes: false,
            operation: None,
        }
    }

    /// The envelope of a document that may turn out to be unreadable.
    fn guess(&mut self, bytes: &[u8]) {
        let head = &bytes[..bytes.len().min(1024)];
        let names_soap_12 = head.windows(SOAP_12.len()).any(|window| window == SOAP_12.as_bytes());
        if self.framing == Framing::Soap11 && names_soap_12 {
            self.framing = Framing::Soap12;
        }
    }

    fn respond(&self, policy: gzip::GzipPolicy, outcome: Result<Reply, Fault>) -> Response {
        let media_type = if self.framing == Framing::Soap12 && self.is_soap_12_media { SOAP_12_XML } else { XML };
        let compresses = policy.compresses(self.gzip_response, self.accepts_gzip);
        let (status, body) = match outcome {
            Ok(Reply::Whole(element, charge)) => {
                let text = envelope::wrap(self.framing, &element);
                return document(StatusCode::OK, media_type, text, compresses, |bytes| {
                    Body::from(charge.around(bytes))
                });
            }
            Ok(Reply::Listed(list)) => {
                let mut headers = document_headers(media_type);
                if compresses {
                    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
                return (headers, list.body(self.framing, compresses)).into_response();
            }
            Err(fault) => {
                tracing::debug!(%fault, "a call was refused");
                let asked = self.fault_status.and_then(|status| StatusCode::from_u16(status).ok());
                // Proxies and clients are to see it, whatever status a client would like to have for its faults.
                let busy = fault.is_busy.then_some(StatusCode::SERVICE_UNAVAILABLE);
                (busy.or(asked).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), fault.to_body(self.framing))
            }
        };
        let mut response = document(status, media_type, envelope::wrap(self.framing, &body), compresses, Body::from);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            let understood = HeaderValue::from_static(unpack::UNDERSTOOD);
            response.headers_mut().insert(header::ACCEPT_ENCODING, understood);
        }
        if self.closes {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn document(
    status: StatusCode,
    media_type: &'static str,
    text: String,
    compresses: bool,
    body: impl FnOnce(Vec<u8>) -> Body,
) -> Response {
    let mut headers = document_headers(media_type);
    let bytes = match compresses.then(|| gzip::compress(&text)) {
        Some(Ok(compressed)) => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            compressed
        }
        // Compression is a courtesy; without it the reply is still right.
        Some(Err(_)) | None => text.into_bytes(),
    };
    (status, headers, body(bytes)).into_response()
}

fn document_headers(media_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers
}

/// GET on the service: its WSDL if asked for, else a word on how to use it.
async fn describe(State(state): Shared, RawQuery(query): RawQuery, request: axum::extract::Request) -> Response {
    let query = query.unwrap_or_default();
    let asks_wsdl = |(key, _): (Cow<str>, _)| key.eq_ignore_ascii_case("wsdl");
    if url::form_urlencoded::parse(query.as_bytes()).any(asks_wsdl) {
        return describe_version(&state, Version::newest_documented(), &query, &request.into_parts().0);
    }
    wrong_method(request.method().clone()).await
}

async fn serve_wsdl(
    State(state): Shared,
    Path(file): Path<String>,
    RawQuery(query): RawQuery,
    request: axum::extract::Request,
) -> Response {
    match version_of_file(&file) {
        Some(version) => describe_version(&state, version, &query.unwrap_or_default(), &request.into_parts().0),
        None => {
            let mut text = "There is no such file here. The WSDL files of this service are:\n".to_owned();
            for version in Contract::get().versions() {
                text.push_str(&format!("/scene7/webservice/{}\n", version.wsdl_file()));
            }
            plain_text(StatusCode::NOT_FOUND, text)
        }
    }
}

fn version_of_file(file: &str) -> Option<Version> {
    match file.strip_prefix("IpsApi")?.strip_suffix(".wsdl")? {
        "" => Some(Version::unversioned()),
        date => Version::from_date(date.strip_prefix('-')?),
    }
}

fn describe_version(state: &SoapState, version: Version, query: &str, parts: &Parts) -> Response {
    let service_url = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "serviceUrl");
    let address = match service_url {
        Some((_, url)) if url.len() <= LONGEST_SERVICE_URL && address::is_web_url(&url) => url.into_owned(),
        Some(_) => {
            let rule =
                format!("serviceUrl must be an http or https address of at most {LONGEST_SERVICE_URL} characters\n");
            return plain_text(StatusCode::BAD_REQUEST, rule);
        }
        None => format!("{}{SOAP_PATH}", origin(parts, &state.settings).base_url),
    };
    let compresses = state.settings.gzip.compresses(None, gzip::accepts_gzip(&parts.headers));
    let packed = compresses.then(|| wsdl::packed(version, &address)).flatten();
    let mut headers = document_headers(XML);
    if packed.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let pieces = packed.unwrap_or_else(|| wsdl::plain(version, &address));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(pieces.iter().map(|piece| piece.len()).sum::<usize>()));
    let pieces = pieces.into_iter().map(Ok::<_, std::convert::Infallible>);
    (headers, Body::from_stream(stream::iter(pieces))).into_response()
}

async fn wrong_method(method: Method) -> Response {
    let newest = Version::newest_documented().wsdl_file();
    let text = format!(
        "{} is not how this address is used: POST a request to it.\nIts WSDL is at /scene7/webservice/{newest}\n",
        xml::shorten(method.as_str(), 20)
    );
    with_allow(plain_text(StatusCode::METHOD_NOT_ALLOWED, text), "POST")
}

async fn wrong_wsdl_method(method: Method) -> Response {
    let text = format!(
        "{} is not how this address is used: GET the WSDL from it, and POST requests to {SOAP_PATH}\n",
        xml::shorten(method.as_str(), 20)
    );
    with_allow(plain_text(StatusCode::METHOD_NOT_ALLOWED, text), "GET, HEAD")
}

fn with_allow(mut response: Response, methods: &'static str) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

fn plain_text(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain;charset=UTF-8")], text.into()).into_response()
}

#[cfg(test)]
mod tests;
