//! The cycle of a client that exports: submit, poll the log until it shows an address, download.

use prepress::model::role::Role;

use crate::server::{Answer, PASSWORD, Server};
use crate::{ADA, NEWEST};

async fn server() -> Server {
    let server = Server::start_working().await;
    server.company("Acme & Söhne", 47).await;
    server.user(ADA, "Acme & Söhne", Role::IpsUser).await;
    server
}

/// As clients of the plain endpoint send it: a request element, and no envelope.
async fn plain(server: &Server, request: &str) -> Answer {
    let body = format!(
        "<Request xmlns=\"http://www.scene7.com/IpsApi/xsd/2017-10-29-beta\">\
         <authHeader xmlns=\"http://www.scene7.com/IpsApi/xsd\"><user>{ADA}</user><password>{PASSWORD}</password>\
         <appName>tests</appName><appVersion>1</appVersion><faultHttpStatusCode>200</faultHttpStatusCode></authHeader>\
         {request}</Request>"
    );
    server.post("/scene7/api/IpsApiService", &body, &[("Content-Type", "text/xml")]).await
}

async fn submit(server: &Server, name: &str, job: &str) -> Answer {
    let request = format!(
        "<submitJobParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><jobName>{name}</jobName>{job}</submitJobParam>"
    );
    plain(server, &request).await
}

async fn details(server: &Server, name: &str) -> String {
    let request = format!(
        "<getJobLogDetailsParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><originalName>{name}</originalName></getJobLogDetailsParam>"
    );
    plain(server, &request).await.text
}

fn export(assets: &[&str], fmt: &str, rest: &str) -> String {
    let items: String = assets.iter().map(|asset| format!("<items>{asset}</items>")).collect();
    format!(
        "<exportJob><assetHandleArray>{items}</assetHandleArray><fmt>{fmt}</fmt>{rest}<emailSetting>JobCompletion</emailSetting></exportJob>"
    )
}

