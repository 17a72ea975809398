import { useState } from "preact/hooks";
import { api } from "../../api.ts";
import {
  Badge,
  Button,
  type Column,
  Copy,
  done,
  Empty,
  failed,
  LoadPages,
  Select,
  Table,
  Time,
  Typed,
} from "../../components/index.ts";
import { formatCount } from "../../format.ts";
import { usePages } from "../../resource.ts";
import { go, link, type Route } from "../../router.ts";
import { seesAll, session } from "../../session.ts";
import type { PageProps } from "../index.ts";

interface Entry {
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly actor: string;
  readonly role: string;
  readonly tenant_id: string | null;
  readonly action: string;
  readonly target: string;
  readonly status: number;
  /** Of what was refused. */
  readonly code: string;
}

interface Page {
  readonly entries: readonly Entry[];
  readonly next: number | null;
}

const COLUMNS: readonly Column<Entry>[] = [
  { name: "seq", title: "No.", width: "3.5rem", end: true, show: (it) => it.seq },
  { name: "at", title: "When", width: "10rem", show: (it) => <Time at={it.at} /> },
  {
    name: "who",
    title: "Who",
    width: "minmax(8rem, 1fr)",
    show: (it) => <span title={it.actor}>{`${it.role}, by ${it.kind}${it.actor && ` ${it.actor}`}`}</span>,
  },
  { name: "action", title: "What", width: "minmax(10rem, 3fr)", show: (it) => <span title={it.action}>{it.action}</span> },
  { name: "target", title: "Of what", width: "minmax(10rem, 3fr)", show: (it) => <span title={it.target}>{it.target}</span> },
  { name: "tenant", title: "Tenant", width: "minmax(4rem, 0.7fr)", show: (it) => it.tenant_id ?? "" },
  {
    name: "outcome",
    title: "Outcome",
    width: "minmax(8rem, 0.8fr)",
    show: (it) => (it.code ? <Badge tone="bad">{it.code}</Badge> : <Badge tone="good">done</Badge>),
  },
];

export default function Audit({ route: { query } }: PageProps) {
  return (
    <>
      <h1>Audit log</h1>
      <p>
        What operators, auditors and tenants' admins have done or were refused. Entries are only added, and each holds the hash of
        the one before.
      </p>
      {seesAll() && <Verify />}
      <Filters query={query} />
      <Entries query={query} />
    </>
  );
}

interface Verdict {
  readonly entries: number;
  readonly last: number;
  readonly hash: string;
  readonly broken_at?: number | null;
  readonly why?: string | null;
}

function Verify() {
  const [verdict, setVerdict] = useState<Verdict>();
  const verify = async () => {
    const found = await api.get<Verdict>("/api/audit/verify");
    setVerdict(found);
    if (found.broken_at == null) done(`All ${formatCount(found.entries)} entries hang together.`);
    else failed(`Entry ${found.broken_at} does not follow from the one before: ${found.why}`);
  };
  return (
    <>
      <div class="actions">
        <Button onClick={verify}>Verify the log</Button>
      </div>
      {verdict && verdict.broken_at == null && (
        <p>
          Keep this hash of entry {verdict.last} elsewhere, and whatever is rewritten before it will show:{" "}
          <Copy text={verdict.hash} />
        </p>
      )}
      {verdict && verdict.broken_at != null && (
        <p role="alert">
          <Badge tone="bad">Broken at entry {verdict.broken_at}</Badge> {verdict.why}
        </p>
      )}
    </>
  );
}

function Filters({ query }: { readonly query: Route["query"] }) {
  const choose = (name: string) => (value: string) =>
    go(link("audit", [], { ...query, [name]: value.trim() }), { replace: true });
  return (
    <search class="filters">
      <Select label="Outcome" value={query.refused ?? ""} onChange={(event) => choose("refused")(event.currentTarget.value)}>
        <option value="">any</option>
        <option value="true">refused</option>
        <option value="false">done</option>
      </Select>
      <Typed label="About" value={query.about ?? ""} onCommit={choose("about")} />
      <Typed label="Actor" value={query.actor ?? ""} onCommit={choose("actor")} />
      {seesAll() && <Typed label="Tenant" value={query.tenant ?? ""} onCommit={choose("tenant")} />}
    </search>
  );
}

function Entries({ query: { refused, about, actor, tenant } }: { readonly query: Route["query"] }) {
  const asked = { refused, about, actor, tenant: seesAll() ? tenant : (session.value?.tenant_id ?? undefined) };
  const entries = usePages(
    (after: number | undefined, signal) => api.get<Page>("/api/audit", { ...asked, after, limit: 200 }, signal),
    (page) => page.next,
    [JSON.stringify(asked)],
  );
  return (
    <LoadPages pages={entries} more="Older entries">
      {(pages) => {
        const rows = pages.flatMap((it) => it.entries);
        return rows.length ? <Table label="Audit log" rows={rows} columns={COLUMNS} /> : <Empty title="No entry is like this." />;
      }}
    </LoadPages>
  );
}
