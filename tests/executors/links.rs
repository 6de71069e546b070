//! Links of pages become image maps: what is kept of them, and what is said of the rest.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::pages::{PageOf, document, page, upload};
use crate::world::World;

/// Two pages of 300 x 200 points, the first with these links.
fn two_pages(annotations: &str) -> [PageOf; 2] {
    [PageOf { annotations: annotations.to_owned(), ..page("") }, page("")]
}

fn link(action: &str) -> String {
    format!("<< /Type /Annot /Subtype /Link /Rect [10 10 60 30] {action} >>\n")
}

/// At 72 dpi, where a point is a pixel.
fn options() -> Value {
    json!({ "process": "Rasterize", "resolution": 72 })
}

/// Regions and actions of the image map of the first page of a document.
async fn map_of(world: &World, document: &str) -> Vec<(String, String)> {
    let rows = world
        .query("SELECT a.name, m.region, m.action FROM image_map m JOIN asset a ON a.id = asset_id ORDER BY m.position")
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = rows.iter().filter(|row| row[0] == format!("{document}-1"));
    rows.map(|row| (text(&row[1]), text(&row[2]))).collect()
}

async fn actions_of(world: &World, document: &str) -> Vec<String> {
    map_of(world, document).await.into_iter().map(|(_, action)| action).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_lead_where_the_document_says() {
    let world = World::new().await;
    let cases = [
        ("/A << /S /URI /URI (https://shoes.example/a b) >>", "https://shoes.example/a%20b"),
        ("/A << /S /URI /URI (../prices.html#red) >>", "../prices.html#red"),
        ("/A << /S /GoTo /D [12 0 R /Fit] >>", "#page=2"),
        ("/A << /S /GoTo /D (chapter) >>", "#page=2"),
        ("/A << /S /GoTo /D (first) >>", "#page=1"),
        ("/A << /S /GoTo /D /old >>", "#page=2"),
        ("/Dest (chapter)", "#page=2"),
        ("/Dest [1 /Fit]", "#page=2"),
        ("/A << /S /GoToR /F (terms.pdf) /D [2 /Fit] >>", "terms.pdf#page=3"),
        (
            "/A << /S /GoToR /F << /F (x.pdf) /UF <FEFF0067007200F600DF0065002E007000640066> >> >>",
            "gr%C3%B6%C3%9Fe.pdf",
        ),
        ("/A << /S /GoToR /F (..\\\\2024\\\\x.pdf) /D (name) >>", "../2024/x.pdf"),
        ("/A << /S /GoToR /F << /FS /URL /F (https://shoes.example/x.pdf) >> >>", "https://shoes.example/x.pdf"),
        ("/A << /S /Launch /F << /F (price list.pdf) >> >>", "price%20list.pdf"),
    ];
    let annotations: String = cases.iter().map(|(action, _)| link(action)).collect();
    let tree = b"<< /Kids [5 0 R 4 0 R null] >>".to_vec();
    let leaf = b"<< /Limits [(chapter) (first)] /Names [(chapter) << /D [12 0 R /Fit] >> (first) [10 0 R /Fit]] >>";
    let catalogue = "/Names << /Dests 4 0 R >> /Dests << /old [12 0 R /Fit] >>";
    world.put("in/map.pdf", &document(&two_pages(&annotations), &[tree, leaf.to_vec()], catalogue));
    let based = "/URI << /Base (https://shoes.example/summer/) >>";
    let annotations = ["/A << /S /URI /URI (red.html) >>", "/A << /S /GoToR /F (terms.pdf) >>"].map(link).concat();
    world.put("in/based.pdf", &document(&two_pages(&annotations), &[], based));
    let done = upload(&world, options()).await;
    assert_eq!((done.counters.error, done.counters.warning), (0, 0), "{}", done.text());
    assert_eq!(actions_of(&world, "map").await, cases.map(|(_, action)| action));
    assert_eq!(actions_of(&world, "based").await, ["https://shoes.example/summer/red.html", "terms.pdf"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_may_do_harm_are_counted_and_left_out() {
    let world = World::new().await;
    let left_out = [
        "/A << /S /URI /URI (javascript:alert\\(1\\)) >>",
        "/A << /S /URI /URI (java\\nscript:alert\\(1\\)) >>",
        "/A << /S /URI /URI (file:///etc/passwd) >>",
        "/A << /S /URI /URI (data:text/html,x) >>",
        "/A << /S /JavaScript /JS (app.alert\\(1\\)) >>",
        "/A << /S /Launch /F (C:\\\\Windows\\\\notepad.exe) >>",
        "/A << /S /Launch /Win << /F (\\\\\\\\server\\\\x.exe) /P (/all) >> >>",
        "/A << /S /Launch /F (../x.pdf) >>",
        "/A << /S /GoToR /F (/c/x.pdf) >>",
    ];
    let kept = link("/A << /S /URI /URI (mailto:a@shoes.example) >>");
    world.put("in/bad.pdf", &document(&two_pages(&(left_out.map(link).concat() + &kept)), &[], ""));
    let done = upload(&world, options()).await;
    let log = done.text();
    for line in [
        "UploadWarning: Page 1 of bad.pdf: 5 links were left out: they run scripts, or lead to addresses of kinds that may do harm.",
        "UploadWarning: Page 1 of bad.pdf: 1 link was left out: it leads to a file that does not lie with the document.",
        "UploadWarning: Page 1 of bad.pdf: 3 links were left out: they are to start programs or open files on the computer of whoever reads",
    ] {
        assert!(log.contains(line), "{line}\n in \n{log}");
    }
    assert_eq!((done.counters.error, done.counters.warning), (0, 3), "{log}");
    assert_eq!(actions_of(&world, "bad").await, ["mailto:a@shoes.example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_has_an_area_for_each_line_that_it_covers() {
    let world = World::new().await;
    let quads = |points: &str| link(&format!("/A << /S /URI /URI (x.html) >> /QuadPoints [{points}]"));
    let annotations = [
        // The order of the standard, and that of most programs.
        quads("10 20 30 20 30 30 10 30  40 30 60 30 40 20 60 20"),
        // Outside of the rectangle, and too few.
        quads("10 20 300 20 300 30 10 30"),
        quads("10 20 30 20 30 30"),
    ];
    world.put("in/lines.pdf", &document(&two_pages(&annotations.concat()), &[], ""));
    upload(&world, options()).await;
    let regions: Vec<String> = map_of(&world, "lines").await.into_iter().map(|(region, _)| region).collect();
    assert_eq!(regions, ["10,170,30,180", "40,170,60,180", "10,170,60,190", "10,170,60,190"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_beyond_the_links_of_a_page_is_counted() {
    let world = World::new().await;
    let annotations = link("/A << /S /GoTo /D [12 0 R /Fit] >>").repeat(20_003);
    world.put("in/index.pdf", &document(&two_pages(&annotations), &[], ""));
    let mut long = String::new();
    for number in 0..5000 {
        let address = format!("https://shoes.example/{}{number}", "x".repeat(2000));
        write!(long, "{}", link(&format!("/A << /S /URI /URI ({address}) >>"))).unwrap();
    }
    long += &link(&format!("/A << /S /URI /URI (https://shoes.example/{}) >>", "x".repeat(2048)));
    world.put("in/long.pdf", &document(&two_pages(&long), &[], ""));
    let done = upload(&world, options()).await;
    let log = done.text();
    let beyond = 5000 - map_of(&world, "long").await.len();
    for line in [
        "Page 1 of index.pdf: 3 links were left out: of a page 20000 are kept, with 8 MiB of addresses.".to_owned(),
        format!("Page 1 of long.pdf: {beyond} links were left out: of a page 20000 are kept, with 8 MiB of addresses."),
        "Page 1 of long.pdf: 1 link was left out: its address is too long.".to_owned(),
    ] {
        assert!(log.contains(&line), "{line}\n in \n{log}");
    }
    assert!((500..2000).contains(&beyond), "{beyond}");
    let actions = actions_of(&world, "index").await;
    assert_eq!((actions.len(), done.counters.warning), (20_000, 3), "{log}");
    assert!(actions.iter().all(|action| action == "#page=2"));
}