/// Uploads a picture; its handle.
async fn picture(server: &Server) -> String {
    let company = server.store().company(prepress::model::id::CompanyId(47)).await.unwrap().unwrap();
    let folder = server.data().join("ingest").join(company.root_path).join("in");
    std::fs::create_dir_all(&folder).unwrap();
    image::RgbImage::from_fn(300, 200, |x, y| image::Rgb([x as u8, y as u8, 9])).save(folder.join("shoe.png")).unwrap();
    let upload = "<uploadDirectoryJob><serverDir>in</serverDir><overwrite>true</overwrite><readyForPublish>false</readyForPublish>\
        <includeSubfolders>false</includeSubfolders><createMask>false</createMask><processMetadataFiles>false</processMetadataFiles>\
        <emailSetting>None</emailSetting></uploadDirectoryJob>";
    let answer = submit(server, "Upload", upload).await;
    assert!(answer.text.contains("submitJobReturn"), "{}", answer.text);
    server.all_done().await;
    let request = format!(
        "<getAssetsByNameParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><nameArray><items>shoe</items></nameArray></getAssetsByNameParam>"
    );
    let found = plain(server, &request).await.text;
    found.split_once("<assetHandle>").unwrap().1.split_once('<').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_submits_polls_and_downloads() {
    let server = server().await;
    let asset = picture(&server).await;
    let job = export(&[&asset], "convert", "<is_modifier>wid=100&amp;fmt=jpeg</is_modifier>");
    let answer = submit(&server, "EAEM_1591903696017", &job).await;
    assert!(answer.text.contains("<jobHandle>j|47|EAEM_1591903696017||</jobHandle>"), "{}", answer.text);
    let address = crate::shapes::until(async || {
        let log = details(&server, "EAEM_1591903696017").await;
        let names = log.split("<assetName>").skip(1).map(|rest| rest.split_once('<').unwrap().0.to_owned());
        names.into_iter().find(|name| name.starts_with("http"))
    })
    .await;
    server.all_done().await;
    let start = format!("http://{}/Exports/Acme%20%26%20S%C3%B6hne/", server.address());
    assert!(address.starts_with(&start) && address.ends_with(".zip"), "{address}");
    let log = details(&server, "EAEM_1591903696017").await;
    for expected in [
        "<logType>BeginExportJob</logType>",
        "<fileSuccessCount>2</fileSuccessCount>",
        "<fileErrorCount>0</fileErrorCount>",
        "<logType>ExportJobRenderFileSuccess</logType>",
        "<assetName>shoe</assetName><assetType>ExportJobRenderedFile</assetType>",
        "<logType>ZipFileExportJobSuccess</logType>",
        "<assetType>ExportJobZip</assetType>",
        "shoe.png is exported to shoe.jpg",
    ] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    download(&server, &address).await;
    let mails = std::fs::read_dir(server.data().join("mail")).unwrap();
    let mails: Vec<String> = mails
        .map(|entry| String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned())
        .collect();
    let token = address.rsplit('/').next().unwrap();
    // Lines of mails are broken by quoted-printable.
    let joined: Vec<String> = mails.iter().map(|mail| mail.replace("=\r\n", "")).collect();
    assert!(joined.iter().any(|mail| mail.contains(token)), "the mail has the path");
    let host = server.address().to_string();
    assert!(!joined.iter().any(|mail| mail.contains(&host)), "and not the host that the client said it called");
    server.shut_down().await;
}

/// Without credentials, whole and in part; and not by guessing, nor after it has expired.
async fn download(server: &Server, address: &str) {
    let client = server.client();
    let response = client.get(address).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/zip");
    assert!(header("content-disposition").starts_with("attachment; filename=\"export-"));
    assert_eq!(header("accept-ranges"), "bytes");
    let length: usize = header("content-length").parse().unwrap();
    let whole = response.bytes().await.unwrap();
    assert_eq!(whole.len(), length);
    let file = server.data().join("downloaded.zip");
    std::fs::write(&file, &whole).unwrap();
    let listed = std::process::Command::new("unzip").args(["-t", file.to_str().unwrap()]).output().unwrap();
    assert!(String::from_utf8_lossy(&listed.stdout).contains("shoe.jpg"), "{listed:?}");
    let head = client.head(address).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()),
        (200, &*length.to_string())
    );
    let part = client.get(address).header("Range", "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), whole[10..20]);
    let beyond = client.get(address).header("Range", format!("bytes={length}-")).send().await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"].to_str().unwrap(), format!("bytes */{length}"));
    going_on(client, address, &whole).await;
    let (folder, token) = address.rsplit_once('/').unwrap();
    let flipped = if token.starts_with('0') { "1" } else { "0" };
    let guesses = [
        format!("{folder}/{flipped}{}", &token[1..]),
        format!("{folder}/.zip"),
        format!("{folder}/{}", token.trim_end_matches(".zip")),
        format!("{folder}/..%2f..%2fprepress.db"),
        folder.rsplit_once('/').unwrap().0.to_owned() + "/999/" + token,
        folder.rsplit_once('/').unwrap().0.to_owned() + "/x/" + token,
    ];
    for guess in guesses {
        assert_eq!(client.get(&guess).send().await.unwrap().status(), 404, "{guess}");
    }
    server.execute("UPDATE export SET expires_at = 1").await;
    let late = client.get(address).send().await.unwrap();
    assert_eq!(late.status(), 410);
    assert!(late.text().await.unwrap().contains("expired"));
}

