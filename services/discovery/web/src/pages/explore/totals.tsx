import { hierarchy, treemap } from "d3-hierarchy";
import { type Bar, Bars, Empty, Load } from "../../components/index.ts";
import type { Total } from "../../explorer/index.ts";
import { formatBytes, formatCount, formatThings } from "../../format.ts";
import { useResource } from "../../resource.ts";
import { bucketLink } from "./accounts.tsx";
import { type BucketProps, wholeOf } from "./bucket.tsx";

const EVERY = 3; // seconds between two counts while the listing grows

export function TotalsPage(props: BucketProps) {
  const { account, bucket, prefix } = props;
  const scan = wholeOf(props);
  const totals = useResource(
    () => account.worker.totals(bucket, prefix),
    [bucket, prefix, scan?.state],
    scan?.state === "running" ? EVERY : 0,
  );
  if (!scan) return <Empty title="List everything below here, and this shows what it amounts to." />;
  return (
    <Load resource={totals} what="Counting">
      {(found) =>
        found && (
          <>
            <p class="lead">
              {formatThings(found.objects, "object")}, {formatBytes(found.bytes)}
              {scan.state === "running" && " so far"}
            </p>
            <h2>By folder</h2>
            <Treemap {...props} totals={found.prefixes} />
            <div class="columns">
              <Bars title="By folder" bars={told(found.prefixes)} />
              <Bars title="By type" bars={told(found.types)} />
              <Bars title="By age" bars={told(found.ages)} />
              <Bars title="By storage class" bars={told(found.classes)} />
            </div>
          </>
        )
      }
    </Load>
  );
}

const WIDTH = 1000;
const HEIGHT = 320;

/** Areas are bytes. The same figures stand below it in words. */
function Treemap({ account, bucket, prefix, totals }: BucketProps & { readonly totals: readonly Total[] }) {
  const root = hierarchy<{ children?: readonly Total[] } | Total>({ children: totals }).sum((it) =>
    "bytes" in it ? it.bytes : 0,
  );
  const tiles = treemap<{ children?: readonly Total[] } | Total>().size([WIDTH, HEIGHT]).padding(2)(root).leaves();
  return (
    <svg class="treemap" viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
      <title>Bytes by folder</title>
      {tiles.map(({ data, x0, x1, y0, y1 }, index) => {
        const { name, bytes } = data as Total;
        const tile = (
          <g transform={`translate(${x0} ${y0})`}>
            <title>{`${name}: ${formatBytes(bytes)}`}</title>
            <rect class={`tile-${index % 6}`} width={x1 - x0} height={y1 - y0} rx="3" />
            {x1 - x0 > 70 && y1 - y0 > 24 && (
              <text x="6" y="17">
                {name.slice(0, (x1 - x0) / 9)}
              </text>
            )}
          </g>
        );
        return name.endsWith("/") ? (
          <a key={name} href={bucketLink(account, bucket, prefix + name, { tab: "totals" })}>
            {tile}
          </a>
        ) : (
          tile
        );
      })}
    </svg>
  );
}

const told = (totals: readonly Total[]): readonly Bar[] =>
  totals.map(({ name, bytes, objects }) => ({ name, bytes, told: `${formatBytes(bytes)}, ${formatCount(objects)}` }));
