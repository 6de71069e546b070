//! A small catalogue of pictures to try things with: the same every time, and of every kind that is taken in.

mod encode;
mod pdf;
mod product;

use std::fs;
use std::path::{Path, PathBuf};

use moxcms::ColorProfile;

use super::error::MediaError;
use encode::{Encoded, icc};
use pdf::Sheet;
use product::{Backdrop, Outline, Pattern, Product};

const BLUE_MUG: Product = Product {
    outline: Outline::Mug,
    color: [0.2, 0.38, 0.72],
    accent: [0.95, 0.93, 0.86],
    pattern: Pattern::Label,
    gloss: 0.6,
};
const RED_MUG: Product = Product { color: [0.78, 0.18, 0.15], pattern: Pattern::Dots, ..BLUE_MUG };
const VASE: Product = Product {
    outline: Outline::Vase,
    color: [0.36, 0.62, 0.5],
    accent: [0.92, 0.84, 0.55],
    pattern: Pattern::Waves,
    gloss: 0.5,
};
const LAMP: Product = Product {
    outline: Outline::Lamp,
    color: [0.97, 0.62, 0.16],
    accent: [0.9, 0.42, 0.08],
    pattern: Pattern::Rings,
    gloss: 0.3,
};
const BOWL: Product = Product {
    outline: Outline::Bowl,
    color: [0.68, 0.4, 0.26],
    accent: [0.24, 0.14, 0.1],
    pattern: Pattern::Waves,
    gloss: 0.25,
};
const SHIRT: Product = Product {
    outline: Outline::Shirt,
    color: [0.86, 0.85, 0.82],
    accent: [0.16, 0.46, 0.42],
    pattern: Pattern::Dots,
    gloss: 0.02,
};

/// Frames of the spin.
const FRAMES: u32 = 12;

/// Writes the catalogue into `dir`, with pictures of `side` pixels on the longer side, and says what it wrote.
pub fn write_catalogue(dir: &Path, side: u32) -> Result<Vec<PathBuf>, MediaError> {
    if !(32..=8192).contains(&side) {
        let allowed = "it must be from 32 to 8192 pixels";
        return Err(MediaError::BadOption {
            what: "the longer side of the sample pictures".into(),
            value: side.into(),
            allowed: allowed.into(),
        });
    }
    let mut catalogue = Catalogue { dir, written: Vec::new() };
    mugs(&mut catalogue, side)?;
    vases_and_lamps(&mut catalogue, side)?;
    textiles_and_print(&mut catalogue, side)?;
    Ok(catalogue.written)
}

fn mugs(catalogue: &mut Catalogue<'_>, side: u32) -> Result<(), MediaError> {
    let width = side / 4 * 3;
    let srgb = || icc(ColorProfile::new_srgb());
    catalogue.add("Кружки/Кружка-синяя.jpg", || {
        BLUE_MUG.draw(side, width, 0.02, Backdrop::Studio).jpeg(Some(&srgb()?))
    })?;
    catalogue.add("Кружки/Кружка-красная.webp", || {
        RED_MUG.draw(side, side, 0.1, Backdrop::Nothing).webp()
    })?;
    for frame in 0..FRAMES {
        let turn = frame as f32 / FRAMES as f32;
        catalogue.add(&format!("Spin/Mug-{:02}.jpg", frame + 1), || {
            BLUE_MUG.draw(side, side, turn, Backdrop::Studio).jpeg(Some(&srgb()?))
        })?;
    }
    Ok(())
}

fn vases_and_lamps(catalogue: &mut Catalogue<'_>, side: u32) -> Result<(), MediaError> {
    let width = side / 4 * 3;
    let wide_gamut = || icc(ColorProfile::new_display_p3());
    catalogue.add("花瓶/商品-001.png", || {
        VASE.draw(width, side, 0.0, Backdrop::Nothing).png_with_alpha(Some(icc(ColorProfile::new_srgb())?))
    })?;
    catalogue.add("花瓶/商品-002.png", || VASE.draw(width, side, 0.3, Backdrop::Studio).png_16_bit())?;
    catalogue
        .add("Lampor/Ångström.jpg", || LAMP.draw(width, side, 0.0, Backdrop::Studio).jpeg(Some(&wide_gamut()?)))?;
    catalogue.add("Lampor/Ångström-handheld.jpg", || {
        LAMP.draw(width, side, 0.4, Backdrop::Studio).sideways_jpeg(Some(&wide_gamut()?))
    })?;
    catalogue
        .add("Κεραμικά/Ελληνικά.jpg", || BOWL.draw(side, width, 0.0, Backdrop::Studio).gray_jpeg())?;
    catalogue.add("Κεραμικά/Ελληνικά-μικρό.gif", || {
        BOWL.draw(side / 2, side / 2, 0.2, Backdrop::Studio).gif()
    })
}

fn textiles_and_print(catalogue: &mut Catalogue<'_>, side: u32) -> Result<(), MediaError> {
    let width = side / 4 * 3;
    catalogue.add("قمصان/قميص.tif", || {
        SHIRT.draw(side, side, 0.0, Backdrop::Studio).tiff(Some(&icc(ColorProfile::new_srgb())?))
    })?;
    catalogue
        .add("قمصان/قميص-صغير.bmp", || SHIRT.draw(side / 2, side / 2, 0.0, Backdrop::Studio).bmp())?;
    catalogue.add("Print/Cover.tif", || RED_MUG.draw(width, side, 0.7, Backdrop::Studio).cmyk_tiff())?;
    catalogue.add("Print/Lookbook.pdf", || lookbook(side))?;
    catalogue.add("Print/Insert.jpg", || LAMP.draw(side, width, 0.2, Backdrop::Studio).cmyk_jpeg())
}

fn lookbook(side: u32) -> Encoded {
    let width = side / 4 * 3;
    let draw = |product: Product| product.draw(width, side, 0.1, Backdrop::Studio);
    let (mug, vase, lamp) = (draw(BLUE_MUG), draw(VASE), draw(LAMP));
    pdf::write(&[
        Sheet { picture: &mug, title: "Spring catalogue: mugs", link: "https://www.example.com/mugs" },
        Sheet { picture: &vase, title: "Vases for every table", link: "https://www.example.com/vases" },
        Sheet { picture: &lamp, title: "Lamps to read by", link: "https://www.example.com/lamps" },
    ])
}

struct Catalogue<'a> {
    dir: &'a Path,
    written: Vec<PathBuf>,
}

impl Catalogue<'_> {
    fn add(&mut self, name: &str, picture: impl FnOnce() -> Encoded) -> Result<(), MediaError> {
        let path = self.dir.join(name);
        let failed = |source| MediaError::Io { doing: format!("write {}", path.display()), source };
        let bytes = picture().map_err(|error| failed(std::io::Error::other(error)))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        fs::write(&path, bytes).map_err(failed)?;
        self.written.push(path);
        Ok(())
    }
}
