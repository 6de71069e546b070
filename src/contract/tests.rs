use std::collections::HashSet;

use super::*;

fn version(date: &str) -> Version {
    Version::from_date(date).unwrap()
}

fn names(structure: &Structure, version: Version) -> Vec<&'static str> {
    structure.fields(version).map(|field| field.name).collect()
}

/// Every structure of the contract, those of operations and headers included.
fn everything() -> impl Iterator<Item = &'static Structure> {
    let contract = Contract::get();
    let operations = contract.operations().iter().flat_map(|operation| [&operation.param, &operation.result]);
    contract.structures().iter().chain(operations).chain(contract.headers().iter().map(|header| &header.fields))
}

#[test]
fn the_table_is_whole() {
    let contract = Contract::get();
    assert_eq!(contract.versions().count(), 20);
    assert_eq!(contract.documented_versions().count(), 8);
    assert_eq!(contract.operations().len(), 186);
    assert_eq!(contract.structures().len(), 262);
    assert_eq!(contract.constant_sets().count(), 55);
    assert!(contract.versions().is_sorted());
    assert_eq!(contract.versions().next(), Some(Version::unversioned()));
}

#[test]
fn no_version_has_a_field_twice() {
    for structure in everything() {
        for version in Contract::get().versions() {
            let names = names(structure, version);
            let unique: HashSet<_> = names.iter().collect();
            assert_eq!(unique.len(), names.len(), "{} in {version}: {names:?}", structure.name);
        }
    }
}

#[test]
fn a_repeated_field_is_alone_in_its_structure() {
    for structure in everything() {
        if structure.rows().iter().any(|row| row.occurs.is_many()) {
            assert!(structure.list_item().is_some(), "{}", structure.name);
        }
    }
}

#[test]
fn every_constant_set_has_values_and_none_twice() {
    for set in Contract::get().constant_sets() {
        let values = Contract::get().constants(set);
        let unique: HashSet<_> = values.iter().collect();
        assert!(!values.is_empty() && unique.len() == values.len(), "{set}");
    }
}

#[test]
fn roles_are_those_of_the_role_set() {
    let known: HashSet<_> = Contract::get().constants("UserRoles").iter().collect();
    for operation in Contract::get().operations() {
        for role in &operation.roles {
            assert!(known.contains(role), "{role} of {}", operation.name);
        }
    }
    assert!(Contract::get().operation("submitJob").unwrap().roles.contains(&"IpsCompanyAdmin"));
}

#[test]
fn versions_have_their_own_operations() {
    let count = |version: Version| {
        Contract::get().operations().iter().filter(|operation| operation.range.contains(version)).count()
    };
    assert_eq!(count(Version::unversioned()), 73);
    let catalog = &Contract::get().operation("getImageServingCatalog").unwrap().range;
    assert!(catalog.contains(version("2013-02-15")) && !catalog.contains(version("2014-04-03")));
    assert!(Contract::get().operation("getUploadTaskStatus").unwrap().range.contains(version("2017-10-29-beta")));
    assert!(Contract::get().operation("noSuchThing").is_none());
}

#[test]
fn submit_job_grows_with_the_versions() {
    let param = &Contract::get().operation("submitJob").unwrap().param;
    assert_eq!(
        names(param, Version::unversioned()),
        [
            "companyHandle",
            "userHandle",
            "jobName",
            "execTime",
            "execSchedule",
            "imageServingPublishJob",
            "imageRenderingPublishJob",
            "videoPublishJob",
            "serverDirectoryPublishJob",
            "uploadDirectoryJob",
            "uploadUrlsJob",
        ]
    );
    assert_eq!(names(param, version("2008-01-15"))[3..6], ["locale", "execTime", "execSchedule"]);
    assert!(!names(param, version("2011-11-04")).contains(&"exportJob"));
    assert!(names(param, version("2012-02-14")).contains(&"exportJob"));
    assert_eq!(names(param, version("2014-04-03")).len(), 20);
}

