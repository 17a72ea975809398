import type { Backend, Health, Summary } from "../../admin.ts";
import { api } from "../../api.ts";
import { Bytes, type Column, Empty, Load, Table } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { formatCount } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { link } from "../../router.ts";
import type { PageProps } from "../index.ts";
import { HealthBadge, StateBadge } from "./badges.tsx";
import { One } from "./one.tsx";

const SECONDS = 10;

export default function Backends({ route }: PageProps) {
  const [id] = route.path;
  return id ? <One key={id} id={id} /> : <All />;
}

interface Row {
  readonly backend: Backend;
  readonly health: Health | undefined;
  readonly copies: number;
  readonly bytes: number;
}

async function load(signal: AbortSignal): Promise<readonly Row[]> {
  const [{ backends }, health, summary] = await Promise.all([
    api.get<{ backends: Backend[] }>("/api/backends", {}, signal),
    api.get<{ backends: Health[] }>("/api/health", {}, signal),
    api.get<Summary>("/api/summary", {}, signal),
  ]);
  return backends.map((backend) => {
    const held = summary.backends.find((it) => it.backend_id === backend.backend_id);
    const seen = health.backends.find((it) => it.backend_id === backend.backend_id);
    return { backend, health: seen, copies: held?.copies ?? 0, bytes: held?.bytes ?? 0 };
  });
}

const COLUMNS: readonly Column<Row>[] = [
  {
    name: "backend",
    title: "Backend",
    by: (it) => it.backend.backend_id,
    show: ({ backend }) => <a href={link("backends", [backend.backend_id])}>{backend.backend_id}</a>,
  },
  {
    name: "state",
    title: "State",
    width: "minmax(9rem, 1fr)",
    by: (it) => it.backend.state,
    show: ({ backend }) => <StateBadge state={backend.state} paused={backend.paused} />,
  },
  { name: "health", title: "Health", width: "minmax(9rem, 1fr)", show: (it) => <HealthBadge health={it.health} /> },
  {
    name: "country",
    title: "Country",
    width: "minmax(10rem, 1.4fr)",
    by: (it) => countryName(it.backend.country),
    show: (it) => countryName(it.backend.country),
  },
  { name: "law", title: "Law", width: "minmax(4rem, 0.7fr)", show: (it) => it.backend.jurisdictions.join(", ") },
  { name: "provider", title: "Provider", by: (it) => it.backend.provider, show: (it) => it.backend.provider },
  { name: "copies", title: "Copies", end: true, by: (it) => it.copies, show: (it) => formatCount(it.copies) },
  { name: "bytes", title: "Bytes", end: true, by: (it) => it.bytes, show: (it) => <Bytes of={it.bytes} /> },
];

function All() {
  const rows = useResource(load, [], SECONDS);
  return (
    <>
      <h1>Backends</h1>
      <Load resource={rows}>
        {(data) =>
          data.length ? (
            <Table label="Backends" rows={data} columns={COLUMNS} sort={{ column: "backend", descending: false }} />
          ) : (
            <Empty title="No backend is registered yet, so nothing can be stored." />
          )
        }
      </Load>
    </>
  );
}
