//! What `overwrite` replaces: the overwrite modes of a company.

use super::constants;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
