//! Requests byte by byte as clients in use send them, and what these clients look for in the answers.

use prepress::model::role::Role;

use crate::server::stage::Stage;
use crate::server::{Answer, PASSWORD, Server};
use crate::{ADA, server};

const SOAP: &str = "/scene7/services/IpsApiService";
const PLAIN: &str = "/scene7/api/IpsApiService";
const BASE: &str = "http://www.scene7.com/IpsApi/xsd";

/// Head and body of a request on a connection that ends with it.
fn request(path: &str, head: &[&str], body: &str) -> Vec<u8> {
    let head: String = head.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The Ruby client: SOAP 1.1 with an unversioned header, a quoted action, weights for its codings.
#[tokio::test(flavor = "multi_thread")]
async fn the_ruby_wrapper_works() {
    let (stage, registry) = Stage::set();
    let server = Server::start_with(Some(registry), |_| {}).await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    let asset = server.asset(47, "", "shoe").await;
    let namespace = format!("{BASE}/2010-01-31");
    let call = async |operation: &str, body: &str| -> (reqwest::StatusCode, Option<String>, String) {
        let body = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns="{namespace}"><env:Header><authHeader xmlns="{BASE}"><user>{ADA}</user><password>{PASSWORD}</password><appName>Acme</appName><appVersion>1.0</appVersion></authHeader></env:Header><env:Body><{operation}Param xmlns="{namespace}">{body}</{operation}Param></env:Body></env:Envelope>"#
        );
        let sent = server
            .client()
            .post(server.url(SOAP))
            .header("SOAPAction", format!("\"{operation}\""))
            .header("Content-Type", "text/xml;charset=UTF-8")
            .header("Accept-Encoding", "gzip;q=1.0,deflate;q=0.6,identity;q=0.3");
        let response = sent.body(body).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let coding = headers.get("content-encoding").map(|coding| coding.to_str().unwrap().to_owned());
        let bytes = response.bytes().await.unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
        (status, coding, text)
    };
    let (status, coding, company) = call("getCompanyInfo", "<companyName>Acme</companyName>").await;
    assert_eq!((status.as_u16(), coding.as_deref()), (200, Some("gzip")));
    assert!(
        company.contains("<companyHandle>c|47</companyHandle><name>Acme</name><rootPath>Acme/</rootPath>"),
        "{company}"
    );
    let upload = "<companyHandle>c|47</companyHandle><jobName>Held 0123456789abcdef01234</jobName><uploadUrlsJob><urlArray>\
        <items><sourceUrl>http://127.0.0.1:9/a.jpg</sourceUrl><destPath>a</destPath></items></urlArray>\
        <overwrite>true</overwrite><readyForPublish>true</readyForPublish><createMask>false</createMask>\
        <emailSetting>None</emailSetting></uploadUrlsJob>";
    let (status, _, text) = call("submitJob", upload).await;
    assert!(status == 200 && text.contains("<jobHandle>j|47|Held 0123456789abcdef01234||</jobHandle>"), "{text}");
    let publish = "<companyHandle>c|47</companyHandle><jobName>Held publish</jobName><imageServingPublishJob>\
        <publishType>Full</publishType><emailSetting>None</emailSetting></imageServingPublishJob>";
    assert_eq!(call("submitJob", publish).await.0, 200);
    // It takes the first item with a publish job from an array of two, and stops it.
    let (_, _, active) = call("getActiveJobs", "<companyHandle>c|47</companyHandle>").await;
    assert_eq!(active.matches("<items><companyHandle>c|47</companyHandle><jobHandle>").count(), 2, "{active}");
    let publish = active.split("<items>").find(|item| item.contains("<imageServingPublishJob>")).unwrap();
    assert!(publish.contains("<httpCompletionUrl/>"), "as in recorded replies: {publish}");
    let handle = between(publish, "<jobHandle>", "</jobHandle>");
    assert!(handle.starts_with("j|47||Held publish_"), "{handle}");
    let stop = format!("<companyHandle>c|47</companyHandle><jobHandle>{handle}</jobHandle>");
    let (status, _, text) = call("stopJob", &stop).await;
    assert!(status == 200 && text.contains(&format!("<stopJobReturn xmlns=\"{namespace}\"/>")), "{text}");
    // renameFiles is gone from this version; it is sent all the same.
    let rename = format!(
        "<companyHandle>c|47</companyHandle><assetHandle>{asset}</assetHandle><newName>boot</newName>\
         <validateName>true</validateName><renameFiles>true</renameFiles>"
    );
    let (status, _, text) = call("renameAsset", &rename).await;
    assert!(status == 200 && text.contains("<renameAssetReturn "), "{text}");
    let (status, _, text) =
        call("getAssetsByName", "<companyHandle>c|47</companyHandle><nameArray><items>none</items></nameArray>").await;
    assert!(status == 200 && text.contains("<assetArray/>"), "an empty list, not nothing: {text}");
    stage.clear();
    server.shut_down().await;
}

