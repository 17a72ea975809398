import { useState } from "preact/hooks";
import type { Job } from "../../admin.ts";
import { Button, Time } from "../../components/index.ts";
import { isOperator } from "../../session.ts";
import { Drop } from "./drop.tsx";
import { replay } from "./jobs.tsx";

/** One job with its failures, and what can be done about it when it is parked. */
export function JobView({ job, onDone }: { readonly job: Job; readonly onDone: () => void }) {
  const [dropping, setDropping] = useState(false);
  const which = { bucket_id: job.bucket_id, version_id: job.version_id, backend_id: job.backend_id };
  return (
    <>
      <dl class="facts">
        <dt>Object</dt>
        <dd>
          {job.tenant_id}/{job.bucket}/{job.key}
        </dd>
        <dt>Version</dt>
        <dd>
          <code>{job.version_id}</code>
        </dd>
        <dt>Owed since</dt>
        <dd>
          <Time at={job.since} />, in the lane {job.lane}
        </dd>
        {job.parked_reason !== null && (
          <>
            <dt>Parked because</dt>
            <dd>{job.parked_reason}</dd>
          </>
        )}
      </dl>
      <h3>Failures</h3>
      {job.failures.length ? (
        <ol>
          {job.failures.map((it) => (
            <li key={it.at}>
              <Time at={it.at} />: {it.error_class}, {it.reason}
            </li>
          ))}
        </ol>
      ) : (
        <p>None yet.</p>
      )}
      {job.parked_reason !== null && isOperator() && (
        <div class="actions">
          <Button
            kind="primary"
            onClick={async () => {
              await replay(which);
              onDone();
            }}
          >
            Try it again
          </Button>
          <Button kind="danger" onClick={() => setDropping(true)}>
            Give it up…
          </Button>
        </div>
      )}
      {dropping && <Drop which={which} what="this job" onClose={() => setDropping(false)} onDone={onDone} />}
    </>
  );
}
