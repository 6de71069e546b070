-- How far it is known elsewhere what readers see, so that a publish that broke off right after it reached them is named by
-- the next one.
ALTER TABLE publish_context ADD COLUMN shown_seq INTEGER NOT NULL DEFAULT 0; -- publish_seq up to which publish_history knows what readers were given
ALTER TABLE publish_context ADD COLUMN told_seq INTEGER NOT NULL DEFAULT 0; -- publish_seq up to which a log names what readers were given, and what left; rows of what left stay until then
UPDATE publish_context SET
    shown_seq = CASE live_side WHEN 'a' THEN side_a_seq WHEN 'b' THEN side_b_seq ELSE 0 END,
    told_seq = CASE live_side WHEN 'a' THEN side_a_seq WHEN 'b' THEN side_b_seq ELSE 0 END;
-- A publish that readers see already, and whose log was still to name what: it goes on from what readers saw before it. What it
-- had named of that is named once more.
UPDATE publish_context SET told_seq = min(told_seq, coalesce((
    SELECT min(b.result ->> '$.live_seq') FROM instance i
    JOIN item s ON s.instance_id = i.id AND s.key = '/switched'
    JOIN item b ON b.instance_id = i.id AND b.key = '/begin'
    WHERE i.state <> 'Done' AND i.company_id = publish_context.company_id
      AND b.result ->> '$.begun.seq' = publish_context.publish_seq), told_seq));
