-- Parts that were made otherwise than an order asks that goes on with them are made again: an asset has its parts in one way.
ALTER TABLE asset ADD COLUMN part_recipe TEXT; -- how it was made since parts of its parent were ordered last; NULL: before, or not noted
