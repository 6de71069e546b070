//! Folders and assets, from creation to the trash.

mod sets;

use crate::tenants::shop::Shop;
use crate::tenants::{asset_handle, master};
use prepress::clock::Clock;
use prepress::model::asset::{AssetType, DerivedRole, TrashState};
use prepress::model::id::{AssetId, CompanyId};
use prepress::model::name::FileName;
use prepress::model::overwrite::OverwriteMode;
use prepress::model::source::SourceName;
use prepress::service::{Denied, Error};
use prepress::store::assets::arrival::{Arrival, Filed};
use prepress::store::assets::derived::Derived;
use prepress::store::assets::ingest::{Master, Replacement};
use prepress::store::assets::marking::Marking;
use prepress::store::companies::Settings;
use prepress::store::effect::{Applied, Effect};
use serde_json::{Value, json};

#[tokio::test]
async fn folders_live_and_die() {
    let shop = Shop::new().await;
    assert_eq!(shop.folders().await, ["Acme/"]);
    let made = shop.call("createFolder", json!({"folderPath": "/Shoes/Summer/"})).await.unwrap();
    assert_eq!(made["folderHandle"], "f|Acme/Shoes/Summer/");
    shop.call("createFolder", json!({"folderPath": "Acme/Shoes/Winter"})).await.unwrap();
    assert_eq!(shop.folders().await, ["Acme/", "Acme/Shoes/", "Acme/Shoes/Summer/", "Acme/Shoes/Winter/"]);
    for path in ["Shoes", "Acme/Shoes/Summer/", "/", ""] {
        let why = shop.refused("createFolder", json!({"folderPath": path})).await;
        assert!(why.contains("already exists"), "{path}: {why}");
    }
    for path in ["../Shoes", "Shoes/../..", "?", &"d/".repeat(40), &"x".repeat(300)] {
        assert!(shop.invalid("createFolder", json!({"folderPath": path})).await.starts_with("folderPath"), "{path}");
    }

    let sandal = shop.asset("Shoes/Summer", "sandal").await;
    let boot = shop.asset("Shoes", "boot").await;
    let glove = shop.asset("Gloves", "glove").await;
    let before = shop.change(boot).await;
    shop.world.pass(1);
    shop.call("deleteFolder", json!({"folderHandle": "f|Acme/Shoes/"})).await.unwrap();
    assert_eq!(shop.folders().await, ["Acme/", "Acme/Gloves/"]);
    assert_eq!(shop.search(json!({})).await, (vec!["glove".to_owned()], 1));
    let trash = shop.search(json!({"trashState": "InTrash"})).await;
    assert_eq!(trash, (vec!["boot".to_owned(), "sandal".to_owned()], 2));
    assert_eq!(shop.one(sandal).await["trashState"], "InTrash");
    assert_eq!(shop.one(sandal).await["lastModified"], "2026-11-23T09:16:00.000Z");
    assert!(shop.change(boot).await > before, "a publish must see that it is gone");
    assert!(shop.change(glove).await < shop.change(boot).await);

    shop.refused("deleteFolder", json!({"folderHandle": "f|Acme/Shoes/"})).await;
    shop.refused("getFolders", json!({"folderPath": "Shoes/Summer"})).await;
    let root = shop.call("deleteFolder", json!({"folderHandle": "f|Acme/"})).await;
    assert!(matches!(root, Err(Error::Denied(Denied::MissingPermission { .. }))), "{root:?}");

    shop.call("createFolder", json!({"folderPath": "Shoes"})).await.unwrap();
    assert_eq!(shop.folders().await, ["Acme/", "Acme/Gloves/", "Acme/Shoes/"], "made again, without what was below");
    shop.asset("Shoes/Summer", "flip-flop").await;
    assert_eq!(shop.search(json!({"folder": "Shoes"})).await.0, ["flip-flop"]);
}

