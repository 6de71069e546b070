//! Property sets, sets of assets, what assets come from, and the trash, as clients call for them: each operation does what it
//! is there for, and names what is wrong with a request.

use prepress::model::role::Role;

use crate::bounds::write;
use crate::server::{Answer, Server};
use crate::upload_file::png;
use crate::{ADA, NEWEST};

/// Who may change types of property sets.
const BOSS: &str = "boss@acme.example";

const ACME: &str = "<companyHandle>c|47</companyHandle>";
const SHOES: &str = "<folderHandle>f|Acme/Shoes/</folderHandle>";

struct Library {
    server: Server,
}

impl Library {
    async fn open() -> Self {
        let server = Server::start().await;
        server.company("Acme", 47).await;
        server.company("Other", 48).await;
        server.user(ADA, "Acme", Role::IpsUser).await;
        server.user(BOSS, "Acme", Role::IpsCompanyAdmin).await;
        Self { server }
    }

    async fn ask(&self, operation: &str, fields: &str) -> Answer {
        self.server.soap(BOSS, &format!("<{operation}Param xmlns=\"{NEWEST}\">{fields}</{operation}Param>")).await
    }

    /// The answer to what is in order.
    async fn call(&self, operation: &str, fields: &str) -> String {
        let answer = self.ask(operation, fields).await;
        assert_eq!(answer.status, 200, "{operation} {fields}: {}", answer.text);
        let payload = answer.payload().to_owned();
        assert!(payload.starts_with(&format!("<{operation}Return xmlns=\"{NEWEST}\"")), "{payload}");
        payload
    }

    /// A handle that a new thing got.
    async fn made(&self, operation: &str, fields: &str, handle: &str) -> String {
        all(&self.call(operation, fields).await, handle).remove(0)
    }

    async fn refused(&self, cases: &[(&str, String, i32, &str)]) {
        for (operation, fields, code, named) in cases {
            let answer = self.ask(operation, fields).await;
            assert_eq!(answer.fault_code(), Some(*code), "{operation} {fields}: {}", answer.text);
            assert!(answer.reason().contains(named), "\"{named}\" in \"{}\" of {operation}", answer.reason());
        }
    }
}

/// The texts of all elements of a name.
fn all(text: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&start).skip(1).map(|rest| rest.split_once(&end).unwrap().0.to_owned()).collect()
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{text}</{name}>")
}

