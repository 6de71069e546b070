use chrono::TimeZone;

use super::*;

fn at(hour: u32, minute: u32, second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, hour, minute, second).unwrap()
}

fn report() -> JobReport {
    JobReport {
        id: 54_091,
        name: "Summer shoot".into(),
        run: "Summer shoot_2026-11-23-09:15:04.123".into(),
        kind: "UploadFromServerDirectory".into(),
        company: "Acme Häuser".into(),
        description: None,
        email_setting: "All".into(),
        started: at(9, 15, 4),
        attempt: 1,
        attempts: 5,
        link: None,
    }
}

fn problem(number: usize) -> Problem {
    Problem {
        severity: Severity::Error,
        message: Message::new(code::UPLOAD_ERROR)
            .with("file", format!("Acme/été/photo-{number}.jpg"))
            .with("reason", Message::new(code::REASON_TRUNCATED)),
    }
}

fn finish(ending: Ending, success: u64, warnings: u64, errors: u64) -> Finish {
    Finish {
        at: at(9, 18, 16),
        ending,
        follow_up: None,
        counters: Counters {
            success,
            updated: 0,
            parts: 0,
            failed_parts: 0,
            duplicates: 2,
            left_out: 0,
            warnings,
            removed: 0,
            errors,
            total: success + errors + 2,
        },
        problems: Vec::new(),
        results: Vec::new(),
    }
}

fn write(report: &JobReport, stage: Stage<'_>) -> Mail {
    compose(report, stage, "en", chrono_tz::Europe::Berlin)
}

fn end(finish: Finish) -> Mail {
    write(&report(), Stage::End(&finish))
}

fn failed() -> Ending {
    Ending::Failed { reason: Message::new(code::REASON_DISK_FULL) }
}

#[test]
fn the_subject_tells_the_outcome() {
    let stopped = || Ending::Stopped { by: "eva@example.com".into(), done: 5, items: 40 };
    let subjects = [
        (finish(Ending::Finished, 12_345, 0, 0), "Summer shoot: done, 12,345 files"),
        (finish(Ending::Finished, 1, 0, 0), "Summer shoot: done, 1 file"),
        (finish(Ending::Finished, 0, 0, 0), "Summer shoot: done"),
        (finish(Ending::Finished, 5, 1, 0), "Summer shoot: done with 1 warning"),
        (finish(Ending::Finished, 5, 3, 2), "Summer shoot: done with 2 errors"),
        (finish(Ending::Finished, 0, 0, 1), "Summer shoot: nothing was processed, 1 error"),
        (finish(failed(), 0, 0, 0), "Summer shoot: failed"),
        (finish(failed(), 7, 1, 1), "Summer shoot: failed after 7 files"),
        (finish(stopped(), 1, 0, 0), "Summer shoot: stopped after 1 file"),
    ];
    for (finish, subject) in subjects {
        assert_eq!(end(finish).subject, subject);
    }
    assert_eq!(write(&report(), Stage::Begin).subject, "Summer shoot: started");
}

#[test]
fn a_stopped_job_says_what_was_not_done() {
    let stopped = |items| finish(Ending::Stopped { by: "eva@example.com".into(), done: 5, items }, 5, 0, 0);
    let by = "The job was stopped by eva@example.com";
    let mail = end(stopped(40));
    let lead = format!("{by} after 5 of 40 items: the rest was not done. What was processed before that stays.\n");
    assert!(mail.text.contains(&lead), "{}", mail.text);
    let mail = end(stopped(0));
    assert!(mail.text.contains(&format!("{by}. What was processed before that stays.\n")), "{}", mail.text);
    for ending in [stopped(40).ending, failed()] {
        let mail = end(Finish { follow_up: Some("ImageServingPublish".into()), ..finish(ending, 5, 0, 0) });
        let text = mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected =
            "No follow-up job was submitted (Publish to image serving), because the job did not come to its end.";
        assert!(text.contains(expected), "{}", mail.text);
        assert!(mail.html.contains(expected));
    }
}

#[test]
fn a_publish_says_how_many_files_it_removed() {
    let removed = |success, removed| {
        let mut finish = finish(Ending::Finished, success, 0, 0);
        (finish.counters.removed, finish.counters.duplicates) = (removed, 0);
        finish.counters.total = success;
        end(finish).text
    };
    assert!(removed(0, 1).contains("1 file was removed."), "{}", removed(0, 1));
    assert!(removed(0, 12_345).contains("12,345 files were removed."));
    let counted = removed(2, 3);
    let line = counted.lines().find(|line| line.trim_start().starts_with("Removed"));
    assert_eq!(line.and_then(|line| line.split_whitespace().last()), Some("3"), "{counted}");
    assert!(!removed(2, 0).contains("Removed"));
}

