//! What is made of files whose parts a stopped job has left out, and of those that two orders are about.

use prepress::config::TiffPages;
use prepress::executors::{Failure, Registry};
use prepress::model::kind::JobKind;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::layers::poster;
use crate::leaves::write_leaves;
use crate::pages::{PageOf, booklet, page, pdf, text};
use crate::world::{Done, Moment, World, directory};

const UPLOAD: JobKind = JobKind::UploadDirectory;

const SOME_ARE_MADE: &str =
    "SELECT 1 WHERE (SELECT count(*) FROM item WHERE instance_id = (SELECT max(id) FROM instance)
                             AND (key LIKE '%page:%' OR key LIKE '%layer:%')) > 1";

/// An upload of what lies in `in`, drawn at 36 dpi.
fn upload(overwrite: bool) -> Value {
    let mut order = directory("in");
    order["overwrite"] = json!(overwrite);
    order["pdfOptions"] = json!({ "process": "Rasterize", "resolution": 36 });
    order
}

/// How many pages there are of each width.
async fn widths(world: &World) -> Vec<(i64, i64)> {
    let rows = world
        .query(
            "SELECT width, count(*) FROM asset WHERE part LIKE 'page:%' AND trash_state = 'NotInTrash' GROUP BY 1 ORDER BY 1",
        )
        .await;
    rows.iter().map(|row| (row[0].as_i64().unwrap(), row[1].as_i64().unwrap())).collect()
}

