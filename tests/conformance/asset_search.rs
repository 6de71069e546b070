//! Finding assets: by condition, by handle, by name.

use crate::tenants::asset_handle;
use crate::tenants::shop::Shop;
use prepress::clock::Clock;
use prepress::model::asset::AssetType;
use serde_json::{Value, json};

#[tokio::test]
async fn searches_come_in_pages_and_in_order() {
    let shop = Shop::new().await;
    for n in 0..25 {
        let mut image =
            shop.world.image(shop.company, if n % 2 == 0 { "Even" } else { "Odd/Deep" }, &format!("asset-{n:02}"));
        image.master.bytes = 1000 - n;
        shop.world.add(image).await;
        shop.world.pass(1);
    }
    let page = async |number: u64| {
        shop.search(
            json!({"recordsPerPage": 10, "resultsPage": number, "sortBy": "Created", "sortDirection": "Descending"}),
        )
        .await
    };
    let (first, total) = page(1).await;
    assert_eq!((first.len(), first[0].as_str(), total), (10, "asset-24", 25));
    let (last, total) = page(3).await;
    assert_eq!((last.len(), last[4].as_str(), total), (5, "asset-00", 25));
    assert_eq!(page(4).await, (vec![], 25), "beyond the last page");
    assert_eq!(shop.search(json!({"sortBy": "FileSize"})).await.0[0], "asset-24");
    assert_eq!(shop.search(json!({"folder": "Odd", "includeSubfolders": false})).await.1, 0);
    assert_eq!(shop.search(json!({"folder": "f|Acme/Odd/"})).await.1, 12);
    assert_eq!(shop.search(json!({"folder": "Acme/"})).await.1, 25);
    for (param, field) in [
        (json!({"recordsPerPage": 0}), "recordsPerPage"),
        (json!({"resultsPage": -1}), "resultsPage"),
        (json!({"sortBy": "Colour"}), "sortBy"),
        (json!({"sortDirection": "Sideways"}), "sortDirection"),
        (json!({"trashState": "Lost"}), "trashState"),
        (json!({"publishState": "Lost"}), "publishState"),
        (json!({"systemFieldMatchMode": "Some"}), "systemFieldMatchMode"),
        (json!({"keywordArray": ["x".repeat(1001)]}), "keywordArray/items[1]"),
        (
            json!({"metadataConditionArray": [{"fieldHandle": "m|1", "op": "Equals"}]}),
            "metadataConditionArray/items[1]/fieldHandle",
        ),
        (
            json!({"tagConditionArray": [{"fieldHandle": "m|1", "op": "Matches"}]}),
            "tagConditionArray/items[1]/fieldHandle",
        ),
        (json!({"conditionMatchMode": "Some"}), "conditionMatchMode"),
        (json!({"tagMatchMode": "Some"}), "tagMatchMode"),
        (json!({"metadataMatchMode": "Some"}), "metadataMatchMode"),
        (json!({"projectHandle": "p|1|x"}), "projectHandle"),
    ] {
        let mut param = param;
        param["includeSubfolders"] = json!(true);
        let why = shop.invalid("searchAssets", param).await;
        assert!(why.starts_with(&format!("{field} ")), "{field}: {why}");
    }
}

#[tokio::test]
async fn a_page_has_a_thousand_assets_at_most_unless_they_are_small() {
    let shop = Shop::new().await;
    let mut attempt = shop.world.attempt(shop.company).await;
    for n in 0..1100 {
        attempt.add(shop.world.image(shop.company, "", &format!("asset-{n:04}"))).await;
    }
    attempt.end(shop.world.clock.now()).await;
    assert_eq!(shop.search(json!({"recordsPerPage": 5000})).await.0.len(), 1000);
    let fields = json!(["assetArray/items/name", "totalRows"]);
    let small = shop.search(json!({"recordsPerPage": 5000, "responseFieldArray": fields})).await;
    assert_eq!((small.0.len(), small.1), (1100, 1100));
}

