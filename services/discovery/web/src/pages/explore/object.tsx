import { Badge, Copy, Dialog, Load } from "../../components/index.ts";
import { formatBytes, formatTime } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { Lines } from "./accounts.tsx";
import type { BucketProps } from "./bucket.tsx";
import { lines } from "./lines.ts";

interface Props extends BucketProps {
  readonly objectKey: string;
  readonly versionId: string;
  readonly onClose: () => void;
}

/** An object's metadata, tags and versions. */
export function ObjectDialog({ account, bucket, objectKey, versionId, onClose }: Props) {
  const facts = useResource(() => account.worker.object(bucket, objectKey, versionId), [bucket, objectKey, versionId]);
  const versions = useResource(() => account.worker.versions(bucket, objectKey), [bucket, objectKey]);
  return (
    <Dialog title={objectKey} onClose={onClose}>
      <Load resource={facts} what="Asking for its metadata">
        {({ headers, tags }) => (
          <>
            <h3>Metadata</h3>
            <dl class="facts">
              {headers.map(([name, value]) => (
                <Fact
                  key={name}
                  name={name}
                  value={name === "content-length" ? `${value} (${formatBytes(Number(value))})` : value}
                />
              ))}
            </dl>
            {!account.straight || headers.length > 4 || <p class="hint">The provider lets pages see no more than this.</p>}
            {tags && <h3>Tags</h3>}
            {tags && (Object.keys(tags).length ? <Pairs of={tags} /> : <p class="quiet-text">None.</p>)}
          </>
        )}
      </Load>
      {versions.data && versions.data.length > 0 && (
        <>
          <h3>Versions</h3>
          <ul>
            {versions.data.map(
              (it) =>
                it.kind === "object" && (
                  <li key={it.versionId}>
                    <code>{it.versionId}</code> {formatTime(it.modified)}, {formatBytes(it.size)}{" "}
                    {it.latest && <Badge tone="good">current</Badge>} {it.deleted && <Badge tone="bad">delete marker</Badge>}
                  </li>
                ),
            )}
          </ul>
        </>
      )}
      <Copy text={`s3://${bucket}/${objectKey}`} />
      <Lines lines={lines({ endpoint: account.endpoint, region: account.region, bucket, key: objectKey, versionId })} />
    </Dialog>
  );
}

function Pairs({ of }: { readonly of: Readonly<Record<string, string>> }) {
  return (
    <dl class="facts">
      {Object.entries(of).map(([name, value]) => (
        <Fact key={name} name={name} value={value} />
      ))}
    </dl>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}
