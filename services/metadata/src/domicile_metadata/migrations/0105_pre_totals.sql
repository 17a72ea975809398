-- How much each backend holds, counted bucket by bucket (docs/adr/0029-totals-are-counted.md).

-- versions, bytes: of a bucket, each version once. seconds: how long the counting took.
CREATE TABLE bucket_counts (
    bucket_id  uuid PRIMARY KEY REFERENCES buckets ON DELETE CASCADE,
    versions   bigint NOT NULL,
    bytes      bigint NOT NULL,
    counted_at timestamptz NOT NULL,
    seconds    float8 NOT NULL
);
CREATE INDEX bucket_counts_by_age ON bucket_counts (counted_at);

-- copies, bytes: of a bucket at a backend, stored or verified.
CREATE TABLE bucket_totals (
    bucket_id  uuid NOT NULL REFERENCES bucket_counts ON DELETE CASCADE,
    backend_id text NOT NULL REFERENCES backends,
    copies     bigint NOT NULL,
    verified   bigint NOT NULL,
    bytes      bigint NOT NULL,
    PRIMARY KEY (bucket_id, backend_id)
);