fn handles(assets: &[&str]) -> String {
    let items: String = assets.iter().map(|asset| element("items", asset)).collect();
    element("assetHandleArray", &items)
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_sets_of_properties_live_and_die() {
    let library = Library::open().await;
    let property = |name: &str, value: &str| format!("<items><name>{name}</name><value>{value}</value></items>");
    let new_type = |name: &str| {
        format!(
            "{ACME}<name>{name}</name><propertyType>CompanyProperty</propertyType><allowMultiple>true</allowMultiple>"
        )
    };
    let season = library.made("createPropertySetType", &new_type("Season"), "typeHandle").await;
    let types = library.call("getPropertySetTypes", ACME).await;
    assert_eq!(all(&types, "name"), ["SetScript", "VideoEncodingPreset", "Season"]);
    let found = library.call("getPropertySetType", &format!("{ACME}<name>Season</name>")).await;
    assert_eq!(
        (all(&found, "typeHandle"), all(&found, "allowMultiple")),
        (vec![season.clone()], vec!["true".to_owned()])
    );

    let owner = format!("<typeHandle>{season}</typeHandle><primaryOwnerHandle>c|47</primaryOwnerHandle>");
    let values = element("propertyArray", &[property("from", "March"), property("to", "May")].concat());
    let set = library.made("createPropertySet", &format!("{owner}{values}"), "setHandle").await;
    let change = |more: &str| {
        format!("<setHandle>{set}</setHandle>{more}<propertyArray>{}</propertyArray>", property("to", "June"))
    };
    library.call("updatePropertySet", &change("")).await;
    assert_eq!(all(&library.call("getPropertySets", &owner).await, "value"), ["March", "June"]);
    library.call("updatePropertySet", &change("<replaceProperties>true</replaceProperties>")).await;
    assert_eq!(all(&library.call("getPropertySets", &owner).await, "value"), ["June"]);
    let script = all(&types, "typeHandle")[0].clone();
    let scripts = |values: &str| {
        format!(
            "<typeHandle>{script}</typeHandle><primaryOwnerHandle>c|47</primaryOwnerHandle><propertyArray>{values}</propertyArray>"
        )
    };
    library
        .refused(&[
            ("createPropertySetType", new_type("Season"), 30000, "name: "),
            ("createPropertySetType", new_type(" "), 30001, "name"),
            ("createPropertySetType", new_type("New").replace("CompanyProperty", "Company"), 30001, "propertyType"),
            ("createPropertySetType", new_type("New").replace("true", "perhaps"), 30001, "allowMultiple"),
            ("createPropertySetType", new_type("New").replace("c|47", "c|48"), 20000, "companyHandle"),
            ("getPropertySetTypes", ACME.replace("47", "x"), 30001, "companyHandle"),
            ("getPropertySetType", format!("{ACME}<name>Winter</name>"), 30000, "name: "),
            ("getPropertySetType", ACME.to_owned(), 30002, "name"),
            ("createPropertySet", owner.replace(&season, "pt|999") + &values, 30000, "typeHandle"),
            ("createPropertySet", owner.replace(&season, "ps|1") + &values, 30001, "typeHandle"),
            ("createPropertySet", owner.replace("c|47", "c|48") + &values, 20000, "primaryOwnerHandle"),
            ("createPropertySet", owner.clone(), 30002, "propertyArray"),
            ("createPropertySet", scripts(&property("colour", "red")), 30001, "propertyArray/colour"),
            (
                "createPropertySet",
                scripts(&[property("name", "A"), property("setType", "ImageSet"), property("match", "(")].concat()),
                30001,
                "propertyArray/match",
            ),
            ("getPropertySets", owner.replace(&season, "pt|999"), 30000, "typeHandle"),
            ("updatePropertySet", "<setHandle>ps|999</setHandle><propertyArray/>".to_owned(), 30000, "setHandle"),
            ("updatePropertySet", "<setHandle>pt|1</setHandle><propertyArray/>".to_owned(), 30001, "setHandle"),
            ("updatePropertySet", change("<replaceProperties>x</replaceProperties>"), 30001, "replaceProperties"),
            ("deletePropertySet", "<setHandle>ps|999</setHandle>".to_owned(), 30000, "setHandle"),
            ("deletePropertySet", "<setHandle>c|1</setHandle>".to_owned(), 30001, "setHandle"),
            ("deletePropertySetType", "<typeHandle>pt|999</typeHandle>".to_owned(), 30000, "typeHandle"),
            ("deletePropertySetType", format!("<typeHandle>{script}</typeHandle>"), 20009, "typeHandle"),
        ])
        .await;
    assert_eq!(all(&library.call("getPropertySets", &owner).await, "value"), ["June"], "nothing of it was done");
    library.call("deletePropertySet", &element("setHandle", &set)).await;
    assert!(all(&library.call("getPropertySets", &owner).await, "setHandle").is_empty());
    library.call("deletePropertySetType", &element("typeHandle", &season)).await;
    assert_eq!(all(&library.call("getPropertySetTypes", ACME).await, "name"), ["SetScript", "VideoEncodingPreset"]);

    let property =
        async |name: &str| all(&library.call("getProperty", &element("name", name)).await, "value").remove(0);
    assert!(property("UploadPostMaxFileSize").await.parse::<u64>().unwrap() > 0);
    assert!(!property("IpsVersion").await.is_empty());
    library
        .refused(&[
            ("getProperty", element("name", "Uptime"), 30001, "name must be a system property, one of IpsVersion"),
            ("getProperty", String::new(), 30002, "name"),
        ])
        .await;
    library.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_of_assets_are_made_read_and_changed() {
    let library = Library::open().await;
    let mut pictures = Vec::new();
    for name in ["front", "side", "back"] {
        pictures.push(library.server.asset(47, "Shoes", name).await);
    }
    let [front, side, back] = &pictures[..] else { panic!("three pictures") };
    let create = |name: &str, set_type: &str| format!("{ACME}{SHOES}<name>{name}</name><type>{set_type}</type>");
    let set = library.made("createImageSet", &create("views", "ImageSet"), "assetHandle").await;
    let of = |set: &str| format!("{ACME}<assetHandle>{set}</assetHandle>");
    let seats = |assets: &[&String]| {
        let seat =
            |asset: &&String| format!("<items><assetHandle>{asset}</assetHandle><pageReset>true</pageReset></items>");
        element("memberArray", &assets.iter().map(seat).collect::<String>())
    };
    let members = async || all(&library.call("getImageSetMembers", &of(&set)).await, "name");
    library.call("setImageSetMembers", &(of(&set) + &seats(&[front, side]))).await;
    assert_eq!(members().await, ["front", "side"]);
    library.call("updateImageSet", &(of(&set) + &seats(&[back, front]) + &element("thumbAssetHandle", side))).await;
    assert_eq!(members().await, ["back", "front"]);
    let related = library.call("getAssociatedAssets", &of(&set)).await;
    assert_eq!(all(&related, "thumbAsset").len(), 1, "{related}");
    assert_eq!(all(&related, "name"), ["back", "front", "side"]);
    let holders = library.call("getAssociatedAssets", &of(front)).await;
    assert_eq!(all(&all(&holders, "containerArray").concat(), "name"), ["views"]);

    let place = |asset: &str| format!("${{getCatalogId([{asset}])}}");
    let create_asset_set = |name: &str, definition: &str| {
        format!(
            "{ACME}{SHOES}<name>{name}</name><subType>MediaSet</subType><setDefinition>{definition}</setDefinition>"
        )
    };
    let media = library.made("createAssetSet", &create_asset_set("media", &place(front)), "assetHandle").await;
    let definition = async || {
        let found = library.call("getAssets", &(ACME.to_owned() + &handles(&[&media]))).await;
        all(&found, "setDefinition").remove(0)
    };
    assert_eq!(definition().await, place(front));
    library.call("setAssetSetDefinition", &(of(&media) + &element("setDefinition", &place(side)))).await;
    assert_eq!(definition().await, place(side));
    library.call("updateAssetSet", &(of(&media) + &element("setDefinition", &place(back)))).await;
    assert_eq!(definition().await, place(back));
    let bad_thumb = element("thumbAssetHandle", "a|999");
    library
        .refused(&[
            ("createImageSet", create("views", "SpinSet"), 30000, "name: "),
            ("createImageSet", create("new", "Image"), 30001, "type "),
            ("createImageSet", create("a/b", "ImageSet"), 30001, "name "),
            ("createImageSet", create("new", "ImageSet").replace("Shoes", "Hats"), 30000, "folderHandle"),
            ("createImageSet", create("new", "ImageSet").replace("c|47", "c|48"), 20000, "companyHandle"),
            ("createImageSet", format!("{ACME}{SHOES}<name>new</name>"), 30002, "type"),
            ("setImageSetMembers", of(&set), 30002, "memberArray"),
            ("setImageSetMembers", of(&set) + &seats(&[&set]), 30000, "memberArray/items[1]/assetHandle"),
            ("setImageSetMembers", of(&set) + &seats(&[&"c|1".to_owned()]), 30001, "memberArray/items[1]/assetHandle"),
            ("setImageSetMembers", of(front) + &seats(&[side]), 30000, "assetHandle: "),
            ("updateImageSet", of("a|999"), 30000, "assetHandle"),
            ("updateImageSet", of(&set) + &bad_thumb, 30000, "thumbAssetHandle"),
            ("getImageSetMembers", of(front), 30000, "assetHandle"),
            ("getImageSetMembers", of("x|1"), 30001, "assetHandle"),
            ("createAssetSet", create_asset_set("new", "${getCatalogId([a|1"), 30001, "setDefinition"),
            ("createAssetSet", create_asset_set("media", ""), 30000, "name: "),
            ("createAssetSet", create_asset_set("new", "").replace("MediaSet", " "), 30001, "subType"),
            ("setAssetSetDefinition", of(&media) + &element("setDefinition", &place("a|999")), 30000, "setDefinition"),
            ("setAssetSetDefinition", of(&media), 30002, "setDefinition"),
            ("updateAssetSet", of(&media) + &bad_thumb, 30000, "thumbAssetHandle"),
            ("updateAssetSet", of(front) + &element("setDefinition", ""), 30000, "assetHandle"),
            ("getAssociatedAssets", of("a|999"), 30000, "assetHandle"),
            ("getAssociatedAssets", of("ps|1"), 30001, "assetHandle"),
            ("getGenerationInfo", ACME.to_owned(), 30002, "originatorHandle"),
            (
                "getGenerationInfo",
                format!("{ACME}<engine>Magic</engine><generatedHandle>{front}</generatedHandle>"),
                30001,
                "engine",
            ),
            ("getGenerationInfo", format!("{ACME}<generatedHandle>a|999</generatedHandle>"), 30000, "generatedHandle"),
            ("getAssetPublishHistory", of("a|999"), 30000, "assetHandle"),
            ("getAssetPublishHistory", of("f|1"), 30001, "assetHandle"),
            ("getAssetPublishHistory", ACME.to_owned(), 30002, "assetHandle"),
        ])
        .await;
    assert_eq!((members().await, definition().await), (vec!["back".to_owned(), "front".to_owned()], place(back)));
    library.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trash_takes_gives_back_and_lets_go() {
    let library = Library::open().await;
    let (boot, sandal) = (library.server.asset(47, "", "boot").await, library.server.asset(47, "", "sandal").await);
    let of = |asset: &str| format!("{ACME}<assetHandle>{asset}</assetHandle>");
    let batch = |assets: &[&str]| ACME.to_owned() + &handles(assets);
    let state = async |asset: &str| all(&library.call("getAssets", &batch(&[asset])).await, "trashState");
    let counts = |reply: &str| (all(reply, "successCount").remove(0), all(reply, "errorCount").remove(0));
    let count = |success: u32, error: u32| (success.to_string(), error.to_string());
    for asset in [&boot, &sandal] {
        library.call("deleteAsset", &of(asset)).await;
        assert_eq!(state(asset).await, ["InTrash"], "it is not gone");
    }
    let reply = library.call("restoreAssetsFromTrash", &batch(&[&boot, "a|999"])).await;
    assert_eq!((counts(&reply), all(&reply, "code")), (count(1, 1), vec!["30000".to_owned()]), "{reply}");
    assert_eq!(all(&all(&reply, "errorDetailArray").concat(), "assetHandle"), ["a|999"]);
    assert_eq!(state(&boot).await, ["NotInTrash"]);
    let reply = library.call("emptyAssetsFromTrash", &batch(&[&sandal, &boot])).await;
    assert_eq!(counts(&reply), count(1, 1), "what is not in the trash stays: {reply}");
    assert!(all(&reply, "reason")[0].contains("not in the trash"), "{reply}");
    assert!(state(&sandal).await.is_empty() && state(&boot).await == ["NotInTrash"]);
    library
        .refused(&[
            ("deleteAsset", of(&sandal), 30000, "assetHandle"),
            ("deleteAsset", of("c|1"), 30001, "assetHandle"),
            ("deleteAsset", of(&boot).replace("c|47", "c|48"), 20000, "companyHandle"),
            ("deleteAsset", ACME.to_owned(), 30002, "assetHandle"),
            ("restoreAssetsFromTrash", ACME.to_owned(), 30002, "assetHandleArray"),
            ("emptyAssetsFromTrash", ACME.to_owned(), 30002, "assetHandleArray"),
        ])
        .await;
    for operation in ["restoreAssetsFromTrash", "emptyAssetsFromTrash"] {
        let reply = library.call(operation, &batch(&["c|1"])).await;
        assert_eq!((counts(&reply), all(&reply, "code")), (count(0, 1), vec!["30001".to_owned()]), "{reply}");
    }
    library.server.shut_down().await;
}

/// What was made of a document, and when readers got it, by a daemon that does its work.
#[tokio::test(flavor = "multi_thread")]
async fn assets_tell_what_they_come_from_and_when_they_were_published() {
    let server = Server::start_working().await;
    server.company("Acme", 47).await;
    server.user(BOSS, "Acme", Role::IpsCompanyAdmin).await;
    let library = Library { server };
    let folder = library.server.data().join("ingest/Acme/in");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["leaflet.png", "leaflet-1.png"] {
        std::fs::write(folder.join(name), png(1)).unwrap();
    }
    let job = "<uploadDirectoryJob><serverDir>in</serverDir><overwrite>true</overwrite><readyForPublish>true</readyForPublish>\
        <includeSubfolders>false</includeSubfolders><createMask>false</createMask><processMetadataFiles>false</processMetadataFiles>\
        <emailSetting>None</emailSetting><postImageServingPublishJob><publishType>Full</publishType>\
        <emailSetting>None</emailSetting></postImageServingPublishJob></uploadDirectoryJob>";
    library.call("submitJob", &format!("{ACME}<jobName>Leaflet</jobName>{job}")).await;
    library.server.all_done().await;
    let found = library
        .call(
            "getAssetsByName",
            &format!("{ACME}<nameArray><items>leaflet</items><items>leaflet-1</items></nameArray>"),
        )
        .await;
    let assets = all(&found, "assetHandle");
    let [document, page] = &assets[..] else { panic!("a document and its page: {found}") };
    // As if the one had been drawn from the other, with a link.
    let number = |handle: &str| handle.split('|').nth(1).unwrap().to_owned();
    let drawn =
        format!("UPDATE asset SET parent_id = {}, part = 'page:1' WHERE id = {}", number(document), number(page));
    write(&library.server, &drawn).await;
    for change in ["DELETE FROM derived WHERE asset_id = ", "UPDATE asset SET asset_type = 'Pdf' WHERE id = "] {
        write(&library.server, &format!("{change}{}", number(document))).await;
    }
    let link = format!(
        "INSERT INTO image_map (asset_id, position, name, shape_type, region, action, from_file)
         VALUES ({}, 0, 'link 1', 'rect', '1,2,3,4', 'https://shoes.example/?a=1&b=2', 1)",
        number(page)
    );
    write(&library.server, &link).await;
    let shown = library.call("getAssets", &(ACME.to_owned() + &handles(&[document, page]))).await;
    let map = "<imageMaps><items><name>link 1</name><region>1,2,3,4</region>\
               <action>https://shoes.example/?a=1&amp;b=2</action><shapeType>rect</shapeType><position>0</position>\
               <enabled>true</enabled></items></imageMaps>";
    assert!(shown.matches("<imageMaps>").count() == 1 && shown.contains(map), "{shown}");
    let fields = "<responseFieldArray><items>assetArray/items/name</items></responseFieldArray>";
    let cut = library.call("getAssets", &format!("{ACME}{}{fields}", handles(&[page]))).await;
    assert!(!cut.contains("imageMaps"), "{cut}");
    let made =
        library.call("getGenerationInfo", &format!("{ACME}<originatorHandle>{document}</originatorHandle>")).await;
    assert_eq!(
        (all(&made, "engine"), all(&made, "name").contains(&"leaflet-1".to_owned())),
        (vec!["PostScriptRip".to_owned()], true)
    );
    let history = library.call("getAssetPublishHistory", &format!("{ACME}<assetHandle>{page}</assetHandle>")).await;
    assert_eq!(
        (all(&history, "contextName"), all(&history, "lastPublished").len()),
        (vec!["ImageServing".to_owned()], 1)
    );
    library.server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_an_upload_are_asked_for_by_its_job() {
    let library = Library::open().await;
    let job = "<uploadUrlsJob><urlArray><items><sourceUrl>http://127.0.0.1:9/a</sourceUrl><destPath>a</destPath></items></urlArray>\
        <overwrite>true</overwrite><readyForPublish>true</readyForPublish><createMask>false</createMask>\
        <emailSetting>None</emailSetting></uploadUrlsJob>";
    library.call("submitJob", &format!("{ACME}<jobName>Addresses</jobName>{job}")).await;
    library.server.all_done().await;
    let run = all(&library.call("getJobLogs", ACME).await, "jobHandle").remove(0);
    let ask = async |handle: &str| {
        let fields = element("jobHandle", handle);
        let body = format!(
            "<getUploadTaskStatusParam xmlns=\"{}\">{fields}</getUploadTaskStatusParam>",
            crate::job_fields::LATEST
        );
        library.server.soap(BOSS, &body).await
    };
    for handle in [run.as_str(), "j|47|Addresses||", "47|Addresses|"] {
        let answer = ask(handle).await;
        assert_eq!((answer.status, all(&answer.text, "jobHandle")), (200, vec![run.clone()]), "{}", answer.text);
        assert_eq!(all(&answer.text, "file"), ["http://127.0.0.1:9/a"], "{}", answer.text);
    }
    let publish = "<imageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting></imageServingPublishJob>";
    for (name, when) in [("Published", ""), ("Later", "<execTime>2098-01-01T00:00:00Z</execTime>")] {
        let job = if when.is_empty() { publish } else { job };
        library.call("submitJob", &format!("{ACME}<jobName>{name}</jobName>{when}{job}")).await;
    }
    library.server.all_done().await;
    for (handle, code) in [
        ("j|47|Published||", 30001),
        ("j|47|Later||", 30000),
        ("j|47||Never_2026-01-01-00:00:00.000|7", 30001),
        ("c|47", 30001),
        ("", 30001),
        ("j|48||Never_2026-01-01-00:00:00.000|7", 20000),
    ] {
        let answer = ask(handle).await;
        assert_eq!(answer.fault_code(), Some(code), "{handle}: {}", answer.text);
        assert!(answer.reason().contains("jobHandle"), "{handle}: {}", answer.reason());
    }
    library.server.shut_down().await;
}
