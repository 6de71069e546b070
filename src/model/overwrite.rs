//! What becomes of a file whose name is taken: what `overwrite` replaces by the overwrite modes of a company, which content is
//! there already, and which files get one name only because names are cleaned.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::constants;
use super::id::{AssetId, InstanceId};
use super::name::FileName;
use super::source::{Siblings, SourceName};

constants! {
    /// AssetOverwriteModes constants: when an upload replaces the asset that has its name.
    pub enum OverwriteMode("overwrite mode") {
        /// Same folder and same extension.
        OverwriteFullName,
        /// Same folder, any extension.
        OverwriteAnyExt,
        /// Any folder, same extension; the asset moves.
        OverwriteFullNameAnyFolder,
        /// Any folder, any extension; the asset moves.
        OverwriteAnyExtAnyFolder,
    }
}

/// How a file that brings a name already taken relates to the asset that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clash {
    pub same_folder: bool,
    pub same_extension: bool,
    /// The asset is in the trash, where its name still counts as used.
    pub in_trash: bool,
}

/// What to do with that file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// Replace the master where it is.
    Replace,
    /// Replace the master, and move the asset to the file's folder.
    ReplaceAndMove,
    /// Add it under a name with a number.
    Rename,
    /// Leave it out and count it as a duplicate.
    Skip,
}

impl OverwriteMode {
    pub const fn resolve(self, overwrite: bool, clash: Clash) -> Resolution {
        if clash.in_trash {
            return Resolution::Rename;
        }
        if !overwrite {
            return Resolution::Skip;
        }
        let (any_folder, any_extension) = match self {
            Self::OverwriteFullName => (false, false),
            Self::OverwriteAnyExt => (false, true),
            Self::OverwriteFullNameAnyFolder => (true, false),
            Self::OverwriteAnyExtAnyFolder => (true, true),
        };
        match (clash.same_folder || any_folder, clash.same_extension || any_extension) {
            (true, true) if clash.same_folder => Resolution::Replace,
            (true, true) => Resolution::ReplaceAndMove,
            (true, false) | (false, true) | (false, false) => Resolution::Rename,
        }
    }
}

/// What becomes of a file whose name an asset with other content has, when that one is not to be overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameName {
    /// It is left out.
    #[default]
    Skip,
    /// It is added under a name with a number.
    Number,
}

impl SameName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Number => "number",
        }
    }
}

impl FromStr for SameName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Skip, Self::Number].into_iter().find(|known| known.as_str() == text).ok_or("must be skip or number")
    }
}

/// What there is of the pages, layers or renditions of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// There are none, and none were ordered.
    Nothing,
    /// A job is to make them, or was, and has not come to their end.
    Unfinished,
    /// All that was ordered, if it could be made.
    All,
}

/// An asset that has the name of a file, or whose own file came under that name and got a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kin {
    pub id: AssetId,
    pub name: String,
    /// Below the company root.
    pub folder: String,
    pub file_name: String,
    pub in_trash: bool,
    /// SHA-256 of its master.
    pub blob: String,
    pub bytes: u64,
    /// It shows a page or a layer of its master, which is that of another asset.
    pub is_of_piece: bool,
    /// When its master came, or where that is not known, the first one.
    pub since: DateTime<Utc>,
    /// Which file its master is where it came from; None: nobody noted it, or the asset was renamed since.
    pub source: Option<SourceName>,
    /// The run that filed its master.
    pub run: Option<InstanceId>,
    pub made: Made,
}

impl Kin {
    /// A set has no master that a file could replace.
    pub const fn is_set(&self) -> bool {
        self.blob.is_empty()
    }

    /// Whether it is this content, and not only a piece of it.
    fn has_content(&self, content: Option<&str>) -> bool {
        !self.is_of_piece && content == Some(self.blob.as_str())
    }

    /// How a file that goes to this folder under this name relates to it.
    fn clash(&self, folder: &str, name: &FileName) -> Clash {
        let extension = self.file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
        Clash {
            same_folder: self.folder == folder,
            same_extension: extension == name.extension,
            in_trash: self.in_trash,
        }
    }

    /// Whether a file that goes to this folder under this name takes its place if somebody asks for that.
    pub fn gives_way_to(&self, folder: &str, name: &FileName, mode: OverwriteMode) -> bool {
        let resolution = mode.resolve(true, self.clash(folder, name));
        !self.is_set() && matches!(resolution, Resolution::Replace | Resolution::ReplaceAndMove)
    }

    /// Whether it is called otherwise than the file that it was made of.
    fn has_number_of(&self, source: &SourceName) -> bool {
        source.name().is_some_and(|name| name.stem != self.name)
    }
}

