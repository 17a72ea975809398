import { useState } from "preact/hooks";
import { type Backend, type BackendState, type Health, type Lag, type Preview, preview, type Task } from "../../admin.ts";
import { api, at } from "../../api.ts";
import { Badge, Button, Bytes, Dialog, done, Field, Form, Load, Select, Time } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { formatBytes, formatCopies, formatCount, formatDuration, formatThings } from "../../format.ts";
import { type Resource, useResource } from "../../resource.ts";
import { link } from "../../router.ts";
import { isOperator } from "../../session.ts";
import { HealthBadge, StateBadge } from "./badges.tsx";
import { PreviewView } from "./preview.tsx";

const SECONDS = 5;
const MEANINGS: Readonly<Record<BackendState, string>> = {
  active: "is used for everything",
  readonly: "gets nothing new",
  draining: "gets nothing new, and all that is there moves away",
  disabled: "is not spoken to, for a while",
  lost: "is gone for good: what it held is made anew from other copies",
};

export function One({ id }: { readonly id: string }) {
  const backend = useResource((signal) => api.get<Backend>(at`/api/backends/${id}`, {}, signal), [id], SECONDS);
  return (
    <>
      <p>
        <a href={link("backends")}>Backends</a>
      </p>
      <h1>{id}</h1>
      <Load resource={backend}>
        {(data) => (
          <>
            <Facts backend={data} />
            <Now id={id} />
            {isOperator() && <Steering backend={data} change={(fields) => change(backend, fields)} />}
          </>
        )}
      </Load>
    </>
  );
}

async function change(backend: Resource<Backend>, fields: object): Promise<void> {
  const changed = await api.patch<Backend>(at`/api/backends/${backend.data?.backend_id ?? ""}`, fields);
  backend.reload();
  done(`${changed.backend_id} is ${changed.state}${changed.paused ? " and paused" : ""}.`);
}

function Facts({ backend }: { readonly backend: Backend }) {
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        <StateBadge state={backend.state} paused={backend.paused} /> {MEANINGS[backend.state]}
      </dd>
      <dt>Place</dt>
      <dd>
        {countryName(backend.country)}, under the law of {backend.jurisdictions.map(countryName).join(", ")}
      </dd>
      <dt>Provider</dt>
      <dd>{backend.provider}</dd>
      <dt>Endpoint</dt>
      <dd>
        <code>{backend.endpoint}</code> ({backend.region}, {backend.addressing} style, {backend.quirks})
      </dd>
      <dt>Access key</dt>
      <dd>
        <code>{backend.access_key}</code>
      </dd>
      <dt>Cost</dt>
      <dd>{backend.cost}: what is cheaper is read first, and chosen first among equals</dd>
      <dt>Limits</dt>
      <dd>{limitsOf(backend)}</dd>
      <dt>Found by probes</dt>
      <dd>
        <Capabilities of={backend.capabilities} />
      </dd>
    </dl>
  );
}

function Capabilities({ of: found }: { readonly of: Backend["capabilities"] }) {
  const names = Object.keys(found).sort();
  if (!names.length) return <>nothing yet</>;
  return (
    <>
      {names.map((it) => (
        <span key={it}>
          <Badge tone={found[it] ? "good" : "plain"}>{`${found[it] ? "" : "no "}${it.replaceAll("_", " ")}`}</Badge>{" "}
        </span>
      ))}
    </>
  );
}

function limitsOf(backend: Backend): string {
  const limits = [
    backend.job_limit !== null && `${formatThings(backend.job_limit, "job")} at a time`,
    backend.bytes_per_second !== null && `${formatBytes(backend.bytes_per_second)} a second`,
    backend.requests_per_second !== null && `${backend.requests_per_second} requests a second`,
  ].filter(Boolean);
  return limits.length ? limits.join(", ") : "none";
}

