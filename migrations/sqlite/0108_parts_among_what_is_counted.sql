-- Pages, layers and renditions are counted as what was processed, and are no files that came.
ALTER TABLE instance ADD COLUMN part_count INTEGER NOT NULL DEFAULT 0; -- those of success_count and update_count that were made of a file
