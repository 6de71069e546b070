-- Pages, layers and renditions that could not be made are no files that failed, and none that was processed.
ALTER TABLE instance ADD COLUMN part_error_count INTEGER NOT NULL DEFAULT 0; -- those of error_count that are about what was to be made of a file
-- What failed was counted among them: of such runs at least what cannot have been processed is taken apart.
UPDATE instance
SET part_error_count = part_count - success_count - update_count, part_count = success_count + update_count
WHERE part_count > success_count + update_count;
