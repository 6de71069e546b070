-- A page or a layer whose document is gone is published as the picture of it all the same, and not as the document: the next
-- publishes look at those that are there.
UPDATE company SET change_seq = change_seq + 1;
UPDATE asset SET change_seq = (SELECT c.change_seq FROM company c WHERE c.id = asset.company_id)
WHERE parent_id IS NULL AND (making ->> 'page' IS NOT NULL OR making ->> 'layer' IS NOT NULL);
-- A set that was given up holds nobody any more. Whoever was published only with it leaves, also where its row is gone already.
DELETE FROM set_member WHERE set_id IN (SELECT id FROM asset WHERE trash_state = 'InEmptiedTrash');
UPDATE asset SET change_seq = (SELECT c.change_seq FROM company c WHERE c.id = asset.company_id)
WHERE id IN (
    SELECT p.asset_id FROM publication p WHERE p.present = 1 AND NOT EXISTS (
        SELECT 1 FROM publish_mark m WHERE m.asset_id = p.asset_id AND m.context_id = p.context_id AND m.marked = 1));
