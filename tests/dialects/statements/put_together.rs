//! Statements that are put together while the program runs, other than those of jobs (`plans`).

use chrono::DateTime;
use chrono_tz::Tz;
use prepress::model::asset::{AssetType, PublishState, TrashState};
use prepress::model::id::{AccountId, AssetId, CompanyId, InstanceId};
use prepress::store::assets::query::{
    Condition, FieldTest, Group, NumberField, NumberOp, Scalar, Search, Sort, TextField, TextOp,
};
use prepress::store::jobs::query::{RunFilter, RunOrder};
use prepress::store::{Options, Store};

use super::assert_read_by_postgresql;
use crate::recorder;

const TEST: &str = "put together";
const COMPANY: CompanyId = CompanyId(1);

fn search(conditions: Vec<Condition>) -> Search {
    Search {
        folder: String::new(),
        include_subfolders: true,
        trash_state: TrashState::NotInTrash,
        publish_state: None,
        types: None,
        excluded_types: Vec::new(),
        sub_types: Vec::new(),
        strict_sub_types: false,
        groups: vec![Group { conditions, any: false }],
        any_group: false,
        sort: Sort::Name,
        descending: false,
        limit: 50,
        offset: 0,
    }
}

const OPS: [TextOp; 6] =
    [TextOp::Equals, TextOp::NotEquals, TextOp::Contains, TextOp::NotContains, TextOp::StartsWith, TextOp::EndsWith];

/// Each condition that there is.
fn conditions() -> Vec<Condition> {
    use TextField::{AssetType, CreateUser, Created, FileName, FolderPath, Id, LastModifyUser, Modified, Name};
    let text = |field, op, minds_case| Condition::Text { field, op, value: "a".to_owned(), minds_case };
    let field = |has, test| Condition::Field { field: "dc.title".to_owned(), has, test };
    let mut all = Vec::new();
    for minds_case in [false, true] {
        for of in [Id, Name, AssetType, FileName, FolderPath, CreateUser, LastModifyUser, Created, Modified] {
            all.extend(OPS.map(|op| text(of, op, minds_case)));
        }
        all.extend(OPS.map(|op| field(true, FieldTest::Text { op, value: "a".to_owned(), minds_case })));
    }
    for of in [NumberField::FileSize, NumberField::Created, NumberField::Modified] {
        let ops = [NumberOp::Equals, NumberOp::NotEquals, NumberOp::LessThan, NumberOp::GreaterThanEquals];
        all.extend(ops.map(|op| Condition::Number { field: of, op, value: 7.5 }));
        all.extend([true, false].map(|inside| Condition::Range { field: of, inside, low: 1.0, high: 2.0 }));
    }
    for scalar in [Scalar::Number(1.0), Scalar::Text("2026".to_owned())] {
        all.push(field(true, FieldTest::Compare { op: NumberOp::LessThanEquals, value: scalar.clone() }));
        all.push(field(false, FieldTest::Between { low: scalar.clone(), high: scalar }));
    }
    all.extend([true, false].map(|every| Condition::Tags {
        field: "dc.subject".to_owned(),
        values: vec!["a".to_owned(), "b".to_owned()],
        all: every,
    }));
    all
}

fn searches() -> Vec<Search> {
    let mut all: Vec<Search> = conditions().into_iter().map(|condition| search(vec![condition])).collect();
    all.push(search(conditions()));
    let sub_types = vec!["spin".to_owned()];
    for strict_sub_types in [false, true] {
        all.push(Search {
            folder: "a".to_owned(),
            include_subfolders: strict_sub_types,
            publish_state: Some(PublishState::MarkedForPublish),
            types: Some(vec![AssetType::Image]),
            excluded_types: vec![AssetType::Pdf],
            sub_types: sub_types.clone(),
            strict_sub_types,
            descending: true,
            ..search(Vec::new())
        });
    }
    for sort in [Sort::Created, Sort::Modified, Sort::AssetType, Sort::FileSize] {
        all.push(Search { sort, publish_state: Some(PublishState::NotMarkedForPublish), ..search(Vec::new()) });
    }
    all
}

/// Each order of each choice of runs.
fn lists() -> Vec<RunFilter> {
    use RunOrder::{AccountId as Account, CompanyName, Email, Errors, JobName, Kind, Number, StartDate, Successes};
    let mut all = Vec::new();
    for order in [StartDate, Number, JobName, Kind, CompanyName, Account, Email, Errors, Successes] {
        for companies in [None, Some(Vec::new()), Some(vec![COMPANY]), Some(vec![COMPANY, CompanyId(2)])] {
            for account in [None, Some(AccountId(1))] {
                for (from, until) in [(None, None), (Some(0), None), (None, Some(0)), (Some(0), Some(0))] {
                    let at = |millis: Option<i64>| millis.and_then(DateTime::from_timestamp_millis);
                    let companies = companies.clone();
                    let filter = RunFilter {
                        companies,
                        account,
                        from: at(from),
                        until: at(until),
                        order,
                        ..RunFilter::default()
                    };
                    all.push(RunFilter { descending: true, limit: Some(37), ..filter.clone() });
                    all.push(filter);
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn what_is_put_together_is_read_by_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Options::new(folder.path().join("test.db"), Tz::UTC)).await.unwrap();
    for search in searches() {
        recorder::call(TEST, "search", store.search_assets(COMPANY, &search)).await.unwrap();
    }
    for list in lists() {
        recorder::call(TEST, "list", store.run_numbers(&list)).await.unwrap();
    }
    recorder::call(TEST, "assets", store.assets(COMPANY, &[AssetId(1)])).await.unwrap();
    recorder::call(TEST, "names", store.assets_named(COMPANY, &["a".to_owned()])).await.unwrap();
    recorder::call(TEST, "cleanup", store.unnamed_blobs(&["a".to_owned()])).await.unwrap();
    recorder::call(TEST, "numbers", store.highest_numbers()).await.unwrap();
    recorder::call(TEST, "schedules", store.scheduled_jobs(Some(&[COMPANY]), Some("a"))).await.unwrap();
    recorder::call(TEST, "schedules", store.scheduled_jobs(None, None)).await.unwrap();
    recorder::call(TEST, "schedules", store.scheduled_numbers(Some(&[COMPANY]), None)).await.unwrap();
    recorder::call(TEST, "schedules", store.ended_schedule(COMPANY, "a")).await.unwrap();
    let of_run = RunFilter { parent: Some(InstanceId(1)), ..RunFilter::default() };
    recorder::call(TEST, "follow-ups", store.runs(&of_run)).await.unwrap();
    let written = recorder::recorded(TEST).written;
    assert!(written.len() > 150, "{} statements", written.len());
    assert_read_by_postgresql(TEST, written);
    store.close().await;
}
