-- When readers were last given an asset, for each context that it was ever published to.
CREATE TABLE publish_history (
    asset_id     INTEGER NOT NULL REFERENCES asset(id) ON DELETE CASCADE, -- which asset
    context_id   INTEGER NOT NULL REFERENCES publish_context(id) ON DELETE CASCADE, -- where to
    published_at INTEGER NOT NULL,                     -- when readers were switched to the publish that had its files; kept when it leaves
    PRIMARY KEY (asset_id, context_id)
) WITHOUT ROWID;
