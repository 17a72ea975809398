import { Badge, type Column, Empty, Load, Table, Time } from "../../components/index.ts";
import { useResource } from "../../resource.ts";
import { link } from "../../router.ts";
import type { PageProps } from "../index.ts";
import { listAdoptions, type Task } from "./adoption.ts";
import { Begin } from "./begin.tsx";
import { Under } from "./progress.tsx";

export default function Adopt({ route }: PageProps) {
  const [task] = route.path;
  if (task === "new") return <Begin key={JSON.stringify(route.query)} given={route.query} />;
  // The explorer leads here with the bucket that somebody looks at.
  if (route.query.bucket) return <Begin key={JSON.stringify(route.query)} given={route.query} />;
  return task === undefined ? <All /> : <Under key={task} id={task} />;
}

function All() {
  const tasks = useResource(listAdoptions, [], 5);
  return (
    <>
      <h1>Bring under management</h1>
      <p class="lead">A bucket that is there already becomes one of Domicile's, where it is, without a copy of its bytes.</p>
      <div class="actions">
        <a class="button primary" href={link("adopt", ["new"])}>
          Adopt a bucket
        </a>
      </div>
      <Load resource={tasks} what="Reading adoptions">
        {(found) =>
          found.length ? (
            <Table label="Adoptions" columns={COLUMNS} rows={found} sort={{ column: "when", descending: true }} />
          ) : (
            <Empty title="No bucket has been adopted yet.">
              <p>Look at one in the explorer first, or name one here.</p>
            </Empty>
          )
        }
      </Load>
    </>
  );
}

const TONES = { waiting: "plain", running: "plain", paused: "warn", done: "good", failed: "bad", cancelled: "warn" } as const;

export function TaskState({ of: it }: { readonly of: Task }) {
  return <Badge tone={TONES[it.state]}>{it.state}</Badge>;
}

const COLUMNS: readonly Column<Task>[] = [
  {
    name: "source",
    title: "Bucket",
    show: (it) => (
      <a href={link("adopt", [it.task_id])}>
        {it.parameters.source} at {it.parameters.backend}
      </a>
    ),
    by: (it) => it.parameters.source,
    width: "minmax(14rem, 2fr)",
  },
  {
    name: "to",
    title: "Becomes",
    show: (it) => `${it.parameters.tenant} / ${it.parameters.bucket}`,
    width: "minmax(10rem, 1fr)",
  },
  { name: "state", title: "State", show: (it) => <TaskState of={it} />, by: (it) => it.state, width: "8rem" },
  { name: "when", title: "Begun", show: (it) => <Time at={it.created_at} />, by: (it) => it.created_at, width: "11rem" },
];
