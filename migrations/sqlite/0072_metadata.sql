-- What is known of assets beside what can be seen in their files.

-- Values of an asset's fields.
CREATE TABLE asset_metadata (
    asset_id INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- which asset
    name     TEXT    NOT NULL,                         -- field: prefix.name of a schema of XMP, or the name of one that the company defined
    origin   TEXT    NOT NULL CHECK (origin IN ('File', 'Job', 'User')), -- who says so: the master, keywords of upload jobs, or somebody, who is believed alone
    value    TEXT    NOT NULL,                         -- JSON array of texts; empty: somebody took the values away
    PRIMARY KEY (asset_id, name, origin)
) WITHOUT ROWID;
CREATE INDEX asset_metadata_by_name ON asset_metadata(name, asset_id);

-- A metadata field that a company defined.
CREATE TABLE metadata_field (
    id              INTEGER PRIMARY KEY,               -- our number; clients see m|<company>|<scope>|<name>
    company_id      INTEGER NOT NULL REFERENCES company(id) ON DELETE CASCADE, -- whose
    scope           TEXT    NOT NULL,                  -- for assets of which type, in capitals; ALL: of any
    name            TEXT    NOT NULL,                  -- no two fields that an asset could have share one
    field_type      TEXT    NOT NULL,                  -- MetadataFieldTypes constant
    default_value   TEXT    NOT NULL DEFAULT '',       -- of assets without a value of their own; empty: none
    is_hidden       INTEGER NOT NULL DEFAULT 0,        -- 1: clients are asked not to show it
    is_enforced     INTEGER NOT NULL DEFAULT 0,        -- 1: values that the type does not allow are refused
    is_publish_data INTEGER NOT NULL DEFAULT 1,        -- 1: goes where metadata is published
    tags            TEXT    NOT NULL DEFAULT '[]',     -- JSON array: the dictionary of tags
    UNIQUE (company_id, scope, name)
);

-- Every value that an asset has, a row each, in the order of origin and place.
CREATE VIEW asset_field_value AS
SELECT m.asset_id, m.name, m.origin, v.key AS place, v.value
FROM asset_metadata m, json_each(m.value) v
WHERE m.origin = 'User'
   OR NOT EXISTS (SELECT 1 FROM asset_metadata u WHERE u.asset_id = m.asset_id AND u.name = m.name AND u.origin = 'User')
UNION ALL
SELECT a.id, f.name, 'Default', 0, f.default_value
FROM asset a JOIN metadata_field f ON f.company_id = a.company_id AND f.scope IN ('ALL', upper(a.asset_type))
WHERE f.default_value <> ''
  AND NOT EXISTS (SELECT 1 FROM asset_metadata m WHERE m.asset_id = a.id AND m.name = f.name);
