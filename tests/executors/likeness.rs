//! How far what was made of a picture is from what another program makes of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::World;

/// A tool's words; it must succeed.
pub fn tool(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(name).args(arguments).output().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The pyramid of an asset. Its first page is the picture in full size.
pub async fn pyramid(world: &World, asset: &str) -> PathBuf {
    derived(world, asset, "Pyramid").await.unwrap_or_else(|| panic!("{asset} has no pyramid"))
}

pub async fn derived(world: &World, asset: &str, role: &str) -> Option<PathBuf> {
    let rows = world.query("SELECT a.name, d.role, d.blob FROM derived d JOIN asset a ON a.id = d.asset_id").await;
    let row = rows.iter().find(|row| row[0] == asset && row[1] == role)?;
    Some(world.blobs.path(row[2].as_str().unwrap()).unwrap())
}

/// Width and height.
pub fn size(picture: &Path) -> (u32, u32) {
    let side = |field| tool("vipsheader", &["-f", field, text(picture)]).parse().unwrap();
    (side("width"), side("height"))
}

/// The mean ΔE (CIEDE2000) of two pictures of one size, both on white, as vips measures it. Those that are colder or
/// more transparent than each other differ there as well.
pub fn mean_delta_e(one: &Path, other: &Path) -> f64 {
    assert_eq!(size(one), size(other), "{} and {}", one.display(), other.display());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    for (source, name) in [(one, "one"), (other, "other")] {
        tool("vips", &["colourspace", text(source), &at(&format!("{name}-rgb.v")), "srgb"]);
        let (rgb, flat) = (at(&format!("{name}-rgb.v")), at(&format!("{name}-flat.v")));
        match tool("vipsheader", &["-f", "bands", &rgb]).as_str() {
            "2" | "4" => tool("vips", &["flatten", &rgb, &flat, "--background", "255 255 255"]),
            _ => tool("vips", &["copy", &rgb, &flat]),
        };
    }
    tool("vips", &["dE00", &at("one-flat.v"), &at("other-flat.v"), &at("difference.v")]);
    tool("vips", &["avg", &at("difference.v")]).parse().unwrap()
}
