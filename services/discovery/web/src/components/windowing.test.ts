import assert from "node:assert/strict";
import test from "node:test";
import { ROW, windowOf } from "./windowing.ts";

for (const count of [0, 1, 10, 1_000, 1_000_000, 10_000_000]) {
  test(`every row of ${count} can be reached, and few are drawn`, () => {
    const { height } = windowOf(count, 0, 600);
    for (let step = 0; step <= 20; step++) {
      const scrolled = (Math.max(0, height - 600) * step) / 20;
      const { first, end, top } = windowOf(count, scrolled, 600);
      assert.ok(end - first < 40);
      assert.ok(first === 0 || top <= scrolled, "what is seen above is drawn");
      assert.ok(end === count || top + (end - first) * ROW >= scrolled + 600, "what is seen below is drawn");
    }
    assert.equal(windowOf(count, 0, 600).first, 0);
    assert.equal(windowOf(count, height, 600).end, count);
  });
}
