-- What a published file is, kept beside it: the name in the tree no longer says which asset it belongs to.
ALTER TABLE publication ADD COLUMN asset_name TEXT NOT NULL DEFAULT ''; -- name of the asset when it was published
ALTER TABLE publication ADD COLUMN file_type TEXT NOT NULL DEFAULT 'NoType'; -- JobLogFileTypes constant of the file
ALTER TABLE publication ADD COLUMN detail TEXT; -- JSON object that its line in the manifest says beside the file; NULL: nothing

UPDATE publication SET
    asset_name = coalesce((SELECT name FROM asset WHERE asset.id = asset_id), file_name),
    file_type = CASE WHEN file_name LIKE 'content/%' THEN 'NoType' ELSE 'OptimizedImage' END;
