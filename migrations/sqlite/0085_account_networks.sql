-- Where each account has logged in from: failed logins of strangers do not slow these down.
CREATE TABLE account_network (
    account_id INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, -- who
    network    TEXT NOT NULL,    -- the address, of IPv6 its /64
    seen_at    INTEGER NOT NULL, -- last login from there, to a day; UTC milliseconds
    PRIMARY KEY (account_id, network)
) WITHOUT ROWID;
