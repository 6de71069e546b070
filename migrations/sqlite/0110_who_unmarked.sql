-- What lies unmarked by somebody's word stays so when it is made again; where it has no mark for another reason, it follows its document.
-- Of the marks that are gone already nobody knows the reason: they count as taken away by somebody.
ALTER TABLE publish_mark ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0; -- 1: somebody unmarked the asset itself, here
UPDATE publish_mark SET withdrawn = 1 WHERE marked = 0;

-- Parts that somebody unmarked and that are parts no more: whoever is made in their place keeps the word.
CREATE TABLE withdrawn_part (
    parent_id  INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- whose part it was
    part       TEXT    NOT NULL,                       -- which
    context_id INTEGER NOT NULL REFERENCES publish_context(id) ON DELETE CASCADE, -- where it was unmarked
    PRIMARY KEY (parent_id, part, context_id)
) WITHOUT ROWID;

-- What is made with colour profiles that are assets: it is published anew when one of them changes.
CREATE INDEX asset_by_conversion ON asset (company_id) WHERE making ->> '$.colors.convert' IS NOT NULL;
