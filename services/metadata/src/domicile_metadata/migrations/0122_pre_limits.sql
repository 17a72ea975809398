-- What tenants may use, and what they use. bytes, objects: of all versions, and bytes of parts that are not yet one; delete markers are no
-- objects. A row of limits that is NULL somewhere limits nothing there. The last three are kept to by each proxy process for itself.
CREATE TABLE limits (
    tenant_id           text PRIMARY KEY REFERENCES tenants,
    bytes               bigint CHECK (bytes >= 0),
    objects             bigint CHECK (objects >= 0),
    buckets             integer CHECK (buckets >= 0),
    requests_per_second double precision CHECK (requests_per_second > 0),
    bytes_per_second    bigint CHECK (bytes_per_second > 0),
    concurrent_requests integer CHECK (concurrent_requests > 0)
);

-- What a proxy has to keep to, as a JSON document.
CREATE VIEW rates AS
SELECT tenant_id, json_strip_nulls(json_build_object('requests_per_second', requests_per_second, 'bytes_per_second', bytes_per_second,
                                                     'concurrent_requests', concurrent_requests))::text AS rates
  FROM limits
 WHERE num_nonnulls(requests_per_second, bytes_per_second, concurrent_requests) > 0;

-- Usage is counted where it changes. Each statement adds a row, so that writers of one tenant never wait for each other; now and then the
-- sweeper adds these rows up. What a tenant uses is the sum of both.
CREATE TABLE usage (
    tenant_id text PRIMARY KEY,
    bytes     bigint NOT NULL,
    objects   bigint NOT NULL
);
CREATE TABLE usage_changes (
    tenant_id text NOT NULL,
    bytes     bigint NOT NULL,
    objects   bigint NOT NULL
);
ALTER TABLE usage_changes SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
CREATE VIEW current_usage AS
SELECT tenant_id, sum(bytes)::bigint AS bytes, sum(objects)::bigint AS objects
  FROM (SELECT tenant_id, bytes, objects FROM usage UNION ALL SELECT tenant_id, bytes, objects FROM usage_changes) AS counted
 GROUP BY tenant_id;

-- TG_ARGV[0]: 1 for what came, -1 for what went.
CREATE FUNCTION count_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_changes (tenant_id, bytes, objects)
    SELECT tenant_id, TG_ARGV[0]::bigint * sum(size), TG_ARGV[0]::bigint * count(*)
      FROM changed JOIN buckets USING (bucket_id)
     WHERE NOT is_delete_marker
     GROUP BY tenant_id;
    RETURN NULL;
END
$$;
CREATE FUNCTION count_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_changes (tenant_id, bytes, objects)
    SELECT tenant_id, TG_ARGV[0]::bigint * sum(size), 0
      FROM changed JOIN buckets USING (bucket_id)
     GROUP BY tenant_id;
    RETURN NULL;
END
$$;

-- In the order in which a commit takes them. From now on nothing is written until what is there has been counted.
LOCK TABLE parts, versions IN SHARE ROW EXCLUSIVE MODE;
CREATE TRIGGER versions_came AFTER INSERT ON versions REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_versions('1');
CREATE TRIGGER versions_went AFTER DELETE ON versions REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_versions('-1');
CREATE TRIGGER parts_came AFTER INSERT ON parts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_parts('1');
CREATE TRIGGER parts_became AFTER UPDATE ON parts REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_parts('1');
CREATE TRIGGER parts_were AFTER UPDATE ON parts REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_parts('-1');
CREATE TRIGGER parts_went AFTER DELETE ON parts REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION count_parts('-1');
INSERT INTO usage (tenant_id, bytes, objects)
SELECT tenant_id, sum(bytes), sum(objects)
  FROM (SELECT bucket_id, sum(size) AS bytes, count(*) AS objects FROM versions WHERE NOT is_delete_marker GROUP BY bucket_id
         UNION ALL
        SELECT bucket_id, sum(size), 0 FROM parts GROUP BY bucket_id) AS held
  JOIN buckets USING (bucket_id)
 GROUP BY tenant_id;
