-- What a set has beside its members.

ALTER TABLE set_member ADD COLUMN page_reset INTEGER NOT NULL DEFAULT 1; -- pageReset: 1 begins a page of an eCatalog, a group of a swatch set

-- What clients say of a set.
CREATE TABLE set_detail (
    set_id     INTEGER PRIMARY KEY REFERENCES asset(id) ON DELETE CASCADE, -- which set
    sub_type   TEXT,                                   -- of asset sets: what kind it is, in the client's words or MultiAxisSpinSet
    definition TEXT,                                   -- of asset sets: setDefinition, with places that name its members
    thumb_id   INTEGER REFERENCES asset(id) ON DELETE SET NULL -- asset that stands for it; NULL: its first picture
);