#[tokio::test]
async fn folder_trees_have_depth_and_filters() {
    let shop = Shop::new().await;
    shop.asset("A/B/C", "deep").await;
    shop.asset("A B", "neighbour").await;
    let mut pdf = shop.world.image(shop.company, "P", "paper");
    pdf.master.asset_type = AssetType::Pdf;
    shop.world.add(pdf).await;

    fn outline(folder: &Value) -> String {
        let below = folder["subfolderArray"].as_array().unwrap().iter().map(outline).collect::<Vec<_>>().join(" ");
        format!("{}[{below}]", folder["path"].as_str().unwrap())
    }
    let tree = async |param: Value| shop.call("getFolderTree", param).await.unwrap()["folders"].clone();
    let whole = "Acme/[Acme/A/[Acme/A/B/[Acme/A/B/C/[]]] Acme/A B/[] Acme/P/[]]";
    assert_eq!(outline(&tree(json!({"depth": -1})).await), whole);
    assert_eq!(outline(&tree(json!({"depth": 0})).await), "Acme/[]");
    assert_eq!(tree(json!({"depth": 0})).await["hasSubfolders"], true);
    assert_eq!(outline(&tree(json!({"depth": 1, "folderPath": "A"})).await), "Acme/A/[Acme/A/B/[]]");
    let of_papers = tree(json!({"depth": -1, "assetTypeArray": ["Pdf"]})).await;
    assert_eq!(outline(&of_papers), "Acme/[Acme/P/[]]");
    let of_papers = shop.call("getFolders", json!({"assetTypeArray": ["Pdf"]})).await.unwrap();
    assert_eq!(of_papers["folderArray"].as_array().unwrap().len(), 1);
    let paths =
        json!({"depth": 1, "responseFieldArray": ["folders/path", "folders/subfolderArray/items/folderHandle"]});
    let children =
        json!([{"folderHandle": "f|Acme/A/"}, {"folderHandle": "f|Acme/A B/"}, {"folderHandle": "f|Acme/P/"}]);
    assert_eq!(tree(paths).await, json!({"path": "Acme/", "subfolderArray": children}));
    let wrong = shop.invalid("getFolders", json!({"assetTypeArray": ["Image", "Song"]})).await;
    assert!(wrong.starts_with("assetTypeArray/items[2]"), "{wrong}");
}

#[tokio::test]
async fn folders_know_when_they_changed() {
    let shop = Shop::new().await;
    let shoe = shop.asset("A", "shoe").await;
    shop.world.pass(10);
    shop.call("createFolder", json!({"folderPath": "A/B"})).await.unwrap();
    shop.world.pass(10);
    let to_b = json!({"assetHandle": asset_handle(shoe), "folderHandle": "A/B"});
    shop.call("moveAsset", to_b).await.unwrap();
    let tree = shop.call("getFolders", json!({})).await.unwrap();
    let folder = |index: usize, field: &str| tree["folderArray"][index][field].as_str().unwrap().to_owned();
    assert_eq!(folder(0, "lastModified"), "2026-11-23T09:15:00.000Z");
    assert_eq!(folder(0, "childLastModified"), "2026-11-23T09:35:00.000Z");
    assert_eq!((folder(1, "path"), folder(1, "lastModified")), ("Acme/A/".into(), "2026-11-23T09:35:00.000Z".into()));
    assert_eq!((folder(2, "path"), folder(2, "lastModified")), ("Acme/A/B/".into(), "2026-11-23T09:35:00.000Z".into()));
}