/// The names of the parts that are not in the trash.
async fn parts(world: &World) -> Vec<String> {
    let rows =
        world.query("SELECT name FROM asset WHERE part IS NOT NULL AND trash_state = 'NotInTrash' ORDER BY name").await;
    rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

async fn trash(world: &World, name: &str) {
    let asset = crate::publish::asset(world, name).await;
    world.store.trash_assets(crate::publish::change(world), vec![asset]).await.unwrap();
}

fn goes_on(done: &Done) -> bool {
    done.text().contains("were not all made by the job that was to make them")
}

/// Puts a file there, as a whole or with less in it.
type Put<'p> = &'p dyn Fn(&World, bool);

/// What went to the trash with a file that had it no more is not there, whoever put it there: pages, leaves and layers. What is put
/// there after it was ordered again stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_were_in_the_trash_before_they_were_ordered_are_made() {
    let world = World::with(|settings| settings.media.tiff_pages = TiffPages::All).await;
    let mut order = upload(true);
    order["photoshopOptions"] = json!({ "process": "MaintainLayers" });
    let mut again = order.clone();
    again["overwrite"] = json!(false);
    let long: Vec<String> = (1..=12).map(|number| format!("page{number}")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let put: [(&str, Put); 3] = [
        ("book.pdf", &|world, whole| world.put("in/book.pdf", &booklet(if whole { &long } else { &["x"] }, &[]))),
        ("scan.tif", &|world, whole| write_leaves(world, "scan.tif", if whole { 12 } else { 1 })),
        ("ad.psd", &|world, whole| {
            let mut file = poster();
            file.layers.truncate(if whole { usize::MAX } else { 1 });
            world.put("in/ad.psd", &file.bytes());
        }),
    ];
    for (file, put) in put {
        put(&world, true);
        world.run(UPLOAD, order.clone()).await.succeeded();
        let whole = parts(&world).await;
        trash(&world, whole.last().unwrap()).await;
        put(&world, false);
        world.run(UPLOAD, order.clone()).await.succeeded();
        assert!(parts(&world).await.len() <= 2, "{file}: {:?}", parts(&world).await);
        put(&world, true);
        world.stopped_at(UPLOAD, order.clone(), Moment::Finds(SOME_ARE_MADE)).await;
        let made = parts(&world).await;
        assert!(made.len() < whole.len(), "{file}: {made:?}");
        let taken_out = made.first().unwrap();
        trash(&world, taken_out).await;
        let done = world.run(UPLOAD, again.clone()).await.succeeded();
        assert!(goes_on(&done), "{file}: {}", done.text());
        let expected: Vec<&String> = whole.iter().filter(|name| *name != taken_out).collect();
        assert_eq!(parts(&world).await.iter().collect::<Vec<_>>(), expected, "{file}: {}", done.text());
        std::fs::remove_file(world.ingest(&format!("in/{file}"))).unwrap();
        world.execute("UPDATE asset SET trash_state = 'InTrash', name = name || ' of ' || id").await;
    }
}

/// A document has its pages in one way, whoever was stopped while they were drawn anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_on_with_pages_that_were_drawn_otherwise_draws_them_as_asked() {
    let words: Vec<String> = (1..=20).map(|number| format!("page{number}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for resolution in [36, 72] {
        let world = World::new().await;
        world.put("in/book.pdf", &booklet(&words, &[]));
        world.run(UPLOAD, upload(true)).await.succeeded();
        assert_eq!(widths(&world).await, [(150, 20)]);
        let book = crate::publish::asset(&world, "book").await;
        let rip = json!({ "pdfHandleArray": [format!("a|{book}")], "emailSetting": "None",
                          "pdfOptions": { "process": "Rasterize", "resolution": 72 } });
        world.stopped_at(JobKind::RipPdfs, rip, Moment::Finds(SOME_ARE_MADE)).await;
        let [(150, small), (300, large)] = widths(&world).await[..] else { panic!("{:?}", widths(&world).await) };
        let mut order = upload(false);
        order["pdfOptions"]["resolution"] = json!(resolution);
        let done = world.run(UPLOAD, order.clone()).await.succeeded();
        assert!(goes_on(&done), "{}", done.text());
        // Those of the first order are drawn again in any case: ripPdfs was asked for all.
        assert_eq!(widths(&world).await, [(150 * resolution / 36, 20)], "{}", done.text());
        let kept = if resolution == 72 { large } else { 0 };
        assert_eq!((done.counters.part, small + large), (20 - kept, 20), "{}", done.text());
        let again = world.run(UPLOAD, order).await.succeeded();
        assert_eq!((again.counters.part, goes_on(&again)), (0, false), "{}", again.text());
    }
}

/// Of two jobs that make the parts of one file at once the one that began later makes them, and the other says so: the first upload,
/// one that goes on, and one that is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_that_begins_later_makes_the_pages() {
    let words: Vec<String> = (1..=20).map(|number| format!("page{number}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for case in ["first", "goes on", "again"] {
        let world = World::new().await;
        world.put("in/book.pdf", &booklet(&words, &[]));
        if case == "goes on" {
            world.stopped_at(UPLOAD, upload(false), Moment::Finds(SOME_ARE_MADE)).await;
        }
        let later = async || {
            let book = crate::publish::asset(&world, "book").await;
            let rip = json!({ "pdfHandleArray": [format!("a|{book}")], "emailSetting": "None",
                              "pdfOptions": { "process": "Rasterize", "resolution": 72 } });
            let done = world.run(JobKind::RipPdfs, rip).await.succeeded();
            assert_eq!((done.counters.part, done.counters.warning), (20, 0), "{}", done.text());
            assert_eq!(widths(&world).await, [(300, 20)], "{case}");
        };
        let moment = Moment::Finds(SOME_ARE_MADE);
        let (done, was_broken_off) = match case {
            "again" => world.run_in_two(UPLOAD, upload(false), moment, later).await,
            _ => world.run_broken_off(UPLOAD, upload(false), moment, later).await,
        };
        let done = done.succeeded();
        assert!(was_broken_off, "{case}");
        let told = "UploadWarning: The parts of book.pdf are made by a job that began with them later";
        assert_eq!(done.text().matches(told).count(), 1, "{case}: {}", done.text());
        assert_eq!((done.counters.warning, done.counters.error), (1, 0), "{case}: {}", done.text());
        assert_eq!(widths(&world).await, [(300, 20)], "{case}: {}", done.text());
        assert_eq!(world.query("SELECT parts_ended FROM asset WHERE name = 'book'").await, [[json!(1)]], "{case}");
        let again = world.run(UPLOAD, upload(false)).await.succeeded();
        assert_eq!((again.counters.part, again.counters.duplicate), (0, 1), "{case}: {}", again.text());
    }
}

/// Who goes on with pages, and asks for no eCatalog, leaves the one that is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_on_without_an_ecatalog_leaves_the_one_that_is_there() {
    let world = World::new().await;
    let words = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    world.put("in/book.pdf", &booklet(&words, &[]));
    world.run(UPLOAD, upload(true)).await.succeeded();
    world.stopped_at(UPLOAD, upload(true), Moment::Finds(SOME_ARE_MADE)).await;
    let mut order = upload(false);
    order["pdfOptions"]["pdfCatalog"] = json!(false);
    let done = world.run(UPLOAD, order).await.succeeded();
    assert!(goes_on(&done), "{}", done.text());
    assert!(parts(&world).await.contains(&"book-catalog".to_owned()), "{:?}", parts(&world).await);
}

/// Layers that nobody has asked for before are not made of what is there, and a line says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_layers_of_what_is_there_hears_that_there_are_none() {
    let world = World::new().await;
    world.put("in/ad.psd", &poster().bytes());
    world.run(UPLOAD, upload(false)).await.succeeded();
    let mut order = upload(false);
    order["photoshopOptions"] = json!({ "process": "MaintainLayers" });
    let done = world.run(UPLOAD, order).await.succeeded();
    assert!(done.text().contains("ad has none of the pages, layers or renditions"), "{}", done.text());
    assert_eq!((done.counters.duplicate, done.counters.warning), (1, 1), "{}", done.text());
}

