-- What was read from the pages of documents.

-- Words of a page, where they stand in its picture.
CREATE TABLE page_word (
    asset_id INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- the page
    position INTEGER NOT NULL,                         -- order on the page, from 0
    word     TEXT NOT NULL,                            -- in Unicode's NFKC form
    x        INTEGER NOT NULL,                         -- left edge, in pixels of the page's picture
    y        INTEGER NOT NULL,                         -- upper edge, in pixels of the page's picture
    width    INTEGER NOT NULL,                         -- in pixels of the page's picture
    height   INTEGER NOT NULL,                         -- in pixels of the page's picture
    PRIMARY KEY (asset_id, position)
) WITHOUT ROWID;

-- Areas of a picture that lead somewhere. The fields are those of ImageMap in the API.
CREATE TABLE image_map (
    asset_id   INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- the picture
    position   INTEGER NOT NULL,                       -- order on the picture, from 0
    name       TEXT NOT NULL,                          -- unique on the picture
    shape_type TEXT NOT NULL,                          -- rect
    region     TEXT NOT NULL,                          -- x1,y1,x2,y2 in pixels of the picture
    action     TEXT NOT NULL,                          -- an address; #page=3 for another page of the same document
    enabled    INTEGER NOT NULL DEFAULT 1,             -- 1: it is in use
    from_file  INTEGER NOT NULL DEFAULT 0,             -- 1: read from the document, and replaced when that is read again
    PRIMARY KEY (asset_id, position)
) WITHOUT ROWID;
