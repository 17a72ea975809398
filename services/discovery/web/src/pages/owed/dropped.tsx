import type { Drops } from "../../admin.ts";
import { api } from "../../api.ts";
import { type Column, Empty, LoadPages, Table, Time } from "../../components/index.ts";
import { usePages } from "../../resource.ts";

type Row = Drops["drops"][number];

const COLUMNS: readonly Column<Row>[] = [
  { name: "at", title: "Given up", width: "minmax(10rem, 1fr)", show: (it) => <Time at={it.dropped_at} /> },
  { name: "action", title: "What", show: (it) => it.action },
  {
    name: "object",
    title: "Object",
    width: "minmax(14rem, 2fr)",
    show: (it) => `${it.tenant_id}/${it.bucket}/${it.key}`,
  },
  { name: "backend", title: "Backend", show: (it) => it.backend_id },
  { name: "reason", title: "Why", width: "minmax(12rem, 2fr)", show: (it) => <span title={it.reason}>{it.reason}</span> },
  {
    name: "parked",
    title: "Had been parked because",
    width: "minmax(14rem, 2fr)",
    show: (it) => <span title={it.parked_reason}>{it.parked_reason}</span>,
  },
];

export function Dropped() {
  const drops = usePages(
    (after: number | undefined, signal) => api.get<Drops>("/api/jobs/drops", { after, limit: 200 }, signal),
    (page) => page.next,
  );
  return (
    <LoadPages pages={drops}>
      {(pages) => {
        const rows = pages.flatMap((it) => it.drops);
        return rows.length ? (
          <Table label="Given up" rows={rows} columns={COLUMNS} />
        ) : (
          <Empty title="Nobody has given anything up." />
        );
      }}
    </LoadPages>
  );
}
