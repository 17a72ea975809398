import { useState } from "preact/hooks";
import {
  Badge,
  Button,
  Bytes,
  type Column,
  Copy,
  Dialog,
  done,
  Empty,
  Failed,
  Field,
  Load,
  Progress,
  type Sort,
  Table,
  Time,
  WindowedTable,
} from "../../components/index.ts";
import { formatCount, formatThings } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { session } from "../../session.ts";
import type { Selection } from "./lines.ts";
import { State, titleOf } from "./list.tsx";
import { useLines } from "./reading.ts";
import {
  type BucketLine,
  deleteSnapshot,
  type Holding,
  KEYS,
  type ObjectLine,
  type Shown,
  type Snapshot,
  showSnapshot,
} from "./snapshots.ts";

export function One({ id }: { readonly id: string }) {
  const resource = useResource((signal) => showSnapshot(id, signal), [id]);
  return (
    <>
      <p>
        <a href={link("snapshots")}>Snapshots</a>
      </p>
      <Load resource={resource} what="Reading the snapshot">
        {(shown) => <Whole shown={shown} />}
      </Load>
    </>
  );
}

function Whole({ shown }: { shown: Shown }) {
  const it = shown.snapshot;
  return (
    <>
      <h1>{titleOf(it)}</h1>
      {it.truncated && (
        <p class="notice" role="note">
          <Badge tone="warn">truncated</Badge> There was more than this: the caps of the installation were reached, or somebody
          stopped.
        </p>
      )}
      <dl class="facts">
        <dt>Of</dt>
        <dd>{it.endpoint}</dd>
        <dt>Made</dt>
        <dd>
          <Time at={it.created_at} /> by {it.tenant_id ?? "an operator"} <State of={it} />
        </dd>
        <dt>Keys of objects</dt>
        <dd>{KEYS[it.keys]}</dd>
        <dt>Holds</dt>
        <dd>
          {formatThings(it.objects, "object")}, <Bytes of={it.bytes} />; takes <Bytes of={it.stored} /> itself
        </dd>
      </dl>
      <Actions snapshot={it} />
      <h2>By bucket and storage class</h2>
      {shown.totals.length ? (
        <Table label="Totals" columns={TOTALS} rows={shown.totals} sort={{ column: "bytes", descending: true }} />
      ) : (
        <Empty title="There is no object in it." />
      )}
      <Content shown={shown} />
      <h2>The same from a shell</h2>
      <Copy text={`domicile snapshots show ${it.snapshot_id}`} />
    </>
  );
}

const TOTALS: readonly Column<Holding>[] = [
  { name: "bucket", title: "Bucket", show: (it) => it.bucket, by: (it) => it.bucket, width: "minmax(10rem, 2fr)" },
  { name: "class", title: "Storage class", show: (it) => it.storage_class, by: (it) => it.storage_class },
  { name: "objects", title: "Objects", show: (it) => formatCount(it.objects), by: (it) => it.objects, end: true },
  { name: "bytes", title: "Size", show: (it) => <Bytes of={it.bytes} />, by: (it) => it.bytes, end: true },
];

function Actions({ snapshot: it }: { snapshot: Snapshot }) {
  const [asking, setAsking] = useState(false);
  async function remove() {
    await deleteSnapshot(it.snapshot_id);
    done(`${titleOf(it)} is deleted.`);
    go(link("snapshots"));
  }
  return (
    <div class="actions">
      <a class="button primary" href={link("snapshots", [it.snapshot_id, "plan"])}>
        Hold it against a policy
      </a>
      <a class="button" href={`/api/snapshots/${it.snapshot_id}/export`} download={`snapshot-${it.snapshot_id}.ndjson.gz`}>
        Export
      </a>
      {session.value?.access !== "read" && (
        <Button kind="danger" onClick={() => setAsking(true)}>
          Delete
        </Button>
      )}
      {asking && (
        <Dialog title="Delete this snapshot?" onClose={() => setAsking(false)}>
          <p>“{titleOf(it)}” goes for good. The account that it is of is not touched.</p>
          <Button kind="danger" onClick={remove}>
            Delete it
          </Button>
        </Dialog>
      )}
    </div>
  );
}

