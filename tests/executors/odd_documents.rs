//! Documents that begin late, lock what is not drawn, have trees of pages that lead astray, or take too long.

use prepress::model::kind::JobKind;
use serde_json::json;

use crate::pages::{document, order, page, pdf, text, upload};
use crate::world::World;

const UPLOAD: JobKind = JobKind::UploadDirectory;

/// A document with a word a page: the objects of the pages are 10, 12 and so on.
fn pages(words: &[&str]) -> String {
    let pages: Vec<_> = words.iter().map(|word| page(&text(word, 20, 100))).collect();
    String::from_utf8(pdf(&pages)).unwrap()
}

/// The words of the pages of a document, in order.
async fn words_of(world: &World, document: &str) -> Vec<String> {
    let rows = world
        .query(
            "SELECT p.name, w.word FROM page_word w JOIN asset a ON a.id = w.asset_id
             JOIN asset p ON p.id = a.parent_id ORDER BY a.id, w.position",
        )
        .await;
    let rows = rows.into_iter().filter(|row| row[0] == document);
    rows.map(|row| row[1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_may_come_late() {
    let world = World::new().await;
    // What was taken out by an addition to it is found by those alone who look for whatever there is.
    let first = pages(&["old"]);
    let start = first.rsplit_once("startxref\n").unwrap().1.lines().next().unwrap().to_owned();
    let at = first.len();
    let addition = "11 0 obj\n<< /Length 40 >>\nstream\nBT /F 18 Tf 20 100 Td (new) Tj ET       \nendstream\nendobj\n";
    // An object that no table knows of.
    let stray = "11 0 obj\n<< /Length 40 >>\nstream\nBT /F 18 Tf 20 100 Td (stray) Tj ET     \nendstream\nendobj\n";
    let table = at + addition.len() + stray.len();
    let whole = format!(
        "{first}{addition}{stray}xref\n11 1\n{at:010} 00000 n \n\
         trailer << /Size 12 /Root 1 0 R /Prev {start} >>\nstartxref\n{table}\n%%EOF\n"
    );
    let junk = "HTTP/1.1 200 OK\r\n\r\n";
    let from_start = {
        // The same file with all that counts moved by what stands in front.
        let moved = |number: usize| number + junk.len();
        let mut text = String::new();
        for line in whole.split_inclusive('\n') {
            match line.strip_suffix(" 00000 n \n").and_then(|number| number.parse::<usize>().ok()) {
                Some(offset) => text += &format!("{:010} 00000 n \n", moved(offset)),
                None => text += line,
            }
        }
        let tables = [start.parse().unwrap(), table];
        for (mark, number) in [("/Prev ", tables[0]), ("startxref\n", tables[0]), ("startxref\n", tables[1])] {
            text = text.replace(&format!("{mark}{number}"), &format!("{mark}{}", moved(number)));
        }
        assert_eq!(text.len(), whole.len(), "numbers have as many digits as before");
        text
    };
    world.put("in/far.pdf", format!("{}{whole}", "x\n".repeat(500)).as_bytes());
    world.put("in/header.pdf", format!("{junk}{whole}").as_bytes());
    world.put("in/start.pdf", format!("{junk}{from_start}").as_bytes());
    world.put("in/blank.pdf", format!("\n\n{whole}").as_bytes());
    world.put("in/whole.pdf", whole.as_bytes());
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 36, "extractSearchWords": true })).await;
    assert_eq!((done.counters.error, done.counters.warning), (0, 0), "{}", done.text());
    for name in ["far", "header", "start", "blank", "whole"] {
        assert_eq!(words_of(&world, name).await, ["new"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_need_no_key_where_only_attachments_are_encrypted() {
    let world = World::new().await;
    let key = "17".repeat(48);
    // With a password that nobody tells: what the key is made of is not that of an empty one.
    let encryption = |version: u8, revision: u8, method: &str, streams: &str| {
        format!(
            "<< /Filter /Standard /V {version} /R {revision} /Length 128 /P -4 /O <{key}> /U <{key}> /OE <{key}> \
             /UE <{key}> /CF << /StdCF << /CFM /{method} /AuthEvent /EFOpen >> >> {streams} /EFF /StdCF >>"
        )
    };
    let plain = "/StmF /Identity /StrF /Identity";
    let all = "/StmF /StdCF /StrF /StdCF";
    let cases = [
        ("aes-128", encryption(4, 4, "AESV2", plain)),
        ("aes-256", encryption(5, 6, "AESV3", plain)),
        ("by-default", encryption(4, 4, "AESV2", "")),
        ("locked", encryption(4, 4, "AESV2", all)),
        ("half", encryption(4, 4, "AESV2", "/StmF /Identity /StrF /StdCF")),
    ];
    for (name, encryption) in &cases {
        let inside = pages(&["plain"]).replace("/Root", &format!("/Encrypt {encryption} /ID [<00> <00>] /Root"));
        world.put(&format!("in/{name}.pdf"), inside.as_bytes());
        let file = document(&[page(&text("plain", 20, 100))], &[encryption.clone().into_bytes()], "");
        let referred = String::from_utf8(file).unwrap().replace("/Root", "/Encrypt 4 0 R/ID [<00> <00>] /Root");
        world.put(&format!("in/{name}-referred.pdf"), referred.as_bytes());
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 36, "extractSearchWords": true })).await;
    let log = done.text();
    for (name, _) in &cases {
        for name in [(*name).to_owned(), format!("{name}-referred")] {
            let is_open = !name.starts_with("locked") && !name.starts_with("half");
            assert_eq!(words_of(&world, &name).await.len(), usize::from(is_open), "{name}: {log}");
            let line = format!(
                "{name}.pdf: its pages could not be drawn: it is encrypted with a password: save it without one, and upload it again."
            );
            assert_eq!(log.contains(&line), !is_open, "{line}: {log}");
        }
    }
    assert_eq!((done.counters.error, done.counters.warning), (4, 0), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_of_pages_that_leads_astray_says_so() {
    let world = World::new().await;
    let sound = pages(&["one", "two", "three"]);
    let tree = "/Kids [ 10 0 R 12 0 R 14 0 R ] /Count 3 ";
    assert!(sound.contains(tree));
    // As long as it was, so that all stays where it is.
    let with = |entries: &str| sound.replace(tree, &format!("{entries:tree_length$}", tree_length = tree.len()));
    let tree_in = |pages: &[&str], objects: [&str; 2], entries: &str| {
        let pages: Vec<_> = pages.iter().map(|word| page(&text(word, 20, 100))).collect();
        let file = document(&pages, &objects.map(|object| object.as_bytes().to_vec()), "");
        let file = String::from_utf8(file).unwrap();
        let kids = file.find("/Kids").unwrap();
        let end = kids + file[kids..].find(" >>").unwrap();
        assert!(entries.len() <= end - kids);
        format!("{}{entries:length$}{}", &file[..kids], &file[end..], length = end - kids)
    };
    let damaged = |reason: &str| format!("is damaged: its tree of pages is not as it should be: {reason}.");
    let cases = [
        (
            "nowhere",
            with("/Kids [ 10 0 R 99 0 R ] /Count 1"),
            vec![damaged("1 branch leads nowhere, 2 pages of the file are not in it")],
        ),
        (
            "lost",
            with("/Kids [ 10 0 R 99 0 R ] /Count 2"),
            vec![
                "says that it has 2 pages, but only 1 can be found in it: it is damaged.".to_owned(),
                "2 pages in lost.pdf are not drawn, as its tree of pages does not lead to them".to_owned(),
            ],
        ),
        (
            "stranger",
            with("/Kids [ 10 0 R 3 0 R ] /Count 2"),
            vec![damaged("1 leaf of it is no page, but drawn as one, 2 pages of the file are not in it")],
        ),
        (
            "cycle",
            with("/Kids [ 10 0 R 2 0 R 12 0 R ] /Count 2"),
            vec![damaged("1 branch leads to what is in it already, 1 page of the file is not in it")],
        ),
        (
            "taken-out",
            with("/Kids [ 10 0 R 14 0 R ] /Count 2"),
            vec![
                "UploadWarning: 1 page in taken-out.pdf is not drawn, as its tree of pages does not lead to it"
                    .to_owned(),
            ],
        ),
        (
            "no-tree",
            with("/Bids [ 10 0 R ] /Count 3"),
            vec![damaged(
                "it cannot be found, and whatever in the file looks like a page is taken for one, in the order of the file",
            )],
        ),
        (
            // The root counts what is there; a branch below it knows of another one.
            "inner",
            tree_in(
                &["one", "two"],
                ["<< /Type /Pages /Kids [10 0 R] /Count 2 >>", "<< /Type /Pages /Kids [12 0 R] /Count 1 >>"],
                "/Kids [4 0 R 5 0 R] /Count 2",
            ),
            vec!["says that it has 3 pages, but only 2 can be found in it: it is damaged.".to_owned()],
        ),
        (
            "none",
            with("/Kids [ 97 0 R 98 0 R ] /Count 2"),
            vec!["none.pdf: its pages could not be drawn: no pages can be found in it.".to_owned()],
        ),
        ("sound", sound.clone(), Vec::new()),
    ];
    for (name, file, _) in &cases {
        world.put(&format!("in/{name}.pdf"), file.as_bytes());
    }
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 36 })).await;
    let log = done.text();
    for (name, _, lines) in &cases {
        for line in lines {
            let found = log.lines().any(|told| told.contains(&format!("{name}.pdf")) && told.contains(line));
            assert!(found, "{name}: {line}\n in \n{log}");
        }
    }
    // Those of these, and no other.
    assert_eq!((done.counters.error, done.counters.warning), (7, 2), "{log}");
    // The same is said where no pages are made.
    let done = world.run(UPLOAD, order("pdfOptions", json!({ "process": "Thumbnail" }))).await.succeeded();
    assert!(done.text().contains("nowhere.pdf is damaged: its tree of pages"), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_takes_too_long_is_named() {
    let world = World::with(|settings| settings.media.page_time = "1 s".parse().unwrap()).await;
    // Drawings within drawings, 40 times each.
    let form = |inner: usize| {
        let content = if inner < 6 { format!("/P{inner} Do ").repeat(40) } else { "q Q".to_owned() };
        let inside: String = (0..6).map(|n| format!("/P{n} {} 0 R ", 4 + n)).collect();
        let head = "<< /Type /XObject /Subtype /Form /BBox [0 0 300 200]";
        format!(
            "{head} /Resources << /XObject << {inside}>> >> /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        )
    };
    let forms: Vec<Vec<u8>> = (1..=6).map(|inner| form(inner).into_bytes()).collect();
    let (quick, slow) = (page(&text("quick", 20, 100)), page("/P0 Do"));
    world.put("in/book.pdf", &document(&[quick.clone(), slow.clone(), quick.clone()], &forms, ""));
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 36 })).await;
    let log = done.text();
    let line = "PdfRipError: Page 2 of book.pdf could not be drawn: drawing it takes longer than 1 s.";
    assert!(log.contains(line), "{line}\n in \n{log}");
    assert_eq!(done.counters.error, 1, "{log}");
    assert_eq!(world.asset_names().await, ["book", "book-1", "book-3", "book-catalog"]);
    world.put("in/book.pdf", &document(&[slow, quick], &forms, ""));
    let done = upload(&world, json!({ "process": "Thumbnail" })).await;
    let line = "PdfRipError: book.pdf: its pages could not be drawn: page 1: drawing it takes longer than 1 s.";
    assert!(done.text().contains(line), "{line}\n in \n{}", done.text());
}

/// Rows of a table that are lost, as by a program that counts them wrongly: what they would lead to is there all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_no_table_leads_to_are_looked_for() {
    let world = World::new().await;
    let whole = pages(&["word"]);
    // The page is object 10 and what it draws 11.
    let last = |number: usize| {
        let (objects, table) = whole.split_once("xref\n").unwrap();
        let (_, rows) = table.split_once('\n').unwrap();
        let kept: String = rows.split_inclusive('\n').take(number + 1).collect();
        let trailer = &rows[rows.find("trailer").unwrap()..];
        format!("{objects}xref\n0 {}\n{kept}{trailer}", number + 1)
    };
    world.put("in/whole.pdf", whole.as_bytes());
    world.put("in/page.pdf", last(9).as_bytes());
    world.put("in/contents.pdf", last(10).as_bytes());
    let done = upload(&world, json!({ "process": "Rasterize", "resolution": 36, "extractSearchWords": true })).await;
    let text = done.text();
    for name in ["whole", "page", "contents"] {
        assert_eq!(words_of(&world, name).await, ["word"], "{name}: {text}");
        let lines = text.lines().filter(|line| line.contains(&format!("{name}.pdf")) && !line.contains("Success"));
        let lines: Vec<&str> = lines.collect();
        match name {
            "whole" => assert_eq!(lines, [""; 0], "{text}"),
            _ => {
                assert!(matches!(lines[..], [line] if line.contains("the table of its objects leads astray")), "{text}")
            }
        }
    }
}