#[test]
fn a_user_has_a_shape_for_every_age() {
    let user = Contract::get().structure("User").unwrap();
    let newest = ["firstName", "lastName", "email", "imsUserId", "isValid", "isIpsAdmin"];
    assert_eq!(
        names(user, Version::unversioned()),
        ["userHandle", "firstName", "lastName", "email", "role", "isValid", "passwordExpires"]
    );
    assert_eq!(
        names(user, version("2013-02-15")),
        ["userHandle", "firstName", "lastName", "email", "defaultRole", "isValid", "passwordExpires"]
    );
    assert!(user.fields(version("2013-02-15")).find(|field| field.name == "defaultRole").unwrap().occurs.is_required());
    assert_eq!(names(user, version("2014-04-03"))[1..7], newest);
    assert_eq!(names(user, version("2019-09-10-beta")), names(user, version("2014-04-03")));
    assert!(names(user, version("2016-01-14-beta")).contains(&"role"));
    assert_eq!(names(user, version("2023-01-15"))[6..], ["isIpsAdmin", "defaultRole", "role", "passwordExpires"]);
}

#[test]
fn active_jobs_have_a_trigger_time_since_2014() {
    let job = Contract::get().structure("ActiveJob").unwrap();
    let new = names(job, version("2014-04-03"));
    let start = new.iter().position(|name| *name == "startDate").unwrap();
    assert_eq!(new[start + 1], "triggerTime");
    assert!(!names(job, version("2013-02-15")).contains(&"triggerTime"));
    assert!(!names(job, Version::unversioned()).contains(&"description"));
    assert!(names(job, version("2008-01-15")).contains(&"description"));
}

#[test]
fn photoshop_options_were_rebuilt() {
    let options = Contract::get().structure("PhotoshopOptions").unwrap();
    assert_eq!(names(options, Version::unversioned()), ["maintainLayers", "layerNaming", "anchor"]);
    assert_eq!(names(options, version("2009-07-31")).len(), 6);
    assert_eq!(names(options, version("2010-01-31")), ["process", "layerOptions"]);
}

#[test]
fn a_structure_older_than_its_fields_is_as_it_was_founded() {
    let param = &Contract::get().operation("addTagFieldValues").unwrap().param;
    assert_eq!(names(param, version("2010-01-31")), names(param, version("2013-02-15")));
    assert_eq!(names(param, version("2010-01-31")), ["companyHandle", "fieldHandle", "valueArray"]);
}

#[test]
fn fields_of_other_versions_are_understood() {
    let rename = &Contract::get().operation("renameAsset").unwrap().param;
    let understood = rename.understood(version("2010-01-31"));
    assert!(understood.iter().any(|(field, own)| field.name == "renameFiles" && !own));
    assert!(understood.iter().any(|(field, own)| field.name == "newName" && *own));
}

#[test]
fn the_header_became_a_sequence_in_2014() {
    let contract = Contract::get();
    assert!(!contract.header(Version::unversioned()).unwrap().is_sequence);
    assert!(!contract.header(version("2013-02-15")).unwrap().is_sequence);
    let header = contract.header(version("2014-04-03")).unwrap();
    assert!(header.is_sequence);
    assert!(!names(&header.fields, version("2014-04-03")).contains(&"samlResponse"));
    assert!(names(&header.fields, version("2017-10-29-beta")).contains(&"samlResponse"));
    assert!(contract.versions().all(|version| contract.header(version).is_some()));
}

/// The oldest schema that is known exactly is of 2013: what is first seen there may be older, and what an older structure cannot do
/// without is, unless the reference says that it was added.
#[test]
fn what_a_structure_demands_is_as_old_as_it_is() {
    const ADDED: [(&str, &str); 7] = [
        ("User", "defaultRole"),
        ("addUserParam", "defaultRole"),
        ("addUserParam", "membershipArray"),
        ("setUserInfoParam", "defaultRole"),
        ("addCompanyMembershipParam", "membershipArray"),
        ("setCompanyMembershipParam", "membershipArray"),
        ("getCompanyMembersParam", "includeInactive"),
    ];
    let seen = Edition::parse("2013-02-15").unwrap();
    for structure in everything() {
        let founded = structure.rows().iter().map(|row| row.range.since).min().unwrap_or(seen);
        let is_young = |row: &&Field| row.occurs.is_required() && row.range.since == seen && founded < seen;
        for row in structure.rows().iter().filter(is_young) {
            let is_elder = |other: &Field| other.name == row.name && other.range.since < seen;
            let is_known =
                structure.rows().iter().any(is_elder) || ADDED.contains(&(structure.name.as_str(), row.name));
            assert!(is_known, "{} of {} is younger than the rest of it", row.name, structure.name);
        }
    }
}
