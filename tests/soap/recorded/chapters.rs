//! What is asked. Each chapter goes on where the one before it has left the company.

use prepress::contract::Contract;
use prepress::transport::soap::operations::NAMES;

use crate::ADA;
use crate::server::PASSWORD;

use super::tape::Tape;

/// An element of this name with this in it.
fn element(name: &str, inside: &str) -> String {
    format!("<{name}>{inside}</{name}>")
}

fn items<'i>(inside: impl IntoIterator<Item = &'i str>) -> String {
    inside.into_iter().map(|one| element("items", one)).collect()
}

fn handles(handles: &[&str]) -> String {
    element("assetHandleArray", &items(handles.iter().copied()))
}

/// The texts of all elements of a name.
fn all(text: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&start).skip(1).map(|rest| rest.split_once(&end).unwrap().0.to_owned()).collect()
}

/// The first of them; nothing in a version that does not know the operation.
fn first(text: &str, name: &str) -> String {
    all(text, name).into_iter().next().unwrap_or_default()
}

fn company(tape: &Tape<'_>) -> String {
    element("companyHandle", &tape.handle("c|47"))
}

pub async fn accounts(tape: &mut Tape<'_>) {
    let acme = company(tape);
    for password in [PASSWORD, "wrong"] {
        tape.ask("checkLogin", &format!("<email>{ADA}</email><password>{password}</password>")).await;
    }
    tape.ask("getUserInfo", "").await;
    tape.ask("getUserInfo", "<email>nobody@acme.example</email>").await;
    tape.ask("getCompanyInfo", &acme).await;
    tape.ask("getCompanyInfo", "<companyName>Acme</companyName>").await;
    tape.ask("getCompanyMembership", "").await;
    tape.ask("getCompanySettings", &acme).await;
    let settings = "<overwriteMode>OverwriteAnyExt</overwriteMode><retainPublishState>true</retainPublishState>";
    tape.ask("setCompanySettings", &format!("{acme}{settings}")).await;
    tape.ask("getCompanySettings", &acme).await;
    tape.ask("getPublishContexts", &acme).await;
    tape.ask("getPublishContexts", &format!("{acme}<contextType>ImageServing</contextType>")).await;
    tape.ask("getActivePublishContexts", &acme).await;
    tape.ask("getProperty", "<name>UploadPostMaxFileSize</name>").await;
    tape.ask("getProperty", "<name>Uptime</name>").await;
    tape.ask("getSystemProperties", "").await;
    tape.keep("accounts");
}

pub async fn folders(tape: &mut Tape<'_>) {
    let acme = company(tape);
    for path in ["Shoes/Summer", "Shoes/Winter", "Hats", "Shoes/Summer", "../etc"] {
        tape.ask("createFolder", &format!("{acme}<folderPath>{path}</folderPath>")).await;
    }
    tape.ask("getFolders", &acme).await;
    tape.ask("getFolders", &format!("{acme}<folderPath>Acme/Shoes/</folderPath>")).await;
    tape.ask("getFolderTree", &format!("{acme}<depth>-1</depth>")).await;
    tape.ask("getFolderTree", &format!("{acme}<folderPath>Acme/Shoes/</folderPath><depth>1</depth>")).await;
    for folder in ["Acme/Hats/", "Acme/Nothing/"] {
        tape.ask(
            "deleteFolder",
            &format!("{acme}<folderHandle>{}</folderHandle>", tape.handle(&format!("f|{folder}"))),
        )
        .await;
    }
    tape.keep("folders");
}

