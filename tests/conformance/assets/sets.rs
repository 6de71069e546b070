//! Sets that users put together, and how assets belong together.
#![allow(clippy::unwrap_used, reason = "what fails here fails its test")]

use prepress::model::id::AssetId;
use serde_json::{Value, json};

use crate::tenants::asset_handle;
use crate::tenants::shop::Shop;

/// A set and three pictures.
struct Views {
    shop: Shop,
    set: String,
    pictures: [AssetId; 3],
}

fn seat(asset: AssetId, page_reset: bool) -> Value {
    json!({"assetHandle": asset_handle(asset), "pageReset": page_reset})
}

fn number(handle: &str) -> AssetId {
    AssetId(handle.split('|').nth(1).unwrap().parse().unwrap())
}

async fn create(shop: &Shop, name: &str, set_type: &str) -> String {
    let param = json!({"folderHandle": "f|Acme/Shoes/", "name": name, "type": set_type});
    shop.call("createImageSet", param).await.unwrap()["assetHandle"].as_str().unwrap().to_owned()
}

/// Names of members with their pageReset.
async fn members(shop: &Shop, set: &str) -> Vec<(String, bool)> {
    let reply = shop.call("getImageSetMembers", json!({"assetHandle": set})).await.unwrap();
    let member =
        |member: &Value| (member["asset"]["name"].as_str().unwrap().to_owned(), member["pageReset"].as_bool().unwrap());
    reply["memberArray"].as_array().unwrap().iter().map(member).collect()
}

async fn names(shop: &Shop, set: &str) -> Vec<String> {
    members(shop, set).await.into_iter().map(|(name, _)| name).collect()
}

fn named(reply: &Value, array: &str) -> Vec<String> {
    let items = reply[array].as_array().cloned().unwrap_or_default();
    items.iter().map(|asset| asset["name"].as_str().unwrap().to_owned()).collect()
}

impl Views {
    async fn new(set_type: &str) -> Self {
        let shop = Shop::new().await;
        let pictures =
            [shop.asset("Shoes", "front").await, shop.asset("Shoes", "side").await, shop.asset("Shoes", "back").await];
        let set = create(&shop, "shoe views", set_type).await;
        let seats = pictures.map(|picture| seat(picture, picture == pictures[0]));
        shop.call("setImageSetMembers", json!({"assetHandle": set, "memberArray": seats})).await.unwrap();
        Self { shop, set, pictures }
    }
}

#[tokio::test]
async fn a_set_has_its_members_in_their_order() {
    let Views { shop, set, pictures: [front, side, back] } = Views::new("ImageSet").await;
    let all_reset = [("front", true), ("side", true), ("back", true)].map(|(name, reset)| (name.to_owned(), reset));
    assert_eq!(members(&shop, &set).await, all_reset, "pageReset is forced in image sets");
    let shown = shop.one(number(&set)).await;
    assert_eq!((shown["type"].as_str(), shown["name"].as_str()), (Some("ImageSet"), Some("shoe views")));
    assert_eq!((&shown["folder"], &shown["fileName"]), (&json!("Acme/Shoes/"), &Value::Null));
    assert!(set.contains("|22|"), "{set}");
    let twice = json!({"assetHandle": set, "memberArray": [seat(back, true), seat(front, true), seat(back, true)]});
    shop.call("updateImageSet", twice).await.unwrap();
    assert_eq!(names(&shop, &set).await, ["back", "front", "back"]);
    shop.call("updateImageSet", json!({"assetHandle": set, "thumbAssetHandle": asset_handle(side)})).await.unwrap();
    assert_eq!(names(&shop, &set).await, ["back", "front", "back"], "what is not said stays");
    let related = shop.call("getAssociatedAssets", json!({"assetHandle": set})).await.unwrap();
    assert_eq!(named(&related, "memberArray"), ["back", "front"]);
    assert_eq!(related["thumbAsset"]["name"], "side");
    let fields = json!({"assetHandle": set, "responseFieldArray": ["memberArray/items/asset/name"]});
    let cut = shop.call("getImageSetMembers", fields).await.unwrap();
    assert_eq!(cut["memberArray"][0], json!({"asset": {"name": "back"}}));
    shop.call("setImageSetMembers", json!({"assetHandle": set, "memberArray": []})).await.unwrap();
    assert_eq!(names(&shop, &set).await, [""; 0]);
}