/// A file that asks for a name.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub name: &'a FileName,
    /// Where it goes, below the company root.
    pub folder: &'a str,
    pub source: &'a SourceName,
    /// Other files of the job that get this name because theirs are cleaned.
    pub siblings: &'a Siblings,
    pub run: InstanceId,
    /// SHA-256 of its content, once that is known.
    pub content: Option<&'a str>,
    pub overwrite: bool,
    pub mode: OverwriteMode,
    pub same_name: SameName,
}

/// What becomes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    Add,
    /// It is added under a name with a number; the name itself may belong to another file of the job.
    Number(Option<&'a SourceName>),
    Replace(&'a Kin),
    ReplaceAndMove(&'a Kin),
    /// An asset has this content already.
    Same(&'a Kin),
    /// An asset has its name, and other content.
    LeaveOut(&'a Kin),
}

/// How an asset and a file belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner<'a> {
    /// It was made of this file.
    Claimant,
    /// It belongs to a file that has this name only because names are cleaned.
    Other(&'a SourceName),
    /// It has this name only because the name of its own file, of the same job, was taken.
    Numbered,
    Open,
}

impl<'a> Claim<'a> {
    /// Decides by the assets that there are. It is done again in the transaction that files the file.
    pub fn settle(&self, kin: &'a [Kin]) -> Verdict<'a> {
        let kin: Vec<&Kin> = kin.iter().filter(|kin| self.concerns(kin)).collect();
        let namesake = kin.iter().copied().find(|kin| self.is_namesake(kin));
        let found = if self.overwrite { self.replaced(&kin) } else { self.twin(&kin, namesake.is_some()) };
        if let Some(verdict) = found {
            return verdict;
        }
        let owner = match namesake.map(|namesake| self.owner(namesake)) {
            Some(Owner::Other(source)) => Some(source),
            Some(Owner::Numbered) => None,
            Some(Owner::Claimant | Owner::Open) | None => self.siblings.rightful(self.source),
        };
        if namesake.is_some() || owner.is_some() { Verdict::Number(owner) } else { Verdict::Add }
    }

    fn is_namesake(&self, kin: &Kin) -> bool {
        kin.name == self.name.stem
    }

    /// What got a number when it came under this name may have become the asset of a file of another name since.
    fn concerns(&self, kin: &Kin) -> bool {
        self.is_namesake(kin)
            || kin.source.as_ref().is_none_or(|source| {
                source == self.source || source.name().is_none_or(|name| name.stem == self.name.stem)
            })
    }

    /// Whether a file may have the name of another one is asked of the files of one job: who gives the same file another name
    /// from one job to the next means the same asset. An asset that got a number has it for its own file's sake alone.
    fn owner(&self, kin: &'a Kin) -> Owner<'a> {
        match &kin.source {
            Some(source) if source == self.source => return Owner::Claimant,
            Some(source)
                if source.becomes_one_with(self.source)
                    && (!self.is_namesake(kin) || kin.run == Some(self.run) || self.siblings.holds(source)) =>
            {
                return Owner::Other(source);
            }
            Some(source) if kin.run == Some(self.run) && self.is_namesake(kin) && kin.has_number_of(source) => {
                return Owner::Numbered;
            }
            None if kin.has_content(self.content) => return Owner::Claimant,
            Some(_) | None => {}
        }
        match self.siblings.rightful(self.source).filter(|_| self.is_namesake(kin)) {
            Some(rightful) => Owner::Other(rightful),
            None => Owner::Open,
        }
    }

    /// The asset whose master it replaces: best its own, then the one that has the name, then one that stays where it is.
    fn replaced(&self, kin: &[&'a Kin]) -> Option<Verdict<'a>> {
        let candidates = kin.iter().copied().filter(|kin| !kin.is_set()).filter_map(|kin| {
            let owner = self.owner(kin);
            let moves = match (owner, self.mode.resolve(true, kin.clash(self.folder, self.name))) {
                (Owner::Other(_) | Owner::Numbered, _) | (_, Resolution::Rename | Resolution::Skip) => return None,
                (_, Resolution::Replace) => false,
                (_, Resolution::ReplaceAndMove) => true,
            };
            Some(((owner != Owner::Claimant, !self.is_namesake(kin), moves, kin.id), kin))
        });
        let ((.., moves, _), kin) = candidates.min_by_key(|(order, _)| *order)?;
        Some(if moves { Verdict::ReplaceAndMove(kin) } else { Verdict::Replace(kin) })
    }

    /// Nothing may be replaced: the asset that has the content, or at least the name.
    fn twin(&self, kin: &[&'a Kin], is_taken: bool) -> Option<Verdict<'a>> {
        let mut near: Vec<(Owner<'_>, &'a Kin)> = kin.iter().map(|kin| (self.owner(kin), *kin)).collect();
        near.retain(|(owner, kin)| {
            let is_near = match owner {
                Owner::Claimant => true,
                Owner::Open => is_taken,
                Owner::Numbered => kin.has_content(self.content),
                Owner::Other(_) => false,
            };
            is_near && !kin.in_trash
        });
        near.sort_by_key(|(owner, kin)| (*owner != Owner::Claimant, !self.is_namesake(kin), kin.id));
        let same = near.iter().find(|(_, kin)| kin.has_content(self.content));
        match (same, near.first()) {
            (Some((_, same)), _) => Some(Verdict::Same(same)),
            (None, Some((_, nearest))) if is_taken && self.same_name == SameName::Skip => {
                Some(Verdict::LeaveOut(nearest))
            }
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::source::Sources;

    #[test]
    fn modes_ask_for_what_their_names_say() {
        use Resolution::{Rename, Replace, ReplaceAndMove};
        // (same folder, same ext), (same folder, other ext), (other folder, same ext), (other folder, other ext)
        let table = [
            (OverwriteMode::OverwriteFullName, [Replace, Rename, Rename, Rename]),
            (OverwriteMode::OverwriteAnyExt, [Replace, Replace, Rename, Rename]),
            (OverwriteMode::OverwriteFullNameAnyFolder, [Replace, Rename, ReplaceAndMove, Rename]),
            (OverwriteMode::OverwriteAnyExtAnyFolder, [Replace, Replace, ReplaceAndMove, ReplaceAndMove]),
        ];
        for (mode, expected) in table {
            let cases = [(true, true), (true, false), (false, true), (false, false)];
            for ((same_folder, same_extension), expected) in cases.into_iter().zip(expected) {
                let clash = Clash { same_folder, same_extension, in_trash: false };
                assert_eq!(mode.resolve(true, clash), expected, "{mode} {clash:?}");
                assert_eq!(mode.resolve(false, clash), Resolution::Skip);
                let trashed = Clash { in_trash: true, ..clash };
                assert_eq!(mode.resolve(true, trashed), Rename);
                assert_eq!(mode.resolve(false, trashed), Rename);
            }
        }
    }

    const MINE: &str = "c&d.jpg";
    const THEIRS: &str = "cd.jpg";

    /// Number, name, source, run; content and folder are told from the source.
    fn kin(id: i64, name: &str, source: Option<&str>, run: i64) -> Kin {
        Kin {
            id: AssetId(id),
            name: name.to_owned(),
            folder: String::new(),
            file_name: format!("{name}.jpg"),
            in_trash: false,
            blob: source.unwrap_or("unknown").to_owned(),
            bytes: 1,
            is_of_piece: false,
            since: DateTime::UNIX_EPOCH,
            source: source.map(SourceName::of_path),
            run: Some(InstanceId(run)),
            made: Made::Nothing,
        }
    }

    fn told(
        source: &str,
        content: &str,
        siblings: &[&str],
        overwrite: bool,
        same_name: SameName,
        kin: &[Kin],
    ) -> String {
        let source = SourceName::of_path(source);
        let files = siblings.iter().map(|path| SourceName::of_path(path)).chain([source.clone()]);
        let siblings = Sources::among(files).siblings_of(&source);
        let name = source.name().unwrap();
        let claim = Claim {
            name: &name,
            folder: "",
            source: &source,
            siblings: &siblings,
            run: InstanceId(2),
            content: Some(content),
            overwrite,
            mode: OverwriteMode::OverwriteFullName,
            same_name,
        };
        match claim.settle(kin) {
            Verdict::Add => "add".to_owned(),
            Verdict::Number(None) => "number".to_owned(),
            Verdict::Number(Some(other)) => format!("number for {}", other.path()),
            Verdict::Replace(kin) | Verdict::ReplaceAndMove(kin) => format!("replace {}", kin.name),
            Verdict::Same(kin) => format!("same as {}", kin.name),
            Verdict::LeaveOut(kin) => format!("left out for {}", kin.name),
        }
    }

    #[test]
    fn equal_content_is_known_and_other_content_is_not_taken_for_it() {
        use SameName::{Number, Skip};
        let there = [kin(1, "cd", Some(THEIRS), 1)];
        assert_eq!(told(THEIRS, THEIRS, &[], false, Skip, &there), "same as cd");
        assert_eq!(told(THEIRS, "else", &[], false, Skip, &there), "left out for cd");
        assert_eq!(told(THEIRS, "else", &[], false, Number, &there), "number");
        assert_eq!(told(THEIRS, "else", &[], true, Skip, &there), "replace cd");
        // What was numbered once is found again, by its content and by its source.
        let there = [kin(1, "cd", Some("A/cd.jpg"), 1), kin(2, "cd-1", Some("B/cd.jpg"), 1)];
        for same_name in [Skip, Number] {
            assert_eq!(told("B/cd.jpg", "B/cd.jpg", &[], false, same_name, &there), "same as cd-1");
            assert_eq!(told("X/cd.jpg", "B/cd.jpg", &[], false, same_name, &there), "same as cd-1");
        }
        // A name that is free is free, whatever has got a number.
        assert_eq!(told("A/cd.jpg", "new", &[], false, Skip, &there[1..]), "add");
        assert_eq!(told("B/cd.jpg", "B/cd.jpg", &[], false, Skip, &there[1..]), "same as cd-1");
    }

    #[test]
    fn two_names_that_become_one_are_told_apart_in_one_job_whatever_overwrite_says() {
        for overwrite in [true, false] {
            let settle =
                |source, siblings: &[&str], kin: &[Kin]| told(source, source, siblings, overwrite, SameName::Skip, kin);
            // The file that is called so gets the name, in whichever order they come.
            assert_eq!(settle(MINE, &[THEIRS], &[]), "number for cd.jpg");
            assert_eq!(settle(THEIRS, &[MINE], &[]), "add");
            let numbered = kin(1, "cd-1", Some(MINE), 2);
            assert_eq!(settle(THEIRS, &[MINE], std::slice::from_ref(&numbered)), "add");
            let both = [kin(2, "cd", Some(THEIRS), 2), numbered];
            for run in [1, 2] {
                let both = both.clone().map(|kin| Kin { run: Some(InstanceId(run)), ..kin });
                let verb = if overwrite { "replace" } else { "same as" };
                assert_eq!(settle(MINE, &[THEIRS], &both), format!("{verb} cd-1"));
                assert_eq!(settle(THEIRS, &[MINE], &both), format!("{verb} cd"));
            }
            // A third one, of which only the database knows that it belongs to the job.
            assert_eq!(settle("c+d.jpg", &[], &both), "number for cd.jpg");
        }
        // In another job it is the same asset by another name.
        let there = [kin(1, "cd", Some(MINE), 1)];
        assert_eq!(told(THEIRS, "new", &[], true, SameName::Skip, &there), "replace cd");
        assert_eq!(told(THEIRS, MINE, &[], false, SameName::Skip, &there), "same as cd");
        assert_eq!(told(THEIRS, "new", &[], false, SameName::Skip, &there), "left out for cd");
        // But not if the job has both.
        assert_eq!(told(THEIRS, "new", &[MINE], true, SameName::Skip, &there), "number for c&d.jpg");
    }

    #[test]
    fn a_number_given_to_one_file_of_a_job_is_not_the_name_of_another_one() {
        for overwrite in [true, false] {
            let settle = |source, content, kin: &[Kin]| told(source, content, &[], overwrite, SameName::Skip, kin);
            // It is called cd-1 itself, and comes behind the one that got that name.
            let numbered = [kin(1, "cd-1", Some(MINE), 2)];
            assert_eq!(settle("cd-1.jpg", "new", &numbered), "number");
            let known = if overwrite { "number" } else { "same as cd-1" };
            assert_eq!(settle("cd-1.jpg", MINE, &numbered), known);
            let both = [kin(1, "cd-1", Some(MINE), 2), kin(2, "cd-1-1", Some("cd-1.jpg"), 1)];
            let own = if overwrite { "replace cd-1-1" } else { "same as cd-1-1" };
            assert_eq!(settle("cd-1.jpg", "cd-1.jpg", &both), own);
            // Of an earlier job it is the asset that is called so.
            let earlier = [kin(1, "cd-1", Some(MINE), 1)];
            let meant = if overwrite { "replace cd-1" } else { "left out for cd-1" };
            assert_eq!(settle("cd-1.jpg", "new", &earlier), meant);
            // Since then it has nothing to do with the name under which it once came.
            let since = [kin(1, "cd-1", Some("cd-1.jpg"), 1)];
            assert_eq!(settle(THEIRS, THEIRS, &since), "add");
            assert_eq!(settle(THEIRS, "cd-1.jpg", &since), "add");
        }
    }

    #[test]
    fn an_asset_of_which_nobody_noted_the_source_is_whose_content_it_has_or_whose_name() {
        let there = [kin(1, "cd", None, 1)];
        for overwrite in [true, false] {
            let settle =
                |source, content, siblings: &[&str]| told(source, content, siblings, overwrite, SameName::Skip, &there);
            let (replaced, left_out) =
                if overwrite { ("replace cd", "replace cd") } else { ("same as cd", "left out for cd") };
            assert_eq!(settle(MINE, "unknown", &[THEIRS]), replaced);
            assert_eq!(settle(MINE, "mine", &[THEIRS]), "number for cd.jpg");
            assert_eq!(settle(THEIRS, "theirs", &[MINE]), left_out);
            assert_eq!(settle(MINE, "mine", &[]), left_out);
        }
    }
}