/// Jobs that run at once: uploads, one of them with nothing but mistakes, and what is said of them.
pub async fn jobs(tape: &mut Tape<'_>) {
    let acme = company(tape);
    for (folder, setting) in
        [("shoe", "All"), ("boot", "JobCompletion"), ("clog", "None"), ("broken", "ErrorAndWarning")]
    {
        let job = format!(
            "<uploadDirectoryJob><serverDir>{folder}</serverDir><destFolder>Acme/Shoes/</destFolder><overwrite>true</overwrite>\
             <readyForPublish>true</readyForPublish><includeSubfolders>true</includeSubfolders><createMask>false</createMask>\
             <processMetadataFiles>false</processMetadataFiles><emailSetting>{setting}</emailSetting></uploadDirectoryJob>"
        );
        tape.ask("submitJob", &format!("{acme}<jobName>Upload {folder}</jobName>{job}")).await;
        tape.server.all_done().await;
    }
    tape.ask("getActiveJobs", &acme).await;
    let logs = tape.ask("getJobLogs", &acme).await;
    tape.ask(
        "getJobLogs",
        &format!("{acme}<sortBy>StartDate</sortBy><sortDirection>Ascending</sortDirection><numRows>2</numRows>"),
    )
    .await;
    for run in all(&logs, "jobHandle") {
        tape.ask("getJobLogDetails", &format!("{acme}<jobHandle>{run}</jobHandle>")).await;
        tape.ask("getUploadTaskStatus", &element("jobHandle", &run)).await;
    }
    let kinds = "<logTypeArray><items>UploadError</items></logTypeArray><recordsPerPage>1</recordsPerPage><resultsPage>1</resultsPage>";
    tape.ask("getJobLogDetails", &format!("{acme}<originalName>Upload broken</originalName>{kinds}")).await;
    tape.keep("jobs");
}

/// Jobs that wait for their time, and what can be done with them.
pub async fn schedules(tape: &mut Tape<'_>) {
    let acme = company(tape);
    let publish = "<imageServingPublishJob><publishType>Full</publishType><emailSetting>Error</emailSetting></imageServingPublishJob>";
    let (daily, never) = ("<execSchedule>0 0 12 * * ?</execSchedule>", "<execSchedule>0 0 12 31 2 ?</execSchedule>");
    let once = "<execTime>2099-01-01T12:00:00.000+01:00</execTime>";
    let mut jobs = Vec::new();
    for (name, when) in [("Daily", daily), ("Once", once), ("Never", never), ("Daily", daily)] {
        let answer = tape.ask("submitJob", &format!("{acme}<jobName>{name}</jobName>{when}{publish}")).await;
        jobs.extend(all(&answer, "jobHandle"));
    }
    tape.ask("getScheduledJobs", &acme).await;
    let job = format!("{acme}{}", element("jobHandle", &jobs[0]));
    for operation in ["pauseJob", "pauseJob", "resumeJob", "executeJob"] {
        tape.ask(operation, &job).await;
    }
    tape.server.all_done().await;
    tape.ask("getScheduledJobs", &format!("{acme}<originalName>Daily</originalName>")).await;
    let all_runs = tape.ask("getJobLogs", &format!("{acme}<numRows>1</numRows>")).await;
    tape.ask("getJobLogDetails", &format!("{acme}{}", element("jobHandle", &first(&all_runs, "jobHandle")))).await;
    tape.ask("stopJob", &job).await;
    for job in &jobs {
        tape.ask("deleteJob", &format!("{acme}{}", element("jobHandle", job))).await;
    }
    tape.ask("deleteJob", &job).await;
    tape.ask("getScheduledJobs", &acme).await;
    tape.keep("schedules");
}

