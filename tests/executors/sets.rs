//! Sets by scripts: automatedSetGenerationJob, and autoSetCreationOptions of uploads.

use prepress::clock::Clock;
use prepress::model::handle;
use prepress::model::id::{AssetId, PropertySetId};
use prepress::model::kind::JobKind;
use prepress::model::property_set::{BuiltIn, Properties, Property};
use prepress::store::property_sets::Owner;
use serde_json::{Value, json};

use super::publish::change;
use super::world::{Done, World, directory, jpeg};

impl World {
    /// A script with these values beside its name; its handle.
    pub async fn script(&self, name: &str, values: &[(&str, &str)]) -> String {
        let all = [("name", name)].into_iter().chain(values.iter().copied());
        let property = |(name, value): (&str, &str)| Property { name: name.to_owned(), value: value.to_owned() };
        let properties = Properties::new(all.map(property).collect()).unwrap();
        BuiltIn::SetScript.check(&properties).unwrap();
        let set_type = self.store.built_in_type(BuiltIn::SetScript).await.unwrap().id;
        let owner = Owner { company: Some(self.company), account: None };
        let id = self.store.add_property_set(set_type, owner, properties, self.clock.now()).await.unwrap();
        handle::property_set(id)
    }

    /// Uploads pictures with these names.
    async fn pictures(&self, names: &[&str]) -> Done {
        self.upload(names, &[]).await
    }

    async fn upload(&self, names: &[&str], scripts: &[&str]) -> Done {
        let folder = format!("up-{}", self.clock.now().timestamp());
        for (seed, name) in names.iter().enumerate() {
            self.put(&format!("{folder}/{name}.jpg"), &jpeg(16, seed as u8));
        }
        self.run(JobKind::UploadDirectory, upload_of(&folder, scripts)).await.succeeded()
    }

    async fn handle_of(&self, name: &str) -> String {
        let known = self.store.asset_named(self.company, name).await.unwrap().unwrap_or_else(|| panic!("no {name}"));
        handle::asset(known.id, known.master.asset_type)
    }

    async fn generate(&self, scripts: &[&str], names: &[&str], extra: Value) -> Done {
        let mut order = json!({"assetHandleArray": [], "autoSetCreationOptions": {"autoSetsArray": scripts}});
        for name in names {
            let handle = self.handle_of(name).await;
            order["assetHandleArray"].as_array_mut().unwrap().push(json!(handle));
        }
        order.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.run(JobKind::AutomatedSetGeneration, order).await.succeeded()
    }

    /// Names of members in their order.
    async fn members(&self, set: &str) -> Vec<String> {
        let set = self.store.asset_named(self.company, set).await.unwrap().map(|known| known.id);
        let members = self.store.set_members(self.company, set.unwrap_or(AssetId(0))).await.unwrap();
        members.into_iter().map(|member| member.asset.name).collect()
    }

    async fn asset(&self, name: &str) -> prepress::store::assets::query::Asset {
        self.store.assets_named(self.company, &[name.to_owned()]).await.unwrap().remove(0)
    }
}

fn upload_of(folder: &str, scripts: &[&str]) -> Value {
    let mut order = directory(folder);
    order["destFolder"] = json!("Products/Mugs");
    order["readyForPublish"] = json!(false);
    if !scripts.is_empty() {
        order["autoSetCreationOptions"] = json!({"autoSetsArray": scripts});
    }
    order
}

/// What was left out or not made, with the reason.
fn errors(done: &Done) -> Vec<(String, String)> {
    let line = |line: &&super::world::Line| {
        let name = line.params.get("asset").or(line.params.get("name")).unwrap();
        (name.as_str().unwrap().to_owned(), line.params["reason"]["code"].as_str().unwrap().to_owned())
    };
    done.of_type("AutomatedSetGenerationError").iter().map(line).collect()
}

fn pair(name: &str, reason: &str) -> (String, String) {
    (name.to_owned(), reason.to_owned())
}

pub const COLOURS: &[(&str, &str)] = &[("setType", "ImageSet"), ("match", r"(\w+-\w+)-\w+"), ("suffix", "-SET")];