#[tokio::test]
async fn an_asset_shows_what_is_known_of_it() {
    let shop = Shop::new().await;
    let shoe = shop.asset("Shoes & more", "My Shoe").await;
    let derived = |source: &str| Derived {
        role: DerivedRole::Pyramid,
        blob: "pyramid".into(),
        bytes: 5000,
        pixels: (300, 200),
        source_blob: source.into(),
        recipe: "v1".into(),
    };
    let at = shop.world.clock.now();
    let derive = |company: CompanyId, source: &str, made_of: &str| Effect::Derive {
        company,
        asset: shoe,
        source_blob: source.into(),
        making: None,
        derived: vec![derived(made_of)],
    };
    let mut attempt = shop.world.attempt(shop.company).await;
    let made = attempt.commit(derive(shop.company, "blob of My Shoe", "blob of My Shoe"), at).await;
    assert_eq!(made, Applied::Derived(shoe));
    let info = json!({
        "originalPath": "Acme/Shoes & more/", "originalFile": "My Shoe.jpg", "fileSize": 1000,
        "optimizedPath": "Acme/Shoes & more/", "optimizedFile": "My Shoe.tif",
        "width": 300, "height": 200, "resolution": 72.0,
    });
    let expected = json!({
        "assetHandle": asset_handle(shoe), "type": "Image", "name": "My Shoe", "fileName": "My Shoe.jpg",
        "folder": "Acme/Shoes & more/", "folderHandle": "f|Acme/Shoes & more/", "readyForPublish": false,
        "trashState": "NotInTrash", "ipsImageUrl": "https://img.example.com/is/image/Acme/My%20Shoe",
        "created": "2026-11-23T09:15:00.000Z", "createUser": "ada@example.com",
        "lastModified": "2026-11-23T09:15:00.000Z", "lastModifyUser": "ada@example.com", "imageInfo": info,
    });
    assert_eq!(shop.one(shoe).await, expected);

    let anywhere = |settings: &mut Settings| settings.overwrite_mode = OverwriteMode::OverwriteAnyExtAnyFolder;
    shop.world.store.change_settings(shop.company, anywhere).await.unwrap();
    let other = Arrival {
        name: FileName::clean("file", "My Shoe.png").unwrap(),
        source: SourceName::new("Boots", "My Shoe.png"),
        master: master(AssetType::Image, "another shoe", 2000),
        overwrite: true,
        marking: Marking { ready: Some(true), preserve: Some(false) },
        by: shop.ada.account,
        ..shop.world.image(shop.company, "Boots", "My Shoe")
    };
    let filed = attempt.file(other).await;
    assert!(matches!(&filed, Filed::Updated { asset, .. } if *asset == shoe), "{filed:?}");
    let replaced = shop.one(shoe).await;
    assert_eq!(replaced["folder"], "Acme/Boots/");
    assert_eq!(replaced["fileName"], "My Shoe.png");
    assert_eq!(replaced["readyForPublish"], true);
    assert_eq!(replaced["imageInfo"]["fileSize"], 2000);
    assert_eq!(replaced["imageInfo"].get("optimizedFile"), None, "the pyramid was of another master");
    let of_old = attempt.commit(derive(shop.company, "blob of another shoe", "blob of My Shoe"), at).await;
    assert_eq!(of_old, Applied::Derived(shoe));
    assert_eq!(shop.one(shoe).await["imageInfo"].get("optimizedFile"), None, "the pyramid is stale");
    let of_new = attempt.commit(derive(shop.company, "blob of another shoe", "blob of another shoe"), at).await;
    assert_eq!(of_new, Applied::Derived(shoe));
    let whole = shop.one(shoe).await;
    assert_eq!(whole["imageInfo"]["optimizedFile"], "My Shoe.tif");

    let replacement = Replacement {
        company: CompanyId(0),
        asset: shoe,
        file_name: Some("Mine.png".into()),
        master: Master { bytes: 3000, ..master(AssetType::Image, "another shoe", 2000) },
        move_to: Some("Mine".into()),
        marking: Marking { ready: Some(false), preserve: Some(false) },
        by: shop.ada.account,
        at,
    };
    let elsewhere = Effect::Reprocess {
        replacement: Box::new(replacement),
        making: Box::default(),
        derived: Vec::new(),
        brought: Box::default(),
    };
    assert_eq!(attempt.commit(elsewhere, at).await, Applied::Overtaken(shoe), "another company has no such asset");
    let elsewhere = attempt.commit(derive(CompanyId(0), "blob of another shoe", "x"), at).await;
    assert_eq!(elsewhere, Applied::Withdrawn { asset: shoe, parts_gone: 0 }, "another company has no such asset");
    let clash = Arrival {
        master: master(AssetType::Image, "a third shoe", 10),
        ..shop.world.image(shop.company, "New folder", "My Shoe")
    };
    let clash = attempt.file(clash).await;
    assert!(matches!(&clash, Filed::LeftOut(kin) if kin.name == "My Shoe"), "{clash:?}");
    assert!(!shop.folders().await.contains(&"Acme/New folder/".to_owned()), "a refused asset leaves nothing behind");
    assert_eq!(shop.one(shoe).await, whole);
    attempt.end(at).await;
}

