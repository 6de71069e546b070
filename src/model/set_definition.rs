//! Definitions of asset sets: text for a viewer with places that name assets, such as `${getCatalogId([a|12|1|12])}`.

use super::handle;
use super::id::AssetId;
use super::invalid::Invalid;

/// Longest definition, in bytes.
const LONGEST: usize = 256 * 1024;

/// Longest it becomes with answers at its places: one answer may be as long as all metadata of an asset.
const LONGEST_RESOLVED: usize = 4 << 20;

/// What a place may ask for, with the number of handles it takes.
const FUNCTIONS: &[(&str, usize)] =
    &[("getFilePath", 1), ("getCatalogId", 1), ("getMetaData", 2), ("getMetadata", 2), ("getThumbCatalogId", 1)];

/// A place in a definition: what is asked of which asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub asset: AssetId,
    pub question: Question,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Where its file lies, with the company root.
    FilePath,
    /// What image servers call it.
    CatalogId,
    /// Its value of the metadata field with this name.
    Metadata(String),
    /// What image servers call the picture that stands for it.
    ThumbCatalogId,
}

enum Piece<'a> {
    Text(&'a str),
    /// With how it is written.
    Place(Place, &'a str),
}

/// The assets that a definition names, each once, in their order.
pub fn assets(field: &str, definition: &str) -> Result<Vec<AssetId>, Invalid> {
    let mut found = Vec::new();
    for piece in pieces(field, definition)? {
        if let Piece::Place(Place { asset, .. }, _) = piece
            && !found.contains(&asset)
        {
            found.push(asset);
        }
    }
    Ok(found)
}

/// A definition with an answer at each place. One that cannot be read, or would be too long, stays as it is.
pub fn resolved(definition: &str, answer: impl Fn(&Place) -> String) -> String {
    let Ok(pieces) = pieces("setDefinition", definition) else {
        return definition.to_owned();
    };
    let mut resolved = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => resolved.push_str(text),
            Piece::Place(place, _) => resolved.push_str(&answer(place)),
        }
        if resolved.len() > LONGEST_RESOLVED {
            return definition.to_owned();
        }
    }
    resolved
}

/// A definition without assets that are gone. Rows of images close up; anywhere else nothing stands at their places, as in what is
/// published of them. None if it names none of them, or cannot be read.
pub fn without(definition: &str, is_gone: impl Fn(AssetId) -> bool) -> Option<String> {
    let pieces = pieces("setDefinition", definition).ok()?;
    let is_left = |piece: &&Piece| !matches!(piece, Piece::Place(place, _) if is_gone(place.asset));
    if pieces.iter().all(|piece| is_left(&piece)) {
        return None;
    }
    if let Some(rows) = rows(&pieces) {
        let left = |row: &[&Piece]| -> Vec<String> { row.iter().copied().filter(is_left).map(written).collect() };
        let rows = rows.iter().map(|row| left(row)).filter(|row| !row.is_empty());
        return Some(join(rows));
    }
    Some(pieces.iter().filter(is_left).map(written).collect())
}

fn written(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) | Piece::Place(_, text) => (*text).to_owned(),
    }
}

/// The places of a definition that is nothing but rows of them, as [`of_rows`] writes them.
fn rows<'p, 'a>(pieces: &'p [Piece<'a>]) -> Option<Vec<Vec<&'p Piece<'a>>>> {
    let mut rows: Vec<Vec<&Piece>> = Vec::new();
    for pair in pieces.chunks(2) {
        match pair {
            [Piece::Text("{"), place] if rows.is_empty() => rows.push(vec![place]),
            [Piece::Text("},{"), place] if !rows.is_empty() => rows.push(vec![place]),
            [Piece::Text(";"), place] => rows.last_mut()?.push(place),
            [Piece::Text("}")] if !rows.is_empty() => return Some(rows),
            _ => return None,
        }
    }
    None
}

fn pieces<'a>(field: &str, definition: &'a str) -> Result<Vec<Piece<'a>>, Invalid> {
    if definition.len() > LONGEST {
        return Err(Invalid::new(field, format!("must have at most {LONGEST} bytes, not {}", definition.len())));
    }
    let mut found = Vec::new();
    let mut rest = definition;
    while let Some((text, inside)) = rest.split_once("${") {
        let shown: String = inside.chars().take(60).collect();
        let (call, after) =
            inside.split_once('}').ok_or_else(|| Invalid::new(field, format!("has no }} that closes ${{{shown}")))?;
        found.push(Piece::Text(text));
        let written = &rest[text.len()..rest.len() - after.len()];
        found.push(Piece::Place(place(field, call)?, written));
        rest = after;
    }
    found.push(Piece::Text(rest));
    Ok(found)
}