function Now({ id }: { readonly id: string }) {
  const now = useResource(
    async (signal) => {
      const [{ backends }, lag] = await Promise.all([
        api.get<{ backends: Health[] }>("/api/health", {}, signal),
        api.get<Lag>("/api/lag", { limit: 1 }, signal),
      ]);
      return {
        health: backends.find((it) => it.backend_id === id),
        owed: lag.backends.find((it) => it.owed.backend_id === id)?.owed,
      };
    },
    [id],
    SECONDS,
  );
  return (
    <Load resource={now}>
      {({ health, owed }) => (
        <>
          <h2>Now</h2>
          <dl class="facts">
            <dt>As the proxies see it</dt>
            <dd>
              <HealthBadge health={health} />
            </dd>
            <dt>Owed</dt>
            <dd>
              {owed && (
                <a href={link("owed", [], { backend: id })}>
                  {formatCopies(owed.copies)} (<Bytes of={owed.bytes} />
                  ), {formatCount(owed.removals)} removals
                </a>
              )}
              {owed && owed.copies > 0 && `, the oldest for ${formatDuration(owed.oldest_seconds)}`}
            </dd>
            <dt>Parked</dt>
            <dd>
              <a href={link("owed", [], { backend: id, state: "parked" })}>{formatCount(owed?.parked ?? 0)}</a>
            </dd>
            {health?.last_failure && (
              <>
                <dt>Last failure</dt>
                <dd>
                  <Time at={health.last_failure.at} ago />: {health.last_failure.error_class}, {health.last_failure.reason}
                </dd>
              </>
            )}
          </dl>
        </>
      )}
    </Load>
  );
}

async function probe(backend_id: string): Promise<void> {
  await api.post<Task>("/api/tasks", { kind: "probe", parameters: { backend_id } });
  done(`A probe of ${backend_id} begins as soon as a replicator takes it.`);
}

interface SteeringProps {
  readonly backend: Backend;
  readonly change: (fields: object) => Promise<void>;
}

function Steering({ backend, change }: SteeringProps) {
  const [open, setOpen] = useState<"state" | "limits">();
  const close = () => setOpen(undefined);
  return (
    <>
      <h2>Change it</h2>
      <div class="actions">
        <Button onClick={() => change({ paused: !backend.paused })}>
          {backend.paused ? "Resume replication" : "Pause replication"}
        </Button>
        <Button onClick={() => probe(backend.backend_id)}>Probe it</Button>
        <Button onClick={() => setOpen("limits")}>Set limits…</Button>
        <Button onClick={() => setOpen("state")}>Change state…</Button>
      </div>
      {open === "limits" && <Limits backend={backend} change={change} onClose={close} />}
      {open === "state" && <NewState backend={backend} change={change} onClose={close} />}
    </>
  );
}

function Limits({ backend, change, onClose }: SteeringProps & { readonly onClose: () => void }) {
  const submit = async (values: Readonly<Record<string, string>>) => {
    const number = (name: string) => (values[name] ? Number(values[name]) : null);
    await change({
      job_limit: number("job_limit"),
      bytes_per_second: number("bytes_per_second"),
      requests_per_second: number("requests_per_second"),
    });
    onClose();
  };
  return (
    <Dialog title={`Limits of ${backend.backend_id}`} onClose={onClose}>
      <p>What all replicators together may do there. Empty: no limit.</p>
      <Form action="Set limits" onSubmit={submit}>
        <Field label="Jobs at a time" name="job_limit" type="number" min={1} max={10000} defaultValue={backend.job_limit ?? ""} />
        <Field
          label="Bytes a second"
          name="bytes_per_second"
          type="number"
          min={65536}
          defaultValue={backend.bytes_per_second ?? ""}
          hint="Sent and read"
        />
        <Field
          label="Requests a second"
          name="requests_per_second"
          type="number"
          min={0.1}
          step="any"
          defaultValue={backend.requests_per_second ?? ""}
        />
      </Form>
    </Dialog>
  );
}

/** Shows what would move before anything does. */
function NewState({ backend, change, onClose }: SteeringProps & { readonly onClose: () => void }) {
  const [state, setState] = useState<BackendState>(backend.state);
  const [seen, setSeen] = useState<Preview>();
  const isBreaking = Boolean(seen?.unsatisfiable.length);
  const choose = (chosen: BackendState) => {
    setState(chosen);
    setSeen(undefined);
  };
  const look = async () => setSeen(await preview({ backend: backend.backend_id, state }));
  const apply = async () => {
    await change({ state, force: isBreaking });
    onClose();
  };
  return (
    <Dialog title={`State of ${backend.backend_id}`} onClose={onClose}>
      <Select label="State" value={state} onChange={(event) => choose(event.currentTarget.value as BackendState)}>
        {Object.keys(MEANINGS).map((it) => (
          <option key={it} value={it}>
            {it}
          </option>
        ))}
      </Select>
      <p>
        {backend.backend_id} {MEANINGS[state]}.
      </p>
      {seen && <PreviewView preview={seen} />}
      <div class="actions">
        <Button onClick={look} disabled={state === backend.state}>
          Show what would move
        </Button>
        <Button kind={state === "lost" || isBreaking ? "danger" : "primary"} onClick={apply} disabled={!seen}>
          Make it {state}
          {isBreaking && " all the same"}
        </Button>
      </div>
    </Dialog>
  );
}
