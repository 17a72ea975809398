import assert from "node:assert/strict";
import { test } from "node:test";
import { type Listed, pieces } from "./saving.ts";

async function* listing(...listed: Listed[]): AsyncGenerator<Listed> {
  yield* listed;
}

async function cut(keys: "kept" | "dropped", ...listed: Listed[]) {
  let truncated = false;
  const made = [];
  for await (const piece of pieces(listing(...listed), keys, () => {
    truncated = true;
  })) {
    made.push(piece);
  }
  return { made, truncated };
}

const objects = (count: number, key = "k") =>
  Array.from({ length: count }, (_, at) => ({ bucket: "b", key: `${key}${at}`, size: 1 }));

test("nothing makes no piece", async () => assert.deepEqual(await cut("kept"), { made: [], truncated: false }));

test("what comes page by page is sent in full pieces, and nothing is lost", async () => {
  const { made } = await cut("kept", { buckets: [{ bucket: "b" }] }, { objects: objects(4_000) }, { objects: objects(7_000) });
  assert.deepEqual(
    made.map((it) => it.objects.length),
    [5_000, 5_000, 1_000],
  );
  assert.equal(made[0]?.buckets.length, 1);
});

test("long keys make smaller pieces", async () => {
  const { made } = await cut("kept", { objects: objects(5_000, "ü".repeat(1_000)) });
  assert.ok(made.length > 1);
  for (const piece of made) assert.ok(new TextEncoder().encode(JSON.stringify(piece)).length < 4 << 20);
});

test("keys that are not to be kept do not leave the browser", async () => {
  const { made } = await cut("dropped", { objects: objects(2) });
  assert.ok(!JSON.stringify(made).includes("k0"));
});

test("that there is more in a bucket, or that it could not be listed, is passed on", async () => {
  for (const more of [{ truncated: true }, { error: "AccessDenied" }, { truncated: false }]) {
    const { truncated } = await cut("kept", { buckets: [{ bucket: "b", ...more }] });
    assert.equal(truncated, !("truncated" in more) || more.truncated);
  }
});

test("an ETag that is none is left out, and the rest of the line stays", async () => {
  const { made } = await cut("kept", { objects: [{ bucket: "b", key: "k", etag: '"not one"', storage_class: "GLACIER" }] });
  assert.deepEqual(made[0]?.objects, [{ bucket: "b", key: "k", storage_class: "GLACIER" }]);
});
