import { useState } from "preact/hooks";
import type { Backend, Task } from "../../admin.ts";
import { api, at } from "../../api.ts";
import { Badge, Button, Dialog, done, Empty, Form, Load, Progress, Select, Time, type Tone } from "../../components/index.ts";
import { formatBytes, formatCount } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { isOperator } from "../../session.ts";

const SECONDS = 3;
const TONES: Readonly<Record<Task["state"], Tone>> = {
  waiting: "plain",
  running: "good",
  paused: "warn",
  done: "good",
  failed: "bad",
  cancelled: "plain",
};
const WISHES: Readonly<Record<Task["state"], readonly ("pause" | "resume" | "cancel")[]>> = {
  waiting: ["pause", "cancel"],
  running: ["pause", "cancel"],
  paused: ["resume", "cancel"],
  failed: ["resume", "cancel"],
  done: [],
  cancelled: [],
};

export function TaskList() {
  const tasks = useResource(
    (signal) => api.get<{ tasks: Task[]; truncated: boolean }>("/api/tasks", { limit: 100 }, signal),
    [],
    SECONDS,
  );
  const [beginning, setBeginning] = useState(false);
  const wish = async (task: Task, action: string) => {
    const changed = await api.patch<Task>(at`/api/tasks/${task.task_id}`, { action });
    tasks.reload();
    done(`The ${changed.kind} is ${changed.state}.`);
  };
  return (
    <>
      {isOperator() && (
        <div class="actions">
          <Button kind="primary" onClick={() => setBeginning(true)}>
            New scrub…
          </Button>
        </div>
      )}
      <Load resource={tasks}>
        {(data) =>
          data.tasks.length ? (
            <ul class="cards">
              {data.tasks.map((it) => (
                <li key={it.task_id}>
                  <TaskCard task={it} wish={wish} />
                </li>
              ))}
            </ul>
          ) : (
            <Empty title="No long task was begun yet. Scrubs begin by themselves when they are due." />
          )
        }
      </Load>
      {beginning && (
        <NewScrub
          onClose={() => setBeginning(false)}
          onBegun={() => {
            setBeginning(false);
            tasks.reload();
          }}
        />
      )}
    </>
  );
}

interface CardProps {
  readonly task: Task;
  readonly wish: (task: Task, action: string) => Promise<void>;
}

function TaskCard({ task, wish }: CardProps) {
  const [findings, setFindings] = useState(false);
  const [ending, setEnding] = useState(false);
  return (
    <article aria-label={`${task.kind} ${task.task_id}`}>
      <strong>{task.kind}</strong> <Badge tone={TONES[task.state]}>{task.state}</Badge>
      <p class="quiet-text">
        Begun <Time at={task.created_at} ago />
        {task.finished_at && (
          <>
            ; ended <Time at={task.finished_at} ago />
          </>
        )}
      </p>
      {task.state === "running" && <Progress label={`${task.kind} is under way`} />}
      <dl class="facts">
        {[
          ...Object.entries(task.parameters).filter(([, value]) => value !== null && typeof value !== "object"),
          ...Object.entries(task.progress),
        ].map(([name, value]) => (
          <Fact key={name} name={name} value={value} />
        ))}
      </dl>
      {task.error && <p class="hint error">{task.error}</p>}
      <div class="actions">
        {(isOperator() ? WISHES[task.state] : []).map((it) => (
          <Button
            key={it}
            kind={it === "cancel" ? "danger" : "quiet"}
            onClick={() => (it === "cancel" ? setEnding(true) : wish(task, it))}
          >
            {it[0]?.toUpperCase() + it.slice(1)}
          </Button>
        ))}
        <Button kind="quiet" onClick={() => setFindings(true)}>
          Findings…
        </Button>
      </div>
      {ending && (
        <Dialog title={`Cancel the ${task.kind}`} onClose={() => setEnding(false)}>
          <p>It ends for good. What it has done stays done.</p>
          <Button
            kind="danger"
            onClick={async () => {
              await wish(task, "cancel");
              setEnding(false);
            }}
          >
            End it for good
          </Button>
        </Dialog>
      )}
      {findings && <Findings task={task} onClose={() => setFindings(false)} />}
    </article>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: unknown }) {
  const text = typeof value !== "number" ? String(value) : name.includes("bytes") ? formatBytes(value) : formatCount(value);
  return (
    <>
      <dt>{name.replaceAll("_", " ")}</dt>
      <dd>{text}</dd>
    </>
  );
}

interface Found {
  readonly findings: readonly { readonly key: string; readonly kind: string; readonly reason: string }[];
  readonly truncated: boolean;
}

function Findings({ task, onClose }: { readonly task: Task; readonly onClose: () => void }) {
  const found = useResource((signal) => api.get<Found>(at`/api/tasks/${task.task_id}/findings`, {}, signal), [task.task_id]);
  return (
    <Dialog title={`What the ${task.kind} says of objects`} onClose={onClose}>
      <Load resource={found}>
        {(data) =>
          data.findings.length ? (
            <>
              <ul>
                {data.findings.map((it) => (
                  <li key={it.key}>
                    <code>{it.key}</code>: {it.kind} {it.reason}
                  </li>
                ))}
              </ul>
              {data.truncated && <p>There are more; the command line lists them all.</p>}
            </>
          ) : (
            <Empty title="Nothing." />
          )
        }
      </Load>
    </Dialog>
  );
}

function NewScrub({ onClose, onBegun }: { readonly onClose: () => void; readonly onBegun: () => void }) {
  const backends = useResource((signal) => api.get<{ backends: Backend[] }>("/api/backends", {}, signal));
  const submit = async ({ backend_id = "", depth = "" }: Readonly<Record<string, string>>) => {
    await api.post<Task>("/api/tasks", { kind: "scrub", parameters: { backend_id, depth } });
    done(`A ${depth} scrub of ${backend_id} begins as soon as a replicator takes it.`);
    onBegun();
  };
  return (
    <Dialog title="New scrub" onClose={onClose}>
      <p>Compares what is at a backend with the record, and repairs what differs.</p>
      <Load resource={backends}>
        {(data) => (
          <Form action="Begin the scrub" onSubmit={submit}>
            <Select label="Backend" name="backend_id">
              {data.backends.map((it) => (
                <option key={it.backend_id} value={it.backend_id}>
                  {it.backend_id}
                </option>
              ))}
            </Select>
            <Select label="Depth" name="depth">
              <option value="light">light: what is listed is compared</option>
              <option value="deep">deep: every byte is read, for which a provider may charge</option>
            </Select>
          </Form>
        )}
      </Load>
    </Dialog>
  );
}
