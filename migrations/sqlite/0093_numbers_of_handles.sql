-- Numbers that were in a handle (i|<company>|<id>, ps|<id>, pt|<id>) are not given again, also when the newest row is
-- deleted: kept_number remembers the highest that went. What counted on by itself until now told nobody how far it was.
CREATE TRIGGER image_format_number_kept AFTER DELETE ON image_format BEGIN
    INSERT INTO kept_number (name, value) VALUES ('image_format', OLD.id)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value); END;
CREATE TRIGGER property_set_number_kept AFTER DELETE ON property_set BEGIN
    INSERT INTO kept_number (name, value) VALUES ('property_set', OLD.id)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value); END;
CREATE TRIGGER property_set_type_number_kept AFTER DELETE ON property_set_type BEGIN
    INSERT INTO kept_number (name, value) VALUES ('property_set_type', OLD.id)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value); END;
INSERT INTO kept_number (name, value)
    SELECT name, seq FROM sqlite_sequence WHERE name IN ('property_set', 'property_set_type')
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value);

-- The highest number is the last row of a table. By old statistics SQLite prefers to read an index as a whole, for each row
-- that is deleted.
DROP TRIGGER asset_newest_stays;
CREATE TRIGGER asset_newest_stays BEFORE DELETE ON asset
    WHEN OLD.id = (SELECT max(id) FROM asset NOT INDEXED) BEGIN SELECT RAISE(IGNORE); END;
DROP TRIGGER folder_newest_stays;
CREATE TRIGGER folder_newest_stays BEFORE DELETE ON folder
    WHEN OLD.id = (SELECT max(id) FROM folder NOT INDEXED) BEGIN SELECT RAISE(IGNORE); END;
DROP TRIGGER account_newest_stays;
CREATE TRIGGER account_newest_stays BEFORE DELETE ON account
    WHEN OLD.id = (SELECT max(id) FROM account NOT INDEXED) BEGIN SELECT RAISE(IGNORE); END;
DROP TRIGGER company_newest_stays;
CREATE TRIGGER company_newest_stays BEFORE DELETE ON company
    WHEN OLD.id = (SELECT max(id) FROM company NOT INDEXED) BEGIN SELECT RAISE(IGNORE); END;
DROP TRIGGER publish_context_newest_stays;
CREATE TRIGGER publish_context_newest_stays BEFORE DELETE ON publish_context
    WHEN OLD.id = (SELECT max(id) FROM publish_context NOT INDEXED) BEGIN SELECT RAISE(IGNORE); END;
