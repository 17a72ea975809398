import {
  type Bucket,
  type BucketLag,
  bucketPath,
  type Explanation,
  type Lag,
  levelPath,
  type PolicyView,
  type Progress,
} from "../../admin.ts";
import { api } from "../../api.ts";
import { Button, Bytes, type Column, Copy, done, Empty, Load, Table, Time } from "../../components/index.ts";
import { formatCopies, formatCount, formatDuration, formatThings } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { link, type Route } from "../../router.ts";
import { managesTenants, seesAll } from "../../session.ts";
import { quoted } from "../../shell.ts";
import { PromiseBadge } from "../lag/badges.tsx";
import { EffectivePolicy } from "../policies/effective.tsx";
import { lockOf } from "./index.tsx";
import { Objects } from "./objects.tsx";

const SECONDS = 10;

interface Name {
  readonly tenant: string;
  readonly bucket: string;
}

export function One({ tenant, bucket, query }: Name & { readonly query: Route["query"] }) {
  const shown = useResource((signal) => api.get<Bucket>(bucketPath(tenant, bucket), {}, signal), [tenant, bucket], SECONDS);
  return (
    <>
      <p>
        <a href={link("buckets")}>Buckets</a>
      </p>
      <h1>
        {tenant}/{bucket}
      </h1>
      <Load resource={shown}>
        {(data) => (
          <>
            <div class="columns">
              <section>
                <Facts bucket={data} />
              </section>
              <section>
                <Promised tenant={tenant} bucket={bucket} />
              </section>
            </div>
            <h2>Objects</h2>
            <Objects tenant={tenant} bucket={bucket} query={query} />
            <h2>Physical names</h2>
            <Names tenant={tenant} bucket={bucket} />
          </>
        )}
      </Load>
    </>
  );
}

function Facts({ bucket }: { readonly bucket: Bucket }) {
  return (
    <>
      <h2>Where it is</h2>
      <dl class="facts">
        <dt>May be in</dt>
        <dd>{lockOf(bucket)}</dd>
        <dt>Versions</dt>
        <dd>
          {bucket.versions === null || bucket.counted_at === null ? (
            "not counted yet"
          ) : (
            <>
              {formatCount(bucket.versions)}, <Bytes of={bucket.bytes ?? 0} /> before they are copied; counted{" "}
              <Time at={bucket.counted_at} ago />
            </>
          )}
        </dd>
        {bucket.backends.map((it) => (
          <BackendFact key={it.backend_id} held={it} />
        ))}
        <dt>Made</dt>
        <dd>
          <Time at={bucket.created_at} />
          {bucket.location && `, with the location ${bucket.location}`}
        </dd>
        <dt>Versioning</dt>
        <dd>
          {bucket.versioning}
          {bucket.object_lock && ", with object lock"}
        </dd>
      </dl>
    </>
  );
}

function BackendFact({ held }: { readonly held: Bucket["backends"][number] }) {
  const all = seesAll();
  return (
    <>
      <dt>At {all ? <a href={link("backends", [held.backend_id])}>{held.backend_id}</a> : held.backend_id}</dt>
      <dd>
        {formatCopies(held.copies)}, {formatCount(held.verified)} verified, <Bytes of={held.bytes} />
      </dd>
    </>
  );
}

function Promised({ tenant, bucket }: Name) {
  const state = useResource(
    async (signal) => {
      const [policy, lag, progress] = await Promise.all([
        api.get<PolicyView>(levelPath(tenant, bucket), {}, signal),
        api.get<Lag>("/api/lag", { tenant, bucket }, signal),
        api.get<Progress>("/api/placement/progress", { tenant, bucket, all: "yes" }, signal),
      ]);
      return { policy, lag: lag.buckets[0], progress };
    },
    [tenant, bucket],
    SECONDS,
  );
  const compare = async () => {
    await api.post("/api/placement/compare", { tenant, bucket });
    done("All versions are being compared with the policy once more.");
    state.reload();
  };
  return (
    <Load resource={state}>
      {({ policy, lag, progress }) => (
        <>
          <h2>What is demanded</h2>
          <EffectivePolicy view={policy} />
          <div class="actions">
            <a class="button" href={link("policies", [tenant, bucket])}>
              {managesTenants() ? "Change the policy…" : "Its levels"}
            </a>
            {managesTenants() && <Button onClick={compare}>Compare once more</Button>}
          </div>
          <h2>How far it is</h2>
          {lag && <Behind lag={lag} />}
          <ProgressOf progress={progress} />
        </>
      )}
    </Load>
  );
}

function Behind({ lag: { owed, kept, recent } }: { readonly lag: BucketLag }) {
  return (
    <p>
      {owed.copies === 0
        ? "No copy is owed. "
        : `${formatCopies(owed.copies)} ${owed.copies === 1 ? "is" : "are"} owed, the oldest for ${formatDuration(owed.oldest_seconds)}. `}
      <PromiseBadge kept={kept} seconds={owed.rpo_seconds} />
      {recent?.p99_seconds != null &&
        ` 99 % of the copies of the newest versions took ${formatDuration(recent.p99_seconds)} at most.`}
    </p>
  );
}

function ProgressOf({ progress }: { readonly progress: Progress }) {
  return (
    <>
      {progress.rearrangements.map((it) => (
        <p key={it.requested_at}>
          Compared with its policy because of {it.cause}, <Time at={it.requested_at} ago />:{" "}
          {formatThings(it.compared, "version")} compared, {formatCount(it.changed)} changed
          {it.waiting > 0 && `, ${formatCount(it.waiting)} waiting`}
          {it.finished_at ? "." : "; it goes on."}
        </p>
      ))}
      {progress.refusals.length > 0 && (
        <ul>
          {progress.refusals.map((it) => (
            <li key={it.reason}>
              {formatThings(it.objects, "version")} not where {it.objects === 1 ? "it" : "they"} should be: {it.reason}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const NAMES: readonly Column<Explanation>[] = [
  { name: "backend", title: "Backend", by: (it) => it.backend_id, show: (it) => it.backend_id },
  { name: "name", title: "Physical bucket", width: "minmax(18rem, 3fr)", show: (it) => <code>{it.namespace}</code> },
  { name: "used", title: "In use", show: (it) => (it.recorded ? "yes" : "no") },
  { name: "counter", title: "Collisions", end: true, show: (it) => it.counter },
];

function Names({ tenant, bucket }: Name) {
  const names = useResource(
    (signal) => api.get<{ namespaces: Explanation[] }>("/api/namespaces/explain", { tenant, bucket }, signal),
    [tenant, bucket],
  );
  const all = seesAll();
  return (
    <Load resource={names}>
      {({ namespaces }) =>
        namespaces.length ? (
          <>
            <p>
              The bucket's name at each backend, made from the tenant, the bucket and the backend, so that no two ever share one.
            </p>
            <Table label="Physical names" rows={namespaces} columns={NAMES} sort={{ column: "backend", descending: false }} />
            {all && <Copy text={`domicile buckets explain ${quoted(`${tenant}/${bucket}`)}`} />}
          </>
        ) : (
          <Empty title="Nothing was written to it yet, so it has no physical bucket." />
        )
      }
    </Load>
  );
}
