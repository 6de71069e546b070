//! A printed catalogue as a PDF: a picture, words and a link on every page.

use super::encode::Encoded;
use super::product::Drawing;

/// A page of the catalogue.
pub(super) struct Sheet<'a> {
    pub picture: &'a Drawing,
    /// ASCII without brackets and backslashes.
    pub title: &'a str,
    pub link: &'a str,
}

/// A4, in points.
const WIDTH: u32 = 595;
const HEIGHT: u32 = 842;
const MARGIN: u32 = 48;

/// The objects of a file, numbered from 1, and where they begin.
#[derive(Default)]
struct Objects {
    file: Vec<u8>,
    starts: Vec<usize>,
}

impl Objects {
    /// Writes the next object; its number is known beforehand by counting.
    fn add(&mut self, dictionary: &str, stream: Option<&[u8]>) {
        self.starts.push(self.file.len());
        let number = self.starts.len();
        self.file.extend(format!("{number} 0 obj\n<<{dictionary}").bytes());
        match stream {
            None => self.file.extend(b">>\nendobj\n"),
            Some(bytes) => {
                self.file.extend(format!("/Length {}>>\nstream\n", bytes.len()).bytes());
                self.file.extend(bytes);
                self.file.extend(b"\nendstream\nendobj\n");
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let (table, count) = (self.file.len(), self.starts.len() + 1);
        self.file.extend(format!("xref\n0 {count}\n0000000000 65535 f \n").bytes());
        for start in &self.starts {
            self.file.extend(format!("{start:010} 00000 n \n").bytes());
        }
        let trailer = format!("trailer\n<</Size {count}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n");
        self.file.extend(trailer.bytes());
        self.file
    }
}

/// Catalog, page tree and font come first; each page then has four objects: itself, its content, its picture, its link.
pub(super) fn write(sheets: &[Sheet<'_>]) -> Encoded {
    const FIRST: usize = 4;
    const EACH: usize = 4;
    let mut objects = Objects { file: b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec(), ..Objects::default() };
    let kids: String = (0..sheets.len()).map(|index| format!("{} 0 R ", FIRST + index * EACH)).collect();
    objects.add("/Type/Catalog/Pages 2 0 R", None);
    objects.add(&format!("/Type/Pages/Kids[{kids}]/Count {}", sheets.len()), None);
    objects.add("/Type/Font/Subtype/Type1/BaseFont/Helvetica", None);
    for (index, sheet) in sheets.iter().enumerate() {
        let page = FIRST + index * EACH;
        let (content, picture, link) = (page + 1, page + 2, page + 3);
        objects.add(
            &format!(
                "/Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Contents {content} 0 R/Annots[{link} 0 R]\
                 /Resources<</Font<</F1 3 0 R>>/XObject<</Im {picture} 0 R>>>>"
            ),
            None,
        );
        objects.add("", Some(draw(sheet).as_bytes()));
        let Drawing { width, height, .. } = sheet.picture;
        objects.add(
            &format!(
                "/Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceRGB/BitsPerComponent 8\
                 /Filter/DCTDecode"
            ),
            Some(&sheet.picture.jpeg(None)?),
        );
        let top = HEIGHT - MARGIN;
        let rectangle = format!("{MARGIN} {} {} {top}", top - 36, WIDTH - MARGIN);
        let action = format!("<</S/URI/URI({})>>", sheet.link);
        objects.add(&format!("/Type/Annot/Subtype/Link/Rect[{rectangle}]/Border[0 0 0]/A{action}"), None);
    }
    Ok(objects.finish())
}

/// The title above, the picture as large as it goes below.
fn draw(sheet: &Sheet<'_>) -> String {
    let room = (WIDTH - 2 * MARGIN, HEIGHT - 3 * MARGIN - 36);
    let scale =
        (f64::from(room.0) / f64::from(sheet.picture.width)).min(f64::from(room.1) / f64::from(sheet.picture.height));
    let (width, height) = (f64::from(sheet.picture.width) * scale, f64::from(sheet.picture.height) * scale);
    let baseline = HEIGHT - MARGIN - 28;
    format!(
        "BT /F1 28 Tf 0.15 g {MARGIN} {baseline} Td ({}) Tj ET\nq {width:.2} 0 0 {height:.2} {MARGIN} {MARGIN} cm /Im Do Q",
        sheet.title
    )
}
