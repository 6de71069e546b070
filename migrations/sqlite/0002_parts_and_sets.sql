-- Assets that were made from another, how derived files are made, and sets.

-- An asset that a job made from another one. It is filed again under the same number whenever the job runs again.
ALTER TABLE asset ADD COLUMN parent_id INTEGER; -- the asset it was made from (a PDF's page, a Photoshop layer, a video's rendition); NULL: uploaded
ALTER TABLE asset ADD COLUMN part TEXT; -- which part of the parent it is, such as page:3; set exactly with parent_id
ALTER TABLE asset ADD COLUMN making TEXT NOT NULL DEFAULT '{}'; -- JSON: what its derived files are made with, beside what the configuration says
CREATE UNIQUE INDEX asset_by_part ON asset(parent_id, part) WHERE parent_id IS NOT NULL;

-- The members of a set, which is an asset without a master (asset.blob is empty).
CREATE TABLE set_member (
    set_id   INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- which set
    position INTEGER NOT NULL,                         -- order in the set, from 0
    asset_id INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- the member
    row      INTEGER,                                  -- row of a spin with two axes, from 0
    col      INTEGER,                                  -- column of a spin with two axes, from 0
    PRIMARY KEY (set_id, position)
) WITHOUT ROWID;
CREATE INDEX set_member_by_asset ON set_member(asset_id);
