//! What the job operations answer, field by field, and what they do.

use prepress::model::role::Role;
use prepress::model::state::State;

use crate::server::stage::Stage;
use crate::server::{Answer, PASSWORD, Server, envelope};
use crate::shapes::until;
use crate::{ADA, NEWEST, OLDEST};

const ACME: &str = "<companyHandle>c|47</companyHandle>";
const PUBLISH: &str =
    "<imageServingPublishJob><publishType>Full</publishType><emailSetting>None</emailSetting></imageServingPublishJob>";
const UPLOAD: &str = "<uploadUrlsJob><urlArray><items><sourceUrl>http://127.0.0.1:9/a</sourceUrl><destPath>a</destPath></items>\
    <items><sourceUrl>http://127.0.0.1:9/b</sourceUrl><destPath>b</destPath></items></urlArray><overwrite>true</overwrite>\
    <readyForPublish>true</readyForPublish><createMask>false</createMask><emailSetting>None</emailSetting></uploadUrlsJob>";

/// Acme, whose time is Berlin's, with jobs that can be held.
struct Acme {
    stage: Stage,
    server: Server,
}

impl Acme {
    async fn open() -> Self {
        let (stage, registry) = Stage::set();
        let server = Server::start_with(Some(registry), |_| {}).await;
        server.company("Acme", 47).await;
        server.user(ADA, "Acme", Role::IpsUser).await;
        server.asset(47, "", "shoe").await;
        Self { stage, server }
    }

    async fn call_in(&self, namespace: &str, operation: &str, fields: &str) -> Answer {
        let body = format!("<{operation}Param xmlns=\"{namespace}\">{fields}</{operation}Param>");
        self.server.soap(ADA, &body).await
    }

    async fn call(&self, operation: &str, fields: &str) -> Answer {
        self.call_in(NEWEST, operation, &format!("{ACME}{fields}")).await
    }

