-- Films' renditions, catalogs and templates of a time when it was not noted what they were made of: the master of their parent. What
-- nobody knows the master of would outlive it.
UPDATE asset SET made_of = (SELECT parent.blob FROM asset parent WHERE parent.id = asset.parent_id)
WHERE parent_id IS NOT NULL AND made_of IS NULL;