/// The same jobs and a new schedule, as who administers the server sees them.
pub async fn commands(tape: &mut Tape<'_>) {
    let publish = "<imageServingPublishJob><publishType>Full</publishType><emailSetting>Error</emailSetting></imageServingPublishJob>";
    let nightly = "<jobName>Nightly</jobName><execSchedule>0 0 2 * * ?</execSchedule>";
    tape.ask("submitJob", &format!("{}{nightly}{publish}", company(tape))).await;
    for words in [
        &["jobs", "list"][..],
        &["jobs", "list", "--json"],
        &["jobs", "show", "1"],
        &["jobs", "show", "4"],
        &["jobs", "show", "Nightly"],
        &["jobs", "log", "4"],
        &["jobs", "log", "4", "--problems"],
        &["jobs", "schedule"],
        &["jobs", "slots", "Nightly"],
        &["jobs", "show", "99"],
        &["jobs", "stop", "1"],
        &["jobs", "pause", "Nightly"],
        &["jobs", "resume", "Nightly"],
        &["jobs", "delete", "Nightly"],
        &["schedule", "next", "0 0 12 ? * MON-FRI"],
        &["schedule", "next", "0 0 12 * *"],
        &["company", "list"],
        &["user", "list"],
        &["preset", "list", "--company", "Acme"],
        &["check"],
    ] {
        tape.command(words).await;
    }
    tape.keep("commands");
}

pub async fn assets(tape: &mut Tape<'_>) {
    let acme = company(tape);
    let everything = tape.ask("searchAssets", &format!("{acme}<includeSubfolders>true</includeSubfolders>")).await;
    let search = |more: &str| format!("{acme}<includeSubfolders>true</includeSubfolders>{more}");
    for more in [
        "<keywordArray><items>shoe</items></keywordArray>",
        "<assetTypeArray><items>Image</items></assetTypeArray><recordsPerPage>2</recordsPerPage><resultsPage>2</resultsPage>\
         <sortBy>Name</sortBy><sortDirection>Descending</sortDirection>",
        "<recordsPerPage>1</recordsPerPage><responseFieldArray><items>assetArray/items/name</items></responseFieldArray>",
        "<publishState>NotMarkedForPublish</publishState>",
    ] {
        tape.ask("searchAssets", &search(more)).await;
    }
    let found = all(&everything, "assetHandle");
    let (shoe, boot) = (&found[0], &found[1]);
    tape.ask("getAssets", &format!("{acme}{}", handles(&[shoe, boot]))).await;
    tape.ask("getAssetsByName", &format!("{acme}<nameArray><items>clog</items><items>none</items></nameArray>")).await;
    tape.ask("getAssetJobLogs", &format!("{acme}{}", element("assetHandle", shoe))).await;
    let of = |asset: &str| format!("{acme}{}", element("assetHandle", asset));
    let rename = |name: &str| format!("{}<newName>{name}</newName><validateName>true</validateName>", of(boot));
    for name in ["wellington", "shoe", "a/b"] {
        tape.ask("renameAsset", &rename(name)).await;
    }
    let summer = element("folderHandle", &tape.handle("f|Acme/Shoes/Summer/"));
    tape.ask("moveAsset", &format!("{}{summer}", of(boot))).await;
    let moves = format!(
        "<items>{}{summer}</items><items><assetHandle>a|999</assetHandle>{summer}</items>",
        element("assetHandle", shoe)
    );
    tape.ask("moveAssets", &format!("{acme}{}", element("assetMoveArray", &moves))).await;
    tape.ask("getAssets", &format!("{acme}{}", handles(&[shoe, boot]))).await;
    tape.keep("assets");
}

/// The handles of the pictures, by their numbers.
async fn pictures(tape: &mut Tape<'_>) -> Vec<String> {
    let images = "<includeSubfolders>true</includeSubfolders><assetTypeArray><items>Image</items></assetTypeArray>";
    let answer = tape.ask("searchAssets", &format!("{}{images}<sortBy>Name</sortBy>", company(tape))).await;
    all(&answer, "assetHandle")
}

pub async fn formats(tape: &mut Tape<'_>) {
    let acme = company(tape);
    tape.ask("getImageFormats", &acme).await;
    let save = |name: &str, modifier: &str| format!("{acme}<name>{name}</name><urlModifier>{modifier}</urlModifier>");
    let saved = tape.ask("saveImageFormat", &save("Small", "wid=100&amp;fmt=png")).await;
    tape.ask("saveImageFormat", &save("Odd", "wid=many")).await;
    tape.ask("getImageFormats", &acme).await;
    let format = element("imageFormatHandle", &first(&saved, "imageFormatHandle"));
    tape.ask("deleteImageFormat", &format!("{acme}{format}")).await;
    tape.ask("deleteImageFormat", &format!("{acme}{format}")).await;
    tape.keep("formats");
}

