//! Files and their database: what happens when one of them is not what the other says.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use super::*;

/// The exit code for a data folder that lacks the database that its files belong to.
const UNFIT: Option<i32> = Some(78);

impl Place {
    /// A daemon's life: accounts, a picture uploaded and published, and the end in good order.
    fn lived() -> Self {
        let place = Self::new();
        let daemon = place.serve();
        place.furnish();
        fs::remove_file(place.data.join("ingest/Acme/spring/empty.jpg")).unwrap();
        place.upload("spring");
        assert_eq!(daemon.terminate(), Some(0));
        place
    }

    fn upload(&self, folder: &str) {
        let order = ["submit", "--kind", "uploadDirectory", "--user", "ada@acme.example", "--dir", folder];
        self.run(&[&order[..], &["--publish", "Incremental", "--wait"]].concat()).ok();
    }

    /// What a command says that says beside it that the database is older than its files.
    fn run_on_older(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.starts_with("warning: the database is older than the stored files"), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        ran.out
    }

    fn draw(&self, path: &str, shade: u8) {
        let picture = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, shade]));
        let path = self.data.join("ingest/Acme").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(path).unwrap();
    }

    fn database(&self) -> PathBuf {
        self.data.join("prepress.db")
    }

    pub(super) fn sql(&self, statement: &str) -> String {
        let output = Command::new("sqlite3")
            .args(["-cmd", ".timeout 20000"])
            .arg(self.database())
            .arg(statement)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Where the file that a question to the database names lies.
    fn blob(&self, question: &str) -> PathBuf {
        let name = self.sql(question);
        self.data.join("blobs").join(&name[..2]).join(&name)
    }

    fn start(&self) -> Ran {
        // A daemon that starts after all would run for ever.
        let mut child = self
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let first = BufReader::new(child.stdout.take().unwrap()).lines().next();
        if let Some(greeting) = first {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it started: {}", greeting.unwrap());
        }
        Ran::of(child.wait_with_output().unwrap())
    }

    /// All files below the data folder but those of locks, with their sizes.
    fn listing(&self) -> Vec<(PathBuf, u64)> {
        let mut found = files_below(&self.data);
        found.retain(|(path, _)| !path.ends_with("lock") && !path.to_string_lossy().ends_with("-shm"));
        found
    }

    /// That no command works on it, that they say the same, and that nothing is written.
    fn is_refused(&self, said: &[&str]) {
        let before = self.listing();
        let refused = self.start();
        assert_eq!(refused.code, UNFIT, "{}", refused.err);
        for what in said {
            assert!(refused.err.contains(what), "{what}: {}", refused.err);
        }
        let check = self.run(&["check"]);
        assert_eq!(check.code, Some(1), "{}", check.out);
        let what = refused.err.lines().next().unwrap().strip_prefix("error: ").unwrap();
        assert!(check.out.contains(what), "{what}: {}", check.out);
        assert_eq!(self.listing(), before, "a check writes nothing");
        for command in [&["company", "list"][..], &["doctor"], &["doctor", "--repair"], &["jobs", "list"]] {
            let ran = self.run(command);
            assert_eq!(ran.code, UNFIT, "{command:?}: {}{}", ran.out, ran.err);
            assert!(ran.err.contains(what), "{command:?}: {}", ran.err);
        }
        assert_eq!(self.listing(), before, "nothing is written and nothing goes");
    }
}

fn files_below(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let facts = fs::symlink_metadata(entry.path()).unwrap();
        if facts.is_dir() {
            found.extend(files_below(&entry.path()));
        } else {
            found.push((entry.path(), facts.len()));
        }
    }
    found.sort();
    found
}

#[test]
fn files_without_their_database_are_not_taken_for_nobodys() {
    let place = Place::lived();
    let kept = place.data.with_extension("kept");
    let login = fs::read_to_string(place.data.join("admin-login")).unwrap();
    fs::rename(place.database(), &kept).unwrap();

    place.is_refused(&["prepress.db is missing", "3 stored files", "restore ", "to begin anew", "/blobs"]);
    fs::write(place.database(), []).unwrap();
    place.is_refused(&["prepress.db is empty", "3 stored files"]);
    fs::remove_file(place.database()).unwrap();
    place.sql("VACUUM");
    place.sql("PRAGMA user_version = 1");
    place.is_refused(&["prepress.db is empty"]);
    place.sql("CREATE TABLE company (id INTEGER PRIMARY KEY, motto TEXT)");
    place.is_refused(&["the database of another program"]);
    fs::write(place.database(), "<html>no such file</html>").unwrap();
    place.is_refused(&["is not an SQLite database"]);
    fs::remove_file(place.database()).unwrap();
    symlink("/mnt/fast disk/prepress.db", place.database()).unwrap();
    place.is_refused(&["is a link to /mnt/fast disk/prepress.db, where nothing is"]);
    fs::remove_file(place.database()).unwrap();

    // The database of another installation, whose login would be good here.
    let other = Place::lived();
    fs::copy(other.database(), place.database()).unwrap();
    place.is_refused(&["not the one that the files in", "blobs/.prepress"]);
    assert_eq!(fs::read_to_string(place.data.join("admin-login")).unwrap(), login);

    // What was said to be restored is restored.
    fs::rename(&kept, place.database()).unwrap();
    let daemon = place.serve();
    assert_eq!(daemon.terminate(), Some(0));
    place.run(&["doctor", "--verify"]).ok();
}

