import type { Preview, Share } from "../../admin.ts";
import { Badge, Bytes } from "../../components/index.ts";
import { formatCount, formatDuration, formatThings } from "../../format.ts";

/** What a change would have moved, and for whom nothing more could be written, in words. */
export function PreviewView({ preview }: { readonly preview: Preview }) {
  return (
    <div role="status">
      <Moves preview={preview} />
      <Unsatisfiable of={preview.unsatisfiable} />
    </div>
  );
}

function Unsatisfiable({ of: broken }: { readonly of: Preview["unsatisfiable"] }) {
  if (!broken.length) return null;
  return (
    <>
      <p>
        <Badge tone="bad">Writes would be refused</Badge> for:
      </p>
      <ul>
        {broken.map((it) => (
          <li key={it.subjects.join()}>
            {it.subjects.join(", ")}
            {it.count > it.subjects.length && ` and ${formatCount(it.count - it.subjects.length)} more`}: {it.reason}
          </li>
        ))}
      </ul>
    </>
  );
}

function Moves({ preview: shown }: { readonly preview: Preview }) {
  if (shown.changed_objects === 0 && shown.unsatisfied.length === 0) {
    return <p>Nothing would move: all {formatCount(shown.objects)} versions that this concerns stay where they are.</p>;
  }
  return (
    <>
      <p>
        {formatCount(shown.changed_objects)} of {formatCount(shown.objects)} versions would get or lose a copy (
        <Bytes of={shown.changed_bytes} />
        ). The busiest backend would need about {formatDuration(shown.estimated_seconds)}.
      </p>
      {shown.unreadable_objects > 0 && (
        <p>
          <Badge tone="bad">{formatThings(shown.unreadable_objects, "version")} cannot be read</Badge> from then on until their
          first copy inside the lock is made.
        </p>
      )}
      <dl class="facts">
        <Shares title="Copies made at" shares={shown.copies} />
        <Shares title="Read for that from" shares={shown.egress} />
        <Shares title="Removed afterwards at" shares={shown.removals} />
      </dl>
      {shown.unsatisfied.length > 0 && (
        <>
          <p>
            <Badge tone="bad">Cannot be satisfied</Badge> These stay as they are:
          </p>
          <ul>
            {shown.unsatisfied.map((it) => (
              <li key={`${it.tenant_id}/${it.bucket}/${it.reason}`}>
                {it.tenant_id}/{it.bucket}: {formatThings(it.objects, "version")}, <Bytes of={it.bytes} />. {it.reason}
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Shares({ title, shares }: { readonly title: string; readonly shares: readonly Share[] }) {
  if (!shares.length) return null;
  return (
    <>
      <dt>{title}</dt>
      <dd>
        {shares.map((it) => (
          <div key={it.backend_id}>
            {it.backend_id}: {formatCount(it.objects)} (<Bytes of={it.bytes} />)
          </div>
        ))}
      </dd>
    </>
  );
}
