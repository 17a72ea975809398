-- Which database this record was last served from: one that was restored from a dump is another, and is not served before what it may not know
-- any more was said (docs/adr/0043). No row: it was never served.
CREATE TABLE record_home (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    home text NOT NULL
);
