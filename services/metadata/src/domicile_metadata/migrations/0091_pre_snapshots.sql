-- What people have kept of S3 accounts that they looked at (domicile_common/snapshots): described here, in pieces below.
-- tenant_id: NULL is an operator's. objects, bytes, stored, pieces: of what is kept; stored: compressed bytes.
CREATE TABLE snapshots (
    snapshot_id uuid PRIMARY KEY,
    tenant_id   text REFERENCES tenants,
    title       text NOT NULL,
    endpoint    text NOT NULL,
    keys        text NOT NULL CHECK (keys IN ('kept', 'hashed', 'dropped')),
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    truncated   boolean NOT NULL DEFAULT false,
    objects     bigint NOT NULL DEFAULT 0,
    bytes       bigint NOT NULL DEFAULT 0,
    stored      bigint NOT NULL DEFAULT 0,
    pieces      integer NOT NULL DEFAULT 0
);
CREATE INDEX snapshots_by_tenant ON snapshots (tenant_id, snapshot_id);

-- sent: SHA-256 of what was sent, so that sending it again is harmless. content: a gzip member; it gets no smaller.
CREATE TABLE snapshot_pieces (
    snapshot_id uuid NOT NULL REFERENCES snapshots ON DELETE CASCADE,
    number      integer NOT NULL CHECK (number >= 0),
    sent        bytea NOT NULL,
    content     bytea NOT NULL,
    PRIMARY KEY (snapshot_id, number)
);
ALTER TABLE snapshot_pieces ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE snapshot_totals (
    snapshot_id   uuid NOT NULL REFERENCES snapshots ON DELETE CASCADE,
    bucket        text NOT NULL,
    storage_class text NOT NULL,
    objects       bigint NOT NULL,
    bytes         bigint NOT NULL,
    PRIMARY KEY (snapshot_id, bucket, storage_class)
);
