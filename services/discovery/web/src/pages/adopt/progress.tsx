import { Button, Bytes, type Column, Empty, Load, Progress, Table, Time } from "../../components/index.ts";
import { formatCount, formatThings } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { link } from "../../router.ts";
import { FINISHED, type Finding, findings, showTask, steer, type Task } from "./adoption.ts";
import { TaskState } from "./index.tsx";

const SECONDS = 2; // between two looks

export function Under({ id }: { readonly id: string }) {
  const resource = useResource((signal) => showTask(id, signal), [id], SECONDS);
  return (
    <>
      <p>
        <a href={link("adopt")}>Bring under management</a>
      </p>
      <Load resource={resource}>{(task) => <Shown task={task} reload={resource.reload} />}</Load>
    </>
  );
}

function Shown({ task, reload }: { task: Task; reload: () => void }) {
  const { tenant, bucket, backend, source } = task.parameters;
  const count = (name: string) => task.progress[name] ?? 0;
  const owed = count("copies_owed") + count("copies_parked") + count("copies_verified");
  return (
    <>
      <h1>
        {source} becomes {tenant} / {bucket}
      </h1>
      <p aria-live="polite">
        <TaskState of={task} /> at {backend}, begun <Time at={task.created_at} />
        {task.error && `: ${task.error}`}
      </p>
      <Steering task={task} reload={reload} />
      <h2>Indexed</h2>
      {!FINISHED.has(task.state) && <Progress label="Looking at the provider's bucket" />}
      <dl class="facts">
        <dt>The provider has shown</dt>
        <dd>
          {formatThings(count("listed"), "object")}, <Bytes of={count("listed_bytes")} />
        </dd>
        <dt>Adopted, and readable</dt>
        <dd>
          {formatThings(count("indexed"), "object")}, <Bytes of={count("indexed_bytes")} />
        </dd>
        <dt>Known before</dt>
        <dd>{formatCount(count("known"))}</dd>
        <dt>Left out</dt>
        <dd>{formatCount(count("conflict") + count("leaving") + count("failed"))}</dd>
      </dl>
      <h2>Copied</h2>
      {owed ? (
        <>
          <Progress label="Copies that the policy asks for" value={count("copies_verified")} of={owed} />
          <p>
            {formatCount(count("copies_verified"))} of {formatCount(owed)} copies are verified
            {count("copies_parked") > 0 && `, ${formatCount(count("copies_parked"))} are parked`}.
          </p>
        </>
      ) : (
        <Empty title="No copy is owed." />
      )}
      <h2>What it has to say of single objects</h2>
      <Findings id={task.task_id} state={task.state} />
    </>
  );
}

function Steering({ task, reload }: { task: Task; reload: () => void }) {
  const act = (action: "pause" | "resume" | "cancel") => async () => {
    await steer(task.task_id, action);
    reload();
  };
  return (
    <div class="actions">
      {(task.state === "running" || task.state === "waiting") && <Button onClick={act("pause")}>Pause</Button>}
      {(task.state === "paused" || task.state === "failed") && <Button onClick={act("resume")}>Go on</Button>}
      {!FINISHED.has(task.state) && (
        <Button kind="danger" onClick={act("cancel")}>
          Stop for good
        </Button>
      )}
    </div>
  );
}

function Findings({ id, state }: { id: string; state: Task["state"] }) {
  const resource = useResource((signal) => findings(id, signal), [id, state]);
  return (
    <Load resource={resource}>
      {(found) => (found.length ? <Table label="Findings" columns={COLUMNS} rows={found} /> : <Empty title="Nothing so far." />)}
    </Load>
  );
}

const COLUMNS: readonly Column<Finding>[] = [
  { name: "kind", title: "What", show: (it) => it.kind, by: (it) => it.kind, width: "7rem" },
  { name: "key", title: "Key", show: (it) => it.key, by: (it) => it.key, width: "minmax(14rem, 2fr)" },
  { name: "reason", title: "Why", show: (it) => <span title={it.reason}>{it.reason}</span>, width: "minmax(14rem, 3fr)" },
];