#[tokio::test]
async fn sets_are_made_extended_and_sorted_again() {
    let world = World::new().await;
    let script = world.script("Colours", COLOURS).await;
    world.pictures(&["0123-RED-01", "0123-RED-02", "0123-RED-03", "0123-BLUE-01", "plain"]).await;
    let first = world.generate(&[&script], &["0123-RED-01", "plain"], json!({})).await;
    assert_eq!(world.members("0123-RED-SET").await, ["0123-RED-01"]);
    assert_eq!((first.counters.success, first.counters.update, first.counters.error), (1, 0, 0));
    assert_eq!(first.of_type("AutomatedSetGenerationSuccess")[0].code, "set-created");
    let set = world.asset("0123-RED-SET").await;
    assert_eq!((set.asset_type.as_str(), set.folder.as_str(), set.marked), ("ImageSet", "", false));

    let second = world.generate(&[&script], &["0123-RED-03"], json!({})).await;
    assert_eq!(world.members("0123-RED-SET").await, ["0123-RED-01", "0123-RED-03"]);
    assert_eq!((second.counters.success, second.counters.update), (0, 1));
    let third = world.generate(&[&script], &["0123-RED-02", "0123-BLUE-01"], json!({})).await;
    assert_eq!(world.members("0123-RED-SET").await, ["0123-RED-01", "0123-RED-02", "0123-RED-03"]);
    assert_eq!(world.members("0123-BLUE-SET").await, ["0123-BLUE-01"]);
    assert_eq!((third.counters.success, third.counters.update), (1, 1));
    assert_eq!(world.asset("0123-RED-SET").await.id, set.id, "it is the same set");
    let again = world.generate(&[&script], &["0123-RED-02"], json!({})).await;
    assert_eq!(again.of_type("JobInfo")[0].code, "set-unchanged");
    assert_eq!((again.counters.success, again.counters.update), (0, 0));
}

#[tokio::test]
async fn the_job_says_where_new_sets_go_and_whether_they_are_published() {
    let world = World::new().await;
    let placed = world.script("Placed", &[COLOURS, &[("folder", "Acme/By script")]].concat()).await;
    let other = [("setType", "SpinSet"), ("match", r"(\w+-\w+)-\w+"), ("prefix", "spin ")];
    let free = world.script("Free", &other).await;
    world.pictures(&["a-1-1", "b-1-1", "alone"]).await;
    world.generate(&[&placed, &free], &["a-1-1"], json!({"readyForPublish": false})).await;
    assert_eq!(world.asset("a-1-SET").await.folder, "By script");
    assert_eq!(world.asset("spin a-1").await.folder, "");
    assert!(!world.asset("a-1-1").await.marked);
    let order = json!({"destFolder": "Acme/Ordered/Here/", "readyForPublish": true});
    world.generate(&[&placed, &free], &["b-1-1", "a-1-1"], order).await;
    assert_eq!(world.asset("b-1-SET").await.folder, "Ordered/Here");
    assert_eq!(world.asset("spin b-1").await.folder, "Ordered/Here");
    assert_eq!(world.asset("a-1-SET").await.folder, "By script", "a set that is there stays where it is");
    for name in ["b-1-SET", "spin b-1", "b-1-1", "a-1-SET", "a-1-1"] {
        assert!(world.asset(name).await.marked, "{name}");
    }
    assert!(!world.asset("alone").await.marked);
}

