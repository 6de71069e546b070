//! Who may do what where: every operation, between companies and between roles.

use crate::tenants::{PASSWORD, World, asset_handle, company_handle};
use chrono::TimeDelta;
use prepress::clock::Clock;
use prepress::model::id::AssetId;
use prepress::model::role::Role;
use prepress::service::{Caller, Denied, Error};
use serde_json::{Value, json};

/// Roles as the reference prints them; IpsCompanyAdmin added to getCompanyInfo.
const EVERYBODY: &str = "IpsUser IpsAdmin IpsCompanyAdmin TrialSiteAdmin TrialSiteUser ImagePortalAdmin ImagePortalUser \
                         ImagePortalContrib ImagePortalContribUser";
const EDITORS: &str = "IpsUser IpsAdmin IpsCompanyAdmin ImagePortalAdmin ImagePortalContrib ImagePortalContribUser";
const FORMAT_KEEPERS: &str = "IpsUser IpsAdmin IpsCompanyAdmin ImagePortalAdmin";
const METADATA_READERS: &str =
    "IpsUser IpsAdmin IpsCompanyAdmin ImagePortalAdmin ImagePortalUser ImagePortalContrib ImagePortalContribUser";
const METADATA_KEEPERS: &str = "IpsAdmin IpsCompanyAdmin ImagePortalAdmin";
const ADMINISTRATORS: &str = "IpsAdmin IpsCompanyAdmin TrialSiteAdmin ImagePortalAdmin";

/// An operation with a parameter that is sound but for its company handle, which is set by each test.
struct Case {
    operation: &'static str,
    roles: &'static str,
    param: Value,
}

