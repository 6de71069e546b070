//! The routes as the known clients use them.

use std::io::Read;

use async_trait::async_trait;
use axum::body::to_bytes;
use axum::http::Request as HttpRequest;
use futures_util::stream::{self, BoxStream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use super::*;
use crate::service::Caller;
use crate::transport::soap::{FaultCode, GzipPolicy, credentials::Credentials};

const V2014: &str = "http://www.scene7.com/IpsApi/xsd/2014-04-03";

/// Answers a few operations in fixed ways, and tells in the reason of a fault what it was called with.
struct Desk;

#[async_trait]
impl Dispatch for Desk {
    fn supports(&self, operation: &Operation) -> bool {
        operation.name != "getAllCompanies"
    }

    /// Everybody is known but who says no.
    async fn log_in(&self, credentials: Credentials, _: &Origin) -> Result<Caller, Fault> {
        if credentials.password == "no" {
            return Err(Fault::new(FaultCode::InvalidCredentials, "said no at the head"));
        }
        Ok(Caller {
            account: crate::model::id::AccountId(1),
            email: credentials.user,
            is_ips_admin: false,
            roles: Default::default(),
            locale: crate::model::locale::Locale::english(),
            client: None,
            peer: None,
            address: None,
        })
    }

    async fn call(&self, request: Request, _: &mut Admission) -> Result<Answer, Fault> {
        if request.credentials.is_none() {
            return Err(Fault::no_credentials());
        }
        match request.operation.name {
            "submitJob" => {
                let name = request.param["jobName"].as_str().unwrap_or_default();
                Ok(json!({"jobHandle": format!("j|47|{name}||")}).into())
            }
            "stopJob" | "renameAsset" => Ok(Value::Null.into()),
            "getActiveJobs" => Ok(json!({"jobArray": []}).into()),
            "getScheduledJobs" => Ok(Answer::Listed { field: "jobArray", pages: pages(&request.param) }),
            "deleteJob" => panic!("the desk fell over"),
            // An answer that is not of its type.
            "createFolder" => Ok(json!({"folderHandle": 7}).into()),
            "checkLogin" => {
                let Credentials { user, password } = request.credentials.unwrap();
                let (app, version) = (request.app_name.unwrap_or_default(), request.app_version.unwrap_or_default());
                let locale = request.locale.unwrap_or_default();
                Err(Fault::exception(format!("{user} {password} {locale} {app} {version} {}", request.param)))
            }
            name => Err(Fault::exception(format!("nobody is at the desk for {name}"))),
        }
    }
}

/// Three pages of two jobs; a job name `broken` breaks the third.
fn pages(param: &Value) -> BoxStream<'static, Result<Vec<Value>, Fault>> {
    let breaks = param["originalName"] == "broken";
    let job = |number: u32| {
        json!({
            "companyHandle": "c|47", "jobHandle": format!("j|47|{number}||"), "name": format!("{number}"),
            "originalName": format!("{number}"), "type": "t", "submitUserEmail": "a@b.example", "triggerState": "Normal",
            "description": "d".repeat(20_000),
        })
    };
    let page = move |page: u32| match page {
        2 if breaks => Err(Fault::exception("the third page is torn")),
        page => Ok(vec![job(2 * page), job(2 * page + 1)]),
    };
    stream::iter((0..3).map(page)).boxed()
}

fn app(settings: Settings) -> Router {
    router(
        watch::Sender::new(Arc::new(SoapState { dispatch: Arc::new(Desk), settings, budgets: Budgets::default() }))
            .subscribe(),
    )
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Reply {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }

    fn unzipped(&self) -> String {
        assert_eq!(self.headers["content-encoding"], "gzip");
        let mut text = String::new();
        flate2::read::GzDecoder::new(self.bytes.as_slice()).read_to_string(&mut text).unwrap();
        text
    }

    fn media_type(&self) -> &str {
        self.headers["content-type"].to_str().unwrap()
    }
}

