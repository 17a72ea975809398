-- How many completions have chosen the parts of an upload, and may have made something of them at a backend.
ALTER TABLE intents ADD COLUMN completions integer NOT NULL DEFAULT 0;
