-- The sets that an asset stands for: asked whenever it changes, and when it is deleted.
CREATE INDEX set_detail_by_thumb ON set_detail(thumb_id) WHERE thumb_id IS NOT NULL;
