//! What was read from a page: words and links.

use std::collections::HashMap;

use serde::Serialize;

use crate::model::id::AssetId;
use crate::store::rows::get;
use crate::store::sql;
use crate::store::{Reads, StoreError, Transaction};

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
    /// An address, or `#page=3`, or `other.pdf#page=3` for a file that lies with the document.
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

/// An area of a picture that leads somewhere, with the fields that it has in the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageMap {
    pub name: String,
    /// In pixels of the picture: x1,y1,x2,y2.
    pub region: String,
    pub action: String,
    pub shape_type: String,
    pub position: i64,
    pub enabled: bool,
}

impl Reads {
    /// The words of pages that have some, in their order.
    pub async fn words_of(&self, pages: &[AssetId]) -> Result<HashMap<AssetId, Vec<PageWord>>, StoreError> {
        let rows = sql::query(
            "SELECT w.* FROM ids($1) i STRAIGHT_JOIN page_word w ON w.asset_id = i.id
             ORDER BY w.asset_id, w.position",
        )
        .list(pages)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read the words of pages"))?;
        let mut found: HashMap<AssetId, Vec<PageWord>> = HashMap::new();
        for row in &rows {
            let area =
                Area { x: get(row, "x")?, y: get(row, "y")?, width: get(row, "width")?, height: get(row, "height")? };
            found.entry(AssetId(get(row, "asset_id")?)).or_default().push(PageWord { word: get(row, "word")?, area });
        }
        Ok(found)
    }

    /// The image maps of pictures that have some, in their order.
    pub async fn image_maps_of(&self, pictures: &[AssetId]) -> Result<HashMap<AssetId, Vec<ImageMap>>, StoreError> {
        let rows = sql::query(
            "SELECT m.* FROM ids($1) i STRAIGHT_JOIN image_map m ON m.asset_id = i.id
             ORDER BY m.asset_id, m.position",
        )
        .list(pictures)
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(StoreError::doing("read the image maps of pictures"))?;
        let mut found: HashMap<AssetId, Vec<ImageMap>> = HashMap::new();
        for row in &rows {
            let map = ImageMap {
                name: get(row, "name")?,
                region: get(row, "region")?,
                action: get(row, "action")?,
                shape_type: get(row, "shape_type")?,
                position: get(row, "position")?,
                enabled: get(row, "enabled")?,
            };
            found.entry(AssetId(get(row, "asset_id")?)).or_default().push(map);
        }
        Ok(found)
    }
}

sql::columns! {
    struct WordRow<'a> { word: &'a str, x: u32, y: u32, width: u32, height: u32 }
}

impl<'a> WordRow<'a> {
    fn of(PageWord { word, area: Area { x, y, width, height } }: &'a PageWord) -> Self {
        Self { word, x: *x, y: *y, width: *width, height: *height }
    }
}

sql::columns! {
    struct LinkRow<'a> { region: String, action: &'a str }
}

impl<'a> LinkRow<'a> {
    fn of(PageLink { action, area: Area { x, y, width, height } }: &'a PageLink) -> Self {
        let (right, bottom) = (u64::from(*x) + u64::from(*width), u64::from(*y) + u64::from(*height));
        Self { region: format!("{x},{y},{right},{bottom}"), action }
    }
}

/// Puts it in the place of what was read before. Image maps that users have made stay.
pub(in crate::store) async fn write(tx: &mut Transaction, page: AssetId, text: &PageText) -> Result<(), StoreError> {
    let clear =
        ["DELETE FROM page_word WHERE asset_id = $1", "DELETE FROM image_map WHERE asset_id = $1 AND from_file = 1"];
    for statement in clear {
        sql::query(statement)
            .bind(page.0)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::doing("forget what was read from a page"))?;
    }
    let words: Vec<WordRow<'_>> = text.words.iter().map(WordRow::of).collect();
    sql::query(
        "INSERT INTO page_word (asset_id, position, word, x, y, width, height)
         SELECT $1, w.n, w.word, w.x, w.y, w.width, w.height
         FROM rows($2: word text, x int, y int, width int, height int) w",
    )
    .bind(page.0)
    .rows(&words)
    .execute(&mut *tx)
    .await
    .map_err(StoreError::doing("keep the words of a page"))?;
    let links: Vec<LinkRow<'_>> = text.links.iter().map(LinkRow::of).collect();
    sql::query(
        "INSERT INTO image_map (asset_id, position, name, shape_type, region, action, from_file)
         SELECT $1, (SELECT coalesce(max(position), -1) + 1 FROM image_map WHERE asset_id = $1) + l.n,
                'link ' || (l.n + 1), 'rect', l.region, l.action, 1
         FROM rows($2: region text, action text) l",
    )
    .bind(page.0)
    .rows(&links)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(StoreError::doing("keep the links of a page"))
}