/// Python scripts that write XML by hand: SOAP 1.2 without a content type, a lower-case action, 1 for true, EN for English.
#[tokio::test(flavor = "multi_thread")]
async fn hand_written_soap_12_works() {
    let server = server().await;
    server.asset(47, "Shoes/Red", "shoe").await;
    let namespace = format!("{BASE}/2014-04-03");
    let body = format!(
        r#"<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:ns="{namespace}"><soap:Header><ns:authHeader><ns:user>{ADA}</ns:user><ns:password>{PASSWORD}</ns:password><ns:locale>EN</ns:locale><ns:appName>script</ns:appName><ns:appVersion>1</ns:appVersion><ns:gzipResponse>0</ns:gzipResponse></ns:authHeader></soap:Header><soap:Body><ns:searchAssetsParam><ns:companyHandle>c|47</ns:companyHandle><ns:folder>Acme/Shoes/</ns:folder><ns:includeSubfolders>1</ns:includeSubfolders></ns:searchAssetsParam></soap:Body></soap:Envelope>"#
    );
    let answer = server.raw(&request(SOAP, &["soapaction: searchAssets", "Accept-Encoding: gzip"], &body)).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(head.contains("content-type: text/xml;charset=UTF-8"), "{head}");
    assert!(!head.contains("gzip\r\n") && !head.contains("content-encoding"), "gzipResponse is 0: {head}");
    let expected = "<soapenv:Envelope xmlns:soapenv=\"http://www.w3.org/2003/05/soap-envelope\"><soapenv:Body><searchAssetsReturn ";
    assert!(body.contains(expected) && body.contains("<name>shoe</name>"), "{body}");
    server.shut_down().await;
}

/// Node scripts: literal tags are cut from the answer, folders that exist are told by two words.
#[tokio::test(flavor = "multi_thread")]
async fn the_node_scripts_work() {
    let server = server().await;
    let namespace = format!("{BASE}/2016-01-14-beta");
    let call = async |operation: &str, body: &str| -> Answer {
        let body = format!(
            r#"<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Header><authHeader xmlns="{namespace}"><user>{ADA}</user><password>{PASSWORD}</password><locale>en-US</locale><appName>node</appName><appVersion>1.0</appVersion><faultHttpStatusCode>200</faultHttpStatusCode></authHeader></SOAP-ENV:Header><SOAP-ENV:Body><{operation}Param xmlns="{namespace}">{body}</{operation}Param></SOAP-ENV:Body></SOAP-ENV:Envelope>"#
        );
        server.post(SOAP, &body, &[("SOAPAction", operation), ("Content-Type", "text/xml")]).await
    };
    let create = "<companyHandle>c|47</companyHandle><folderPath>Acme/Spring/</folderPath>";
    let made = call("createFolder", create).await;
    let (start, end) = (made.text.find("<soapenv:Body>").unwrap(), made.text.find("</soapenv:Body>").unwrap());
    let cut = &made.text[start + "<soapenv:Body>".len()..end];
    assert_eq!(
        cut,
        format!(
            "<createFolderReturn xmlns=\"{namespace}\"><folderHandle>f|Acme/Spring/</folderHandle></createFolderReturn>"
        )
    );
    let again = call("createFolder", create).await;
    assert_eq!((again.status, again.fault_code()), (200, Some(30000)), "{}", again.text);
    assert!(again.reason().contains("already exists"), "{}", again.reason());
    let move_nothing = "<companyHandle>c|47</companyHandle><assetMoveArray><items><assetHandle>a|9999</assetHandle>\
        <folderHandle>f|Acme/Spring/</folderHandle></items></assetMoveArray>";
    let moved = call("moveAssets", move_nothing).await;
    assert!(moved.status == 200 && moved.text.contains("<errorCount>1</errorCount>"), "{}", moved.text);
    server.shut_down().await;
}