#[tokio::test]
async fn assets_are_renamed_moved_and_deleted() {
    let shop = Shop::new().await;
    let shoe = shop.asset("Shoes", "shoe").await;
    let boot = shop.asset("Shoes", "boot").await;
    let rename = |name: &str| json!({"assetHandle": asset_handle(shoe), "newName": name, "validateName": true});
    let mut change = shop.change(shoe).await;
    let mut rises = async |what: &str| {
        let now = shop.change(shoe).await;
        assert!(now > change, "{what} must be seen by a publish");
        change = now;
    };
    shop.call("renameAsset", rename("shoe v2.1")).await.unwrap();
    assert_eq!(shop.one(shoe).await["name"], "shoe v2.1");
    assert_eq!(shop.one(shoe).await["fileName"], "shoe v2.1.jpg");
    rises("a new name").await;
    shop.call("renameAsset", rename("shoe v2.1")).await.unwrap();
    let clash = shop.refused("renameAsset", rename("boot")).await;
    assert!(clash.contains("\"boot\" already exists"), "{clash}");
    for name in ["", "a/b", "a?", &"x".repeat(300)] {
        assert!(shop.invalid("renameAsset", rename(name)).await.starts_with("newName"), "{name}");
    }
    rises("the same name").await;

    shop.call("createFolder", json!({"folderPath": "Old"})).await.unwrap();
    let to = |folder: &str| json!({"assetHandle": asset_handle(shoe), "folderHandle": folder});
    shop.call("moveAsset", to("f|Acme/Old/")).await.unwrap();
    assert_eq!(shop.one(shoe).await["folder"], "Acme/Old/");
    rises("a new place").await;
    assert!(shop.refused("moveAsset", to("f|Acme/Nowhere/")).await.contains("Nowhere"));

    let delete = json!({"assetHandle": format!("{shoe}|1|{shoe}")});
    shop.call("deleteAsset", delete.clone()).await.unwrap();
    rises("the trash").await;
    assert_eq!(shop.one(shoe).await["trashState"], "InTrash");
    for (operation, param) in [("deleteAsset", delete), ("renameAsset", rename("other")), ("moveAsset", to("Shoes"))] {
        assert!(shop.refused(operation, param).await.contains("in the trash"), "{operation}");
    }
    let clash = shop
        .refused(
            "renameAsset",
            json!({"assetHandle": asset_handle(boot), "newName": "shoe v2.1",
        "validateName": false}),
        )
        .await;
    assert!(clash.contains("already exists"), "names in the trash count: {clash}");
}

