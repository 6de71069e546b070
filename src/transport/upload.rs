//! `POST /scene7/UploadFile`: files in multipart/form-data.
//!
//! ```text
//! part `auth`          XML, root authHeader (or HTTP Basic instead)
//! part `uploadParams`  XML, root uploadPostParam
//! every other part     a file, written to the disk as it comes
//! ```
//!
//! The two XML parts come first, so that nothing of a caller who may not is stored. The reply is an XML document without
//! envelope: `uploadPostReturn`, or one of the three faults.

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
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use multer::{Field, Multipart};
use serde_json::Value;

use super::budget::{Budgets, Charge, RETRY_AFTER};
use super::connections::Reserve;
use super::proxies;
use super::soap::operations::{self, fault};
use super::soap::{self, AuthHeader, Element, Fault, FaultCode, Framing};
use crate::contract::{Contract, Operation, Version};
use crate::model::locale::Locale;
use crate::service::uploads::{Opened, UploadPostParam, Uploads};
use crate::service::{Caller, Credentials};

pub const UPLOAD_PATH: &str = "/scene7/UploadFile";

/// Largest part that is no file.
const MOST_XML: usize = 1 << 20;

/// What still comes after a refusal is read and thrown away up to here: a client that is cut off while it writes never
/// reads why.
const MOST_DRAINED: u64 = 64 << 20;

/// What the route needs.
pub struct UploadState {
    pub uploads: Uploads,
    /// The longest silence in the middle of a post.
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
    if soap::awaits_continue(&parts.headers) && soap::announced(&parts.headers).is_some_and(|length| length > most) {
        let rule = format!("The post is larger than the limit of {most} bytes for all its files and parts");
        return Err((Some(StatusCode::PAYLOAD_TOO_LARGE), Fault::request_xml(rule)));
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type
        .and_then(|text| multer::parse_boundary(text).ok())
        .ok_or_else(|| (None, Fault::request_xml("The request must be multipart/form-data with a boundary")))
}

async fn take(state: &UploadState, parts: &Parts, body: Body, style: &mut Style) -> Result<String, Fault> {
    let patience = state.patience;
    // A client that falls silent is given up, however long it took until then.
    let patient = futures_util::stream::unfold(body.into_data_stream(), move |mut chunks| async move {
        match tokio::time::timeout(patience, chunks.next()).await {
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), chunks)),
            Ok(Some(Err(error))) => Some((Err(error.to_string()), chunks)),
            Ok(None) => None,
            Err(_) => Some((Err(format!("nothing came for {} seconds", patience.as_secs())), chunks)),
        }
    });
    let mut patient = Box::pin(patient);
    let boundary = match check_head(state, parts) {
        Ok(boundary) => boundary,
        Err((status, fault)) => {
            style.fault_status = status.map(|status| status.as_u16());
            if soap::awaits_continue(&parts.headers) {
                style.closes = soap::closes_unread(parts);
            } else {
                discard(&mut patient).await;
            }
            return Err(fault);
        }
    };
    let mut form = Multipart::new(patient, boundary);
    let charge = state.budgets.charge();
    let given_up = charge.given_up();
    let read = tokio::select! {
        biased;
        read = read_form(state, parts, &mut form, charge, style) => read,
        busy = given_up => Err(busy.into()),
    };
    if read.is_err() {
        drain(&mut form).await;
    }
    let (opened, version) = read?;
    let answer = state.uploads.close(opened).await.map_err(fault)?;
    let value = serde_json::to_value(answer).map_err(|error| Fault::exception(error.to_string()))?;
    soap::write_answer(&value, upload_post()?, version)
}

