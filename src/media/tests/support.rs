//! Pictures to test with, and the tools to look at what came of them.

use std::cell::OnceCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::super::*;

pub fn never() -> bool {
    false
}

/// Runs a tool and returns what it printed. A tool that is not there fails the test and says how to get it.
pub fn run(tool: &str, args: &[&str]) -> String {
    let package = match tool {
        "vips" | "vipsheader" => "libvips-tools",
        "convert" | "identify" => "imagemagick",
        "cjpeg" | "djpeg" => "libjpeg-turbo-progs",
        "heif-convert" | "heif-info" => "libheif-examples",
        "ffmpeg" => "ffmpeg",
        "exiftool" => "libimage-exiftool-perl",
        "tiffinfo" | "tiffcp" | "tiffmedian" | "tiffset" | "tiff2rgba" => "libtiff-tools",
        other => panic!("{other} belongs to no known package"),
    };
    let output = Command::new(tool)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{tool} cannot be run ({error}): install the Debian package {package}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {args:?} failed: {said}");
    assert!(!said.to_lowercase().contains("warn"), "{tool} {args:?} warned: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn path(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

/// The size the catalogue is drawn at.
const DRAWN: u32 = 128;

pub struct Workshop {
    dir: TempDir,
    catalogue: OnceCell<Vec<PathBuf>>,
}

impl Workshop {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder"), catalogue: OnceCell::new() }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The picture of the sample catalogue whose name ends with `ending`, its longer side `side` pixels long if the
    /// catalogue were made at that size. It is drawn small and enlarged by vips, which is far quicker unoptimised.
    pub fn sample(&self, ending: &str, side: u32) -> PathBuf {
        let drawn = self.catalogue.get_or_init(|| sample::write_catalogue(&self.file("samples"), DRAWN).unwrap());
        let drawn = drawn.iter().find(|path| path.to_string_lossy().ends_with(ending)).expect("a sample of that name");
        let file_name = drawn.file_name().unwrap().to_str().unwrap();
        let options = match drawn.extension().and_then(|extension| extension.to_str()) {
            _ if side == DRAWN => return drawn.clone(),
            Some("webp") => "[lossless]",
            Some("tif") => "[compression=lzw]",
            Some("jpg") => "[Q=92]",
            // vips writes BMP through ImageMagick only.
            Some("bmp") => return drawn.clone(),
            _ => "",
        };
        let scale = (f64::from(side) / f64::from(DRAWN)).to_string();
        self.vips("resize", drawn, &format!("{side}-{file_name}{options}"), &[&scale])
    }

    /// What vips makes of `source` when it runs `operation`, saved under `name`.
    pub fn vips(&self, operation: &str, source: &Path, name: &str, more: &[&str]) -> PathBuf {
        let target = self.file(name);
        let bare = name.split('[').next().unwrap();
        run("vips", &[&[operation, path(source), path(&target)], more].concat());
        self.file(bare)
    }

    pub fn optimize(&self, source: &Path, options: &Options) -> Result<(Made, Optimized), MediaError> {
        let made =
            Made { pyramid: self.file("made.tif"), thumbnail: self.file("made.jpg"), mask: self.file("made-mask.tif") };
        let mut pyramid = File::create(&made.pyramid).unwrap();
        let mut thumbnail = File::create(&made.thumbnail).unwrap();
        let mut mask = File::create(&made.mask).unwrap();
        let outputs = Outputs { pyramid: &mut pyramid, thumbnail: &mut thumbnail, mask: &mut mask };
        let optimized = optimize(source, outputs, options, &Limits::default(), &never)?;
        Ok((made, optimized))
    }

    /// The pixels of a picture as vips reads them, by way of its own format: to start it a second time, for the size,
    /// takes longer than to read a small picture.
    pub fn pixels(&self, picture: &str) -> Pixels {
        let read = if picture.ends_with(".v") { PathBuf::from(picture) } else { self.file("pixels.v") };
        if path(&read) != picture {
            run("vips", &["copy", picture, path(&read)]);
        }
        let mut bytes = std::fs::read(&read).unwrap();
        let field = |number: usize| u32::from_ne_bytes(bytes[4 * number..][..4].try_into().unwrap());
        assert_eq!(field(0), VIPS_MAGIC, "{picture} is not what vips writes");
        let [width, height, bands] = [1, 2, 3].map(|number| field(number) as usize);
        assert_eq!(field(5), VIPS_UCHAR, "{picture} is not 8 bits deep");
        bytes.drain(..VIPS_HEADER);
        bytes.truncate(width * height * bands);
        Pixels { width, height, bands, bytes }
    }
}

/// What a .v file of vips begins with: fields of 32 bits in the order of the machine, then the samples.
const VIPS_HEADER: usize = 64;
const VIPS_MAGIC: u32 = 0x08F2_A6B6;
const VIPS_UCHAR: u32 = 0;

pub struct Made {
    pub pyramid: PathBuf,
    pub mask: PathBuf,
    pub thumbnail: PathBuf,
}

impl Made {
    pub fn page(&self, number: usize) -> String {
        format!("{}[page={number}]", path(&self.pyramid))
    }
}

pub struct Pixels {
    pub width: usize,
    pub height: usize,
    pub bands: usize,
    pub bytes: Vec<u8>,
}

impl Pixels {
    pub fn size(&self) -> (usize, usize, usize) {
        (self.width, self.height, self.bands)
    }

    /// The mean distance of two samples in the same place.
    pub fn mean_error(&self, other: &Self) -> f64 {
        assert_eq!(self.size(), other.size(), "width, height and bands");
        let distance: u64 = self.bytes.iter().zip(&other.bytes).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        distance as f64 / self.bytes.len() as f64
    }

    /// Colours on black where alpha lets nothing through: there, what they are is of no account.
    pub fn visible(mut self) -> Self {
        for pixel in self.bytes.chunks_exact_mut(self.bands) {
            if pixel.last() == Some(&0) {
                pixel.fill(0);
            }
        }
        self
    }
}