#[tokio::test]
async fn each_problem_has_its_line() {
    let world = World::new().await;
    let script = world.script("Colours", COLOURS).await;
    let based = [("setType", "ImageSet"), ("match", ".*"), ("baseName", "([0-9]+)x.*"), ("prefix", "S")];
    let based = world.script("Based", &based).await;
    world.pictures(&["c-1-1", "c-1-2", "d-1-1", "d-1-SET", "e-1-1"]).await;
    world.generate(&[&script], &["e-1-1"], json!({})).await;
    world.execute("UPDATE asset SET trash_state = 'InTrash' WHERE name IN ('c-1-2', 'e-1-SET')").await;
    let gone = handle::property_set(PropertySetId(99));
    let names = ["c-1-1", "c-1-2", "d-1-1", "e-1-1", "e-1-SET"];
    let mut done = world.generate(&[&script, &gone], &names, json!({})).await;
    let expected = [
        pair("c-1-2", "reason-asset-in-trash"),
        pair("e-1-SET", "reason-asset-in-trash"),
        pair(&gone, "reason-script-gone"),
        pair("d-1-SET", "reason-set-name-taken"),
        pair("e-1-SET", "reason-asset-in-trash"),
    ];
    assert_eq!(errors(&done), expected, "{}", done.text());
    assert_eq!((done.counters.success, done.counters.error), (1, 5));
    assert_eq!(world.members("c-1-SET").await, ["c-1-1"]);
    done = world.generate(&[&based], &["d-1-1"], json!({})).await;
    assert_eq!(errors(&done), [pair("d-1-1", "reason-no-base-name")]);
    let order = json!({"assetHandleArray": ["a|999", world.handle_of("c-1-SET").await],
                       "autoSetCreationOptions": {"autoSetsArray": [script]}});
    done = world.run(JobKind::AutomatedSetGeneration, order).await.succeeded();
    assert_eq!(errors(&done), [pair("999", "reason-asset-unknown"), pair("c-1-SET", "reason-not-for-type")]);
}

#[tokio::test]
async fn a_spin_with_two_axes_is_an_asset_set_with_cells() {
    let world = World::new().await;
    let values = [
        ("setType", "MultiAxisSpinSet"),
        ("match", r"(\w+)-\w+-\w+"),
        ("row", r"\w+-(\d+)-\w+"),
        ("column", r"\w+-\w+-(\d+)"),
    ];
    let script = world.script("Globe", &values).await;
    world.pictures(&["spin-01-02", "spin-01-01", "spin-03-01", "spin-x-01", "spin-1-1"]).await;
    let names = ["spin-01-02", "spin-01-01", "spin-x-01", "spin-1-1"];
    let done = world.generate(&[&script], &names, json!({})).await;
    assert_eq!(errors(&done), [pair("spin-1-1", "reason-cell-taken"), pair("spin-x-01", "reason-no-row")]);
    let done = world.generate(&[&script], &["spin-03-01"], json!({})).await;
    assert_eq!((done.counters.update, done.counters.error), (1, 0));
    let cells = world
        .query("SELECT a.name, s.row, s.col FROM set_member s JOIN asset a ON a.id = s.asset_id ORDER BY s.position")
        .await;
    let expected = json!([["spin-01-01", 0, 0], ["spin-01-02", 0, 1], ["spin-03-01", 1, 0]]);
    assert_eq!(json!(cells), expected);
    let set = world.asset("spin").await;
    assert_eq!((set.asset_type.as_str(), set.sub_type.as_deref()), ("AssetSet", Some("MultiAxisSpinSet")));
    let mut places = Vec::new();
    for name in ["spin-01-01", "spin-01-02", "spin-03-01"] {
        places.push(format!("${{getCatalogId([{}])}}", world.handle_of(name).await));
    }
    assert_eq!(set.definition, Some(format!("{{{};{}}},{{{}}}", places[0], places[1], places[2])));
    // Nothing at all has a place: no set.
    let lost =
        world.script("Lost", &[&values[1..], &[("setType", "MultiAxisSpinSet"), ("prefix", "no ")]].concat()).await;
    let done = world.generate(&[&lost], &["spin-x-01"], json!({})).await;
    assert_eq!((errors(&done).len(), world.members("no spin").await.len()), (1, 0));
}

