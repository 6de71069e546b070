//! Statements, and what is bound to them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{Display, Write};
use std::marker::PhantomData;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow};

use super::fragments::{self, Column, Expanded};
use super::sqlite::{Arguments, Connection, Database, Done, Error, Row, Sqlite};
use super::{Add, Bindable};

/// A statement: numbered parameters (`$1`), and the words of [`fragments`].
pub fn query(text: impl Into<Cow<'static, str>>) -> Query<Rows> {
    Query::new(text.into(), Ok(Arguments::default()))
}

/// A statement whose rows have one column.
pub fn scalar<T>(text: impl Into<Cow<'static, str>>) -> Query<Scalars<T>> {
    Query::new(text.into(), Ok(Arguments::default()))
}

/// A statement whose rows are tuples of their columns.
pub fn tuple<T>(text: impl Into<Cow<'static, str>>) -> Query<Tuples<T>> {
    Query::new(text.into(), Ok(Arguments::default()))
}

/// What rows of a statement are read as.
pub trait Shape {
    type Of;

    fn of(row: Row) -> Result<Self::Of, Error>;
}

pub struct Rows;

pub struct Scalars<T>(PhantomData<fn() -> T>);

pub struct Tuples<T>(PhantomData<fn() -> T>);

impl Shape for Rows {
    type Of = Row;

    fn of(row: Row) -> Result<Row, Error> {
        Ok(row)
    }
}

impl<T> Shape for Scalars<T>
where
    (T,): for<'r> FromRow<'r, Row>,
{
    type Of = T;

    fn of(row: Row) -> Result<T, Error> {
        FromRow::from_row(&row).map(|(value,)| value)
    }
}

impl<T> Shape for Tuples<T>
where
    T: for<'r> FromRow<'r, Row>,
{
    type Of = T;

    fn of(row: Row) -> Result<T, Error> {
        FromRow::from_row(&row)
    }
}

/// A statement with its arguments, whose rows are read as `S`.
pub struct Query<S = Rows> {
    statement: Result<Statement, Error>,
    arguments: Result<Arguments, Error>,
    shape: PhantomData<fn() -> S>,
}

impl<S> Query<S> {
    fn new(text: Cow<'static, str>, arguments: Result<Arguments, Error>) -> Self {
        tracing::trace!(text = &*text, "statement");
        Self { statement: Statement::of(text), arguments, shape: PhantomData }
    }

    /// The next argument: the first is `$1`.
    pub fn bind<'t>(mut self, value: impl Bindable<'t>) -> Self {
        add(&mut self.arguments, value);
        self
    }

    /// The next argument is a list of numbers (`ids($1)`) or of texts (`texts($1)`).
    pub fn list<T: Serialize>(mut self, list: &[T]) -> Self {
        add_list(&mut self.arguments, list);
        self
    }

    /// As [`Self::list`], of a list that may be missing: then the argument is NULL.
    pub fn list_or_null<T: Serialize>(self, list: Option<&[T]>) -> Self {
        match list {
            Some(list) => self.list(list),
            None => self.bind(None::<String>),
        }
    }

    /// The next argument is a list of rows (`rows($1: …)`), of the columns that the statement names.
    pub fn rows<R: Columns>(mut self, rows: &[R]) -> Self {
        if let (Ok(statement), Ok(arguments)) = (&self.statement, &self.arguments) {
            let parameter = arguments.len() + 1;
            if !statement.has_rows(parameter, R::NAMES) {
                let wrong = format!("rows of {:?} are no ${parameter} of: {}", R::NAMES, statement.text);
                self.arguments = Err(Error::Protocol(wrong));
            }
        }
        self.list(rows)
    }

    fn bound(self) -> Result<sqlx::query::Query<'static, Database, Arguments>, Error> {
        // What is not part of the program is bound, not written into a statement.
        Ok(sqlx::query_with(AssertSqlSafe(self.statement?.text), self.arguments?))
    }

    pub async fn execute(self, connection: &mut Connection) -> Result<Done, Error> {
        self.bound()?.execute(connection).await
    }
}

impl<S: Shape> Query<S> {
    pub async fn fetch_all(self, connection: &mut Connection) -> Result<Vec<S::Of>, Error> {
        self.bound()?.fetch_all(connection).await?.into_iter().map(S::of).collect()
    }

    pub async fn fetch_one(self, connection: &mut Connection) -> Result<S::Of, Error> {
        S::of(self.bound()?.fetch_one(connection).await?)
    }

    pub async fn fetch_optional(self, connection: &mut Connection) -> Result<Option<S::Of>, Error> {
        self.bound()?.fetch_optional(connection).await?.map(S::of).transpose()
    }
}

fn add<'t>(arguments: &mut Result<Arguments, Error>, value: impl Bindable<'t>) {
    if let Ok(held) = arguments
        && let Err(error) = Add::add(held, value)
    {
        *arguments = Err(Error::Encode(error));
    }
}

fn add_list<T: Serialize>(arguments: &mut Result<Arguments, Error>, list: &[T]) {
    match serde_json::to_string(list) {
        Ok(list) => add(arguments, list),
        Err(error) => *arguments = Err(Error::Encode(error.into())),
    }
}

/// A row that is bound together with others: what its columns are called, in the order in which they are serialised.
pub trait Columns: Serialize {
    const NAMES: &'static [&'static str];
}

