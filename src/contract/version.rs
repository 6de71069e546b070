//! Versions of the API: the namespace of a request names one, and the reply is written in the same.

use std::fmt;

use chrono::NaiveDate;

use super::Contract;

/// The namespace of the versions before 4.0, and of fault elements in every version.
pub const UNVERSIONED_NAMESPACE: &str = "http://www.scene7.com/IpsApi/xsd";

/// A published state of the schema. Ordered by age: the unversioned one is the oldest, a beta precedes its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Edition {
    date: Option<NaiveDate>,
    release: bool,
}

impl Edition {
    pub(super) const UNVERSIONED: Edition = Edition { date: None, release: true };

    /// Reads `-`, `2014-04-03` or `2016-01-14-beta`.
    pub(super) fn parse(name: &str) -> Option<Edition> {
        if name == "-" {
            return Some(Edition::UNVERSIONED);
        }
        let (date, release) = match name.strip_suffix("-beta") {
            Some(date) => (date, false),
            None => (name, true),
        };
        // chrono also reads `2014-4-3`, which is no namespace of this family.
        if date.len() != 10 || !date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            return None;
        }
        let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
        Some(Edition { date: Some(date), release })
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.date {
            None => f.write_str("-"),
            Some(date) => write!(f, "{}{}", date.format("%Y-%m-%d"), if self.release { "" } else { "-beta" }),
        }
    }
}

/// The version a caller speaks: the schema that holds for it, and the namespace it is named by.
///
/// The two differ for a date that is not in the table; such a caller gets the newest schema not later than its date,
/// written in exactly its own namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    schema: Edition,
    named: Edition,
}

impl Version {
    pub(super) fn known(edition: Edition) -> Version {
        Version { schema: edition, named: edition }
    }

    /// The version before 4.0, which has no date.
    pub fn unversioned() -> Version {
        Version::known(Edition::UNVERSIONED)
    }

    /// The newest version in the public reference: what a caller gets who names none.
    pub fn newest_documented() -> Version {
        Contract::get().documented_versions().next_back().unwrap_or_else(Version::unversioned)
    }

    /// `None` for a namespace that is not of this API.
    pub fn from_namespace(namespace: &str) -> Option<Version> {
        match namespace.strip_prefix(UNVERSIONED_NAMESPACE)? {
            "" => Some(Version::unversioned()),
            rest => Version::from_date(rest.strip_prefix('/')?),
        }
    }

    /// Reads the `2014-04-03` or `2016-01-14-beta` of a namespace or a WSDL name.
    pub fn from_date(date: &str) -> Option<Version> {
        let named = Edition::parse(date).filter(|edition| edition.date.is_some())?;
        let mut dated = Contract::get().versions().filter(|version| !version.is_legacy());
        let oldest = dated.next()?;
        let schema = dated.take_while(|version| version.schema <= named).last().unwrap_or(oldest).schema;
        Some(Version { schema, named })
    }

    /// True for the unversioned namespace, whose handles have the shape of before 4.0.
    pub fn is_legacy(self) -> bool {
        self.named == Edition::UNVERSIONED
    }

    /// True if the table has this very version, not only an older one that stands in for it.
    pub fn is_known(self) -> bool {
        self.schema == self.named
    }

    /// The known version whose schema holds.
    pub fn schema(self) -> Version {
        Version::known(self.schema)
    }

    /// The namespace of the caller's elements, and so of the reply's.
    pub fn namespace(self) -> String {
        if self.is_legacy() {
            UNVERSIONED_NAMESPACE.to_owned()
        } else {
            format!("{UNVERSIONED_NAMESPACE}/{}", self.named)
        }
    }

    /// `IpsApi.wsdl` or `IpsApi-2014-04-03.wsdl`.
    pub fn wsdl_file(self) -> String {
        if self.is_legacy() { "IpsApi.wsdl".to_owned() } else { format!("IpsApi-{}.wsdl", self.named) }
    }

    pub(super) fn at_least(self, edition: Edition) -> Version {
        Version { schema: self.schema.max(edition), ..self }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_legacy() { f.write_str("unversioned") } else { self.named.fmt(f) }
    }
}

/// The versions that have something; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub(super) since: Edition,
    pub(super) until: Option<Edition>,
}

impl Range {
    pub(super) const ALL: Range = Range { since: Edition::UNVERSIONED, until: None };

    /// Reads `A..`, `..B`, `A..B` or a single `A`.
    pub(super) fn parse(text: &str) -> Option<Range> {
        let Some((since, until)) = text.split_once("..") else {
            let only = Edition::parse(text)?;
            return Some(Range { since: only, until: Some(only) });
        };
        let since = if since.is_empty() { Edition::UNVERSIONED } else { Edition::parse(since)? };
        let until = if until.is_empty() { None } else { Some(Edition::parse(until)?) };
        Some(Range { since, until })
    }

    pub fn contains(&self, version: Version) -> bool {
        self.since <= version.schema && self.until.is_none_or(|until| version.schema <= until)
    }

    /// True if the range has begun by this version, whether or not it has ended.
    pub fn has_begun(&self, version: Version) -> bool {
        self.since <= version.schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(date: &str) -> Version {
        Version::from_date(date).unwrap_or_else(|| panic!("{date} is a date"))
    }

    #[test]
    fn namespaces_name_versions_in_order() {
        let unversioned = Version::from_namespace(UNVERSIONED_NAMESPACE).unwrap();
        assert!(unversioned.is_legacy());
        assert!(unversioned < version("2008-01-15"));
        assert!(version("2011-11-04-beta") < version("2011-11-04"));
        assert!(version("2013-02-15") < version("2014-04-03"));
        assert_eq!(version("2014-04-03").namespace(), "http://www.scene7.com/IpsApi/xsd/2014-04-03");
        assert_eq!(unversioned.namespace(), UNVERSIONED_NAMESPACE);
        assert_eq!(Version::newest_documented(), version("2014-04-03"));
    }

    #[test]
    fn an_unknown_date_takes_the_schema_before_it_and_keeps_its_name() {
        for (date, schema) in [
            ("2015-06-01", "2014-04-03"),
            ("2014-04-03-beta", "2013-08-29-beta"),
            ("2018-01-01-beta", "2017-10-29-beta"),
            ("2099-12-31", "2023-01-15"),
            ("2005-01-01", "2008-01-15"),
        ] {
            let found = version(date);
            assert_eq!(found.schema(), version(schema), "{date}");
            assert_eq!(found.namespace(), format!("{UNVERSIONED_NAMESPACE}/{date}"));
            assert!(!found.is_legacy() && !found.is_known(), "{date}");
        }
    }

    #[test]
    fn foreign_namespaces_are_no_version() {
        for namespace in [
            "",
            "http://www.scene7.com/IpsApi",
            "http://www.scene7.com/IpsApi/xsd/",
            "http://www.scene7.com/IpsApi/xsd/-",
            "http://www.scene7.com/IpsApi/xsd/latest",
            "http://www.scene7.com/IpsApi/xsd/2014-4-3",
            "http://www.scene7.com/IpsApi/xsd/2014-13-03",
            "http://www.scene7.com/IpsApi/xsd/2014-04-03/",
            "http://www.scene7.com/IpsApi/xsd/2014-04-03-gamma",
            "http://www.scene7.com/IpsApi/xsd2014-04-03",
            "http://example.com/xsd",
        ] {
            assert_eq!(Version::from_namespace(namespace), None, "{namespace}");
        }
    }
}