#[test]
fn what_is_no_file_of_ours_is_no_reason_to_refuse_a_start() {
    let place = Place::new();
    fs::create_dir_all(place.data.join("blobs/3f")).unwrap();
    fs::create_dir_all(place.data.join("blobs/tmp/lost+found")).unwrap();
    fs::create_dir_all(place.data.join("publish/image-serving/.Acme.a")).unwrap();
    place.draw("spring/shoe.png", 9);
    let asked = place.run(&["company", "list"]).refused();
    assert!(asked.contains("no Prepress database"), "{asked}");
    assert!(!place.database().exists());
    let daemon = place.serve();
    assert!(place.data.join("admin-login").exists());
    assert_eq!(daemon.terminate(), Some(0));
    // A first start that broke off before it had made anything.
    fs::write(place.database(), []).unwrap();
    fs::remove_file(place.data.join("blobs/.prepress")).unwrap();
    let daemon = place.serve();
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_log_that_lies_beside_a_restored_database_is_not_mixed_into_it() {
    let place = Place::lived();
    let log = place.data.join("prepress.db-wal");
    let backup = place.data.with_extension("backup");
    fs::copy(place.database(), &backup).unwrap();
    let daemon = place.serve();
    place.draw("summer/hat.png", 9);
    place.upload("summer");
    assert_eq!(daemon.terminate(), Some(0));
    let daemon = place.serve();
    place.draw("autumn/coat.png", 40);
    place.upload("autumn");
    // Its own log is carried out, as after every crash.
    daemon.signal(rustix::process::Signal::KILL);
    drop(daemon);
    assert!(fs::metadata(&log).unwrap().len() > 0);
    let killed = [place.database(), log.clone()].map(|path| (fs::read(&path).unwrap(), path));
    let put_back = || killed.iter().for_each(|(content, path)| fs::write(path, content).unwrap());
    place.run(&["company", "list"]).ok();
    put_back();

    fs::copy(&backup, place.database()).unwrap();
    place.is_refused(&["prepress.db-wal holds changes of another database, or of another time of it", "move away"]);
    // Each of the two ways out that it names.
    put_back();
    let daemon = place.serve();
    assert_eq!(place.sql("SELECT group_concat(name) FROM asset"), "coat,hat,shoe");
    daemon.signal(rustix::process::Signal::KILL);
    drop(daemon);
    fs::copy(&backup, place.database()).unwrap();
    fs::rename(&log, log.with_extension("kept")).unwrap();
    fs::remove_file(place.data.join("prepress.db-shm")).unwrap();
    let daemon = place.serve();
    assert_eq!(place.sql("SELECT group_concat(name) FROM asset"), "shoe");
    assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
    place.run_on_older(&["jobs", "list"]);
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_database_may_lie_elsewhere_behind_a_link() {
    let place = Place::lived();
    let elsewhere = place.data.with_extension("fast");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(place.database(), elsewhere.join("prepress.db")).unwrap();
    symlink("../data.fast/prepress.db", place.database()).unwrap();
    let daemon = place.serve();
    // All that is new is in the log beside the real file when it is killed.
    daemon.signal(rustix::process::Signal::KILL);
    drop(daemon);
    assert!(elsewhere.join("prepress.db-wal").exists());
    place.run(&["doctor"]).ok();
    let kept = place.data.with_extension("kept");
    fs::rename(elsewhere.join("prepress.db"), &kept).unwrap();
    fs::write(elsewhere.join("prepress.db-wal"), "what was not yet in the database").unwrap();
    place.is_refused(&["where nothing is", "3 stored files and ", "data.fast/prepress.db-wal are there"]);
    fs::remove_file(elsewhere.join("prepress.db-wal")).unwrap();
    fs::rename(&kept, elsewhere.join("prepress.db")).unwrap();
    let daemon = place.serve();
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_tree_of_published_files_a_mark_or_a_log_alone_is_reason_enough() {
    let place = Place::lived();
    let files = place.data.with_extension("files");
    fs::remove_file(place.database()).unwrap();
    fs::rename(place.data.join("blobs"), &files).unwrap();
    place.is_refused(&["2 trees of published files", "/publish"]);
    fs::rename(place.data.join("publish"), place.data.with_extension("published")).unwrap();
    fs::create_dir(place.data.join("blobs")).unwrap();
    fs::copy(files.join(".prepress"), place.data.join("blobs/.prepress")).unwrap();
    place.is_refused(&["the mark of its file store is there"]);
    fs::remove_file(place.data.join("blobs/.prepress")).unwrap();
    fs::write(place.data.join("prepress.db-wal"), "what was not yet in the database").unwrap();
    place.is_refused(&["prepress.db-wal is there", "prepress.db that", "belongs to; or move away"]);
    fs::remove_file(place.data.join("prepress.db-wal")).unwrap();
    // All that was named is moved away: now it is really new.
    let daemon = place.serve();
    assert_eq!(daemon.terminate(), Some(0));
}

/// What a hint says to move away, all of it.
fn move_away(place: &Place, hint: &str) {
    let (_, named) = hint.rsplit_once("to begin anew without these files, move away ").unwrap();
    let kept = place.data.with_extension("moved");
    fs::create_dir_all(&kept).unwrap();
    for path in named.trim().split(", ") {
        fs::rename(path, kept.join(Path::new(path).file_name().unwrap())).unwrap();
    }
}

/// Each way out that the hint for a missing database names is followed to the letter.
#[test]
fn the_hint_for_a_missing_database_leads_out_of_it() {
    let place = Place::lived();
    let (log, shm) = (place.data.join("prepress.db-wal"), place.data.join("prepress.db-shm"));
    let backup = place.data.with_extension("backup");
    fs::copy(place.database(), &backup).unwrap();
    let daemon = place.serve();
    place.draw("summer/hat.png", 9);
    place.upload("summer");
    daemon.signal(rustix::process::Signal::KILL);
    drop(daemon);
    let lost = place.data.with_extension("lost");
    fs::rename(place.database(), &lost).unwrap();
    place.is_refused(&[
        "prepress.db is missing",
        "put back the ",
        "or move away ",
        "and the -shm file beside it, keep them",
    ]);

    // The database turns up again.
    let copy = place.data.with_extension("copy");
    fs::copy(&log, &copy).unwrap();
    fs::copy(&lost, place.database()).unwrap();
    assert_eq!(place.sql("SELECT group_concat(name) FROM asset"), "hat,shoe");
    fs::remove_file(place.database()).unwrap();
    fs::copy(&copy, &log).unwrap();

    // It is restored from a backup, to which the log does not belong.
    for path in [&log, &shm] {
        if path.exists() {
            fs::rename(path, path.with_extension("kept")).unwrap();
        }
    }
    fs::copy(&backup, place.database()).unwrap();
    let daemon = place.serve();
    assert_eq!(place.sql("SELECT group_concat(name) FROM asset"), "shoe");
    assert_eq!(daemon.terminate(), Some(0));

    // It is given up, whatever lies in its place.
    fs::remove_file(place.database()).unwrap();
    fs::copy(&copy, &log).unwrap();
    move_away(&place, &place.start().err);
    let daemon = place.serve();
    assert_eq!(place.sql("SELECT count(*) FROM asset"), "0");
    assert_eq!(daemon.terminate(), Some(0));
    for foreign in ["<html>no such file</html>", ""] {
        let place = Place::lived();
        fs::write(place.database(), foreign).unwrap();
        move_away(&place, &place.start().err);
        let daemon = place.serve();
        assert_eq!(daemon.terminate(), Some(0));
    }
}

#[test]
fn who_only_looks_brings_no_schema_up_to_date() {
    let place = Place::lived();
    place.sql("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)");
    let before = (place.sql(".dump"), place.listing());
    for command in [&["doctor"][..], &["doctor", "--json"], &["doctor", "--repair"]] {
        let told = place.run(command).refused();
        assert!(told.contains("it is of an older version of prepress"), "{told}");
        assert!(told.contains("`prepress serve` of this version brings it up to date"), "{told}");
    }
    let check = place.run(&["check"]).ok();
    assert!(check.contains("warning  database") && check.contains("of an older version"), "{check}");
    assert!((place.sql(".dump"), place.listing()) == before, "nothing is written");
}

#[test]
fn what_this_version_cannot_read_is_for_a_person_to_mend() {
    let place = Place::lived();
    place.sql("INSERT INTO system (key, value) VALUES ('restored', 'long ago')");
    let refused = place.start();
    assert_eq!(refused.code, UNFIT, "{}", refused.err);
    assert!(refused.err.contains("a restoration that this version cannot read"), "{}", refused.err);
    assert!(refused.err.contains("hint: use the version of prepress that wrote it"), "{}", refused.err);
}

#[test]
fn a_database_without_its_files_is_not_worked_on_either() {
    let place = Place::lived();
    let (blobs, away) = (place.data.join("blobs"), place.data.with_extension("away"));
    fs::rename(&blobs, &away).unwrap();
    place.is_refused(&["has assets, but none of their files is in", "mount the disk", "/blobs/.prepress"]);
    // Where the disk is to be mounted.
    fs::create_dir_all(blobs.join("3f")).unwrap();
    place.is_refused(&["has assets, but none of their files is in"]);
    // Who knows that they are lost goes on with what there is.
    fs::write(blobs.join(".prepress"), []).unwrap();
    let daemon = place.serve();
    assert_eq!(daemon.terminate(), Some(0));
    assert_eq!(place.run(&["doctor"]).code, Some(1));
    fs::remove_dir_all(&blobs).unwrap();
    fs::rename(&away, &blobs).unwrap();
    // An earlier version made no mark.
    fs::remove_file(blobs.join(".prepress")).unwrap();
    place.sql("DELETE FROM system WHERE key IN ('marked', 'restored')");
    let daemon = place.serve();
    assert_eq!(daemon.terminate(), Some(0));
    place.run(&["doctor", "--verify"]).ok();
}

/// Runs Cleanup at once, and gives its log.
fn clean(place: &Place) -> String {
    let run = |arguments: &[&str]| {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        ran.out
    };
    run(&["jobs", "run", "Cleanup"]);
    let done = || {
        let list: Value = serde_json::from_str(&run(&["jobs", "list", "--company", "prepress", "--json"])).unwrap();
        let last = &list["jobs"][0];
        (last["state"] == "Done").then(|| last["run"].to_string())
    };
    run(&["jobs", "log", &service::until("Cleanup is done", done)])
}

#[test]
fn a_database_from_a_backup_gives_no_number_again_and_nothing_is_removed_until_it_is_examined() {
    let place = Place::lived();
    let backup = place.data.with_extension("backup");
    fs::copy(place.database(), &backup).unwrap();
    place.draw("later/boot.png", 120);
    let daemon = place.serve();
    place.upload("later");
    let last_run: i64 = place.sql("SELECT max(id) FROM instance").parse().unwrap();
    let last_asset: i64 = place.sql("SELECT max(id) FROM asset").parse().unwrap();
    let last_publish: i64 = place.sql("SELECT max(publish_seq) FROM publish_context").parse().unwrap();
    assert_eq!(daemon.terminate(), Some(0));
    let boot = place.blob("SELECT blob FROM asset WHERE name = 'boot'");
    // An archive of a run that the backup does not know.
    let archive = place.data.join("exports").join((last_run + 500).to_string()).join("token.zip");
    fs::create_dir_all(archive.parent().unwrap()).unwrap();
    fs::write(&archive, "an archive").unwrap();
    fs::copy(&backup, place.database()).unwrap();

    // Even before the daemon starts.
    let check = place.run(&["check"]).ok();
    assert!(check.contains("is older than the stored files") && check.contains("doctor --repair"), "{check}");
    let before = place.sql(".dump");
    let looked = place.run(&["doctor"]);
    assert_eq!(looked.code, Some(1), "{}", looked.out);
    for said in ["older than they are", "may have been uploaded since the backup", "makes them anew"] {
        assert!(looked.out.contains(said), "{said}: {}", looked.out);
    }
    assert!(!looked.out.contains("Cleanup removes them.") && !looked.out.contains("published."), "{}", looked.out);
    assert!(place.sql(".dump") == before, "without --repair nothing is written");
    let order = ["submit", "--kind", "imageServingPublish", "--publish", "Full", "--user", "ada@acme.example"];
    place.run_on_older(&order);
    assert_eq!(place.sql("SELECT max(id) FROM instance").parse(), Ok(last_run + 501), "the archive tells of its run");
    let list = place.run_on_older(&["jobs", "list", "--json"]);
    serde_json::from_str::<Value>(&list).expect("the answer is what it was");

    let log = place.data.with_extension("log");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.stderr(fs::File::create(&log).unwrap()));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("the database is older than the stored files"), "{said}");
    // An orphan that would go: nothing has touched it for days, and it was noted long ago.
    fs::File::options().write(true).open(&boot).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let name = boot.file_name().unwrap().to_str().unwrap();
    place.sql(&format!("INSERT INTO orphaned_blob (blob, since_at) VALUES ('{name}', 0)"));
    let held = clean(&place);
    assert!(held.contains("Nothing was removed: the database is, or may be, older"), "{held}");
    assert!(held.contains("1 warning"), "{held}");
    assert!(boot.exists() && archive.exists());

    // The trees are of a later time: they are made anew, and numbers of publishes go on.
    place.draw("third/cap.png", 200);
    let order = ["submit", "--kind", "uploadDirectory", "--user", "ada@acme.example", "--dir", "third"];
    place.run_on_older(&[&order[..], &["--publish", "Incremental", "--wait"]].concat());
    assert_eq!(place.sql("SELECT id FROM asset WHERE name = 'cap'").parse(), Ok(last_asset + 1));
    let manifest = fs::read_to_string(place.data.join("publish/image-serving/Acme/manifest.jsonl")).unwrap();
    assert!(!manifest.contains("boot"), "{manifest}");
    let totals: Value = serde_json::from_str(manifest.lines().last().unwrap()).unwrap();
    assert!(totals["publish"].as_i64().unwrap() > last_publish, "{totals}");
    assert!(!place.data.join("publish/image-serving/Acme/boot.tif").exists());

    let doctor = place.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{}{}", doctor.out, doctor.err);
    assert!(doctor.out.contains("as one that was restored from a backup"), "{}", doctor.out);
    let beside = place.run(&["doctor", "--repair"]).refused();
    assert!(beside.contains("repairs are made without it") && beside.contains("stop it first"), "{beside}");
    assert_eq!(daemon.terminate(), Some(0));

    // It is settled only when nothing else is left.
    let shoe = place.blob("SELECT blob FROM asset WHERE name = 'shoe'");
    let aside = place.data.with_extension("shoe");
    fs::rename(&shoe, &aside).unwrap();
    let doctor = place.run(&["doctor", "--repair"]);
    assert_eq!(doctor.code, Some(1), "{}", doctor.out);
    assert!(doctor.out.contains("The master of shoe (company Acme, folder Acme/) is gone"), "{}", doctor.out);
    fs::rename(&aside, &shoe).unwrap();
    let repaired = place.run(&["doctor", "--repair"]).ok();
    assert!(repaired.contains("settled"), "{repaired}");
    place.run(&["doctor"]).ok();
    place.run(&["jobs", "list"]).ok();
    let daemon = place.serve();
    let swept = clean(&place);
    assert!(swept.contains("1 file that nothing refers to was removed"), "{swept}");
    assert!(!boot.exists(), "{swept}");
    assert!(!archive.exists(), "{swept}");
    assert_eq!(daemon.terminate(), Some(0));
}

/// Database and stored files are restored together, as the README has it, and the mark with them: only the trees know more.
#[test]
fn what_was_withdrawn_after_a_backup_of_database_and_files_stays_withdrawn() {
    let place = Place::lived();
    let daemon = place.serve();
    place.draw("more/boot.png", 120);
    place.upload("more");
    assert_eq!(daemon.terminate(), Some(0));
    let backup = place.data.with_extension("backup");
    fs::create_dir(&backup).unwrap();
    let copy = |from: &Path, to: &Path| {
        let parts = ["prepress.db", "blobs"].map(|part| from.join(part));
        assert!(Command::new("cp").arg("-a").args(parts).arg(to).status().unwrap().success());
    };
    copy(&place.data, &backup);
    place.draw("later/secret.png", 220);
    place.draw("later/late.png", 210);
    let daemon = place.serve();
    place.upload("later");
    assert_eq!(daemon.terminate(), Some(0));
    place.sql(
        "UPDATE publish_mark SET marked = 0 WHERE asset_id = (SELECT id FROM asset WHERE name = 'secret');
         UPDATE company SET change_seq = change_seq + 1;
         UPDATE asset SET change_seq = (SELECT change_seq FROM company c WHERE c.id = company_id) WHERE name = 'secret'",
    );
    let daemon = place.serve();
    let order = ["submit", "--kind", "imageServingPublish", "--user", "ada@acme.example", "--publish", "Incremental"];
    place.run(&[&order[..], &["--wait"]].concat()).ok();
    assert_eq!(daemon.terminate(), Some(0));
    let secret = place.data.join("publish/image-serving/Acme/secret.tif");
    assert!(!secret.exists());

    for entry in fs::read_dir(&place.data).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().unwrap().to_str().unwrap().starts_with("prepress.db") {
            fs::remove_file(entry).unwrap();
        }
    }
    fs::remove_dir_all(place.data.join("blobs")).unwrap();
    copy(&backup, &place.data);
    let check = place.run(&["check"]).ok();
    assert!(check.contains("is older than the stored files or the published ones"), "{check}");
    assert_eq!(place.run(&["doctor"]).code, Some(1));
    let log = place.data.with_extension("log");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.stderr(fs::File::create(&log).unwrap()));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("the database is older than the stored files or the published ones"), "{said}");
    let order =
        ["submit", "--kind", "uploadDirectory", "--user", "ada@acme.example", "--publish", "Incremental", "--wait"];
    for (at, name) in ["one", "two", "three"].into_iter().enumerate() {
        place.draw(&format!("{name}/{name}.png"), 30 + at as u8);
        place.run_on_older(&[&order[..], &["--dir", name]].concat());
        let tree = place.data.join("publish/image-serving/Acme");
        assert!(tree.join(format!("{name}.tif")).exists() && !secret.exists(), "{name}");
        // What came after the backup is public no more, and that is said once.
        assert!(!tree.join("late.tif").exists());
        let told = place.sql("SELECT params ->> '$.file' FROM log_detail WHERE code = 'publish-unknown'");
        assert_eq!(told, "late.tif", "{name}");
    }
    assert_eq!(daemon.terminate(), Some(0));
    let repaired = place.run(&["doctor", "--repair"]).ok();
    assert!(repaired.contains("and they have seen run ") && repaired.contains("settled"), "{repaired}");
    assert!(files_below(&place.data.join("publish")).iter().all(|(path, _)| !path.ends_with("secret.tif")));
}

