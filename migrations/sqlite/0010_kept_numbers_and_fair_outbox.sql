-- The name under which a file arrived when another asset had it, and this one got a number instead. The same file finds
-- its asset by it the next time, or a folder with x.jpg and x.png would leave another x-N behind every night.
ALTER TABLE asset ADD COLUMN arrived_as TEXT; -- name (without extension) that its file would have had; NULL: it has that name, or was renamed
CREATE INDEX asset_by_arrival ON asset(company_id, arrived_as) WHERE arrived_as IS NOT NULL;

-- SQLite counts numbers on from the greatest there is, so the newest row is what remembers how far they had come: were it
-- removed, a handle that somebody keeps would come to name something else. Its removal is passed over; it can go once
-- there is a newer one. Jobs, runs and messages keep theirs in the statements that remove them.
CREATE TRIGGER asset_newest_stays BEFORE DELETE ON asset
    WHEN OLD.id = (SELECT max(id) FROM asset) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER folder_newest_stays BEFORE DELETE ON folder
    WHEN OLD.id = (SELECT max(id) FROM folder) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER account_newest_stays BEFORE DELETE ON account
    WHEN OLD.id = (SELECT max(id) FROM account) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER company_newest_stays BEFORE DELETE ON company
    WHEN OLD.id = (SELECT max(id) FROM company) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER publish_context_newest_stays BEFORE DELETE ON publish_context
    WHEN OLD.id = (SELECT max(id) FROM publish_context) BEGIN SELECT RAISE(IGNORE); END;

-- Companies take turns in the outbox, as they do at the dispatcher.
ALTER TABLE outbox ADD COLUMN company_id INTEGER NOT NULL DEFAULT 0; -- whose run it is about, copied from there
UPDATE outbox SET company_id = (SELECT i.company_id FROM instance i WHERE i.id = outbox.instance_id);
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox(channel, company_id, next_try_at, id) WHERE state = 'Pending';

-- What retention asks for every hour must not read whole tables while everybody waits to write.
CREATE INDEX outbox_finished ON outbox(finished_at) WHERE state <> 'Pending';
CREATE INDEX slot_by_due ON slot(due_at);
CREATE INDEX job_over ON job(created_at)
    WHERE trigger_kind <> 'at_once' AND (trigger_state = 'Complete' OR deleted_at IS NOT NULL);