#[test]
fn pages_are_no_files() {
    let with_pages = |files: u64, warnings, errors| {
        let mut finish = finish(Ending::Finished, files + 4, warnings, errors);
        finish.counters.parts = 4;
        finish.counters.total -= 4;
        end(finish)
    };
    let mail = with_pages(1, 0, 0);
    assert_eq!(mail.subject, "Summer shoot: done, 1 file, 4 pages or parts of files");
    for text in [
        "The job ran to its end: 1 file, 4 pages or parts of files, no problems.",
        "  Processed                         5\n",
        "  Of these, pages and parts of files  4\n",
        "  Files in total                    3\n",
    ] {
        let squeezed = |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        assert!(squeezed(&mail.text).contains(&squeezed(text)), "{text}\n in \n{}", mail.text);
    }
    assert_eq!(with_pages(0, 0, 0).subject, "Summer shoot: done, 4 pages or parts of files");
    let lead = "1 file, 4 pages or parts of files processed, and 2 warnings to look at.";
    assert!(with_pages(1, 2, 0).text.contains(lead));
    let lead = "but 1 file or part of one was not processed. Processed: 1 file, 4 pages or parts of files.";
    assert!(with_pages(1, 0, 1).text.contains(lead));
    // No page could be made, and no file failed.
    let mut none = finish(Ending::Finished, 1, 0, 3);
    none.counters.failed_parts = 3;
    let text = end(none).text;
    assert!(text.contains("but 3 files or parts of files were not processed. Processed: 1 file."), "{text}");
}

#[test]
fn files_that_are_left_out_are_no_duplicates_to_pass_over() {
    let left_out = |errors| {
        let mut finish = finish(Ending::Finished, 2, 0, errors);
        finish.counters.left_out = 1;
        let message = Message::new(code::DUPLICATE_LEFT_OUT)
            .with("file", "B/IMG_1.jpg")
            .with("bytes", 47_100)
            .with("asset", "Acme/A/IMG_1.jpg")
            .with("asset-bytes", 46_878)
            .with("at", at(9, 0, 0).timestamp_millis());
        finish.problems = vec![Problem { severity: Severity::Error, message }];
        end(finish)
    };
    let mail = left_out(0);
    assert_eq!(mail.subject, "Summer shoot: done, but 1 file was left out");
    for text in [
        "Done with errors",
        "but 1 file was not processed. The other 2 files are fine.",
        "  Left out            1\n",
        "1 problem\n\n  * Error: B/IMG_1.jpg (47 kB) was left out: Acme/A/IMG_1.jpg has its name and other content",
        "Overwrite it, or number such files: prepress company same-name.",
    ] {
        assert!(mail.text.contains(text), "{text}\n in \n{}", mail.text);
    }
    assert_eq!(left_out(2).subject, "Summer shoot: done with 2 errors, 1 file left out");
}

#[test]
fn a_page_that_failed_is_told_with_its_number() {
    let mut finish = finish(Ending::Finished, 2, 0, 1);
    let why = Message::new(code::REASON_OTHER).with("detail", "drawing it takes longer than 60 s");
    let message = Message::new(code::PAGE_FAILED).with("file", "catalogue.pdf").with("page", 3).with("reason", why);
    finish.problems = vec![Problem { severity: Severity::Error, message }];
    let mail = end(finish);
    let line = "* Error: Page 3 of catalogue.pdf could not be drawn: drawing it takes longer than 60 s.";
    assert!(mail.text.contains(line), "{}", mail.text);
}

#[test]
fn the_text_part_is_complete_and_in_order() {
    let mut report = report();
    report.attempt = 2;
    report.description = Some("Hats and gloves".into());
    report.link = Some("https://prepress.example.com/jobs/54091".into());
    let mut finish = finish(Ending::Finished, 1_204, 1, 1);
    finish.problems = vec![
        problem(1),
        Problem {
            severity: Severity::Warning,
            message: Message::new(code::JUNK_SKIPPED).with("file", "Acme/.DS_Store"),
        },
    ];
    finish.results = vec![ResultPlace::Folder("Acme/Summer/".into())];
    let expected = "\
Summer shoot
Done with errors

The job ran to its end, but 1 file was not processed. The other 1,204 files were processed. There is 1 warning to look at as well.

  Processed           1,204
  Updated             0
  Duplicates skipped  2
  Warnings            1
  Errors              1
  Files in total      1,207

2 problems

  * Error: Acme/été/photo-1.jpg
    The file ends in the middle of its content
  * Warning: Acme/.DS_Store was skipped: it is a file that operating systems and transfer programs leave behind, not content.

Where the results are

  * Assets in the folder Acme/Summer/

  Company      Acme Häuser
  Kind         Upload from a server directory
  Run          Summer shoot_2026-11-23-09:15:04.123
  Description  Hats and gloves
  Started      Mon 23 Nov 2026, 10:15:04 CET
  Ended        Mon 23 Nov 2026, 10:18:16 CET
  Took         3 min 12 s
  Attempts     2 made; at most 5 may fail

On the server, the whole log is shown by

  prepress jobs log 54091

Open the job in the console: https://prepress.example.com/jobs/54091

-- 
Prepress
You get this mail because the job was submitted for you with the mail setting All: beginning, end and problems.";
    assert_eq!(write(&report, Stage::End(&finish)).text, expected);
}