/// Declares a struct that is [`Columns`] of its fields.
macro_rules! columns {
    ($(#[$about:meta])* struct $name:ident $(<$life:lifetime>)? { $($(#[$said:meta])* $column:ident: $of:ty),+ $(,)? }) => {
        $(#[$about])*
        struct $name $(<$life>)? { $($(#[$said])* $column: $of),+ }

        impl $(<$life>)? $crate::store::sql::Columns for $name $(<$life>)? {
            const NAMES: &'static [&'static str] = &[$(stringify!($column)),+];
        }

        impl $(<$life>)? ::serde::Serialize for $name $(<$life>)? {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeTuple;

                let mut row = serializer.serialize_tuple(<Self as $crate::store::sql::Columns>::NAMES.len())?;
                $(row.serialize_element(&self.$column)?;)+
                row.end()
            }
        }
    };
}
pub(in crate::store) use columns;

/// A statement in the words of the database.
#[derive(Clone)]
struct Statement {
    text: Arc<str>,
    rows: Arc<[(usize, Vec<Column>)]>,
}

/// Those of the program's own text, which are expanded once, by where the text lies.
static KNOWN: LazyLock<RwLock<HashMap<(usize, usize), Statement>>> = LazyLock::new(RwLock::default);

impl Statement {
    fn of(text: Cow<'static, str>) -> Result<Self, Error> {
        let Cow::Borrowed(text) = text else { return Self::expanded(&text) };
        let place = (text.as_ptr().addr(), text.len());
        if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(known.clone());
        }
        let statement = Self::expanded(text)?;
        KNOWN.write().unwrap_or_else(PoisonError::into_inner).insert(place, statement.clone());
        Ok(statement)
    }

    fn expanded(text: &str) -> Result<Self, Error> {
        let Expanded { sql, rows } =
            fragments::expand(text, &Sqlite).map_err(|wrong| Error::Protocol(format!("{wrong}: {text}")))?;
        Ok(Self { text: sql.into(), rows: rows.into() })
    }

    /// Whether each list of rows that is bound as this parameter has these columns, or the first of them.
    fn has_rows(&self, parameter: usize, names: &[&str]) -> bool {
        let mut lists = self.rows.iter().filter(|(of, _)| *of == parameter).peekable();
        let is_of = |columns: &[Column]| {
            columns.len() <= names.len() && columns.iter().zip(names).all(|(column, name)| column.name == *name)
        };
        lists.peek().is_some() && lists.all(|(_, columns)| is_of(columns))
    }
}

/// A statement that is put together.
pub struct Builder {
    text: String,
    arguments: Result<Arguments, Error>,
}

impl Builder {
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), arguments: Ok(Arguments::default()) }
    }

    pub fn push(&mut self, text: impl Display) -> &mut Self {
        // Text takes all that is written to it.
        let _ = write!(self.text, "{text}");
        self
    }

    /// A parameter.
    pub fn push_bind<'t>(&mut self, value: impl Bindable<'t>) -> &mut Self {
        add(&mut self.arguments, value);
        self.push_parameter()
    }

    /// A parameter that is a list, for `ids(…)` and `texts(…)`.
    pub fn push_list<T: Serialize>(&mut self, list: &[T]) -> &mut Self {
        add_list(&mut self.arguments, list);
        self.push_parameter()
    }

    fn push_parameter(&mut self) -> &mut Self {
        let number = self.arguments.as_ref().map_or(0, Add::len);
        self.push("$").push(number)
    }

    pub fn build(self) -> Query<Rows> {
        Query::new(self.text.into(), self.arguments)
    }

    /// The rows have one column.
    pub fn build_scalar<T>(self) -> Query<Scalars<T>> {
        Query::new(self.text.into(), self.arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    columns! {
        struct Pair { a: i64, b: &'static str }
    }

    async fn connection() -> Connection {
        <Connection as sqlx::Connection>::connect("sqlite::memory:").await.unwrap()
    }

    #[tokio::test]
    async fn rows_are_bound_by_the_names_of_their_columns() {
        let mut connection = connection().await;
        let pairs = [Pair { a: 7, b: "x" }, Pair { a: 8, b: "y" }];
        let read: Vec<(i64, String, i64)> =
            tuple("SELECT p.a, p.b, p.n FROM rows($2: a int, b text) p WHERE p.a > $1 ORDER BY p.n DESC")
                .bind(0)
                .rows(&pairs)
                .fetch_all(&mut connection)
                .await
                .unwrap();
        assert_eq!(read, [(8, "y".to_owned(), 1), (7, "x".to_owned(), 0)]);
        let first: Vec<i64> =
            scalar("SELECT p.a FROM rows($1: a int) p").rows(&pairs).fetch_all(&mut connection).await.unwrap();
        assert_eq!(first, [7, 8]);
        for text in [
            "SELECT p.b FROM rows($1: b text, a int) p",
            "SELECT p.a FROM rows($1: a int, b text, c int) p",
            "SELECT $1",
        ] {
            let refused = query(text).rows(&pairs).fetch_all(&mut connection).await.err();
            assert!(refused.is_some_and(|error| error.to_string().contains("rows of [\"a\", \"b\"]")), "{text}");
        }
    }

    #[tokio::test]
    async fn lists_and_statements_that_are_put_together_are_bound_in_order() {
        let mut connection = connection().await;
        let mut builder = Builder::new("SELECT count(*) FROM ids(");
        builder.push_list(&[1, 2, 3]).push(") i WHERE i.id > ").push_bind(1).push(" AND 'x' IN texts(");
        builder.push_list(&["x"]).push(")");
        let count: i64 = builder.build_scalar().fetch_one(&mut connection).await.unwrap();
        assert_eq!(count, 2);
        let none: Option<i64> = scalar("SELECT i.id FROM ids($1) i WHERE i.id > 3")
            .list(&[1, 2, 3])
            .fetch_optional(&mut connection)
            .await
            .unwrap();
        assert_eq!(none, None);
        let broken = query("SELECT 1 FROM ids($1)").fetch_all(&mut connection).await.err().unwrap();
        assert!(broken.to_string().contains("ids($1) has no name"), "{broken}");
    }
}
