//! The steps that bring a schema up to date, one file each below `migrations/sqlite`: a number, and what the step is about.
//!
//! They are listed here. The macro that would read the folder while this is compiled needs all of the database library
//! once more for the compiler itself.

use std::borrow::Cow;
use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! files {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../../../migrations/sqlite/", $name, ".sql"))),)*]
    };
}

const FILES: &[(&str, &str)] = files![
    "0001_core",
    "0002_parts_and_sets",
    "0003_local_times",
    "0010_kept_numbers_and_fair_outbox",
    "0011_posted_files",
    "0012_orphaned_blobs",
    "0013_waits_without_failure",
    "0030_pages",
    "0050_property_sets",
    "0051_sets",
    "0060_image_formats",
    "0061_exports",
    "0070_publication_facts",
    "0071_publish_history",
    "0072_metadata",
    "0073_metadata_context",
    "0074_metadata_files",
    "0075_set_thumbs",
    "0080_sound_files",
    "0081_published_files",
    "0082_sources",
    "0083_crashes",
    "0085_account_networks",
    "0086_lists_at_size",
    "0087_stops_and_users",
    "0090_publish_turns",
    "0092_keys_of_parts",
    "0093_numbers_of_handles",
    "0094_hosts_in_the_outbox",
    "0095_ranges_and_blocked_runs",
    "0096_pictures_of_parts",
    "0098_ready_messages",
    "0100_held_triggers",
    "0103_withdrawn",
    "0104_what_parts_are_made_of",
    "0105_what_waits",
    "0106_parts_without_a_master",
    "0108_parts_among_what_is_counted",
    "0109_sets_as_they_were_made",
    "0110_who_unmarked",
    "0111_held_and_ended",
    "0112_ranges_by_reason",
    "0113_parts_that_failed",
    "0114_unfinished_parts",
    "0115_recipes_of_parts",
];

pub static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| Migrator::with_migrations(FILES.iter().map(|(name, sql)| step(name, sql)).collect()));

fn step(name: &'static str, sql: &'static str) -> Migration {
    let (number, about) = name.split_once('_').unwrap_or((name, ""));
    // A test holds that each name begins with a number.
    let number = number.parse().unwrap_or_default();
    Migration::new(number, Cow::Owned(about.replace('_', " ")), MigrationType::Simple, sql.into_sql_str(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_a_step_of_its_number() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        let listed: Vec<String> = FILES.iter().map(|(name, _)| format!("{name}.sql")).collect();
        assert_eq!(listed, names);
        for (name, migration) in names.iter().zip(MIGRATIONS.iter()) {
            assert!(migration.version > 0 && name.starts_with(&format!("{:04}_", migration.version)), "{name}");
        }
    }
}