#[test]
fn a_mail_at_the_beginning_has_no_counters() {
    let mail = write(&report(), Stage::Begin);
    let expected = "\
Summer shoot
Started

The job has started. You will get another mail when it ends.

  Company  Acme Häuser
  Kind     Upload from a server directory
  Run      Summer shoot_2026-11-23-09:15:04.123
  Started  Mon 23 Nov 2026, 10:15:04 CET

On the server, the whole log is shown by

  prepress jobs log 54091

-- 
Prepress
You get this mail because the job was submitted for you with the mail setting All: beginning, end and problems.";
    assert_eq!(mail.text, expected);
    assert!(!mail.html.contains("Duplicates"));
}

#[test]
fn both_parts_say_the_same() {
    let mut finish = finish(failed(), 3, 1, 46);
    finish.problems = (1..=20).map(problem).collect();
    let mail = end(finish);
    for said in [
        "The job could not be finished: the disk is full.",
        "47 problems",
        "Acme/été/photo-10.jpg",
        "and 37 more",
        "3 min 12 s",
        "prepress jobs log 54091",
    ] {
        assert!(mail.text.contains(said), "text part without {said}:\n{}", mail.text);
        assert!(mail.html.contains(&said.replace('/', "&#x2f;")), "HTML part without {said}:\n{}", mail.html);
    }
    assert!(!mail.text.contains("photo-11") && !mail.html.contains("photo-11"));
}

#[test]
fn errors_come_before_warnings() {
    let mut finish = finish(Ending::Finished, 9, 11, 1);
    let warning = Message::new(code::JUNK_SKIPPED).with("file", "Thumbs.db");
    finish.problems = vec![Problem { severity: Severity::Warning, message: warning }; 11];
    finish.problems.push(problem(77));
    let text = end(finish).text;
    assert!(text.find("photo-77").unwrap() < text.find("Thumbs.db").unwrap(), "{text}");
    assert!(text.contains("and 2 more"));
}

#[test]
fn more_problems_shown_than_counted_are_still_counted() {
    let mut finish = finish(failed(), 0, 0, 0);
    finish.problems = (1..=12).map(problem).collect();
    let mail = end(finish);
    assert!(mail.text.contains("12 problems") && mail.text.contains("and 2 more"), "{}", mail.text);
}

#[test]
fn nothing_a_user_names_becomes_markup() {
    let evil = "<script>alert('x')</script><img src=x onerror=\"y\">&amp;";
    let mut report = report();
    report.name = evil.into();
    report.run = evil.into();
    report.company = evil.into();
    report.kind = evil.into();
    report.description = Some(evil.into());
    report.link = Some("javascript:alert(1)".into());
    let mut finish = finish(Ending::Stopped { by: evil.into(), done: 0, items: 0 }, 1, 1, 1);
    finish.problems = vec![
        Problem {
            severity: Severity::Warning,
            message: Message::new(code::UPLOAD_WARNING).with("file", evil).with("reason", evil),
        },
        Problem { severity: Severity::Error, message: Message::new("no-such-code").with("x", evil) },
    ];
    finish.results = vec![
        ResultPlace::Folder(evil.into()),
        ResultPlace::Published(evil.into()),
        ResultPlace::Download { address: format!("https://h/\"onclick=\"{evil}"), until: at(10, 0, 0) },
        ResultPlace::Download { address: "javascript:alert(2)".into(), until: at(10, 0, 0) },
    ];
    let mail = compose(&report, Stage::End(&finish), "\"><b>", Tz::UTC);
    let html = mail.html.to_lowercase();
    for forbidden in ["<script", "<img", "<b>", "href=\"javascript", "\"onclick", "onerror=\""] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn names_are_one_bounded_line() {
    let mut report = report();
    report.name = format!("evil\r\nBcc: all@example.com\r\n\r\n{}", "x".repeat(5_000));
    report.description = Some("y".repeat(100_000));
    let mail = write(&report, Stage::Begin);
    assert!(!mail.subject.contains(['\r', '\n']));
    assert!(mail.subject.starts_with("evil  Bcc: all@example.com") && mail.subject.ends_with("…: started"));
    assert!(mail.subject.chars().count() < 120);
    assert!(mail.text.len() < 5_000 && mail.html.len() < 20_000);
}

#[test]
fn an_address_to_download_can_be_clicked() {
    let mut finish = finish(Ending::Finished, 3, 0, 0);
    let address = "https://prepress.example.com/exports/1/ab.zip".to_owned();
    finish.results = vec![ResultPlace::Download { address: address.clone(), until: at(12, 0, 0) }];
    let mail = end(finish);
    assert!(mail.text.contains(&format!("Download until Mon 23 Nov 2026, 13:00:00 CET: {address}")), "{}", mail.text);
    let escaped = address.replace('/', "&#x2f;");
    assert!(mail.html.contains(&format!("href=\"{escaped}\"")), "{}", mail.html);
}

#[test]
fn an_unknown_locale_is_read_in_english() {
    let mail = compose(&report(), Stage::Begin, "tlh-KX", Tz::UTC);
    assert_eq!(mail.subject, "Summer shoot: started");
}
