//! Portfolios: documents that are folders of other files, with a page that says so (ISO 32000-1, 12.3.5).

use std::ops::ControlFlow;

use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::object::Dict;
use hayro::hayro_syntax::object::dict::keys;

use super::name_tree;

/// How many files a document shows as a portfolio; 0 if it is none.
pub fn files(pdf: &Pdf) -> u32 {
    let Some(root) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) else { return 0 };
    if !root.contains_key("Collection") {
        return 0;
    }
    let tree = root.get::<Dict<'_>>(keys::NAMES).and_then(|names| names.get::<Dict<'_>>("EmbeddedFiles"));
    let mut count = 0;
    if let Some(tree) = tree {
        name_tree::walk(pdf, tree, |_, _| {
            count += 1;
            ControlFlow::Continue(())
        });
    }
    count
}
