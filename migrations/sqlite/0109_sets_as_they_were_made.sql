-- A set of pages, layers or renditions keeps what a user has changed in it: what was made into it tells that apart from what is new.
ALTER TABLE set_detail ADD COLUMN given TEXT; -- ids of the members that the file gave it last, as JSON; NULL: not made of a file, or by an earlier version
