-- Published files are files of their own and no links to blobs.
ALTER TABLE publish_context ADD COLUMN owns_files INTEGER NOT NULL DEFAULT 0; -- 1: no file of its trees is a link to a blob, as those of earlier versions were; else the next publish parts them
ALTER TABLE publication ADD COLUMN stamp TEXT; -- inode, size, mtime and ctime of the file when its content was last known to be right: the same again, and it is right without being read; NULL: it has to be read
-- Assets that a publish could not have for a reason that may pass without a change of the asset: the next one tries again.
CREATE TABLE publish_refused (
    context_id INTEGER NOT NULL REFERENCES publish_context(id) ON DELETE CASCADE, -- where to
    asset_id   INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- what
    PRIMARY KEY (context_id, asset_id)
) WITHOUT ROWID;
CREATE INDEX publish_refused_by_asset ON publish_refused(asset_id);
