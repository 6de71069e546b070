//! What files say about themselves, and what jobs say about assets.

use std::collections::BTreeMap;
use std::process::Command;

use prepress::model::asset::PublishState;
use prepress::model::id::AssetId;
use prepress::model::kind::JobKind;
use prepress::model::metadata::{FieldDefinition, Update, Values};
use prepress::store::assets::Contexts;
use serde_json::{Value, json};

use crate::publish::{asset, change};
use crate::world::{World, directory, jpeg, png};

const UPLOAD: JobKind = JobKind::UploadDirectory;

/// Writes a picture with metadata into the company's folder.
fn put(world: &World, path: &str, picture: &[u8], tags: &[&str]) {
    world.put(path, picture);
    let status =
        Command::new("exiftool").args(["-q", "-overwrite_original"]).args(tags).arg(world.ingest(path)).status();
    assert!(status.expect("exiftool is installed").success());
}

pub async fn fields(world: &World, name: &str) -> BTreeMap<String, Vec<String>> {
    let id = asset(world, name).await;
    world.store.metadata_of(&[id]).await.unwrap().remove(&id).unwrap_or_default()
}

async fn keywords(world: &World, name: &str) -> Vec<String> {
    fields(world, name).await.remove("dc.subject").unwrap_or_default()
}

