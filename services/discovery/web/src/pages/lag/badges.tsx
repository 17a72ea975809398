import { Badge } from "../../components/index.ts";
import { formatDuration } from "../../format.ts";

/** Whether what `rpo_seconds` promises is kept. */
export function PromiseBadge({ kept, seconds }: { readonly kept: boolean | null; readonly seconds: number | null }) {
  if (kept === null || seconds === null) return <Badge>nothing promised</Badge>;
  return kept ? (
    <Badge tone="good">within {formatDuration(seconds)}</Badge>
  ) : (
    <Badge tone="bad">late: {formatDuration(seconds)} promised</Badge>
  );
}
