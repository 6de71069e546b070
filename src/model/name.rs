//! What jobs, assets and folders may be called.

use unicode_normalization::UnicodeNormalization;

use super::invalid::Invalid;

/// Characters that are dropped from asset names (manual: uploading files, file naming).
const DROPPED: &[char] =
    &['\\', ';', '/', '?', ':', '@', '&', '=', '+', '$', ',', '*', '"', '<', '>', '|', '\'', '{', '}', '%'];

/// Longest job name, in characters: the run name adds 24 to it.
pub const LONGEST_JOB_NAME: usize = 200;

/// Longest asset or folder name, in bytes of UTF-8: a file system takes 255, and published names add an ending and a number.
pub const LONGEST_FILE_NAME: usize = 220;

/// Deepest folder, in levels below the company root.
pub const DEEPEST_FOLDER: usize = 32;

/// Checks a job name. The bar is refused because it separates the parts of a handle.
pub fn check_job_name(field: &str, name: &str) -> Result<(), Invalid> {
    if name.trim().is_empty() {
        return Err(Invalid::new(field, "must not be empty"));
    }
    let length = name.chars().count();
    if length > LONGEST_JOB_NAME {
        return Err(Invalid::new(field, format!("must have at most {LONGEST_JOB_NAME} characters, not {length}")));
    }
    match name.chars().find(|c| *c == '|' || c.is_control()) {
        Some('|') => Err(Invalid::new(field, "must not contain \"|\", which separates the parts of a handle")),
        Some(c) => Err(Invalid::new(field, format!("must not contain the control character U+{:04X}", c as u32))),
        None => Ok(()),
    }
}

/// A file name made fit for an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// The asset id: without extension.
    pub stem: String,
    /// Lower case, without the dot; empty when there is none.
    pub extension: String,
    /// Something had to be dropped.
    pub changed: bool,
}

impl FileName {
    /// Cleans one path component. `field` is named when nothing is left of it.
    pub fn clean(field: &str, raw: &str) -> Result<Self, Invalid> {
        let (raw_stem, raw_extension) = match raw.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => (stem, extension),
            _ => (raw, ""),
        };
        let stem = clean_component(raw_stem);
        let extension = clean_component(raw_extension);
        let shown: String = raw.chars().take(80).collect();
        if stem.is_empty() {
            return Err(Invalid::new(field, format!("has no character that an asset name may hold: \"{shown}\"")));
        }
        if stem.len() + extension.len() + 1 > LONGEST_FILE_NAME {
            let rule = format!("must have at most {LONGEST_FILE_NAME} bytes, not {}: \"{shown}…\"", raw.len());
            return Err(Invalid::new(field, rule));
        }
        let changed = stem != raw_stem || extension != raw_extension;
        Ok(Self { stem, extension: extension.to_lowercase(), changed })
    }

    pub fn with_extension(&self) -> String {
        if self.extension.is_empty() { self.stem.clone() } else { format!("{}.{}", self.stem, self.extension) }
    }

    /// The same file under a name with a number: what a duplicate becomes.
    pub fn numbered(&self, number: u32) -> Self {
        Self { stem: format!("{}-{number}", self.stem), extension: self.extension.clone(), changed: true }
    }
}

/// Checks a name that was asked for as it is: what an asset name may not hold is refused, not dropped, because the caller
/// would not hear of another name. Accents come back composed.
pub fn check_asset_name(field: &str, wanted: &str) -> Result<String, Invalid> {
    let cleaned = clean_component(wanted);
    if cleaned.is_empty() {
        let shown: String = wanted.chars().take(80).collect();
        return Err(Invalid::new(field, format!("has no character that an asset name may hold: \"{shown}\"")));
    }
    if cleaned != wanted.trim().nfc().collect::<String>() {
        let rule = format!("holds characters that asset names may not hold; \"{cleaned}\" would be allowed");
        return Err(Invalid::new(field, rule));
    }
    if cleaned.len() > LONGEST_FILE_NAME {
        return Err(Invalid::new(field, format!("must have at most {LONGEST_FILE_NAME} bytes, not {}", cleaned.len())));
    }
    Ok(cleaned)
}

/// Checks what is put in front of a name or added to one.
pub fn check_asset_name_part(field: &str, part: &str) -> Result<(), Invalid> {
    match part.chars().find(|c| DROPPED.contains(c) || c.is_control()) {
        Some(c) => Err(Invalid::new(field, format!("must not contain {c:?}, which asset names may not hold"))),
        None => Ok(()),
    }
}

/// A file name in a form that every Windows can unpack: there, some characters, dots and blanks at the end, and the names of
/// devices, whatever extension they have, are for no file.
pub fn for_windows(name: &str) -> String {
    const REFUSED: &[char] = &['<', '>', ':', '"', '/', '\\', '|', '?', '*'];
    let fit = name.chars().map(|c| if REFUSED.contains(&c) || c.is_control() { '_' } else { c }).collect::<String>();
    let fit = fit.trim_end_matches(['.', ' ']);
    if fit.is_empty() || is_device(fit) { format!("_{fit}") } else { fit.to_owned() }
}

