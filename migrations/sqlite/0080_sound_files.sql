-- What files should be, so that a look at them can tell; and numbers that are not given again.

ALTER TABLE export ADD COLUMN sha256 TEXT; -- of the archive, 64 hexadecimal digits; NULL: made by a version that kept none

-- How far numbers had come by the mark beside the blobs, when that had seen more than the database: it was restored from a
-- backup. Numbers are counted on from here.
CREATE TABLE kept_number (
    name  TEXT PRIMARY KEY,                            -- whose: a table, such as asset; change and publish are company.change_seq and publish_context.publish_seq
    value INTEGER NOT NULL                             -- the highest that was given
) WITHOUT ROWID;

-- Files that were replaced by another in their row. That they are named no more is to be expected; Cleanup asks about all
-- others whether there are unusually many of them.
CREATE TABLE replaced_file (
    sha256 TEXT PRIMARY KEY                            -- its name in the blob store
) WITHOUT ROWID;
CREATE TRIGGER asset_file_replaced AFTER UPDATE OF blob ON asset
    WHEN OLD.blob <> NEW.blob AND OLD.blob <> '' BEGIN
        INSERT INTO replaced_file (sha256) VALUES (OLD.blob) ON CONFLICT DO NOTHING;
    END;
CREATE TRIGGER derived_file_replaced AFTER UPDATE OF blob ON derived
    WHEN OLD.blob <> NEW.blob BEGIN
        INSERT INTO replaced_file (sha256) VALUES (OLD.blob) ON CONFLICT DO NOTHING;
    END;
-- What was made of a master that was replaced.
CREATE TRIGGER derived_file_dropped AFTER DELETE ON derived
    WHEN EXISTS (SELECT 1 FROM asset WHERE id = OLD.asset_id) BEGIN
        INSERT INTO replaced_file (sha256) VALUES (OLD.blob) ON CONFLICT DO NOTHING;
    END;
CREATE TRIGGER published_file_replaced AFTER UPDATE OF blob ON publication
    WHEN OLD.blob <> NEW.blob AND OLD.blob <> '' BEGIN
        INSERT INTO replaced_file (sha256) VALUES (OLD.blob) ON CONFLICT DO NOTHING;
    END;
