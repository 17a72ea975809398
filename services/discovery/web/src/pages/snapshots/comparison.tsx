import { Badge, Bytes, type Column, Empty, Load, Table, Time } from "../../components/index.ts";
import { formatBytes, formatCount } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { link } from "../../router.ts";
import { titleOf } from "./list.tsx";
import {
  type BucketDifference,
  type BucketLine,
  compare,
  type Diff,
  type Difference,
  type Kind,
  kindOf,
  type Snapshot,
  type Sum,
  showSnapshot,
} from "./snapshots.ts";

export function Comparison({ before, after }: { readonly before: string; readonly after: string }) {
  const resource = useResource(
    async (signal) => {
      const [old, now, diff] = await Promise.all([
        showSnapshot(before, signal),
        showSnapshot(after, signal),
        compare(before, after, signal),
      ]);
      return { old: old.snapshot, now: now.snapshot, diff };
    },
    [before, after],
  );
  return (
    <>
      <p>
        <a href={link("snapshots")}>Snapshots</a>
      </p>
      <h1>What has changed</h1>
      <Load resource={resource} what="Comparing">
        {(found) => <Found {...found} />}
      </Load>
    </>
  );
}

const TONES = { added: "good", removed: "bad", changed: "warn" } as const;

function Found({ old, now, diff }: { old: Snapshot; now: Snapshot; diff: Diff }) {
  return (
    <>
      <dl class="facts">
        <dt>Before</dt>
        <dd>
          <Name of={old} />
        </dd>
        <dt>After</dt>
        <dd>
          <Name of={now} />
        </dd>
      </dl>
      {(old.truncated || now.truncated) && (
        <p class="notice" role="note">
          <Badge tone="warn">truncated</Badge> One of them does not hold everything: what seems added or removed may just not have
          been kept.
        </p>
      )}
      <ul class="cards sums">
        <Tile title="Added" sum={diff.added} />
        <Tile title="Removed" sum={diff.removed} />
        <Tile title="Changed" sum={diff.changed} />
        <Tile title="The same" sum={diff.same} />
      </ul>
      {diff.buckets.length > 0 && (
        <>
          <h2>Buckets</h2>
          <Table label="Buckets that differ" columns={BUCKETS} rows={diff.buckets} />
        </>
      )}
      <h2>Objects</h2>
      {!diff.complete && <p>These are the first {formatCount(diff.objects.length)}; the sums above count all.</p>}
      {diff.objects.length ? (
        <Table label="Objects that differ" columns={OBJECTS} rows={diff.objects} />
      ) : (
        <Empty title="No object differs." />
      )}
    </>
  );
}

function Name({ of: it }: { of: Snapshot }) {
  return (
    <>
      <a href={link("snapshots", [it.snapshot_id])}>{titleOf(it)}</a>, <Time at={it.created_at} />
    </>
  );
}

function Tile({ title, sum }: { title: string; sum: Sum }) {
  return (
    <li>
      <h3>{title}</h3>
      <strong>{formatCount(sum.objects)}</strong> objects, <Bytes of={sum.bytes} />
    </li>
  );
}

function KindBadge({ of: it }: { of: { before: unknown; after: unknown } }) {
  const kind: Kind = kindOf(it);
  return <Badge tone={TONES[kind]}>{kind}</Badge>;
}

const SETTINGS = [
  "region",
  "versioning",
  "object_lock",
  "encryption",
  "has_policy",
  "is_public",
  "has_lifecycle",
  "has_replication",
] as const;

/** Which settings differ, and how. */
function settings({ before, after }: BucketDifference): string {
  if (!before || !after) return "";
  const told = (value: BucketLine[keyof BucketLine]) => (value == null ? "not known" : String(value));
  const differing = SETTINGS.filter((name) => (before[name] ?? null) !== (after[name] ?? null));
  return differing.map((name) => `${name.replaceAll("_", " ")}: ${told(before[name])} → ${told(after[name])}`).join("; ");
}

const BUCKETS: readonly Column<BucketDifference>[] = [
  { name: "kind", title: "What", show: (it) => <KindBadge of={it} />, by: kindOf, width: "7rem" },
  { name: "bucket", title: "Bucket", show: (it) => it.bucket, by: (it) => it.bucket },
  { name: "how", title: "How", show: (it) => <span title={settings(it)}>{settings(it)}</span>, width: "minmax(14rem, 3fr)" },
];

const sizeOf = (it: Difference["before"]) => it?.size ?? 0;

const OBJECTS: readonly Column<Difference>[] = [
  { name: "kind", title: "What", show: (it) => <KindBadge of={it} />, by: kindOf, width: "7rem" },
  { name: "bucket", title: "Bucket", show: (it) => it.bucket, by: (it) => it.bucket },
  {
    name: "key",
    title: "Key",
    show: (it) => <span title={it.key ?? ""}>{it.key}</span>,
    by: (it) => it.key ?? "",
    width: "minmax(14rem, 3fr)",
  },
  {
    name: "before",
    title: "Before",
    show: (it) => (it.before ? <Bytes of={sizeOf(it.before)} /> : "–"),
    by: (it) => sizeOf(it.before),
    width: "7rem",
    end: true,
  },
  {
    name: "after",
    title: "After",
    show: (it) => (it.after ? <Bytes of={sizeOf(it.after)} /> : "–"),
    by: (it) => sizeOf(it.after),
    width: "7rem",
    end: true,
  },
  {
    name: "growth",
    title: "Growth",
    show: (it) => signed(sizeOf(it.after) - sizeOf(it.before)),
    by: (it) => sizeOf(it.after) - sizeOf(it.before),
    width: "8rem",
    end: true,
  },
];

function signed(bytes: number): string {
  return `${bytes < 0 ? "−" : "+"}${formatBytes(Math.abs(bytes))}`;
}
