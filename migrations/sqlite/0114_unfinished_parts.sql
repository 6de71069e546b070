-- Who uploads a document once more whose pages a stopped job did not come to the end of gets the rest of them.
ALTER TABLE asset ADD COLUMN parts_run INTEGER; -- the run that was last to make its pages, layers or renditions; NULL: none was
ALTER TABLE asset ADD COLUMN parts_ended INTEGER NOT NULL DEFAULT 0; -- 1: it came to their end