fn is_device(name: &str) -> bool {
    let base = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let is_port = |kind: &str| {
        let port = base.strip_prefix(kind).map(|rest| rest.chars().collect::<Vec<_>>());
        port.is_some_and(|port| matches!(port[..], ['0'..='9' | '¹' | '²' | '³']))
    };
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&base.as_str()) || is_port("COM") || is_port("LPT")
}

/// Drops what a name may not hold, composes accents, and trims spaces and dots off its ends.
fn clean_component(raw: &str) -> String {
    let kept: String = raw.nfc().filter(|c| !DROPPED.contains(c) && !c.is_control()).collect();
    kept.trim_matches(|c: char| c.is_whitespace() || c == '.').to_owned()
}

/// A folder path in the form it is kept: cleaned components joined by slashes, nothing at the ends, empty for the root.
pub fn clean_folder(field: &str, raw: &str) -> Result<String, Invalid> {
    let mut components = Vec::new();
    for raw in raw.split(['/', '\\']).filter(|c| !c.is_empty() && *c != ".") {
        if raw == ".." {
            return Err(Invalid::trespass(field, "must not lead out of the company's folder: \"..\" is not allowed"));
        }
        let component = clean_component(raw);
        let shown: String = raw.chars().take(80).collect();
        if component.is_empty() {
            return Err(Invalid::new(field, format!("has a folder without a usable character: \"{shown}\"")));
        }
        if component.len() > LONGEST_FILE_NAME {
            let rule = format!("has a folder name of more than {LONGEST_FILE_NAME} bytes: \"{shown}…\"");
            return Err(Invalid::new(field, rule));
        }
        components.push(component);
    }
    if components.len() > DEEPEST_FOLDER {
        return Err(Invalid::new(
            field,
            format!("must have at most {DEEPEST_FOLDER} levels, not {}", components.len()),
        ));
    }
    Ok(components.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asset_names_lose_what_they_may_not_hold() {
        let table = [
            ("shoe.JPG", "shoe", "jpg", false),
            ("a+b&c=d.tif", "abcd", "tif", true),
            ("no extension", "no extension", "", false),
            (".hidden", "hidden", "", true),
            ("archive.tar.gz", "archive.tar", "gz", false),
            ("Кружка.png", "Кружка", "png", false),
            ("A\u{30a}ngstro\u{308}m.jpg", "Ångström", "jpg", true),
            ("tab\there.png", "tabhere", "png", true),
            ("trailing. .png", "trailing", "png", true),
        ];
        for (raw, stem, extension, changed) in table {
            let name = FileName::clean("file", raw).unwrap();
            assert_eq!(
                (name.stem.as_str(), name.extension.as_str(), name.changed),
                (stem, extension, changed),
                "{raw}"
            );
        }
        for raw in ["", "%%%.jpg", "???", "...", &"x".repeat(300)] {
            assert_eq!(FileName::clean("file", raw).unwrap_err().field, "file", "{raw}");
        }
    }

    #[test]
    fn names_that_windows_refuses_get_another_form() {
        let table = [
            ("CON.jpg", "_CON.jpg"),
            ("nul", "_nul"),
            ("Aux.tar.gz", "_Aux.tar.gz"),
            ("com1 .png", "_com1 .png"),
            ("LPT².tif", "_LPT².tif"),
            ("a.b. .", "a.b"),
            ("...", "_"),
            ("con. ", "_con"),
            ("<a>:\"b\"|?*\\/.jpg", "_a___b______.jpg"),
            ("tab\there", "tab_here"),
        ];
        for (name, expected) in table {
            assert_eq!(for_windows(name), expected, "{name}");
            assert_eq!(for_windows(expected), expected, "{name}");
        }
        for name in ["shoe.jpg", "CONE.jpg", "a.con", "COM.jpg", "COM10.jpg", "console", "Кружка.png", "a .jpg"] {
            assert_eq!(for_windows(name), name);
        }
    }

    #[test]
    fn folders_stay_inside() {
        assert_eq!(clean_folder("destFolder", "/A//B/./C/").unwrap(), "A/B/C");
        assert_eq!(clean_folder("destFolder", "").unwrap(), "");
        for raw in ["../x", "A/../B", "A/?/B", "a\\..\\b", &"d/".repeat(40)] {
            assert!(clean_folder("destFolder", raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn job_names_have_rules() {
        assert!(check_job_name("jobName", "My Test Job").is_ok());
        for name in ["", "   ", "a|b", "a\nb", &"n".repeat(201)] {
            assert_eq!(check_job_name("jobName", name).unwrap_err().field, "jobName");
        }
    }
}