/// AEM: plain XML, replies read by paths without namespaces, an export followed by the name it was submitted under.
#[tokio::test(flavor = "multi_thread")]
async fn the_export_cycle_works() {
    let (stage, registry) = Stage::set();
    let server = Server::start_with(Some(registry), |_| {}).await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    let asset = server.asset(47, "", "shoe").await;
    let (outer, inner) = (format!("{BASE}/2017-10-29-beta"), format!("{BASE}/2019-09-10-beta"));
    let call = async |operation: &str, body: &str| -> Answer {
        let body = format!(
            r#"<Request xmlns="{outer}"><authHeader xmlns="{inner}"><user>{ADA}</user><password>{PASSWORD}</password><locale>en-US</locale><appName>AEM</appName><appVersion>6.5</appVersion><faultHttpStatusCode>200</faultHttpStatusCode></authHeader><{operation}Param xmlns="{inner}">{body}</{operation}Param></Request>"#
        );
        server.post(PLAIN, &body, &[("Content-Type", "text/xml")]).await
    };
    let export = format!(
        "<companyHandle>c|47</companyHandle><jobName>Held EAEM_1591903696017</jobName><exportJob><assetHandleArray>\
         <items>{asset}</items></assetHandleArray><fmt>orig</fmt><emailSetting>All</emailSetting></exportJob>"
    );
    let submitted = call("submitJob", &export).await;
    let root = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<submitJobReturn xmlns=\"{inner}\"><jobHandle>j|47|Held EAEM_1591903696017||</jobHandle>"
    );
    assert!(submitted.text.starts_with(&root), "{}", submitted.text);
    let poll = "<companyHandle>c|47</companyHandle><originalName>Held EAEM_1591903696017</originalName>";
    let running = until(async || {
        let log = call("getJobLogDetails", poll).await;
        log.text.contains("<logType>BeginExportJob</logType><dateCreated>").then_some(log)
    })
    .await;
    assert!(running.text.contains("<originalJobName>Held EAEM_1591903696017</originalJobName>"), "{}", running.text);
    assert!(running.text.contains("<jobSubType/>"), "present though empty: {}", running.text);
    assert!(!running.text.contains("<endDate>"), "it runs still: {}", running.text);
    stage.clear();
    let ended = until(async || {
        let log = call("getJobLogDetails", poll).await;
        log.text.contains("<endDate>").then_some(log)
    })
    .await;
    assert_eq!(ended.text.matches("<jobName>").count(), 1, "one run: {}", ended.text);
    let fault = call("getJobLogDetails", "<companyHandle>c|99</companyHandle><originalName>x</originalName>").await;
    assert_eq!(fault.status, 200, "the status it asked for");
    assert!(
        fault.text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tns:authorizationFault "),
        "{}",
        fault.text
    );
    server.shut_down().await;
}

/// An audit: the logs of a span of time, of these the uploads, of each the lines it is after.
#[tokio::test(flavor = "multi_thread")]
async fn the_audit_cycle_works() {
    let (_stage, registry) = Stage::set();
    let server = Server::start_with(Some(registry), |_| {}).await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsUser).await;
    server.asset(47, "", "shoe").await;
    let namespace = format!("{BASE}/2019-09-10-beta");
    let call = async |operation: &str, body: &str| -> Answer {
        server.soap(ADA, &format!("<{operation}Param xmlns=\"{namespace}\">{body}</{operation}Param>")).await
    };
    let upload = "<companyHandle>c|47</companyHandle><jobName>Nightly</jobName><uploadDirectoryJob><serverDir>in</serverDir>\
        <overwrite>true</overwrite><readyForPublish>true</readyForPublish><includeSubfolders>true</includeSubfolders>\
        <createMask>false</createMask><processMetadataFiles>false</processMetadataFiles><emailSetting>None</emailSetting>\
        </uploadDirectoryJob>";
    let publish = "<companyHandle>c|47</companyHandle><jobName>Publish</jobName><imageServingPublishJob>\
        <publishType>Incremental</publishType><emailSetting>None</emailSetting></imageServingPublishJob>";
    assert_eq!(call("submitJob", upload).await.status, 200);
    assert_eq!(call("submitJob", publish).await.status, 200);
    server.all_done().await;
    let span = "<startDate>2000-01-01T00:00:00.000Z</startDate><endDate>2999-01-01T00:00:00.000Z</endDate><numRows>1000</numRows>";
    let logs = call("getJobLogs", &format!("<companyHandle>c|47</companyHandle>{span}")).await.text;
    let uploads: Vec<&str> =
        logs.split("<items>").filter(|log| log.contains("<logType>BeginUpload</logType>")).collect();
    assert_eq!((uploads.len(), logs.matches("<items>").count()), (1, 2), "{logs}");
    assert!(logs.contains("<jobSubType>increment</jobSubType>"), "{logs}");
    let handle = between(uploads[0], "<jobHandle>", "</jobHandle>");
    let types = "<logTypeArray><items>BeginUpload</items><items>UploadSuccess</items></logTypeArray>";
    let details =
        call("getJobLogDetails", &format!("<companyHandle>c|47</companyHandle><jobHandle>{handle}</jobHandle>{types}"))
            .await
            .text;
    assert!(details.contains("<detailTotalRows>2</detailTotalRows>"), "{details}");
    let message = between(details.split("<items>").last().unwrap(), "<logMessage>", "</logMessage>");
    assert_eq!(message.rsplit_once(" was processed ").unwrap().0, "Acme/shoe.jpg");
    assert!(details.contains("<auxArray/>") && details.contains("<assetHandle>a|"), "{details}");
    server.shut_down().await;
}

