-- Who uploads a document once more whose pages a stopped job did not come to the end of gets the rest of them.
ALTER TABLE asset ADD COLUMN lacks_parts INTEGER NOT NULL DEFAULT 0; -- 1: its pages, layers or renditions were ordered, and nobody came to their end yet