#[tokio::test]
async fn batches_answer_for_each_asset() {
    let shop = Shop::new().await;
    let [a, b, c] = [shop.asset("", "a").await, shop.asset("", "b").await, shop.asset("", "c").await];
    shop.call("createFolder", json!({"folderPath": "To"})).await.unwrap();
    let item = |asset: &str, folder: &str| json!({"assetHandle": asset, "folderHandle": folder});
    let moves = json!({"assetMoveArray": [
        item(&asset_handle(a), "To"), item(&asset_handle(b), "Nowhere"), item("a|999", "To"), item("u|1", "To"),
        item(&asset_handle(c), "../x"),
    ]});
    let moved = shop.call("moveAssets", moves).await.unwrap();
    assert_eq!(
        (&moved["successCount"], &moved["warningCount"], &moved["errorCount"]),
        (&json!(1), &json!(0), &json!(4))
    );
    let faults: Vec<(&str, i64)> = moved["errorDetailArray"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["assetHandle"].as_str().unwrap(), fault["code"].as_i64().unwrap()))
        .collect();
    let (b_handle, c_handle) = (asset_handle(b), asset_handle(c));
    let expected = [("u|1", 30001), (c_handle.as_str(), 20005), (b_handle.as_str(), 30000), ("a|999", 30000)];
    assert_eq!(faults, expected);
    assert_eq!(shop.search(json!({"folder": "To"})).await.0, ["a"]);

    let delete = json!({"assetHandleArray": [asset_handle(a), asset_handle(a), asset_handle(b), "a|999"]});
    let deleted = shop.call("deleteAssets", delete.clone()).await.unwrap();
    assert_eq!((&deleted["successCount"], &deleted["errorCount"]), (&json!(3), &json!(1)));
    let again = shop.call("deleteAssets", delete).await.unwrap();
    assert_eq!((&again["successCount"], &again["errorCount"]), (&json!(0), &json!(4)));
    assert_eq!(shop.search(json!({})).await.0, ["c"]);
    let nothing = shop.call("deleteAssets", json!({"assetHandleArray": []})).await.unwrap();
    assert_eq!(nothing, json!({"successCount": 0, "warningCount": 0, "errorCount": 0}));
    let many = json!({"assetHandleArray": vec!["a|1"; 10_001]});
    assert!(shop.invalid("deleteAssets", many).await.starts_with("assetHandleArray"));
}

