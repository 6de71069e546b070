//! Which runs a list holds: their numbers, in the order of the list.
//!
//! Every order has an index that gives the runs of one company in it, so that a list of a hundred costs a hundred steps,
//! however many runs there are. Several companies are asked one by one, each for as many as the list may hold, and what
//! they give is sorted. Conditions that no index of an order knows (a user, a span of time) are looked at while walking
//! the order; where they leave few runs, these are looked up first and sorted instead ([`Route`]). What a user is asked
//! for most, the order of beginning, has an index of users as well.
//!
//! SQLite guesses what is cheap, and without statistics, or with old ones, it guesses wrong. So the statements leave it
//! little to choose: `CROSS JOIN` keeps tables in their order, a subselect is done first, a column behind a `+` is not
//! looked up in an index, and the indexes of whole companies are used only by who says `company_id + 0`. `tests/dialects/plans.rs` asks for the plan of each.

use super::query::{RunFilter, RunOrder};
use crate::model::id::{AccountId, CompanyId, InstanceId};
use crate::model::outcome::Outcome;
use crate::model::state::State;
use crate::store::StoreError;
use crate::store::sql::{Builder, Connection};

/// So many runs are looked up and sorted in a moment.
const FEW: i64 = 2_000;

/// The same of a user, whose runs are looked up in an index alone.
const FEW_OF_USER: i64 = 20_000;

/// What is looked up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// The order of the list, as far as the list goes.
    Order,
    /// The runs of the user: they are few.
    Account,
    /// The runs of the span of time: they are few.
    Span,
}

/// When a run began or, if it has not, was written: what `instance_log` is about.
macro_rules! began {
    ($table:literal) => {
        concat!("coalesce(", $table, ".started_at, ", $table, ".created_at)")
    };
}

impl RunOrder {
    /// The columns of the order in a list of runs `i` with their job `j`, user `a` and company `c`.
    pub(super) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::JobName => &["i.job_name", "i.id"],
            Self::Kind => &["i.kind", "i.id"],
            Self::StartDate => &[began!("i"), "i.id"],
            Self::Number => &["i.id"],
            Self::CompanyName => &["c.name", "i.id"],
            Self::AccountId => &["j.account_id", "j.id", "i.id"],
            Self::Email => &["a.email", "j.id", "i.id"],
            Self::Errors => &["i.error_count", "i.id"],
            Self::Warnings => &["i.warning_count", "i.id"],
            Self::Successes => &["i.success_count", "i.id"],
        }
    }

    /// The same among the runs `w` of one company, with their job `o` and its user `e`.
    const fn within(self) -> &'static [&'static str] {
        match self {
            Self::JobName => &["w.job_name", "w.id"],
            Self::Kind => &["w.kind", "w.id"],
            Self::StartDate => &[began!("w"), "w.id"],
            Self::Number | Self::CompanyName => &["w.id"],
            Self::AccountId => &["o.account_id", "o.id", "w.id"],
            Self::Email => &["e.email", "o.id", "w.id"],
            Self::Errors => &["w.error_count", "w.id"],
            Self::Warnings => &["w.warning_count", "w.id"],
            Self::Successes => &["w.success_count", "w.id"],
        }
    }
}

/// `ORDER BY` these columns, and `LIMIT`.
pub(super) fn ordered(query: &mut Builder, columns: &[&str], filter: &RunFilter) {
    let direction = if filter.descending { " DESC" } else { "" };
    for (index, column) in columns.iter().enumerate() {
        query.push(if index == 0 { " ORDER BY " } else { ", " }).push(column).push(direction);
    }
    if let Some(limit) = filter.limit {
        query.push(" LIMIT ").push_bind(limit);
    }
}

/// Decides by counting, but no further than matters.
pub(super) async fn route(reader: &mut Connection, filter: &RunFilter) -> Result<Route, StoreError> {
    let spans = filter.from.is_some() || filter.until.is_some();
    if spans && filter.order != RunOrder::StartDate && are_few(reader, filter, Route::Span).await? {
        return Ok(Route::Span);
    }
    if filter.account.is_some()
        && filter.order != RunOrder::StartDate
        && are_few(reader, filter, Route::Account).await?
    {
        return Ok(Route::Account);
    }
    Ok(Route::Order)
}

