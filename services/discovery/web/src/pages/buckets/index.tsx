import type { Bucket } from "../../admin.ts";
import { api } from "../../api.ts";
import { Bytes, type Column, Empty, LoadPages, Table, Time } from "../../components/index.ts";
import { formatCount } from "../../format.ts";
import { usePages } from "../../resource.ts";
import { link } from "../../router.ts";
import type { PageProps } from "../index.ts";
import { One } from "./one.tsx";

export default function Buckets({ route }: PageProps) {
  const [tenant, bucket] = route.path;
  return tenant && bucket ? (
    <One key={`${tenant}/${bucket}`} tenant={tenant} bucket={bucket} query={route.query} />
  ) : (
    <All tenant={tenant} />
  );
}

interface Page {
  readonly buckets: readonly Bucket[];
  readonly next: string;
}

function All({ tenant }: { readonly tenant: string | undefined }) {
  const buckets = usePages(
    (after: string | undefined, signal) => api.get<Page>("/api/buckets", { tenant, after, limit: 500 }, signal),
    (page) => page.next,
    [tenant],
  );
  return (
    <>
      <h1>Buckets{tenant && ` of ${tenant}`}</h1>
      <LoadPages pages={buckets} more="More buckets">
        {(pages) => {
          const rows = pages.flatMap((it) => it.buckets);
          return rows.length ? (
            <Table label="Buckets" rows={rows} columns={COLUMNS} sort={{ column: "bucket", descending: false }} />
          ) : (
            <Empty title="There is no bucket yet. An S3 client makes one, with its country as the location." />
          );
        }}
      </LoadPages>
    </>
  );
}

const COLUMNS: readonly Column<Bucket>[] = [
  {
    name: "bucket",
    title: "Bucket",
    width: "minmax(12rem, 2fr)",
    by: (it) => `${it.tenant_id}/${it.bucket}`,
    show: (it) => (
      <a href={link("buckets", [it.tenant_id, it.bucket])}>
        {it.tenant_id}/{it.bucket}
      </a>
    ),
  },
  { name: "lock", title: "May be in", width: "minmax(9rem, 1fr)", show: (it) => lockOf(it) },
  {
    name: "backends",
    title: "Is at",
    width: "minmax(9rem, 1fr)",
    show: (it) => it.backends.map((held) => held.backend_id).join(", "),
  },
  {
    name: "versions",
    title: "Versions",
    end: true,
    by: (it) => it.versions ?? 0,
    show: (it) => (it.versions === null ? "…" : formatCount(it.versions)),
  },
  {
    name: "bytes",
    title: "Bytes",
    end: true,
    by: (it) => it.bytes ?? 0,
    show: (it) => (it.bytes === null ? "…" : <Bytes of={it.bytes} />),
  },
  {
    name: "versioning",
    title: "Versioning",
    by: (it) => it.versioning,
    show: (it) => `${it.versioning}${it.object_lock ? ", lock" : ""}`,
  },
  { name: "made", title: "Made", width: "10.5rem", by: (it) => it.created_at, show: (it) => <Time at={it.created_at} /> },
];

export function lockOf(bucket: Bucket): string {
  const places =
    bucket.countries === null
      ? "anywhere"
      : bucket.countries.length > 6
        ? `${bucket.countries.length} countries`
        : bucket.countries.join(", ");
  return bucket.jurisdictions === null
    ? places
    : `${places}; operators under ${bucket.jurisdictions.length > 6 ? `${bucket.jurisdictions.length} laws` : bucket.jurisdictions.join(", ")}`;
}
