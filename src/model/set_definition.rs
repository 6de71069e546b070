//! Definitions of asset sets: text for a viewer with places that name assets, such as `${getCatalogId([a|12|1|12])}`.

use super::handle;
use super::id::AssetId;
use super::invalid::Invalid;

/// Longest definition, in bytes.
const LONGEST: usize = 256 * 1024;

/// What a place may ask for, with the number of handles it takes.
const FUNCTIONS: &[(&str, usize)] =
    &[("getFilePath", 1), ("getCatalogId", 1), ("getMetaData", 2), ("getMetadata", 2), ("getThumbCatalogId", 1)];

/// The assets that a definition names, each once, in their order.
pub fn assets(field: &str, definition: &str) -> Result<Vec<AssetId>, Invalid> {
    if definition.len() > LONGEST {
        return Err(Invalid::new(field, format!("must have at most {LONGEST} bytes, not {}", definition.len())));
    }
    let mut found = Vec::new();
    let mut rest = definition;
    while let Some(start) = rest.find("${") {
        let inside = &rest[start + 2..];
        let shown: String = inside.chars().take(60).collect();
        let end = inside.find('}').ok_or_else(|| Invalid::new(field, format!("has no }} that closes ${{{shown}")))?;
        let asset = place(field, &inside[..end])?;
        if !found.contains(&asset) {
            found.push(asset);
        }
        rest = &inside[end + 1..];
    }
    Ok(found)
}

/// Reads `getCatalogId([a|12|1|12])`.
fn place(field: &str, text: &str) -> Result<AssetId, Invalid> {
    let shown: String = text.chars().take(60).collect();
    let refuse = |rule: &str| Invalid::new(field, format!("{rule}: ${{{shown}}}"));
    let call = text.trim().strip_suffix(')').and_then(|call| call.split_once('('));
    let (name, arguments) = call.ok_or_else(|| refuse("has a place that is no function with its handles"))?;
    let known = FUNCTIONS.iter().find(|(known, _)| *known == name.trim());
    let (_, count) = known.ok_or_else(|| {
        let names: Vec<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
        refuse(&format!("has a function that is none of {}", names.join(", ")))
    })?;
    let handles: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let bare = |text: &&str| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::trim).is_some();
    if handles.len() != *count || !handles.iter().all(bare) {
        return Err(refuse(&format!("has a function that takes {count} handles in [ ]")));
    }
    handle::parse_asset(field, handles[0].trim_matches(['[', ']']).trim())
}

/// The definition of a spin with two axes: images of a row between semicolons, rows between commas.
pub fn of_rows(rows: &[Vec<String>]) -> String {
    let place = |handle: &String| format!("${{getCatalogId([{handle}])}}");
    let row = |row: &Vec<String>| format!("{{{}}}", row.iter().map(place).collect::<Vec<_>>().join(";"));
    rows.iter().map(row).collect::<Vec<_>>().join(",")
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
    fn a_bad_place_is_refused() {
        let long = "x".repeat(LONGEST + 1);
        for (text, said) in [
            ("${getCatalogId([a|1])", "closes"),
            ("${a|1}", "no function"),
            ("${drop([a|1])}", "none of getFilePath"),
            ("${getCatalogId(a|1)}", "[ ]"),
            ("${getMetaData([a|1])}", "2 handles"),
            ("${getCatalogId([c|1])}", "handle"),
            (&long, "at most"),
        ] {
            let invalid = assets("setDefinition", text).unwrap_err();
            assert!(invalid.field == "setDefinition" && invalid.rule.contains(said), "{invalid}");
        }
    }
}
