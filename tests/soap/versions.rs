//! What the versions before 2013 say and understand.

use prepress::contract::{Contract, Field, FieldType, Scalar, Structure, Version};
use prepress::model::role::Role;
use prepress::transport::soap::operations;

use crate::server::{Answer, Server};
use crate::{ADA, NEWEST, OLDEST};

const BOB: &str = "bob@acme.example";

async fn server() -> Server {
    let server = Server::start().await;
    server.company("Acme", 47).await;
    server.user(ADA, "Acme", Role::IpsCompanyAdmin).await;
    server.asset(47, "", "shoe").await;
    server
}

async fn call(server: &Server, user: &str, version: Version, operation: &str, fields: &str) -> Answer {
    let namespace = version.namespace();
    server.soap(user, &format!("<{operation}Param xmlns=\"{namespace}\">{fields}</{operation}Param>")).await
}

fn field<'a>(answer: &'a Answer, name: &str) -> &'a str {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let rest = answer.text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {}", answer.text)).1;
    rest.split_once(&format!("</{name}>")).unwrap().0
}

/// Versions since 4.0.
fn dated() -> impl Iterator<Item = Version> {
    Contract::get().versions().filter(|version| !version.is_legacy())
}

#[tokio::test(flavor = "multi_thread")]
async fn property_sets_are_whole_in_every_version() {
    let server = server().await;
    let newest = Version::newest_documented();
    let who = format!("u|{}|{ADA}", server.store().account_with_email(ADA).await.unwrap().unwrap().id);
    let made = "<companyHandle>c|47</companyHandle><name>Adobe.UserProperty</name><propertyType>UserProperty</propertyType>\
                <allowMultiple>false</allowMultiple>";
    let made = call(&server, ADA, newest, "createPropertySetType", made).await;
    let set_type = field(&made, "typeHandle");
    let properties = "<propertyArray><items><name>colour</name><value>red</value></items></propertyArray>";
    let owned = format!("<typeHandle>{set_type}</typeHandle><primaryOwnerHandle>{who}</primaryOwnerHandle>");
    let set = call(&server, ADA, newest, "createPropertySet", &format!("{owned}{properties}")).await;
    let set = field(&set, "setHandle");
    for version in dated() {
        let found = call(&server, ADA, version, "getPropertySets", &owned).await;
        let expected = format!(
            "<getPropertySetsReturn xmlns=\"{}\"><setArray><items><setHandle>{set}</setHandle>\
             <typeHandle>{set_type}</typeHandle>{properties}</items></setArray></getPropertySetsReturn>",
            version.namespace()
        );
        assert_eq!(found.payload(), expected, "{version}");
        // The reference's own example names no company.
        let named = call(&server, ADA, version, "getPropertySetType", "<name>Adobe.UserProperty</name>").await;
        assert_eq!(field(&named, "typeHandle"), set_type, "{version}");
    }
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_found_by_its_name_in_the_companies_of_the_caller() {
    let server = server().await;
    server.company("Other", 48).await;
    server.user(BOB, "Other", Role::IpsCompanyAdmin).await;
    let newest = Version::newest_documented();
    let make = async |user: &str, company: &str, name: &str| {
        let fields = format!(
            "<companyHandle>{company}</companyHandle><name>{name}</name><propertyType>CompanyProperty</propertyType>\
             <allowMultiple>true</allowMultiple>"
        );
        field(&call(&server, user, newest, "createPropertySetType", &fields).await, "typeHandle").to_owned()
    };
    let find = async |user: &str, fields: &str| call(&server, user, newest, "getPropertySetType", fields).await;
    let (mine, theirs) = (make(ADA, "c|47", "Season").await, make(BOB, "c|48", "Season").await);
    let only = make(BOB, "c|48", "Only").await;
    assert_eq!(field(&find(ADA, "<name>Season</name>").await, "typeHandle"), mine);
    assert_eq!(field(&find(BOB, "<name>Season</name>").await, "typeHandle"), theirs);
    for unknown in ["<name>Only</name>", "<companyHandle>c|47</companyHandle><name>Only</name>", "<name>Never</name>"] {
        let answer = find(ADA, unknown).await;
        assert_eq!(answer.fault_code(), Some(30000), "{unknown}: {}", answer.text);
    }
    // Who is in both companies says which is meant, unless there is only one.
    server.user(ADA, "Other", Role::IpsUser).await;
    let unclear = find(ADA, "<name>Season</name>").await;
    assert_eq!(unclear.fault_code(), Some(30002), "{}", unclear.text);
    assert!(unclear.reason().contains("companyHandle") && unclear.reason().contains("c|48"), "{}", unclear.reason());
    assert_eq!(field(&find(ADA, "<companyHandle>c|48</companyHandle><name>Season</name>").await, "typeHandle"), theirs);
    assert_eq!(field(&find(ADA, "<name>Only</name>").await, "typeHandle"), only);
    assert_eq!(field(&find(ADA, "<name>SetScript</name>").await, "propertyType"), "CompanyProperty", "the global one");
    server.shut_down().await;
}

/// What a client generated from the WSDL of a version can say is enough, and what it submitted it sees again.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_old_versions_say_all_that_is_asked_for_and_are_shown() {
    let server = server().await;
    let shoe = "<assetHandleArray><items>a|1|1|1</items></assetHandleArray>";
    let elements = [
        ("optimizeImagesJob", "<emailSetting>None</emailSetting>".to_owned()),
        (
            "reprocessAssetsJob",
            format!(
                "{shoe}<readyForPublish>true</readyForPublish><createMask>false</createMask><emailSetting>None</emailSetting>"
            ),
        ),
        (
            "uploadDirectoryJob",
            "<serverDir>in</serverDir><overwrite>true</overwrite><readyForPublish>true</readyForPublish>\
             <includeSubfolders>true</includeSubfolders><createMask>false</createMask>\
             <processMetadataFiles>true</processMetadataFiles><emailSetting>None</emailSetting>"
                .to_owned(),
        ),
    ];
    for version in dated() {
        let wsdl = server.client().get(server.url(&format!("/scene7/webservice/{}", version.wsdl_file())));
        let wsdl = wsdl.send().await.unwrap().text().await.unwrap();
        for (element, content) in &elements {
            let mut type_name = (*element).to_owned();
            type_name[..1].make_ascii_uppercase();
            let declared = wsdl.split_once(&format!("complexType name=\"{type_name}\"")).unwrap().1;
            let declared = declared.split_once("complexType>").unwrap().0;
            for name in content.split('<').filter_map(|rest| rest.split_once('>')).map(|(name, _)| name) {
                if !name.starts_with('/') && name != "items" {
                    // readyForPublish of reprocessAssetsJob came with 4.2; it is understood before all the same.
                    let is_younger = *element == "reprocessAssetsJob" && name == "readyForPublish";
                    let is_declared = declared.contains(&format!("name=\"{name}\""));
                    assert!(is_declared || is_younger, "{version}: {type_name} has no {name}: {declared}");
                }
            }
            let fields = format!(
                "<companyHandle>c|47</companyHandle><jobName>{element} {version}</jobName>\
                 <execTime>2098-01-01T00:00:00Z</execTime><{element}>{content}</{element}>"
            );
            let submitted = call(&server, ADA, version, "submitJob", &fields).await;
            assert_eq!(field(&submitted, "jobHandle"), format!("j|47|{element} {version}||"));
            let fields = format!("<companyHandle>c|47</companyHandle><originalName>{element} {version}</originalName>");
            let shown = call(&server, ADA, version, "getScheduledJobs", &fields).await;
            assert!(field(&shown, element).contains("<emailSetting>None</emailSetting>"), "{version}: {}", shown.text);
        }
    }
    server.shut_down().await;
}

