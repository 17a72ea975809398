import { useState } from "preact/hooks";
import { api } from "../../api.ts";
import { Badge, Checkbox, type Column, Empty, LoadPages, Table, Time } from "../../components/index.ts";
import { usePages } from "../../resource.ts";

interface Finding {
  readonly finding_id: number;
  readonly kind: string;
  readonly done: "repair" | "removed" | "reported";
  readonly detail: string;
  readonly tenant_id: string | null;
  readonly bucket: string | null;
  readonly backend_id: string;
  readonly namespace: string;
  readonly blob_key: string;
  readonly seen_at: string;
  readonly resolved_at: string | null;
}

interface Page {
  readonly findings: readonly Finding[];
  readonly truncated: boolean;
}

const COLUMNS: readonly Column<Finding>[] = [
  { name: "seen", title: "Seen", width: "minmax(10.5rem, 1fr)", by: (it) => it.seen_at, show: (it) => <Time at={it.seen_at} /> },
  { name: "kind", title: "What", by: (it) => it.kind, show: (it) => it.kind },
  { name: "backend", title: "Backend", by: (it) => it.backend_id, show: (it) => it.backend_id },
  {
    name: "where",
    title: "Where",
    width: "minmax(16rem, 3fr)",
    show: (it) => (
      <span
        title={`${it.namespace}/${it.blob_key}`}
      >{`${it.tenant_id ?? "?"}/${it.bucket ?? it.namespace}: ${it.blob_key}`}</span>
    ),
  },
  { name: "detail", title: "In detail", width: "minmax(12rem, 2fr)", show: (it) => <span title={it.detail}>{it.detail}</span> },
  {
    name: "done",
    title: "What was done",
    width: "minmax(8rem, 1fr)",
    by: (it) => it.done,
    show: (it) =>
      it.resolved_at ? <Badge tone="good">over</Badge> : <Badge tone={it.done === "reported" ? "bad" : "warn"}>{it.done}</Badge>,
  },
];

/** What scrubs have found at backends that is not as the record says. */
export function Findings() {
  const [all, setAll] = useState(false);
  const findings = usePages(
    (after: number | undefined, signal) =>
      api.get<Page>("/api/findings", { all: all ? "yes" : undefined, after, limit: 200 }, signal),
    (page) => page.truncated && page.findings.at(-1)?.finding_id,
    [all],
  );
  return (
    <>
      <Checkbox label="Also what is over" checked={all} onChange={setAll} />
      <LoadPages pages={findings}>
        {(pages) => {
          const rows = pages.flatMap((it) => it.findings);
          return rows.length ? (
            <Table label="Findings" rows={rows} columns={COLUMNS} />
          ) : (
            <Empty title="Scrubs have found nothing that is not over." />
          );
        }}
      </LoadPages>
    </>
  );
}
