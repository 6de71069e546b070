-- How far it is known elsewhere what readers see, so that a publish that broke off right after it reached them is named by
-- the next one.
ALTER TABLE publish_context ADD COLUMN shown_seq INTEGER NOT NULL DEFAULT 0; -- publish_seq up to which publish_history knows what readers were given
ALTER TABLE publish_context ADD COLUMN told_seq INTEGER NOT NULL DEFAULT 0; -- publish_seq up to which a log names what readers were given, and what left; rows of what left stay until then
UPDATE publish_context SET
    shown_seq = CASE live_side WHEN 'a' THEN side_a_seq WHEN 'b' THEN side_b_seq ELSE 0 END,
    told_seq = CASE live_side WHEN 'a' THEN side_a_seq WHEN 'b' THEN side_b_seq ELSE 0 END;
