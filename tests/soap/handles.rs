//! One thing has one handle, whichever operation tells of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use prepress::executors::{Context, Executor, Failure, Item, Registry};
use prepress::model::asset::{AssetType, PictureFacts};
use prepress::model::handle;
use prepress::model::id::{AssetId, CompanyId};
use prepress::model::job::JobSpec;
use prepress::model::log::{FileType, LogLine, LogType, Message};
use prepress::model::name::FileName;
use prepress::model::role::Role;
use prepress::store::assets::arrival::Arrival;
use prepress::store::assets::ingest::Master;
use prepress::store::effect::Effect;
use prepress::store::jobs::attempt::ItemReport;

use crate::server::attempt::picture;
use crate::server::{Answer, Server};
use crate::{ADA, NEWEST, OLDEST};

/// Logs a line about every asset of its company.
struct Clerk;

impl Registry for Clerk {
    fn executor(&self, _spec: &JobSpec) -> Box<dyn Executor> {
        Box::new(Clerk)
    }
}

#[async_trait]
impl Executor for Clerk {
    async fn run(&self, context: &Context) -> Result<(), Failure> {
        for (number, asset_type) in AssetType::ALL.iter().enumerate() {
            let known = context.reads().asset_named(context.run.company, &name(*asset_type)).await?;
            let words = Message::new("file-cancelled").with("file", name(*asset_type));
            let line = LogLine::new(LogType::UploadSuccess, words).about(
                known.map(|known| known.id),
                name(*asset_type),
                FileType::of_master(*asset_type),
            );
            let report = ItemReport { lines: vec![line], ..ItemReport::default() };
            context.commit(Item(number.to_string()), Effect::Nothing, move |_| report).await?;
        }
        Ok(())
    }
}

fn name(asset_type: AssetType) -> String {
    format!("one {asset_type}")
}

async fn add(server: &Server, asset_type: AssetType) -> AssetId {
    let arrival = picture(CompanyId(47), "", &name(asset_type), server.services().clock().now());
    let name = FileName { extension: "bin".to_owned(), ..arrival.name };
    let master = Master { asset_type, pixels: None, facts: PictureFacts::default(), ..arrival.master };
    server.add(Arrival { name, master, ..arrival }).await
}

fn all<'a>(text: &'a str, element: &str) -> Vec<&'a str> {
    let (start, end) = (format!("<{element}>"), format!("</{element}>"));
    text.split(&start).skip(1).map(|rest| rest.split_once(&end).unwrap().0).collect()
}

/// The handles of a reply by the names that stand beside them.
fn by_name(answer: &Answer, element: &str) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let names = all(&answer.text, element).into_iter().map(str::to_owned);
    let handles = all(&answer.text, "assetHandle").into_iter().map(str::to_owned);
    let pairs: BTreeMap<String, String> = names.zip(handles).collect();
    assert_eq!(pairs.len(), AssetType::ALL.len(), "{}", answer.text);
    pairs
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_of_any_type_has_one_handle_everywhere() {
    let server = Server::start_with(Some(Arc::new(Clerk)), |_| {}).await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsCompanyAdmin).await;
    let mut expected = BTreeMap::new();
    for asset_type in AssetType::ALL {
        let id = add(&server, *asset_type).await;
        expected.insert(name(*asset_type), handle::asset(id, *asset_type));
    }
    let kinds: std::collections::BTreeSet<&str> = expected.values().filter_map(|text| text.split('|').nth(2)).collect();
    assert!(kinds.len() > 10, "handles say what kind an asset is: {kinds:?}");
    let call = async |namespace: &str, operation: &str, fields: &str| {
        let body = format!(
            "<{operation}Param xmlns=\"{namespace}\"><companyHandle>c|47</companyHandle>{fields}</{operation}Param>"
        );
        server.soap(ADA, &body).await
    };
    let publish = "<imageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting></imageServingPublishJob>";
    call(NEWEST, "submitJob", &format!("<jobName>Clerk</jobName>{publish}")).await;
    server.all_done().await;
    let list =
        |of: &mut dyn Iterator<Item = &String>| of.map(|one| format!("<items>{one}</items>")).collect::<String>();
    let handles = format!("<assetHandleArray>{}</assetHandleArray>", list(&mut expected.values()));
    let names = format!("<nameArray>{}</nameArray>", list(&mut expected.keys()));
    for namespace in
        [OLDEST.to_owned(), format!("{OLDEST}/2008-01-15"), format!("{OLDEST}/2010-01-31"), NEWEST.to_owned()]
    {
        let shape = |text: &String| if namespace == OLDEST { text.replacen("a|", "", 1) } else { text.clone() };
        let expected: BTreeMap<_, _> = expected.iter().map(|(name, handle)| (name.clone(), shape(handle))).collect();
        for (operation, fields, element) in [
            ("searchAssets", "<includeSubfolders>true</includeSubfolders>", "name"),
            ("getAssets", handles.as_str(), "name"),
            ("getAssetsByName", names.as_str(), "name"),
            ("searchAssetsByMetadata", "", "name"),
            (
                "getJobLogDetails",
                "<originalName>Clerk</originalName><logTypeArray><items>UploadSuccess</items></logTypeArray>",
                "assetName",
            ),
        ] {
            // The oldest log lines have no handle.
            if operation == "getJobLogDetails" && namespace == OLDEST {
                continue;
            }
            let answer = call(&namespace, operation, fields).await;
            assert_eq!(by_name(&answer, element), expected, "{operation} in {namespace}");
        }
        let contexts = call(&namespace, "batchGetAssetPublishContexts", &handles).await;
        let (mut found, mut all_of_them) =
            (all(&contexts.text, "assetHandle"), expected.values().map(String::as_str).collect::<Vec<_>>());
        found.sort_unstable();
        all_of_them.sort_unstable();
        assert_eq!(found, all_of_them, "batchGetAssetPublishContexts in {namespace}");
    }
    // Members of a set, and what an asset is in.
    let picture = &expected["one Image"];
    let set = &expected["one ImageSet"];
    let members = format!(
        "<assetHandle>{set}</assetHandle><memberArray><items><assetHandle>{picture}</assetHandle><pageReset>false</pageReset></items></memberArray>"
    );
    assert_eq!(call(NEWEST, "setImageSetMembers", &members).await.status, 200);
    let members = call(NEWEST, "getImageSetMembers", &format!("<assetHandle>{set}</assetHandle>")).await;
    assert_eq!(all(&members.text, "assetHandle"), [picture.as_str()], "{}", members.text);
    let owners = call(NEWEST, "getAssociatedAssets", &format!("<assetHandle>{picture}</assetHandle>")).await;
    assert_eq!(all(&owners.text, "assetHandle"), [set.as_str()], "{}", owners.text);
    server.shut_down().await;
}
