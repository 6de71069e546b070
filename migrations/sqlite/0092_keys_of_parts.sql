-- An asset that was given up keeps no key of a part either (asset.part is NULL then, though parent_id is set): the page,
-- layer or rendition that is made again under that key is another asset.
UPDATE asset SET part = NULL WHERE trash_state = 'InEmptiedTrash' AND part IS NOT NULL;
