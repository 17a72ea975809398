-- How often what a stamp says of the version has changed: a worker that wrote an older one has not stamped the replica.
ALTER TABLE replicas ADD COLUMN revision integer NOT NULL DEFAULT 0;
