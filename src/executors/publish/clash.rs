//! Assets that ask for a path which another one has.
//!
//! In trees that keep the company's folders, a file may be called as a folder is, or as another file: `a.jpg`, and `a.jpg`
//! without an extension. The asset that has the path keeps it; whoever comes later gets a line. In the other trees names
//! are made so that this cannot be.

use std::collections::{HashMap, HashSet};

use super::{Run, record};
use crate::executors::Failure;
use crate::model::id::AssetId;
use crate::store::publishing::AssetState;

/// Assets of a page that cannot have the path they ask for, with that path.
pub async fn clashing(
    run: &Run<'_>,
    page: impl Iterator<Item = &AssetState>,
) -> Result<HashMap<AssetId, String>, Failure> {
    if !run.publish.rule.keeps_folders {
        return Ok(HashMap::new());
    }
    let asked: Vec<(AssetId, String)> =
        page.flat_map(|state| paths(run, state).into_iter().map(|path| (state.id, path))).collect();
    let mut taken = held(run, &asked).await?;
    let mut clashing = HashMap::new();
    for (asset, path) in asked {
        if taken.stands_in_the_way(asset, &path) {
            clashing.insert(asset, path);
        } else {
            taken.add(asset, path);
        }
    }
    Ok(clashing)
}

fn paths(run: &Run<'_>, state: &AssetState) -> Vec<String> {
    record::given(run, state).into_iter().map(|given| given.file_name).collect()
}

/// Paths that stand in the way of those asked for: of assets that are published there, and still give them.
async fn held(run: &Run<'_>, asked: &[(AssetId, String)]) -> Result<Taken, Failure> {
    let store = run.context.reads();
    let paths_asked: Vec<&str> = asked.iter().map(|(_, path)| path.as_str()).collect();
    let or_above: HashSet<&str> = paths_asked.iter().flat_map(|path| and_folders(path)).collect();
    let holders = store.holders(run.state.id, &or_above.into_iter().collect::<Vec<_>>(), &paths_asked).await?;
    let mut taken = Taken::default();
    for state in store.publish_states(run.context.run.company, run.state.id, &holders).await? {
        paths(run, &state).into_iter().for_each(|path| taken.add(state.id, path));
    }
    Ok(taken)
}

/// A path, and the folders it lies in.
fn and_folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(folder, _)| folder))
}

/// Paths with the assets that have them.
#[derive(Default)]
struct Taken {
    files: HashMap<String, AssetId>,
    folders: HashMap<String, AssetId>,
}

impl Taken {
    fn add(&mut self, asset: AssetId, path: String) {
        self.folders.extend(and_folders(&path).skip(1).map(|folder| (folder.to_owned(), asset)));
        self.files.insert(path, asset);
    }

    fn stands_in_the_way(&self, asset: AssetId, path: &str) -> bool {
        let is_anothers = |owner: Option<&AssetId>| owner.is_some_and(|owner| *owner != asset);
        is_anothers(self.folders.get(path)) || and_folders(path).any(|path| is_anothers(self.files.get(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_of_one_name_stand_in_the_way_of_each_other() {
        let mut taken = Taken::default();
        taken.add(AssetId(1), "A/shoe.jpg".to_owned());
        for (asset, path, expected) in [
            (1, "A/shoe.jpg", false),
            (2, "A/shoe.jpg", true),
            (2, "A", true),
            (2, "A/shoe.jpg/x.png", true),
            (2, "A/shoe.jpg.png", false),
            (2, "A/hat.jpg", false),
            (2, "B", false),
        ] {
            assert_eq!(taken.stands_in_the_way(AssetId(asset), path), expected, "{asset} {path}");
        }
    }
}
