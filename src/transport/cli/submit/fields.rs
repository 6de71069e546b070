//! Names of fields in a JSON order. Requests over SOAP may carry more than this server knows, as newer clients do; what a
//! person wrote by hand is more likely mistyped.

use serde_json::Value as Json;

use crate::contract::Structure;

/// The first field that no version of the API has, and what may have been meant.
pub fn unknown(value: &Json, structure: &Structure) -> Option<String> {
    match value {
        Json::Array(items) => {
            let item = structure.list_item()?.kind.structure()?;
            items.iter().find_map(|value| unknown(value, item))
        }
        Json::Object(fields) => {
            fields.iter().find_map(|(name, value)| match structure.rows().iter().find(|row| row.name == name) {
                Some(row) => unknown(value, row.kind.structure()?),
                None => Some(unlike_any(name, structure)),
            })
        }
        _ => None,
    }
}

fn unlike_any(name: &str, structure: &Structure) -> String {
    let likeness = |known: &&str| strsim::normalized_damerau_levenshtein(known, name);
    let nearest = structure.rows().iter().map(|row| row.name).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(known) if likeness(&known) > 0.6 => format!("there is no field \"{name}\"; did you mean {known}?"),
        _ => format!("there is no field \"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unknown;
    use crate::contract::Contract;

    #[test]
    fn what_is_mistyped_is_named_wherever_it_stands() {
        let param = &Contract::get().operation("submitJob").unwrap().param;
        let table = [
            (json!({"companyHandel": "c|47"}), Some("\"companyHandel\"; did you mean companyHandle?")),
            (json!({"imageServingPublishJobb": {}}), Some("did you mean imageServingPublishJob?")),
            (json!({"imageServingPublishJob": {"emailSettings": "All"}}), Some("did you mean emailSetting?")),
            (json!({"uploadUrlsJob": {"urlArray": [{"sourceUrl": "http://a/b"}, {"url": 1}]}}), Some("\"url\"")),
            (json!({"uploadDirectoryJob": {"pdfOptions": {"process": "None"}}, "jobName": "N"}), None),
            (json!({"exportJob": {"assetHandleArray": ["a|1"], "fmt": "orig"}}), None),
        ];
        for (order, expected) in table {
            let found = unknown(&order, param);
            assert_eq!(found.is_some(), expected.is_some(), "{order}: {found:?}");
            assert!(found.is_none_or(|found| found.contains(expected.unwrap())), "{order}");
        }
    }
}