/// A download that broke off goes on with the same file only, and several parts are told as such.
async fn going_on(client: &reqwest::Client, address: &str, whole: &[u8]) {
    let head = client.head(address).header("Range", "bytes=10-19").send().await.unwrap();
    assert_eq!(head.status(), 200);
    let said = |name: &str| head.headers()[name].to_str().unwrap().to_owned();
    let (tag, date) = (said("etag"), said("last-modified"));
    assert!(tag.starts_with('"'), "a strong tag: {tag}");
    assert_eq!(said("content-length"), whole.len().to_string());
    let part = |range: &'static str, condition: String| {
        client.get(address).header("Range", range).header("If-Range", condition).send()
    };
    for condition in [&tag, &date] {
        let response = part("bytes=10-", condition.clone()).await.unwrap();
        assert_eq!(response.status(), 206, "{condition}");
        let range = format!("bytes 10-{}/{}", whole.len() - 1, whole.len());
        assert_eq!(response.headers()["content-range"].to_str().unwrap(), range);
        assert_eq!(response.bytes().await.unwrap(), whole[10..]);
    }
    for condition in [format!("W/{tag}"), "\"other\"".to_owned(), "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()] {
        for range in ["bytes=10-", "bytes=10-19,900000000-", "bytes=900000000-"] {
            let response = part(range, condition.clone()).await.unwrap();
            assert_eq!(response.status(), 200, "{condition}, {range}");
            assert_eq!(response.bytes().await.unwrap(), whole, "{condition}, {range}");
        }
    }
    let response = client.get(address).header("Range", "bytes=-7, 0-9,900000000-").send().await.unwrap();
    assert_eq!(response.status(), 206);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect(&kind).to_owned();
    let body = response.bytes().await.unwrap();
    let mut expected = Vec::new();
    for range in [whole.len() - 7..whole.len(), 0..10] {
        let place = format!("bytes {}-{}/{}", range.start, range.end - 1, whole.len());
        expected.extend(
            format!("\r\n--{boundary}\r\nContent-Type: application/zip\r\nContent-Range: {place}\r\n\r\n").bytes(),
        );
        expected.extend(&whole[range]);
    }
    expected.extend(format!("\r\n--{boundary}--\r\n").bytes());
    assert_eq!(body, expected);
    let same = client.get(address).header("If-None-Match", &tag).send().await.unwrap();
    assert_eq!(same.status(), 304);
    let other = client.get(address).header("If-Match", "\"other\"").send().await.unwrap();
    assert_eq!(other.status(), 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_address_comes_before_the_one_used() {
    let server = Server::start_with(None, |config| {
        config.server.public_url = Some("https://images.example.com/".parse().unwrap());
    })
    .await;
    server.company("Acme & Söhne", 47).await;
    server.user(ADA, "Acme & Söhne", Role::IpsUser).await;
    let asset = picture(&server).await;
    submit(&server, "Public", &export(&[&asset], "orig", "")).await;
    server.all_done().await;
    let log = details(&server, "Public").await;
    assert!(log.contains("<assetName>https://images.example.com/Exports/Acme%20%26%20S%C3%B6hne/"), "{log}");
    let mail = crate::shapes::until(async || {
        let mut mails = std::fs::read_dir(server.data().join("mail")).ok()?.map(|entry| entry.unwrap().path());
        let whole = mails.find(|path| path.extension().is_some_and(|end| end == "eml"))?;
        Some(String::from_utf8_lossy(&std::fs::read(whole).unwrap()).replace("=\r\n", ""))
    })
    .await;
    assert!(mail.contains("https://images.example.com/Exports/Acme%20%26%20S%C3%B6hne/"), "{mail}");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_order_is_a_fault_that_names_the_command() {
    let server = Server::start_with(None, |config| config.export.max_assets = 3).await;
    server.company("Acme & Söhne", 47).await;
    server.user(ADA, "Acme & Söhne", Role::IpsUser).await;
    let save = format!(
        "<saveImageFormatParam xmlns=\"{NEWEST}\"><companyHandle>c|47</companyHandle><name>Odd</name><urlModifier>qlt=750</urlModifier></saveImageFormatParam>"
    );
    assert!(plain(&server, &save).await.text.contains("imageFormatHandle"));
    let modifier = |text: &str| format!("<is_modifier>{text}</is_modifier>");
    for (job, expected) in [
        (export(&["a|1"], "convert", &modifier("wid=0")), "exportJob/is_modifier wid"),
        (export(&["a|1"], "convert", &modifier("qlt=101")), "exportJob/is_modifier qlt 1 to 100"),
        (export(&["a|1"], "convert", &modifier("fmt=heic")), "exportJob/is_modifier fmt png-alpha"),
        (export(&["a|1"], "convert", &modifier("fit=crop")), "exportJob/is_modifier fit wid"),
        (export(&["a|1"], "convert", &modifier("icc=Nowhere")), "exportJob/is_modifier icc Nowhere"),
        (export(&["a|1"], "convert", &modifier("$none$")), "exportJob/is_modifier $none$ image format"),
        (export(&["a|1"], "convert", "<macro>none</macro>"), "exportJob/macro $none$ image format"),
        (export(&["a|1"], "convert", "<macro>$odd$</macro>"), "exportJob/macro qlt 750"),
        (export(&["a|1", "a|2", "a|3", "a|4"], "orig", ""), "exportJob/assetHandleArray at most 3 4"),
        (export(&[], "orig", ""), "assetHandleArray"),
        (export(&["c|1"], "orig", ""), "assetHandleArray"),
        (export(&["a|1"], "zip", ""), "fmt"),
    ] {
        let answer = submit(&server, "Bad", &job).await;
        assert_eq!(answer.status, 200, "as the client asked for");
        assert!(answer.text.contains("Fault>") || answer.text.contains("Fault xmlns"), "{job}: {}", answer.text);
        for part in expected.split(' ') {
            assert!(answer.text.contains(part), "{job}: {part}: {}", answer.text);
        }
    }
    assert_eq!(server.jobs().await, 0);
    server.shut_down().await;
}