/** The lines themselves, piece by piece, so that a million of them come without holding the tab up. */
function Content({ shown }: { shown: Shown }) {
  const [filter, setFilter] = useState("");
  const [bucket, setBucket] = useState("");
  const [sort, setSort] = useState<Sort>();
  const { buckets, read, error, count, row, onWindow } = useLines(shown, {
    filter,
    bucket,
    sort: (sort?.column ?? "") as Selection["sort"],
    descending: sort?.descending ?? false,
  });
  if (error) return <Failed error={error} />;
  return (
    <>
      {read < shown.numbers.length && <Progress label="Reading its lines" value={read} of={shown.numbers.length} />}
      <h2>Buckets</h2>
      {buckets.length ? (
        <Table label="Buckets" columns={BUCKETS} rows={buckets} sort={{ column: "bucket", descending: false }} />
      ) : (
        <Empty title="Nothing was kept of buckets' settings." />
      )}
      <h2>Objects</h2>
      {shown.snapshot.objects > 0 && (
        <>
          <div class="filters">
            <Field label="Key contains" type="search" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
            <Field
              label="In bucket"
              list="snapshot-buckets"
              value={bucket}
              onInput={(event) => setBucket(event.currentTarget.value)}
            />
            <datalist id="snapshot-buckets">
              {[...new Set(shown.totals.map((it) => it.bucket))].map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
            <span class="quiet-text">{formatCount(count)} shown</span>
          </div>
          <WindowedTable
            label="Objects"
            columns={OBJECTS}
            count={count}
            row={row}
            onWindow={onWindow}
            sort={sort}
            onSort={setSort}
          />
        </>
      )}
    </>
  );
}

const say = (value: boolean | null | undefined, yes: string, no: string) => (value == null ? "not known" : value ? yes : no);

const BUCKETS: readonly Column<BucketLine>[] = [
  { name: "bucket", title: "Bucket", show: (it) => it.bucket, by: (it) => it.bucket, width: "minmax(10rem, 2fr)" },
  { name: "region", title: "Region", show: (it) => it.region ?? "not known", by: (it) => it.region ?? "" },
  { name: "versioning", title: "Versioning", show: (it) => it.versioning ?? "not known", by: (it) => it.versioning ?? "" },
  { name: "lock", title: "Object lock", show: (it) => say(it.object_lock, "on", "off") },
  { name: "encryption", title: "Encryption", show: (it) => it.encryption ?? "not known" },
  {
    name: "public",
    title: "Public",
    show: (it) => (it.is_public ? <Badge tone="bad">public</Badge> : say(it.is_public, "", "no")),
    by: (it) => Number(it.is_public ?? -1),
  },
  {
    name: "state",
    title: "Listed",
    show: (it) => (it.error ? <Badge tone="bad">{it.error}</Badge> : it.truncated ? <Badge tone="warn">in part</Badge> : "whole"),
    by: (it) => it.error ?? "",
  },
];

const OBJECTS: readonly Column<ObjectLine>[] = [
  { name: "bucket", title: "Bucket", show: (it) => it.bucket, by: (it) => it.bucket, width: "minmax(8rem, 1fr)" },
  {
    name: "key",
    title: "Key",
    show: (it) => <span title={it.key ?? ""}>{it.key ?? "–"}</span>,
    by: (it) => it.key ?? "",
    width: "minmax(14rem, 3fr)",
  },
  { name: "size", title: "Size", show: (it) => <Bytes of={it.size ?? 0} />, by: (it) => it.size ?? 0, width: "6rem", end: true },
  {
    name: "modified",
    title: "Modified",
    show: (it) => (it.last_modified ? <Time at={it.last_modified} /> : "–"),
    by: (it) => it.last_modified ?? "",
    width: "11rem",
  },
  {
    name: "class",
    title: "Class",
    show: (it) => it.storage_class ?? "STANDARD",
    by: (it) => it.storage_class ?? "STANDARD",
    width: "8rem",
  },
  {
    name: "version",
    title: "Version",
    show: (it) => (it.is_delete_marker ? "delete marker" : it.is_latest === false ? "earlier" : "current"),
    width: "8rem",
  },
];