/// A copy of `blobs/*` leaves out what begins with a dot.
#[test]
fn nothing_is_removed_when_the_mark_that_would_tell_of_an_older_database_is_gone() {
    without_a_mark(|mark| fs::remove_file(mark).unwrap());
}

/// As a disk that was full leaves it.
#[test]
fn nothing_is_removed_when_the_mark_that_would_tell_of_an_older_database_is_empty() {
    without_a_mark(|mark| fs::write(mark, "").unwrap());
}

fn without_a_mark(spoil: impl FnOnce(&Path)) {
    let place = Place::lived();
    let backup = place.data.with_extension("backup");
    fs::copy(place.database(), &backup).unwrap();
    place.draw("later/boot.png", 120);
    let daemon = place.serve();
    place.upload("later");
    assert_eq!(daemon.terminate(), Some(0));
    let boot = place.blob("SELECT blob FROM asset WHERE name = 'boot'");
    fs::copy(&backup, place.database()).unwrap();
    let mark = place.data.join("blobs/.prepress");
    spoil(&mark);

    let check = place.run(&["check"]).ok();
    assert!(check.contains("is older than the stored files or the published ones"), "the trees tell: {check}");
    let log = place.data.with_extension("log");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.stderr(fs::File::create(&log).unwrap()));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("the database may be older than the stored files"), "{said}");
    assert!(fs::metadata(&mark).is_ok_and(|mark| mark.len() > 0), "from now on there is one again");
    fs::File::options().write(true).open(&boot).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let name = boot.file_name().unwrap().to_str().unwrap();
    place.sql(&format!("INSERT INTO orphaned_blob (blob, since_at) VALUES ('{name}', 0)"));
    let held = clean(&place);
    assert!(held.contains("Nothing was removed: the database is, or may be, older"), "{held}");
    assert!(boot.exists());
    // The file comes again, as whoever uploaded it does it, and all agrees.
    let order = ["submit", "--kind", "uploadDirectory", "--user", "ada@acme.example", "--dir", "later"];
    let ran = place.run(&[&order[..], &["--publish", "Incremental", "--wait"]].concat());
    assert_eq!((ran.code, ran.err.contains("may be older")), (Some(0), true), "{}{}", ran.out, ran.err);
    assert_eq!(daemon.terminate(), Some(0));
    let repaired = place.run(&["doctor", "--repair"]).ok();
    assert!(repaired.contains("nobody can tell whether") && repaired.contains("settled"), "{repaired}");
    assert!(place.run(&["jobs", "list"]).err.is_empty());
    let daemon = place.serve();
    let swept = clean(&place);
    assert!(!swept.contains("Nothing was removed") && boot.exists(), "{swept}");
    assert_eq!(daemon.terminate(), Some(0));
}