fn upload(more: Value) -> Value {
    let mut order = directory("in");
    order["overwrite"] = json!(true);
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    order
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_file_says_comes_and_goes_with_it() {
    let world = World::new().await;
    put(&world, "in/a.jpg", &jpeg(24, 1), &["-XMP-dc:Subject=été", "-XMP-dc:Subject=山", "-EXIF:Make=Nikon"]);
    put(&world, "in/b.png", &png(24, 1), &["-XMP-dc:Title=B"]);
    world.put("in/guide.pdf", &pdf());
    world.run(UPLOAD, upload(json!({}))).await.succeeded();
    assert_eq!(keywords(&world, "a").await, ["été", "山"]);
    assert_eq!(fields(&world, "a").await["tiff.Make"], ["Nikon"]);
    assert_eq!(fields(&world, "b").await["dc.title"], ["B"]);
    let guide = fields(&world, "guide").await;
    assert_eq!(guide["dc.title"], ["Schuhe für alle"]);
    assert_eq!(guide["dc.creator"], ["Zoë"]);
    assert_eq!(guide["xmp.CreateDate"], ["2026-11-23T09:15:00+01:00"]);

    // Somebody sets a title; the file is replaced by one that says other things.
    let title = Update { name: "dc.title".into(), values: Values::Set(vec!["Mine".into()]) };
    let id = asset(&world, "a").await;
    world.store.set_metadata(change(&world), vec![(id, vec![title])]).await.unwrap();
    put(&world, "in/a.jpg", &jpeg(24, 2), &["-XMP-dc:Subject=new", "-XMP-dc:Title=Theirs"]);
    world.run(UPLOAD, upload(json!({}))).await.succeeded();
    let after = fields(&world, "a").await;
    assert_eq!((&after["dc.subject"][..], &after["dc.title"][..]), (&["new".to_owned()][..], &["Mine".to_owned()][..]));
    assert!(!after.contains_key("tiff.Make"), "{after:?}");

    // Processed again, an asset of earlier times comes to have what its file says.
    world.execute("DELETE FROM asset_metadata WHERE origin = 'File'").await;
    let order = json!({ "assetHandleArray": [format!("a|{id}")], "createMask": false, "emailSetting": "None" });
    world.run(JobKind::ReprocessAssets, order).await.succeeded();
    assert_eq!(keywords(&world, "a").await, ["new"]);
}

/// A PDF that says what it is in its information dictionary: in UTF-16, in PDFDocEncoding, and a date.
fn pdf() -> Vec<u8> {
    let title: String =
        "Schuhe für alle".encode_utf16().flat_map(u16::to_be_bytes).map(|byte| format!("{byte:02X}")).collect();
    let objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>".to_vec(),
        [
            format!("<< /Title <FEFF{title}> /Author (Zo").as_bytes(),
            b"\xeb) /CreationDate (D:20261123091500+01'00') >>",
        ]
        .concat(),
    ];
    let (mut file, mut places) = (b"%PDF-1.4\n".to_vec(), Vec::new());
    for (index, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", index + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let table = file.len();
    file.extend(b"xref\n0 5\n0000000000 65535 f \n");
    places.iter().for_each(|place| file.extend(format!("{place:010} 00000 n \n").bytes()));
    file.extend(format!("trailer << /Size 5 /Root 1 0 R /Info 4 0 R >>\nstartxref\n{table}\n%%EOF").bytes());
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keywords_of_jobs_are_merged() {
    let world = World::new().await;
    put(&world, "in/a.jpg", &jpeg(24, 1), &["-XMP-dc:Subject=own", "-XMP-dc:Subject=both"]);
    world.put("in/b.jpg", &jpeg(24, 2));
    let order = upload(json!({ "xmpKeywords": r"both, Hello\, World!,back\\slash" }));
    let done = world.run(UPLOAD, order).await.succeeded();
    assert_eq!(done.counters.warning, 0, "{}", done.text());
    assert_eq!(keywords(&world, "a").await, ["own", "both", "Hello, World!", r"back\slash"]);
    assert_eq!(keywords(&world, "b").await, ["both", "Hello, World!", r"back\slash"]);

    // A later job adds to them; the file's own follow the file.
    put(&world, "in/a.jpg", &jpeg(24, 3), &["-XMP-dc:Subject=other"]);
    world.run(UPLOAD, upload(json!({ "xmpKeywords": "late" }))).await.succeeded();
    assert_eq!(keywords(&world, "a").await, ["other", "both", "Hello, World!", r"back\slash", "late"]);

    // Who has set the keywords is believed alone, and gets what jobs add.
    let id = asset(&world, "a").await;
    let set = Update { name: "dc.subject".into(), values: Values::Set(vec!["mine".into()]) };
    world.store.set_metadata(change(&world), vec![(id, vec![set])]).await.unwrap();
    world.run(UPLOAD, upload(json!({ "xmpKeywords": "later" }))).await.succeeded();
    assert_eq!(keywords(&world, "a").await, ["mine", "later"]);
    let delete = Update { name: "dc.subject".into(), values: Values::Delete };
    world.store.set_metadata(change(&world), vec![(id, vec![delete])]).await.unwrap();
    assert_eq!(keywords(&world, "a").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_loses_no_metadata() {
    let world = World::new().await;
    for number in 0..4 {
        let keyword = format!("-XMP-dc:Subject=k{number}");
        put(&world, &format!("in/{number}.jpg"), &jpeg(24, number), &[&keyword]);
    }
    world.run_with_crashes(UPLOAD, upload(json!({ "xmpKeywords": "all" }))).await.succeeded();
    for number in 0..4 {
        assert_eq!(keywords(&world, &number.to_string()).await, [format!("k{number}"), "all".to_owned()]);
    }
}

const FIELD: &str = "INSERT INTO metadata_field (company_id, scope, name, field_type, is_enforced)
                     VALUES (47, 'IMAGE', 'Pages', 'Int', 1), (47, 'PDF', 'Pages of a PDF', 'Int', 1)";

fn with_sheets() -> Value {
    upload(json!({ "processMetadataFiles": true }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_files_speak_of_assets_by_name() {
    let world = World::new().await;
    world.execute(FIELD).await;
    world.put("in/mug.jpg", &jpeg(24, 1));
    world.put("in/jug.jpg", &jpeg(24, 2));
    world.put("in/lid.jpg", &jpeg(24, 3));
    world.put("in/notes.txt", b"no metadata");
    world.put("in/catalog.xml", b"<catalog/>");
    let table = "id\tdc:subject\tPages\tPages of a PDF\tnope:field\tnewipsid\n\
                 mug\tblue\\, red,cup\t7\t\t\t\n\
                 jug\t\tmany\t3\tx\tjug-2\n\
                 pot\tx\t1\t\t\t\n\
                 lid\t\t\t\t\tmug\n";
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(table.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    world.put("in/a/words.TXT", &utf16);
    let xml = "<ips xmlns:dc='http://purl.org/dc/elements/1.1/'><ghw_object vc_objectname='mug' dc:title='Tasse &amp; Löffel'/></ips>";
    world.put("in/words.xml", xml.as_bytes());
    world.put("in/broken.xml", b"<ips><ghw_object vc_objectname='mug'");
    world.put(
        "in/entities.xml",
        b"<!DOCTYPE ips [<!ENTITY a 'b'>]><ips><ghw_object vc_objectname='mug' dc:title='&a;'/></ips>",
    );
    let done = world.run(UPLOAD, with_sheets()).await.succeeded();
    let text = done.text();
    assert_eq!(world.asset_names().await, ["catalog", "jug-2", "lid", "mug", "notes"], "{text}");
    let mug = fields(&world, "mug").await;
    assert_eq!(mug["dc.subject"], ["blue, red", "cup"], "{text}");
    assert_eq!((&mug["dc.title"][..], &mug["Pages"][..]), (&["Tasse & Löffel".to_owned()][..], &["7".to_owned()][..]));
    for line in [
        "JobInfo: a/words.TXT says something of 4 assets.",
        "JobInfo: words.xml says something of 1 asset.",
        "MetadataSuccess: Metadata of mug was stored.",
        "MetadataSuccess: jug was renamed to jug-2.",
        "MetadataFailure: a/words.TXT, row 2, about jug: Pages must be a whole number of 64 bits, not \"many\".",
        "MetadataFailure: a/words.TXT, row 2, about jug: the field Pages of a PDF is for assets of type PDF.",
        "MetadataFailure: a/words.TXT, row 2, about jug: there is no metadata field nope.field.",
        "MetadataFailure: a/words.TXT, row 3, about pot: the company has no such asset.",
        "MetadataFailure: a/words.TXT, row 4, about lid: another asset is named mug.",
        "UploadError: broken.xml could not be processed: it is not well-formed XML",
        "UploadError: entities.xml could not be processed: it declares a document type, which is not read.",
    ] {
        assert!(text.contains(line), "no line \"{line}\" in\n{text}");
    }
    assert_eq!(done.of_type("MetadataFailure").len() as i64 + 2, done.counters.error, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_element_says_otherwise_than_by_attributes_has_a_line() {
    let world = World::new().await;
    world.put("in/mug.jpg", &jpeg(24, 1));
    let xml = "<ips xmlns:dc='dc'><ghw_object dc:subject='lost'/><ghw_object vc_objectname='' dc:subject='lost'/>\
               <ghw_object name='mug'/><ghw_object vc_objectname='mug' dc:title='kept'><dc:subject>lost</dc:subject>\
               lost</ghw_object><ghw_object><vc_objectname>mug</vc_objectname></ghw_object></ips>";
    world.put("in/words.xml", xml.as_bytes());
    let table = "id\tdc:subject\n\tlost\n";
    world.put("in/words.txt", table.as_bytes());
    let done = world.run(UPLOAD, with_sheets()).await.succeeded();
    let text = done.text();
    let nameless = text.lines().find_map(|line| line.strip_prefix("MetadataFailure: words.txt, row 1, "));
    let nameless = nameless.unwrap_or_else(|| panic!("{text}"));
    for line in [
        format!("MetadataFailure: words.xml, row 1, {nameless}"),
        format!("MetadataFailure: words.xml, row 2, {nameless}"),
        format!("MetadataFailure: words.xml, row 3, {nameless}"),
        "MetadataSuccess: Metadata of mug was stored.".to_owned(),
        "MetadataFailure: words.xml, row 4, about mug: 2 values stand inside of its element and were not read: fields are attributes."
            .to_owned(),
        format!("MetadataFailure: words.xml, row 5, {nameless}"),
        "MetadataFailure: words.xml, row 5, about : 1 value stands inside of its element and was not read: fields are attributes."
            .to_owned(),
    ] {
        assert!(text.contains(&line), "no line \"{line}\" in\n{text}");
    }
    assert_eq!(done.of_type("MetadataFailure").len(), 7, "{text}");
    assert_eq!(fields(&world, "mug").await["dc.title"], ["kept"]);
}

/// As spreadsheets save them, and as somebody does who thinks of inches.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_breaks_in_cells_belong_to_the_cell() {
    let world = World::new().await;
    for (seed, name) in ["mug", "jug", "lid"].into_iter().enumerate() {
        world.put(&format!("in/{name}.jpg"), &jpeg(24, seed as u8));
    }
    let table = "\"The\r\nasset\"\tdc:title\tdc:description\r\n\
                 mug\t\"one\r\njug\tx\"\t\"\"\"best\"\" mug\"\r\n\
                 jug\tplain\t\r\n";
    world.put("in/words.txt", table.as_bytes());
    world.put("in/torn.txt", b"id\tdc:creator\nmug\t\"blue\njug\t\"red\nlid\tcap\n");
    let done = world.run(UPLOAD, with_sheets()).await.succeeded();
    let text = done.text();
    assert_eq!(world.asset_names().await, ["jug", "lid", "mug"], "{text}");
    let (mug, jug) = (fields(&world, "mug").await, fields(&world, "jug").await);
    assert_eq!((&mug["dc.title"][0][..], &mug["dc.description"][0][..]), ("one\njug\tx", "\"best\" mug"), "{text}");
    assert_eq!(jug["dc.title"], ["plain"], "{text}");
    let refused = "UploadError: torn.txt could not be processed: row 1 has text behind the quotation mark that closes";
    assert!(text.contains(refused), "{text}");
    assert!(!fields(&world, "lid").await.contains_key("dc.creator"), "nothing of a file that is refused is done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_option_metadata_files_are_assets() {
    let world = World::new().await;
    world.put("in/mug.jpg", &jpeg(24, 1));
    world.put("in/words.txt", b"id\tdc:subject\nmug\tblue\n");
    world.run(UPLOAD, upload(json!({ "processMetadataFiles": false }))).await.succeeded();
    assert_eq!(world.asset_names().await, ["mug", "words"]);
    assert_eq!(keywords(&world, "mug").await, Vec::<String>::new());
    // An empty cell takes away, and what is not named stays.
    world.put("in/words.txt", b"id\tdc:title\tdc:subject\nmug\tMug\tblue\n");
    world.run(UPLOAD, with_sheets()).await.succeeded();
    world.put("in/words.txt", b"id\tdc:subject\nmug\t\n");
    world.run(UPLOAD, with_sheets()).await.succeeded();
    assert_eq!(fields(&world, "mug").await["dc.title"], ["Mug"]);
    assert_eq!(keywords(&world, "mug").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_files_survive_crashes_and_are_done_once() {
    let world = World::new().await;
    let mut table = "id\tdc:subject\n".to_owned();
    for number in 0..3 {
        world.put(&format!("in/{number}.jpg"), &jpeg(24, number));
    }
    // Three items of rows.
    for row in 0..250 {
        table.push_str(&format!("{}\tk{row}\n", row % 3));
    }
    world.put("in/words.txt", table.as_bytes());
    let done = world.run_with_crashes(UPLOAD, with_sheets()).await.succeeded();
    assert!(done.attempts > 5);
    assert_eq!(done.of_type("MetadataSuccess").len(), 250, "each row is told once");
    assert_eq!(done.counters.success, 3 + 250);
    for (number, last) in [(0, 249), (1, 247), (2, 248)] {
        assert_eq!(keywords(&world, &number.to_string()).await, [format!("k{last}")], "the last word counts");
    }
    let copies = world.query("SELECT path, blob FROM metadata_file").await;
    assert_eq!((copies.len(), copies[0][0].as_str()), (1, Some("words.txt")));
    assert!(world.blobs.contains(copies[0][1].as_str().unwrap()), "the copy is named, so that no cleanup takes it");
    let items: Vec<&String> = done.items.iter().filter(|key| key.starts_with("words.txt")).collect();
    assert_eq!(items, ["words.txt", "words.txt\n0", "words.txt\n1", "words.txt\n2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_metadata_files_are_cut_by_their_size_and_refused_as_a_whole() {
    let world = World::new().await;
    world.put("in/mug.jpg", &jpeg(24, 1));
    // Some rows with what a value may be at most, beyond what is done at once, and with line breaks.
    let long = "x".repeat(9_000);
    let mut table = "id\tdc:title\tdc:description\t\tdc:rights\n".to_owned();
    for row in 0..120 {
        table.push_str(&format!("mug\t\"one\ntwo {row}\"\t{long}\t\t{long}\n"));
    }
    table.push_str("mug\tlast\t\tlost\t\tlost too\n");
    world.put("in/words.txt", table.as_bytes());
    // It is found out at its end.
    world.put("in/torn.txt", b"id\tdc:title\nmug\tnever\nmug\t\"torn\n");
    let unknown: String = (0..30).map(|field| format!("\tno.{field}")).collect();
    world.put("in/unknown.txt", format!("id{unknown}\nmug{}\n", "\tx".repeat(30)).as_bytes());
    let done = world.run_with_crashes(UPLOAD, with_sheets()).await.succeeded();
    let text = done.text();
    assert_eq!(fields(&world, "mug").await["dc.title"], ["last"], "{text}");
    assert_eq!(done.of_type("MetadataSuccess").len(), 121, "each row is told once");
    let pages: Vec<&str> = done.items.iter().filter_map(|key| key.strip_prefix("words.txt\n")).collect();
    assert_eq!(pages, ["0", "0.1", "1"], "a page ends where it becomes large");
    for line in [
        "MetadataFailure: words.txt, row 121, about mug: 2 cells stand under no name of a field.",
        "UploadError: torn.txt could not be processed: row 2 opens a quotation mark that is not closed.",
        "MetadataFailure: unknown.txt, row 1, about mug: there is no metadata field no.19.",
        "MetadataFailure: unknown.txt, row 1, about mug: 10 more fields were not stored either.",
    ] {
        assert!(text.contains(line), "no line \"{line}\" in\n{text}");
    }
    assert!(!text.contains("no.20"), "{text}");
}

const PUBLISH: JobKind = JobKind::MetadataPublish;

async fn publish_metadata(world: &World, force: bool) -> crate::world::Done {
    world.run(PUBLISH, json!({ "forcePublish": force })).await.succeeded()
}

/// What readers see: fields by asset.
fn published(world: &World) -> BTreeMap<String, Value> {
    let lines = crate::publish::manifest(world.tree("metadata").join("metadata.jsonl"));
    lines.into_iter().map(|(name, line)| (name, line["metadata"].clone())).collect()
}

async fn set(world: &World, name: &str, field: &str, value: &str) {
    let update = Update { name: field.into(), values: Values::Set(vec![value.into()]) };
    let id = asset(world, name).await;
    world.store.set_metadata(change(world), vec![(id, vec![update])]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_of_what_is_marked_is_published() {
    let world = World::new().await;
    put(&world, "in/a.jpg", &jpeg(24, 1), &["-XMP-dc:Subject=été", "-XMP-dc:Subject=山"]);
    world.put("in/b.jpg", &jpeg(24, 2));
    // No file of the tree can be mistaken for an asset, whatever it is called.
    world.put("in/metadata.jsonl.jpg", &jpeg(24, 3));
    world.run(UPLOAD, upload(json!({}))).await.succeeded();
    world.put("in/c.jpg", &jpeg(24, 4));
    world.run(UPLOAD, upload(json!({ "readyForPublish": false, "preservePublishState": true }))).await.succeeded();
    world
        .execute(
            "INSERT INTO metadata_field (company_id, scope, name, field_type, default_value, is_publish_data)
             VALUES (47, 'ALL', 'Public', 'String', 'yes', 1), (47, 'ALL', 'Secret', 'String', 'no', 0)",
        )
        .await;
    let done = publish_metadata(&world, false).await;
    let names: Vec<String> = published(&world).into_keys().collect();
    assert_eq!(names, ["a", "b", "metadata.jsonl"], "{}", done.text());
    assert_eq!(published(&world)["a"], json!({ "Public": ["yes"], "dc.subject": ["été", "山"] }));
    assert_eq!(published(&world)["b"], json!({ "Public": ["yes"] }));
    assert!(done.text().contains("MetadataSuccess: a was published to Metadata."), "{}", done.text());
    assert_eq!((done.counters.success, world.paths_in("metadata")), (3, vec!["metadata.jsonl".to_owned()]));

    // What did not change costs nothing; what changed is told, and the old tree stays for who reads it.
    let done = publish_metadata(&world, false).await;
    assert_eq!(done.codes(), ["publish-nothing"], "{}", done.text());
    let before = std::fs::canonicalize(world.tree("metadata")).unwrap();
    set(&world, "b", "dc.title", "B").await;
    set(&world, "b", "Secret", "hush").await;
    set(&world, "c", "dc.title", "C").await;
    let done = publish_metadata(&world, false).await;
    assert_eq!(done.of_type("MetadataSuccess").len(), 1, "{}", done.text());
    assert_eq!(published(&world)["b"], json!({ "Public": ["yes"], "dc.title": ["B"] }));
    assert_ne!(std::fs::canonicalize(world.tree("metadata")).unwrap(), before, "readers were switched at once");

    // A mark in a single context is enough; without any, and in the trash, it leaves.
    let contexts = world.store.publish_contexts(world.company).await.unwrap();
    assert_eq!(contexts.len(), 4, "clients do not see the context of metadata");
    let state = |name: AssetId, state| vec![(name, state)];
    let video = Contexts::These(vec![contexts.iter().find(|context| context.name == "Video").unwrap().id]);
    let (a, c) = (asset(&world, "a").await, asset(&world, "c").await);
    let store = &world.store;
    store.set_publish_states(change(&world), state(c, PublishState::MarkedForPublish), video).await.unwrap();
    store.set_publish_states(change(&world), state(a, PublishState::NotMarkedForPublish), Contexts::All).await.unwrap();
    store.trash_assets(change(&world), vec![asset(&world, "b").await]).await.unwrap();
    let done = publish_metadata(&world, false).await;
    let names: Vec<String> = published(&world).into_keys().collect();
    assert_eq!(names, ["c", "metadata.jsonl"], "{}", done.text());
    assert!(done.text().contains("JobInfo: a was removed from Metadata."), "{}", done.text());

    // A field that is no publish data any more takes its values along.
    let field = store.metadata_fields(world.company).await.unwrap().into_iter().find(|field| field.name == "Public");
    let hidden = FieldDefinition { is_publish_data: false, ..field.unwrap() };
    store.change_metadata_field(world.company, hidden).await.unwrap();
    publish_metadata(&world, false).await;
    assert_eq!(published(&world)["c"], json!({ "dc.title": ["C"] }));
    let done = publish_metadata(&world, true).await;
    assert_eq!(done.of_type("MetadataSuccess").len(), 2, "everything is sent again: {}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metadata_publish_that_crashes_everywhere_comes_to_the_same() {
    let world = World::new().await;
    for number in 0..5 {
        world.put(&format!("in/{number}.jpg"), &jpeg(24, number));
    }
    world.run(UPLOAD, upload(json!({ "xmpKeywords": "k" }))).await.succeeded();
    let done = world.run_with_crashes(PUBLISH, json!({})).await.succeeded();
    assert!(done.attempts > 3);
    assert_eq!(done.of_type("MetadataSuccess").len(), 5, "{}", done.text());
    set(&world, "3", "dc.title", "Three").await;
    world.run_with_crashes(PUBLISH, json!({})).await.succeeded();
    assert_eq!(published(&world).len(), 5);
    assert_eq!(published(&world)["3"], json!({ "dc.subject": ["k"], "dc.title": ["Three"] }));
}
