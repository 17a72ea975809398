import type { BucketLag, History, Lag, Owed, Recent } from "../../admin.ts";
import { api } from "../../api.ts";
import { Bytes, type Column, Empty, Load, Select, Table } from "../../components/index.ts";
import { formatBytes, formatCount, formatDuration } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { go, link } from "../../router.ts";
import { seesAll } from "../../session.ts";
import type { PageProps } from "../index.ts";
import { PromiseBadge } from "./badges.tsx";
import { Chart } from "./chart.tsx";
import type { Measure } from "./series.ts";

const SECONDS = 15;
const MEASURES: Readonly<Record<Measure, { readonly title: string; readonly format: (value: number) => string }>> = {
  oldest_seconds: { title: "Age of the oldest copy that is owed", format: formatDuration },
  copies: { title: "Copies owed", format: formatCount },
  bytes: { title: "Bytes owed", format: formatBytes },
  late: { title: "Copies later than promised", format: formatCount },
  parked: { title: "Parked jobs", format: formatCount },
  removals: { title: "Removals owed", format: formatCount },
};
const SPANS: readonly (readonly [string, string])[] = [
  ["3", "3 hours"],
  ["24", "day"],
  ["168", "week"],
  ["720", "30 days"],
];

export default function LagPage({ route }: PageProps) {
  const all = seesAll();
  const lag = useResource((signal) => api.get<Lag>("/api/lag", { limit: 100 }, signal), [], SECONDS);
  return (
    <>
      <h1>Lag</h1>
      <p>
        How far copies are behind what is promised: from the commit of a version, or from the moment when a copy came to be owed,
        until its bytes were verified.
      </p>
      {all && <OverTime query={route.query} />}
      <Load resource={lag}>
        {(data) => (
          <>
            {all && (
              <>
                <h2>At each backend, now</h2>
                <Backends rows={data.backends} />
              </>
            )}
            <h2>Buckets that are owed something</h2>
            {data.buckets.length ? (
              <Buckets rows={data.buckets} />
            ) : (
              <Empty title="Nothing is owed: every copy is where it should be." />
            )}
            {data.truncated && <p>There are more; these are the furthest behind.</p>}
          </>
        )}
      </Load>
    </>
  );
}

function OverTime({ query }: { readonly query: PageProps["route"]["query"] }) {
  const measure = (query.show && Object.hasOwn(MEASURES, query.show) ? query.show : "oldest_seconds") as Measure;
  const hours = query.hours ?? "24";
  const history = useResource((signal) => api.get<History>("/api/lag/history", { hours }, signal), [hours], 60);
  const choose = (chosen: Record<string, string>) => go(link("lag", [], { ...query, ...chosen }), { replace: true });
  return (
    <section aria-labelledby="over-time">
      <h2 id="over-time">Over time</h2>
      <div class="filters">
        <Select label="Show" value={measure} onChange={(event) => choose({ show: event.currentTarget.value })}>
          {Object.entries(MEASURES).map(([name, { title }]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </Select>
        <Select label="Over the last" value={hours} onChange={(event) => choose({ hours: event.currentTarget.value })}>
          {SPANS.map(([value, title]) => (
            <option key={value} value={value}>
              {title}
            </option>
          ))}
        </Select>
      </div>
      <Load resource={history}>
        {(data) =>
          data.samples.length ? (
            <>
              <Chart
                history={data}
                measure={measure}
                hours={Number(hours)}
                title={MEASURES[measure].title}
                format={MEASURES[measure].format}
              />
              <p class="quiet-text">Each point is the worst of {formatDuration(data.step_seconds)}.</p>
            </>
          ) : (
            <Empty title="Nothing was measured in this time. The first figures come within a minute of a service that runs." />
          )
        }
      </Load>
    </section>
  );
}

function Backends({ rows }: { readonly rows: readonly { readonly owed: Owed; readonly recent: Recent }[] }) {
  const columns: readonly Column<(typeof rows)[number]>[] = [
    {
      name: "backend",
      title: "Backend",
      by: (it) => it.owed.backend_id,
      show: (it) => <a href={link("backends", [it.owed.backend_id])}>{it.owed.backend_id}</a>,
    },
    { name: "copies", title: "Copies owed", end: true, by: (it) => it.owed.copies, show: (it) => formatCount(it.owed.copies) },
    { name: "bytes", title: "Bytes", end: true, by: (it) => it.owed.bytes, show: (it) => <Bytes of={it.owed.bytes} /> },
    {
      name: "oldest",
      title: "Oldest",
      end: true,
      by: (it) => it.owed.oldest_seconds,
      show: (it) => formatDuration(it.owed.oldest_seconds),
    },
    {
      name: "retried",
      title: "Failed before",
      width: "minmax(7.5rem, 1fr)",
      end: true,
      by: (it) => it.owed.retried,
      show: (it) => formatCount(it.owed.retried),
    },
    { name: "late", title: "Late", end: true, by: (it) => it.owed.late, show: (it) => formatCount(it.owed.late) },
    { name: "removals", title: "Removals", end: true, by: (it) => it.owed.removals, show: (it) => formatCount(it.owed.removals) },
    {
      name: "p99",
      title: "99 % took",
      end: true,
      by: (it) => it.recent.p99_seconds ?? 0,
      show: (it) => (it.recent.p99_seconds === null ? "–" : formatDuration(it.recent.p99_seconds)),
    },
  ];
  return <Table label="Owed at each backend" rows={rows} columns={columns} sort={{ column: "backend", descending: false }} />;
}

function Buckets({ rows }: { readonly rows: readonly BucketLag[] }) {
  const columns: readonly Column<BucketLag>[] = [
    {
      name: "bucket",
      title: "Bucket",
      width: "minmax(12rem, 2fr)",
      by: (it) => `${it.owed.tenant_id}/${it.owed.bucket}`,
      show: ({ owed }) => (
        <a href={link("buckets", [owed.tenant_id, owed.bucket])}>
          {owed.tenant_id}/{owed.bucket}
        </a>
      ),
    },
    {
      name: "promise",
      title: "Promise",
      width: "minmax(11rem, 1fr)",
      show: (it) => <PromiseBadge kept={it.kept} seconds={it.owed.rpo_seconds} />,
    },
    { name: "late", title: "Late", end: true, by: (it) => it.owed.late, show: (it) => formatCount(it.owed.late) },
    { name: "copies", title: "Copies owed", end: true, by: (it) => it.owed.copies, show: (it) => formatCount(it.owed.copies) },
    { name: "bytes", title: "Bytes", end: true, by: (it) => it.owed.bytes, show: (it) => <Bytes of={it.owed.bytes} /> },
    {
      name: "oldest",
      title: "Oldest",
      end: true,
      by: (it) => it.owed.oldest_seconds,
      show: (it) => formatDuration(it.owed.oldest_seconds),
    },
  ];
  return <Table label="Buckets that are owed something" rows={rows} columns={columns} />;
}