/// ext-soap: the header is unversioned, its children are versioned, and it says which type it is of.
#[tokio::test(flavor = "multi_thread")]
async fn a_header_in_two_namespaces_is_read() {
    let server = server().await;
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" xmlns:ns1="{BASE}/2014-04-03" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:ns2="{BASE}"><SOAP-ENV:Header><ns2:authHeader xsi:type="ns1:authHeader"><ns1:user>{ADA}</ns1:user><ns1:password>{PASSWORD}</ns1:password></ns2:authHeader></SOAP-ENV:Header><SOAP-ENV:Body><ns1:getCompanyInfoParam><ns1:companyName>Acme</ns1:companyName></ns1:getCompanyInfoParam></SOAP-ENV:Body></SOAP-ENV:Envelope>
"#
    );
    let head =
        ["User-Agent: PHP-SOAP/8.2.29", "Content-Type: text/xml; charset=utf-8", "SOAPAction: \"getCompanyInfo\""];
    let answer = server.raw(&request(SOAP, &head, &body)).await;
    assert!(answer.contains("<companyHandle>c|47</companyHandle>"), "{answer}");
    server.shut_down().await;
}

/// .NET sends its head, and its body only when it is told to.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_first_is_told_to_go_on() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = server().await;
    let body = crate::server::envelope(
        &format!("<authHeader xmlns=\"{BASE}\"><user>{ADA}</user><password>{PASSWORD}</password></authHeader>"),
        &format!(
            "<getCompanyInfoParam xmlns=\"{BASE}/2014-04-03\"><companyName>Acme</companyName></getCompanyInfoParam>"
        ),
    );
    let whole = request(SOAP, &["Expect: 100-continue", "Content-Type: text/xml; charset=utf-8"], &body);
    let (head, body) = whole.split_at(whole.len() - body.len());
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(head).await.unwrap();
    let mut told = vec![0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(String::from_utf8(told).unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("<name>Acme</name>"), "{answer}");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_have_the_status_that_was_asked_for() {
    let server = server().await;
    let call = async |status: &str| {
        let header = format!(
            "<authHeader xmlns=\"{BASE}\"><faultHttpStatusCode>{status}</faultHttpStatusCode><user>{ADA}</user>\
             <password>wrong</password></authHeader>"
        );
        let body =
            format!("<getCompanyInfoParam xmlns=\"{BASE}\"><companyName>Acme</companyName></getCompanyInfoParam>");
        server.post(SOAP, &crate::server::envelope(&header, &body), &[]).await
    };
    for (asked, status) in [("200", 200), ("418", 418), ("599", 599), ("", 500)] {
        let answer = call(asked).await;
        assert_eq!((answer.status, answer.fault_code()), (status, Some(10001)), "{asked}: {}", answer.text);
    }
    for asked in ["0", "199", "204", "304", "600", "99999999999", "-200", "ok", "2e2"] {
        let answer = call(asked).await;
        assert_eq!((answer.status, answer.fault_code()), (500, Some(30001)), "{asked}: {}", answer.text);
        assert!(answer.reason().contains("faultHttpStatusCode"), "{}", answer.reason());
    }
    server.shut_down().await;
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).unwrap_or_else(|| panic!("no {from} in {text}")).0
}

/// Looks until something is seen: another task brings it about.
pub async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), waiting).await.expect("it never came")
}
