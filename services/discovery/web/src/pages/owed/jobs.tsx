import { useState } from "preact/hooks";
import type { Job, Jobs } from "../../admin.ts";
import { api } from "../../api.ts";
import {
  Badge,
  Button,
  type Column,
  Dialog,
  done,
  Empty,
  LoadPages,
  Select,
  Table,
  Time,
  Typed,
} from "../../components/index.ts";
import { formatCount } from "../../format.ts";
import { usePages } from "../../resource.ts";
import { go, link, type Route } from "../../router.ts";
import { isOperator } from "../../session.ts";
import { Drop } from "./drop.tsx";
import { JobView } from "./job.tsx";

const SECONDS = 5;
const STATES = { owed: "owed", parked: "parked", all: "owed or parked" } as const;
const ACTIONS = { "": "any", copy: "copies", remove: "removals", stamp: "stamps" } as const;

export function JobList({ query }: { readonly query: Route["query"] }) {
  const state = query.state ?? "owed";
  const filters = filtersOf(query);
  const jobs = usePages(
    (after: string | undefined, signal) => api.get<Jobs>("/api/jobs", { ...filters, state, after, limit: 200 }, signal),
    (page) => page.next,
    [JSON.stringify([state, filters])],
    SECONDS,
  );
  return (
    <>
      <Filters query={query} />
      <LoadPages pages={jobs} more="More jobs">
        {(pages) => {
          const rows = pages.flatMap((it) => it.jobs);
          return (
            <>
              <Backlogs backlogs={pages[0]?.backlogs ?? []} />
              {state === "parked" && isOperator() && rows.length > 0 && <ForAll filters={filters} onDone={jobs.reload} />}
              <Found jobs={rows} parked={state === "parked"} onDone={jobs.reload} />
            </>
          );
        }}
      </LoadPages>
    </>
  );
}

/** Which jobs, as the API names them. */
function filtersOf({ backend, tenant, bucket, action, error_class }: Route["query"]): Readonly<Record<string, string>> {
  const given = { backend, tenant, bucket, action, error_class };
  return Object.fromEntries(Object.entries(given).filter((entry): entry is [string, string] => !!entry[1]));
}

function Filters({ query }: { readonly query: Route["query"] }) {
  const choose = (name: string) => (value: string) =>
    go(link("owed", ["jobs"], { ...query, [name]: value.trim() }), { replace: true });
  return (
    <search class="filters">
      <Select
        label="Jobs that are"
        value={query.state ?? "owed"}
        onChange={(event) => choose("state")(event.currentTarget.value)}
      >
        {Object.entries(STATES).map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </Select>
      <Select label="What to do" value={query.action ?? ""} onChange={(event) => choose("action")(event.currentTarget.value)}>
        {Object.entries(ACTIONS).map(([value, title]) => (
          <option key={value} value={value}>
            {title}
          </option>
        ))}
      </Select>
      {(["backend", "tenant", "bucket", "error_class"] as const).map((name) => (
        <Typed
          key={name}
          label={name === "error_class" ? "Failed with" : name[0]?.toUpperCase() + name.slice(1)}
          value={query[name] ?? ""}
          onCommit={choose(name)}
        />
      ))}
    </search>
  );
}

function Backlogs({ backlogs }: Pick<Jobs, "backlogs">) {
  if (!backlogs.length) return null;
  return (
    <p>
      {backlogs.map((it) => (
        <span key={it.backend_id}>
          {it.backend_id}: {formatCount(it.owed)} owed,{" "}
          {it.parked > 0 ? <Badge tone="bad">{formatCount(it.parked)} parked</Badge> : "none parked"}.{" "}
        </span>
      ))}
    </p>
  );
}

/** Where it is that the API wants `backend_id`, in bodies. */
export function bodyOf({ backend, ...rest }: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return backend === undefined ? rest : { ...rest, backend_id: backend };
}

export async function replay(which: object): Promise<void> {
  const { replayed } = await api.post<{ replayed: number }>("/api/jobs/replay", which);
  done(replayed === 1 ? "One job is tried again." : `${formatCount(replayed)} jobs are tried again.`);
}

function ForAll({ filters, onDone }: { readonly filters: Readonly<Record<string, string>>; readonly onDone: () => void }) {
  const [dropping, setDropping] = useState(false);
  return (
    <div class="actions">
      <Button
        kind="primary"
        onClick={async () => {
          await replay(bodyOf(filters));
          onDone();
        }}
      >
        Try all of these again
      </Button>
      <Button kind="danger" onClick={() => setDropping(true)}>
        Give all of these up…
      </Button>
      {dropping && (
        <Drop
          which={bodyOf(filters)}
          what="all parked jobs that these filters find"
          onClose={() => setDropping(false)}
          onDone={onDone}
        />
      )}
    </div>
  );
}

interface FoundProps {
  readonly jobs: readonly Job[];
  readonly parked: boolean;
  readonly onDone: () => void;
}

function Found({ jobs, parked, onDone }: FoundProps) {
  const [chosen, setChosen] = useState<Job>();
  const close = () => setChosen(undefined);
  return (
    <>
      {jobs.length ? (
        <Table label="Jobs" rows={jobs} columns={columnsOf(setChosen)} />
      ) : (
        <Empty
          title={parked ? "Nothing is parked: no work was given up." : "Nothing is owed: every copy is where it should be."}
        />
      )}
      {chosen && (
        <Dialog title={`${chosen.action} at ${chosen.backend_id}`} onClose={close}>
          <JobView
            job={chosen}
            onDone={() => {
              close();
              onDone();
            }}
          />
        </Dialog>
      )}
    </>
  );
}

function columnsOf(choose: (job: Job) => void): readonly Column<Job>[] {
  return [
    {
      name: "object",
      title: "Object",
      width: "minmax(14rem, 3fr)",
      by: (it) => `${it.tenant_id}/${it.bucket}/${it.key}`,
      show: (it) => (
        <button type="button" class="sort" onClick={() => choose(it)} title={it.key}>
          {it.tenant_id}/{it.bucket}/{it.key || "(key not known any more)"}
        </button>
      ),
    },
    { name: "action", title: "To do", by: (it) => it.action, show: (it) => it.action },
    { name: "backend", title: "Backend", by: (it) => it.backend_id, show: (it) => it.backend_id },
    { name: "since", title: "Since", by: (it) => it.since, show: (it) => <Time at={it.since} ago /> },
    { name: "attempt", title: "Failures", end: true, by: (it) => it.attempt, show: (it) => it.attempt },
    { name: "error", title: "Failed with", by: (it) => it.error_class ?? "", show: (it) => it.error_class ?? "" },
    {
      name: "next",
      title: "Next",
      by: (it) => it.next_attempt_at ?? "",
      show: (it) =>
        it.parked_reason !== null ? (
          <Badge tone="bad">parked</Badge>
        ) : it.next_attempt_at ? (
          <Time at={it.next_attempt_at} ago />
        ) : (
          "now"
        ),
    },
  ];
}