#[tokio::test]
async fn who_is_given_up_leaves_the_definition_and_the_ranks_of_a_spin() {
    let world = World::new().await;
    let values = [
        ("setType", "MultiAxisSpinSet"),
        ("match", r"(\w+)-\w+-\w+"),
        ("row", r"\w+-(\d+)-\w+"),
        ("column", r"\w+-\w+-(\d+)"),
    ];
    let script = world.script("Globe", &values).await;
    let names = ["spin-01-01", "spin-01-02", "spin-03-01"];
    world.pictures(&names).await;
    world.generate(&[&script], &names, json!({})).await;
    let [first, second, third] = {
        let mut places = Vec::new();
        for name in names {
            places.push(format!("${{getCatalogId([{}])}}", world.handle_of(name).await));
        }
        <[String; 3]>::try_from(places).unwrap()
    };
    for (gone, is_emptied, definition, cells) in [
        (
            "spin-01-01",
            false,
            format!("{{{first};{second}}},{{{third}}}"),
            json!([["spin-01-01", 0, 0], ["spin-01-02", 0, 1], ["spin-03-01", 1, 0]]),
        ),
        ("spin-01-01", true, format!("{{{second}}},{{{third}}}"), json!([["spin-01-02", 0, 1], ["spin-03-01", 1, 0]])),
        ("spin-03-01", true, format!("{{{second}}}"), json!([["spin-01-02", 0, 0]])),
    ] {
        let id = world.store.asset_named(world.company, gone).await.unwrap().unwrap().id;
        world.store.trash_assets(change(&world), vec![id]).await.unwrap();
        if is_emptied {
            world.store.empty_trash(change(&world), vec![id]).await.unwrap();
        }
        let set = world.asset("spin").await;
        assert_eq!(set.definition, Some(definition), "{gone}");
        let found = world
            .query(
                "SELECT a.name, s.row, s.col FROM set_member s JOIN asset a ON a.id = s.asset_id ORDER BY s.position",
            )
            .await;
        assert_eq!(json!(found), cells, "{gone}");
        // What is in the definition may be set again, and the script finds nothing to do.
        if is_emptied {
            let done = world.generate(&[&script], &["spin-01-02"], json!({})).await;
            assert!(done.codes().contains(&"set-unchanged"), "{}", done.text());
        }
    }
}

#[tokio::test]
async fn the_sequence_and_the_kind_of_a_script_decide() {
    let world = World::new().await;
    let values = [("setType", "SwatchSet"), ("match", r"(\w+?)_.*"), ("sequence", ".*_main,.*_alt[0-9]+")];
    let script = world.script("Swatches", &values).await;
    let names = ["shoe_b", "shoe_alt10", "shoe_alt2", "shoe_a", "shoe_main"];
    world.pictures(&names).await;
    world.generate(&[&script], &names, json!({})).await;
    assert_eq!(world.members("shoe").await, ["shoe_main", "shoe_alt2", "shoe_alt10", "shoe_a", "shoe_b"]);
    assert_eq!(world.asset("shoe").await.asset_type.as_str(), "RenderSet");
}

#[tokio::test]
async fn what_was_made_from_an_asset_joins_unless_the_script_says_no() {
    let world = World::new().await;
    let with = world.script("With", &[("setType", "ImageSet"), ("match", "(.*)-[0-9]+"), ("suffix", " with")]).await;
    let without =
        [("setType", "ImageSet"), ("match", "(.*)-[0-9]+"), ("suffix", " without"), ("includeDerived", "false")];
    let without = world.script("Without", &without).await;
    world.pictures(&["book", "book-1", "book-2"]).await;
    world
        .execute("UPDATE asset SET parent_id = (SELECT id FROM asset WHERE name = 'book'), part = 'page:1' WHERE name = 'book-1'")
        .await;
    world.generate(&[&with, &without], &["book", "book-2"], json!({})).await;
    assert_eq!(world.members("book with").await, ["book-1", "book-2"]);
    assert_eq!(world.members("book without").await, ["book-2"]);
}