/// The same list, asked for without the runs that are newer than all of the span: who lists the runs up to a time long ago by
/// their numbers would walk through all that came since. Runs wait, and clocks are set back, so that no number follows from a
/// time: the newest of the span is looked up among those of the span.
pub(super) async fn narrowed(
    reader: &mut Connection,
    filter: &RunFilter,
    route: Route,
) -> Result<RunFilter, StoreError> {
    let mut narrowed = filter.clone();
    if route != Route::Order || filter.until.is_none() || filter.order != RunOrder::Number || !filter.descending {
        return Ok(narrowed);
    }
    let mut query = Builder::new("SELECT max(id) FROM (");
    looked_up(&mut query, filter, Route::Span);
    query.push(") of_span");
    let newest: Option<i64> =
        query.build_scalar().fetch_one(reader).await.map_err(StoreError::doing("look for the newest run of a span"))?;
    let behind = InstanceId(newest.unwrap_or(0) + 1);
    narrowed.before = Some(filter.before.map_or(behind, |before| before.min(behind)));
    Ok(narrowed)
}

async fn are_few(reader: &mut Connection, filter: &RunFilter, route: Route) -> Result<bool, StoreError> {
    let mut query = Builder::new("SELECT count(*) FROM (");
    looked_up(&mut query, filter, route);
    let few = if route == Route::Account { FEW_OF_USER } else { FEW };
    query.push(" LIMIT ").push_bind(few + 1).push(") found");
    let found: i64 =
        query.build_scalar().fetch_one(reader).await.map_err(StoreError::doing("see how many runs there are"))?;
    Ok(found <= few)
}

/// Whose runs a subselect is about.
#[derive(Clone, Copy)]
enum Whose {
    One(CompanyId),
    /// Those of the company `c` of the select around it.
    Each,
}

impl Whose {
    fn push(self, query: &mut Builder) {
        match self {
            Self::One(company) => query.push_bind(company.0),
            // Plus nothing, because the indexes are about numbers and not about a column of them.
            Self::Each => query.push("c.id + 0"),
        };
    }
}

/// `IN (…)` these companies.
fn among(query: &mut Builder, companies: Option<&[CompanyId]>) {
    match companies {
        Some(companies) => query.push(" IN ids(").push_list(companies).push(")"),
        None => query.push(" IN (SELECT id + 0 FROM company)"),
    };
}

/// The numbers of the runs, in their order: a select without a `;`.
pub(super) fn push(query: &mut Builder, filter: &RunFilter, route: Route) {
    if let Some(runs) = Known::of(filter, route) {
        return known(query, filter, route, runs);
    }
    match filter.companies.as_deref() {
        Some([company]) => of_company(query, filter, Whose::One(*company)),
        None if walks_all(filter) => {
            query.push("SELECT w.id FROM instance w WHERE true");
            conditions(query, filter, Route::Order);
            ordered(query, filter.order.within(), filter);
        }
        companies => {
            query.push(
                "SELECT i.id FROM company c CROSS JOIN instance i CROSS JOIN job j CROSS JOIN account a
                 WHERE j.id = i.job_id AND a.id = j.account_id AND c.id",
            );
            among(query, companies);
            query.push(" AND i.id IN (");
            of_company(query, filter, Whose::Each);
            query.push(")");
            ordered(query, filter.order.columns(), filter);
        }
    }
}

/// Runs that are found without the order of the list.
enum Known {
    Run(i64),
    OfJob(i64),
    FollowUps(i64),
    /// What is in work: no more than there are slots.
    InWork,
    /// Those of another route than the order.
    Few,
}

