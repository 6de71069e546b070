//! What is changed of a page before it is drawn, so that it comes out as it should.

use std::collections::BTreeSet;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::{ObjectIdentifier, Stream};
use hayro::hayro_syntax::page::Page;

use super::super::limits::Limits;
use super::annotations::Plan;
use super::excerpt::Excerpt;
use super::fonts::NotEmbedded;
use super::parts::{Damage, Known};
use super::{Drawing, Need, Others, groups, parts};

/// A page as it is to be drawn.
pub struct Prepared {
    pub damage: Damage,
    /// A document of this page alone to draw it from, where that is not the one that there is.
    pub file: Option<Vec<u8>>,
    /// What hayro draws wrongly even so.
    pub needs: BTreeSet<Need>,
    pub notes: Vec<String>,
    /// Appearances of annotations were made that have letters beyond those that every font has.
    pub has_made_letters: bool,
    /// Shadings are made of triangles or patches.
    pub has_meshes: bool,
    /// Colours are to be blended in CMYK.
    pub blends_in_cmyk: bool,
    /// An annotation that is shown has an appearance that cannot be put into its place.
    pub has_unplaced: bool,
    /// Those that it does not bring.
    pub fonts: NotEmbedded,
}

pub fn prepare<'a>(pdf: &Pdf, page: &'a Page<'a>, drawing: &Drawing, known: &Known, limits: &Limits) -> Prepared {
    let plan = Plan::of(pdf, page, drawing.annotations);
    let found = groups::survey(page, &plan.appearances);
    let parts::Survey { damage, has_meshes, fonts } = parts::survey(pdf, page, &plan.appearances, known, limits);
    let mut prepared = Prepared {
        damage,
        file: None,
        needs: found.needs,
        notes: plan.notes().into_iter().chain(found.wrong.iter().map(|wrong| wrong.told().to_owned())).collect(),
        has_made_letters: plan.has_made_letters(),
        has_meshes,
        blends_in_cmyk: found.blends_in_cmyk,
        has_unplaced: plan.has_unplaced(),
        fonts,
    };
    let is_as_it_is = !plan.differs && found.transparent.is_empty() && prepared.needs.is_empty();
    if is_as_it_is && drawing.others != Others::Always {
        return prepared;
    }
    prepared.file = written(pdf, page, &plan, &found.transparent, limits);
    if prepared.file.is_none() {
        prepared.notes.push(
            "its annotations and groups are drawn as they are: it refers to too much for a document of its own"
                .to_owned(),
        );
    }
    prepared
}

