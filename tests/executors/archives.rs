//! Archives, made by the tools that people make them with.

use std::fs;
use std::path::Path;
use std::process::Command;

use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::world::{Done, World, directory, jpeg, png};

/// Runs a tool in a folder, and fails with what it said.
fn run(folder: &Path, command: &str) {
    let done = Command::new("bash").args(["-ec", command]).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A folder with pictures to be packed.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, bytes: Vec<u8>| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put("red.jpg", jpeg(24, 1));
    put("Spring/green.jpg", jpeg(24, 2));
    put("Spring/Shoes/Größe 42.png", png(24, 3));
    put("Spring/.DS_Store", vec![0; 10]);
    folder
}

/// Packs into the folder that the world's jobs read.
fn pack(world: &World, folder: &Path, name: &str, command: &str) {
    let target = world.ingest("in").join(name);
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    run(folder, &command.replace("OUT", target.to_str().unwrap()));
}

fn order() -> Value {
    let mut order = directory("in");
    order["unCompressOptions"] = json!({ "process": "UnCompress" });
    order
}

async fn upload(world: &World) -> Done {
    world.run(JobKind::UploadDirectory, order()).await.succeeded()
}

/// Gives the headers of a tar of these types so many bytes, of which there are none.
fn with_sizes(mut archive: Vec<u8>, types: &[u8], bytes: u64) -> Vec<u8> {
    for header in archive.chunks_exact_mut(512) {
        let is_header = &header[257..262] == b"ustar" && types.contains(&header[156]);
        if is_header {
            header[124..136].copy_from_slice(format!("{bytes:011o}\0").as_bytes());
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    archive
}

/// What is no file has no content, whatever it says; a hard link may have that of its file, as pax allows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_of_what_is_no_file_hide_no_member() {
    let made = pictures();
    run(made.path(), "ln red.jpg again.jpg; ln -s red.jpg soft.jpg");
    let world = World::new().await;
    pack(&world, made.path(), "a.tar", "tar cf OUT again.jpg red.jpg soft.jpg Spring");
    let path = world.ingest("in/a.tar");
    let sized = with_sizes(fs::read(&path).unwrap(), b"125", 4096);
    fs::write(&path, &sized).unwrap();
    let done = upload(&world).await;
    let text = done.text();
    let expected = ["/again.jpg Image", "Spring/Shoes/Größe 42.png Image", "Spring/green.jpg Image"];
    assert_eq!(assets(&world).await, expected, "{text}");
    for link in ["red.jpg", "soft.jpg"] {
        assert!(text.contains(&format!("a.tar/{link} could not be processed: it is a link")), "{text}");
    }
    // With content behind the link.
    let world = World::new().await;
    let at = sized.chunks_exact(512).position(|header| header.starts_with(b"red.jpg\0")).unwrap() * 512;
    let with_content = [&sized[..at + 512], &[7; 4096], &sized[at + 512..]].concat();
    world.put("in/b.tar", &with_content);
    let done = upload(&world).await;
    assert_eq!(assets(&world).await, expected, "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_an_archive_and_is_none_has_a_line() {
    let world = World::new().await;
    let made = pictures();
    pack(&world, made.path(), "text.tar.gz", "echo no archive | gzip > OUT");
    pack(&world, made.path(), "text.gz", "echo no archive | gzip > OUT");
    pack(&world, made.path(), "cut.tgz", "tar czf - * | head -c 9 > OUT");
    let done = upload(&world).await;
    let text = done.text();
    for name in ["text.tar.gz", "cut.tgz"] {
        assert!(text.contains(&format!("{name} was not unpacked: it holds no archive that can be read.")), "{text}");
    }
    assert!(!text.contains("text.gz was not unpacked"), "{text}");
}

/// Names with their folders and types.
async fn assets(world: &World) -> Vec<String> {
    let rows = world
        .query("SELECT f.path || '/' || a.file_name || ' ' || a.asset_type FROM asset a JOIN folder f ON f.id = a.folder_id ORDER BY 1")
        .await;
    rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

const EXPECTED: [&str; 3] = ["/red.jpg Image", "Spring/Shoes/Größe 42.png Image", "Spring/green.jpg Image"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_members_of_every_sort_of_archive_become_assets() {
    let made = pictures();
    for (name, command) in [
        ("a.zip", "zip -qr OUT ."),
        ("stored.zip", "zip -q0r OUT ."),
        ("streamed.zip", "zip -qr - . | cat > OUT"),
        ("a.tar", "tar cf OUT *"),
        ("pax.tar", "tar --format=pax -cf OUT *"),
        ("a.tar.gz", "tar czf OUT ."),
        ("a.tgz", "tar czf OUT *"),
        ("label.tgz", "tar -V Label -czf OUT *"),
        ("v7.tar", "tar --format=v7 -cf OUT *"),
    ] {
        let world = World::new().await;
        pack(&world, made.path(), name, command);
        let done = upload(&world).await;
        assert_eq!(assets(&world).await, EXPECTED, "{name}: {}", done.text());
        assert_eq!((done.counters.success, done.counters.error), (3, 0), "{name}: {}", done.text());
        let text = done.text();
        assert!(text.contains(&format!("JobInfo: {name} was unpacked: 3 files.")), "{text}");
        assert!(text.contains(&format!("UploadWarning: {name}/")) && text.contains(".DS_Store was skipped"), "{text}");
        assert!(text.contains("Acme/Spring/green.jpg was processed as Image"), "{text}");
        assert_eq!(done.items.len(), 4, "every member is an item, and the archive: {:?}", done.items);
        let marks = world.query("SELECT count(*) FROM publish_mark WHERE marked = 1").await;
        assert_eq!(marks, [[json!(12)]], "they are marked as uploaded files are");
    }
}

/// A member of a ZIP archive: its name as it stands there, its flags, and an extra field.
struct Packed<'a> {
    name: &'a [u8],
    flags: u16,
    extra: Vec<u8>,
    bytes: Vec<u8>,
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// An archive with names in any code page, which no tool of this system writes.
fn zip(members: &[Packed<'_>]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for Packed { name, flags, extra, bytes } in members {
        let size = (bytes.len() as u32).to_le_bytes();
        let mut common = [&20_u16.to_le_bytes()[..], &flags.to_le_bytes(), &[0; 6]].concat();
        common.extend([&crc(bytes).to_le_bytes()[..], &size, &size].concat());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend((extra.len() as u16).to_le_bytes());
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10]].concat());
        directory.extend((file.len() as u32).to_le_bytes());
        directory.extend([name, &extra[..]].concat());
        file.extend([&b"PK\x03\x04"[..], &common, name, extra, bytes].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &(directory.len() as u32).to_le_bytes()].concat();
    let at = (file.len() as u32).to_le_bytes();
    [file, directory, end, at.to_vec(), vec![0, 0]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_read_in_the_code_page_they_are_in() {
    let packed = |name: &'static [u8], number| Packed { name, flags: 0, extra: Vec::new(), bytes: jpeg(24, number) };
    // 写真/赤い靴.jpg and 表/靴.jpg in Shift_JIS, where the second byte of 表 is that of a backslash.
    let japanese: [&[u8]; 2] = [b"\x8e\xca\x90^/\x90\xd4\x82\xa2\x8cC.jpg", b"\x95\\/\x8cC.jpg"];
    let said = "has 2 names that do not say how they are written; they were read as Shift_JIS.";
    let world = World::new().await;
    world.put("in/a.zip", &zip(&[packed(japanese[0], 1), packed(japanese[1], 2)]));
    let done = upload(&world).await;
    assert_eq!(assets(&world).await, ["写真/赤い靴.jpg Image", "表/靴.jpg Image"], "{}", done.text());
    assert!(done.text().contains(&format!("JobInfo: a.zip {said}")), "{}", done.text());

    // What says that it is UTF-8 is, whatever the rest is; the bytes beside such a field do not count.
    let world = World::new().await;
    let utf8 = "Größe.jpg".as_bytes();
    let field = [&[1][..], &crc(b"Gr?e.jpg").to_le_bytes(), "Grüße.jpg".as_bytes()].concat();
    let extra = [&0x7075_u16.to_le_bytes()[..], &(field.len() as u16).to_le_bytes(), &field].concat();
    let members = [
        packed(japanese[0], 1),
        Packed { flags: 1 << 11, ..packed(utf8, 2) },
        Packed { extra, ..packed(b"Gr?e.jpg", 3) },
        packed(japanese[1], 4),
    ];
    world.put("in/a.zip", &zip(&members));
    let done = upload(&world).await;
    let names = ["/Größe.jpg Image", "/Grüße.jpg Image", "写真/赤い靴.jpg Image", "表/靴.jpg Image"];
    assert_eq!(assets(&world).await, names, "{}", done.text());
    assert!(done.text().contains(said), "{}", done.text());

    // A name alone says little: DOS unless the configuration knows better.
    for (page, name) in [("auto", "/für.jpg Image"), ("cp437", "/für.jpg Image"), ("shift_jis", "/f〉.jpg Image")] {
        let world = World::with(|settings| settings.archive.names.0 = page.to_owned()).await;
        world.put("in/a.zip", &zip(&[packed(b"f\x81r.jpg", 1)]));
        let done = upload(&world).await;
        assert_eq!(assets(&world).await, [name], "{page}: {}", done.text());
        assert!(done.text().contains("a.zip has 1 name that does not say how it is written; it was read as "));
    }

    // So are names in tar; and those in UTF-8 need no line.
    let made = tempfile::tempdir().unwrap();
    fs::write(made.path().join("red.jpg"), jpeg(24, 1)).unwrap();
    for (name, expected, is_told) in
        [(r"Gr\366\337e.jpg", "/Größe.jpg Image", true), ("Größe.jpg", "/Größe.jpg Image", false)]
    {
        let world = World::new().await;
        let command = format!("n=$(printf '{name}'); cp red.jpg \"$n\"; tar --format=gnu -cf OUT \"$n\"; rm \"$n\"");
        pack(&world, made.path(), "a.tar", &command);
        let done = upload(&world).await;
        assert_eq!(assets(&world).await, [expected], "{}", done.text());
        assert_eq!(done.text().contains("it was read as windows-1252"), is_told, "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_option_an_archive_is_an_asset() {
    let world = World::new().await;
    pack(&world, pictures().path(), "sub/shoes.zip", "zip -qr OUT .");
    let mut asked = order();
    for process in [json!("None"), Value::Null] {
        asked["unCompressOptions"] = if process.is_null() { Value::Null } else { json!({ "process": process }) };
        let done = world.run(JobKind::UploadDirectory, asked.clone()).await.succeeded();
        assert_eq!(assets(&world).await, ["sub/shoes.zip Zip"], "{}", done.text());
    }
    // With it, the name of the asset does not stand in the archive's way, and members lie beside the archive.
    let done = upload(&world).await;
    let expected =
        ["sub/Spring/Shoes/Größe 42.png Image", "sub/Spring/green.jpg Image", "sub/red.jpg Image", "sub/shoes.zip Zip"];
    assert_eq!(assets(&world).await, expected, "{}", done.text());
    // Once more: all of them are duplicates.
    let done = upload(&world).await;
    assert_eq!((done.counters.duplicate, done.counters.success), (3, 0), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_in_archives_and_other_files_stay_as_they_are() {
    let world = World::new().await;
    let made = pictures();
    run(
        made.path(),
        "tar czf inner.tar.gz Spring; zip -qr inner.zip Spring; gzip -k red.jpg; rm -r Spring red.jpg; touch empty.jpg; echo no > broken.jpg",
    );
    pack(&world, made.path(), "outer.zip", "zip -qr OUT .");
    world.put("in/alone.gz", &fs::read(made.path().join("red.jpg.gz")).unwrap());
    let done = upload(&world).await;
    let expected = ["/alone.gz Asset", "/inner.tar.gz Asset", "/inner.zip Zip", "/red.jpg.gz Asset"];
    assert_eq!(assets(&world).await, expected, "{}", done.text());
    assert_eq!(done.counters.error, 2, "{}", done.text());
    assert!(
        done.text().contains("outer.zip/broken.jpg could not be processed: it is not a picture"),
        "{}",
        done.text()
    );
    assert!(done.text().contains("outer.zip/empty.jpg could not be processed: the file is empty"), "{}", done.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_unpacking_goes_on_behind_the_last_member() {
    for (name, command) in [("a.zip", "zip -qr OUT ."), ("a.tar.gz", "tar czf OUT *")] {
        let world = World::new().await;
        pack(&world, pictures().path(), name, command);
        world.put("in/last.jpg", &jpeg(24, 9));
        let done = world.run_with_crashes(JobKind::UploadDirectory, order()).await.succeeded();
        assert!(done.attempts > 5, "{}", done.attempts);
        assert_eq!(done.counters.success, 4, "{}", done.text());
        assert_eq!(assets(&world).await.len(), 4, "{}", done.text());
        let unpacked = done.codes().iter().filter(|code| **code == "archive-unpacked").count();
        assert_eq!(unpacked, 1, "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_plain_file_is_left_out_with_a_line() {
    let made = pictures();
    run(made.path(), "ln -s /etc/passwd link.jpg; ln red.jpg hard.jpg; mkfifo pipe.jpg");
    let line = |name: &str, why: &str| format!("UploadError: {name} could not be processed: {why}.");
    let link = "it is a link, and links in archives are not followed";
    let world = World::new().await;
    pack(&world, made.path(), "a.tar", "tar cf OUT red.jpg hard.jpg link.jpg pipe.jpg");
    let done = upload(&world).await;
    assert_eq!(assets(&world).await, ["/red.jpg Image"], "{}", done.text());
    for expected in [
        line("a.tar/hard.jpg", link),
        line("a.tar/link.jpg", link),
        line("a.tar/pipe.jpg", "it is a pipe, a socket or a device, not a file"),
    ] {
        assert!(done.text().contains(&expected), "{expected}\n{}", done.text());
    }
    assert_eq!(done.counters.error, 3);

    let world = World::new().await;
    run(made.path(), "rm pipe.jpg");
    pack(&world, made.path(), "links.zip", "zip -qy OUT red.jpg link.jpg; zip -qP secret OUT Spring/green.jpg");
    pack(&world, made.path(), "sub/packed.zip", "zip -q -Z bzip2 OUT Spring/green.jpg Spring/.DS_Store");
    let done = upload(&world).await;
    assert_eq!(assets(&world).await, ["/red.jpg Image"], "{}", done.text());
    for expected in [
        line("links.zip/link.jpg", link),
        line("links.zip/Spring/green.jpg", "it is encrypted inside the archive"),
        line("sub/packed.zip/Spring/green.jpg", "it is packed in a way that is not read here"),
    ] {
        assert!(done.text().contains(&expected), "{expected}\n{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_leads_out_of_an_archive() {
    let world = World::new().await;
    let made = pictures();
    run(made.path(), "mkdir -p deep/er; cp red.jpg deep/er/up.jpg");
    pack(&world, &made.path().join("deep/er"), "up.zip", "zip -q OUT ../../red.jpg up.jpg");
    pack(&world, &made.path().join("deep/er"), "up.tar", "tar cPf OUT ../../Spring/green.jpg");
    pack(&world, made.path(), "absolute.tar", "cp red.jpg abs.jpg; tar cPf OUT $PWD/abs.jpg");
    let done = upload(&world).await;
    let text = done.text();
    for path in ["up.zip/../../red.jpg", "up.tar/../../Spring/green.jpg"] {
        assert!(text.contains(&format!("{path} could not be processed: its path leads out of the archive")), "{text}");
    }
    let found = assets(&world).await;
    assert_eq!(found.len(), 2, "{found:?}");
    let inside = format!("{}/abs.jpg Image", made.path().to_str().unwrap().trim_start_matches('/').replace('.', ""));
    assert!(found[1] == "/up.jpg Image" || found[0] == "/up.jpg Image", "{found:?}");
    assert!(found.iter().any(|path| path.replace('.', "") == inside.replace('.', "")), "{found:?}, not {inside}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bomb_is_one_line_and_nothing_of_it_is_unpacked() {
    let made = tempfile::tempdir().unwrap();
    fs::write(made.path().join("fine.jpg"), jpeg(24, 1)).unwrap();
    run(made.path(), "head -c 40000000 /dev/zero > zeros.bmp; for i in $(seq 30); do cp fine.jpg $i.jpg; done");
    let ratio = "unpacks to more than 200 times its size, as only bombs do";
    for (name, command, why) in [
        ("a.zip", "zip -q OUT fine.jpg zeros.bmp", ratio),
        ("a.tar.gz", "tar cf - fine.jpg zeros.bmp | gzip -9 > OUT", ratio),
        ("many.zip", "zip -q OUT *.jpg", "holds more than the 20 entries allowed"),
        ("many.tar", "tar cf OUT *.jpg", "holds more than the 20 entries allowed"),
        (
            "large.tar",
            "cp zeros.bmp z.bmp; tar cf OUT fine.jpg zeros.bmp z.bmp; rm z.bmp",
            "unpacks to more than the 50000000 bytes allowed",
        ),
        (
            "large.zip",
            "zip -q0 OUT fine.jpg zeros.bmp; cp zeros.bmp z.bmp; zip -q0 OUT z.bmp; rm z.bmp",
            "unpacks to more than the 50000000 bytes allowed",
        ),
        ("half.zip", "zip -q OUT fine.jpg; truncate -s -40 OUT", "the archive is damaged"),
        ("half.tar.gz", "tar czf OUT fine.jpg; truncate -s -20 OUT", "the archive is damaged"),
    ] {
        let world = World::with(|settings| {
            settings.archive.max_files = 20;
            settings.archive.max_bytes = "50 MB".parse().unwrap();
        })
        .await;
        pack(&world, made.path(), name, command);
        world.put("in/other.jpg", &jpeg(24, 2));
        let done = upload(&world).await;
        assert_eq!(assets(&world).await, ["/other.jpg Image"], "{name}: {}", done.text());
        assert_eq!((done.counters.success, done.counters.error), (1, 1), "{name}: {}", done.text());
        let line = format!("UploadError: {name} could not be processed: ");
        assert!(done.text().contains(&line) && done.text().contains(why), "{name}: {}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_too_large_or_too_deep_costs_its_own_line() {
    let made = pictures();
    run(made.path(), "head -c 300000 /dev/urandom > large.bin");
    for (name, command) in
        [("a.zip", "zip -qr OUT large.bin red.jpg Spring"), ("a.tar", "tar cf OUT large.bin red.jpg Spring")]
    {
        let world = World::with(|settings| {
            settings.reachable = |_| true;
            settings.ingest.max_file_bytes = "200 kB".parse().unwrap();
            settings.archive.max_depth = 1;
        })
        .await;
        pack(&world, made.path(), name, command);
        let server = crate::urls::serve_bytes(fs::read(world.ingest("in").join(name)).unwrap()).await;
        let from = format!("From/{name}");
        let order = json!({
            "urlArray": [{ "sourceUrl": server, "destPath": from }], "emailSetting": "None",
            "unCompressOptions": { "process": "UnCompress" },
        });
        let done = world.run(JobKind::UploadUrls, order).await.succeeded();
        let found = assets(&world).await;
        assert_eq!(found, ["From/Spring/green.jpg Image", "From/red.jpg Image"], "{name}: {}", done.text());
        assert!(
            done.text().contains("large.bin could not be processed: 300 kB are more than the 200 kB allowed"),
            "{}",
            done.text()
        );
        assert!(done.text().contains("its folders are nested deeper than the configuration allows"), "{}", done.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_member_costs_its_own_line() {
    let world = World::new().await;
    let made = pictures();
    pack(&world, made.path(), "a.zip", "zip -q0 OUT red.jpg Spring/green.jpg");
    let path = world.ingest("in/a.zip");
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let done = upload(&world).await;
    assert_eq!(assets(&world).await, ["Spring/green.jpg Image"], "{}", done.text());
    assert!(
        done.text().contains("a.zip/red.jpg could not be processed: it is damaged inside the archive"),
        "{}",
        done.text()
    );
}

/// What may have had more in it than was found says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archives_that_lost_members_have_a_line() {
    const HEADER: usize = 512;
    let made = pictures();
    let world = World::new().await;
    pack(&world, made.path(), "whole.tar", "tar cf OUT red.jpg Spring/green.jpg");
    pack(&world, made.path(), "whole.zip", "zip -q OUT red.jpg Spring/green.jpg");
    let (tar, zip) = (fs::read(world.ingest("in/whole.tar")).unwrap(), fs::read(world.ingest("in/whole.zip")).unwrap());
    let second = tar.windows(16).position(|at| at == b"Spring/green.jpg").unwrap();
    let put = |name: &str, bytes: &[&[u8]]| world.put(&format!("in/{name}"), &bytes.concat());
    put("cut.tar", &[&tar[..second]]);
    put("hole.tar", &[&tar[..second], &[0; 2 * HEADER], &tar[second + HEADER..]]);
    put("filled.tar", &[&tar[..second], &[0; 20_000]]);
    put("two.tar", &[&tar, &tar]);
    let entries = tar.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(HEADER);
    put("lone.tar", &[&tar[..entries], &[0; HEADER]]);
    pack(&world, made.path(), "tape.tar", "tar -b 256 -cf OUT red.jpg");
    pack(&world, made.path(), "zeros.tar.gz", "tar czf OUT red.jpg; head -c 700 /dev/zero >> OUT");
    pack(&world, made.path(), "words.tar.gz", "tar czf OUT red.jpg; echo some words >> OUT");
    // Its header has room for four pieces.
    let holes = "for at in 1 3 5 7 9 11 13; do dd if=red.jpg of=holes.bin bs=4096 count=1 seek=$((at * 16)) conv=notrunc status=none; done";
    pack(&world, made.path(), "holes.tar", &format!("{holes}; tar -cSf OUT red.jpg holes.bin Spring/green.jpg"));
    // The end of its directory counts one entry less.
    let mut fewer = zip.clone();
    let end = fewer.len() - 22;
    (fewer[end + 8], fewer[end + 10]) = (1, 1);
    put("fewer.zip", &[&fewer]);
    let mut folder = zip.clone();
    while let Some(at) = folder.windows(9).position(|name| name == b"green.jpg") {
        folder[at + 8] = b'/';
    }
    put("folder.zip", &[&folder]);
    let done = upload(&world).await;
    let log = done.text();
    for line in [
        "UploadError: cut.tar lacks its end: it may have had more than the 1 file that was found.",
        "UploadError: hole.tar goes on behind its end",
        "UploadWarning: filled.tar is filled up with more zeros than usual",
        "UploadError: two.tar goes on behind its end",
        "UploadError: words.tar.gz goes on behind its end",
        "UploadError: fewer.zip goes on behind its end",
        "UploadError: folder.zip/Spring/green.jp/ could not be processed: it is named as a folder, though it has content.",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(log.contains("holes.tar/holes.bin"), "{log}");
    for whole in ["whole.tar", "whole.zip", "lone.tar", "tape.tar", "zeros.tar.gz", "holes.tar"] {
        let is_doubted = ["lacks", "goes on", "is filled up"].iter().any(|why| log.contains(&format!("{whole} {why}")));
        assert!(!is_doubted, "{whole}: {log}");
    }
    assert_eq!(done.counters.error, 7, "{log}");
}