pub async fn sets(tape: &mut Tape<'_>) {
    let acme = company(tape);
    let found = pictures(tape).await;
    let folder = element("folderHandle", &tape.handle("f|Acme/Shoes/"));
    let of = |asset: &str| format!("{acme}{}", element("assetHandle", asset));
    let create = |name: &str, kind: &str| format!("{acme}{folder}<name>{name}</name><type>{kind}</type>");
    let made = tape.ask("createImageSet", &create("views", "SpinSet")).await;
    let views = first(&made, "assetHandle");
    tape.ask("createImageSet", &create("views", "ImageSet")).await;
    let seat = |asset: &String| format!("<items><assetHandle>{asset}</assetHandle><pageReset>true</pageReset></items>");
    let seats = element("memberArray", &found.iter().map(seat).collect::<String>());
    tape.ask("setImageSetMembers", &format!("{}{seats}", of(&views))).await;
    tape.ask("getImageSetMembers", &of(&views)).await;
    let two = element("memberArray", &found.iter().rev().take(2).map(seat).collect::<String>());
    tape.ask("updateImageSet", &format!("{}{two}{}", of(&views), element("thumbAssetHandle", &found[0]))).await;
    tape.ask("getImageSetMembers", &of(&views)).await;
    let place = |asset: &str| element("setDefinition", &format!("${{getCatalogId([{asset}])}};;1"));
    let media = format!("{acme}{folder}<name>media</name><subType>MediaSet</subType>{}", place(&found[0]));
    let media = first(&tape.ask("createAssetSet", &media).await, "assetHandle");
    tape.ask("setAssetSetDefinition", &format!("{}{}", of(&media), place(&found[1]))).await;
    tape.ask("updateAssetSet", &format!("{}{}", of(&media), place("a|999"))).await;
    tape.ask("getAssets", &format!("{acme}{}", handles(&[&views, &media]))).await;
    tape.ask("getAssociatedAssets", &of(&views)).await;
    tape.ask("getAssociatedAssets", &of(&found[0])).await;
    tape.ask("getGenerationInfo", &format!("{acme}{}", element("originatorHandle", &found[0]))).await;
    tape.keep("sets");
}

pub async fn properties(tape: &mut Tape<'_>) {
    let acme = company(tape);
    tape.ask("getPropertySetTypes", &acme).await;
    let new = "<name>Season</name><propertyType>CompanyProperty</propertyType><allowMultiple>true</allowMultiple>";
    let made = tape.ask("createPropertySetType", &format!("{acme}{new}")).await;
    let kind = element("typeHandle", &first(&made, "typeHandle"));
    tape.ask("createPropertySetType", &format!("{acme}{new}")).await;
    tape.ask("getPropertySetType", &format!("{acme}<name>Season</name>")).await;
    let owned = format!("{kind}{}", element("primaryOwnerHandle", &tape.handle("c|47")));
    let value = |name: &str, value: &str| format!("<items><name>{name}</name><value>{value}</value></items>");
    let values = element("propertyArray", &[value("from", "March"), value("to", "May")].concat());
    let set = first(&tape.ask("createPropertySet", &format!("{owned}{values}")).await, "setHandle");
    tape.ask("getPropertySets", &owned).await;
    let set = element("setHandle", &set);
    let change = element("propertyArray", &value("to", "June"));
    tape.ask("updatePropertySet", &format!("{set}<replaceProperties>true</replaceProperties>{change}")).await;
    tape.ask("getPropertySets", &owned).await;
    tape.ask("deletePropertySet", &set).await;
    tape.ask("deletePropertySetType", &kind).await;
    tape.ask("getPropertySetTypes", &acme).await;
    tape.keep("properties");
}

