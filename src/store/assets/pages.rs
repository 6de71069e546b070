//! What was read from a page: words and links.

use serde::Serialize;
use serde_json::json;

use crate::model::id::AssetId;
use crate::store::{StoreError, Transaction};

/// An area of a picture, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Area {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageWord {
    pub word: String,
    #[serde(flatten)]
    pub area: Area,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageLink {
    /// An address, or `#page=3`.
    pub action: String,
    #[serde(flatten)]
    pub area: Area,
}

/// What is known of a page now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageText {
    pub words: Vec<PageWord>,
    pub links: Vec<PageLink>,
}

/// Puts it in the place of what was read before. Image maps that users have made stay.
pub(in crate::store) async fn write(tx: &mut Transaction, page: AssetId, text: &PageText) -> Result<(), StoreError> {
    let clear =
        ["DELETE FROM page_word WHERE asset_id = $1", "DELETE FROM image_map WHERE asset_id = $1 AND from_file = 1"];
    for statement in clear {
        sqlx::query(statement)
            .bind(page.0)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("forget what was read from a page"))?;
    }
    sqlx::query(
        "INSERT INTO page_word (asset_id, position, word, x, y, width, height)
         SELECT $1, key, value ->> 'word', value ->> 'x', value ->> 'y', value ->> 'width', value ->> 'height'
         FROM json_each($2)",
    )
    .bind(page.0)
    .bind(json!(text.words).to_string())
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("keep the words of a page"))?;
    sqlx::query(
        "INSERT INTO image_map (asset_id, position, name, shape_type, region, action, from_file)
         SELECT $1, (SELECT coalesce(max(position), -1) + 1 FROM image_map WHERE asset_id = $1) + key,
                'link ' || (key + 1), 'rect',
                (value ->> 'x') || ',' || (value ->> 'y') || ',' || ((value ->> 'x') + (value ->> 'width')) || ',' ||
                ((value ->> 'y') + (value ->> 'height')),
                value ->> 'action', 1
         FROM json_each($2)",
    )
    .bind(page.0)
    .bind(json!(text.links).to_string())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("keep the links of a page"))
}
