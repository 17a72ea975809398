-- A fencing token (docs/adr/0049): two workers may have the same job, and the report of one may be late. It is handed out with the work, comes back
-- with the report, and is raised whenever what was found out at the backend before counts no more. An older report is not believed.
ALTER TABLE replicas ADD COLUMN fence integer NOT NULL DEFAULT 0;