async fn send(settings: Settings, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut request = HttpRequest::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app(settings).oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Reply { status: parts.status.as_u16(), headers: parts.headers, bytes }
}

async fn post_soap(headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    send(Settings::default(), "POST", SOAP_PATH, headers, body).await
}

fn soap11(header: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Header>{header}</s:Header><s:Body>{body}</s:Body>\
         </s:Envelope>"
    )
}

fn login(extra: &str) -> String {
    format!("<authHeader xmlns='{V2014}'><user>u</user><password>p</password>{extra}</authHeader>")
}

fn submit(namespace: &str) -> String {
    format!(
        "<submitJobParam xmlns=\"{namespace}\"><companyHandle>47</companyHandle><jobName>My Test Job</jobName>
        <imageServingPublishJob><publishType>Full</publishType><emailSetting>Error</emailSetting></imageServingPublishJob>\
         </submitJobParam>"
    )
}

fn stop(namespace: &str) -> String {
    format!("<stopJobParam xmlns='{namespace}'><companyHandle>1</companyHandle><jobHandle>j</jobHandle></stopJobParam>")
}

fn check_login(namespace: &str) -> String {
    format!(
        "<checkLoginParam xmlns='{namespace}'><companyName>c</companyName><email>e</email><password>x</password></checkLoginParam>"
    )
}

fn fault11(element: &str, code: u32, reason: &str) -> String {
    format!(
        "<soapenv:Body><soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{element}</faultstring><detail>\
         <tns:{element} xmlns:tns=\"http://www.scene7.com/IpsApi/xsd\"><tns:code>{code}</tns:code>\
         <tns:reason>{reason}</tns:reason></tns:{element}></detail></soapenv:Fault></soapenv:Body>"
    )
}

#[tokio::test]
async fn the_old_example_is_answered_to_the_byte() {
    let unversioned = "http://www.scene7.com/IpsApi/xsd";
    let reply = post_soap(&[], soap11(&login(""), &submit(unversioned))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.text(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
         <submitJobReturn xmlns=\"http://www.scene7.com/IpsApi/xsd\"><jobHandle>47|My Test Job|</jobHandle></submitJobReturn>\
         </soapenv:Body></soapenv:Envelope>"
    );
    assert_eq!(reply.media_type(), "text/xml;charset=UTF-8");
}

#[tokio::test]
async fn every_namespace_is_answered_in_kind() {
    let unknown = Version::from_date("2018-08-08").unwrap();
    for version in Contract::get().versions().chain([unknown]) {
        let namespace = version.namespace();
        let reply = post_soap(&[], soap11(&login(""), &submit(&namespace))).await.text();
        assert!(
            reply.contains(&format!("<soapenv:Body><submitJobReturn xmlns=\"{namespace}\"><jobHandle>")),
            "{reply}"
        );
        assert_eq!(reply.contains("j|47|My Test Job||"), !version.is_legacy(), "{version}");
    }
}

#[tokio::test]
async fn the_ruby_client_gets_gzip_and_an_empty_return() {
    let namespace = "http://www.scene7.com/IpsApi/xsd/2010-01-31";
    let headers = [
        ("SOAPAction", "\"renameAsset\""),
        ("Content-Type", "text/xml;charset=UTF-8"),
        ("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3"),
    ];
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><env:Envelope xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:ns=\"{namespace}\" \
         xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\"><env:Header>\
         <authHeader xmlns=\"http://www.scene7.com/IpsApi/xsd\"><user>u</user><password>p</password><appName>a</appName>\
         <appVersion>1</appVersion></authHeader></env:Header><env:Body><renameAssetParam xmlns=\"{namespace}\">\
         <companyHandle>c|1</companyHandle><assetHandle>a|1</assetHandle><newName>n</newName><validateName>true</validateName>\
         <renameFiles>true</renameFiles></renameAssetParam></env:Body></env:Envelope>"
    );
    let reply = post_soap(&headers, body).await;
    assert_eq!(reply.status, 200);
    assert!(reply.unzipped().contains(&format!("<renameAssetReturn xmlns=\"{namespace}\"/>")), "{}", reply.unzipped());
}