pub async fn metadata(tape: &mut Tape<'_>) {
    let acme = company(tape);
    let found = pictures(tape).await;
    let save = "<assetType>Asset</assetType><name>Season</name><fieldType>MultiTag</fieldType><defaultValue/>";
    let season = first(&tape.ask("saveMetadataField", &format!("{acme}{save}")).await, "fieldHandle");
    let season = if season.is_empty() { "m|47|ALL|Season".to_owned() } else { season };
    let create =
        "<assetType>Image</assetType><name>Note</name><fieldType>String</fieldType><defaultValue>none</defaultValue>";
    tape.ask("createMetadataField", &format!("{acme}{create}")).await;
    let note = element("fieldHandle", &tape.handle("m|47|IMAGE|Note"));
    tape.ask("updateMetadataField", &format!("{acme}{note}<name>Remark</name>")).await;
    tape.ask("getMetadataFields", &format!("{acme}<assetType>Image</assetType>")).await;
    tape.ask("getAssetMetadataFields", &acme).await;
    let of = |asset: &str| format!("{acme}{}", element("assetHandle", asset));
    let title = tape.handle("m|47|ALL|dc.title");
    let update =
        |field: &str, value: &str| format!("<items>{}<value>{value}</value></items>", element("fieldHandle", field));
    let updates = element("updateArray", &[update(&season, "spring,autumn"), update(&title, "Schuh 靴")].concat());
    tape.ask("setAssetMetadata", &format!("{}{updates}", of(&found[0]))).await;
    let batch = format!(
        "<items>{}{}</items>",
        handles(&[&found[1], "a|999"]),
        element("updateArray", &update(&season, "winter"))
    );
    tape.ask("batchSetAssetMetadata", &format!("{acme}{}", element("updateArray", &batch))).await;
    tape.ask("getAssets", &format!("{acme}{}", handles(&[&found[0], &found[1]]))).await;
    let field = element("fieldHandle", &season);
    tape.ask("getUniqueMetadataValues", &format!("{acme}{field}")).await;
    tape.ask("getDistinctMetadataValues", &format!("{acme}<metadataKey>dc.title</metadataKey>")).await;
    let asked = format!("{acme}{}", element("fieldHandleArray", &element("items", &season)));
    for (operation, values) in [
        ("setTagFieldValues", "<items>spring</items>"),
        ("addTagFieldValues", "<items>fall</items>"),
        ("deleteTagFieldValues", "<items>spring</items>"),
    ] {
        tape.ask(operation, &format!("{acme}{field}{}", element("valueArray", values))).await;
        tape.ask("getTagFieldValues", &asked).await;
    }
    let condition = |field: &str, op: &str, value: &str| {
        format!("<items>{}<op>{op}</op><value>{value}</value></items>", element("fieldHandle", field))
    };
    let wanted = element("metadataConditionArray", &condition(&title, "Contains", "靴"));
    tape.ask("searchAssets", &format!("{acme}<includeSubfolders>true</includeSubfolders>{wanted}")).await;
    let wanted = element("metadataConditionArray", &condition("dc.title", "Contains", "靴"));
    let shown = "<responseMetadataArray><items>dc.title</items></responseMetadataArray>";
    tape.ask("searchAssetsByMetadata", &format!("{acme}{wanted}{shown}")).await;
    let gone = element("deleteArray", &element("items", &element("fieldHandle", &title)));
    tape.ask("deleteAssetMetadata", &format!("{}{gone}", of(&found[0]))).await;
    tape.ask("deleteMetadataField", &format!("{acme}{}", element("fieldHandle", &tape.handle("m|47|IMAGE|Remark"))))
        .await;
    tape.ask("getAssetMetadataFields", &acme).await;
    tape.keep("metadata");
}

