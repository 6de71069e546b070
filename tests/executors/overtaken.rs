//! Somebody changes an asset while a job works on it: what was answered as done stays, and the job does its part with it.

use prepress::model::kind::JobKind;
use serde_json::{Value, json};

use crate::publish::change;
use crate::world::{Done, Moment, World, directory, jpeg, with};

/// Most points at which a job of one small picture waits.
const MOST: usize = 300;

async fn number(world: &World, name: &str) -> i64 {
    world.store.asset_named(world.company, name).await.unwrap().unwrap().id.0
}

/// A picture of 64 by 64 pixels.
async fn uploaded(world: &World, name: &str) -> i64 {
    world.put(&format!("{name}/{name}.jpg"), &jpeg(64, 7));
    world.run(JobKind::UploadDirectory, directory(name)).await.succeeded();
    number(world, name).await
}

/// Leaves 44 by 64 of it.
async fn crop(world: &World, asset: i64) {
    let order = json!({
        "assetHandleArray": [format!("a|{asset}")], "emailSetting": "None",
        "manualCropOptions": { "left": 10, "right": 10, "top": 0, "bottom": 0 },
    });
    let done = world.run(JobKind::ReprocessAssets, order).await.succeeded();
    assert_eq!(done.counters.success, 1, "{}", done.text());
}

/// That the asset has the crop, and its files are what it says.
async fn check_crop(world: &World, asset: i64, done: &Done, at: usize) {
    let known = world.store.assets_numbered(world.company, &[prepress::model::id::AssetId(asset)]).await.unwrap();
    let known = known.into_iter().next().unwrap();
    assert!(known.master.making.crop.is_some(), "after {at}: the crop is lost\n{}", done.text());
    assert_eq!(known.master.pixels, Some((44, 64)), "after {at}");
    for derived in &known.derived {
        assert_eq!(derived.source_blob, known.master.blob, "after {at}: {:?} is of another master", derived.role);
    }
    let pyramid = known.derived.iter().find(|file| file.role.as_str() == "Pyramid").unwrap();
    assert_eq!(pyramid.pixels, (44, 64), "after {at}: the pyramid is not cropped");
}

/// Breaks a job off at each point at which it waits, one after the other, and does something else meanwhile.
async fn at_each_point(
    world: &World,
    kind: JobKind,
    order: impl AsyncFn(&str, i64) -> Value,
    check: impl AsyncFn(i64, &str, &Done, usize),
    meanwhile: impl AsyncFn(i64, &str),
) {
    for at in 0..MOST {
        let name = format!("{}-{at}", kind.element());
        let asset = uploaded(world, &name).await;
        let order = order(&name, asset).await;
        let (done, was_broken_off) =
            world.run_broken_off(kind, order, Moment::Waits(at), async || meanwhile(asset, &name).await).await;
        if !was_broken_off {
            // It waits seven times and more, but what comes at once is not waited for.
            assert!(at > 1, "it was never broken off at work");
            return;
        }
        check(asset, &name, &done.succeeded(), at).await;
    }
    panic!("the job makes no headway");
}

#[tokio::test]
async fn reprocessing_undoes_nothing() {
    let world = World::new().await;
    let order = async |_: &str, asset: i64| json!({ "assetHandleArray": [format!("a|{asset}")], "createMask": true, "emailSetting": "None" });
    at_each_point(
        &world,
        JobKind::ReprocessAssets,
        order,
        async |asset, name, done, at| {
            check_crop(&world, asset, done, at).await;
            let now = world.store.asset_named(world.company, &format!("new-{name}")).await.unwrap();
            let file_name = now.map(|now| now.file_name);
            assert_eq!(file_name, Some(format!("new-{name}.jpg")), "after {at}: the name of its file is lost");
            assert_eq!(done.counters.success, 1, "{}", done.text());
        },
        async |asset, name| {
            let id = prepress::model::id::AssetId(asset);
            world.store.rename_asset(change(&world), id, format!("new-{name}")).await.unwrap();
            crop(&world, asset).await;
        },
    )
    .await;
}

#[tokio::test]
async fn optimizing_undoes_nothing() {
    let world = World::new().await;
    at_each_point(
        &world,
        JobKind::OptimizeImages,
        async |_, asset| {
            // It has something to make.
            world.execute(&format!("UPDATE derived SET recipe = 'another' WHERE asset_id = {asset}")).await;
            json!({ "emailSetting": "None" })
        },
        async |asset, _, done, at| check_crop(&world, asset, done, at).await,
        async |asset, _| crop(&world, asset).await,
    )
    .await;
}

#[tokio::test]
async fn an_upload_that_overwrites_keeps_a_crop_that_was_set_meanwhile() {
    let world = World::new().await;
    at_each_point(
        &world,
        JobKind::UploadDirectory,
        async |name, _| {
            world.put(&format!("{name}/{name}.jpg"), &jpeg(64, 9));
            with(directory(name), json!({ "overwrite": true }))
        },
        async |asset, name, done, at| {
            assert_eq!((done.counters.update, number(&world, name).await), (1, asset), "{}", done.text());
            check_crop(&world, asset, done, at).await;
        },
        async |asset, _| crop(&world, asset).await,
    )
    .await;
}

/// Once it is in the trash for good, Cleanup removes it: a publish that found it before must not show it to readers for ever.
#[tokio::test]
async fn what_is_removed_while_it_is_being_published_is_not_published() {
    let world = World::new().await;
    for at in 0..MOST {
        let (name, last) = (format!("gone-{at}"), format!("last-{at}"));
        let asset = uploaded(&world, &name).await;
        // The newest asset of all is never removed.
        uploaded(&world, &last).await;
        let order = json!({ "publishType": "Incremental", "emailSetting": "None" });
        let remove = async || {
            let id = prepress::model::id::AssetId(asset);
            world.store.trash_assets(change(&world), vec![id]).await.unwrap();
            world.store.empty_trash(change(&world), vec![id]).await.unwrap();
            world.remove_assets().await;
        };
        let (done, was_broken_off) =
            world.run_broken_off(JobKind::ImageServingPublish, order.clone(), Moment::Waits(at), remove).await;
        let done = done.succeeded();
        let orphans = "SELECT count(*) FROM publication p
             WHERE present = 1 AND NOT EXISTS (SELECT 1 FROM asset a WHERE a.id = p.asset_id)";
        assert_eq!(world.query(orphans).await, [[json!(0)]], "after {at}: {}", done.text());
        if !was_broken_off {
            assert!(at > 1, "it was never broken off at work");
            return;
        }
        let done = world.run(JobKind::ImageServingPublish, order).await.succeeded();
        let names = world.published_names();
        assert!(!names.contains(&format!("{name}.tif")), "after {at}: {}", done.text());
        assert!(names.contains(&format!("{last}.tif")), "after {at}: {}", done.text());
    }
    panic!("the job makes no headway");
}