#[tokio::test]
async fn uploads_run_every_script_on_what_they_filed() {
    let world = World::new().await;
    let colours = world.script("Colours", COLOURS).await;
    let spin = world.script("Spin", &[("setType", "SpinSet"), ("match", r"(\w+)-\w+-\w+"), ("folder", "Spins")]).await;
    world.pictures(&["0123-RED-09"]).await;
    let done = world.upload(&["0123-RED-02", "0123-RED-01", "other"], &[&colours, &spin, &colours]).await;
    assert_eq!(done.of_type("UploadWarning"), Vec::<&super::world::Line>::new(), "the option has its effect");
    assert_eq!(world.members("0123-RED-SET").await, ["0123-RED-01", "0123-RED-02"], "what the job filed, and no more");
    assert_eq!(world.asset("0123-RED-SET").await.folder, "Products/Mugs", "beside its first member");
    assert_eq!(world.asset("0123").await.folder, "Spins");
    assert_eq!(done.counters.success, 3, "the counters are about files");
    assert_eq!(done.of_type("AutomatedSetGenerationSuccess").len(), 2);
    let items: Vec<&str> = done.items.iter().filter(|key| key.starts_with("/set")).map(String::as_str).collect();
    assert_eq!(items, ["/set Colours\n0123-RED-SET", "/set Spin\n0123"]);

    world.store.remove_property_set(PropertySetId(1)).await.unwrap();
    let done = world.upload(&["0123-RED-03"], &[&colours]).await;
    assert_eq!(errors(&done), [pair(&colours, "reason-script-gone")]);
    assert_eq!((done.counters.success, done.counters.error), (1, 1));
}

#[tokio::test]
async fn reprocessing_runs_every_script_on_what_it_made_again() {
    let world = World::new().await;
    let colours = world.script("Colours", COLOURS).await;
    world.pictures(&["0123-RED-01", "0123-RED-02", "0123-RED-03"]).await;
    let order = json!({
        "assetHandleArray": [world.handle_of("0123-RED-03").await, world.handle_of("0123-RED-01").await, "a|999"],
        "createMask": false,
        "readyForPublish": true,
        "autoSetCreationOptions": {"autoSetsArray": [colours]},
    });
    let done = world.run(JobKind::ReprocessAssets, order.clone()).await.succeeded();
    assert_eq!(world.members("0123-RED-SET").await, ["0123-RED-01", "0123-RED-03"], "{}", done.text());
    assert!(world.asset("0123-RED-SET").await.marked, "as the job says");
    assert_eq!((done.counters.success, done.counters.error), (2, 1), "the counters are about assets");
    assert_eq!(done.of_type("AutomatedSetGenerationSuccess").len(), 1);
    let again = world.run_with_crashes(JobKind::ReprocessAssets, order).await.succeeded();
    assert_eq!(world.members("0123-RED-SET").await, ["0123-RED-01", "0123-RED-03"]);
    assert_eq!(again.of_type("AutomatedSetGenerationError").len(), 0, "{}", again.text());
}

#[tokio::test]
async fn interrupted_again_and_again_it_comes_to_the_same() {
    let world = World::new().await;
    let colours = world.script("Colours", COLOURS).await;
    for (seed, name) in ["a-1-1", "a-1-2", "b-1-1"].iter().enumerate() {
        world.put(&format!("in/{name}.jpg"), &jpeg(16, seed as u8));
    }
    let done = world.run_with_crashes(JobKind::UploadDirectory, upload_of("in", &[&colours])).await.succeeded();
    assert!(done.attempts > 3, "{}", done.attempts);
    assert_eq!(world.members("a-1-SET").await, ["a-1-1", "a-1-2"]);
    assert_eq!(world.members("b-1-SET").await, ["b-1-1"]);
    let codes: Vec<&str> = done.codes().into_iter().filter(|code| code.starts_with("set-")).collect();
    assert_eq!(codes, ["set-created", "set-created"], "{}", done.text());
    let order = json!({"assetHandleArray": [world.handle_of("a-1-1").await, "a|999"], "destFolder": "X",
                       "autoSetCreationOptions": {"autoSetsArray": [colours]}, "readyForPublish": true});
    let done = world.run_with_crashes(JobKind::AutomatedSetGeneration, order).await.succeeded();
    assert_eq!((done.counters.error, done.of_type("AutomatedSetGenerationError").len()), (1, 1));
}
