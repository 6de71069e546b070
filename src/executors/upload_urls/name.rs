//! Where a fetched file goes and what it is called.
//!
//! `destPath` is a folder and a name below the company root; clients begin it with a slash, or with the root, or not. If
//! it is empty or ends in a slash, the name is that of the address. A name without an extension gets that of the
//! address, or else one for the media type that the server gave, or for what the content is.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::assets::recognize::{extension_of_media_type, is_extension};
use crate::executors::reason;
use crate::model::handle;
use crate::model::log::Message;
use crate::model::name::{FileName, clean_folder};
use crate::model::source::SourceName;

/// What is known before anything is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub folder: String,
    /// As it was given.
    raw_folder: String,
    /// May still lack its extension.
    raw: String,
    extension: Option<String>,
}

/// A name as it came and as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub raw: String,
    pub name: FileName,
}

impl Destination {
    pub fn new(dest_path: &str, url: &Url, company_root: &str) -> Result<Self, Message> {
        let path = dest_path.replace('\\', "/");
        let is_folder = path.is_empty() || path.ends_with('/');
        let inside = handle::strip_root(company_root, &path);
        let of_address = name_of(url);
        let (folder, raw) = if is_folder || inside.is_empty() {
            (inside, of_address.clone())
        } else {
            let (folder, name) = inside.rsplit_once('/').unwrap_or(("", inside));
            (folder, name.to_owned())
        };
        let raw_folder = folder.to_owned();
        let folder = clean_folder("destPath", folder).map_err(reason::other)?;
        let extension = known_extension(&raw).or_else(|| known_extension(&of_address));
        let destination = Self { folder, raw_folder, raw, extension };
        // What no extension could mend is refused before it is fetched.
        FileName::clean("destPath", &destination.raw).map_err(|_| reason::bad_name(&destination.raw))?;
        destination.with_extension("jpg")?;
        Ok(destination)
    }

    /// The name, now that the media type is known, and what extension fits the content.
    pub fn name_of_fetched(&self, media_type: Option<&str>, content: Option<&str>) -> Result<Named, Message> {
        let extension = self.extension.as_deref();
        let extension = extension.or_else(|| media_type.and_then(extension_of_media_type)).or(content);
        self.with_extension(extension.unwrap_or_default())
    }

    /// Where the file would go if nothing had to be cleaned, as far as is known before it is fetched.
    pub fn source(&self) -> SourceName {
        match self.with_extension(self.extension.as_deref().unwrap_or_default()) {
            Ok(named) => self.source_of(&named),
            Err(_) => SourceName::new(&self.raw_folder, &self.raw),
        }
    }

    pub fn source_of(&self, named: &Named) -> SourceName {
        SourceName::new(&self.raw_folder, &named.raw)
    }

    fn with_extension(&self, extension: &str) -> Result<Named, Message> {
        let raw = if known_extension(&self.raw).is_some() || extension.is_empty() {
            self.raw.clone()
        } else {
            format!("{}.{extension}", self.raw)
        };
        match FileName::clean("destPath", &raw) {
            Ok(name) => Ok(Named { raw, name }),
            Err(_) => Err(reason::bad_name(&raw)),
        }
    }
}

/// The last part of the path of an address.
fn name_of(url: &Url) -> String {
    let last = url.path_segments().and_then(|segments| segments.rev().find(|part| !part.is_empty()));
    let decoded = percent_decode_str(last.unwrap_or_default()).decode_utf8_lossy().into_owned();
    // A slash that was encoded is part of the name, and a name has none.
    decoded.replace(['/', '\\'], "")
}

fn known_extension(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && is_extension(extension)).then(|| extension.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(dest_path: &str, url: &str, media_type: Option<&str>) -> String {
        let destination = Destination::new(dest_path, &url.parse().unwrap(), "Acme").unwrap();
        let named = destination.name_of_fetched(media_type, None).unwrap();
        format!("{}|{}", destination.folder, named.name.with_extension())
    }

    #[test]
    fn names_come_from_the_path_or_the_address() {
        let url = "https://host.example/pictures/blue%20shoe.PNG?v=1";
        let table = [
            ("", "|blue shoe.png"),
            ("/", "|blue shoe.png"),
            ("Catalog/", "Catalog|blue shoe.png"),
            ("/Acme/Catalog/", "Catalog|blue shoe.png"),
            ("Acme", "|blue shoe.png"),
            ("/Catalog/shoe", "Catalog|shoe.png"),
            ("/Catalog/shoe.jpg", "Catalog|shoe.jpg"),
            ("/Catalog/shoe.v2", "Catalog|shoe.v2.png"),
            ("Acme/shoe", "|shoe.png"),
            ("shoe", "|shoe.png"),
            ("\\Catalog\\shoe", "Catalog|shoe.png"),
            ("/A//B/shoe", "A/B|shoe.png"),
        ];
        for (dest_path, expected) in table {
            assert_eq!(named(dest_path, url, Some("image/gif")), expected, "{dest_path}");
        }
    }

    #[test]
    fn the_media_type_helps_where_the_address_does_not() {
        assert_eq!(named("/x/shoe", "https://h.example/render?id=5", Some("image/jpeg; q=1")), "x|shoe.jpg");
        assert_eq!(named("", "https://h.example/render.php", Some("image/png")), "|render.php.png");
        assert_eq!(named("shoe", "https://h.example/render", None), "|shoe");
        let content = Destination::new("shoe", &"https://h.example/".parse().unwrap(), "Acme").unwrap();
        assert_eq!(content.name_of_fetched(None, Some("tif")).unwrap().name.with_extension(), "shoe.tif");
    }

    #[test]
    fn names_stay_names() {
        assert_eq!(named("", "https://h.example/a%2F..%2Fb.jpg", None), "|a..b.jpg");
        for (dest_path, url) in
            [("", "https://h.example/"), ("a/../b", "https://h.example/x.jpg"), ("%%%", "https://h.example/x.jpg")]
        {
            assert!(Destination::new(dest_path, &url.parse().unwrap(), "Acme").is_err(), "{dest_path}");
        }
        let long = format!("https://h.example/{}.jpg", "n".repeat(300));
        assert!(Destination::new("", &long.parse().unwrap(), "Acme").is_err());
    }
}
