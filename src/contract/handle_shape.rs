//! Handles as the unversioned namespace writes them.

/// What begins a handle since 4.0, up to its first bar.
const PREFIXES: [&str; 14] = ["a", "c", "f", "g", "i", "j", "m", "p", "pc", "pm", "ps", "pt", "u", "v"];

/// Turns a handle into the shape it had before 4.0: without its prefix and, for a job, without its run number.
///
/// A handle that already has the old shape comes back as it is.
pub fn to_legacy_handle(handle: &str) -> String {
    match handle.split_once('|') {
        Some(("j", job)) => job.rsplit_once('|').map_or(job, |(names, _number)| names).to_owned(),
        Some((prefix, rest)) if PREFIXES.contains(&prefix) => rest.to_owned(),
        _ => handle.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_loses_its_prefix() {
        for (handle, legacy) in [
            ("c|6", "6"),
            ("u|41|a@b", "41|a@b"),
            ("g|2", "2"),
            ("f|X/Y/", "X/Y/"),
            ("a|732|1|535", "732|1|535"),
            ("a|918567", "918567"),
            ("p|6|ProjectTestAPI", "6|ProjectTestAPI"),
            ("m|6|IMAGE|saveMetadataField", "6|IMAGE|saveMetadataField"),
            ("pc|3001", "3001"),
            ("v|21|281", "21|281"),
        ] {
            assert_eq!(to_legacy_handle(handle), legacy, "{handle}");
        }
    }

    #[test]
    fn a_job_also_loses_its_run_number() {
        assert_eq!(to_legacy_handle("j|47|My Test Job||"), "47|My Test Job|");
        assert_eq!(to_legacy_handle("j|6||Run_2007-10-24-16:11:07.123|5129"), "6||Run_2007-10-24-16:11:07.123");
    }

    #[test]
    fn the_old_shape_stays() {
        for handle in ["47", "47|My Test Job|", "6||Run_2007", "MyCompany/PDF/", "70|user@example.com", ""] {
            assert_eq!(to_legacy_handle(handle), handle);
        }
    }
}