/// Who orders once more what a stopped job did not come to the end of gets the rest, and who orders pages of what is there already
/// hears that there are none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_there_gets_the_pages_that_a_stopped_job_left_out() {
    let world = World::new().await;
    let words: Vec<String> = (1..=20).map(|number| format!("page{number}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.put("in/book.pdf", &booklet(&words, &[]));
    let mut order = directory("in");
    order["pdfOptions"] = json!({ "process": "Rasterize", "resolution": 36 });
    let (kind, order) = (UPLOAD, order);
    let pages =
        async || world.query("SELECT count(*) FROM asset WHERE part LIKE 'page:%'").await[0][0].as_i64().unwrap();

    // It is stopped as soon as it has drawn something.
    world.submit(kind, order.clone()).await;
    let claimed = world.claim().await;
    let stop = CancellationToken::new();
    let context = world.context(&claimed, stop.clone());
    let executor = world.registry().executor(&claimed.spec);
    let mut beside = None;
    let watch = async {
        while pages().await == 0 {}
        stop.cancel();
        // While that job is at work nobody else makes its pages.
        beside = Some(world.run(kind, order.clone()).await.succeeded());
    };
    let (result, ()) = tokio::join!(executor.run(&context), watch);
    assert_eq!(result, Err(Failure::Interrupted));
    let beside = beside.unwrap();
    assert_eq!((beside.counters.duplicate, beside.counters.part), (1, 0), "{}", beside.text());
    world.finish(claimed.fence, Err(Failure::Interrupted), 1).await;
    let drawn = pages().await;
    assert!((1..20).contains(&drawn), "{drawn}");

    // A thumbnail is none of its pages.
    let mut thumbnail = directory("in");
    thumbnail["pdfOptions"] = json!({ "process": "Thumbnail" });
    world.run(kind, thumbnail).await.succeeded();
    let book = crate::publish::asset(&world, "book").await;
    let rip = json!({ "pdfHandleArray": [format!("a|{book}")], "pdfOptions": { "process": "Thumbnail" }, "emailSetting": "None" });
    world.run(JobKind::RipPdfs, rip).await.succeeded();
    assert_eq!(pages().await, drawn);

    // Those that are there stay as they are.
    let again = world.run(kind, order.clone()).await.succeeded();
    assert_eq!(pages().await, 20, "{}", again.text());
    assert!(again.text().contains("The pages or layers of book were not all made"), "{}", again.text());
    assert!(again.text().contains("an eCatalog of 20 pages"), "{}", again.text());
    let counted = (again.counters.duplicate, again.counters.part, again.counters.warning);
    assert_eq!(counted, (1, 20 - drawn, 0), "{}", again.text());
    // Once is enough.
    let third = world.run(kind, order).await.succeeded();
    assert_eq!((third.counters.duplicate, third.counters.part, third.counters.warning), (1, 0, 0), "{}", third.text());

    world.put("late/late.pdf", &booklet(&["late"], &[]));
    let mut late = directory("late");
    world.run(kind, late.clone()).await.succeeded();
    late["pdfOptions"] = json!({ "process": "Rasterize" });
    let done = world.run(kind, late).await.succeeded();
    assert!(
        done.text().contains("late has none of the pages, layers or renditions that the order asks for"),
        "{}",
        done.text()
    );
    assert_eq!((done.counters.duplicate, done.counters.warning), (1, 1), "{}", done.text());

    // So does what ripPdfs left out, and what is called otherwise.
    world.put("odd/odd.dat", &booklet(&words, &[]));
    let mut odd = directory("odd");
    world.run(kind, odd.clone()).await.succeeded();
    let rip = json!({ "pdfHandleArray": [format!("a|{}", crate::publish::asset(&world, "odd").await)], "emailSetting": "None" });
    world.submit(JobKind::RipPdfs, rip).await;
    let claimed = world.claim().await;
    let stop = CancellationToken::new();
    let context = world.context(&claimed, stop.clone());
    let executor = world.registry().executor(&claimed.spec);
    let before = pages().await;
    let watch = async {
        while pages().await == before {}
        stop.cancel();
    };
    let (result, ()) = tokio::join!(executor.run(&context), watch);
    world.finish(claimed.fence, result, 1).await;
    assert!(pages().await < before + 20);
    odd["pdfOptions"] = json!({ "process": "Rasterize" });
    let done = world.run(kind, odd).await.succeeded();
    assert_eq!(pages().await, before + 20, "{}", done.text());

    // What could not be drawn is not told to be missing.
    world.put("locked/locked.pdf", &booklet(&["huge"], &[1]));
    let mut locked = directory("locked");
    locked["pdfOptions"] = json!({ "process": "Rasterize" });
    world.run(kind, locked.clone()).await.succeeded();
    let done = world.run(kind, locked).await.succeeded();
    assert_eq!((done.counters.duplicate, done.counters.warning, done.counters.error), (1, 0, 0), "{}", done.text());
}

/// An upload that has ended with a document still has others to do. What a later job leaves out of that document is made as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_out_beside_a_job_that_is_done_with_the_document_is_made() {
    let world = World::with(|settings| settings.media.memory = Some("64 MiB".parse().unwrap())).await;
    let words: Vec<String> = (1..=20).map(|number| format!("page{number}")).collect();
    let large: Vec<PageOf> =
        words.iter().map(|word| PageOf { size: (600, 600), ..page(&text(word, 20, 100)) }).collect();
    world.put("in/book.pdf", &pdf(&large));
    let order = |resolution: u32| {
        let mut order = directory("in");
        order["pdfOptions"] = json!({ "process": "Rasterize", "resolution": resolution });
        order
    };
    let pages =
        async || world.query("SELECT count(*) FROM asset WHERE part LIKE 'page:%'").await[0][0].as_i64().unwrap();
    // All of them are too large for it. It has not ended.
    world.submit(UPLOAD, order(1200)).await;
    let first = world.claim().await;
    let context = world.context(&first, CancellationToken::new());
    let result = world.registry().executor(&first.spec).run(&context).await;
    assert_eq!(
        (pages().await, world.query("SELECT parts_ended FROM asset WHERE name = 'book'").await),
        (0, vec![vec![json!(1)]])
    );

    let book = crate::publish::asset(&world, "book").await;
    let rip = json!({ "pdfHandleArray": [format!("a|{book}")], "emailSetting": "None",
                      "pdfOptions": { "process": "Rasterize", "resolution": 36 } });
    world.submit(JobKind::RipPdfs, rip).await;
    let second = world.claim().await;
    let stop = CancellationToken::new();
    let context = world.context(&second, stop.clone());
    let executor = world.registry().executor(&second.spec);
    let watch = async {
        while pages().await == 0 {}
        stop.cancel();
    };
    let (stopped, ()) = tokio::join!(executor.run(&context), watch);
    assert_eq!(stopped, Err(Failure::Interrupted));
    world.finish(second.fence, Err(Failure::Interrupted), 1).await;
    world.finish(first.fence, result, 1).await;
    let drawn = pages().await;
    assert!((1..20).contains(&drawn), "{drawn}");

    let again = world.run(UPLOAD, order(36)).await.succeeded();
    assert_eq!(pages().await, 20, "{}", again.text());
    assert_eq!(again.counters.part, 20 - drawn, "{}", again.text());
}

