import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Button } from "../../components/index.ts";
import type { Opened } from "../../explorer/index.ts";
import { formatBytes, formatThings } from "../../format.ts";
import { link } from "../../router.ts";
import { isOperator } from "../../session.ts";
import { bucketLink, Lines, State } from "./accounts.tsx";
import { lines } from "./lines.ts";
import { Objects } from "./objects.tsx";
import { Settings } from "./settings.tsx";
import { TotalsPage } from "./totals.tsx";

export interface BucketProps {
  readonly account: Opened;
  readonly bucket: string;
  readonly prefix: string;
  readonly query: Readonly<Record<string, string>>;
}

const TABS = [
  { name: "", title: "Objects", Shown: Objects },
  { name: "totals", title: "Totals", Shown: TotalsPage },
  { name: "settings", title: "Settings", Shown: Settings },
] as const;

export function BucketPage(props: BucketProps) {
  const { account, bucket, prefix, query } = props;
  const tab = TABS.find((it) => it.name === query.tab) ?? TABS[0];
  const versions = query.versions === "yes";
  useEffect(() => {
    if (!wholeOf(props)) void account.worker.begin({ bucket, prefix, folder: true, versions });
  }, [account.name, bucket, prefix, versions]);
  return (
    <>
      <Crumbs {...props} />
      <h1>{bucket}</h1>
      <Scanning {...props} />
      <nav class="tabs" aria-label="Of this bucket">
        {TABS.map((it) => (
          <a
            key={it.name}
            href={bucketLink(account, bucket, prefix, { tab: it.name })}
            {...(it === tab && { "aria-current": "page" as const })}
          >
            {it.title}
          </a>
        ))}
      </nav>
      <tab.Shown {...props} />
      <Lines lines={lines({ endpoint: account.endpoint, region: account.region, bucket, prefix })} />
    </>
  );
}

/** The listing of everything below here, if there is one. */
export function wholeOf({ account, bucket, prefix }: Pick<BucketProps, "account" | "bucket" | "prefix">) {
  return account.progress.find((it) => !it.folder && it.bucket === bucket && prefix.startsWith(it.prefix));
}

function Crumbs({ account, bucket, prefix }: BucketProps) {
  const parts = prefix.split("/").slice(0, -1);
  return (
    <nav class="crumbs" aria-label="Where you are">
      <a href={link("explore", [account.name])}>{account.name}</a> /{" "}
      <Crumb last={!prefix} href={bucketLink(account, bucket)}>
        {bucket}
      </Crumb>
      {parts.map((part, index) => {
        const here = `${parts.slice(0, index + 1).join("/")}/`;
        return (
          <span key={here}>
            {" / "}
            <Crumb last={here === prefix} href={bucketLink(account, bucket, here)}>
              {part || "(empty)"}
            </Crumb>
          </span>
        );
      })}
    </nav>
  );
}

function Crumb({
  last,
  href,
  children,
}: {
  readonly last: boolean;
  readonly href: string;
  readonly children: ComponentChildren;
}) {
  return last ? <span aria-current="location">{children}</span> : <a href={href}>{children}</a>;
}

function Scanning({ account, bucket, prefix, query }: BucketProps) {
  const scan = wholeOf({ account, bucket, prefix });
  const versions = query.versions === "yes";
  return (
    <div class="actions">
      {scan?.state === "running" ? (
        <Button kind="danger" onClick={() => account.worker.cancel(bucket)}>
          Cancel
        </Button>
      ) : (
        <Button
          {...(!scan && { kind: "primary" as const })}
          onClick={() => account.worker.begin({ bucket, prefix, folder: false, versions })}
        >
          {scan ? "List again" : prefix ? "List everything below here" : "List the whole bucket"}
        </Button>
      )}
      {scan && (
        <span role="status">
          <State scan={scan} /> {formatThings(scan.objects, "object")}, {formatBytes(scan.bytes)}
          {scan.prefix && ` below ${scan.prefix}`}
        </span>
      )}
      <a class="button" href={link("snapshots", ["new"], { account: account.name, buckets: bucket })}>
        Save a snapshot
      </a>
      {isOperator() && (
        <a class="button" href={link("adopt", [], { endpoint: account.endpoint, bucket })}>
          Bring under management
        </a>
      )}
    </div>
  );
}