#[tokio::test]
async fn basic_authentication_alone_is_a_login() {
    let headers = [("Authorization", "Basic dTpw"), ("SOAPAction", "\"getActiveJobs\"")];
    let body = format!(
        "<soap-env:Envelope xmlns:soap-env='http://schemas.xmlsoap.org/soap/envelope/'><soap-env:Body>\
         <ns0:getActiveJobsParam xmlns:ns0='{V2014}'><ns0:companyHandle>c|1</ns0:companyHandle></ns0:getActiveJobsParam>\
         </soap-env:Body></soap-env:Envelope>"
    );
    let reply = post_soap(&headers, body.clone()).await;
    assert!(reply.text().contains("<jobArray/></getActiveJobsReturn>"), "{}", reply.text());
    let reply = post_soap(&[], body).await;
    assert_eq!(reply.status, 500, "never 401");
    assert!(reply.text().contains("<faultstring>authenticationFault</faultstring>") && reply.text().contains("10000"));
}

#[tokio::test]
async fn on_the_reserve_a_login_in_the_head_is_looked_at_first_and_once() {
    let post = async |login: &str, header: &str| {
        let body = format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header>{header}</e:Header><e:Body>\
             <getActiveJobsParam xmlns='{V2014}'><companyHandle>c|1</companyHandle></getActiveJobsParam></e:Body></e:Envelope>"
        );
        let request = HttpRequest::post(SOAP_PATH).header("Authorization", login).extension(Visit::new(true));
        let response = app(Settings::default()).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    // u:p, and u:no.
    let (right, wrong) = ("Basic dTpw", "Basic dTpubw==");
    assert!(post(right, "").await.contains("</getActiveJobsReturn>"));
    let refused = post(wrong, "").await;
    assert!(refused.contains("said no at the head") && refused.contains("10001"), "{refused}");
    let in_body = format!("<authHeader xmlns='{V2014}'><user>u</user><password>p</password></authHeader>");
    assert!(post(wrong, &in_body).await.contains("</getActiveJobsReturn>"), "it may be for a proxy");
}

#[tokio::test]
async fn headers_of_mixed_and_oldest_namespaces_are_logins() {
    let mixed = format!(
        "<ns2:authHeader xmlns:ns2='http://www.scene7.com/IpsApi/xsd' xmlns:ns1='{V2014}' \
         xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='ns1:authHeader'>\
         <ns1:appVersion>1</ns1:appVersion><ns1:password>p</ns1:password><ns1:user>u</ns1:user></ns2:authHeader>"
    );
    let oldest = "<AuthUser xmlns='http://www.scene7.com/IpsApi'>u</AuthUser>\
                  <AuthPassword xmlns='http://www.scene7.com/IpsApi'>p</AuthPassword>";
    for header in [mixed.as_str(), oldest] {
        let reply = post_soap(&[], soap11(header, &stop(V2014))).await;
        assert_eq!((reply.status, reply.text().contains("<stopJobReturn")), (200, true), "{}", reply.text());
    }
}

