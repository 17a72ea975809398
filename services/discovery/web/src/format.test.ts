import assert from "node:assert/strict";
import test from "node:test";
import { formatAgo, formatBytes, formatCopies, formatDuration, formatShare, formatThings } from "./format.ts";

test("sizes", () => {
  const read = [0, 1, 1023, 1024, 1536, 150 * 1024 ** 2, 1024 ** 6].map(formatBytes);
  assert.deepEqual(read, ["0 B", "1 B", "1,023 B", "1.0 KiB", "1.5 KiB", "150 MiB", "1.0 EiB"]);
});

test("only all of them are 100 %", () => {
  assert.equal(formatShare(0, 0), "–");
  assert.deepEqual(
    [0, 57, 99_999, 100_000].map((it) => formatShare(it, 100_000)),
    ["0 %", "0 %", "99.9 %", "100 %"],
  );
  assert.equal(formatShare(57, 100), "57 %");
});

test("durations", () => {
  assert.deepEqual([0, 59.6, 3_700, 90_061].map(formatDuration), ["0 s", "1 min", "1 h 1 min", "1 d 1 h"]);
});

test("how long ago", () => {
  assert.equal(formatAgo("2026-01-01T00:00:00Z", Date.parse("2026-01-03T01:00:00Z")), "2d ago");
});

test("one is not many", () => {
  assert.deepEqual([0, 1, 2_000].map(formatCopies), ["0 copies", "1 copy", "2,000 copies"]);
  assert.deepEqual([formatThings(1, "bucket"), formatThings(2, "bucket")], ["1 bucket", "2 buckets"]);
});
