import type { PolicyView } from "../../admin.ts";
import { Badge } from "../../components/index.ts";
import { formatDuration } from "../../format.ts";

/** What all levels together amount to. */
export function EffectivePolicy({ view: { effective, refusal } }: { readonly view: PolicyView }) {
  return (
    <>
      {effective ? (
        <dl class="facts">
          <dt>Countries</dt>
          <dd>{effective.countries?.join(", ") ?? "anywhere"}</dd>
          <dt>Operators under the law of</dt>
          <dd>{effective.jurisdictions?.join(", ") ?? "any country"}</dd>
          <dt>Copies</dt>
          <dd>
            {effective.replica_count}
            {effective.replica_count > 1 &&
              `, no two ${effective.spread === "country" ? "in" : "at"} the same ${effective.spread ?? "backend"}`}
          </dd>
          <dt>Before a write is answered</dt>
          <dd>
            {effective.write_quorum} stored
            {(effective.write_width ?? 0) > effective.write_quorum && `, streamed to ${effective.write_width} at once`}
          </dd>
          <dt>Every copy within</dt>
          <dd>{effective.rpo_seconds ? formatDuration(effective.rpo_seconds) : "nothing promised"}</dd>
          <dt>Names of new blobs at providers</dt>
          <dd>{effective.layout === "opaque" ? "opaque" : "readable"}</dd>
        </dl>
      ) : (
        <p>The levels do not amount to a policy.</p>
      )}
      {refusal && (
        <p role="alert">
          <Badge tone="bad">Nothing can be placed under it now</Badge> {refusal}
        </p>
      )}
    </>
  );
}
