//! Property set types and property sets: who owns them, who may see them, and what values they may have.
#![allow(clippy::unwrap_used, reason = "what fails here fails its test")]

use prepress::model::role::Role;
use prepress::service::{Caller, Denied, Error};
use serde_json::{Value, json};

use crate::tenants::World;

/// Two companies.
struct Town {
    world: World,
    /// Administers the server.
    root: Caller,
    /// Administers Acme.
    ann: Caller,
    /// Uses Acme.
    ada: Caller,
    /// Administers Other.
    eve: Caller,
}

const ACME: &str = "c|1";
const OTHER: &str = "c|2";

impl Town {
    async fn new() -> Self {
        let world = World::new().await;
        let root = world.admin().await;
        world.company("Acme").await;
        world.company("Other").await;
        let ann = world.user("ann@example.com", "Acme", Role::IpsCompanyAdmin).await;
        let ada = world.user("ada@example.com", "Acme", Role::IpsUser).await;
        let eve = world.user("eve@example.com", "Other", Role::IpsCompanyAdmin).await;
        Self { world, root, ann, ada, eve }
    }

    async fn call(&self, caller: &Caller, operation: &str, param: Value) -> Result<Value, Error> {
        self.world.call(caller, operation, param).await
    }

    async fn done(&self, caller: &Caller, operation: &str, param: Value) -> Value {
        self.call(caller, operation, param.clone()).await.unwrap_or_else(|e| panic!("{operation} {param}: {e}"))
    }

    async fn why(&self, caller: &Caller, operation: &str, param: Value) -> Error {
        match self.call(caller, operation, param.clone()).await {
            Err(error) => error,
            Ok(reply) => panic!("{operation} {param} was done: {reply}"),
        }
    }

    async fn new_type(&self, caller: &Caller, name: &str, property_type: &str, multiple: bool) -> String {
        let param =
            json!({"companyHandle": ACME, "name": name, "propertyType": property_type, "allowMultiple": multiple});
        let reply = self.done(caller, "createPropertySetType", param).await;
        reply["typeHandle"].as_str().unwrap().to_owned()
    }

    async fn built_in(&self, name: &str) -> String {
        let found = self.done(&self.ada, "getPropertySetType", json!({"companyHandle": ACME, "name": name})).await;
        found["type"]["typeHandle"].as_str().unwrap().to_owned()
    }

    async fn add(&self, set_type: &str, owner: &str, properties: Value) -> String {
        let param = json!({"typeHandle": set_type, "primaryOwnerHandle": owner, "propertyArray": properties});
        let reply = self.done(&self.ann, "createPropertySet", param).await;
        reply["setHandle"].as_str().unwrap().to_owned()
    }

    async fn sets(&self, set_type: &str, owner: &str) -> Value {
        let param = json!({"typeHandle": set_type, "primaryOwnerHandle": owner});
        self.done(&self.ada, "getPropertySets", param).await["setArray"].clone()
    }
}