#[tokio::test]
async fn contexts_are_set_and_told_asset_by_asset() {
    let shop = Shop::new().await;
    let (shoe, boot) = (shop.asset("", "shoe").await, shop.asset("", "boot").await);
    let contexts = shop.world.store.publish_contexts(shop.company).await.unwrap();
    let handle = |index: usize| format!("pc|{}", contexts[index].id);
    let state = |context: String, state: &str| json!({"contextHandle": context, "publishState": state});
    let update = |asset: String, states: Value| json!({"assetHandle": asset, "contextStateUpdateArray": states});
    let marked = async || {
        let asked = json!({"assetHandleArray": [asset_handle(boot), "a|999", asset_handle(shoe)]});
        let told = shop.call("batchGetAssetPublishContexts", asked).await.unwrap();
        let of = |index: usize| {
            let contexts = told["assetPublishContextsArray"][index]["publishContextArray"].as_array().unwrap();
            contexts.iter().map(|context| context["contextType"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(told["assetPublishContextsArray"].as_array().unwrap().len(), 2, "what is not there is left out");
        (of(1), of(0))
    };
    let before = shop.change(shoe).await;
    let updates = json!({"assetsContextStateUpdateArray": [
        update(asset_handle(shoe), json!([state(handle(0), "MarkedForPublish"), state(handle(3), "MarkedForPublish")])),
        update(asset_handle(boot), json!([state(handle(1), "MarkedForPublish"), state(handle(2), "NotMarkedForPublish")])),
        update("a|999".to_owned(), json!([state(handle(0), "MarkedForPublish")])),
        update(asset_handle(boot), json!([state("pc|999".to_owned(), "MarkedForPublish")])),
        update(asset_handle(boot), json!([state(handle(0), "Maybe")])),
    ]});
    let done = shop.call("setAssetsContextState", updates).await.unwrap();
    assert_eq!((&done["successCount"], &done["errorCount"]), (&json!(2), &json!(3)), "{done}");
    let reason = |index: usize| done["errorDetailArray"][index]["reason"].as_str().unwrap().to_owned();
    assert!(reason(0).starts_with("contextStateUpdateArray/items[1]/contextHandle"), "{}", reason(0));
    assert!(reason(1).starts_with("contextStateUpdateArray/items[1]/publishState"), "{}", reason(1));
    assert!(reason(2).contains("no such asset"), "{}", reason(2));
    let names = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
    assert_eq!(marked().await, (names(&["ImageServing", "ServerDirectory"]), names(&["ImageRendering"])));
    assert!(shop.change(shoe).await > before, "a publish must see it");

    let unmark = update(asset_handle(shoe), json!([state(handle(0), "NotMarkedForPublish")]));
    shop.call("setAssetsContextState", json!({"assetsContextStateUpdateArray": [unmark]})).await.unwrap();
    assert_eq!(marked().await, (names(&["ServerDirectory"]), names(&["ImageRendering"])));
    let many = json!({"assetsContextStateUpdateArray": vec![update("a|1".to_owned(), json!([])); 10_001]});
    assert!(shop.invalid("setAssetsContextState", many).await.starts_with("assetsContextStateUpdateArray"));
    let wrong = shop.invalid("batchGetAssetPublishContexts", json!({"assetHandleArray": ["c|1"]})).await;
    assert!(wrong.starts_with("assetHandleArray/items[1]"), "{wrong}");

    let history = shop.call("getAssetPublishHistory", json!({"assetHandle": asset_handle(shoe)})).await.unwrap();
    assert_eq!(history, json!({"pubHistoryArray": []}), "it was never published");
    assert!(shop.invalid("getAssetPublishHistory", json!({"assetHandle": "c|1"})).await.starts_with("assetHandle"));
}

#[tokio::test]
async fn marks_are_kept_for_each_context() {
    let shop = Shop::new().await;
    let shoe = shop.asset("", "shoe").await;
    let contexts = shop.world.store.publish_contexts(shop.company).await.unwrap();
    let marks = async |condition: &str| {
        shop.world.number(&format!("SELECT count(*) FROM publish_mark WHERE {condition}")).await
    };
    let mark = |state: &str, contexts: Value| json!({"assetHandle": asset_handle(shoe), "publishState": state, "contextHandleArray": contexts});
    let first = format!("pc|{}", contexts[0].id);
    let before = shop.change(shoe).await;
    shop.call("setAssetPublishState", mark("MarkedForPublish", json!([first]))).await.unwrap();
    assert_eq!(marks("marked = 1").await, 1);
    assert!(shop.change(shoe).await > before);
    assert_eq!(shop.one(shoe).await["readyForPublish"], true);
    shop.call("setAssetPublishState", mark("MarkedForPublish", Value::Null)).await.unwrap();
    assert_eq!(marks("marked = 1").await, 4);
    shop.call("setAssetPublishState", mark("NotMarkedForPublish", json!([first]))).await.unwrap();
    assert_eq!(marks("marked = 1").await, 3);
    assert!(shop.invalid("setAssetPublishState", mark("Maybe", Value::Null)).await.starts_with("publishState"));
    let wrong = shop.invalid("setAssetPublishState", mark("MarkedForPublish", json!(["c|1"]))).await;
    assert!(wrong.starts_with("contextHandleArray/items[1]"), "{wrong}");

    let update = |asset: String, state: &str| json!({"assetHandle": asset, "publishState": state});
    let boot = shop.asset("", "boot").await;
    let updates = json!({"publishStateUpdateArray": [
        update(asset_handle(shoe), "NotMarkedForPublish"), update(asset_handle(boot), "MarkedForPublish"),
        update(asset_handle(boot), "Maybe"), update("a|999".into(), "MarkedForPublish"),
    ]});
    let updated = shop.call("setAssetsPublishState", updates).await.unwrap();
    assert_eq!((&updated["successCount"], &updated["errorCount"]), (&json!(2), &json!(2)));
    assert_eq!(shop.search(json!({"publishState": "MarkedForPublish"})).await.0, ["boot"]);
    assert_eq!(shop.search(json!({"publishState": "NotMarkedForPublish"})).await.0, ["shoe"]);

    let before = shop.change(boot).await;
    let force = |files: Value| json!({"assetHandleArray": [asset_handle(boot), "a|999"], "republishFiles": files});
    let forced = shop.call("forceRepublishAssets", force(json!(false))).await.unwrap();
    assert_eq!((&forced["successCount"], &forced["errorCount"]), (&json!(1), &json!(1)));
    assert!(shop.change(boot).await > before);
    assert_eq!(marks("forced_seq > 0").await, 0);
    shop.call("forceRepublishAssets", force(Value::Null)).await.unwrap();
    let change = shop.change(boot).await;
    assert_eq!(marks(&format!("asset_id = {boot} AND forced_seq = {change}")).await, 4);
}

#[tokio::test]
async fn arriving_files_replace_number_or_skip() {
    let shop = Shop::new().await;
    let store = &shop.world.store;
    let mut attempt = shop.world.attempt(shop.company).await;
    let mut file = async |folder: &str, name: &str, overwrite: bool| {
        let arrival = Arrival {
            name: FileName::clean("file", name).unwrap(),
            source: SourceName::new(folder, name),
            master: master(AssetType::Image, folder, 10),
            overwrite,
            marking: Marking::of_upload(Some(true), None),
            by: shop.ada.account,
            ..shop.world.image(shop.company, folder, name)
        };
        attempt.file(arrival).await
    };
    let set_mode = async |mode: OverwriteMode, retain: bool| {
        let change = move |settings: &mut Settings| {
            settings.overwrite_mode = mode;
            settings.retain_publish_state = retain;
        };
        store.change_settings(shop.company, change).await.unwrap();
    };
    let Filed::Added { asset, .. } = file("A", "shoe.jpg", true).await else { panic!("a free name") };
    assert_eq!(shop.one(asset).await["readyForPublish"], true);
    let unmark = json!({"assetHandle": asset_handle(asset), "publishState": "NotMarkedForPublish"});
    shop.call("setAssetPublishState", unmark).await.unwrap();

    let name = || "shoe".to_owned();
    let same = file("A", "shoe.jpg", false).await;
    assert!(
        matches!(&same, Filed::Duplicate { asset: known, .. } if known.id == asset && known.name == name()),
        "{same:?}"
    );
    let Filed::LeftOut(there) = file("B", "shoe.jpg", false).await else { panic!("other content") };
    assert_eq!((there.id, there.bytes, there.folder.as_str()), (asset, 10, "A"));
    assert_eq!(
        file("A", "shoe.jpg", true).await,
        Filed::Updated {
            asset,
            name: name(),
            moved_from: None,
            in_place_of: None,
            part_of: None,
            parts_gone: 0,
            came_back: None
        }
    );
    assert_eq!(shop.one(asset).await["readyForPublish"], false, "the company keeps the mark");
    for (number, folder) in (1..).zip(["B", "C", "D", "E", "F"]) {
        let Filed::AddedWithNumber { name, .. } = file(folder, "shoe.jpg", true).await else {
            panic!("another folder")
        };
        assert_eq!(name, format!("shoe-{number}"));
    }
    let Filed::Updated { name: again, .. } = file("B", "shoe.jpg", true).await else { panic!("it has its number") };
    assert_eq!(again, "shoe-1");
    set_mode(OverwriteMode::OverwriteAnyExtAnyFolder, false).await;
    let in_place_of = Some(SourceName::of_path("A/shoe.jpg"));
    assert_eq!(
        file("B", "shoe.png", true).await,
        Filed::Updated {
            asset,
            name: name(),
            moved_from: Some("A".to_owned()),
            in_place_of,
            part_of: None,
            parts_gone: 0,
            came_back: None,
        }
    );
    let moved = shop.one(asset).await;
    assert_eq!((&moved["folder"], &moved["fileName"]), (&json!("Acme/B/"), &json!("shoe.png")));
    assert_eq!(moved["readyForPublish"], true, "the company lets the upload decide");

    shop.call("deleteAsset", json!({"assetHandle": asset_handle(asset)})).await.unwrap();
    let Filed::Updated { name, .. } = file("B", "shoe.png", true).await else { panic!("the name is in the trash") };
    assert_eq!(name, "shoe-1", "a file of this name that got a number before");
    assert_eq!(shop.one(asset).await["trashState"], TrashState::InTrash.as_str());
    attempt.end(shop.world.clock.now()).await;
}

#[tokio::test]
async fn the_trash_gives_back_or_lets_go() {
    let shop = Shop::new().await;
    let (boot, sandal) = (shop.asset("Shoes/Winter", "boot").await, shop.asset("Shoes", "sandal").await);
    let handles = |assets: &[AssetId]| -> Value {
        json!({"assetHandleArray": assets.iter().map(|asset| asset_handle(*asset)).collect::<Vec<_>>()})
    };
    let counts = |reply: &Value| (reply["successCount"].as_i64().unwrap(), reply["errorCount"].as_i64().unwrap());
    // What is not in the trash can neither be taken out of it nor let go.
    for operation in ["restoreAssetsFromTrash", "emptyAssetsFromTrash"] {
        let reply = shop.call(operation, handles(&[boot])).await.unwrap();
        assert_eq!(counts(&reply), (0, 1));
        assert!(reply["errorDetailArray"][0]["reason"].as_str().unwrap().contains("not in the trash"), "{reply}");
    }
    // A folder that was removed with what it held comes back with it.
    shop.call("deleteFolder", json!({"folderHandle": "f|Acme/Shoes/"})).await.unwrap();
    let before = shop.change(boot).await;
    let reply = shop.call("restoreAssetsFromTrash", handles(&[boot, boot])).await.unwrap();
    assert_eq!(counts(&reply), (2, 0));
    assert!(shop.change(boot).await > before, "a publish must see it");
    assert_eq!(shop.folders().await, ["Acme/", "Acme/Shoes/", "Acme/Shoes/Winter/"]);
    assert_eq!(shop.one(boot).await["trashState"], "NotInTrash");
    assert_eq!(shop.one(boot).await["folder"], "Acme/Shoes/Winter/");

    // A name in the trash counts as used; let go, it is free, and the asset is as if it were not there.
    let taken = shop
        .refused("renameAsset", json!({"assetHandle": asset_handle(boot), "newName": "sandal", "validateName": true}))
        .await;
    assert!(taken.contains("already exists"), "{taken}");
    let before = shop.change(sandal).await;
    let reply = shop.call("emptyAssetsFromTrash", handles(&[sandal, AssetId(999)])).await.unwrap();
    assert_eq!(counts(&reply), (1, 1));
    assert!(shop.change(sandal).await > before, "a publish must see it");
    for operation in ["restoreAssetsFromTrash", "emptyAssetsFromTrash", "deleteAssets"] {
        let reply = shop.call(operation, handles(&[sandal])).await.unwrap();
        assert!(
            reply["errorDetailArray"][0]["reason"].as_str().unwrap().contains("no such asset"),
            "{operation}: {reply}"
        );
    }
    assert_eq!(shop.call("getAssets", handles(&[sandal])).await.unwrap()["assetArray"], json!([]));
    assert_eq!(shop.search(json!({"trashState": "InTrash"})).await.1, 0);
    shop.call("renameAsset", json!({"assetHandle": asset_handle(boot), "newName": "sandal", "validateName": true}))
        .await
        .unwrap();
}
