//! Words of statements that each database has its own words for.

use std::borrow::Cow;

pub fn expand(text: Cow<'static, str>) -> Cow<'static, str> {
    text
}
