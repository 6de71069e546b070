//! Lists of runs: whatever way they are found, they are what a plain question over all tables gives.

use std::fmt::Write;

use chrono::DateTime;
use chrono_tz::Tz;
use prepress::model::id::{AccountId, CompanyId};
use prepress::store::Store;
use prepress::store::jobs::query::{RunFilter, RunOrder};

use crate::support::{Database, options};

const ORDERS: [(RunOrder, &[&str]); 9] = [
    (RunOrder::StartDate, &["coalesce(i.started_at, i.created_at)"]),
    (RunOrder::Number, &[]),
    (RunOrder::JobName, &["j.name"]),
    (RunOrder::Kind, &["j.kind"]),
    (RunOrder::CompanyName, &["c.name"]),
    (RunOrder::AccountId, &["j.account_id", "j.id"]),
    (RunOrder::Email, &["a.email", "j.id"]),
    (RunOrder::Errors, &["i.error_count"]),
    (RunOrder::Successes, &["i.success_count"]),
];

/// The same list, asked for without any art.
fn plain(filter: &RunFilter, columns: &[&str]) -> String {
    let mut sql = "SELECT i.id FROM instance i JOIN job j ON j.id = i.job_id JOIN account a ON a.id = j.account_id
                   JOIN company c ON c.id = j.company_id WHERE true"
        .to_owned();
    if let Some(companies) = &filter.companies {
        let ids: Vec<String> = companies.iter().map(|company| company.0.to_string()).collect();
        write!(sql, " AND j.company_id IN ({})", ids.join(", ")).unwrap();
    }
    if let Some(account) = filter.account {
        write!(sql, " AND {account} IN (j.account_id, j.submitter_id)").unwrap();
    }
    for (bound, sign) in [(filter.from, ">="), (filter.until, "<=")] {
        if let Some(bound) = bound {
            write!(sql, " AND coalesce(i.started_at, i.created_at) {sign} {}", bound.timestamp_millis()).unwrap();
        }
    }
    let direction = if filter.descending { "DESC" } else { "ASC" };
    let columns: Vec<String> = columns.iter().chain(&["i.id"]).map(|column| format!("{column} {direction}")).collect();
    write!(sql, " ORDER BY {} LIMIT {}", columns.join(", "), filter.limit.unwrap()).unwrap();
    sql
}

#[tokio::test]
async fn each_order_of_each_choice_is_the_plain_one() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(options(folder.path(), Tz::UTC)).await.unwrap().close().await;
    Database::fill(folder.path(), 6_000, 0).await;
    let database = Database::of(folder.path()).await;
    // One user is responsible for most of it.
    for sql in [
        "UPDATE job SET account_id = 3 WHERE id % 2 = 0",
        "UPDATE instance SET (account_id, submitter_id) =
                 (SELECT j.account_id, nullif(j.submitter_id, j.account_id) FROM job j WHERE j.id = job_id)",
    ] {
        database.execute(sql).await;
    }
    let store = Store::open(options(folder.path(), Tz::UTC)).await.unwrap();
    let at = |millis: i64| DateTime::from_timestamp_millis(millis);
    let companies = [None, Some(vec![CompanyId(1)]), Some(vec![CompanyId(2), CompanyId(4)]), Some(Vec::new())];
    let spans = [
        (None, None),
        (at(1_500_010_000_000), None),
        (at(1_500_010_000_000), at(1_500_011_000_000)),
        (None, at(1_500_040_000_000)),
        (at(1_500_005_000_000), at(1_500_050_000_000)),
    ];
    let mut found = 0;
    for (order, columns) in ORDERS {
        for companies in &companies {
            for account in [None, Some(AccountId(3)), Some(AccountId(8)), Some(AccountId(4711))] {
                for (from, until) in spans {
                    for descending in [false, true] {
                        let companies = companies.clone();
                        let filter = RunFilter {
                            companies,
                            account,
                            from,
                            until,
                            order,
                            descending,
                            limit: Some(37),
                            ..RunFilter::default()
                        };
                        let expected = database.numbers(&plain(&filter, columns)).await;
                        let numbers = store.run_numbers(&filter).await.unwrap();
                        assert_eq!(numbers.iter().map(|id| id.0).collect::<Vec<_>>(), expected, "{filter:?}");
                        found += numbers.len();
                    }
                }
            }
        }
    }
    assert!(found > 5_000, "the lists hold something: {found}");
    store.close().await;
}