/// Marks, and what a publish makes of them.
pub async fn publishing(tape: &mut Tape<'_>) {
    let acme = company(tape);
    let found = pictures(tape).await;
    let of = |asset: &str| format!("{acme}{}", element("assetHandle", asset));
    tape.ask("setAssetPublishState", &format!("{}<publishState>NotMarkedForPublish</publishState>", of(&found[0])))
        .await;
    let update = |asset: &str, state: &str| {
        format!("<items>{}{}</items>", element("assetHandle", asset), element("publishState", state))
    };
    let updates =
        [update(&found[0], "MarkedForPublish"), update("a|999", "MarkedForPublish"), update(&found[1], "Perhaps")]
            .concat();
    tape.ask("setAssetsPublishState", &format!("{acme}{}", element("publishStateUpdateArray", &updates))).await;
    let updates = update(&found[0], "MarkedForPublish");
    tape.ask("setAssetsPublishState", &format!("{acme}{}", element("publishStateUpdateArray", &updates))).await;
    let contexts = tape.ask("getPublishContexts", &acme).await;
    let state = format!(
        "{}<publishState>NotMarkedForPublish</publishState>",
        element("contextHandle", &first(&contexts, "contextHandle"))
    );
    let updates = format!(
        "{}{}",
        element("assetHandle", &found[1]),
        element("contextStateUpdateArray", &element("items", &state))
    );
    tape.ask(
        "setAssetsContextState",
        &format!("{acme}{}", element("assetsContextStateUpdateArray", &element("items", &updates))),
    )
    .await;
    tape.ask("batchGetAssetPublishContexts", &format!("{acme}{}", handles(&[&found[0], &found[1]]))).await;
    let publish = |name: &str, kind: &str| {
        format!(
            "{acme}<jobName>{name}</jobName><imageServingPublishJob><publishType>{kind}</publishType><emailSetting>All</emailSetting></imageServingPublishJob>"
        )
    };
    for (name, kind) in [("Whole", "Full"), ("Again", "Incremental")] {
        tape.ask("submitJob", &publish(name, kind)).await;
        tape.server.all_done().await;
        tape.ask("getJobLogDetails", &format!("{acme}<originalName>{name}</originalName>")).await;
    }
    tape.ask("forceRepublishAssets", &format!("{acme}{}", handles(&[&found[0]]))).await;
    tape.ask("getAssetPublishHistory", &of(&found[0])).await;
    tape.ask("batchGetAssetPublishContexts", &format!("{acme}{}", handles(&[&found[0], &found[1]]))).await;
    tape.keep("publishing");
}

pub async fn trash(tape: &mut Tape<'_>) {
    let acme = company(tape);
    let found = pictures(tape).await;
    tape.ask("deleteAsset", &format!("{acme}{}", element("assetHandle", &found[0]))).await;
    tape.ask("deleteAssets", &format!("{acme}{}", handles(&[&found[1], "a|999"]))).await;
    tape.ask("getAssets", &format!("{acme}{}", handles(&[&found[0], &found[1]]))).await;
    tape.ask("restoreAssetsFromTrash", &format!("{acme}{}", handles(&[&found[0], &found[2]]))).await;
    tape.ask("emptyAssetsFromTrash", &format!("{acme}{}", handles(&[&found[1], &found[2]]))).await;
    tape.ask("searchAssets", &format!("{acme}<includeSubfolders>true</includeSubfolders>")).await;
    tape.keep("trash");
}

/// What each operation says to nothing, to a field that it does not have, and of a company that is not the caller's.
pub async fn faults(tape: &mut Tape<'_>) {
    for name in NAMES {
        tape.ask(name, "").await;
        tape.ask(name, "<colour>red</colour>").await;
        tape.ask(name, &element("companyHandle", &tape.handle("c|48"))).await;
    }
    for operation in Contract::get().operations().iter().filter(|operation| !NAMES.contains(&operation.name)) {
        tape.ask(operation.name, "").await;
    }
    tape.ask("makeCoffee", "").await;
    tape.keep("faults");
}
