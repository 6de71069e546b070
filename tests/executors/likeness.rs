//! How far what was made of a picture is from what another program makes of it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{World, read};

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
    let said = tool("vipsheader", &[text(picture)]);
    let facts = said.strip_prefix(text(picture)).unwrap().strip_prefix(": ").unwrap();
    let (width, height) = facts.split_once(' ').unwrap().0.split_once('x').unwrap();
    (width.parse().unwrap(), height.parse().unwrap())
}

/// How many bands a file in the format of vips has, whose header holds numbers of 32 bits in the order of the machine.
fn bands(picture: &str) -> u32 {
    let mut header = [0; 16];
    std::fs::File::open(picture).unwrap().read_exact(&mut header).unwrap();
    u32::from_ne_bytes(header[12..].try_into().unwrap())
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
        match bands(&rgb) {
            2 | 4 => tool("vips", &["flatten", &rgb, &flat, "--background", "255 255 255"]),
            _ => tool("vips", &["copy", &rgb, &flat]),
        };
    }
    tool("vips", &["dE00", &at("one-flat.v"), &at("other-flat.v"), &at("difference.v")]);
    tool("vips", &["avg", &at("difference.v")]).parse().unwrap()
}

/// Width and height of pictures, turned upright, by what ImageMagick calls them.
pub fn sizes(pictures: &[String]) -> Vec<(u32, u32)> {
    let names: Vec<&str> = pictures.iter().map(String::as_str).collect();
    let said = tool("convert", &[&names[..], &["-auto-orient", "-format", "%w %h\n", "info:"]].concat());
    let side = |text: &str| text.parse().unwrap();
    said.lines().map(|line| line.split_once(' ').unwrap()).map(|(width, height)| (side(width), side(height))).collect()
}

/// How pictures come to have one size.
#[derive(Debug, Clone, Copy)]
pub enum Fit {
    Resize,
    /// Cut off or lengthened in white, at the right and at the bottom.
    Crop,
}

/// The mean ΔE (CIEDE2000) of each of our pictures to theirs. They come to have one size, stand on white, and are seen as ImageMagick reads
/// them, one below the other for a single measurement by vips.
pub fn differences(ours: &[String], theirs: &[String], size: (u32, u32), fit: Fit) -> Vec<f64> {
    // ImageMagick as Debian has it makes no picture that is higher than 16,000 pixels.
    let at_once = (16_000 / size.1.max(1)).max(1) as usize;
    let columns = ours.chunks(at_once).zip(theirs.chunks(at_once));
    columns.flat_map(|(ours, theirs)| differences_of_column(ours, theirs, size, fit)).collect()
}

fn differences_of_column(ours: &[String], theirs: &[String], (width, height): (u32, u32), fit: Fit) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let (resized, extent) = (format!("{width}x{height}!"), format!("{width}x{height}"));
    let fit = match fit {
        Fit::Resize => ["-resize", &resized],
        Fit::Crop => ["-extent", &extent],
    };
    let column = |pictures: &[String], name: &str| {
        let mut arguments: Vec<&str> = pictures.iter().map(String::as_str).collect();
        arguments.extend(["-auto-orient", "-background", "white", "-alpha", "remove", "-alpha", "off"]);
        arguments.extend(["-colorspace", "sRGB"]);
        arguments.extend(fit);
        let out = at(name);
        arguments.extend(["+repage", "-depth", "8", "-strip", "-append", &out]);
        tool("convert", &arguments);
    };
    column(ours, "ours.ppm");
    column(theirs, "theirs.ppm");
    tool("vips", &["dE00", &at("ours.ppm"), &at("theirs.ppm"), &at("difference.v")]);
    tool("vips", &["shrink", &at("difference.v"), &at("means.v"), &width.to_string(), &height.to_string()]);
    tool("vips", &["csvsave", &at("means.v"), &at("means.csv")]);
    let means = String::from_utf8(read(at("means.csv"))).unwrap();
    let means: Vec<f64> = means.split_whitespace().map(|mean| mean.parse().unwrap()).collect();
    assert_eq!(means.len(), ours.len());
    means
}
