import type { ComponentChildren } from "preact";
import type { BackendSum, CountrySum, Health, Lag, Summary } from "../../admin.ts";
import { api } from "../../api.ts";
import { Badge, type Bar, Bars, Bytes, type Column, Empty, Load, Table, Time } from "../../components/index.ts";
import { countryName } from "../../countries.ts";
import { formatBytes, formatCopies, formatCount, formatDuration, formatShare, formatThings } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { link } from "../../router.ts";
import { seesAll } from "../../session.ts";
import { HealthBadge, StateBadge } from "../backends/badges.tsx";
import { PromiseBadge } from "../lag/badges.tsx";
import { EuropeMap } from "./map.tsx";
import "./overview.css";

const SECONDS = 15;

export default function Overview() {
  const all = seesAll();
  const summary = useResource((signal) => api.get<Summary>("/api/summary", {}, signal), [], SECONDS);
  const lag = useResource((signal) => api.get<Lag>("/api/lag", { limit: 5 }, signal), [], SECONDS);
  const health = useResource(async (signal) => (all ? await loadHealth(signal) : new Map<string, Health>()), [all], SECONDS);
  return (
    <>
      <h1>Where the data lives</h1>
      <Load resource={summary}>
        {(data) => (
          <>
            <Totals summary={data} />
            {data.backends.length === 0 ? (
              <Empty
                title={all ? "No backend is registered yet, so nothing can be stored." : "Nothing of yours is stored yet."}
              />
            ) : (
              <div class="overview">
                <EuropeMap countries={data.countries.filter((it) => all || it.copies > 0)} />
                <div>
                  <h2>Owed, and promised</h2>
                  <Load resource={lag}>{(it) => <Work lag={it} />}</Load>
                  <Bars title="Bytes by country" bars={data.countries.filter((it) => it.copies > 0).map(told)} />
                </div>
              </div>
            )}
            {data.backends.length > 0 && (
              <>
                <h2>By country and backend</h2>
                <Places backends={data.backends} health={health.data} />
              </>
            )}
          </>
        )}
      </Load>
    </>
  );
}

async function loadHealth(signal: AbortSignal): Promise<Map<string, Health>> {
  const { backends } = await api.get<{ backends: Health[] }>("/api/health", {}, signal);
  return new Map(backends.map((it) => [it.backend_id, it]));
}

function Totals({ summary: { all, backends } }: { readonly summary: Summary }) {
  const sum = (name: "copies" | "verified" | "bytes") => backends.reduce((sum, it) => sum + it[name], 0);
  const copies = sum("copies");
  const countries = new Set(backends.filter((it) => it.copies > 0).map((it) => it.country));
  return (
    <>
      <dl class="figures">
        <Figure name="Versions" small={`in ${formatThings(all.buckets, "bucket")}`}>
          {formatCount(all.versions)}
        </Figure>
        <Figure name="Bytes" small={`${formatBytes(sum("bytes"))} with all copies`}>
          <Bytes of={all.bytes} />
        </Figure>
        <Figure name="Copies" small={`in ${formatThings(countries.size, "country", "countries")}`}>
          {formatCount(copies)}
        </Figure>
        <Figure name="Verified" small={`${formatCopies(sum("verified"))}, end to end`}>
          {formatShare(sum("verified"), copies)}
        </Figure>
      </dl>
      <p class="quiet-text">
        {all.counted_at && (
          <>
            The oldest count was made <Time at={all.counted_at} ago />.
          </>
        )}{" "}
        {all.uncounted > 0 && `${formatThings(all.uncounted, "bucket")} still to be counted.`}
      </p>
    </>
  );
}

function Figure({
  name,
  small,
  children,
}: {
  readonly name: string;
  readonly small: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {children} <small>{small}</small>
      </dd>
    </div>
  );
}

function told({ country, copies, bytes }: CountrySum): Bar {
  return { name: countryName(country), bytes, told: `${formatBytes(bytes)}, ${formatCopies(copies)}` };
}

function Work({ lag }: { readonly lag: Lag }) {
  const sum = (name: "copies" | "bytes" | "late" | "parked" | "removals") =>
    lag.backends.reduce((all, it) => all + it.owed[name], 0);
  const late = lag.buckets.filter((it) => it.kept === false);
  return (
    <>
      {lag.outbox && (
        <dl class="facts">
          <dt>Copies owed</dt>
          <dd>
            {formatCount(sum("copies"))} (<Bytes of={sum("bytes")} />)
          </dd>
          <dt>Removals owed</dt>
          <dd>{formatCount(sum("removals"))}</dd>
          <dt>Parked</dt>
          <dd>
            <a href={link("owed", [], { state: "parked" })}>{formatCount(sum("parked"))}</a>{" "}
            {sum("parked") > 0 && <Badge tone="bad">needs you</Badge>}
          </dd>
        </dl>
      )}
      <p>
        {late.length === 0 ? (
          <Badge tone="good">Every promise is kept</Badge>
        ) : (
          <Badge tone="bad">{late.length === 1 ? "One bucket is late" : `${late.length} buckets are late`}</Badge>
        )}
      </p>
      {lag.buckets.length > 0 && (
        <ul class="behind">
          {lag.buckets.map(({ owed, kept }) => (
            <li key={`${owed.tenant_id}/${owed.bucket}`}>
              <a href={link("buckets", [owed.tenant_id, owed.bucket])}>
                {owed.tenant_id}/{owed.bucket}
              </a>
              : {formatCopies(owed.copies)}, the oldest for {formatDuration(owed.oldest_seconds)}{" "}
              <PromiseBadge kept={kept} seconds={owed.rpo_seconds} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Places({
  backends,
  health,
}: {
  readonly backends: readonly BackendSum[];
  readonly health: ReadonlyMap<string, Health> | undefined;
}) {
  const all = seesAll();
  const columns: readonly Column<BackendSum>[] = [
    {
      name: "country",
      title: "Country",
      width: "minmax(10rem, 1.6fr)",
      by: (it) => countryName(it.country),
      show: (it) => countryName(it.country),
    },
    {
      name: "backend",
      title: "Backend",
      by: (it) => it.backend_id,
      show: (it) => (all ? <a href={link("backends", [it.backend_id])}>{it.backend_id}</a> : it.backend_id),
    },
    { name: "provider", title: "Provider", by: (it) => it.provider, show: (it) => it.provider },
    { name: "under", title: "Law", width: "minmax(4rem, 0.8fr)", show: (it) => it.jurisdictions.join(", ") },
    { name: "state", title: "State", by: (it) => it.state, show: (it) => <StateBadge state={it.state} /> },
    ...(all
      ? [
          {
            name: "health",
            title: "Health",
            width: "minmax(8rem, 1.2fr)",
            show: (it: BackendSum) => <HealthBadge health={health?.get(it.backend_id)} />,
          },
        ]
      : []),
    {
      name: "copies",
      title: "Copies",
      width: "minmax(5rem, 0.8fr)",
      end: true,
      by: (it) => it.copies,
      show: (it) => formatCount(it.copies),
    },
    {
      name: "verified",
      title: "Verified",
      width: "minmax(5rem, 0.8fr)",
      end: true,
      by: (it) => it.verified,
      show: (it) => formatCount(it.verified),
    },
    {
      name: "bytes",
      title: "Bytes",
      width: "minmax(5rem, 0.8fr)",
      end: true,
      by: (it) => it.bytes,
      show: (it) => <Bytes of={it.bytes} />,
    },
  ];
  return (
    <Table
      label="Copies by country and backend"
      rows={backends}
      columns={columns}
      sort={{ column: "country", descending: false }}
    />
  );
}