#[tokio::test]
async fn conditions_narrow_a_search() {
    let shop = Shop::new().await;
    for (name, bytes, asset_type) in
        [("Red_Shoe", 100, AssetType::Image), ("redXshoe", 200, AssetType::Pdf), ("blue%", 300, AssetType::Image)]
    {
        let mut image = shop.world.image(shop.company, "", name);
        image.master.bytes = bytes;
        image.master.asset_type = asset_type;
        shop.world.add(image).await;
        shop.world.pass(60);
    }
    let found = async |condition: Value| shop.search(json!({"systemFieldConditionArray": [condition]})).await.0;
    let field = |field: &str, op: &str, value: &str| json!({"field": field, "op": op, "value": value});
    let table = [
        (field("Name", "Equals", "Red_Shoe"), vec!["Red_Shoe"]),
        (field("Name", "Equals", "red_shoe"), vec![]),
        (field("Name", "NotEquals", "Red_Shoe"), vec!["blue%", "redXshoe"]),
        (field("Name", "StartsWith", "RED"), vec!["Red_Shoe", "redXshoe"]),
        (field("Name", "Contains", "d_s"), vec!["Red_Shoe"]),
        (field("Name", "EndsWith", "%"), vec!["blue%"]),
        (field("Name", "NotContains", "shoe"), vec!["blue%"]),
        (field("Name", "Equals", "' OR 1=1 --"), vec![]),
        (field("FileName", "EndsWith", ".JPG"), vec!["Red_Shoe", "blue%", "redXshoe"]),
        (field("CreateUser", "StartsWith", "ada@"), vec!["Red_Shoe", "blue%", "redXshoe"]),
        (field("FileSize", "LessThan", "200"), vec!["Red_Shoe"]),
        (json!({"field": "FileSize", "op": "GreaterThanEquals", "longVal": 200}), vec!["blue%", "redXshoe"]),
        (json!({"field": "FileSize", "op": "Between", "minLong": 150, "maxLong": 200}), vec!["redXshoe"]),
        (json!({"field": "FileSize", "op": "NotBetween", "minLong": 150, "maxLong": 200}), vec!["Red_Shoe", "blue%"]),
        (json!({"field": "Created", "op": "LessThan", "dateVal": "2026-11-23T11:00:00+01:00"}), vec!["Red_Shoe"]),
        (field("Created", "GreaterThan", "2026-11-23T11:00:00Z"), vec!["blue%"]),
        (field("Created", "Equals", "2026-11-23T10:15:00Z"), vec!["redXshoe"]),
        (field("Created", "Equals", "2026-11-23"), vec!["Red_Shoe", "blue%", "redXshoe"]),
        (field("Created", "NotEquals", "Mon Nov 23 2026 11:15:00 GMT+0100 (CET)"), vec!["Red_Shoe", "blue%"]),
        (
            json!({"field": "LastModified", "op": "Between", "minDate": "2026-11-23T10:00:00", "maxDate": "2026-11-24T00:00:00"}),
            vec!["blue%", "redXshoe"],
        ),
        (field("Sku", "NotEquals", "1"), vec!["Red_Shoe", "blue%", "redXshoe"]),
    ];
    for (condition, names) in table {
        assert_eq!(found(condition.clone()).await, names, "{condition}");
    }
    let both = json!([field("Name", "StartsWith", "red"), field("FileSize", "GreaterThan", "150")]);
    assert_eq!(shop.search(json!({"systemFieldConditionArray": both})).await.0, ["redXshoe"]);
    let either = json!({"systemFieldConditionArray": both, "systemFieldMatchMode": "MatchAny"});
    assert_eq!(shop.search(either).await.1, 3);
    assert_eq!(shop.search(json!({"assetTypeArray": ["Pdf", "Zip"]})).await.0, ["redXshoe"]);
    assert_eq!(shop.search(json!({"excludeAssetTypeArray": ["Image"]})).await.0, ["redXshoe"]);
    assert_eq!(shop.search(json!({"assetSubTypeArray": ["X"], "strictSubTypeCheck": true})).await.1, 0);
    assert_eq!(shop.search(json!({"assetSubTypeArray": ["X"]})).await.1, 3);
    let wrong = [
        field("Colour", "Equals", "red"),
        field("Name", "LessThan", "a"),
        json!({"field": "Name", "op": "Equals"}),
        field("FileSize", "Equals", "much"),
        field("FileSize", "Contains", "1"),
        json!({"field": "FileSize", "op": "Between", "minLong": 1}),
        field("Created", "Equals", "yesterday"),
    ];
    for condition in wrong {
        let param = json!({"includeSubfolders": true, "systemFieldConditionArray": [condition]});
        let why = shop.invalid("searchAssets", param).await;
        assert!(why.starts_with("systemFieldConditionArray/items[1]/"), "{why}");
    }
}

#[tokio::test]
async fn assets_are_read_by_handle_and_name_with_chosen_fields() {
    let shop = Shop::new().await;
    let [a, b] = [shop.asset("", "a").await, shop.asset("", "b").await];
    let names = json!(["assetArray/items/name", "assetArray/items/imageInfo/originalFile"]);
    let handles = json!([asset_handle(b), "a|999", asset_handle(a)]);
    let found =
        shop.call("getAssets", json!({"assetHandleArray": handles, "responseFieldArray": names})).await.unwrap();
    let expected = json!({"assetArray": [
        {"name": "b", "imageInfo": {"originalFile": "b.jpg"}}, {"name": "a", "imageInfo": {"originalFile": "a.jpg"}}]});
    assert_eq!(found, expected, "in the order asked for");
    let wrong = shop.invalid("getAssets", json!({"assetHandleArray": ["a|1", "x"]})).await;
    assert!(wrong.starts_with("assetHandleArray/items[2]"), "{wrong}");

    let by_name = async |mut param: Value| {
        param["nameArray"] = json!(["b", "none", "a"]);
        param["responseFieldArray"] = json!(["assetArray/items/name"]);
        shop.call("getAssetsByName", param).await.unwrap()["assetArray"].clone()
    };
    assert_eq!(by_name(json!({})).await, json!([{"name": "b"}, {"name": "a"}]));
    assert_eq!(by_name(json!({"assetTypeArray": ["Pdf"]})).await, json!([]));
    assert_eq!(by_name(json!({"excludeAssetTypeArray": ["Image"]})).await, json!([]));
    shop.call("deleteAsset", json!({"assetHandle": asset_handle(b)})).await.unwrap();
    assert_eq!(by_name(json!({})).await, json!([{"name": "a"}]));
}
