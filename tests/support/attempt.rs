//! A run that a test carries out itself, for what only executors write: an asset is filed, processed again, or given derived files
//! as the effect of an item, under the fence of the attempt that does it.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it, and only tests do")]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use prepress::model::asset::{AssetType, PictureFacts};
use prepress::model::id::{AccountId, AssetId, CompanyId, InstanceId};
use prepress::model::job::JobSpec;
use prepress::model::kind::JobKind;
use prepress::model::name::FileName;
use prepress::model::overwrite::SameName;
use prepress::model::source::{Siblings, SourceName};
use prepress::model::trigger::Trigger;
use prepress::store::Store;
use prepress::store::assets::arrival::{Arrival, Filed};
use prepress::store::assets::ingest::Master;
use prepress::store::assets::marking::Marking;
use prepress::store::effect::{Applied, Effect};
use prepress::store::jobs::Fence;
use prepress::store::jobs::attempt::ItemReport;
use prepress::store::jobs::claim::{FreeSlots, Lease};
use prepress::store::jobs::finish::Ending;
use prepress::store::jobs::submit::{NewJob, NewRun};
use serde_json::json;

pub struct Attempt {
    store: Store,
    fence: Fence,
    items: usize,
}

impl Attempt {
    /// Submits a job and claims its run. The company has no other that waits, and no daemon works on this database: it would
    /// claim the run as well.
    pub async fn begin(store: &Store, company: CompanyId, account: AccountId, now: DateTime<Utc>) -> Self {
        let job = NewJob {
            company,
            name: "By a test".to_owned(),
            spec: spec(),
            responsible: account,
            submitter: account,
            locale: None,
            description: None,
            client: None,
            address: None,
            created_at: now,
            trigger: Trigger::AtOnce,
            next_fire_at: None,
            run: Some(NewRun::at(now, None)),
            parent: None,
        };
        let run = store.submit(job).await.unwrap().run.unwrap();
        let lease = Lease { owner: "a test".to_owned(), expires_at: now + TimeDelta::hours(1) };
        let free = FreeSlots { total: 1, by_kind: BTreeMap::new() };
        let claims = store.claim(free, CompanyId(company.0 - 1), move || (lease, now)).await.unwrap();
        let fence = claims.runs[0].fence;
        assert_eq!(fence.instance, run.id, "another run of the company waited");
        Self::under(store, fence)
    }

    /// One that was claimed by other means.
    pub fn under(store: &Store, fence: Fence) -> Self {
        Self { store: store.clone(), fence, items: 0 }
    }

    pub const fn run(&self) -> InstanceId {
        self.fence.instance
    }

    /// Does this as the next item of the run.
    pub async fn commit(&mut self, effect: Effect, now: DateTime<Utc>) -> Applied {
        self.items += 1;
        let key = format!("item {}", self.items);
        self.store.commit_item(self.fence, key, effect, |_| ItemReport::default(), now).await.unwrap().unwrap()
    }

    /// Files what came with this run.
    pub async fn file(&mut self, arrival: Arrival) -> Filed {
        let (arrival, now) = (Arrival { run: self.run(), ..arrival }, arrival.at);
        let effect = Effect::File { arrival: Box::new(arrival), derived: Vec::new(), brought: Box::default() };
        match self.commit(effect, now).await {
            Applied::Filed(filed) => filed,
            other => panic!("a file came to {other:?}"),
        }
    }

    /// Files what is to be an asset of its own.
    pub async fn add(&mut self, arrival: Arrival) -> AssetId {
        match self.file(arrival).await {
            Filed::Added { asset, .. } => asset,
            other => panic!("a new file came to {other:?}"),
        }
    }

    pub async fn end(self, now: DateTime<Utc>) {
        self.store.finish_attempt(self.fence, Ending::succeeded(), now).await.unwrap();
    }
}

/// What the job of an attempt is.
pub fn spec() -> JobSpec {
    JobSpec::parse(JobKind::UploadPost, &json!({"emailSetting": "None"})).unwrap()
}

/// A JPEG that is new and not ready for publishing.
pub fn picture(company: CompanyId, folder: &str, name: &str, at: DateTime<Utc>) -> Arrival {
    let master = Master {
        asset_type: AssetType::Image,
        blob: format!("blob of {name}"),
        bytes: 1000,
        pixels: Some((300, 200)),
        facts: PictureFacts { resolution: Some(72.0), ..PictureFacts::default() },
        making: Default::default(),
    };
    let name = FileName { stem: name.to_owned(), extension: "jpg".to_owned(), changed: false };
    Arrival {
        company,
        folder: folder.to_owned(),
        source: SourceName::new(folder, &name.with_extension()),
        name,
        siblings: Siblings::default(),
        // That of the attempt which files it.
        run: InstanceId(0),
        master,
        built_on: Default::default(),
        overwrite: false,
        same_name: SameName::Skip,
        marking: Marking::of_upload(Some(false), None),
        brings_forth: Vec::new(),
        goes_on: false,
        by: AccountId(1),
        at,
    }
}