/// Reads `getCatalogId([a|12|1|12])`.
fn place(field: &str, text: &str) -> Result<Place, Invalid> {
    let shown: String = text.chars().take(60).collect();
    let refuse = |rule: &str| Invalid::new(field, format!("{rule}: ${{{shown}}}"));
    let call = text.trim().strip_suffix(')').and_then(|call| call.split_once('('));
    let (name, arguments) = call.ok_or_else(|| refuse("has a place that is not a function with its handles"))?;
    let known = FUNCTIONS.iter().find(|(known, _)| *known == name.trim());
    let (name, count) = known.ok_or_else(|| {
        let names: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
        refuse(&format!("has a function that is not one of {}", names.join(", ")))
    })?;
    let bare = |text: &'_ str| {
        let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
        Some(inner.trim().to_owned())
    };
    // Names of metadata fields may have commas; handles of assets have none.
    let handles: Option<Vec<String>> = arguments.splitn(*count, ',').map(bare).collect();
    let handles = handles.filter(|handles| handles.len() == *count);
    let handles = handles.ok_or_else(|| refuse(&format!("has a function that takes {count} handles in [ ]")))?;
    let question = match *name {
        "getFilePath" => Question::FilePath,
        "getCatalogId" => Question::CatalogId,
        "getThumbCatalogId" => Question::ThumbCatalogId,
        _ => Question::Metadata(handle::parse_metadata_field(field, &handles[1])?.2),
    };
    Ok(Place { asset: handle::parse_asset(field, &handles[0])?, question })
}

/// The definition of a spin with two axes: images of a row between semicolons, rows between commas.
pub fn of_rows(rows: &[Vec<String>]) -> String {
    let place = |handle: &String| format!("${{getCatalogId([{handle}])}}");
    join(rows.iter().map(|row| row.iter().map(place).collect()))
}

fn join(rows: impl Iterator<Item = Vec<String>>) -> String {
    rows.map(|row| format!("{{{}}}", row.join(";"))).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_name_assets() {
        let text = "${getCatalogId([a|1664|22|1664])};${getCatalogId([a|1664|22|1664])};1,${getFilePath([ a|1036|19|144])};\
                    2;${getMetadata([a|1036|19|144], [m|1|ASSET|SharedDateField])},plain";
        assert_eq!(assets("setDefinition", text).unwrap(), [AssetId(1664), AssetId(1036)]);
        assert_eq!(assets("setDefinition", "no place at all").unwrap(), []);
        let rows = of_rows(&[vec!["a|1|1|1".into(), "a|2|1|2".into()], vec!["a|3|1|3".into()]]);
        assert_eq!(rows, "{${getCatalogId([a|1|1|1])};${getCatalogId([a|2|1|2])}},{${getCatalogId([a|3|1|3])}}");
        assert_eq!(assets("setDefinition", &rows).unwrap(), [AssetId(1), AssetId(2), AssetId(3)]);
    }

    #[test]
    fn what_is_gone_leaves_a_definition() {
        let place = |number: i64| format!("${{getCatalogId([a|{number}|1|{number}])}}");
        let row = |numbers: &[i64]| numbers.iter().map(|number| format!("a|{number}|1|{number}")).collect::<Vec<_>>();
        let spin = of_rows(&[row(&[1, 2]), row(&[3])]);
        let table = [
            (spin.clone(), vec![9], None),
            (spin.clone(), vec![1], Some(of_rows(&[row(&[2]), row(&[3])]))),
            (spin.clone(), vec![2], Some(of_rows(&[row(&[1]), row(&[3])]))),
            (spin.clone(), vec![3], Some(of_rows(&[row(&[1, 2])]))),
            (spin.clone(), vec![1, 2, 3], Some(String::new())),
            (format!("{};img,{};", place(1), place(2)), vec![1], Some(format!(";img,{};", place(2)))),
            (format!("{{{},{}}}", place(1), place(2)), vec![2], Some(format!("{{{},}}", place(1)))),
            (format!("{} ${{", place(1)), vec![1], None),
            ("plain".to_owned(), vec![1], None),
        ];
        for (definition, gone, expected) in table {
            assert_eq!(without(&definition, |asset| gone.contains(&asset.0)), expected, "{definition} {gone:?}");
        }
    }

    #[test]
    fn every_place_gets_its_answer() {
        let text = "x,${getFilePath([a|1])};${ getThumbCatalogId( [ a|2|1|2 ] ) }|${getMetaData([a|1], [m|1|ALL|Size, in cm])}.";
        let answer = |place: &Place| format!("<{} {:?}>", place.asset, place.question);
        assert_eq!(resolved(text, answer), "x,<1 FilePath>;<2 ThumbCatalogId>|<1 Metadata(\"Size, in cm\")>.");
        assert_eq!(resolved("plain", answer), "plain");
        assert_eq!(resolved("a ${drop([a|1])} b", answer), "a ${drop([a|1])} b");
        let many = "${getFilePath([a|1])}".repeat(100);
        assert_eq!(resolved(&many, |_| "x".repeat(1 << 20)), many, "too long");
    }

    #[test]
    fn a_bad_place_is_refused() {
        let long = "x".repeat(LONGEST + 1);
        for (text, said) in [
            ("${getCatalogId([a|1])", "closes"),
            ("${a|1}", "not a function"),
            ("${drop([a|1])}", "not one of getFilePath"),
            ("${getCatalogId(a|1)}", "[ ]"),
            ("${getMetaData([a|1])}", "2 handles"),
            ("${getCatalogId([c|1])}", "handle"),
            ("${getCatalogId([a|1],[a|2])}", "handle"),
            ("${getMetaData([a|1],[a|1])}", "handle"),
            (&long, "at most"),
        ] {
            let invalid = assets("setDefinition", text).unwrap_err();
            assert!(invalid.field == "setDefinition" && invalid.rule.contains(said), "{invalid}");
        }
    }
}