#[tokio::test]
async fn hand_written_scripts_send_soap_12_without_a_content_type() {
    let body = format!(
        "<soap:Envelope xmlns:soap='http://www.w3.org/2003/05/soap-envelope' xmlns:ns='{V2014}'><soap:Header><ns:authHeader>\
         <ns:user>u</ns:user><ns:password>p</ns:password><ns:locale>EN</ns:locale><ns:appName>s</ns:appName>\
         <ns:appVersion>2</ns:appVersion></ns:authHeader></soap:Header><soap:Body><ns:checkLoginParam>\
         <ns:companyName>c</ns:companyName><ns:email>e</ns:email><ns:password>x</ns:password></ns:checkLoginParam>\
         </soap:Body></soap:Envelope>"
    );
    let reply = post_soap(&[("soapaction", "checkLogin"), ("accept-language", "de")], body.clone()).await;
    assert_eq!((reply.status, reply.media_type()), (500, "text/xml;charset=UTF-8"));
    let text = reply.text();
    assert!(text.contains("<soapenv:Envelope xmlns:soapenv=\"http://www.w3.org/2003/05/soap-envelope\">"), "{text}");
    assert!(text.contains("<soapenv:Value>soapenv:Receiver</soapenv:Value>"), "{text}");
    assert!(text.contains("<tns:reason>u p EN s 2 {"), "{text}");
    let reply = post_soap(&[("content-type", "application/soap+xml; charset=utf-8; action=\"x\"")], body).await;
    assert_eq!(reply.media_type(), "application/soap+xml;charset=UTF-8");
}

#[tokio::test]
async fn the_locale_falls_back_to_accept_language() {
    let body = soap11(&login(""), &check_login(V2014));
    let reply = post_soap(&[("Accept-Language", "fr;q=0.4, de-DE")], body).await;
    assert!(reply.text().contains("<tns:reason>u p de-DE "), "{}", reply.text());
}

#[tokio::test]
async fn the_plain_form_is_answered_without_an_envelope() {
    let request = |body: &str| {
        format!(
            "<?xml version='1.0'?><Request xmlns='http://www.scene7.com/IpsApi/xsd/2017-10-29-beta'>\
             <authHeader xmlns='http://www.scene7.com/IpsApi/xsd/2019-09-10-beta'><user>u</user><password>p</password>\
             <faultHttpStatusCode>200</faultHttpStatusCode></authHeader>{body}</Request>"
        )
    };
    let plain = |body: String| send(Settings::default(), "POST", PLAIN_PATH, &[("content-type", "text/xml")], body);
    let namespace = "http://www.scene7.com/IpsApi/xsd/2019-09-10-beta";
    let reply = plain(request(&submit(namespace))).await;
    assert_eq!(
        reply.text(),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<submitJobReturn xmlns=\"{namespace}\">\
             <jobHandle>j|47|My Test Job||</jobHandle></submitJobReturn>"
        )
    );
    let reply = plain(request(&submit("http://example.com/"))).await;
    assert_eq!(reply.status, 200, "as the header asks");
    assert!(
        reply
            .text()
            .contains("?>\n<tns:ipsApiFault xmlns:tns=\"http://www.scene7.com/IpsApi/xsd\"><tns:code>30003</tns:code>"),
        "{}",
        reply.text()
    );
    let reply = plain(stop(V2014)).await;
    assert!(reply.text().contains("<tns:code>10000</tns:code>"), "a bare parameter has no login: {}", reply.text());
    let reply = plain("<<".to_owned()).await;
    assert!(reply.text().contains("?>\n<tns:ipsApiFault"), "{}", reply.text());
}

#[tokio::test]
async fn faults_have_the_status_the_caller_wants() {
    for (extra, status) in [("", 500), ("<faultHttpStatusCode>200</faultHttpStatusCode>", 200)] {
        let bad = "<stopJobParam xmlns='http://www.scene7.com/IpsApi/xsd/2014-04-03'><companyHandle>1</companyHandle></stopJobParam>";
        let reply = post_soap(&[], soap11(&login(extra), bad)).await;
        assert_eq!(reply.status, status);
        assert!(
            reply.text().contains(&fault11("ipsApiFault", 30002, "stopJobParam/jobHandle is missing")),
            "{}",
            reply.text()
        );
    }
}