    async fn submit(&self, name: &str, fields: &str) -> String {
        let answer = self.call("submitJob", &format!("<jobName>{name}</jobName>{fields}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        field(&answer.text, "jobHandle").to_owned()
    }

    /// An operation on a job by its handle: the code of its fault, or 0.
    async fn control(&self, operation: &str, handle: &str) -> i32 {
        let answer = self.call(operation, &format!("<jobHandle>{handle}</jobHandle>")).await;
        if answer.status == 200 {
            assert_eq!(answer.payload(), format!("<{operation}Return xmlns=\"{NEWEST}\"/>"));
            return 0;
        }
        assert!(answer.reason().contains("jobHandle"), "{operation}: {}", answer.reason());
        answer.fault_code().unwrap()
    }

    async fn active(&self, fields: &str) -> String {
        self.call("getActiveJobs", fields).await.payload().to_owned()
    }

    async fn running(&self, name: &str) -> String {
        let fields = format!("<originalName>{name}</originalName>");
        until(async || Some(self.active(&fields).await).filter(|jobs| jobs.contains("<state>Running</state>"))).await
    }

    async fn close(self) {
        self.stage.clear();
        self.server.shut_down().await;
    }
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let rest = text.split_once(&start).unwrap_or_else(|| panic!("no {name} in {text}")).1;
    rest.split_once(&end).unwrap().0
}

/// The same text with every digit as 0: the shape of names and times.
fn shape(text: &str) -> String {
    text.chars().map(|sign| if sign.is_ascii_digit() { '0' } else { sign }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_upload_is_shown_as_it_goes() {
    let acme = Acme::open().await;
    let submitted = acme.submit("Held upload", &format!("<description>for spring</description>{UPLOAD}")).await;
    assert_eq!(submitted, "j|47|Held upload||");
    let shown = until(async || Some(acme.active("").await).filter(|jobs| jobs.contains("boot.jpg"))).await;
    let at = |name: &str| field(&shown, name);
    assert_eq!(shape(at("name")), "Held upload_0000-00-00-00:00:00.000");
    let number = at("jobHandle").rsplit_once('|').unwrap().1;
    assert_eq!(at("jobHandle"), format!("j|47||{}|{number}", at("name")));
    for (name, value) in [
        ("companyHandle", "c|47"),
        ("originalName", "Held upload"),
        ("type", "UrlUpload"),
        ("state", "Running"),
        ("submitUserEmail", ADA),
        ("description", "for spring"),
        ("totalSize", "3"),
        ("progress", "1"),
        ("progressMessage", "Processing files"),
        ("numUrls", "2"),
    ] {
        assert_eq!(at(name), value, "{name} in {shown}");
    }
    assert!(shown.contains("<urlArray/>") && !shown.contains("sourceUrl"), "addresses are counted, not told: {shown}");
    for time in ["startDate", "triggerTime", "lastProgressUpdate"] {
        let offset = &at(time)[at(time).len() - 6..];
        assert_eq!(shape(at(time)), "0000-00-00T00:00:00.000+00:00", "{time}");
        assert!(["+01:00", "+02:00"].contains(&offset), "{time} is local: {}", at(time));
    }
    let task = field(&shown, "taskProgressArray");
    assert!(
        task.starts_with(
            "<items><taskType>com.scene7.upload.UploadAsyncTaskMonitor</taskType><taskState>Processing</taskState>\
             <numProcessed>1</numProcessed><numProcessing>1</numProcessing><numPending>1</numPending><progress>0.333"
        ),
        "{task}"
    );
    let item = field(task, "taskItemProgressArray");
    assert!(item.starts_with("<items><itemName>boot.jpg</itemName><progress>0.5</progress>"), "{item}");

    // A publish has no tasks, and what it was not given is filled in.
    acme.submit("Held publish", PUBLISH).await;
    let publish = acme.running("Held publish").await;
    assert!(publish.contains("<taskProgressArray/>"), "{publish}");
    assert!(
        publish.contains("<publishType>Full</publishType><emailSetting>None</emailSetting><httpCompletionUrl/>"),
        "{publish}"
    );
    acme.close().await;
}

/// Whichever handle a client has kept, in whichever shape, and the name it gave.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_found_by_every_handle_and_by_its_name() {
    let acme = Acme::open().await;
    acme.submit("Held upload", UPLOAD).await;
    acme.submit("Held other", PUBLISH).await;
    let run = field(&acme.running("Held upload").await, "jobHandle").to_owned();
    let numberless = run.rsplit_once('|').unwrap().0;
    let legacy = numberless.strip_prefix("j|").unwrap();
    let with_handle = |handle: &str| format!("<jobHandle>{handle}</jobHandle>");
    let lookups = [
        with_handle("j|47|Held upload||"),
        with_handle("47|Held upload|"),
        with_handle(&run),
        with_handle(&format!("{numberless}|")),
        with_handle(legacy),
        "<originalName>Held upload</originalName>".to_owned(),
        format!("{}<originalName>Held upload</originalName>", with_handle(&run)),
    ];
    for namespace in [OLDEST, NEWEST] {
        let (company, expected) = if namespace == OLDEST { ("47", legacy) } else { ("c|47", run.as_str()) };
        for lookup in &lookups {
            let fields = format!("<companyHandle>{company}</companyHandle>{lookup}");
            for operation in ["getActiveJobs", "getJobLogDetails"] {
                let answer = acme.call_in(namespace, operation, &fields).await;
                assert_eq!(answer.text.matches("<jobHandle>").count(), 1, "{operation} {lookup}: {}", answer.text);
                assert_eq!(field(&answer.text, "jobHandle"), expected, "{operation} {lookup}");
                assert_eq!(field(&answer.text, "companyHandle"), company);
            }
        }
    }
    for nothing in [
        with_handle("j|47|Held||"),
        with_handle(&format!("{numberless}|999999")),
        "<originalName>held upload</originalName>".to_owned(),
        format!("{}<originalName>Held other</originalName>", with_handle(&run)),
    ] {
        assert!(acme.active(&nothing).await.contains("<jobArray/>"), "{nothing}");
    }
    acme.close().await;
}

/// While it goes on, by the handle that its submission answered; of two of one name the one that goes on is meant.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_upload_tells_of_its_files() {
    let acme = Acme::open().await;
    let directory = "<uploadDirectoryJob><destFolder>In</destFolder><serverDir>in</serverDir><overwrite>true</overwrite>\
        <readyForPublish>true</readyForPublish><includeSubfolders>true</includeSubfolders><createMask>false</createMask>\
        <processMetadataFiles>false</processMetadataFiles><emailSetting>None</emailSetting></uploadDirectoryJob>";
    let handle = acme.submit("Held directory", directory).await;
    acme.submit("Held directory", PUBLISH).await;
    let ask = async || {
        let namespace = crate::job_fields::LATEST;
        acme.call_in(namespace, "getUploadTaskStatus", &format!("<jobHandle>{handle}</jobHandle>")).await
    };
    let shown = until(async || Some(ask().await).filter(|status| status.text.contains("boot.jpg"))).await;
    let task = |file: &str, state: &str, progress: &str| {
        format!(
            "<items><file>{file}</file><processingStatus>{state}</processingStatus><workflowState>Running</workflowState>\
             <progress>{progress}</progress>"
        )
    };
    for task in [task("Acme/In/boot.jpg", "Processing", "0.5"), task("Acme/In/shoe.jpg", "Done", "1.0")] {
        assert!(shown.text.contains(&task), "{task} in {}", shown.text);
    }
    assert!(field(&shown.text, "jobHandle").starts_with("j|47||Held directory_"), "{}", shown.text);
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_takes_effect_at_a_checkpoint() {
    let acme = Acme::open().await;
    for name in ["Held", "Held fast"] {
        acme.submit(name, UPLOAD).await;
    }
    let (held, fast) = (acme.running("Held").await, acme.running("Held fast").await);
    assert_eq!(acme.control("stopJob", field(&held, "jobHandle")).await, 0);
    until(async || acme.active("<originalName>Held</originalName>").await.contains("<jobArray/>").then_some(())).await;
    // This one does not heed it yet; asking again is no error.
    for _ in 0..2 {
        assert_eq!(acme.control("stopJob", "j|47|Held fast||").await, 0);
    }
    let stopping = acme.active("<originalName>Held fast</originalName>").await;
    assert_eq!(field(&stopping, "state"), "Stopping");
    assert!(stopping.contains("<taskState>Stopping</taskState>"), "{stopping}");
    let running_only = acme.active("<includeWaitingJobs>false</includeWaitingJobs>").await;
    assert!(running_only.contains("<state>Stopping</state>"), "{running_only}");
    acme.stage.clear();
    acme.server.all_done().await;
    for handle in ["j|47|Held fast||", field(&fast, "jobHandle"), field(&held, "jobHandle")] {
        assert_eq!(acme.control("stopJob", handle).await, 30000, "it is over: {handle}");
    }
    let log = acme.call("getJobLogDetails", "<originalName>Held</originalName>").await.text;
    assert!(log.contains(&format!("Stopped by {ADA}")), "{log}");
    assert!(log.contains("<fatalError>false</fatalError>") && log.contains("<endDate>"), "{log}");
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_one_name_are_stopped_together() {
    let acme = Acme::open().await;
    acme.submit("Held", UPLOAD).await;
    acme.submit("Held", UPLOAD).await;
    assert_eq!(acme.active("<jobHandle>j|47|Held||</jobHandle>").await.matches("<state>").count(), 2);
    assert_eq!(acme.control("stopJob", "j|47|Held||").await, 0);
    let runs = acme.server.all_done().await;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.state == State::Done));
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_one_name_are_deleted_together() {
    let acme = Acme::open().await;
    acme.submit("Held", UPLOAD).await;
    acme.submit("Held", UPLOAD).await;
    acme.submit("Held other", UPLOAD).await;
    assert_eq!(acme.control("deleteJob", "j|47|Held||").await, 0);
    assert_eq!(acme.control("stopJob", "j|47|Held other||").await, 0);
    let runs = acme.server.all_done().await;
    assert!(runs.len() == 3 && runs.iter().all(|run| run.state == State::Done));
    assert_eq!(acme.control("deleteJob", "j|47|Held||").await, 30001, "nothing is left of them");
    acme.close().await;
}

/// A job that runs every minute has a hundred thousand runs of one name.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_name_shows_its_newest_runs() {
    let acme = Acme::open().await;
    for _ in 0..105 {
        acme.submit("Minutely", UPLOAD).await;
    }
    acme.server.all_done().await;
    let log = acme.call("getJobLogDetails", "<originalName>Minutely</originalName>").await.text;
    let shown: Vec<i64> = log
        .split("<jobHandle>")
        .skip(1)
        .map(|rest| rest.split_once("</jobHandle>").unwrap().0.rsplit_once('|').unwrap().1.parse().unwrap())
        .collect();
    assert_eq!(shown, (6..=105).rev().collect::<Vec<i64>>(), "the newest hundred, the newest first");
    assert!(log.matches("<logMessage>").count() <= 1000);
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn controls_refuse_what_cannot_be_done() {
    let acme = Acme::open().await;
    acme.submit("Once", UPLOAD).await;
    acme.server.all_done().await;
    let run = field(&acme.call("getJobLogs", "").await.text, "jobHandle").to_owned();
    let operations = ["stopJob", "pauseJob", "resumeJob", "executeJob", "deleteJob"];
    for operation in operations {
        for unknown in ["j|47|Never||", "47|Never|", "j|47||Never_2026-01-01-00:00:00.000|7"] {
            assert_eq!(acme.control(operation, unknown).await, 30001, "{operation} {unknown}");
        }
        assert_eq!(acme.control(operation, "j|48|Once||").await, 20006, "{operation}: of another company");
        for wrong in ["Once", "j|x|Once||", "c|47", "", "j|47|||", "j|47|Once|Run|7"] {
            assert_eq!(acme.control(operation, wrong).await, 30001, "{operation} {wrong}");
        }
    }
    for handle in ["j|47|Once||", run.as_str()] {
        for operation in ["stopJob", "pauseJob", "resumeJob", "deleteJob"] {
            assert_eq!(acme.control(operation, handle).await, 30000, "{operation} {handle}: it is over");
        }
        let refused = acme.call("deleteJob", &format!("<jobHandle>{handle}</jobHandle>")).await;
        assert!(
            refused.reason().contains("has ended") && refused.reason().contains("its log stays"),
            "{}",
            refused.text
        );
    }
    let nightly = acme.submit("Nightly", &format!("<execSchedule>0 0 3 * * ?</execSchedule>{PUBLISH}")).await;
    assert_eq!(acme.control("resumeJob", &nightly).await, 30000, "it is not paused");
    assert_eq!(acme.control("stopJob", &nightly).await, 30000, "it does not run");
    for _ in 0..2 {
        assert_eq!(acme.control("pauseJob", &nightly).await, 0, "pausing twice is no error");
    }
    assert_eq!(acme.control("executeJob", &nightly).await, 0, "a paused job can be run by hand");
    acme.server.all_done().await;
    assert_eq!(acme.control("resumeJob", &nightly).await, 0);
    assert_eq!(acme.control("deleteJob", &nightly).await, 0);
    for operation in operations {
        assert_eq!(acme.control(operation, &nightly).await, 30001, "{operation}: it is gone");
    }
    let logs = acme.call("getJobLogs", "").await.text;
    assert!(logs.contains("<originalJobName>Nightly</originalJobName>"), "its log stays: {logs}");
    acme.submit("Nightly", &format!("<execSchedule>0 0 3 * * ?</execSchedule>{PUBLISH}")).await;
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_by_the_handle_of_a_run_leaves_the_schedule() {
    let acme = Acme::open().await;
    let handle = acme.submit("Held nightly", &format!("<execSchedule>0 0 3 * * ?</execSchedule>{UPLOAD}")).await;
    assert_eq!(acme.control("executeJob", &handle).await, 0);
    let run = field(&acme.running("Held nightly").await, "jobHandle").to_owned();
    let scheduled = async || acme.call("getScheduledJobs", "").await.payload().to_owned();
    assert!(scheduled().await.contains("<triggerState>Blocked</triggerState>"), "its run is going on");
    assert_eq!(acme.control("deleteJob", &run).await, 0);
    acme.server.all_done().await;
    assert!(scheduled().await.contains("<triggerState>Normal</triggerState>"));
    assert_eq!(acme.control("deleteJob", &run).await, 30000, "the run has ended, and nothing is done in silence");
    assert!(scheduled().await.contains("<triggerState>Normal</triggerState>"));
    assert_eq!(acme.control("executeJob", &handle).await, 0);
    acme.running("Held nightly").await;
    assert_eq!(acme.control("deleteJob", &handle).await, 0);
    assert!(scheduled().await.contains("<jobArray/>"));
    acme.server.all_done().await;
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn start_times_are_read_in_their_zone_or_the_servers() {
    let acme = Acme::open().await;
    for (index, (text, shown, zone)) in [
        ("2098-07-01T12:00:00Z", "2098-07-01T14:00:00.000+02:00", "CEST"),
        ("2098-01-15T12:00:00.250-05:00", "2098-01-15T18:00:00.250+01:00", "CET"),
        ("2098-01-15T12:00:00", "2098-01-15T12:00:00.000+01:00", "CET"),
        ("2098-07-15T12:00:00", "2098-07-15T12:00:00.000+02:00", "CEST"),
        ("9998-12-31T23:59:59Z", "9999-01-01T00:59:59.000+01:00", "CET"),
        ("2098-06-30T24:00:00Z", "2098-07-01T02:00:00.000+02:00", "CEST"),
        ("2098-12-31T24:00:00", "2099-01-01T00:00:00.000+01:00", "CET"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("Later {index}");
        let fields = format!("<locale>EN</locale><execTime>{text}</execTime><description>d</description>{PUBLISH}");
        let handle = acme.submit(&name, &fields).await;
        let job = acme.call("getScheduledJobs", &format!("<originalName>{name}</originalName>")).await.text;
        assert_eq!((field(&job, "nextFireTime"), field(&job, "timeZone")), (shown, zone), "{text}");
        assert_eq!(
            (field(&job, "jobHandle"), field(&job, "name"), field(&job, "originalName")),
            (handle.as_str(), name.as_str(), name.as_str())
        );
        assert_eq!((field(&job, "triggerState"), field(&job, "type")), ("Normal", "ImageServingPublish"));
        assert!(
            !job.contains("<execSchedule>") && job.contains("<locale>en</locale><description>d</description>"),
            "{job}"
        );
    }
    for past in ["2001-01-01T00:00:00Z", "2001-01-01T00:00:00", "0001-01-01T00:00:00+14:00"] {
        acme.submit("Past", &format!("<execTime>{past}</execTime>{PUBLISH}")).await;
    }
    assert_eq!(acme.server.all_done().await.len(), 3, "what is past runs at once");
    let log = acme.call("getJobLogDetails", "<originalName>Past</originalName>").await.text;
    assert!(log.contains("That had passed when it was submitted, so it runs at once."), "{log}");
    for wrong in
        ["2098-01-15", "2098-02-30T00:00:00Z", "12:00:00", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "now"]
    {
        let fields = format!("<jobName>N</jobName><execTime>{wrong}</execTime>{PUBLISH}");
        let answer = acme.call("submitJob", &fields).await;
        assert_eq!(answer.fault_code(), Some(30001), "{wrong}: {}", answer.text);
        assert!(answer.reason().contains("execTime"), "{}", answer.reason());
    }
    for (wrong, rule) in [("2098-06-30T23:59:60Z", "seconds from 00 to 59"), ("2098-06-30T24:00:01Z", "24:00:00")] {
        let fields = format!("<jobName>N</jobName><execTime>{wrong}</execTime>{PUBLISH}");
        let answer = acme.call("submitJob", &fields).await;
        assert_eq!(answer.fault_code(), Some(30001), "{wrong}: {}", answer.text);
        assert!(answer.reason().contains("execTime") && answer.reason().contains(rule), "{}", answer.reason());
    }
    assert_eq!(acme.call("getScheduledJobs", "").await.text.matches("<jobHandle>").count(), 7);
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_way_to_unpack_is_named() {
    let acme = Acme::open().await;
    let upload = |process: &str| {
        let options = format!("<unCompressOptions>{process}</unCompressOptions></uploadUrlsJob>");
        format!("<jobName>N</jobName>{}", UPLOAD.replace("</uploadUrlsJob>", &options))
    };
    for (process, code) in [
        ("<process>Explode</process>", 30001),
        ("<process>uncompressed</process>", 30001),
        ("<process></process>", 30001),
        ("", 30002),
    ] {
        let answer = acme.call("submitJob", &upload(process)).await;
        assert_eq!(answer.fault_code(), Some(code), "{process}: {}", answer.text);
        assert!(answer.reason().contains("uploadUrlsJob/unCompressOptions/process"), "{process}: {}", answer.reason());
    }
    for process in ["None", "UnCompress"] {
        let answer = acme.call("submitJob", &upload(&format!("<process>{process}</process>"))).await;
        assert_eq!(answer.status, 200, "{process}: {}", answer.text);
    }
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_url_is_shown_without_its_password() {
    let acme = Acme::open().await;
    for (name, url, shown) in [
        ("Secret", "https://ann:s3cret@hook.example/done?job=1", "https://hook.example/done?job=1"),
        ("Open", "https://hook.example?at=ann@example.com", "https://hook.example?at=ann@example.com"),
    ] {
        let job = format!(
            "<execTime>2098-01-01T00:00:00Z</execTime><imageServingPublishJob><publishType>Full</publishType><emailSetting>\
             None</emailSetting><httpCompletionUrl>{url}</httpCompletionUrl></imageServingPublishJob>"
        );
        acme.submit(name, &job).await;
        let job = acme.call("getScheduledJobs", &format!("<originalName>{name}</originalName>")).await.text;
        assert_eq!(field(&job, "httpCompletionUrl"), shown);
    }
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_told_in_a_language_there_is() {
    let acme = Acme::open().await;
    acme.submit("Upload", &format!("<locale>de-DE</locale>{UPLOAD}")).await;
    acme.server.all_done().await;
    let body = format!(
        "<getJobLogDetailsParam xmlns=\"{NEWEST}\">{ACME}<originalName>Upload</originalName></getJobLogDetailsParam>"
    );
    let ask = async |header_locale: &str, accepted: &str| {
        let header = format!(
            "<authHeader><user>{ADA}</user><password>{PASSWORD}</password><locale>{header_locale}</locale></authHeader>"
        );
        let headers = [("Accept-Language", accepted)];
        acme.server.post("/scene7/services/IpsApiService", &envelope(&header, &body), &headers).await
    };
    let english = ask("en", "").await;
    assert!(english.text.contains("shoe.jpg was processed as Image"), "{}", english.text);
    for locale in ["", "EN", "en-US", "en_gb", "xx", "xx-YY", "zz", "english", "\u{1F600}", "de-DE-1996-x"] {
        for accepted in ["", "tlh, xx;q=0.5", "*"] {
            let told = ask(locale, accepted).await;
            assert_eq!((told.status, &told.text), (200, &english.text), "{locale:?} {accepted:?}");
        }
    }
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn details_come_in_pages_by_type_and_in_order() {
    let acme = Acme::open().await;
    acme.submit("Upload", UPLOAD).await;
    acme.server.all_done().await;
    let details = async |fields: &str| {
        let answer = acme.call("getJobLogDetails", &format!("<originalName>Upload</originalName>{fields}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let array = answer.text.split_once("<detailArray").unwrap().1.to_owned();
        let types: Vec<String> =
            array.split("<logType>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
        (field(&answer.text, "detailTotalRows").to_owned(), types)
    };
    let (total, all) = details("").await;
    assert_eq!(all[..3], ["BeginUploadUrls", "OriginalJobName", "JobClient"]);
    assert_eq!(all.last().unwrap(), "EndUploadUrls");
    assert_eq!(total, all.len().to_string());
    let (total, some) =
        details("<logTypeArray><items>UploadSuccess</items><items>NoSuchType</items></logTypeArray>").await;
    assert_eq!((total.as_str(), some), ("1", vec!["UploadSuccess".to_owned()]));
    assert_eq!(details("<logTypeArray><items>NoSuchType</items></logTypeArray>").await, ("0".to_owned(), Vec::new()));
    let (total, page) = details("<recordsPerPage>2</recordsPerPage><resultsPage>2</resultsPage>").await;
    assert_eq!((total, page.as_slice()), (all.len().to_string(), &all[2..4]), "the rows of all pages are counted");
    assert!(details("<resultsPage>2147483647</resultsPage>").await.1.is_empty());
    let mut backwards = details("<sortBy>Date</sortBy><sortDirection>Descending</sortDirection>").await.1;
    backwards.reverse();
    assert_eq!(backwards, all);
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!(details("<sortBy>LogType</sortBy><sortDirection>ascending</sortDirection>").await.1, sorted);
    acme.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_cover_what_runs_and_what_is_over() {
    let acme = Acme::open().await;
    acme.submit("Upload", &format!("<description>for spring</description>{UPLOAD}")).await;
    acme.server.all_done().await;
    acme.submit("Held", PUBLISH).await;
    acme.running("Held").await;
    let logs = acme.call("getJobLogs", "").await.payload().to_owned();
    let (held, upload) = logs.split_once("</items>").unwrap();
    assert_eq!(
        (field(held, "originalJobName"), field(held, "jobSubType")),
        ("Held", "full"),
        "the newest first: {logs}"
    );
    assert!(!held.contains("<endDate>"), "{held}");
    assert_eq!((field(upload, "originalJobName"), field(upload, "description")), ("Upload", "for spring"));
    assert_eq!((field(upload, "fileSuccessCount"), field(upload, "totalFileCount")), ("1", "1"));
    assert!(
        upload.contains("<jobSubType/>") && upload.contains("<endDate>") && !upload.contains("detailArray"),
        "{upload}"
    );
    let names = async |fields: &str| {
        let logs = acme.call("getJobLogs", fields).await;
        assert_eq!(logs.status, 200, "{}", logs.text);
        logs.text.matches("<originalJobName>").count()
    };
    for (fields, count) in [
        ("<numRows>1</numRows>", 1),
        ("<endDate>2001-01-01T00:00:00</endDate>", 0),
        ("<startDate>0001-01-01T00:00:00Z</startDate><endDate>9999-12-31T23:59:59Z</endDate>", 2),
        ("<startDate>9999-12-31T23:59:59-14:00</startDate>", 0),
        ("<userHandle>u|999999|nobody</userHandle>", 0),
        ("<sortBy>JobName</sortBy><sortDirection>Descending</sortDirection>", 2),
        ("<numRows>2147483647</numRows>", 2),
    ] {
        assert_eq!(names(fields).await, count, "{fields}");
    }
    acme.close().await;
}

#[tokio::test]
async fn colour_profiles_of_a_job_are_checked_when_it_is_submitted() {
    let acme = Acme::open().await;
    let image = acme.server.asset(47, "", "photo").await;
    let order = |source: &str, output: &str| {
        format!(
            "<reprocessAssetsJob><assetHandleArray><items>{image}</items></assetHandleArray><createMask>false</createMask>\
             <colorManagementOptions><colorManagement>Convert</colorManagement>\
             <sourceProfileHandle>{source}</sourceProfileHandle><outputProfileHandle>{output}</outputProfileHandle>\
             </colorManagementOptions><emailSetting>None</emailSetting></reprocessAssetsJob>"
        )
    };
    let refused = [
        (order("", &image), "outputProfileHandle", "must name a colour profile; photo is of type Image"),
        (
            order("a|4711|13|4711", ""),
            "sourceProfileHandle",
            "must name an asset of the company that is not in the trash",
        ),
    ];
    for (order, field, rule) in refused {
        let answer = acme.call("submitJob", &format!("<jobName>again</jobName>{order}")).await;
        assert_eq!(answer.fault_code(), Some(30001), "{}", answer.text);
        let reason = answer.reason();
        assert!(reason.contains(&format!("reprocessAssetsJob/colorManagementOptions/{field}")), "{reason}");
        assert!(reason.contains(rule), "{reason}");
    }
    acme.submit("again", &order("", "")).await;
}

/// Until 2009 the options of layers stood beside a switch of their own; who asks in another version sees the same job.
#[tokio::test(flavor = "multi_thread")]
async fn photoshop_options_of_early_versions_are_those_of_late_ones() {
    const EARLY: &str = "http://www.scene7.com/IpsApi/xsd/2009-07-31";
    let acme = Acme::open().await;
    let job = |name: &str, naming: &str| {
        format!(
            "{ACME}<jobName>{name}</jobName><uploadDirectoryJob><serverDir>in</serverDir><overwrite>true</overwrite>\
             <readyForPublish>true</readyForPublish><includeSubfolders>true</includeSubfolders><createMask>false</createMask>\
             <processMetadataFiles>false</processMetadataFiles><photoshopOptions><maintainLayers>true</maintainLayers>\
             <layerNaming>{naming}</layerNaming><createTemplate>true</createTemplate></photoshopOptions>\
             <emailSetting>None</emailSetting></uploadDirectoryJob>"
        )
    };
    let refused = acme.call_in(EARLY, "submitJob", &job("Bad", "Number")).await;
    assert!(refused.reason().contains("photoshopOptions/layerNaming"), "{}", refused.reason());
    let answer = acme.call_in(EARLY, "submitJob", &job("Held layers", "AppendNumber")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let late = acme.running("Held layers").await;
    let expected = "<photoshopOptions><process>MaintainLayers</process><layerOptions><layerNaming>AppendNumber</layerNaming>\
         <createTemplate>true</createTemplate></layerOptions></photoshopOptions>";
    assert!(late.contains(expected), "{late}");
    let early = acme.call_in(EARLY, "getActiveJobs", ACME).await;
    let expected = "<photoshopOptions><maintainLayers>true</maintainLayers><layerNaming>AppendNumber</layerNaming>\
         <createTemplate>true</createTemplate></photoshopOptions>";
    assert!(early.payload().contains(expected), "{}", early.payload());
    acme.close().await;
}

/// They were accepted, and then nothing found the job any more.
#[tokio::test(flavor = "multi_thread")]
async fn blanks_around_a_name_belong_to_it_in_every_call() {
    let acme = Acme::open().await;
    for name in [" Held", "Held ", "  Held  ", "Held"] {
        let handle = acme.submit(name, UPLOAD).await;
        assert_eq!(handle, format!("j|47|{name}||"));
        acme.submit(&format!("{name} nightly "), &format!("<execSchedule>0 0 3 * * ?</execSchedule>{UPLOAD}")).await;
    }
    for name in [" Held", "Held ", "  Held  ", "Held"] {
        let by_name = format!("<originalName>{name}</originalName>");
        let by_handle = format!("<jobHandle>\n  j|47|{name}||\n</jobHandle>");
        let run = field(&acme.running(name).await, "jobHandle").to_owned();
        for lookup in [&by_name, &by_handle, &format!("<jobHandle> {run} </jobHandle>")] {
            for operation in ["getActiveJobs", "getJobLogDetails"] {
                let answer = acme.call(operation, lookup).await;
                assert_eq!(answer.text.matches("<jobHandle>").count(), 1, "{operation} {lookup}: {}", answer.text);
                assert_eq!(field(&answer.text, "jobHandle"), run, "{operation} {lookup}");
            }
        }
        let scheduled = format!("<originalName>{name} nightly </originalName>");
        let answer = acme.call("getScheduledJobs", &scheduled).await;
        assert_eq!(field(&answer.text, "originalName"), format!("{name} nightly "));
        assert_eq!(acme.control("stopJob", &format!(" j|47|{name}|| ")).await, 0);
    }
    acme.close().await;
}
