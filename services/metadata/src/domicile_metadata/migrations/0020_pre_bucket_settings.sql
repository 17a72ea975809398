-- What a bucket's owner may set (domicile_common/bucket_settings.py): one row for each setting that is not at its default.

CREATE TABLE bucket_settings (
    bucket_id  uuid NOT NULL REFERENCES buckets ON DELETE CASCADE,
    setting    text NOT NULL,
    document   json NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket_id, setting)
);
-- The lifecycle worker looks for the buckets that have rules.
CREATE INDEX bucket_settings_by_setting ON bucket_settings (setting, bucket_id);

-- Buckets of other tenants are found by their name alone (docs/adr/0010-who-sees-a-bucket.md).
CREATE INDEX buckets_by_name ON buckets (name);
