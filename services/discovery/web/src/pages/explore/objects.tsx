import { useCallback, useMemo } from "preact/hooks";
import {
  Badge,
  Checkbox,
  type Column,
  Empty,
  Failed,
  Field,
  Loading,
  Select,
  type Sort,
  Time,
  WindowedTable,
} from "../../components/index.ts";
import type { Row, Selection } from "../../explorer/index.ts";
import { formatBytes, formatThings } from "../../format.ts";
import { go } from "../../router.ts";
import { bucketLink } from "./accounts.tsx";
import type { BucketProps } from "./bucket.tsx";
import { ObjectDialog } from "./object.tsx";
import { useRows } from "./rows.ts";

const SORTS = ["name", "size", "modified"] as const;

function selectionOf(prefix: string, query: BucketProps["query"]): Selection {
  return {
    prefix,
    folders: query.flat !== "yes",
    search: query.q ?? "",
    storageClass: query.class ?? "",
    versions: query.versions === "yes",
    sort: SORTS.find((it) => it === query.sort) ?? "name",
    descending: query.order === "down",
  };
}

/** What is directly below the prefix, or everything; what is asked for stands in the address. */
export function Objects(props: BucketProps) {
  const { account, bucket, prefix, query } = props;
  const selection = selectionOf(prefix, query);
  const { count, progress, classes, row, onWindow } = useRows(account, bucket, selection);
  const { endpoint: _, region: __, ...own } = query;
  const change = (changes: Readonly<Record<string, string>>) =>
    go(bucketLink(account, bucket, prefix, { ...own, ...changes }), { replace: true });
  const columns = useMemo(() => columnsOf(props, own), [account.name, bucket, prefix, JSON.stringify(own)]);
  const onSort = useCallback(
    ({ column, descending }: Sort) => change({ sort: column, order: descending ? "down" : "" }),
    [JSON.stringify(own)],
  );
  return (
    <>
      <search class="filters">
        <Field
          label="Search"
          type="search"
          value={selection.search}
          onInput={(event) => change({ q: event.currentTarget.value })}
        />
        <Select
          label="Storage class"
          value={selection.storageClass}
          onChange={(event) => change({ class: event.currentTarget.value })}
        >
          <option value="">all</option>
          {classes.map((it) => (
            <option key={it}>{it}</option>
          ))}
        </Select>
        <Checkbox label="with versions" checked={selection.versions} onChange={(yes) => change({ versions: yes ? "yes" : "" })} />
        <Checkbox label="without folders" checked={!selection.folders} onChange={(yes) => change({ flat: yes ? "yes" : "" })} />
        <span class="quiet-text" role="status">
          {formatThings(count, "row")}
        </span>
      </search>
      {progress?.error && <Failed error={new Error(progress.error)} />}
      {progress?.state === "truncated" && <p class="hint">There is more than this tab should hold: what is shown is not all.</p>}
      {count > 0 ? (
        <WindowedTable
          label={`Objects of ${bucket}`}
          columns={columns}
          count={count}
          row={row}
          onWindow={onWindow}
          sort={{ column: selection.sort, descending: selection.descending }}
          onSort={onSort}
        />
      ) : (
        <Nothing progress={progress} selection={selection} />
      )}
      {query.key !== undefined && (
        <ObjectDialog
          {...props}
          objectKey={query.key}
          versionId={query.version ?? ""}
          onClose={() => change({ key: "", version: "" })}
        />
      )}
    </>
  );
}

function Nothing({
  progress,
  selection,
}: {
  readonly progress: { state: string; error: string } | undefined;
  readonly selection: Selection;
}) {
  if (progress?.error) return null;
  if (progress?.state === "running") return <Loading what="Listing" />;
  if (!progress && (selection.search || !selection.folders)) {
    return <Empty title="List the bucket first: only what is here can be searched, and shown without folders." />;
  }
  if (!progress) return <Empty title="List it again to see this." />;
  return <Empty title={selection.search || selection.storageClass ? "Nothing here is like that." : "Nothing is here."} />;
}

function columnsOf({ account, bucket, prefix }: BucketProps, own: Readonly<Record<string, string>>): readonly Column<Row>[] {
  const { q: _, key: __, version: ___, ...kept } = own;
  const by = () => "";
  return [
    {
      name: "name",
      title: "Name",
      width: "minmax(16rem, 4fr)",
      by,
      show: (it) => (
        <a
          href={
            it.kind === "folder"
              ? bucketLink(account, bucket, prefix + it.name, kept)
              : bucketLink(account, bucket, prefix, { ...own, key: it.key, version: it.versionId })
          }
          title={it.name}
        >
          {it.name}
        </a>
      ),
    },
    {
      name: "size",
      title: "Size",
      width: "7rem",
      end: true,
      by,
      show: (it) => (it.kind === "folder" && it.objects < 0 ? "—" : formatBytes(it.size)),
    },
    { name: "modified", title: "Modified", width: "12rem", by, show: (it) => (it.modified ? <Time at={it.modified} /> : "—") },
    {
      name: "what",
      title: "Storage class",
      width: "minmax(9rem, 1fr)",
      show: (it) => (it.kind === "folder" ? inFolder(it.objects) : <Kind row={it} />),
    },
  ];
}

function inFolder(objects: number): string {
  return objects < 0 ? "folder" : formatThings(objects, "object");
}

function Kind({ row }: { readonly row: Extract<Row, { kind: "object" }> }) {
  return (
    <>
      {row.deleted ? <Badge tone="bad">delete marker</Badge> : row.storageClass} {!row.latest && <Badge>older version</Badge>}
    </>
  );
}