fn written(
    pdf: &Pdf,
    page: &Page<'_>,
    plan: &Plan<'_>,
    transparent: &BTreeSet<ObjectIdentifier>,
    limits: &Limits,
) -> Option<Vec<u8>> {
    let mut excerpt = Excerpt::of(pdf, limits);
    for form in transparent {
        groups::open(&mut excerpt, &pdf.xref().get::<Stream<'_>>(*form)?)?;
    }
    let annotations = plan.write(&mut excerpt)?;
    excerpt.finish(page, Some(annotations))
}

#[cfg(test)]
mod tests {
    use memchr::memmem;

    use super::super::annotations::Annotations;
    use super::super::{Options, PageColor};
    use super::*;

    /// A document of one page with these entries, and these objects from 4 on.
    fn document(page: &str, objects: &[Vec<u8>]) -> Pdf {
        let fixed = [
            "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
            "<</Type/Pages/Count 1/Kids[3 0 R]>>".to_owned(),
            format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]{page}>>"),
        ];
        let mut file = b"%PDF-1.7\n".to_vec();
        let mut places = Vec::new();
        for object in fixed.iter().map(String::as_bytes).chain(objects.iter().map(Vec::as_slice)) {
            places.push(file.len());
            file.extend(format!("{} 0 obj\n", places.len()).bytes());
            file.extend(object);
            file.extend(b"\nendobj\n");
        }
        let (table, size) = (file.len(), places.len() + 1);
        file.extend(format!("xref\n0 {size}\n0000000000 65535 f \n").bytes());
        file.extend(places.iter().flat_map(|place| format!("{place:010} 00000 n \n").into_bytes()));
        file.extend(format!("trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n").bytes());
        Pdf::new(file).unwrap()
    }

    fn stream(entries: &str, data: &[u8]) -> Vec<u8> {
        [format!("<<{entries}/Length {}>>\nstream\n", data.len()).as_bytes(), data, b"\nendstream"].concat()
    }

    fn prepared(pdf: &Pdf) -> Prepared {
        let drawing = Drawing {
            resolution: 72.0,
            color: PageColor::Rgb,
            alpha: false,
            words: false,
            links: false,
            annotations: Annotations::View,
            others: Others::Needed,
            options: Options::default(),
        };
        prepare(pdf, &pdf.pages()[0], &drawing, &Known::default(), &Limits::default())
    }

    const MARKED: &str = "/Type/Annot/Subtype/Highlight/C[1 1 0]/Rect[10 10 60 20]/QuadPoints[10 20 60 20 10 10 60 10]";

    /// Links into the structure of a document, buttons that send fields, and files that go along lead to what no page draws.
    #[test]
    fn what_is_never_drawn_is_left_out_of_a_page_s_own_document() {
        let large = vec![b'x'; 65 << 20];
        let pdf = document(
            "/Contents 4 0 R/Resources<</Properties<</MC 11 0 R>>>>/Annots[5 0 R 6 0 R 7 0 R 8 0 R]/AF[<</EF<</F 10 0 R>>>>]\
             /B[9 0 R]/AA<</O<</S/GoTo/SD[9 0 R/Fit]>>>>",
            &[
                stream("/AF 12 0 R", b"0 0 9 9 re f %drawn"),
                format!("<<{MARKED}>>").into_bytes(),
                b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/AP<</N 13 0 R/D 9 0 R>>/A<</S/GoTo/SD[9 0 R/Fit]>>>>".to_vec(),
                b"<</Type/Annot/Subtype/Widget/FT/Btn/T(b)/Rect[0 0 9 9]/AP<</N<</On 13 0 R/Off 13 0 R>>>>/Kids[9 0 R]\
                  /A<</S/SubmitForm/Fields[9 0 R]>>/Parent 9 0 R/MK<</I 9 0 R>>>>"
                    .to_vec(),
                b"<</Type/Annot/Subtype/FileAttachment/Rect[0 0 9 9]/AP<</N 13 0 R>>/FS<</EF<</F 10 0 R>>>>/IRT 9 0 R>>"
                    .to_vec(),
                b"<</Secret 9 0 R/K 10 0 R>>".to_vec(),
                stream("/Type/EmbeddedFile", &large),
                b"<</Metadata 12 0 R/Element 14 0 R>>".to_vec(),
                stream("/Type/Metadata", &large),
                stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]", b"1 0 0 rg 0 0 9 9 re f %shown"),
                b"<</Type/StructElem/Secret 9 0 R>>".to_vec(),
            ],
        );
        let prepared = prepared(&pdf);
        assert_eq!(prepared.notes, [] as [&str; 0]);
        let file = prepared.file.unwrap();
        let has = |what: &str| memmem::find(&file, what.as_bytes()).is_some();
        assert!(has("%drawn") && has("%shown") && !has("Secret") && file.len() < 10_000, "{}", file.len());
    }

    #[test]
    fn a_page_that_refers_to_too_much_is_said_to() {
        let large = stream("/Type/XObject/Subtype/Form/BBox[0 0 9 9]", &vec![b' '; 65 << 20]);
        let page = format!("/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>/Annots[<<{MARKED}>>]");
        let prepared = prepared(&document(&page, &[stream("", b"0 0 9 9 re f"), large]));
        assert!(prepared.file.is_none());
        assert_eq!(
            prepared.notes,
            ["its annotations and groups are drawn as they are: it refers to too much for a document of its own"]
        );
    }
}