fn properties(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn script() -> Value {
    properties(&[("name", "Colours"), ("setType", "ImageSet"), ("match", "(.*)-[0-9]+")])
}

#[tokio::test]
async fn built_in_types_are_in_every_company_and_stay() {
    let town = Town::new().await;
    for (caller, company) in [(&town.ada, Some(ACME)), (&town.eve, Some(OTHER)), (&town.eve, None)] {
        let types = town.done(caller, "getPropertySetTypes", json!({"companyHandle": company})).await;
        let names: Vec<&str> =
            types["typeArray"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["SetScript", "VideoEncodingPreset"]);
    }
    let script = town.built_in("SetScript").await;
    let root = town.root.clone();
    let why = town.why(&root, "deletePropertySetType", json!({"typeHandle": script})).await;
    assert!(matches!(why, Error::Denied(Denied::MissingPermission { .. })), "{why}");
    let again =
        json!({"companyHandle": ACME, "name": "SetScript", "propertyType": "UserProperty", "allowMultiple": true});
    let why = town.why(&town.ann, "createPropertySetType", again).await;
    assert!(matches!(&why, Error::Refused(why) if why.contains("name: ")), "{why}");
}

#[tokio::test]
async fn a_type_belongs_to_its_company_or_to_all() {
    let town = Town::new().await;
    let own = town.new_type(&town.ann, "Season", "CompanyProperty", true).await;
    let found = town.done(&town.ada, "getPropertySetType", json!({"companyHandle": ACME, "name": "Season"})).await;
    let expected = json!({"typeHandle": own, "companyHandle": ACME, "name": "Season",
                          "propertyType": "CompanyProperty", "allowMultiple": true});
    assert_eq!(found["type"], expected);
    let unknown = town.why(&town.eve, "getPropertySetType", json!({"companyHandle": OTHER, "name": "Season"})).await;
    assert!(matches!(unknown, Error::Refused(_)), "{unknown}");
    // What belongs to another company cannot be told from what is not there.
    for operation in ["deletePropertySetType", "getPropertySets"] {
        let mut answers = Vec::new();
        for handle in [own.as_str(), "pt|999"] {
            let param = json!({"typeHandle": handle, "primaryOwnerHandle": OTHER});
            answers.push(town.why(&town.eve, operation, param).await.to_string().replace(handle, "it"));
        }
        assert_eq!(answers[0], answers[1], "{operation}");
    }

    let global = json!({"name": "Season", "propertyType": "UserProperty", "allowMultiple": false});
    let why = town.why(&town.ann, "createPropertySetType", global.clone()).await;
    assert!(matches!(&why, Error::Missing { field, .. } if field == "companyHandle"), "{why}");
    let root = town.root.clone();
    let everywhere = town.done(&root, "createPropertySetType", global).await["typeHandle"].clone();
    let of = |company: Option<&'static str>| json!({"companyHandle": company, "name": "Season"});
    assert_eq!(town.done(&town.eve, "getPropertySetType", of(Some(OTHER))).await["type"]["typeHandle"], everywhere);
    assert_eq!(town.done(&town.ada, "getPropertySetType", of(None)).await["type"]["typeHandle"], everywhere);
    assert_eq!(town.done(&town.ada, "getPropertySetType", of(Some(ACME))).await["type"]["typeHandle"], json!(own));
    let why = town.why(&town.eve, "deletePropertySetType", json!({"typeHandle": everywhere})).await;
    assert!(matches!(why, Error::Denied(Denied::MissingPermission { .. })), "{why}");

    town.add(&own, ACME, properties(&[("a", "1")])).await;
    town.done(&town.ann, "deletePropertySetType", json!({"typeHandle": own})).await;
    assert_eq!(town.world.number("SELECT count(*) FROM property_set").await, 0, "its sets go with it");
}

#[tokio::test]
async fn what_is_wrong_with_a_type_is_named() {
    let town = Town::new().await;
    town.new_type(&town.ann, "Season", "CompanyProperty", true).await;
    for (name, property_type, field) in [
        ("", "UserProperty", "name"),
        (&"n".repeat(201), "UserProperty", "name"),
        ("a\u{1}b", "UserProperty", "name"),
        ("New", "userProperty", "propertyType"),
    ] {
        let param = json!({"companyHandle": ACME, "name": name, "propertyType": property_type, "allowMultiple": true});
        let why = town.why(&town.ann, "createPropertySetType", param).await;
        assert!(matches!(&why, Error::Invalid(invalid) if invalid.field == field), "{why}");
    }
    let again = json!({"companyHandle": ACME, "name": "Season", "propertyType": "UserProperty", "allowMultiple": true});
    let why = town.why(&town.ann, "createPropertySetType", again).await.to_string();
    assert!(why.contains("name: ") && why.contains("Season"), "{why}");
}

#[tokio::test]
async fn sets_are_made_changed_and_removed() {
    let town = Town::new().await;
    let set_type = town.new_type(&town.ann, "Season", "CompanyProperty", true).await;
    let first = town.add(&set_type, ACME, properties(&[("a", "1"), ("b", "2")])).await;
    let second = town.add(&set_type, ACME, json!([])).await;
    assert_ne!(first, second);
    let change = |replace: Value| json!({"setHandle": first, "replaceProperties": replace, "propertyArray": properties(&[("b", ""), ("c", "3")])});
    town.done(&town.ada, "updatePropertySet", change(Value::Null)).await;
    let expected = json!([
        {"setHandle": first, "typeHandle": set_type, "propertyArray": properties(&[("a", "1"), ("b", ""), ("c", "3")])},
        {"setHandle": second, "typeHandle": set_type, "propertyArray": []},
    ]);
    assert_eq!(town.sets(&set_type, ACME).await, expected);
    town.done(&town.ada, "updatePropertySet", change(json!(true))).await;
    assert_eq!(town.sets(&set_type, ACME).await[0]["propertyArray"], properties(&[("b", ""), ("c", "3")]));
    town.done(&town.ann, "deletePropertySet", json!({"setHandle": second})).await;
    let third = town.add(&set_type, ACME, json!([])).await;
    assert_ne!(second, third, "no handle is given twice");
    let gone = town.why(&town.ann, "updatePropertySet", json!({"setHandle": second, "propertyArray": []})).await;
    assert!(matches!(&gone, Error::Refused(why) if why.contains("setHandle")), "{gone}");
}

#[tokio::test]
async fn where_one_set_is_allowed_a_new_one_takes_its_place() {
    let town = Town::new().await;
    let set_type = town.new_type(&town.ann, "Season", "CompanyProperty", false).await;
    let first = town.add(&set_type, ACME, properties(&[("a", "1")])).await;
    let second = town.add(&set_type, ACME, properties(&[("a", "2")])).await;
    let sets = town.sets(&set_type, ACME).await;
    assert_eq!(
        sets,
        json!([{"setHandle": second, "typeHandle": set_type, "propertyArray": properties(&[("a", "2")])}])
    );
    let gone = town.why(&town.ann, "deletePropertySet", json!({"setHandle": first})).await;
    assert!(matches!(gone, Error::Refused(_)), "{gone}");
}

#[tokio::test]
async fn values_of_built_in_types_are_checked_and_the_fault_names_the_property() {
    let town = Town::new().await;
    let (scripts, presets) = (town.built_in("SetScript").await, town.built_in("VideoEncodingPreset").await);
    let handle = town.add(&scripts, ACME, script()).await;
    for (set_type, values, field) in [
        (&scripts, properties(&[("name", "A"), ("setType", "ImageSet")]), "propertyArray/match"),
        (&scripts, properties(&[("name", "A"), ("setType", "ImageSet"), ("match", "(")]), "propertyArray/match"),
        (&scripts, properties(&[("colour", "red")]), "propertyArray/colour"),
        (&presets, properties(&[("name", "A"), ("suffix", "-a"), ("width", "x")]), "propertyArray/width"),
        (&presets, properties(&[("name", "A"), ("name", "B")]), "propertyArray/items[2]/name"),
    ] {
        let param = json!({"typeHandle": set_type, "primaryOwnerHandle": ACME, "propertyArray": values});
        let why = town.why(&town.ann, "createPropertySet", param).await;
        assert!(matches!(&why, Error::Invalid(invalid) if invalid.field == field), "{field}: {why}");
    }
    let bad = json!({"setHandle": handle, "propertyArray": properties(&[("match", "no group")])});
    let why = town.why(&town.ada, "updatePropertySet", bad).await;
    assert!(matches!(&why, Error::Invalid(invalid) if invalid.field == "propertyArray/baseName"), "{why}");
    assert_eq!(town.sets(&scripts, ACME).await[0]["propertyArray"], script(), "nothing of it is kept");
    let again = json!({"typeHandle": scripts, "primaryOwnerHandle": ACME, "propertyArray": script()});
    let why = town.why(&town.ann, "createPropertySet", again.clone()).await.to_string();
    assert!(why.contains("propertyArray/name") && why.contains("Colours"), "{why}");
    let elsewhere = json!({"typeHandle": scripts, "primaryOwnerHandle": OTHER, "propertyArray": script()});
    town.done(&town.eve, "createPropertySet", elsewhere).await;
    let rename = json!({"setHandle": handle, "propertyArray": properties(&[("suffix", "-SET")])});
    town.done(&town.ada, "updatePropertySet", rename).await;
    let mut grouped = again;
    grouped["permissionArray"] = json!([{"groupHandle": "g|1"}]);
    let why = town.why(&town.ann, "createPropertySet", grouped).await;
    assert!(matches!(&why, Error::Invalid(invalid) if invalid.field == "permissionArray"), "{why}");
}

#[tokio::test]
async fn a_set_is_seen_by_its_owner_and_by_administrators_of_a_company_they_share() {
    let town = Town::new().await;
    let (ann, ada, eve) = (&town.ann, &town.ada, &town.eve);
    let bob = &town.world.user("bob@example.com", "Acme", Role::IpsUser).await;
    let personal = town.new_type(ann, "Taste", "UserProperty", false).await;
    let here = town.new_type(ann, "Desk", "UserCompanyProperty", false).await;
    let user = |caller: &Caller| format!("u|{}|{}", caller.account, caller.email);
    let made = |set_type: &str, secondary: Option<&str>| {
        json!({"typeHandle": set_type, "primaryOwnerHandle": user(ada), "secondaryOwnerHandle": secondary,
               "propertyArray": properties(&[("a", "1")])})
    };
    for (set_type, secondary) in [(&personal, None), (&here, Some(ACME))] {
        let set = town.done(ann, "createPropertySet", made(set_type, secondary)).await["setHandle"].clone();
        let get = made(set_type, secondary);
        for caller in [ada, ann] {
            let sets = town.done(caller, "getPropertySets", get.clone()).await;
            assert_eq!(sets["setArray"][0]["setHandle"], set);
        }
        let why = town.why(bob, "getPropertySets", get.clone()).await;
        assert!(matches!(why, Error::Denied(Denied::NoImpersonationPermission)), "{why}");
        let change = json!({"setHandle": set, "propertyArray": properties(&[("a", "2")])});
        town.done(ada, "updatePropertySet", change.clone()).await;
        for stranger in [bob, eve] {
            let why = town.why(stranger, "updatePropertySet", change.clone()).await;
            assert!(matches!(why, Error::Refused(_)), "as if it were not there: {why}");
        }
        let why = town.why(ada, "deletePropertySet", json!({"setHandle": set})).await;
        assert!(matches!(why, Error::Denied(Denied::NoOperationPermission { .. })), "{why}");
        town.done(ann, "deletePropertySet", json!({"setHandle": set})).await;
    }
    // Owners must be of the kind that the type has.
    let company = town.new_type(ann, "Season", "CompanyProperty", false).await;
    for (set_type, primary, secondary, field) in [
        (&company, user(ada).as_str(), None, "primaryOwnerHandle"),
        (&company, ACME, Some(ACME), "secondaryOwnerHandle"),
        (&personal, ACME, None, "primaryOwnerHandle"),
        (&here, ACME, Some(ACME), "primaryOwnerHandle"),
    ] {
        let param = json!({"typeHandle": set_type, "primaryOwnerHandle": primary, "secondaryOwnerHandle": secondary,
                           "propertyArray": []});
        let why = town.why(ann, "createPropertySet", param).await;
        assert!(matches!(&why, Error::Invalid(invalid) if invalid.field == field), "{why}");
    }
    let why = town.why(ann, "createPropertySet", made(&here, None)).await;
    assert!(matches!(&why, Error::Missing { field, .. } if field == "secondaryOwnerHandle"), "{why}");
    let root = town.root.clone();
    let foreign = json!({"typeHandle": company, "primaryOwnerHandle": OTHER, "propertyArray": []});
    let why = town.why(&root, "createPropertySet", foreign).await;
    assert!(matches!(why, Error::Denied(Denied::IllegalCompany { .. })), "the type is Acme's: {why}");
    let stranger = json!({"typeHandle": personal, "primaryOwnerHandle": user(eve), "propertyArray": []});
    let why = town.why(ann, "createPropertySet", stranger).await;
    assert!(matches!(why, Error::Denied(Denied::InvalidRequestUser { .. })), "{why}");
}

#[tokio::test]
async fn each_operation_asks_for_its_roles() {
    let town = Town::new().await;
    let set_type = town.new_type(&town.ann, "Season", "CompanyProperty", true).await;
    let set = town.add(&set_type, ACME, json!([])).await;
    let cases = [
        (
            "createPropertySetType",
            false,
            json!({"companyHandle": ACME, "name": "N", "propertyType": "UserProperty", "allowMultiple": true}),
        ),
        ("deletePropertySetType", false, json!({"typeHandle": set_type})),
        ("createPropertySet", false, json!({"typeHandle": set_type, "primaryOwnerHandle": ACME, "propertyArray": []})),
        ("deletePropertySet", false, json!({"setHandle": set})),
        ("getPropertySetTypes", true, json!({"companyHandle": ACME})),
        ("getPropertySetTypes", true, json!({})),
        ("getPropertySetType", true, json!({"companyHandle": ACME, "name": "Season"})),
        ("getPropertySets", true, json!({"typeHandle": set_type, "primaryOwnerHandle": ACME})),
        ("updatePropertySet", true, json!({"setHandle": set, "propertyArray": []})),
    ];
    for (operation, for_users, param) in cases {
        match town.call(&town.ada, operation, param.clone()).await {
            Ok(_) => assert!(for_users, "{operation}"),
            Err(Error::Denied(Denied::NoOperationPermission { operation: named, .. })) => {
                assert!(!for_users, "{operation}");
                assert_eq!(named, operation);
            }
            Err(other) => panic!("{operation}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_job_may_name_only_presets_that_are_there_and_of_the_right_kind() {
    let town = Town::new().await;
    let (scripts, presets) = (town.built_in("SetScript").await, town.built_in("VideoEncodingPreset").await);
    let script = town.add(&scripts, ACME, script()).await;
    let preset = town.add(&presets, ACME, properties(&[("name", "Small"), ("suffix", "-s")])).await;
    let elsewhere = json!({"typeHandle": scripts, "primaryOwnerHandle": OTHER, "propertyArray": self::script()});
    let foreign = town.done(&town.eve, "createPropertySet", elsewhere).await["setHandle"].clone();
    let upload = |script: &Value, preset: &Value| {
        json!({"companyHandle": ACME, "jobName": "U", "uploadDirectoryJob": {
            "serverDir": "in", "emailSetting": "None",
            "autoSetCreationOptions": {"autoSetsArray": [script]},
            "mediaOptions": {"videoEncodingPresetsArray": [preset]},
        }})
    };
    let (script, preset) = (json!(script), json!(preset));
    town.done(&town.ada, "submitJob", upload(&script, &preset)).await;
    let scripts_field = "uploadDirectoryJob/autoSetCreationOptions/autoSetsArray/items[1]";
    let presets_field = "uploadDirectoryJob/mediaOptions/videoEncodingPresetsArray/items[1]";
    for (param, field) in [
        (upload(&json!("ps|99"), &preset), scripts_field),
        (upload(&foreign, &preset), scripts_field),
        (upload(&preset, &preset), scripts_field),
        (upload(&json!("pt|1"), &preset), scripts_field),
        (upload(&script, &script), presets_field),
    ] {
        let why = town.why(&town.ada, "submitJob", param).await;
        assert!(matches!(&why, Error::Invalid(invalid) if invalid.field == field), "{why}");
    }
    let assets = |count: usize| {
        json!({"companyHandle": ACME, "jobName": "G", "automatedSetGenerationJob": {
            "assetHandleArray": vec!["a|1"; count], "readyForPublish": true, "emailSetting": "None",
            "autoSetCreationOptions": {"autoSetsArray": [script]}}})
    };
    town.done(&town.ada, "submitJob", assets(1000)).await;
    let why = town.why(&town.ada, "submitJob", assets(1001)).await;
    let field = "automatedSetGenerationJob/assetHandleArray";
    assert!(
        matches!(&why, Error::Invalid(invalid) if invalid.field == field && invalid.rule.contains("1000")),
        "{why}"
    );
    let generation = json!({"companyHandle": ACME, "jobName": "G", "automatedSetGenerationJob": {
        "assetHandleArray": ["a|1"], "readyForPublish": true, "autoSetCreationOptions": {"autoSetsArray": [script, foreign]},
        "emailSetting": "None"}});
    let why = town.why(&town.ada, "submitJob", generation).await;
    let field = "automatedSetGenerationJob/autoSetCreationOptions/autoSetsArray/items[2]";
    assert!(matches!(&why, Error::Invalid(invalid) if invalid.field == field), "{why}");
}
