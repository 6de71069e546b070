-- When a master goes while its parts are made anew, those of the master before it go as well: each part knows which it was made of.
ALTER TABLE asset ADD COLUMN made_of TEXT; -- the master of the parent that it was made from; NULL: uploaded, or made by a version that did not note it
UPDATE asset SET made_of = blob WHERE parent_id IS NOT NULL AND (part LIKE 'page:%' OR part LIKE 'layer:%');