/// Reads all parts. Files are on the disk when it returns, but belong to nothing yet.
async fn read_form(
    state: &UploadState,
    parts: &Parts,
    form: &mut Multipart<'_>,
    mut charge: Charge,
    style: &mut Style,
) -> Result<(Opened, Version), Fault> {
    let mut caller: Option<Caller> = None;
    let mut opened: Option<(Opened, Version)> = None;
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("auth") => {
                let auth = AuthHeader::read(&[xml(field, "auth", &mut charge).await?]);
                style.fault_status = auth.fault_status;
                if let Some(problem) = auth.problem {
                    return Err(problem);
                }
                caller = Some(log_in(state, parts, auth).await?);
                charge.accept().await?;
            }
            Some("uploadParams" | "uploadPostParams" | "uploadPostParam") => {
                let element = xml(field, "uploadParams", &mut charge).await?;
                let caller = match &caller {
                    Some(caller) => caller,
                    None => &*caller.insert(log_in(state, parts, AuthHeader::default()).await?),
                };
                charge.accept().await?;
                opened = Some(open(state, parts, caller, &element).await?);
                // Of the files that follow no more is held than a piece.
                charge.shrink(u64::MAX);
            }
            _ => match &mut opened {
                Some((opened, _)) => take_file(state, opened, field).await?,
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
    let client = [Some(peer(parts).to_string()), auth.app_name.filter(|name| !name.is_empty())];
    let (user, password) = credentials.map(|given| (given.user, given.password)).unzip();
    let credentials = Credentials {
        user,
        password,
        locale: locale.and_then(|text| Locale::parse(&text).ok()),
        client: Some(client.into_iter().flatten().collect::<Vec<_>>().join(" ")),
        peer: Some(peer(parts)),
        // Nothing that a post makes has an address.
        address: None,
    };
    let caller = state.uploads.authenticate(credentials).await.map_err(fault)?;
    if let Some(reserve) = parts.extensions.get::<Reserve>() {
        reserve.let_in(&caller)?;
    }
    Ok(caller)
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
        Fault::request_xml(format!("uploadParams: the namespace \"{}\" is none of the API", element.namespace()))
    })?;
    let value: Value = soap::decode(element, &upload_post()?.param, version)?;
    let param: UploadPostParam = operations::read(value).map_err(fault)?;
    let opened = state.uploads.open(caller, peer(parts), param).await.map_err(fault)?;
    Ok((opened, version))
}

fn peer(parts: &Parts) -> IpAddr {
    proxies::peer(&parts.extensions).unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

async fn take_file(state: &UploadState, opened: &mut Opened, mut field: Field<'_>) -> Result<(), Fault> {
    let name = field.file_name().map(str::to_owned);
    let mut receiving = state.uploads.begin_file(opened, name.as_deref()).map_err(fault)?;
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        receiving.write(&chunk).await.map_err(fault)?;
    }
    state.uploads.end_file(opened, receiving).await.map_err(fault)
}

/// A part that is an XML document.
async fn xml(mut field: Field<'_>, name: &str, charge: &mut Charge) -> Result<Element, Fault> {
    let media_type = field.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let charset = soap::media_parameter(media_type, "charset").map(str::to_owned);
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > MOST_XML {
            return Err(Fault::request_xml(format!("{name} is larger than {MOST_XML} bytes")));
        }
        charge.grow(chunk.len() as u64).await?;
        bytes.extend_from_slice(&chunk);
    }
    let limits = soap::Limits::default();
    charge.grow(soap::weight(&bytes, limits.elements)).await?;
    let unreadable = |problem: String| Fault::request_xml(format!("{name} cannot be read: {problem}"));
    // Line breaks before the document are of the form, not of the document.
    let text = soap::decode_text(bytes.trim_ascii_start(), charset.as_deref()).map_err(unreadable)?;
    soap::parse(text.trim_start(), &limits).map_err(unreadable)
}

fn broken(error: multer::Error) -> Fault {
    Fault::request_xml(format!("The post cannot be read: {error}"))
}

/// As [`drain`], for what was not read as a form.
async fn discard(chunks: &mut (impl Stream<Item = Result<Bytes, String>> + Unpin)) {
    let mut drained = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        drained += chunk.len() as u64;
        if drained > MOST_DRAINED {
            return;
        }
    }
}

async fn drain(form: &mut Multipart<'_>) {
    let mut drained = 0;
    while let Ok(Some(mut field)) = form.next_field().await {
        while let Ok(Some(chunk)) = field.chunk().await {
            drained += chunk.len() as u64;
            if drained > MOST_DRAINED {
                return;
            }
        }
    }
}
