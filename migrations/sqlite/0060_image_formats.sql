-- Image formats (presets): names for commands of the image-serving protocol, which exports can ask for.
CREATE TABLE image_format (
    id           INTEGER PRIMARY KEY,                  -- number in the handle i|<company>|<id>
    company_id   INTEGER NOT NULL REFERENCES company(id) ON DELETE CASCADE, -- whose
    name         TEXT    NOT NULL,                     -- for people, and as a macro: $name$
    folded_name  TEXT    NOT NULL,                     -- the name in small letters: macros mind no case
    url_modifier TEXT    NOT NULL,                     -- what it stands for, such as wid=400&fmt=png
    UNIQUE (company_id, folded_name)
);