#[tokio::test]
async fn groups_are_kept_where_they_mean_something() {
    for set_type in ["RenderSet", "Catalog"] {
        let Views { shop, set, .. } = Views::new(set_type).await;
        let kept = [("front", true), ("side", false), ("back", false)].map(|(name, reset)| (name.to_owned(), reset));
        assert_eq!(members(&shop, &set).await, kept, "{set_type}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_set_is_named() {
    let Views { shop, set, pictures: [front, ..] } = Views::new("ImageSet").await;
    let create =
        |folder: &str, name: &str, set_type: &str| json!({"folderHandle": folder, "name": name, "type": set_type});
    for (param, said) in [
        (create("Nowhere", "new", "ImageSet"), "folderHandle"),
        (create("Shoes", "front", "ImageSet"), "name: "),
        (create("Shoes", "shoe views", "SpinSet"), "name: "),
    ] {
        let why = shop.refused("createImageSet", param).await;
        assert!(why.contains(said), "{why}");
    }
    for (param, said) in [
        (create("Shoes", "a/b", "ImageSet"), "name "),
        (create("Shoes", "", "ImageSet"), "name "),
        (create("Shoes", "new", "Image"), "type "),
        (create("Shoes", "new", "Sets"), "type "),
        (create("../x", "new", "ImageSet"), "folderHandle "),
    ] {
        let why = shop.invalid("createImageSet", param).await;
        assert!(why.starts_with(said), "{why}");
    }
    let seats = |seats: Value| json!({"assetHandle": set, "memberArray": seats});
    for (seat, said) in [
        (seat(AssetId(999), true), "memberArray/items[2]/assetHandle: there is no such asset"),
        (seat(number(&set), true), "memberArray/items[2]/assetHandle: the set would contain itself"),
    ] {
        let why = shop.refused("setImageSetMembers", seats(json!([self::seat(front, true), seat]))).await;
        assert_eq!(why, said);
    }
    let why = shop.invalid("setImageSetMembers", seats(json!([{"assetHandle": "c|1", "pageReset": true}]))).await;
    assert!(why.starts_with("memberArray/items[1]/assetHandle"), "{why}");
    let many = vec![seat(front, true); 5001];
    assert!(shop.invalid("setImageSetMembers", seats(json!(many))).await.contains("5000"));
    let why = shop.refused("setImageSetMembers", json!({"assetHandle": asset_handle(front), "memberArray": []})).await;
    assert!(why.contains("assetHandle: ") && why.contains("not a set"), "{why}");
    let why = shop.refused("getImageSetMembers", json!({"assetHandle": asset_handle(front)})).await;
    assert!(why.contains("not a set"), "{why}");
    let why = shop.refused("updateImageSet", json!({"assetHandle": set, "thumbAssetHandle": "a|999"})).await;
    assert!(why.starts_with("thumbAssetHandle"), "{why}");
    assert_eq!(names(&shop, &set).await, ["front", "side", "back"], "nothing of it was written");
    // A set in a set in the first one.
    let outer = self::create(&shop, "outer", "ImageSet").await;
    let inner = json!({"assetHandle": outer, "memberArray": [seat(number(&set), true)]});
    shop.call("setImageSetMembers", inner).await.unwrap();
    let why = shop.refused("setImageSetMembers", seats(json!([seat(number(&outer), true)]))).await;
    assert!(why.contains("contain itself"), "{why}");
}

#[tokio::test]
async fn sets_are_renamed_moved_and_deleted_like_other_assets() {
    let Views { shop, set, pictures: [front, ..] } = Views::new("SpinSet").await;
    shop.call("renameAsset", json!({"assetHandle": set, "newName": "turn v1.2", "validateName": true})).await.unwrap();
    shop.call("createFolder", json!({"folderPath": "Sets"})).await.unwrap();
    shop.call("moveAsset", json!({"assetHandle": set, "folderHandle": "Sets"})).await.unwrap();
    let shown = shop.one(number(&set)).await;
    assert_eq!((&shown["name"], &shown["folder"]), (&json!("turn v1.2"), &json!("Acme/Sets/")));
    assert_eq!(shown["fileName"], Value::Null);

    shop.call("deleteAsset", json!({"assetHandle": asset_handle(front)})).await.unwrap();
    assert_eq!(names(&shop, &set).await, ["side", "back"], "a member in the trash is left out");
    let related = shop.call("getAssociatedAssets", json!({"assetHandle": set})).await.unwrap();
    assert_eq!(related["thumbAsset"]["name"], "side");
    let trashed = json!({"assetHandle": set, "memberArray": [seat(front, true)]});
    assert!(shop.refused("setImageSetMembers", trashed).await.contains("trash"));
    shop.call("deleteAsset", json!({"assetHandle": set})).await.unwrap();
    let why = shop.refused("setImageSetMembers", json!({"assetHandle": set, "memberArray": []})).await;
    assert!(why.contains("trash"), "{why}");
}

#[tokio::test]
async fn marking_a_set_marks_its_members_and_unmarking_it_leaves_them_alone() {
    let Views { shop, set, pictures: [front, side, back] } = Views::new("ImageSet").await;
    let outer = create(&shop, "outer", "ImageSet").await;
    let alone = shop.asset("Shoes", "alone").await;
    let inner = json!({"assetHandle": outer, "memberArray": [seat(number(&set), true)]});
    shop.call("setImageSetMembers", inner).await.unwrap();
    shop.call("deleteAsset", json!({"assetHandle": asset_handle(back)})).await.unwrap();
    let before = shop.change(side).await;
    let state = |handle: &str, state: &str| json!({"assetHandle": handle, "publishState": state});
    let is_marked = async |asset: AssetId| shop.one(asset).await["readyForPublish"].as_bool().unwrap();

    shop.call("setAssetPublishState", state(&outer, "MarkedForPublish")).await.unwrap();
    for asset in [number(&outer), number(&set), front, side] {
        assert!(is_marked(asset).await, "{asset}");
    }
    assert!(!is_marked(alone).await && !is_marked(back).await, "neither what is elsewhere nor what is in the trash");
    assert!(shop.change(side).await > before, "publishing sees it");

    shop.call("setAssetPublishState", state(&set, "NotMarkedForPublish")).await.unwrap();
    assert!(!is_marked(number(&set)).await && is_marked(side).await);
    // In a batch, what is said of a member itself counts.
    let front_handle = asset_handle(front);
    let batch = json!([state(&front_handle, "NotMarkedForPublish"), state(&set, "MarkedForPublish")]);
    let done = shop.call("setAssetsPublishState", json!({"publishStateUpdateArray": batch})).await.unwrap();
    assert_eq!(done["successCount"], 2);
    assert!(is_marked(number(&set)).await && is_marked(side).await && !is_marked(front).await);
}

#[tokio::test]
async fn an_asset_set_is_what_its_definition_says() {
    let Views { shop, pictures: [front, side, _], .. } = Views::new("ImageSet").await;
    let place = |asset: AssetId| format!("${{getCatalogId([{}])}}", asset_handle(asset));
    let definition = format!("{};{};img,{};", place(front), place(front), place(side));
    let create = |name: &str, definition: &str| {
        json!({"folderHandle": "Shoes", "name": name, "subType": "MediaSet", "setDefinition": definition,
               "thumbAssetHandle": asset_handle(side)})
    };
    let made = shop.call("createAssetSet", create("media", &definition)).await.unwrap();
    let set = made["assetHandle"].as_str().unwrap();
    assert!(set.contains("|44|"), "{set}");
    let shown = shop.one(number(set)).await;
    assert_eq!((&shown["type"], &shown["subType"]), (&json!("AssetSet"), &json!("MediaSet")));
    assert_eq!(shown["assetSetInfo"], json!({"setDefinition": definition}));
    assert_eq!(names(&shop, set).await, ["front", "side"]);
    let related = shop.call("getAssociatedAssets", json!({"assetHandle": set})).await.unwrap();
    assert_eq!(related["thumbAsset"]["name"], "side");
    let other = json!({"assetHandle": set, "setDefinition": place(side)});
    shop.call("setAssetSetDefinition", other.clone()).await.unwrap();
    assert_eq!(names(&shop, set).await, ["side"]);
    shop.call("updateAssetSet", json!({"assetHandle": set, "thumbAssetHandle": asset_handle(front)})).await.unwrap();
    assert_eq!(shop.one(number(set)).await["assetSetInfo"]["setDefinition"], other["setDefinition"], "it stays");
    shop.call("updateAssetSet", json!({"assetHandle": set, "setDefinition": "plain"})).await.unwrap();
    assert_eq!(names(&shop, set).await, [""; 0]);

    for (definition, said) in [("${getCatalogId([a|1", "setDefinition"), ("${rm([a|1|1|1])}", "setDefinition")] {
        assert!(shop.invalid("createAssetSet", create("new", definition)).await.starts_with(said));
    }
    let mut nameless = create("new", "");
    nameless["subType"] = json!(" ");
    assert!(shop.invalid("createAssetSet", nameless).await.starts_with("subType"));
    let why = shop.refused("createAssetSet", create("new", &place(AssetId(999)))).await;
    assert!(why.starts_with("setDefinition: asset 1"), "{why}");
    let why = shop.refused("setImageSetMembers", json!({"assetHandle": set, "memberArray": []})).await;
    assert!(why.contains("not a set of this kind"), "{why}");

    let found = |sub_types: Value, strict: bool| json!({"assetTypeArray": ["AssetSet", "ImageSet"], "assetSubTypeArray": sub_types, "strictSubTypeCheck": strict});
    assert_eq!(shop.search(found(json!(["MediaSet"]), true)).await.0, ["media"]);
    assert_eq!(shop.search(found(json!(["MediaSet"]), false)).await.0, ["media", "shoe views"]);
    assert_eq!(shop.search(found(json!(["Other"]), false)).await.0, ["shoe views"]);
}

#[tokio::test]
async fn what_is_given_up_leaves_the_definitions_that_named_it() {
    let Views { shop, pictures: [front, side, _], .. } = Views::new("ImageSet").await;
    let place = |asset: AssetId| format!("${{getCatalogId([{}])}}", asset_handle(asset));
    let definition = format!("{};{};img,{};", place(front), place(front), place(side));
    let order = json!({"folderHandle": "Shoes", "name": "media", "subType": "MediaSet", "setDefinition": definition});
    let set = shop.call("createAssetSet", order).await.unwrap()["assetHandle"].as_str().unwrap().to_owned();
    let defined = async || shop.one(number(&set)).await["assetSetInfo"]["setDefinition"].as_str().unwrap().to_owned();
    shop.call("deleteAsset", json!({"assetHandle": asset_handle(front)})).await.unwrap();
    assert_eq!(defined().await, definition, "it may come back");
    shop.call("emptyAssetsFromTrash", json!({"assetHandleArray": [asset_handle(front)]})).await.unwrap();
    let left = defined().await;
    assert_eq!(left, format!(";;img,{};", place(side)));
    shop.call("setAssetSetDefinition", json!({"assetHandle": set, "setDefinition": left})).await.unwrap();
    assert_eq!(names(&shop, &set).await, ["side"]);
    let why = shop.refused("setAssetSetDefinition", json!({"assetHandle": set, "setDefinition": definition})).await;
    assert_eq!(why, "setDefinition: asset 1: there is no such asset");
}

#[tokio::test]
async fn assets_tell_what_they_belong_to_and_what_they_were_made_from() {
    let Views { shop, set, pictures: [front, side, back] } = Views::new("ImageSet").await;
    let related = shop.call("getAssociatedAssets", json!({"assetHandle": asset_handle(front)})).await.unwrap();
    assert_eq!(named(&related, "containerArray"), ["shoe views"]);
    assert_eq!(related["memberArray"], Value::Null);
    for (page, asset) in [(1, side), (2, back)] {
        shop.world
            .write(&format!("UPDATE asset SET parent_id = {front}, part = 'page:{page}' WHERE id = {asset}"))
            .await;
    }
    shop.world.write(&format!("UPDATE asset SET asset_type = 'Pdf' WHERE id = {front}")).await;
    let generated = json!({"originatorHandle": asset_handle(front)});
    let reply = shop.call("getGenerationInfo", generated.clone()).await.unwrap();
    let pages: Vec<(&str, &str)> = reply["generationArray"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["generated"]["name"].as_str().unwrap(), one["attributeArray"][0]["value"].as_str().unwrap()))
        .collect();
    assert_eq!(pages, [("side", "page:1"), ("back", "page:2")]);
    assert_eq!(reply["generationArray"][0]["engine"], "PostScriptRip");
    assert_eq!(reply["generationArray"][0]["originator"]["name"], "front");
    let of = |engine: &str| json!({"engine": engine, "generatedHandle": asset_handle(back)});
    let count = async |param: Value| {
        shop.call("getGenerationInfo", param).await.unwrap()["generationArray"].as_array().unwrap().len()
    };
    assert_eq!(count(of("PostScriptRip")).await, 1);
    assert_eq!(count(of("PhotoshopLayers")).await, 0);
    let both = json!({"originatorHandle": asset_handle(front), "generatedHandle": asset_handle(back)});
    assert_eq!(count(both).await, 1);
    assert!(shop.invalid("getGenerationInfo", of("Magic")).await.starts_with("engine"));
    assert!(shop.call("getGenerationInfo", json!({})).await.unwrap_err().to_string().contains("originatorHandle"));
    assert!(shop.refused("getGenerationInfo", json!({"generatedHandle": "a|999"})).await.contains("generatedHandle"));

    let related = shop.call("getAssociatedAssets", json!({"assetHandle": asset_handle(back)})).await.unwrap();
    assert_eq!(related["generatorArray"][0]["originator"]["name"], "front");
    let related = shop.call("getAssociatedAssets", json!({"assetHandle": asset_handle(front)})).await.unwrap();
    assert_eq!(related["generatedArray"].as_array().unwrap().len(), 2);
    // A parent is marked with what was made from it.
    let mark = json!({"assetHandle": asset_handle(front), "publishState": "MarkedForPublish"});
    shop.call("setAssetPublishState", mark).await.unwrap();
    assert_eq!(shop.one(back).await["readyForPublish"], true);
    assert_eq!(shop.one(number(&set)).await["readyForPublish"], false, "what contains it is not");
    assert!(shop.refused("getAssociatedAssets", json!({"assetHandle": "a|999"})).await.contains("assetHandle"));
}
