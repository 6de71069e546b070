//! Readers of files, each as a function that takes any bytes: for fuzzing, and for the tests of what it found. They say nothing; what
//! must not happen is a panic, also one that a guard around a decoder would make an error of.

use std::fs::File;
use std::io::{self, Cursor, Write};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use super::archive::{self, Extractor, Kind, Naming};
use super::color::Converter;
use super::decode::{self, LayerChoice};
use super::error::MediaError;
use super::format::{Format, SNIFF_LEN};
use super::limits::Limits;
use super::metadata::sheet::{Form, Rows};
use super::options::{ColorManagement, Options};
use super::picture::Profile;
use super::raster::Layout;
use super::render::Rendering;
use super::serve::Renderer;
use super::{Blacks, IccSpace, edit, metadata, pyramid, sniff};
use crate::serving::{Commands, resolve};

/// Takes any bytes.
pub type Reader = fn(&[u8]);

/// By the folders of their corpora.
pub const READERS: &[(&str, Reader)] = &[
    ("bmp", |bytes| picture(bytes, &[Format::Bmp])),
    ("exif", metadata::fuzzing::exif),
    ("gif", |bytes| picture(bytes, &[Format::Gif])),
    ("heif", metadata::fuzzing::heif),
    ("iptc", metadata::fuzzing::iptc),
    ("jpeg", |bytes| picture(bytes, &[Format::Jpeg])),
    ("layers", layers),
    ("png", |bytes| picture(bytes, &[Format::Png])),
    ("profile", profile),
    ("psd", |bytes| picture(bytes, &[Format::Psd, Format::Psb])),
    ("pyramid", pyramid),
    ("sheet", |bytes| rows(Form::TabDelimited, bytes)),
    ("sheet-xml", |bytes| rows(Form::Xml, bytes)),
    ("tar", |bytes| unpack(Kind::Tar, bytes)),
    ("tar-gz", |bytes| unpack(Kind::TarGz, bytes)),
    ("tiff", |bytes| picture(bytes, &[Format::Tiff])),
    ("webp", |bytes| picture(bytes, &[Format::WebP])),
    ("xmp", metadata::fuzzing::xmp),
    ("zip", |bytes| unpack(Kind::Zip, bytes)),
];

/// Small enough that a picture within them is done at once, however it is packed.
fn limits() -> Limits {
    Limits {
        max_pixels: 1 << 16,
        max_side: 4096,
        max_source_bytes: 1 << 20,
        max_memory: 32 << 20,
        scratch: std::env::temp_dir(),
    }
}

fn never() -> bool {
    false
}

/// What came of a decoder. A panic that its guard caught is one here.
fn sound<T>(result: Result<T, MediaError>) -> Option<T> {
    if let Err(MediaError::Corrupt { what, .. }) = &result {
        assert!(!what.starts_with(decode::GAVE_UP), "{what}");
    }
    result.ok()
}

/// Readers of pictures want files.
fn on_file(bytes: &[u8], read: impl FnOnce(&Path)) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    read(file.path());
}

fn picture(bytes: &[u8], formats: &[Format]) {
    let format = sniff(&bytes[..bytes.len().min(SNIFF_LEN)], "");
    if !formats.contains(&format) {
        return;
    }
    on_file(bytes, |path| {
        let _ = metadata::metadata(path, format);
        let _ = sound(edit::clipping_path(&path.into(), &limits()));
        if sound(decode::probe(path, &limits())).is_some() {
            render(path, &Options::default());
        }
    });
}

fn render(path: &Path, options: &Options) {
    const BAND: u32 = 64;
    let limits = limits();
    let Some((_, rendering)) = sound(Rendering::open(&path.into(), options, &limits, &never)) else { return };
    let mut rows = rendering.into_rows();
    while sound(rows.read(BAND).map(|band| !band.is_empty())) == Some(true) {}
}

/// Each of the first layers of a Photoshop file.
fn layers(bytes: &[u8]) {
    const MOST: usize = 4;
    on_file(bytes, |path| {
        let Some(layers) = sound(decode::layers(path, &limits(), &never)) else { return };
        for layer in layers.layers.iter().take(MOST) {
            for extended in [false, true] {
                let choice = LayerChoice { number: layer.number, extended };
                render(path, &Options { layer: Some(choice), ..Options::default() });
            }
        }
    });
}

/// Views of bytes that pass for a pyramid.
fn pyramid(bytes: &[u8]) {
    on_file(bytes, |path| {
        for commands in ["wid=64&fmt=png", "wid=40&rotate=10&fmt=jpeg", "rgn=3,3,20,20&fmt=tif,cmyk"] {
            let Ok(resolved) = resolve(commands, None, &|_| None) else { continue };
            view(path, resolved.commands);
        }
    });
}

fn view(path: &Path, commands: Commands) {
    if let Ok(renderer) = Renderer::new(commands, None, Blacks::default()) {
        let _ = sound(renderer.render(path, &limits(), &never));
    }
}

/// Carries out commands of any kind on a small picture.
pub fn carry_out(commands: Commands) {
    static PYRAMID: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, 40, 30);
        encoder.set_color(png::ColorType::Rgb);
        let pixels: Vec<u8> = (0..40 * 30 * 3).map(|at| (at * 7 % 251) as u8).collect();
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
        written.expect("a picture in memory can be written");
        let mut out = Cursor::new(Vec::new());
        on_file(&png, |path| {
            pyramid::write(path, &mut out, &Options::default(), &limits(), &never)
                .expect("a small picture can be read");
        });
        out.into_inner()
    });
    on_file(&PYRAMID, |path| view(path, commands));
}

fn rows(form: Form, bytes: &[u8]) {
    if let Ok(rows) = Rows::open(form, Cursor::new(bytes)) {
        rows.for_each(drop);
    }
}

fn unpack(kind: Kind, bytes: &[u8]) {
    let limits =
        archive::Limits { max_files: 100, max_depth: 8, max_bytes: 1 << 20, max_member_bytes: 1 << 20, max_ratio: 200 };
    on_file(bytes, |path| {
        let open = || File::open(path).expect("it was just written");
        let Ok(listing) = archive::list(open(), kind, &limits, Naming::default(), &never) else { return };
        let Ok(mut extractor) = Extractor::new(open(), kind) else { return };
        for member in &listing.members {
            let _ = extractor.read(member, |bytes| io::copy(bytes, &mut io::sink()));
        }
    });
}

/// A profile as that of a picture, and as one that a picture is brought to.
fn profile(bytes: &[u8]) {
    let _ = IccSpace::of(bytes);
    let own = Profile::new(bytes.to_vec());
    let output: Arc<[u8]> = bytes.into();
    for colors in [
        ColorManagement::Default,
        ColorManagement::Convert { source: None, output: None },
        ColorManagement::Convert { source: None, output: Some(output) },
    ] {
        let options = Options { colors, ..Options::default() };
        for layout in [Layout::Gray, Layout::GrayAlpha, Layout::Rgb, Layout::Rgba, Layout::Cmyk, Layout::CmykAlpha] {
            let converter = Converter::new(layout, false, Some(&own), &options);
            let band: Vec<u8> = (0..16 * layout.samples()).map(|at| (at * 37 % 256) as u8).collect();
            let _ = sound(decode::guarded(Format::IccProfile, || converter.apply(layout, band.into()).map(drop)));
        }
    }
}