/// Each operation is in the WSDL of the version in which the reference shows it.
#[test]
fn operations_are_as_old_as_their_examples() {
    for (since, operations) in [
        (
            "2008-01-15",
            "createPropertySet createPropertySetType deletePropertySet deletePropertySetType getPropertySets \
             getPropertySetType getPropertySetTypes updatePropertySet getAssetJobLogs",
        ),
        ("2008-09-10", "getSystemProperties"),
        ("2011-11-04", "getPublishContexts batchGetAssetPublishContexts setAssetsContextState"),
        ("2013-08-29-beta", "deleteAssetMetadata"),
    ] {
        for operation in operations.split_whitespace() {
            let range = &Contract::get().operation(operation).unwrap().range;
            assert!(range.contains(Version::from_date(since).unwrap()), "{operation} in {since}");
            assert!(!range.contains(Version::from_namespace(OLDEST).unwrap()), "{operation} before 4.0");
            assert!(range.contains(Version::from_namespace(NEWEST).unwrap()), "{operation}");
        }
    }
}

/// The least that the WSDL of a version lets a client say of a structure.
fn least(structure: &Structure, version: Version) -> String {
    let element = |field: &Field| format!("<{0}>{1}</{0}>", field.name, value(field, version));
    structure.fields(version).filter(|field| field.occurs.is_required()).map(element).collect()
}

fn value(field: &Field, version: Version) -> String {
    match field.kind {
        FieldType::Structure(_) => field.kind.structure().map(|inner| least(inner, version)).unwrap_or_default(),
        FieldType::Scalar(Scalar::String) if field.name == "companyHandle" => "c|47".to_owned(),
        FieldType::Scalar(Scalar::String | Scalar::Base64) => "x".to_owned(),
        FieldType::Scalar(Scalar::Int | Scalar::Long | Scalar::Float | Scalar::Double) => "1".to_owned(),
        FieldType::Scalar(Scalar::Boolean) => "false".to_owned(),
        FieldType::Scalar(Scalar::DateTime) => "2098-01-01T00:00:00Z".to_owned(),
    }
}

/// Whatever is wrong with values like these, no field may be asked for that a version does not have.
#[tokio::test(flavor = "multi_thread")]
async fn no_operation_asks_for_what_a_version_does_not_have() {
    let server = server().await;
    let versions = ["2008-01-15", "2010-01-31", "2012-07-31"].map(|date| Version::from_date(date).unwrap());
    for version in versions.into_iter().chain([Version::unversioned()]) {
        let contract = Contract::get();
        let has = |name: &&&str| contract.operation(name).is_some_and(|operation| operation.range.contains(version));
        for name in operations::NAMES.iter().filter(has) {
            let operation = contract.operation(name).unwrap();
            let asked = least(&operation.param, version);
            let jobs = operation.param.fields(version).filter(|field| field.name.ends_with("Job"));
            let elements = jobs.map(|job| format!("<{0}>{1}</{0}>", job.name, value(job, version)));
            let elements: Vec<String> = elements.collect();
            let requests = if elements.is_empty() { vec![String::new()] } else { elements };
            for request in requests {
                let answer = call(&server, ADA, version, name, &format!("{asked}{request}")).await;
                let is_lacking = answer.reason().contains("missing field");
                assert!(!is_lacking, "{name} in {version}, {asked}{request}: {}", answer.reason());
            }
        }
    }
    server.shut_down().await;
}
