-- Server directories get the picture of a page or a layer, not its master once more: the next publishes look at all of them,
-- so that nothing there goes by its old name.
UPDATE company SET change_seq = change_seq + 1 WHERE id IN (
    SELECT company_id FROM asset WHERE parent_id IS NOT NULL AND (part LIKE 'page:%' OR part LIKE 'layer:%'));
UPDATE asset SET change_seq = (SELECT c.change_seq FROM company c WHERE c.id = asset.company_id)
WHERE parent_id IS NOT NULL AND (part LIKE 'page:%' OR part LIKE 'layer:%');