fn cases() -> Vec<Case> {
    let case = |operation, roles, param| Case { operation, roles, param };
    let asset = asset_handle(AssetId(1));
    let title = json!({"fieldHandle": "m|1|ALL|dc.title", "value": "Shoe"});
    vec![
        case("checkLogin", EVERYBODY, json!({"email": "ada@example.com", "password": PASSWORD})),
        case("getCompanyInfo", EVERYBODY, json!({})),
        case("getCompanySettings", ADMINISTRATORS, json!({})),
        case("setCompanySettings", ADMINISTRATORS, json!({"retainPublishState": false})),
        case("getPublishContexts", EVERYBODY, json!({})),
        case("getActivePublishContexts", EVERYBODY, json!({})),
        case("getFolders", EVERYBODY, json!({})),
        case(
            "getFolderTree",
            "IpsUser IpsAdmin IpsCompanyAdmin TrialSiteAdmin TrialSiteUser ImagePortalContrib ImagePortalContribUser",
            json!({"depth": -1}),
        ),
        case("createFolder", EDITORS, json!({"folderPath": "New"})),
        case("deleteFolder", EDITORS, json!({"folderHandle": "Shoes"})),
        case("searchAssets", EVERYBODY, json!({"includeSubfolders": true})),
        case("getAssets", EVERYBODY, json!({"assetHandleArray": [asset]})),
        case(
            "getAssetsByName",
            "IpsUser IpsAdmin IpsCompanyAdmin TrialSiteAdmin TrialSiteUser ImagePortalAdmin ImagePortalContrib \
             ImagePortalContribUser",
            json!({"nameArray": ["shoe"]}),
        ),
        case("renameAsset", EDITORS, json!({"assetHandle": asset, "newName": "boot", "validateName": true})),
        case("moveAsset", EDITORS, json!({"assetHandle": asset, "folderHandle": "Shoes"})),
        case("moveAssets", EDITORS, json!({"assetMoveArray": [{"assetHandle": asset, "folderHandle": "Shoes"}]})),
        case("deleteAsset", EDITORS, json!({"assetHandle": asset})),
        case("deleteAssets", EDITORS, json!({"assetHandleArray": [asset]})),
        case(
            "setAssetPublishState",
            "IpsUser IpsAdmin IpsCompanyAdmin ImagePortalContrib ImagePortalContribUser",
            json!({"assetHandle": asset, "publishState": "MarkedForPublish"}),
        ),
        case(
            "setAssetsPublishState",
            EDITORS,
            json!({"publishStateUpdateArray": [{"assetHandle": asset, "publishState": "MarkedForPublish"}]}),
        ),
        case("createImageSet", EDITORS, json!({"folderHandle": "Shoes", "name": "views", "type": "ImageSet"})),
        case("updateImageSet", EDITORS, json!({"assetHandle": asset})),
        case("setImageSetMembers", EDITORS, json!({"assetHandle": asset, "memberArray": []})),
        case(
            "getImageSetMembers",
            "IpsUser IpsAdmin IpsCompanyAdmin TrialSiteAdmin TrialSiteUser ImagePortalUser ImagePortalContrib \
             ImagePortalContribUser",
            json!({"assetHandle": asset}),
        ),
        case("createAssetSet", EDITORS, json!({"folderHandle": "Shoes", "name": "media", "subType": "MediaSet"})),
        case("updateAssetSet", EDITORS, json!({"assetHandle": asset})),
        case("setAssetSetDefinition", EDITORS, json!({"assetHandle": asset, "setDefinition": ""})),
        case("getAssociatedAssets", EVERYBODY, json!({"assetHandle": asset})),
        case("getGenerationInfo", EVERYBODY, json!({"originatorHandle": asset})),
        case("forceRepublishAssets", EDITORS, json!({"assetHandleArray": [asset]})),
        case("setAssetsContextState", EVERYBODY, json!({"assetsContextStateUpdateArray": []})),
        case("batchGetAssetPublishContexts", EVERYBODY, json!({"assetHandleArray": [asset]})),
        case("getAssetPublishHistory", EVERYBODY, json!({"assetHandle": asset})),
        case(
            "getImageFormats",
            "IpsUser IpsAdmin IpsCompanyAdmin ImagePortalAdmin ImagePortalUser ImagePortalContrib ImagePortalContribUser",
            json!({}),
        ),
        case("saveImageFormat", FORMAT_KEEPERS, json!({"name": "Small", "urlModifier": "wid=100"})),
        case("deleteImageFormat", FORMAT_KEEPERS, json!({"imageFormatHandle": "i|1|1"})),
        case("getMetadataFields", METADATA_READERS, json!({"assetType": "Image"})),
        case("getAssetMetadataFields", METADATA_READERS, json!({})),
        case(
            "saveMetadataField",
            FORMAT_KEEPERS,
            json!({"assetType": "Image", "name": "Note", "fieldType": "String", "defaultValue": ""}),
        ),
        case("createMetadataField", "IpsAdmin", json!({"assetType": "Image", "name": "Owner", "fieldType": "String"})),
        case("updateMetadataField", METADATA_KEEPERS, json!({"fieldHandle": "m|1|ALL|Nothing"})),
        case("deleteMetadataField", METADATA_KEEPERS, json!({"fieldHandle": "m|1|ALL|Nothing"})),
        case("getTagFieldValues", EVERYBODY, json!({"fieldHandleArray": []})),
        case("setTagFieldValues", METADATA_KEEPERS, json!({"fieldHandle": "m|1|ALL|Nothing", "valueArray": []})),
        case("addTagFieldValues", METADATA_KEEPERS, json!({"fieldHandle": "m|1|ALL|Nothing", "valueArray": []})),
        case("deleteTagFieldValues", METADATA_KEEPERS, json!({"fieldHandle": "m|1|ALL|Nothing", "valueArray": []})),
        case("getUniqueMetadataValues", METADATA_READERS, json!({"fieldHandle": "m|1|ALL|dc.title"})),
        case("getDistinctMetadataValues", METADATA_READERS, json!({"metadataKey": "dc.title"})),
        case("searchAssetsByMetadata", METADATA_READERS, json!({})),
        case("setAssetMetadata", EDITORS, json!({"assetHandle": asset, "updateArray": [title]})),
        case(
            "batchSetAssetMetadata",
            EDITORS,
            json!({"updateArray": [{"assetHandleArray": [asset], "updateArray": [title]}]}),
        ),
        case(
            "deleteAssetMetadata",
            EDITORS,
            json!({"assetHandle": asset, "deleteArray": [{"fieldHandle": "m|1|ALL|dc.title"}]}),
        ),
    ]
}

