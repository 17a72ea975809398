import type { History, Sample } from "../../admin.ts";

export type Measure = "oldest_seconds" | "copies" | "bytes" | "late" | "parked" | "removals";

export interface Series {
  /** Seconds since 1970, one for every step, also where nobody measured. */
  readonly times: readonly number[];
  readonly lines: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

/** One line for each backend; a gap where nobody measured, which is not the same as nothing owed. */
export function seriesOf({ step_seconds, samples }: History, measure: Measure): Series {
  const at = (sample: Sample) => Date.parse(sample.at) / 1000;
  const first = samples[0];
  const last = samples.at(-1);
  if (!first || !last) return { times: [], lines: [] };
  const start = at(first);
  const times = Array.from(
    { length: Math.round((at(last) - start) / step_seconds) + 1 },
    (_, step) => start + step * step_seconds,
  );
  const lines = new Map<string, (number | null)[]>();
  for (const sample of samples) {
    const values = lines.get(sample.backend_id) ?? Array.from(times, () => null);
    values[Math.round((at(sample) - start) / step_seconds)] = sample[measure];
    lines.set(sample.backend_id, values);
  }
  return { times, lines: [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, values]) => ({ name, values })) };
}
