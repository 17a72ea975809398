import { useState } from "preact/hooks";
import {
  Badge,
  Button,
  Checkbox,
  type Column,
  Copy,
  Dialog,
  Empty,
  Field,
  Progress,
  Table,
  Time,
} from "../../components/index.ts";
import { explored, type Opened, type Progress as Scanned } from "../../explorer/index.ts";
import { formatBytes, formatCount, formatThings } from "../../format.ts";
import { link } from "../../router.ts";
import { OpenAccount, type Wanted } from "./open.tsx";

/** All accounts that are open in this tab, and their buckets. `wanted`: what a link led to, and is not open. */
export function Accounts({ wanted }: { readonly wanted: Wanted | undefined }) {
  const [adding, setAdding] = useState(false);
  const accounts = explored.value;
  return (
    <>
      <h1>Explore</h1>
      {accounts.length === 0 ? (
        <>
          <p class="lead">Look at the S3 buckets you already have, wherever they are, without giving away your keys.</p>
          {wanted?.name && (
            <p>This link leads to the account “{wanted.name}”. Open it with keys of your own, and you are there.</p>
          )}
          <OpenAccount wanted={wanted} onOpened={() => setAdding(false)} />
        </>
      ) : (
        <>
          <Summary accounts={accounts} onAdd={() => setAdding(true)} />
          <Buckets accounts={accounts} />
        </>
      )}
      {(adding || (accounts.length > 0 && wanted?.name)) && (
        <Dialog title="Open another account" onClose={() => setAdding(false)}>
          <OpenAccount wanted={wanted} onOpened={() => setAdding(false)} />
        </Dialog>
      )}
    </>
  );
}

function Summary({ accounts, onAdd }: { readonly accounts: readonly Opened[]; readonly onAdd: () => void }) {
  const [versions, setVersions] = useState(false);
  const scans = accounts.flatMap((it) => whole(it));
  const running = scans.filter((it) => it.state === "running").length;
  const objects = scans.reduce((sum, it) => sum + it.objects, 0);
  const bytes = scans.reduce((sum, it) => sum + it.bytes, 0);
  const all = accounts.flatMap((it) => it.buckets.map((bucket) => [it, bucket] as const));
  return (
    <>
      <ul class="cards accounts">
        {accounts.map((it) => (
          <li key={it.name}>
            <h2>{it.name}</h2>
            <p class="quiet-text">
              {new URL(it.endpoint).host} · {formatThings(it.buckets.length, "bucket")} ·{" "}
              {it.straight ? "straight from this tab" : "signed here, relayed by the service"}
            </p>
            <div class="actions">
              <a class="button" href={link("snapshots", ["new"], { account: it.name })}>
                Save a snapshot
              </a>
              <Button kind="quiet" onClick={it.close}>
                Close
              </Button>
            </div>
          </li>
        ))}
      </ul>
      <div class="actions">
        <Button onClick={onAdd}>Open another account</Button>
        <Button
          kind="primary"
          disabled={running > 0 || all.length === 0}
          onClick={() => Promise.all(all.map(([it, bucket]) => it.worker.begin({ bucket, prefix: "", folder: false, versions })))}
        >
          List all buckets
        </Button>
        <Checkbox label="with versions" checked={versions} onChange={setVersions} />
        {running > 0 && (
          <Button kind="danger" onClick={() => Promise.all(accounts.map((it) => it.worker.cancel()))}>
            Cancel
          </Button>
        )}
      </div>
      {scans.length > 0 && (
        <div role="status">
          <Progress
            label={`${formatThings(objects, "object")}, ${formatBytes(bytes)} in ${formatCount(scans.length - running)} of ${formatThings(scans.length, "bucket")}`}
            value={scans.length - running}
            of={scans.length}
          />
        </div>
      )}
    </>
  );
}

function whole(account: Opened): readonly Scanned[] {
  return account.progress.filter((it) => !it.folder);
}

interface Line {
  readonly account: Opened;
  readonly bucket: string;
  readonly created: number;
  readonly region: string;
  readonly scan: Scanned | undefined;
}

const COLUMNS: readonly Column<Line>[] = [
  {
    name: "bucket",
    title: "Bucket",
    width: "minmax(12rem, 2fr)",
    by: (it) => it.bucket,
    show: (it) => <a href={bucketLink(it.account, it.bucket)}>{it.bucket}</a>,
  },
  { name: "account", title: "Account", by: (it) => it.account.name, show: (it) => it.account.name },
  { name: "region", title: "Region", width: "minmax(5rem, .6fr)", by: (it) => it.region, show: (it) => it.region || "—" },
  {
    name: "created",
    title: "Created",
    width: "12rem",
    by: (it) => it.created || 0,
    show: (it) => (it.created ? <Time at={it.created} /> : "—"),
  },
  {
    name: "objects",
    title: "Objects",
    end: true,
    by: (it) => it.scan?.objects ?? -1,
    show: (it) => (it.scan ? formatCount(it.scan.objects) : "—"),
  },
  {
    name: "bytes",
    title: "Size",
    end: true,
    by: (it) => it.scan?.bytes ?? -1,
    show: (it) => (it.scan ? formatBytes(it.scan.bytes) : "—"),
  },
  { name: "state", title: "Listing", by: (it) => it.scan?.state ?? "", show: (it) => it.scan && <State scan={it.scan} /> },
];

function Buckets({ accounts }: { readonly accounts: readonly Opened[] }) {
  const [sought, setSought] = useState("");
  const rows = accounts.flatMap((account) => {
    const scans = new Map(whole(account).map((it) => [it.bucket, it]));
    return account.listed.map(
      (it): Line => ({ account, bucket: it.name, created: it.created, region: it.region, scan: scans.get(it.name) }),
    );
  });
  if (!rows.length) return <Empty title="There are no buckets in these accounts, or these keys may not see them." />;
  const found = rows.filter((it) => `${it.account.name} ${it.bucket}`.toLowerCase().includes(sought.toLowerCase()));
  return (
    <>
      <search class="filters">
        <Field label="Search" type="search" value={sought} onInput={(event) => setSought(event.currentTarget.value)} />
      </search>
      {found.length ? (
        <Table label="Buckets" columns={COLUMNS} rows={found} sort={{ column: "bucket", descending: false }} />
      ) : (
        <Empty title="No bucket is called so." />
      )}
    </>
  );
}

export function bucketLink(account: Opened, bucket: string, prefix = "", query: Readonly<Record<string, string>> = {}): string {
  return link("explore", [account.name, bucket, ...(prefix ? [prefix] : [])], {
    ...query,
    endpoint: account.endpoint,
    region: account.region,
  });
}

const TONES = { running: "plain", done: "good", cancelled: "warn", truncated: "warn", failed: "bad" } as const;

export function State({ scan }: { readonly scan: Scanned }) {
  return (
    <span title={scan.error}>
      <Badge tone={TONES[scan.state]}>{scan.state}</Badge> {scan.error}
    </span>
  );
}

export function Lines({ lines }: { readonly lines: readonly string[] }) {
  return (
    <details>
      <summary>The same from a shell</summary>
      {lines.map((it) => (
        <Copy key={it} text={it} />
      ))}
    </details>
  );
}