/// Operations that belong to no company.
fn global_cases() -> Vec<Case> {
    ["getUserInfo", "getCompanyMembership", "getSystemProperties"]
        .map(|operation| Case { operation, roles: EVERYBODY, param: json!({}) })
        .into_iter()
        .chain([Case { operation: "getProperty", roles: EVERYBODY, param: json!({"name": "IpsVersion"}) }])
        .collect()
}

fn at(param: &Value, company: &str) -> Value {
    let mut param = param.clone();
    param["companyHandle"] = json!(company);
    param
}

/// A user with one role in one company, made without hashing another password.
fn with_role(caller: &Caller, role: Role) -> Caller {
    let roles = caller.roles.keys().map(|company| (*company, role)).collect();
    Caller { roles, ..caller.clone() }
}

#[tokio::test]
async fn a_foreign_an_expired_and_a_missing_company_cannot_be_told_apart() {
    let world = World::new().await;
    let root = world.admin().await;
    let own = world.company("Own").await;
    let foreign = world.company("Foreign").await;
    let soon = world.clock.now() + TimeDelta::minutes(1);
    let expired = world.services.add_company("Expired", None, Some(soon)).await.unwrap();
    let over = world.services.add_company("Over", None, Some(soon)).await.unwrap();
    world.asset(foreign.id, "Shoes", "shoe").await;
    world.user("ada@example.com", "Own", Role::IpsCompanyAdmin).await;
    // Logged in while the company was still open: the roles of a request may be older than the answer.
    let ada = world.user("ada@example.com", "Expired", Role::IpsCompanyAdmin).await;
    world.pass(1);
    for Case { operation, param, .. } in cases() {
        let mut answers = Vec::new();
        for company in [company_handle(&foreign), company_handle(&over), "c|999".to_owned(), "c|0".to_owned()] {
            match world.call(&ada, operation, at(&param, &company)).await {
                Err(error @ Error::Denied(Denied::InvalidCompany { .. })) => answers.push(error.to_string()),
                other => panic!("{operation} in {company}: {other:?}"),
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{operation}: {answers:?}");
        // Who belongs to a company may know that it has expired.
        for caller in [&ada, &root] {
            let denied = world.call(caller, operation, at(&param, &company_handle(&expired))).await;
            assert!(matches!(denied, Err(Error::Denied(Denied::IllegalCompany { .. }))), "{operation}: {denied:?}");
        }
        let denied = world.call(&root, operation, at(&param, "c|999")).await;
        assert!(matches!(denied, Err(Error::Denied(Denied::InvalidCompany { .. }))), "{operation}, administrator");
        let malformed = world.call(&ada, operation, at(&param, "u|6")).await;
        assert!(matches!(malformed, Err(Error::Invalid(ref e)) if e.field == "companyHandle"), "{operation}");
    }
    for name in ["Foreign", "Over", "Nowhere"] {
        let denied = world.call(&ada, "getCompanyInfo", json!({"companyName": name})).await;
        assert!(
            matches!(denied, Err(Error::Denied(Denied::InvalidCompany { ref field })) if field == "companyName"),
            "{name}: {denied:?}"
        );
    }
    let open = world.call(&ada, "getCompanyInfo", json!({"companyName": "Own"})).await.unwrap();
    assert_eq!(open["companyInfo"]["companyHandle"], company_handle(&own));
}

#[tokio::test]
async fn every_operation_asks_for_its_roles() {
    let world = World::new().await;
    let company = world.company("Own").await;
    let ada = world.user("ada@example.com", "Own", Role::IpsUser).await;
    world.asset(company.id, "Shoes", "shoe").await;
    for Case { operation, roles, param } in cases().into_iter().chain(global_cases()) {
        let allowed: Vec<&str> = roles.split_whitespace().collect();
        for role in Role::ALL {
            let answer = world.call(&with_role(&ada, *role), operation, at(&param, &company_handle(&company))).await;
            let denied = match &answer {
                Err(Error::Denied(Denied::NoOperationPermission { operation: named, .. })) => {
                    assert_eq!(named, operation);
                    true
                }
                // What one role has done (deleted, renamed) another cannot do again.
                Ok(_) | Err(Error::Refused(_)) => false,
                other => panic!("{operation} as {role}: {other:?}"),
            };
            assert_eq!(denied, !allowed.contains(&role.as_str()), "{operation} as {role}: {answer:?}");
        }
        let nobody = Caller { roles: Default::default(), ..ada.clone() };
        let answer = world.call(&nobody, operation, at(&param, &company_handle(&company))).await;
        assert!(matches!(answer, Err(Error::Denied(_))), "{operation} without a company: {answer:?}");
    }
}

#[tokio::test]
async fn an_administrator_of_the_server_may_do_everything_everywhere() {
    let world = World::new().await;
    let company = world.company("Own").await;
    let root = world.admin().await;
    world.asset(company.id, "Shoes", "shoe").await;
    for Case { operation, param, .. } in cases().into_iter().chain(global_cases()) {
        let answer = world.call(&root, operation, at(&param, &company_handle(&company))).await;
        assert!(matches!(answer, Ok(_) | Err(Error::Refused(_))), "{operation}: {answer:?}");
    }
}

/// The text of a refusal, or what a batch says about its only item, with `handle` taken out.
fn verdict(answer: Result<Value, Error>, handle: &str) -> String {
    match answer {
        Ok(reply) => reply.to_string(),
        Err(Error::Refused(why)) => why,
        Err(other) => panic!("expected an answer or a refusal, got {other:?}"),
    }
    .replace(handle, "HANDLE")
}

#[tokio::test]
async fn what_belongs_to_others_is_as_if_it_were_not_there() {
    let world = World::new().await;
    let own = world.company("Own").await;
    let foreign = world.company("Foreign").await;
    let ada = world.user("ada@example.com", "Own", Role::IpsCompanyAdmin).await;
    let mine = asset_handle(world.asset(own.id, "Mine", "sandal").await);
    let theirs = asset_handle(world.asset(foreign.id, "Shoes", "shoe").await);
    let nothing = asset_handle(AssetId(999));
    let here = company_handle(&own);
    let fingerprint = async || {
        let sql = "SELECT a.id + a.folder_id * 10 + a.change_seq * 100 + length(a.name) * 10000 + a.modified_at
                        + (a.trash_state = 'InTrash') * 100000 FROM asset a WHERE a.id = 2";
        world.number(sql).await
    };
    let before = fingerprint().await;

    let asset_cases = |asset: &str| {
        [
            ("getAssets", json!({"assetHandleArray": [asset]})),
            ("renameAsset", json!({"assetHandle": asset, "newName": "boot", "validateName": true})),
            ("moveAsset", json!({"assetHandle": asset, "folderHandle": "Mine"})),
            ("moveAssets", json!({"assetMoveArray": [{"assetHandle": asset, "folderHandle": "Mine"}]})),
            ("deleteAsset", json!({"assetHandle": asset})),
            ("deleteAssets", json!({"assetHandleArray": [asset]})),
            ("setAssetPublishState", json!({"assetHandle": asset, "publishState": "MarkedForPublish"})),
            (
                "setAssetsPublishState",
                json!({"publishStateUpdateArray": [{"assetHandle": asset, "publishState": "MarkedForPublish"}]}),
            ),
            ("forceRepublishAssets", json!({"assetHandleArray": [asset]})),
            ("batchGetAssetPublishContexts", json!({"assetHandleArray": [asset]})),
            ("getAssetPublishHistory", json!({"assetHandle": asset})),
            (
                "setAssetsContextState",
                json!({"assetsContextStateUpdateArray": [{"assetHandle": asset, "contextStateUpdateArray": [
                    {"contextHandle": "pc|1", "publishState": "MarkedForPublish"}
                ]}]}),
            ),
            ("setCompanySettings", json!({"defaultSourceProfileHandle": asset})),
            ("setAssetMetadata", json!({"assetHandle": asset, "updateArray": []})),
            ("deleteAssetMetadata", json!({"assetHandle": asset, "deleteArray": []})),
            (
                "batchSetAssetMetadata",
                json!({"updateArray": [{"assetHandleArray": [asset], "updateArray": [
                    {"fieldHandle": "m|1|ALL|dc.title", "value": "Shoe"}
                ]}]}),
            ),
        ]
    };
    for ((operation, foreign), (_, missing)) in asset_cases(&theirs).into_iter().zip(asset_cases(&nothing)) {
        let of_theirs = verdict(world.call(&ada, operation, at(&foreign, &here)).await, &theirs);
        let of_nothing = verdict(world.call(&ada, operation, at(&missing, &here)).await, &nothing);
        assert_eq!(of_theirs, of_nothing, "{operation}");
    }
    assert_eq!(fingerprint().await, before, "nothing of theirs has changed");

    let folder_cases = |folder: &str| {
        [
            ("getFolders", json!({"folderPath": folder})),
            ("getFolderTree", json!({"folderPath": folder, "depth": -1})),
            ("deleteFolder", json!({"folderHandle": folder})),
            ("searchAssets", json!({"folder": folder, "includeSubfolders": true})),
            ("moveAsset", json!({"assetHandle": mine, "folderHandle": folder})),
            ("moveAssets", json!({"assetMoveArray": [{"assetHandle": mine, "folderHandle": folder}]})),
        ]
    };
    for ((operation, foreign), (_, missing)) in
        folder_cases("f|Foreign/Shoes/").into_iter().zip(folder_cases("f|Foreign/Boots/"))
    {
        let of_theirs = verdict(world.call(&ada, operation, at(&foreign, &here)).await, "Foreign/Shoes");
        let of_nothing = verdict(world.call(&ada, operation, at(&missing, &here)).await, "Foreign/Boots");
        assert_eq!(of_theirs, of_nothing, "{operation}");
    }

    let contexts = world.store.publish_contexts(foreign.id).await.unwrap();
    let mark = |context: String| json!({"companyHandle": here, "assetHandle": mine, "publishState": "MarkedForPublish", "contextHandleArray": [context]});
    let theirs = format!("pc|{}", contexts[0].id);
    let of_theirs = verdict(world.call(&ada, "setAssetPublishState", mark(theirs.clone())).await, &theirs);
    let of_nothing = verdict(world.call(&ada, "setAssetPublishState", mark("pc|999".into())).await, "pc|999");
    assert_eq!(of_theirs, of_nothing);

    let found =
        world.call(&ada, "searchAssets", json!({"companyHandle": here, "includeSubfolders": true})).await.unwrap();
    assert_eq!(found["totalRows"], 1);
    let named = json!({"companyHandle": here, "nameArray": ["shoe", "sandal"]});
    let named = world.call(&ada, "getAssetsByName", named).await.unwrap();
    assert_eq!(named["assetArray"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_administrators_look_as_another_user() {
    let world = World::new().await;
    let company = world.company("Own").await;
    world.company("Other").await;
    let ada = world.user("ada@example.com", "Own", Role::IpsCompanyAdmin).await;
    let bob = world.user("bob@example.com", "Own", Role::IpsUser).await;
    let eve = world.user("eve@example.com", "Other", Role::IpsUser).await;
    let handle = |caller: &Caller| format!("u|{}|{}", caller.account, caller.email);
    let reads = [
        ("getFolders", json!({})),
        ("getFolderTree", json!({"depth": 1})),
        ("searchAssets", json!({"includeSubfolders": true})),
        ("getAssets", json!({"assetHandleArray": []})),
        ("getAssetsByName", json!({"nameArray": []})),
    ];
    for (operation, param) in reads {
        let as_user = async |caller: &Caller, field: &str, value: String| {
            let mut param = at(&param, &company_handle(&company));
            param[field] = json!(value);
            world.call(caller, operation, param).await
        };
        as_user(&ada, "accessUserHandle", handle(&bob)).await.unwrap();
        as_user(&bob, "accessUserHandle", handle(&bob)).await.unwrap();
        let denied = as_user(&bob, "accessUserHandle", handle(&ada)).await;
        assert!(matches!(denied, Err(Error::Denied(Denied::NoImpersonationPermission))), "{operation}: {denied:?}");
        for other in [handle(&eve), "u|999|nobody@example.com".to_owned()] {
            let denied = as_user(&ada, "accessUserHandle", other).await;
            assert!(
                matches!(denied, Err(Error::Denied(Denied::InvalidRequestUser { ref field })) if field == "accessUserHandle"),
                "{operation}: {denied:?}"
            );
        }
        let denied = as_user(&ada, "accessGroupHandle", "g|2".into()).await;
        assert!(matches!(denied, Err(Error::Denied(Denied::IllegalAccessGroup { .. }))), "{operation}: {denied:?}");
    }
}
