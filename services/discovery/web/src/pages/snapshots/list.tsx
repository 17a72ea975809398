import { Badge, Bytes, type Column, Empty, Form, Load, Select, Table, Time } from "../../components/index.ts";
import { formatCount } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { seesAll } from "../../session.ts";
import { listSnapshots, type Snapshot } from "./snapshots.ts";

export function All() {
  const resource = useResource(listSnapshots);
  return (
    <>
      <h1>Snapshots</h1>
      <p class="lead">What was kept of S3 accounts: names, sizes and settings, never keys of the account.</p>
      <Load resource={resource} what="Reading snapshots">
        {({ snapshots, truncated }) =>
          snapshots.length ? (
            <>
              {truncated && <p>These are the newest {snapshots.length}.</p>}
              <Table label="Snapshots" columns={columns()} rows={snapshots} sort={{ column: "created", descending: true }} />
              <h2>Compare two</h2>
              <Pair snapshots={snapshots} />
            </>
          ) : (
            <Empty title="There is no snapshot yet.">
              <p>Look at an account in the explorer, and save what you see there.</p>
              <a class="button primary" href={link("explore")}>
                To the explorer
              </a>
            </Empty>
          )
        }
      </Load>
    </>
  );
}

function columns(): readonly Column<Snapshot>[] {
  const owner: Column<Snapshot> = {
    name: "owner",
    title: "Whose",
    show: (it) => it.tenant_id ?? "operators",
    by: (it) => it.tenant_id ?? "",
  };
  return [
    {
      name: "title",
      title: "Title",
      show: (it) => <a href={link("snapshots", [it.snapshot_id])}>{titleOf(it)}</a>,
      by: titleOf,
      width: "minmax(12rem, 2fr)",
    },
    ...(seesAll() ? [owner] : []),
    { name: "endpoint", title: "Of", show: (it) => it.endpoint, by: (it) => it.endpoint, width: "minmax(12rem, 1.5fr)" },
    { name: "created", title: "When", show: (it) => <Time at={it.created_at} />, by: (it) => it.created_at, width: "11rem" },
    {
      name: "objects",
      title: "Objects",
      show: (it) => formatCount(it.objects),
      by: (it) => it.objects,
      width: "7rem",
      end: true,
    },
    { name: "bytes", title: "Size", show: (it) => <Bytes of={it.bytes} />, by: (it) => it.bytes, width: "7rem", end: true },
    { name: "state", title: "State", show: (it) => <State of={it} />, width: "11rem" },
  ];
}

export function titleOf(it: Snapshot): string {
  return it.title || it.endpoint.replace(/^https?:\/\//, "");
}

export function State({ of: it }: { readonly of: Snapshot }) {
  if (it.finished_at === null) return <Badge tone="warn">not finished</Badge>;
  return it.truncated ? <Badge tone="warn">truncated</Badge> : <Badge tone="good">whole</Badge>;
}

function Pair({ snapshots }: { snapshots: readonly Snapshot[] }) {
  const [newest, earlier] = snapshots;
  const options = (chosen: Snapshot | undefined) =>
    snapshots.map((it) => (
      <option key={it.snapshot_id} value={it.snapshot_id} selected={it === chosen}>
        {titleOf(it)}, {it.created_at.slice(0, 16).replace("T", " ")}
      </option>
    ));
  return (
    <Form
      action="Compare"
      onSubmit={({ before = "", after = "" }) => {
        if (before === after) throw new Error("These are one and the same.");
        go(link("snapshots", ["diff"], { before, after }));
      }}
    >
      <Select label="Before" name="before">
        {options(earlier)}
      </Select>
      <Select label="After" name="after">
        {options(newest)}
      </Select>
    </Form>
  );
}
