-- Property sets: named values that belong to a company, to a user, or to a user in a company.

-- What a property set is for: who owns sets of the type, and which rules their values keep.
CREATE TABLE property_set_type (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,  -- number in the handle pt|<id>, never given twice
    company_id     INTEGER REFERENCES company(id) ON DELETE CASCADE, -- whose; NULL: global, every company has it
    name           TEXT    NOT NULL,                   -- what getPropertySetType finds it by
    property_type  TEXT    NOT NULL,                   -- PropertySetTypes constant: what owns sets of it
    allow_multiple INTEGER NOT NULL,                   -- 0: a new set replaces the one that its owner has
    built_in       TEXT,                               -- SetScript, VideoEncodingPreset: the rules of its values; NULL: any names and values
    created_at     INTEGER NOT NULL                    -- when it was made
);
-- No company has the number -1.
CREATE UNIQUE INDEX property_set_type_name ON property_set_type(coalesce(company_id, -1), name);

-- Named values of one owner.
CREATE TABLE property_set (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,     -- number in the handle ps|<id>, never given twice: waiting jobs name it
    type_id     INTEGER NOT NULL REFERENCES property_set_type(id) ON DELETE CASCADE, -- what it is for
    company_id  INTEGER REFERENCES company(id) ON DELETE CASCADE, -- owner, unless it is a UserProperty
    account_id  INTEGER REFERENCES account(id) ON DELETE CASCADE, -- owner, unless it is a CompanyProperty
    properties  TEXT    NOT NULL,                      -- JSON: [{name, value}], in the order they were given
    created_at  INTEGER NOT NULL,                      -- when it was made
    modified_at INTEGER NOT NULL                       -- last change of its values
);
CREATE INDEX property_set_by_owner ON property_set(type_id, company_id, account_id);

INSERT INTO property_set_type (id, company_id, name, property_type, allow_multiple, built_in, created_at)
VALUES (1, NULL, 'SetScript', 'CompanyProperty', 1, 'SetScript', 0),
       (2, NULL, 'VideoEncodingPreset', 'CompanyProperty', 1, 'VideoEncodingPreset', 0);