#[tokio::test]
async fn operations_that_are_not_there_are_faults() {
    let supported = "<getAllCompaniesParam xmlns='http://www.scene7.com/IpsApi/xsd/2014-04-03'/>";
    let unknown = "<makeCoffeeParam xmlns='http://www.scene7.com/IpsApi/xsd/2014-04-03'/>";
    let reply = post_soap(&[], soap11(&login(""), supported)).await;
    let reason = "The operation getAllCompanies is not supported by this server";
    assert!(reply.text().contains(&fault11("ipsApiFault", 30000, reason)), "{}", reply.text());
    let reply = post_soap(&[], soap11(&login(""), unknown)).await;
    assert!(
        reply.text().contains(&fault11("ipsApiFault", 30003, "There is no operation makeCoffee in this API")),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn hostile_requests_are_faults_in_the_callers_envelope() {
    let soap12 = "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body>";
    for (body, code, reason) in [
        (b"".to_vec(), 30003, "no XML"),
        (b"\xff\xd8\xff\xe0 JFIF".to_vec(), 30003, "not UTF-8"),
        (b"<a>".to_vec(), 30003, "ends before"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".to_vec(), 30003, "DTD"),
        (b"<?xml version='1.0' encoding='EBCDIC-US'?><a/>".to_vec(), 30003, "EBCDIC-US"),
        (soap11("", "<a>\0</a>").into_bytes(), 30003, "U+0000"),
        (soap11("", &"<a>".repeat(100_000)).into_bytes(), 30003, "deep"),
        (soap11("", "<x:submitJobParam/>").into_bytes(), 30003, "prefix x"),
        (soap11(&login("<gzipResponse>2</gzipResponse>"), &stop(V2014)).into_bytes(), 30001, "authHeader/gzipResponse"),
    ] {
        let reply = post_soap(&[], body).await;
        let text = reply.text();
        assert_eq!(reply.status, 500);
        assert!(text.contains("<faultstring>ipsApiFault</faultstring>"), "{text}");
        assert!(text.contains(&format!("<tns:code>{code}</tns:code>")) && text.contains(reason), "{reason}: {text}");
    }
    let reply = post_soap(&[], soap12).await.text();
    assert!(
        reply.contains("<soapenv:Reason>") && reply.contains("xmlns:soapenv=\"http://www.w3.org/2003/05/"),
        "{reply}"
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_names_the_limit() {
    let settings = Settings { max_body_bytes: 1000, ..Settings::default() };
    for size in [1001, 100_000] {
        let reply = send(settings.clone(), "POST", SOAP_PATH, &[], vec![b' '; size]).await;
        assert_eq!(reply.status, 413);
        assert!(reply.text().contains("larger than the limit of 1000 bytes"), "{}", reply.text());
    }
    let reply = send(settings, "POST", SOAP_PATH, &[], vec![b' '; 1000]).await;
    assert!(!reply.text().contains("larger"));
    let settings = Settings { max_body_bytes: 1000, ..Settings::default() };
    let zipped = gzip::compress(&" ".repeat(1001)).unwrap();
    let reply = send(settings, "POST", SOAP_PATH, &[("Content-Encoding", "gzip")], zipped).await;
    assert_eq!(reply.status, 413);
    assert!(reply.text().contains("limit of 1000 bytes when it is unpacked"), "{}", reply.text());
}

#[tokio::test]
async fn a_panic_is_a_fault_that_keeps_its_words_to_itself() {
    let body = format!(
        "<deleteJobParam xmlns='{V2014}'><companyHandle>1</companyHandle><jobHandle>j</jobHandle></deleteJobParam>"
    );
    let reply = post_soap(&[], soap11(&login(""), &body)).await;
    assert_eq!(reply.status, 500);
    assert!(
        reply.text().contains("<tns:code>30000</tns:code>") && !reply.text().contains("fell over"),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn an_answer_that_breaks_the_contract_fails_a_test() {
    let body = format!(
        "<createFolderParam xmlns='{V2014}'><companyHandle>1</companyHandle><folderPath>f</folderPath></createFolderParam>"
    );
    let reply = post_soap(&[], soap11(&login(""), &body)).await;
    assert_eq!((reply.status, reply.text().contains("<tns:code>30000</tns:code>")), (500, true), "{}", reply.text());
}

#[tokio::test]
async fn gzip_follows_the_servers_setting() {
    let ask = login("<gzipResponse>true</gzipResponse>");
    for (policy, header, accepts, is_compressed) in [
        (GzipPolicy::Never, ask.as_str(), true, false),
        (GzipPolicy::Soap, ask.as_str(), false, true),
        (GzipPolicy::Accept, &login("<gzipResponse>false</gzipResponse>"), true, false),
        (GzipPolicy::Always, &login(""), false, true),
    ] {
        let settings = Settings { gzip: policy, ..Settings::default() };
        let headers: &[_] = if accepts { &[("accept-encoding", "gzip")] } else { &[] };
        let reply = send(settings, "POST", SOAP_PATH, headers, soap11(header, &stop(V2014))).await;
        assert_eq!(reply.headers.contains_key("content-encoding"), is_compressed, "{policy:?}");
        let text = if is_compressed { reply.unzipped() } else { reply.text() };
        assert!(text.contains("<stopJobReturn"));
    }
}

#[tokio::test]
async fn utf16_requests_are_read() {
    let text = soap11(&login(""), &submit(V2014)).replace("My Test Job", "写真");
    let bytes: Vec<u8> = std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let reply = post_soap(&[("content-type", "text/xml; charset=utf-16")], bytes).await;
    assert!(reply.text().contains("j|47|写真||"), "{}", reply.text());
}

async fn get_path(path: &str, headers: &[(&str, &str)]) -> Reply {
    send(Settings::default(), "GET", path, headers, Body::empty()).await
}

#[tokio::test]
async fn the_wsdl_is_at_both_its_addresses_for_every_version() {
    for version in Contract::get().versions() {
        for folder in ["/scene7/webservice", "/scene7"] {
            let path = format!("{folder}/{}", version.wsdl_file());
            let reply = get_path(&path, &[("host", "127.0.0.1:8123"), ("authorization", "Basic dTpw")]).await;
            assert_eq!((reply.status, reply.media_type()), (200, "text/xml;charset=UTF-8"), "{path}");
            let address = "location=\"http://127.0.0.1:8123/scene7/services/IpsApiService\"";
            assert!(reply.text().contains(address), "{path}");
            assert!(reply.text().contains(&format!("targetNamespace=\"{}\"", version.namespace())));
        }
    }
}

#[tokio::test]
async fn the_wsdl_can_be_had_in_other_ways() {
    let newest = format!("targetNamespace=\"{V2014}\"");
    for path in ["/scene7/services/IpsApiService?wsdl", "/scene7/services/IpsApiService?WSDL"] {
        assert!(get_path(path, &[]).await.text().contains(&newest), "{path}");
    }
    let path = "/scene7/IpsApi.wsdl?serviceUrl=https%3A%2F%2Fips.example.com%2Fx%3Fa%3D1%26b%3D2";
    assert!(get_path(path, &[]).await.text().contains("location=\"https://ips.example.com/x?a=1&amp;b=2\""));
    for url in ["javascript:x", &format!("http://a/{}", "x".repeat(300))] {
        let reply = get_path(&format!("/scene7/IpsApi.wsdl?serviceUrl={url}"), &[]).await;
        let rule = "serviceUrl must be an http or https address of at most 300 characters\n";
        assert_eq!((reply.status, reply.text().as_str()), (400, rule));
    }
    let reply = get_path("/scene7/IpsApi.wsdl", &[("accept-encoding", "gzip")]).await;
    assert!(reply.unzipped().contains("wsdl:definitions"));
    let head = send(Settings::default(), "HEAD", "/scene7/IpsApi-2014-04-03.wsdl", &[], Body::empty()).await;
    assert_eq!((head.status, head.bytes.len()), (200, 0));
}

#[tokio::test]
async fn wrong_addresses_and_methods_say_what_is_right() {
    let reply = get_path("/scene7/webservice/Other.wsdl", &[]).await;
    assert_eq!(reply.status, 404);
    assert!(reply.text().contains("/scene7/webservice/IpsApi-2014-04-03.wsdl\n"));
    for (method, path, allow) in [
        ("GET", SOAP_PATH, "POST"),
        ("PUT", SOAP_PATH, "POST"),
        ("GET", PLAIN_PATH, "POST"),
        ("POST", "/scene7/webservice/IpsApi.wsdl", "GET, HEAD"),
    ] {
        let reply = send(Settings::default(), method, path, &[], Body::empty()).await;
        assert_eq!((reply.status, &reply.headers["allow"]), (405, &HeaderValue::from_static(allow)), "{method} {path}");
        assert!(reply.text().starts_with(method) && reply.text().contains("not how this address is used"));
    }
}

/// Speaks to a real listener, byte by byte, as .NET does.
#[tokio::test]
async fn expect_100_continue_is_answered() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app(Settings::default()).into_make_service_with_connect_info::<std::net::SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).await });
    let body = soap11(&login(""), &stop(V2014));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {SOAP_PATH} HTTP/1.1\r\nHost: {address}\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(interim.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.contains("<stopJobReturn"), "{reply}");
    server.abort();
}

/// Damages a good request in many ways; each gets a whole reply, and none reaches a panic.
#[tokio::test]
async fn damaged_requests_always_get_a_whole_reply() {
    let good = soap11(&login("<locale>en</locale><gzipResponse>0</gzipResponse>"), &submit(V2014)).into_bytes();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..2000 {
        let mut damaged = good.clone();
        for _ in 0..=random(3) {
            let at = random(damaged.len());
            match random(4) {
                0 => damaged[at] = random(256) as u8,
                1 => drop(damaged.remove(at)),
                2 => damaged.truncate(at + 1),
                _ => damaged.insert(at, b"<>&/\"';[]!?\0\xff"[random(13)]),
            }
        }
        let shown = String::from_utf8_lossy(&damaged).into_owned();
        let reply = post_soap(&[], damaged).await;
        assert!(matches!(reply.status, 200 | 500), "{shown}");
        let text = reply.text();
        assert!(!text.contains("Internal error"), "{shown}");
        xml::parse(&text, &xml::Limits::default()).unwrap_or_else(|problem| panic!("{problem} in {text} for {shown}"));
    }
}

#[tokio::test]
async fn a_long_list_is_written_page_by_page() {
    let call = |name: &str| {
        format!("<getScheduledJobsParam xmlns='{V2014}'><originalName>{name}</originalName></getScheduledJobsParam>")
    };
    let post = |name: &str, accept: &str| {
        let request = HttpRequest::post(SOAP_PATH).header("accept-encoding", accept);
        app(Settings::default()).oneshot(request.body(Body::from(soap11(&login(""), &call(name)))).unwrap())
    };
    let mut whole = String::new();
    for accept in ["identity", "gzip"] {
        let response = post("all", accept).await.unwrap();
        assert_eq!(response.headers().get("content-length"), None, "nobody knows how long it is");
        assert_eq!(response.extensions().get::<OperationName>(), Some(&OperationName("getScheduledJobs")));
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let reply = Reply { status: parts.status.as_u16(), headers: parts.headers, bytes };
        let text = if accept == "gzip" { reply.unzipped() } else { reply.text() };
        assert_eq!((reply.status, reply.media_type()), (200, XML));
        let names: Vec<&str> = text.split("<name>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
        assert_eq!(names, ["0", "1", "2", "3", "4", "5"]);
        let root = xml::parse(&text, &xml::Limits::default()).unwrap();
        assert_eq!(root.name, "Envelope");
        whole = text;
    }
    for accept in ["identity", "gzip"] {
        let mut pieces = post("broken", accept).await.unwrap().into_body().into_data_stream();
        let mut bytes = Vec::new();
        let error = loop {
            match pieces.next().await.expect("it does not end as if it were whole") {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("the third page is torn"), "{error}");
        assert!(pieces.next().await.is_none());
        assert!(!bytes.is_empty() && bytes.len() < whole.len(), "what was written before the fault is out");
    }
}

#[tokio::test]
async fn what_a_request_grows_to_is_what_is_charged_for_it() {
    let bound = |bytes: &[u8], content_type: &str| {
        let charset = parameter(Some(content_type), "charset");
        related::room(Some(content_type), bytes) + text::room(bytes, charset.as_deref())
    };
    let held = |bytes: &[u8], content_type: &str| {
        let root = related::root(Some(content_type), bytes).unwrap();
        let wrapped = if let Cow::Owned(bytes) = &root.bytes { bytes.capacity() } else { 0 };
        let charset = parameter(Some(content_type), "charset");
        let text = text::decode(&root.bytes, charset.as_deref()).unwrap();
        wrapped + if let Cow::Owned(text) = text { text.capacity() } else { 0 }
    };
    let body = soap11("", &format!("<a>{}</a>", "e".repeat(40_000)));
    let euros: Vec<u8> = body.bytes().map(|byte| if byte == b'e' { 0x80 } else { byte }).collect();
    let wide: Vec<u8> = body.replace("eeee", "\u{20AC}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let parts = format!("--B\r\nContent-Type: text/xml\r\n\r\n{body}\r\n--B--\r\n").into_bytes();
    for (bytes, content_type, grows) in [
        (body.as_bytes(), "text/xml;charset=utf-8", false),
        (&euros, "text/xml;charset=windows-1252", true),
        (&euros, "text/xml;charset=iso-8859-1", true),
        (&wide, "text/xml", true),
        (&parts, "multipart/related; boundary=B", true),
    ] {
        let (held, bound) = (held(bytes, content_type), bound(bytes, content_type));
        assert!(held <= bound && (bound > 0) == grows, "{content_type}: {held} are held of {bound}");
    }
}

/// Answers that nobody has taken yet are held, and those of a list a piece at a time.
#[tokio::test]
async fn answers_are_charged_for_until_they_are_sent() {
    let budgets = Budgets::new(u64::MAX, u64::MAX, std::time::Duration::from_secs(1));
    let state = SoapState { dispatch: Arc::new(Desk), settings: Settings::default(), budgets: budgets.clone() };
    let app = router(watch::Sender::new(Arc::new(state)).subscribe());
    let post = |body: &str| {
        let request = HttpRequest::post(SOAP_PATH).body(Body::from(soap11(&login(""), body))).unwrap();
        app.clone().oneshot(request)
    };
    let held = || budgets.held().map(|held| held.bytes);
    let response = post(&submit(V2014).replace("My Test Job", &"x".repeat(5000))).await.unwrap();
    let length = response.headers().get("content-length").cloned();
    assert!(held()[0] == 0 && held()[1] > 5000, "{:?} {length:?}", held());
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(held(), [0, bytes.len() as u64]);
    drop(bytes);
    assert_eq!(held(), [0, 0]);
    let list =
        format!("<getScheduledJobsParam xmlns='{V2014}'><originalName>all</originalName></getScheduledJobsParam>");
    let mut pieces = post(&list).await.unwrap().into_body().into_data_stream();
    let mut most = 0;
    while let Some(piece) = pieces.next().await {
        let length = piece.unwrap().len() as u64;
        most = most.max(length);
    }
    assert!(most > 40_000, "{most}");
    assert_eq!(held(), [0, 0]);
    let mut pieces = post(&list).await.unwrap().into_body().into_data_stream();
    let (one, two) = (pieces.next().await.unwrap().unwrap(), pieces.next().await.unwrap().unwrap());
    assert_eq!(held(), [0, (one.len() + two.len()) as u64]);
}