impl Known {
    fn of(filter: &RunFilter, route: Route) -> Option<Self> {
        let in_work = |states: &Vec<State>| {
            states.iter().all(|state| matches!(state, State::Running | State::Stopping)) && !states.is_empty()
        };
        if let Some(run) = filter.instance {
            Some(Self::Run(run.0))
        } else if let Some(job) = filter.job {
            Some(Self::OfJob(job.0))
        } else if let Some(parent) = filter.parent {
            Some(Self::FollowUps(parent.0))
        } else if filter.states.as_ref().is_some_and(in_work) {
            Some(Self::InWork)
        } else {
            (route != Route::Order).then_some(Self::Few)
        }
    }
}

fn known(query: &mut Builder, filter: &RunFilter, route: Route, runs: Known) {
    query.push(
        "SELECT w.id FROM instance w CROSS JOIN job o CROSS JOIN account e CROSS JOIN company c
         WHERE o.id = w.job_id AND e.id = o.account_id AND c.id = w.company_id AND w.id IN (",
    );
    match runs {
        Known::Run(id) => {
            query.push_bind(id);
        }
        Known::OfJob(job) => {
            query.push("SELECT n.id FROM instance n WHERE n.job_id = ").push_bind(job);
        }
        Known::FollowUps(parent) => {
            query.push("SELECT n.id FROM job p CROSS JOIN instance n WHERE n.job_id = p.id AND p.parent_id = ");
            query.push_bind(parent);
        }
        Known::InWork => {
            query.push("SELECT n.id FROM instance n WHERE n.state IN ('Running', 'Stopping')");
        }
        Known::Few => looked_up(query, filter, route),
    }
    query.push(")");
    if filter.companies.is_some() {
        query.push(" AND w.company_id");
        among(query, filter.companies.as_deref());
    }
    conditions(query, filter, route);
    let columns = if filter.order == RunOrder::CompanyName { &["c.name", "w.id"][..] } else { filter.order.within() };
    ordered(query, columns, filter);
}

/// Whether the newest runs of all companies are what is asked for, and most of them fit: they come in the order of their
/// numbers without an index.
fn walks_all(filter: &RunFilter) -> bool {
    let rare = are_indexed(filter) || filter.kinds.is_some() || filter.account.is_some();
    filter.order == RunOrder::Number && !rare
}

/// Whether there is an index of what is asked for: of a name, of runs that are not done or have not succeeded.
fn are_indexed(filter: &RunFilter) -> bool {
    let RunFilter { run_name, job_name, outcome, done, states, .. } = filter;
    let open = *done == Some(false) || states.as_ref().is_some_and(|states| !states.contains(&State::Done));
    run_name.is_some() || job_name.is_some() || open || is_unwell(*outcome)
}

const fn is_unwell(outcome: Option<Outcome>) -> bool {
    matches!(outcome, Some(Outcome::Failed | Outcome::Stopped))
}

/// The runs of a company, by the index of their order.
fn of_company(query: &mut Builder, filter: &RunFilter, whose: Whose) {
    if let (Some(account), RunOrder::StartDate) = (filter.account, filter.order) {
        return of_user(query, filter, whose, account);
    }
    query.push(match filter.order {
        RunOrder::Email => {
            "SELECT w.id FROM account e CROSS JOIN job o CROSS JOIN instance w
             WHERE o.account_id = e.id AND w.job_id = o.id AND o.company_id + 0 = "
        }
        RunOrder::AccountId => {
            "SELECT w.id FROM job o CROSS JOIN instance w WHERE w.job_id = o.id AND o.company_id + 0 = "
        }
        RunOrder::JobName | RunOrder::StartDate => "SELECT w.id FROM instance w WHERE w.company_id = ",
        _ if are_indexed(filter) => "SELECT w.id FROM instance w WHERE w.company_id = ",
        // Words that ask for the index of the order.
        _ => "SELECT w.id FROM instance w WHERE w.company_id + 0 = ",
    });
    whose.push(query);
    conditions(query, filter, Route::Order);
    ordered(query, filter.order.within(), filter);
}

/// The runs of a company that a user is responsible for, and those that the user submitted for another: as many as the list
/// may hold of each, in its order.
fn of_user(query: &mut Builder, filter: &RunFilter, whose: Whose, account: AccountId) {
    query.push("SELECT w.id FROM instance w WHERE w.id IN (");
    for (union, user) in OF_USER {
        query.push(union).push("SELECT id FROM (SELECT w.id FROM instance w WHERE w.").push(user);
        query.push_bind(account.0).push(" AND w.company_id = ");
        whose.push(query);
        conditions(query, filter, Route::Account);
        ordered(query, filter.order.within(), filter);
        query.push(") of_user");
    }
    query.push(")");
    ordered(query, filter.order.within(), filter);
}

/// Whose a run is: of the responsible user, or of another who submitted it.
const OF_USER: [(&str, &str); 2] =
    [("", "account_id = "), (" UNION ALL ", "submitter_id IS NOT NULL AND submitter_id = ")];

/// The runs that are looked up first.
fn looked_up(query: &mut Builder, filter: &RunFilter, route: Route) {
    match route {
        Route::Order => {}
        Route::Account => {
            let account = filter.account.map_or(0, |account| account.0);
            for (union, user) in OF_USER {
                query.push(union).push("SELECT n.id FROM instance n WHERE n.").push(user).push_bind(account);
                if filter.companies.is_some() {
                    // Behind a plus, because the user is what is to be looked up.
                    query.push(" AND +n.company_id");
                    among(query, filter.companies.as_deref());
                }
            }
        }
        Route::Span => {
            query.push("SELECT n.id FROM instance n WHERE n.company_id");
            among(query, filter.companies.as_deref());
            if let Some(from) = filter.from {
                query.push(concat!(" AND ", began!("n"), " >= ")).push_bind(from.timestamp_millis());
            }
            if let Some(until) = filter.until {
                query.push(concat!(" AND ", began!("n"), " <= ")).push_bind(until.timestamp_millis());
            }
        }
    }
}

/// Everything that is asked of a run `w` beside its company.
fn conditions(query: &mut Builder, filter: &RunFilter, route: Route) {
    // Named one by one, so that a new field cannot be forgotten here.
    let RunFilter {
        companies: _,
        instance: _,
        run_name,
        job_name,
        job: _,
        parent: _,
        before,
        account,
        done,
        states,
        kinds,
        outcome,
        from,
        until,
        order,
        descending: _,
        limit: _,
    } = filter;
    if let Some(run_name) = run_name {
        query.push(" AND w.run_name = ").push_bind(run_name.clone());
    }
    if let Some(job_name) = job_name {
        query.push(" AND w.job_name = ").push_bind(job_name.clone());
    }
    if let Some(before) = before {
        query.push(" AND w.id < ").push_bind(before.0);
    }
    if let Some(account) = account.filter(|_| route != Route::Account) {
        query.push(" AND ").push_bind(account.0).push(" IN (w.account_id, w.submitter_id)");
    }
    match done {
        Some(true) => query.push(" AND w.state = 'Done'"),
        Some(false) => query.push(" AND w.state <> 'Done'"),
        None => query,
    };
    if let Some(states) = states {
        query.push(" AND w.state IN texts(");
        query.push_list(states).push(")");
        if !states.contains(&State::Done) {
            // The few that are not done have indexes of their own.
            query.push(" AND w.state <> 'Done'");
        }
    }
    match kinds.as_deref() {
        // Of one there is an index.
        Some([kind]) => {
            query.push(" AND w.kind = ").push_bind(kind.element());
        }
        Some(kinds) => {
            query.push(" AND unindexed(w.kind) IN texts(");
            query.push_list(kinds).push(")");
        }
        None => {}
    }
    if let Some(outcome) = outcome {
        query.push(" AND w.outcome = ").push_bind(outcome.as_str());
        if is_unwell(Some(*outcome)) {
            query.push(" AND w.outcome <> 'Succeeded'");
        }
    }
    // Behind a plus no index is looked up for it: the one of the order is the better one.
    let plus = if *order == RunOrder::StartDate { "" } else { "+" };
    for (bound, sign) in [(from, " >= "), (until, " <= ")] {
        if let Some(bound) = bound {
            query.push(" AND ").push(plus).push(began!("w")).push(sign).push_bind(bound.timestamp_millis());
        }
    }
}
