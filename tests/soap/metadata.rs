//! Metadata fields and values, from a client's side.

use prepress::model::role::Role;

use crate::server::{Answer, Server};
use crate::{ADA, NEWEST, OLDEST};

const ACME: &str = "<companyHandle>47</companyHandle>";

/// Who may create fields; others save them.
const ROOT: &str = "root@acme.example";

/// An Acme with an administrator and a picture.
struct Acme {
    server: Server,
    shoe: String,
}

impl Acme {
    async fn open() -> Self {
        let server = Server::start().await;
        server.company("Acme", 47).await;
        server.user(ADA, "Acme", Role::IpsCompanyAdmin).await;
        server.user(ROOT, "Acme", Role::IpsAdmin).await;
        let shoe = server.asset(47, "", "shoe").await;
        Self { server, shoe }
    }

    async fn call_in(&self, namespace: &str, operation: &str, fields: &str) -> Answer {
        let user = if operation == "createMetadataField" { ROOT } else { ADA };
        self.server
            .soap(user, &format!("<{operation}Param xmlns=\"{namespace}\">{ACME}{fields}</{operation}Param>"))
            .await
    }

    async fn call(&self, operation: &str, fields: &str) -> Answer {
        self.call_in(NEWEST, operation, fields).await
    }

    /// The handle of a new field.
    async fn field(&self, asset_type: &str, name: &str, field_type: &str, more: &str) -> String {
        let fields =
            format!("<assetType>{asset_type}</assetType><name>{name}</name><fieldType>{field_type}</fieldType>{more}");
        let answer = self.call("createMetadataField", &fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        between(answer.payload(), "fieldHandle").to_owned()
    }

    async fn set(&self, field: &str, value: &str) -> Answer {
        let update = format!("<items><fieldHandle>{field}</fieldHandle>{value}</items>");
        let asset = &self.shoe;
        self.call("setAssetMetadata", &format!("<assetHandle>{asset}</assetHandle><updateArray>{update}</updateArray>"))
            .await
    }

    /// The metadataArray of the picture.
    async fn metadata(&self) -> String {
        let fields = format!("<assetHandleArray><items>{}</items></assetHandleArray>", self.shoe);
        let answer = self.call("getAssets", &fields).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        between(answer.payload(), "metadataArray").to_owned()
    }
}

fn between<'a>(text: &'a str, element: &str) -> &'a str {
    let rest = text.split_once(&format!("<{element}>")).map_or("", |(_, rest)| rest);
    rest.split_once(&format!("</{element}>")).map_or("", |(inside, _)| inside)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_examples_work() {
    let acme = Acme::open().await;
    let saved = acme
        .call_in(
            OLDEST,
            "saveMetadataField",
            "<assetType>Pdf</assetType><name>Resolution</name><fieldType>String</fieldType><defaultValue>120</defaultValue>",
        )
        .await;
    assert_eq!(
        saved.payload(),
        format!(
            "<saveMetadataFieldReturn xmlns=\"{OLDEST}\"><fieldHandle>47|PDF|Resolution</fieldHandle></saveMetadataFieldReturn>"
        )
    );
    let fields = acme.call_in(OLDEST, "getMetadataFields", "<assetType>Pdf</assetType>").await;
    assert_eq!(
        between(fields.payload(), "items"),
        "<fieldHandle>47|PDF|Resolution</fieldHandle><name>Resolution</name><type>String</type>\
         <defaultValue>120</defaultValue><isRequired>false</isRequired><isUserDefined>true</isUserDefined>"
    );
    let handle = acme.field("Image", "createMetadataField", "String", "<defaultValue>Default</defaultValue>").await;
    assert_eq!(handle, "m|47|IMAGE|createMetadataField");
    let update = format!("<fieldHandle>{handle}</fieldHandle><name>updateMetadataField</name>");
    let updated = acme.call("updateMetadataField", &update).await;
    assert_eq!(between(updated.payload(), "fieldHandle"), "m|47|IMAGE|updateMetadataField", "{}", updated.text);
    let batch = format!(
        "<updateArray><items><assetHandleArray><items>{}</items><items>a|999</items></assetHandleArray><updateArray><items>\
         <fieldHandle>m|47|IMAGE|updateMetadataField</fieldHandle><value>400</value></items></updateArray></items></updateArray>",
        acme.shoe
    );
    let done = acme.call("batchSetAssetMetadata", &batch).await;
    assert!(
        done.payload()
            .contains("<successCount>1</successCount><warningCount>0</warningCount><errorCount>1</errorCount>"),
        "{}",
        done.text
    );
    assert!(
        done.payload().contains("<assetHandle>a|999</assetHandle>") && done.payload().contains("30000"),
        "{}",
        done.text
    );
    let unique = "<fieldHandle>m|47|IMAGE|updateMetadataField</fieldHandle>";
    let unique = acme.call("getUniqueMetadataValues", unique).await;
    assert_eq!(between(unique.payload(), "values"), "<items>400</items>", "{}", unique.text);
    let deleted = acme.call("deleteMetadataField", "<fieldHandle>m|47|IMAGE|updateMetadataField</fieldHandle>").await;
    assert_eq!(deleted.payload(), format!("<deleteMetadataFieldReturn xmlns=\"{NEWEST}\"/>"));
    assert_eq!(acme.metadata().await, "", "the values went with the field");
    let all = acme.call("getAssetMetadataFields", "").await;
    assert!(all.payload().contains("<assetType>Asset</assetType><fieldArray/>"), "{}", all.text);
    assert!(all.payload().contains("<assetType>Pdf</assetType>"), "{}", all.text);
    acme.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_has_its_value() {
    let acme = Acme::open().await;
    let enforced = "<isEnforced>true</isEnforced>";
    // Type, what is sent, what is kept; and what is refused.
    for (field_type, sent, shown, refused) in [
        ("Boolean", "<boolVal>true</boolVal>", "<value>true</value><boolVal>true</boolVal>", "<value>perhaps</value>"),
        ("Int", "<longVal>42</longVal>", "<value>42</value><longVal>42</longVal>", "<value>4.2</value>"),
        ("Float", "<value>2.50</value>", "<value>2.5</value><doubleVal>2.5</doubleVal>", "<value>x</value>"),
        (
            "Date",
            "<dateVal>2026-01-31T18:00:00+01:00</dateVal>",
            "<value>2026-01-31T17:00:00.000Z</value><dateVal>2026-01-31T17:00:00.000Z</dateVal>",
            "<value>31.1.2026</value>",
        ),
        ("Dimension", "<value>40x30</value>", "<value>40x30</value>", "<value>large</value>"),
        ("FileName", "<value>a.tif</value>", "<value>a.tif</value>", "<value>b/a.tif</value>"),
        (
            "String",
            "<value>été &amp; 山</value>",
            "<value>été &amp; 山</value>",
            "<addTagValueArray><items>a</items></addTagValueArray>",
        ),
    ] {
        let handle = acme.field("Image", field_type, field_type, enforced).await;
        let set = acme.set(&handle, sent).await;
        assert_eq!(set.payload(), format!("<setAssetMetadataReturn xmlns=\"{NEWEST}\"/>"), "{}", set.text);
        let metadata = acme.metadata().await;
        assert!(metadata.contains(&format!("<name>{field_type}</name>{shown}")), "{field_type}: {metadata}");
        let answer = acme.set(&handle, refused).await;
        assert_eq!(answer.fault_code(), Some(30001), "{field_type}: {}", answer.text);
        assert!(answer.reason().starts_with("updateArray/items[1]/"), "{field_type}: {}", answer.reason());
        assert_eq!(acme.metadata().await, metadata, "{field_type}: nothing has changed");
    }
    let loose = acme.field("Image", "Loose", "Int", "").await;
    assert_eq!(acme.set(&loose, "<value>many</value>").await.status, 200, "what is not enforced is kept as it came");
    let nothing = acme.set(&loose, "").await;
    assert_eq!((nothing.fault_code(), nothing.reason().contains("value")), (Some(30002), true), "{}", nothing.text);
    acme.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_come_from_dictionaries() {
    let acme = Acme::open().await;
    let size = acme.field("Asset", "Size", "MultiFixedTag", "<initialTagValue>S</initialTagValue>").await;
    let values = |values: &[&str]| {
        let items: String = values.iter().map(|value| format!("<items>{value}</items>")).collect();
        format!("<fieldHandle>{size}</fieldHandle><valueArray>{items}</valueArray>")
    };
    let tags = async || {
        let fields = format!("<fieldHandleArray><items>{size}</items></fieldHandleArray>");
        between(acme.call("getTagFieldValues", &fields).await.payload(), "valueArray").to_owned()
    };
    assert_eq!(tags().await, "<items>S</items>");
    assert_eq!(acme.call("addTagFieldValues", &values(&["M", "L", "M"])).await.status, 200);
    assert_eq!(tags().await, "<items>S</items><items>M</items><items>L</items>");
    let list = |name: &str, values: &[&str]| {
        let items: String = values.iter().map(|value| format!("<items>{value}</items>")).collect();
        format!("<{name}>{items}</{name}>")
    };
    assert_eq!(acme.set(&size, &list("setTagValueArray", &["S", "M"])).await.status, 200);
    assert_eq!(acme.set(&size, &list("addTagValueArray", &["L"])).await.status, 200);
    assert_eq!(acme.set(&size, &list("deleteTagValueArray", &["S", "XXL"])).await.status, 200);
    let metadata = acme.metadata().await;
    assert!(
        metadata.contains("<value>M,L</value><valueArray><items>M</items><items>L</items></valueArray>"),
        "{metadata}"
    );
    let answer = acme.set(&size, &list("setTagValueArray", &["XL"])).await;
    assert_eq!(answer.fault_code(), Some(30001), "{}", answer.text);
    assert!(answer.reason().contains("updateArray/items[1]/setTagValueArray"), "{}", answer.reason());
    assert_eq!(acme.call("deleteTagFieldValues", &values(&["M"])).await.status, 200);
    assert_eq!(acme.call("setTagFieldValues", &values(&["one"])).await.status, 200);
    assert_eq!(tags().await, "<items>one</items>");
    let empty = acme.call("addTagFieldValues", &values(&[" "])).await;
    assert_eq!(
        (empty.fault_code(), empty.reason().contains("valueArray/items[1]")),
        (Some(30001), true),
        "{}",
        empty.text
    );
    let text = acme.field("Asset", "Note", "String", "").await;
    let of_text = format!("<fieldHandle>{text}</fieldHandle><valueArray/>");
    assert_eq!(acme.call("setTagFieldValues", &of_text).await.fault_code(), Some(30001));
    let with_default =
        "<assetType>Asset</assetType><name>T</name><fieldType>SingleTag</fieldType><defaultValue>x</defaultValue>";
    let answer = acme.call("createMetadataField", with_default).await;
    assert_eq!((answer.fault_code(), answer.reason().contains("defaultValue")), (Some(30001), true), "{}", answer.text);
    acme.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn known_fields_defaults_and_deletions() {
    let acme = Acme::open().await;
    // Fields of the schemas of XMP need no definition.
    assert_eq!(acme.set("m|47|ALL|dc.subject", r"<value>Hello\, World!,a\\b</value>").await.status, 200);
    let metadata = acme.metadata().await;
    let expected = r"<name>dc.subject</name><value>Hello\, World!,a\\b</value><valueArray><items>Hello, World!</items><items>a\b</items></valueArray>";
    assert!(metadata.contains(expected), "{metadata}");
    assert_eq!(acme.set("47|ALL|dc.title", "<value>A, B</value>").await.status, 200);
    assert!(acme.metadata().await.contains("<name>dc.title</name><value>A, B</value></items>"));
    let answer = acme.set("m|47|ALL|dc.subject", r"<value>a\b</value>").await;
    assert_eq!((answer.fault_code(), answer.reason().contains("/value")), (Some(30001), true), "{}", answer.text);

    // A default shows until somebody says otherwise, and again when that is deleted.
    let owner = acme.field("Image", "Owner", "String", "<defaultValue>nobody</defaultValue>").await;
    assert!(acme.metadata().await.contains("<name>Owner</name><value>nobody</value>"));
    acme.set(&owner, "<value>Ada</value>").await;
    assert!(acme.metadata().await.contains("<name>Owner</name><value>Ada</value>"));
    acme.set(&owner, "<value/>").await;
    assert!(!acme.metadata().await.contains("Owner"), "{}", acme.metadata().await);
    let delete = format!(
        "<assetHandle>{}</assetHandle><deleteArray><items><fieldHandle>{owner}</fieldHandle></items></deleteArray>",
        acme.shoe
    );
    let deleted = acme.call("deleteAssetMetadata", &delete).await;
    assert_eq!(deleted.payload(), format!("<deleteAssetMetadataReturn xmlns=\"{NEWEST}\"/>"), "{}", deleted.text);
    assert!(acme.metadata().await.contains("<name>Owner</name><value>nobody</value>"));

    // Who does not want metadata is spared it.
    let handles = format!("<assetHandleArray><items>{}</items></assetHandleArray>", acme.shoe);
    let without =
        format!("{handles}<excludeFieldArray><items>assetArray/items/metadataArray</items></excludeFieldArray>");
    assert!(!acme.call("getAssets", &without).await.text.contains("metadataArray"));
    let only = format!(
        "{handles}<responseFieldArray><items>assetArray/items/metadataArray/items/name</items></responseFieldArray>"
    );
    let only = acme.call("getAssets", &only).await;
    assert!(only.text.contains("<items><name>Owner</name><value/></items>"), "{}", only.text);

    let counted = acme.call("getDistinctMetadataValues", "<metadataKey>dc.title</metadataKey>").await;
    assert!(counted.payload().contains("<value>A, B</value><count>1</count>"), "{}", counted.text);
    acme.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_field_is_named() {
    let acme = Acme::open().await;
    acme.server.company("Other", 48).await;
    acme.field("Image", "Note", "String", "").await;
    let pdf = acme.field("Pdf", "Pages", "Int", "").await;
    let create = |asset_type: &str, name: &str, field_type: &str| {
        format!("<assetType>{asset_type}</assetType><name>{name}</name><fieldType>{field_type}</fieldType>")
    };
    for (fields, code, named) in [
        (create("Picture", "A", "String"), 30001, "assetType"),
        (create("Image", "A", "Text"), 30001, "fieldType"),
        (create("Image", "a.b", "String"), 30001, "name"),
        (create("Image", " ", "String"), 30001, "name"),
        (create("Image", &"n".repeat(101), "String"), 30001, "name"),
        (create("Image", "Note", "String"), 30000, "name"),
        (create("Asset", "Note", "String"), 30000, "name"),
        (
            create("Image", "B", "Int") + "<defaultValue>x</defaultValue><isEnforced>true</isEnforced>",
            30001,
            "defaultValue",
        ),
    ] {
        let answer = acme.call("createMetadataField", &fields).await;
        assert_eq!(answer.fault_code(), Some(code), "{fields}: {}", answer.text);
        assert!(answer.reason().contains(named), "{fields}: {}", answer.reason());
    }
    for (handle, code) in [
        ("m|47|IMAGE|Nothing", 30000),
        ("m|48|IMAGE|Note", 20006),
        ("Note", 30001),
        (pdf.as_str(), 30001),
        ("m|47|ALL|nope.field", 30000),
    ] {
        let answer = acme.set(handle, "<value>1</value>").await;
        assert_eq!(answer.fault_code(), Some(code), "{handle}: {}", answer.text);
        assert!(answer.reason().contains("fieldHandle"), "{handle}: {}", answer.reason());
    }
    let both =
        acme.set("m|47|IMAGE|Note", "<value>a</value><setTagValueArray><items>b</items></setTagValueArray>").await;
    assert_eq!((both.fault_code(), both.reason().contains("setTagValueArray")), (Some(30001), true), "{}", both.text);
    let job = "<jobName>N</jobName><uploadDirectoryJob><serverDir>in</serverDir><overwrite>true</overwrite>\
               <readyForPublish>true</readyForPublish><includeSubfolders>true</includeSubfolders><createMask>false</createMask>\
               <processMetadataFiles>true</processMetadataFiles><emailSetting>None</emailSetting>\
               <xmpKeywords>a\\b</xmpKeywords></uploadDirectoryJob>";
    let answer = acme.call("submitJob", job).await;
    assert_eq!(answer.fault_code(), Some(30001), "{}", answer.text);
    assert!(answer.reason().contains("uploadDirectoryJob/xmpKeywords"), "{}", answer.reason());
    acme.server.shut_down().await;
}

/// Names in an answer, in its order.
fn names(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text.split("<assetHandle>").skip(1).map(|asset| between(asset, "name")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_are_found_by_their_metadata() {
    let acme = Acme::open().await;
    let mut handles = vec![acme.shoe.clone()];
    for name in ["boot", "clog"] {
        handles.push(acme.server.asset(47, "", name).await);
    }
    let sole = acme.field("Image", "Sole", "Int", "<defaultValue>3</defaultValue>").await;
    let launch = acme.field("Image", "Launch", "Date", "").await;
    let warm = acme.field("Image", "Warm", "Boolean", "").await;
    let size = acme.field("Image", "Size", "MultiTag", "").await;
    for (handle, title, sole_value, launch_value, warm_value, sizes) in [
        (&handles[0], "Schuh für alle", "5", "2026-01-31", "true", "S,M"),
        (&handles[1], "Stiefel", "10", "2026-06-01", "false", "M,L"),
    ] {
        let update = |field: &str, value: &str| {
            format!("<items><fieldHandle>{field}</fieldHandle><value>{value}</value></items>")
        };
        let updates = [
            update("m|47|ALL|dc.title", title),
            update("m|47|ALL|dc.subject", "leather,100%"),
            update(&sole, sole_value),
            update(&launch, launch_value),
            update(&warm, warm_value),
            update(&size, sizes),
        ];
        let fields = format!("<assetHandle>{handle}</assetHandle><updateArray>{}</updateArray>", updates.concat());
        assert_eq!(acme.call("setAssetMetadata", &fields).await.status, 200);
    }
    let condition = |field: &str, op: &str, value: &str| {
        format!("<items><fieldHandle>{field}</fieldHandle><op>{op}</op>{value}</items>")
    };
    // The array before the condition in the order of the schema, and what is found.
    let title = "m|47|ALL|dc.title";
    for (conditions, found) in [
        (condition(title, "Equals", "<value>Stiefel</value>"), vec!["boot"]),
        (condition(title, "Equals", "<value>stiefel</value>"), vec![]),
        (condition(title, "Equals", "<caseSensitive>false</caseSensitive><value>stiefel</value>"), vec!["boot"]),
        (condition(title, "NotEquals", "<value>Stiefel</value>"), vec!["clog", "shoe"]),
        (condition(title, "Contains", "<value>FÜR</value>"), vec![]),
        (condition(title, "Contains", "<value>ALLE</value>"), vec!["shoe"]),
        (condition(title, "Contains", "<caseSensitive>true</caseSensitive><value>ALLE</value>"), vec![]),
        (condition(title, "StartsWith", "<value>s</value>"), vec!["boot", "shoe"]),
        (condition("m|47|ALL|dc.subject", "EndsWith", "<value>%</value>"), vec!["boot", "shoe"]),
        (condition("m|47|ALL|dc.subject", "NotContains", "<value>leath</value>"), vec!["clog"]),
        (condition(&sole, "GreaterThan", "<longVal>9</longVal>"), vec!["boot"]),
        (condition(&sole, "LessThanEquals", "<longVal>5</longVal>"), vec!["clog", "shoe"]),
        (condition(&sole, "NotBetween", "<minLong>4</minLong><maxLong>20</maxLong>"), vec!["clog"]),
        (condition(&launch, "LessThan", "<dateVal>2026-02-01T00:00:00+01:00</dateVal>"), vec!["shoe"]),
        (
            condition(
                &launch,
                "Between",
                "<minDate>2026-05-01T00:00:00Z</minDate><maxDate>2026-07-01T00:00:00Z</maxDate>",
            ),
            vec!["boot"],
        ),
        (condition(&warm, "Equals", "<boolVal>false</boolVal>"), vec!["boot"]),
        (
            condition(title, "StartsWith", "<value>S</value>") + &condition(&sole, "Equals", "<longVal>5</longVal>"),
            vec!["shoe"],
        ),
    ] {
        let fields = format!(
            "<includeSubfolders>true</includeSubfolders><metadataConditionArray>{conditions}</metadataConditionArray>"
        );
        assert_eq!(names(&acme.call("searchAssets", &fields).await), found, "{conditions}");
    }
    let search = async |fields: &str| {
        let answer = acme.call("searchAssets", &format!("<includeSubfolders>true</includeSubfolders>{fields}")).await;
        names(&answer).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let tags = |op: &str, values: &str| {
        format!(
            "<tagConditionArray><items><fieldHandle>{size}</fieldHandle><op>{op}</op>{values}</items></tagConditionArray>"
        )
    };
    assert_eq!(search(&tags("Matches", "<value>S</value>")).await, ["shoe"]);
    let both = "<valueArray><items>S</items><items>M</items></valueArray>";
    assert_eq!(search(&tags("MatchesAny", both)).await, ["boot", "shoe"]);
    assert_eq!(search(&tags("MatchesAll", both)).await, ["shoe"]);
    assert_eq!(search("<keywordArray><items>LEATHER</items></keywordArray>").await, ["boot", "shoe"]);
    // Groups of conditions are combined as the caller says.
    let groups = |mode: &str| {
        let system = "<systemFieldConditionArray><items><field>Name</field><op>Equals</op><value>clog</value></items></systemFieldConditionArray>";
        let metadata = condition(title, "Equals", "<value>Stiefel</value>");
        format!(
            "<conditionMatchMode>{mode}</conditionMatchMode>{system}<metadataConditionArray>{metadata}</metadataConditionArray>"
        )
    };
    assert_eq!(search(&groups("MatchAll")).await, Vec::<String>::new());
    assert_eq!(search(&groups("MatchAny")).await, ["boot", "clog"]);
    let any = condition(&sole, "Equals", "<longVal>5</longVal>") + &condition(&sole, "Equals", "<longVal>3</longVal>");
    let any = format!(
        "<metadataMatchMode>MatchAny</metadataMatchMode><metadataConditionArray>{any}</metadataConditionArray>"
    );
    assert_eq!(search(&any).await, ["clog", "shoe"]);
    let keywords = "<systemFieldConditionArray><items><field>Keywords</field><op>Contains</op><value>leath</value></items></systemFieldConditionArray>";
    assert_eq!(search(keywords).await, ["boot", "shoe"]);

    let by_key = async |fields: &str| acme.call("searchAssetsByMetadata", fields).await;
    let printed = by_key(&format!(
        "<metadataConditionArray>{}{}</metadataConditionArray><responseMetadataArray><items>dc.title</items></responseMetadataArray>",
        condition("name", "Contains", "<value>OO</value>"),
        condition("custom_attributes.Sole", "Equals", "<longVal>10</longVal>"),
    ))
    .await;
    assert_eq!(names(&printed), ["boot"], "{}", printed.text);
    assert!(printed.text.contains("<totalRows>1</totalRows>"), "{}", printed.text);
    assert_eq!(between(&printed.text, "metadataArray"), "<items><name>dc.title</name><value>Stiefel</value></items>");
    let filtered = by_key("<filters><assetTypeArray><items>Pdf</items></assetTypeArray></filters>").await;
    assert_eq!(names(&filtered), Vec::<&str>::new());
    let mode = "<metadataConditionMatchMode>MatchAny</metadataConditionMatchMode>";
    let either = format!(
        "<metadataConditionArray>{}{}</metadataConditionArray>{mode}",
        condition("name", "Equals", "<value>boot</value>"),
        condition("name", "Equals", "<value>clog</value>")
    );
    assert_eq!(names(&by_key(&either).await), ["boot", "clog"]);

    for (operation, fields, code, named) in [
        ("searchAssets", condition("m|47|ALL|nope", "Equals", "<value>1</value>"), 30000, "items[1]/fieldHandle"),
        ("searchAssets", condition(title, "Like", "<value>1</value>"), 30001, "items[1]/op"),
        ("searchAssets", condition(&sole, "Contains", "<longVal>1</longVal>"), 30001, "items[1]/op"),
        ("searchAssets", condition(&sole, "Equals", ""), 30001, "items[1]/longVal"),
        ("searchAssets", condition(&launch, "Equals", "<value>soon</value>"), 30001, "items[1]/dateVal"),
        (
            "searchAssetsByMetadata",
            condition("folder_paths", "Equals", "<value>1</value>"),
            30000,
            "items[1]/fieldHandle",
        ),
    ] {
        let include = if operation == "searchAssets" { "<includeSubfolders>true</includeSubfolders>" } else { "" };
        let fields = format!("{include}<metadataConditionArray>{fields}</metadataConditionArray>");
        let answer = acme.call(operation, &fields).await;
        assert_eq!(answer.fault_code(), Some(code), "{fields}: {}", answer.text);
        assert!(answer.reason().contains(&format!("metadataConditionArray/{named}")), "{fields}: {}", answer.reason());
    }
    let not_a_tag = format!(
        "<includeSubfolders>true</includeSubfolders><tagConditionArray>{}</tagConditionArray>",
        condition(&sole, "Matches", "<value>1</value>")
    );
    let answer = acme.call("searchAssets", &not_a_tag).await;
    assert_eq!(
        (answer.fault_code(), answer.reason().contains("tagConditionArray/items[1]/fieldHandle")),
        (Some(30001), true)
    );
    acme.server.shut_down().await;
}

/// (key, operator and more, names that are found)
#[tokio::test(flavor = "multi_thread")]
async fn every_documented_key_is_searched_by() {
    let acme = Acme::open().await;
    let boot = acme.server.asset(47, "Planetary/Boots", "boot").await;
    for (asset, field, value) in [
        (&acme.shoe, "Comments", "Made of <leather>"),
        (&acme.shoe, "UserData", "x=1;y=2"),
        (&boot, "Sku", "0815-B"),
        (&boot, "Comments", "rubber"),
    ] {
        let value = value.replace('<', "&lt;");
        let update = format!("<items><fieldHandle>m|47|ALL|{field}</fieldHandle><value>{value}</value></items>");
        let fields = format!("<assetHandle>{asset}</assetHandle><updateArray>{update}</updateArray>");
        assert_eq!(acme.call("setAssetMetadata", &fields).await.status, 200);
    }
    // 2014-07-26T03:13:45.250Z, and a quarter of a second later.
    acme.server.execute("UPDATE asset SET created_at = 1406344425250, modified_at = 1406344425500").await;
    let javascript = "Fri Jul 25 2014 22:13:45 GMT-0500 (CDT)";
    let text = |op: &str, value: &str| format!("<op>{op}</op><value>{value}</value>");
    let date = |op: &str, value: &str| format!("<op>{op}</op><dateVal>{value}</dateVal>");
    let range =
        |op: &str, from: &str, to: &str| format!("<op>{op}</op><minDate>{from}</minDate><maxDate>{to}</maxDate>");
    let (both, none): (&[&str], &[&str]) = (&["boot", "shoe"], &[]);
    for (key, condition, found) in [
        ("folder_path", text("Contains", "Planetary/"), &["boot"][..]),
        ("folder_path", text("NotContains", "Planetary"), &["shoe"]),
        ("folder_path", text("StartsWith", "acme/planet"), &["boot"]),
        ("folder_path", text("EndsWith", "Boots/"), &["boot"]),
        ("folder_path", text("Equals", "Acme/Planetary/Boots/"), &["boot"]),
        ("folder_path", text("Equals", "/Planetary/Boots"), &["boot"]),
        ("folder_path", text("Equals", "Planetary"), none),
        ("folder_path", text("Equals", "Acme/"), &["shoe"]),
        ("folder_path", text("NotEquals", "Acme"), &["boot"]),
        ("comment", text("Contains", "LEATHER"), &["shoe"]),
        ("comment", text("NotEquals", "rubber"), &["shoe"]),
        ("user_data", text("EndsWith", "y=2"), &["shoe"]),
        ("sku", text("Equals", "0815-B"), &["boot"]),
        ("sku", text("StartsWith", "0816"), none),
        ("asset_id", text("Equals", "1"), &["shoe"]),
        ("created_at", text("Equals", "2014-07-26T03:13:45.250Z"), both),
        ("created_at", text("Equals", "2014-07-26T03:13:45.251Z"), none),
        ("created_at", text("Equals", "2014-07-26T03:13:45Z"), both),
        ("created_at", text("Equals", "2014-07-26"), both),
        ("created_at", text("Equals", javascript), both),
        ("created_at", text("NotEquals", javascript), none),
        ("created_at", text("StartsWith", "2014-07"), both),
        ("created_at", text("NotContains", "T03:13"), none),
        ("created_at", date("GreaterThan", "2014-07-25T22:13:44-05:00"), both),
        ("created_at", text("LessThan", javascript), none),
        ("modified_at", text("EndsWith", "45.500Z"), both),
        ("modified_at", date("LessThanEquals", "2014-07-26T03:13:45Z"), both),
        ("modified_at", date("GreaterThanEquals", "2014-07-26T03:13:46Z"), none),
        ("modified_at", range("Between", "2014-01-01T00:00:00Z", "2014-07-26T03:13:45Z"), both),
        ("modified_at", range("NotBetween", "2014-01-01T00:00:00Z", "2999-01-01T00:00:00Z"), none),
    ] {
        let condition = format!(
            "<metadataConditionArray><items><fieldHandle>{key}</fieldHandle>{condition}</items></metadataConditionArray>"
        );
        for operation in ["searchAssetsByMetadata", "searchAssets"] {
            let more = if operation == "searchAssets" { "<includeSubfolders>true</includeSubfolders>" } else { "" };
            let answer = acme.call_in(NEWEST, operation, &format!("{more}{condition}")).await;
            assert_eq!(answer.status, 200, "{operation} {condition}: {}", answer.text);
            let names: Vec<&str> =
                both.iter().copied().filter(|name| answer.text.contains(&format!("<name>{name}</name>"))).collect();
            assert_eq!(names, found, "{operation} {condition}: {}", answer.text);
        }
    }
    for (key, condition, code, named) in [
        ("created_at", text("Equals", "yesterday"), 30001, "value"),
        ("created_at", text("Like", "2014"), 30001, "op"),
        ("modified_at", "<op>Between</op><minDate>2014-01-01T00:00:00Z</minDate>".to_owned(), 30001, "minDate"),
        ("folder_path", "<op>Equals</op>".to_owned(), 30001, "value"),
        ("colour", text("Equals", "red"), 30000, "colour"),
    ] {
        let condition = format!("<fieldHandle>{key}</fieldHandle>{condition}");
        let fields = format!("<metadataConditionArray><items>{condition}</items></metadataConditionArray>");
        let answer = acme.call("searchAssetsByMetadata", &fields).await;
        assert_eq!(answer.fault_code(), Some(code), "{condition}: {}", answer.text);
        assert!(answer.reason().contains("metadataConditionArray/items[1]") || code == 30000, "{}", answer.reason());
        assert!(answer.reason().contains(named), "{condition}: {}", answer.reason());
    }
    acme.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn system_fields_are_set_shown_and_searched() {
    let acme = Acme::open().await;
    for (field, value) in [("Comments", "ask &amp; tell"), ("UserData", "x=1"), ("Sku", "0815")] {
        let set = acme.set(&format!("m|47|IMAGE|{field}"), &format!("<value>{value}</value>")).await;
        assert_eq!(set.status, 200, "{}", set.text);
        let condition = |op: &str, value: &str| {
            format!(
                "<systemFieldConditionArray><items><field>{field}</field><op>{op}</op><value>{value}</value></items>\
                 </systemFieldConditionArray>"
            )
        };
        for (op, value, count) in
            [("Equals", value, 1), ("Contains", &value[..2], 1), ("StartsWith", "none", 0), ("NotEquals", value, 0)]
        {
            let fields = format!("<includeSubfolders>true</includeSubfolders>{}", condition(op, value));
            let found = acme.call("searchAssets", &fields).await;
            assert_eq!(
                between(found.payload(), "totalRows"),
                count.to_string(),
                "{field} {op} {value}: {}",
                found.text
            );
        }
    }
    assert_eq!(
        acme.metadata().await,
        "<items><name>Comments</name><value>ask &amp; tell</value></items>\
         <items><name>Sku</name><value>0815</value></items><items><name>UserData</name><value>x=1</value></items>"
    );
    let handles = format!("<assetHandleArray><items>{}</items></assetHandleArray>", acme.shoe);
    let only = "<responseFieldArray><items>assetArray/items/imageInfo</items></responseFieldArray>";
    let shown = acme.call("getAssets", &format!("{handles}{only}")).await;
    for element in ["<sku>0815</sku>", "<comments>ask &amp; tell</comments>", "<userData>x=1</userData>"] {
        assert!(between(shown.payload(), "imageInfo").contains(element), "{element}: {}", shown.text);
    }
    assert!(!shown.text.contains("metadataArray"), "{}", shown.text);
    // Keys as the reference has them, in the reply too.
    let wanted = "<responseMetadataArray><items>user_data</items><items>sku</items></responseMetadataArray>";
    let found = acme.call("searchAssetsByMetadata", wanted).await;
    assert_eq!(
        between(found.payload(), "metadataArray"),
        "<items><name>sku</name><value>0815</value></items><items><name>user_data</name><value>x=1</value></items>"
    );
    let counted = acme.call("getDistinctMetadataValues", "<metadataKey>comment</metadataKey>").await;
    assert!(counted.payload().contains("<value>ask &amp; tell</value><count>1</count>"), "{}", counted.text);
    // What a company calls so is what it means; the values are the same.
    let own = acme.field("Image", "Sku", "Int", "<isEnforced>true</isEnforced>").await;
    assert_eq!(acme.set(&own, "<value>many</value>").await.fault_code(), Some(30001));
    assert!(acme.metadata().await.contains("<name>Sku</name><value>0815</value><longVal>815</longVal>"));
    // There is no field of theirs to change.
    let change = "<fieldHandle>m|47|ALL|Comments</fieldHandle><name>Remarks</name>";
    assert_eq!(acme.call("updateMetadataField", change).await.fault_code(), Some(30000));
    acme.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_fields_is_for_administrators_of_the_server() {
    let acme = Acme::open().await;
    let fields = format!("{ACME}<assetType>Image</assetType><name>Note</name><fieldType>String</fieldType>");
    let create = format!("<createMetadataFieldParam xmlns=\"{NEWEST}\">{fields}</createMetadataFieldParam>");
    assert_eq!(acme.server.soap(ADA, &create).await.fault_code(), Some(20003));
    assert_eq!(acme.server.soap(ROOT, &create).await.status, 200);
    let save = "<assetType>Image</assetType><name>Remark</name><fieldType>String</fieldType><defaultValue/>";
    assert_eq!(acme.call("saveMetadataField", save).await.status, 200, "others save fields");
    acme.server.shut_down().await;
}