/// The pages of an earlier file of a document lie in the trash. Who orders pages of what is there now hears that there are none.
#[tokio::test]
async fn pages_of_an_earlier_file_are_no_pages_of_a_document() {
    let world = World::new().await;
    let order = |overwrite: bool, pages: bool| {
        let mut order = directory("in");
        order["overwrite"] = json!(overwrite);
        if pages {
            order["pdfOptions"] = json!({ "process": "Rasterize", "resolution": 36 });
        }
        order
    };
    world.put("in/book.pdf", &booklet(&["a", "b", "c"], &[]));
    world.run(UPLOAD, order(false, true)).await.succeeded();
    world.put("in/book.pdf", &booklet(&["d", "e"], &[]));
    world.run(UPLOAD, order(true, false)).await.succeeded();
    let there = "SELECT count(*) FROM asset WHERE part LIKE 'page:%' AND trash_state = 'NotInTrash'";
    assert_eq!(world.query(there).await, [[json!(0)]]);
    // Nor are those of this very file that went to the trash with it.
    world.put("in/book.pdf", &booklet(&["a", "b", "c"], &[]));
    world.run(UPLOAD, order(true, false)).await.succeeded();
    let without = world.run(UPLOAD, order(false, true)).await.succeeded();
    assert!(without.text().contains("book has none of the pages"), "{}", without.text());
    world.put("in/book.pdf", &booklet(&["d", "e"], &[]));
    world.run(UPLOAD, order(true, false)).await.succeeded();
    let again = world.run(UPLOAD, order(false, true)).await.succeeded();
    assert!(
        again.text().contains("book has none of the pages, layers or renditions that the order asks for"),
        "{}",
        again.text()
    );
    assert_eq!((again.counters.duplicate, again.counters.warning), (1, 1), "{}", again.text());
}
