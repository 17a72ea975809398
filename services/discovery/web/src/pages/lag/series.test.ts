import assert from "node:assert/strict";
import test from "node:test";
import { seriesOf } from "./series.ts";

const sample = (at: string, backend_id: string, copies: number) => ({
  at,
  backend_id,
  copies,
  bytes: 0,
  oldest_seconds: 0,
  late: 0,
  parked: 0,
  removals: 0,
});

test("each backend is a line, and what nobody measured is a gap", () => {
  const samples = [
    sample("2026-03-04T05:00:00Z", "fi", 3),
    sample("2026-03-04T05:01:00Z", "de", 1),
    sample("2026-03-04T05:01:00Z", "fi", 0),
    sample("2026-03-04T05:04:00Z", "de", 7),
  ];
  const { times, lines } = seriesOf({ step_seconds: 60, samples }, "copies");
  const start = Date.parse("2026-03-04T05:00:00Z") / 1000;
  assert.deepEqual(
    times,
    [0, 60, 120, 180, 240].map((it) => start + it),
  );
  assert.deepEqual(lines, [
    { name: "de", values: [null, 1, null, null, 7] },
    { name: "fi", values: [3, 0, null, null, null] },
  ]);
});

test("nothing measured is no line", () => {
  assert.deepEqual(seriesOf({ step_seconds: 60, samples: [] }, "late"), { times: [], lines: [] });
});
