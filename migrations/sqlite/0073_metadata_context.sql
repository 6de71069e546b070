-- Where metadata is published: a context that clients neither see nor mark. What is marked in any other belongs to it.
INSERT INTO publish_context (company_id, kind, name) SELECT id, 'Metadata', 'Metadata' FROM company WHERE id <> 0;