/// A folder on a disk behind a network that is gone: whoever looks into it waits for as long as this lives.
struct Dead {
    at: PathBuf,
    holder: Child,
}

impl Dead {
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
        let script = format!(
            "exec 3<>/dev/fuse; mount -i -t fuse -o {options} dead '{}' && echo mounted && exec cat",
            at.display()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let hint = "this test mounts a FUSE file system that nobody serves: run it as root, in a container with CAP_SYS_ADMIN and /dev/fuse";
        assert_eq!(said, "mounted\n", "{hint}");
        Self { at: at.to_owned(), holder }
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Somebody restores a backup without stopping the daemon first.
#[test]
fn a_daemon_whose_database_is_moved_or_replaced_ends_before_it_acknowledges_more() {
    for is_replaced in [false, true] {
        let place = Place::lived();
        let backup = place.data.with_extension("backup");
        fs::copy(place.database(), &backup).unwrap();
        let mut daemon = place.serve();
        place.draw("later/boot.png", 120);
        place.upload("later");
        let runs = place.sql("SELECT count(*) FROM instance");
        let away = place.data.with_extension("moved");
        fs::rename(place.database(), &away).unwrap();
        if is_replaced {
            fs::copy(&backup, place.database()).unwrap();
        }
        assert_eq!(daemon.child.wait().unwrap().code(), Some(78), "{is_replaced}");
        fs::rename(&away, place.database()).unwrap();
        assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
        assert_eq!(place.sql("SELECT count(*) FROM instance"), runs, "{is_replaced}: what was done is there");
        assert_eq!(place.serve().terminate(), Some(0));
    }
}

/// They say what they could not look at and go on; and nothing is removed that only those files would tell not to be.
#[test]
#[ignore = "mounts a FUSE file system that nobody serves: root, CAP_SYS_ADMIN and /dev/fuse"]
fn published_files_on_a_disk_that_does_not_answer_hold_up_no_start_and_no_command() {
    let place = Place::lived();
    place.run(&["company", "add", "Beta"]).ok();
    place.run(&["user", "add", "bob@beta.example", "--company", "Beta", "--role", "IpsUser"]).ok();
    let boot = place.blob("SELECT blob FROM derived WHERE role = 'Thumbnail'");
    let name = boot.file_name().unwrap().to_str().unwrap();
    place.sql(&format!(
        "DELETE FROM derived WHERE blob = '{name}'; INSERT INTO orphaned_blob (blob, since_at) VALUES ('{name}', 0)"
    ));
    fs::File::options().write(true).open(&boot).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let dead = Dead::mount(&place.data.join("publish/image-serving"));
    let said = "publish/image-serving/Acme could not be looked at (no answer for 5 seconds)";
    let listed = place.run(&["jobs", "list"]);
    assert_eq!(listed.code, Some(0), "{}", listed.err);
    assert!(listed.err.contains(said), "{}", listed.err);
    assert!(listed.err.contains("Cleanup removes nothing for as long as that is so"), "{}", listed.err);
    let check = place.run(&["check"]).ok();
    assert!(check.contains(said) && check.contains("see that the disk answers"), "{check}");
    let looked = place.run(&["doctor"]);
    assert_eq!(looked.code, Some(1), "{}{}", looked.out, looked.err);
    assert!(looked.out.contains(said) && looked.out.contains("see that the disk answers"), "{}", looked.out);

    let log = place.data.with_extension("log");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    let daemon = Daemon::of(command.stderr(fs::File::create(&log).unwrap()));
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains(said) && log.contains("Cleanup removes nothing"), "{log}");
    let held = clean(&place);
    assert!(
        held.contains("Nothing was removed: the published files in ") && held.contains("no answer for 5 seconds"),
        "{held}"
    );
    assert!(boot.exists());
    // A publish says why it waits, and nobody waits with it.
    let publish = [
        "submit",
        "--kind",
        "imageServingPublish",
        "--company",
        "Acme",
        "--publish",
        "Full",
        "--user",
        "ada@acme.example",
        "--json",
    ];
    let run: Value = serde_json::from_str(&place.run(&publish).ok()).unwrap();
    let run = run["run"].to_string();
    let log = || place.run(&["jobs", "log", &run]).ok();
    service::until("it gives up", || log().contains("image-serving has not answered for 30 seconds").then_some(()));
    place.draw("later/boot.png", 120);
    let upload = [
        "submit",
        "--kind",
        "uploadDirectory",
        "--company",
        "Acme",
        "--user",
        "ada@acme.example",
        "--dir",
        "later",
        "--wait",
    ];
    place.run(&upload).ok();
    // Nor with exports, or a server directory, that hang.
    let elsewhere = ["exports", "ingest/Beta"].map(|folder| Dead::mount(&place.data.join(folder)));
    let asset = place.sql("SELECT min(id) FROM asset WHERE asset_type = 'Image'");
    let order = place.data.with_extension("order.json");
    let export = format!(r#"{{"assetHandleArray":["a|{asset}"],"fmt":"orig","emailSetting":"None"}}"#);
    fs::write(&order, format!(r#"{{"companyHandle":"c|47","jobName":"Out","exportJob":{export}}}"#)).unwrap();
    place.run(&["submit", order.to_str().unwrap(), "--company", "Acme", "--user", "ada@acme.example"]).ok();
    for _ in 0..3 {
        let away =
            ["submit", "--kind", "uploadDirectory", "--company", "Beta", "--user", "bob@beta.example", "--dir", "x"];
        place.run(&away).ok();
    }
    place.draw("again/sandal.png", 130);
    let upload =
        ["submit", "--kind", "uploadDirectory", "--company", "Acme", "--user", "ada@acme.example", "--dir", "again"];
    // It says why it waits: the others keep their slots until they give up.
    let again = place.run(&[&upload[..], &["--wait"]].concat());
    assert_eq!(again.code, Some(0), "{}{}", again.out, again.err);
    let silent =
        || place.sql("SELECT group_concat(DISTINCT params) FROM log_detail WHERE params LIKE '%has not answered%'");
    let is_told =
        || ["/exports", "/ingest/Beta", "/publish/image-serving"].iter().all(|folder| silent().contains(folder));
    service::until("each has a line", || is_told().then_some(()));
    drop((dead, elsewhere));
    let ended = || {
        let shown: Value = serde_json::from_str(&place.run(&["jobs", "show", &run, "--json"]).ok()).unwrap();
        (shown["state"] == "Done").then(|| shown["outcome"].clone())
    };
    assert_eq!(service::until("it is done when the disk is back", ended), "Succeeded", "{}", log());
    let swept = clean(&place);
    assert!(!swept.contains("Nothing was removed") && !boot.exists(), "{swept}");
    assert_eq!(daemon.terminate(), Some(0));
}

/// Database, stored files and the mark beside them came from one backup: published files and exports know of later runs.
#[test]
fn numbers_of_runs_that_published_files_or_exports_know_are_not_given_again() {
    for knows in ["exports", "publish"] {
        let place = Place::lived();
        let backup = place.data.with_extension("backup");
        let copy = |from: &Path, to: &Path| {
            assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
        };
        fs::create_dir(&backup).unwrap();
        copy(&place.database(), &backup);
        copy(&place.data.join("blobs"), &backup);
        let daemon = place.serve();
        place.draw("later/boot.png", 120);
        if knows == "publish" {
            place.upload("later");
        } else {
            // As an export leaves it.
            clean(&place);
            let run = place.sql("SELECT max(id) FROM instance");
            fs::create_dir_all(place.data.join("exports").join(run).join("parts")).unwrap();
        }
        assert_eq!(daemon.terminate(), Some(0));
        let seen: i64 = place.sql("SELECT max(id) FROM instance").parse().unwrap();
        fs::remove_file(place.database()).unwrap();
        fs::remove_dir_all(place.data.join("blobs")).unwrap();
        copy(&backup.join("prepress.db"), &place.data);
        copy(&backup.join("blobs"), &place.data);
        assert!(place.sql("SELECT max(id) FROM instance").parse::<i64>().unwrap() < seen);
        // Somebody's own folder is no run's.
        fs::create_dir_all(place.data.join("exports/20261201")).unwrap();

        let check = place.run(&["check"]).ok();
        assert!(check.contains("is older than the stored files or the published ones"), "{knows}: {check}");
        place.run_on_older(&["jobs", "list"]);
        let daemon = place.serve();
        let cleaned = clean(&place);
        assert!(cleaned.contains("Nothing was removed: the database is, or may be, older"), "{cleaned}");
        let next: i64 = place.sql("SELECT max(id) FROM instance").parse().unwrap();
        assert_eq!(next, seen + 1, "{knows}");
        assert_eq!(daemon.terminate(), Some(0));
    }
}

#[test]
fn the_doctor_names_what_is_lost_and_has_made_again_what_can_be() {
    let place = Place::lived();
    let sound = place.run(&["doctor", "--verify"]).ok();
    assert!(sound.contains("3 files") && sound.contains("Everything agrees."), "{sound}");
    let master = place.blob("SELECT blob FROM asset WHERE name = 'shoe'");
    let pyramid = place.blob("SELECT blob FROM derived WHERE role = 'Pyramid'");
    let thumbnail = place.blob("SELECT blob FROM derived WHERE role = 'Thumbnail'");
    let whole = [&master, &pyramid, &thumbnail].map(|path| fs::read(path).unwrap());
    let tamper = |path: &Path, bytes: &[u8]| {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let mut changed = whole[0].clone();
    changed[30] ^= 1;
    tamper(&master, &changed);
    tamper(&pyramid, &whole[1][..whole[1].len() / 2]);
    fs::remove_file(&thumbnail).unwrap();

    // Without reading all bytes a change that kept the length is not seen.
    let quick = place.run(&["doctor"]);
    assert_eq!(quick.code, Some(1), "{}", quick.err);
    assert!(quick.out.contains("The Pyramid of shoe (company Acme, folder Acme/) has "), "{}", quick.out);
    assert!(quick.out.contains(" bytes instead of "), "{}", quick.out);
    assert!(quick.out.contains("The Thumbnail of shoe (company Acme, folder Acme/) is gone"), "{}", quick.out);
    assert!(quick.out.contains("2 differences."), "{}", quick.out);
    let report: Value = serde_json::from_str(&place.run(&["doctor", "--verify", "--json"]).out).unwrap();
    assert_eq!(report["verdict"], "differences", "{report}");
    let found = &report["findings"][0];
    assert!(found["text"].as_str().unwrap().contains(" of shoe (company Acme, folder Acme/) "), "{report}");
    assert!(found["remedyText"].as_str().unwrap().len() > 20, "{report}");
    let codes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|found| &found["message"]["code"]).collect();
    assert_eq!(codes.len(), 3, "{report}");
    assert!(codes.contains(&&Value::from("damage-changed")), "{report}");
    assert!(place.listing().iter().all(|(path, _)| *path != thumbnail), "looking changes nothing");

    let repaired = place.run(&["doctor", "--verify", "--repair"]);
    assert_eq!(repaired.code, Some(1), "a master cannot be made again: {}", repaired.out);
    // What was made of a master that is damaged too is not given up for nothing.
    assert!(repaired.out.contains("3 differences, of which 1 repaired.\n"), "{}", repaired.out);
    assert_eq!(repaired.out.matches("its master is not what it should be either").count(), 1, "{}", repaired.out);
    assert_eq!(fs::read(&pyramid).unwrap(), whole[1], "it is what readers are given");
    assert!(repaired.out.contains("upload the same file again with overwrite"), "{}", repaired.out);
    assert_eq!(fs::read(&master).unwrap(), changed, "nothing is deleted");
    assert_eq!(place.sql("SELECT count(*) FROM derived"), "2");

    // The same file again heals the master, and the upload makes the rest.
    let daemon = place.serve();
    let order = ["submit", "--kind", "uploadDirectory", "--user", "ada@acme.example", "--dir", "spring", "--overwrite"];
    place.run(&[&order[..], &["--wait"]].concat()).ok();
    let healed = place.run(&["doctor", "--verify"]).ok();
    assert!(healed.contains("3 files"), "{healed}");
    assert_eq!(place.json(&["doctor", "--json"])["verdict"], "sound");
    assert_eq!([&master, &pyramid, &thumbnail].map(|path| fs::read(path).unwrap()), whole);

    // What counts as not made yet is made by optimizeImagesJob.
    tamper(&pyramid, b"II*");
    assert_eq!(daemon.terminate(), Some(0));
    let repaired = place.run(&["doctor", "--repair"]).ok();
    assert!(repaired.contains("1 difference repaired"), "{repaired}");
    let daemon = place.serve();
    place.run(&["submit", "--kind", "optimizeImages", "--user", "ada@acme.example", "--wait"]).ok();
    assert_eq!(fs::read(&pyramid).unwrap(), whole[1]);
    place.run(&["doctor", "--verify"]).ok();
    assert_eq!(daemon.terminate(), Some(0));
}

/// What readers are given is as good as what is stored, and may be all that is left of it.
#[test]
fn a_stored_file_that_is_lost_comes_back_from_where_it_is_published() {
    let place = Place::lived();
    fs::create_dir(place.data.join("ingest/Acme/texts")).unwrap();
    fs::write(place.data.join("ingest/Acme/texts/guide.txt"), "how to wear a shoe").unwrap();
    let daemon = place.serve();
    place.upload("texts");
    assert_eq!(daemon.terminate(), Some(0));
    let master = place.blob("SELECT blob FROM asset WHERE name = 'guide'");
    let whole = fs::read(&master).unwrap();
    for is_cut in [false, true] {
        fs::remove_file(&master).unwrap();
        if is_cut {
            fs::write(&master, &whole[..9]).unwrap();
        }
        let found = place.run(&["doctor"]);
        assert_eq!(
            (found.code, found.out.contains("puts it back from a published copy")),
            (Some(1), true),
            "{}",
            found.out
        );
        let repaired = place.run(&["doctor", "--repair"]).ok();
        assert!(repaired.contains("it was put back from a published copy"), "{repaired}");
        assert_eq!(fs::read(&master).unwrap(), whole);
    }
    // A copy that is not what it was is none.
    fs::remove_file(&master).unwrap();
    for (path, _) in files_below(&place.data.join("publish")) {
        if path.ends_with("guide.txt") {
            fs::write(path, "somebody's").unwrap();
        }
    }
    let lost = place.run(&["doctor", "--repair"]);
    assert_eq!(lost.code, Some(1), "{}", lost.out);
    assert!(lost.out.contains("upload the same file again"), "{}", lost.out);
    assert!(!master.exists());
}

/// The picture of a film is made when the film comes, and by nothing that runs later.
#[test]
fn what_nothing_makes_again_is_not_forgotten() {
    let place = Place::lived();
    place.sql("UPDATE asset SET asset_type = 'Video' WHERE name = 'shoe'");
    fs::remove_file(place.blob("SELECT blob FROM derived WHERE role = 'Thumbnail'")).unwrap();
    let repaired = place.run(&["doctor", "--repair"]);
    assert_eq!(repaired.code, Some(1), "{}", repaired.out);
    assert_eq!(place.sql("SELECT count(*) FROM derived WHERE role = 'Thumbnail'"), "1");
}

#[test]
fn who_brings_a_damaged_or_lost_file_again_heals_it_and_need_not_overwrite() {
    let place = Place::lived();
    let master = place.blob("SELECT blob FROM asset WHERE name = 'shoe'");
    let whole = fs::read(&master).unwrap();
    let daemon = place.serve();
    for damage in ["changed", "cut", "lost"] {
        fs::remove_file(&master).unwrap();
        match damage {
            "changed" => fs::write(&master, [&whole[..whole.len() - 1], &[!whole[whole.len() - 1]]].concat()).unwrap(),
            "cut" => fs::write(&master, &whole[..20]).unwrap(),
            _ => {}
        }
        assert_eq!(place.run(&["doctor", "--verify"]).code, Some(1), "{damage}");
        place.upload("spring");
        assert_eq!(fs::read(&master).ok().as_deref(), Some(&whole[..]), "{damage}");
        place.run(&["doctor", "--verify"]).ok();
    }
    assert_eq!(place.sql("SELECT count(*) FROM asset WHERE name LIKE 'shoe%'"), "1");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_file_that_was_cleared_is_published_by_the_next_publish() {
    let place = Place::lived();
    place.sql(
        "DELETE FROM derived; UPDATE company SET change_seq = change_seq + 1;
         UPDATE asset SET change_seq = (SELECT change_seq FROM company WHERE id = company_id) WHERE name = 'shoe';
         INSERT INTO condemned_file (content, file, company_id, instance_id, condemned_at)
             SELECT blob, 'shoe.jpg', company_id, 1, 1 FROM asset WHERE name = 'shoe'",
    );
    let daemon = place.serve();
    let order = ["submit", "--kind", "imageServingPublish", "--user", "ada@acme.example", "--publish", "Incremental"];
    let publish = || place.run(&[&order[..], &["--wait"]].concat());
    for _ in 0..2 {
        assert_eq!(publish().code, Some(4), "it is told as long as it lasts");
    }
    place.run(&["doctor", "--clear", "shoe.jpg"]).ok();
    publish().ok();
    assert_eq!(place.sql("SELECT count(*) FROM derived WHERE role = 'Pyramid'"), "1", "it was made");
    assert_eq!(place.sql("SELECT count(*) FROM publish_refused"), "0");
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_folder_in_the_place_of_a_published_file_does_not_end_a_repair() {
    let place = Place::lived();
    let trees = place.data.join("publish/image-serving");
    let file = place.sql("SELECT file_name FROM publication WHERE file_name LIKE 'shoe%'");
    for side in ["a", "b"] {
        let path = trees.join(format!(".Acme.{side}")).join(&file);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("notes.txt"), "somebody's").unwrap();
    }
    let thumbnail = place.blob("SELECT blob FROM derived WHERE role = 'Thumbnail'");
    fs::remove_file(&thumbnail).unwrap();
    let repaired = place.run(&["doctor", "--repair"]);
    assert_eq!(repaired.code, Some(1), "{}", repaired.out);
    assert!(repaired.out.contains("3 differences, of which 1 repaired."), "{}{}", repaired.out, repaired.err);
    assert!(repaired.out.contains("move it away"), "{}", repaired.out);
    assert!(trees.join(".Acme.a").join(&file).join("notes.txt").is_file(), "nothing is deleted");
    let daemon = place.serve();
    place
        .run(&["submit", "--kind", "imageServingPublish", "--user", "ada@acme.example", "--publish", "Full", "--wait"])
        .ok();
    place.run(&["doctor"]).ok();
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn the_damaged_document_of_a_set_is_made_again_by_a_full_publish() {
    let place = Place::lived();
    for number in 1..=2 {
        place.draw(&format!("mugs/mug-{number}.png"), number);
    }
    let daemon = place.serve();
    let script = ["preset", "add", "--company", "Acme", "set-script", "name=Spin", "setType=SpinSet"];
    place.run(&[&script[..], &["match=(.*)-[0-9]+"]].concat()).ok();
    let order = ["submit", "--user", "ada@acme.example", "--wait", "--publish", "Full", "--kind"];
    place.run(&[&order[..], &["uploadDirectory", "--dir", "mugs", "--sets", "ps|1"]].concat()).ok();
    let document = place.blob("SELECT blob FROM publication WHERE file_name = 'mug.json'");
    let whole = fs::read(&document).unwrap();
    let published = place.data.join("publish/image-serving/Acme/mug.json");
    for is_edited in [false, true] {
        fs::remove_file(&document).unwrap();
        fs::write(&document, vec![b' '; whole.len()]).unwrap();
        if is_edited {
            fs::write(&published, "somebody's").unwrap();
        }
        let report = place.run(&["doctor", "--verify"]);
        assert!(report.out.contains("a full publish of Acme makes it again"), "{}", report.out);
        place.run(&[&order[..], &["imageServingPublish"]].concat()).ok();
        place.run(&["doctor", "--verify"]).ok();
        assert_eq!([&document, &published].map(|path| fs::read(path).unwrap()), [whole.clone(), whole.clone()]);
    }
    assert_eq!(daemon.terminate(), Some(0));
}

#[test]
fn a_manifest_that_does_not_say_what_is_published_is_a_difference_and_is_written_again() {
    let place = Place::lived();
    let manifest = place.data.join("publish/image-serving/Acme/manifest.jsonl");
    let whole = fs::read_to_string(&manifest).unwrap();
    let said = "The manifest of what was published to ImageServing of Acme does not say what was published.";
    let entries = |text: &str| text.lines().filter(|line| line.contains("name")).map(str::to_owned).collect::<Vec<_>>();
    for altered in [Some(whole.replace("\"bytes\":", "\"bytes\":1")), Some(whole.replace("shoe", "boot")), None] {
        match &altered {
            Some(text) => fs::write(&manifest, text).unwrap(),
            None => fs::remove_file(&manifest).unwrap(),
        }
        let found = place.run(&["doctor"]);
        assert_eq!(found.code, Some(1), "{}", found.out);
        assert!(found.out.contains(said) && found.out.contains("1 difference."), "{}", found.out);
        assert_eq!(fs::read_to_string(&manifest).ok(), altered, "it only looks");
        let repaired = place.run(&["doctor", "--repair"]).ok();
        assert!(repaired.contains("1 difference repaired"), "{repaired}");
        assert_eq!(entries(&fs::read_to_string(&manifest).unwrap()), entries(&whole));
        place.run(&["doctor"]).ok();
    }
    // The publishes after it go on from there.
    place.draw("more/boot.png", 120);
    let daemon = place.serve();
    place.upload("more");
    place.run(&["doctor", "--verify"]).ok();
    assert_eq!(daemon.terminate(), Some(0));
}

/// What a request for the head of a file is answered with first.
fn status(daemon: &Daemon, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(&daemon.address).unwrap();
    write!(stream, "HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    BufReader::new(stream).lines().next().unwrap().unwrap()
}

#[test]
fn the_doctor_looks_at_archives_marks_and_the_database_itself() {
    let place = Place::lived();
    let daemon = place.serve();
    let asset = place.sql("SELECT 'a|' || id FROM asset WHERE name = 'shoe'");
    let order = format!(
        r#"{{"companyHandle": "c|47", "jobName": "Get", "exportJob": {{
            "assetHandleArray": ["{asset}"], "fmt": "orig", "emailSetting": "None"}}}}"#
    );
    place.run_with_input(&["submit", "-", "--user", "ada@acme.example", "--wait"], &order).ok();
    let archive = files_below(&place.data.join("exports")).remove(0).0;
    place.run(&["doctor", "--verify"]).ok();
    let mut bytes = fs::read(&archive).unwrap();
    let address = place.sql("SELECT address FROM export");
    let path = &address[address.find("/Exports").unwrap()..];
    assert_eq!(status(&daemon, path), "HTTP/1.1 200 OK");
    assert_eq!(daemon.terminate(), Some(0));

    bytes[50] ^= 1;
    fs::write(&archive, &bytes).unwrap();
    place.run(&["doctor"]).ok();
    let verified = place.run(&["doctor", "--verify"]);
    assert_eq!(verified.code, Some(1), "{}", verified.out);
    assert!(
        verified.out.contains("The archive of the export of run ") && verified.out.contains("was changed"),
        "{}",
        verified.out
    );
    bytes.truncate(60);
    fs::write(&archive, &bytes).unwrap();
    assert_eq!(place.run(&["doctor"]).code, Some(1), "a cut is seen without reading");

    let mark = place.data.join("blobs/.prepress");
    fs::write(&mark, "{").unwrap();
    let report = place.run(&["doctor"]);
    assert!(report.out.contains("The mark beside the stored files cannot be read"), "{}", report.out);
    let repaired = place.run(&["doctor", "--repair"]).ok();
    // Whether the database is the newer one nobody can tell from it.
    assert!(repaired.contains("3 differences repaired"), "{repaired}");
    place.run(&["doctor", "--verify"]).ok();
    let daemon = place.serve();
    assert_eq!(status(&daemon, path), "HTTP/1.1 410 Gone", "a damaged archive is not handed out any more");
    let before = fs::metadata(&mark).unwrap().ino();
    assert_eq!(daemon.terminate(), Some(0));
    assert_eq!(fs::metadata(&mark).unwrap().ino(), before, "nothing was new at its end");

    // A row that refers to nothing.
    place
        .sql("PRAGMA foreign_keys = OFF; INSERT INTO publish_mark (asset_id, context_id, marked) VALUES (99999, 1, 1)");
    let report = place.run(&["doctor"]);
    assert_eq!(report.code, Some(1), "{}", report.out);
    assert!(report.out.contains("The database is damaged: publish_mark"), "{}", report.out);
}

#[test]
fn published_files_that_are_not_what_was_published_are_told_and_put_back() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let daemon = place.serve();
    place.furnish();
    fs::remove_file(place.data.join("ingest/Acme/spring/empty.jpg")).unwrap();
    for (shade, name) in [(10, "one"), (20, "two"), (30, "three")] {
        place.draw(&format!("spring/{name}.png"), shade);
    }
    place.upload("spring");
    assert_eq!(daemon.terminate(), Some(0));
    let published = |name: &str| place.data.join("publish/image-serving/Acme").join(name);
    let sound = place.run(&["doctor"]).ok();
    assert!(sound.contains("files (") && sound.contains("are published."), "{sound}");

    // The same size and time, so that only what no tool can set tells it.
    let good = fs::read(published("one.tif")).unwrap();
    let time = fs::metadata(published("one.tif")).unwrap().modified().unwrap();
    let mut other = good.clone();
    other[good.len() / 2] ^= 0x5a;
    fs::write(published("one.tif"), &other).unwrap();
    fs::File::open(published("one.tif")).unwrap().set_modified(time).unwrap();
    fs::remove_file(published("two.tif")).unwrap();
    // As an earlier version left it.
    let stored = place.blob(
        "SELECT d.blob FROM derived d JOIN asset a ON a.id = d.asset_id WHERE a.name = 'three' AND role = 'Pyramid'",
    );
    fs::remove_file(published("three.tif")).unwrap();
    fs::hard_link(&stored, published("three.tif")).unwrap();
    fs::write(published("stranger.tif"), "x").unwrap();
    place.sql("UPDATE publish_context SET owns_files = 0");

    let check = place.run(&["check"]);
    assert!(check.out.contains("1 file is a link to stored files"), "{}", check.out);
    let told = [
        "one.tif in ImageServing of Acme is not what was published.",
        "two.tif was published to ImageServing of Acme, and is not there.",
        ") in ImageServing of Acme is a link to a stored file",
        "stranger.tif in ImageServing of Acme was put there by no publish.",
    ];
    let found = place.run(&["doctor"]);
    assert_eq!(found.code, Some(1), "{}", found.out);
    for what in told {
        assert!(found.out.contains(what), "{what}: {}", found.out);
    }
    assert_eq!(fs::read(published("one.tif")).unwrap(), other, "it only looks");

    let repaired = place.run(&["doctor", "--repair"]);
    assert_eq!(repaired.code, Some(1), "{}", repaired.out);
    assert!(repaired.out.contains("4 differences, of which 3 repaired"), "{}", repaired.out);
    assert!(published("stranger.tif").exists(), "what is nobody's is not deleted");
    assert_eq!(fs::read(published("one.tif")).unwrap(), good);
    assert_eq!(fs::metadata(&stored).unwrap().nlink(), 1);
    assert_eq!(fs::metadata(&stored).unwrap().permissions().mode() & 0o222, 0);
    fs::remove_file(published("stranger.tif")).unwrap();
    place.run(&["doctor", "--verify"]).ok();
    assert!(!place.run(&["check"]).out.contains("stored files; the next publish"));

    // What left is a stranger where it left, also while the other tree has still to hear of it.
    let withdrawn = fs::read(published("two.tif")).unwrap();
    place.sql(
        "UPDATE publish_mark SET marked = 0 WHERE asset_id = (SELECT id FROM asset WHERE name = 'two');
         UPDATE company SET change_seq = change_seq + 1;
         UPDATE asset SET change_seq = (SELECT change_seq FROM company c WHERE c.id = company_id) WHERE name = 'two'",
    );
    let daemon = place.serve();
    let order = ["submit", "--kind", "imageServingPublish", "--user", "ada@acme.example", "--publish", "Incremental"];
    place.run(&[&order[..], &["--wait"]].concat()).ok();
    assert_eq!(daemon.terminate(), Some(0));
    assert!(!published("two.tif").exists());
    place.run(&["doctor"]).ok();
    fs::write(published("two.tif"), withdrawn).unwrap();
    let found = place.run(&["doctor"]);
    assert!(found.out.contains("two.tif in ImageServing of Acme was put there by no publish."), "{}", found.out);
    fs::remove_file(published("two.tif")).unwrap();

    // Nothing right is left of one whose stored file is damaged too.
    fs::set_permissions(&stored, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&stored, "damaged").unwrap();
    for side in ["a", "b"] {
        fs::write(place.data.join(format!("publish/image-serving/.Acme.{side}/three.tif")), "changed").unwrap();
    }
    let lost = place.run(&["doctor", "--repair"]);
    assert!(lost.out.contains("its stored file is not what it should be either"), "{}", lost.out);
}
