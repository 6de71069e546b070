//! `responseFieldArray` and `excludeFieldArray`: paths below the Return element, such as `assetArray/items/name`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Error;

/// What the caller wants of a reply, or does not.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    wanted: Option<Paths>,
    unwanted: Paths,
}

/// Paths as a tree. A path that ends here names all that is below.
#[derive(Debug, Clone, Default)]
struct Paths {
    ends: bool,
    below: BTreeMap<String, Paths>,
}

impl Paths {
    fn of(paths: &[String]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut node = &mut root;
            // Arrays have no wrapper here.
            for name in path.split('/').map(str::trim).filter(|name| !name.is_empty() && *name != "items") {
                node = node.below.entry(name.to_owned()).or_default();
            }
            node.ends = true;
        }
        root
    }

    /// The node that names lead to; one that ends before stands for all below.
    fn at(&self, path: &[&str]) -> Option<&Self> {
        match path {
            [name, rest @ ..] if !self.ends => self.below.get(*name)?.at(rest),
            _ => Some(self),
        }
    }

    fn keep(&self, value: &mut Value) {
        if self.ends {
            return;
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.keep(item)),
            Value::Object(fields) => {
                fields.retain(|name, _| self.below.contains_key(name));
                for (name, field) in fields {
                    self.below[name].keep(field);
                }
            }
            _ => {}
        }
    }

    fn drop(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.drop(item)),
            Value::Object(fields) => {
                fields.retain(|name, _| !self.below.get(name).is_some_and(|paths| paths.ends));
                for (name, field) in fields {
                    if let Some(paths) = self.below.get(name) {
                        paths.drop(field);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Fields {
    pub fn new(response: &[String], exclude: &[String]) -> Self {
        let wanted = if response.is_empty() { None } else { Some(Paths::of(response)) };
        Self { wanted, unwanted: Paths::of(exclude) }
    }

    /// Whether nothing but these fields is asked for.
    pub fn only(&self, names: &[&str]) -> bool {
        fn leaves<'a>(name: &'a str, paths: &'a Paths, found: &mut Vec<&'a str>) {
            if paths.ends {
                found.push(name);
            } else {
                paths.below.iter().for_each(|(name, paths)| leaves(name, paths, found));
            }
        }
        let mut found = Vec::new();
        self.wanted.as_ref().is_some_and(|wanted| {
            leaves("", wanted, &mut found);
            found.iter().all(|name| names.contains(name))
        })
    }

    /// Whether anything is wanted of the field that these names lead to.
    pub fn wants(&self, path: &[&str]) -> bool {
        let is_wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.at(path).is_some());
        let is_unwanted = self.unwanted.at(path).is_some_and(|paths| paths.ends);
        is_wanted && !is_unwanted
    }

    /// The reply with what is wanted. Its fields must all be optional.
    pub fn apply<T: Serialize + DeserializeOwned>(&self, reply: T) -> Result<T, Error> {
        if self.wanted.is_none() && self.unwanted.below.is_empty() {
            return Ok(reply);
        }
        let internal = |e: serde_json::Error| Error::Internal(format!("a reply cannot be cut to its fields: {e}"));
        let mut value = serde_json::to_value(reply).map_err(internal)?;
        if let Some(wanted) = &self.wanted {
            wanted.keep(&mut value);
        }
        self.unwanted.drop(&mut value);
        serde_json::from_value(value).map_err(internal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply() -> Value {
        json!({ "totalRows": 2, "assetArray": [
            { "name": "a", "type": "Image", "imageInfo": { "width": 1, "originalPath": "A/" } },
            { "name": "b", "type": "Pdf" },
        ]})
    }

    fn cut(response: &[&str], exclude: &[&str]) -> Value {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        Fields::new(&owned(response), &owned(exclude)).apply(reply()).unwrap()
    }

    #[test]
    fn paths_choose_and_exclude() {
        assert_eq!(cut(&[], &[]), reply());
        assert_eq!(cut(&["assetArray/items/name"], &[]), json!({"assetArray": [{"name": "a"}, {"name": "b"}]}));
        let of_one = json!({"assetArray": [{"imageInfo": {"originalPath": "A/"}}, {}]});
        assert_eq!(cut(&["assetArray/items/imageInfo/originalPath"], &[]), of_one);
        assert_eq!(cut(&["totalRows", "nonsense"], &[]), json!({"totalRows": 2}));
        let without = json!({"totalRows": 2, "assetArray": [{"name": "a", "type": "Image", "imageInfo": {"width": 1}},
            {"name": "b", "type": "Pdf"}]});
        assert_eq!(cut(&[], &["assetArray/items/imageInfo/originalPath"]), without);
        assert_eq!(
            cut(&["assetArray"], &["assetArray/items/imageInfo"]),
            json!({"assetArray": [
            {"name": "a", "type": "Image"}, {"name": "b", "type": "Pdf"}]})
        );
    }

    #[test]
    fn small_replies_are_told_from_large_ones() {
        let fields =
            |paths: &[&str]| Fields::new(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>(), &[]);
        assert!(fields(&["assetArray/items/name", "totalRows"]).only(&["name", "totalRows"]));
        assert!(!fields(&["assetArray/items/name", "assetArray/items/created"]).only(&["name"]));
        assert!(!fields(&["assetArray"]).only(&["name"]));
        assert!(!fields(&[]).only(&["name"]));
        let path = ["assetArray", "metadataArray"];
        assert!(fields(&[]).wants(&path) && fields(&["assetArray"]).wants(&path));
        assert!(fields(&["assetArray/items/metadataArray/items/name"]).wants(&path));
        assert!(!fields(&["assetArray/items/name"]).wants(&path));
        assert!(!Fields::new(&[], &["assetArray/items/metadataArray".to_owned()]).wants(&path));
        assert!(Fields::new(&[], &["assetArray/items/name".to_owned()]).wants(&path));
    }
}
