//! Image formats, from a client's side.

use prepress::model::role::Role;

use crate::server::Server;
use crate::{ADA, NEWEST, OLDEST, server};

const ACME: &str = "<companyHandle>47</companyHandle>";

async fn call(server: &Server, namespace: &str, operation: &str, fields: &str) -> crate::server::Answer {
    server.soap(ADA, &format!("<{operation}Param xmlns=\"{namespace}\">{ACME}{fields}</{operation}Param>")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_examples_work() {
    let server = server().await;
    let empty = call(&server, OLDEST, "getImageFormats", "").await;
    assert!(empty.payload().contains("<imageFormatArray"), "{}", empty.text);
    // As it is printed, with a quality that no JPEG has: image servers may know what to make of it.
    let saved = call(
        &server,
        OLDEST,
        "saveImageFormat",
        "<name>My Image Format Name</name><urlModifier>wid=400&amp;hei=400&amp;fmt=jpeg&amp;qlt=750&amp;op_sharpen=0&amp;\n \
         resMode=bicub&amp;op_usm=0.0,0.0,0,0&amp;iccEmbed=0\n</urlModifier>",
    )
    .await;
    let handle = saved.payload().split_once("<imageFormatHandle>").unwrap().1.split_once('<').unwrap().0.to_owned();
    assert!(handle.starts_with("47|"), "{}", saved.text);
    let newer = call(&server, NEWEST, "getImageFormats", "").await;
    assert!(newer.payload().contains(&format!("<imageFormatHandle>i|{handle}</imageFormatHandle>")), "{}", newer.text);
    assert!(newer.payload().contains("<name>My Image Format Name</name>"), "{}", newer.text);
    assert!(newer.payload().contains("<urlModifier>wid=400&amp;hei=400"), "{}", newer.text);
    let deleted =
        call(&server, OLDEST, "deleteImageFormat", &format!("<imageFormatHandle>{handle}</imageFormatHandle>")).await;
    assert_eq!(deleted.payload(), format!("<deleteImageFormatReturn xmlns=\"{OLDEST}\"/>"));
    let gone =
        call(&server, OLDEST, "deleteImageFormat", &format!("<imageFormatHandle>{handle}</imageFormatHandle>")).await;
    assert_eq!((gone.fault_code(), gone.reason().contains("imageFormatHandle")), (Some(30000), true), "{}", gone.text);
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_is_changed_by_its_handle_and_unique_by_its_name() {
    let server = server().await;
    server.company("Other", 48).await;
    server.user("eve@other.example", "Other", Role::IpsUser).await;
    let save = async |fields: &str| call(&server, NEWEST, "saveImageFormat", fields).await;
    let first = save("<name>Zoom</name><urlModifier>wid=1</urlModifier>").await;
    assert_eq!(first.status, 200, "{}", first.text);
    let handle = first.payload().split_once("<imageFormatHandle>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let changed = save(&format!(
        "<imageFormatHandle>{handle}</imageFormatHandle><name>zoom 2</name><urlModifier>wid=2</urlModifier>"
    ))
    .await;
    assert!(changed.payload().contains(&handle), "{}", changed.text);
    let formats = call(&server, NEWEST, "getImageFormats", "").await.payload().to_owned();
    assert!(formats.contains("<name>zoom 2</name><urlModifier>wid=2</urlModifier>"), "{formats}");
    assert!(!formats.contains("Zoom"), "{formats}");
    for (fields, code, field) in [
        ("<name>ZOOM 2</name><urlModifier>wid=3</urlModifier>".to_owned(), 30000, "name"),
        ("<name> </name><urlModifier>wid=3</urlModifier>".to_owned(), 30001, "name"),
        ("<name>a$b</name><urlModifier>wid=3</urlModifier>".to_owned(), 30001, "name"),
        (format!("<name>{}</name><urlModifier>wid=3</urlModifier>", "n".repeat(201)), 30001, "name"),
        ("<name>a</name><urlModifier> </urlModifier>".to_owned(), 30001, "urlModifier"),
        (format!("<name>a</name><urlModifier>{}</urlModifier>", "m".repeat(4001)), 30001, "urlModifier"),
        (
            "<imageFormatHandle>c|47</imageFormatHandle><name>a</name><urlModifier>wid=3</urlModifier>".to_owned(),
            30001,
            "imageFormatHandle",
        ),
        (
            "<imageFormatHandle>48|1</imageFormatHandle><name>a</name><urlModifier>wid=3</urlModifier>".to_owned(),
            20006,
            "imageFormatHandle",
        ),
        (
            "<imageFormatHandle>47|999</imageFormatHandle><name>a</name><urlModifier>wid=3</urlModifier>".to_owned(),
            30000,
            "imageFormatHandle",
        ),
    ] {
        let answer = save(&fields).await;
        assert_eq!(answer.fault_code(), Some(code), "{fields}: {}", answer.text);
        assert!(answer.reason().contains(field), "{fields}: {}", answer.reason());
    }
    let theirs =
        format!("<getImageFormatsParam xmlns=\"{NEWEST}\"><companyHandle>48</companyHandle></getImageFormatsParam>");
    let theirs = server.soap("eve@other.example", &theirs).await;
    assert!(!theirs.payload().contains("zoom"), "{}", theirs.text);
    server.shut_down().await;
}
