import assert from "node:assert/strict";
import { test } from "node:test";
import type { Part } from "../../explorer/index.ts";
import { bodyOf, pieces } from "./saving.ts";

async function* listing(...parts: Part[]): AsyncGenerator<Part> {
  yield* parts;
}

async function cut(...parts: Part[]) {
  let truncated = false;
  const made = [];
  for await (const piece of pieces(listing(...parts), () => {
    truncated = true;
  })) {
    made.push({ ...JSON.parse(await bodyOf(piece).text()), count: piece.count, bytes: piece.bytes });
  }
  return { made, truncated };
}

const bucket = (name: string, more: object = {}): Part => ({ bucket: { bucket: name, truncated: false, ...more } });

function objects(count: number, key = "k"): Part {
  const lines = Array.from({ length: count }, (_, at) => JSON.stringify({ bucket: "b", key: `${key}${at}`, size: 2 }));
  return { objects: { count, bytes: count * 2, json: new TextEncoder().encode(lines.join(",")) } };
}

test("nothing makes no piece", async () => assert.deepEqual(await cut(), { made: [], truncated: false }));

test("what comes in parts is gathered into pieces, and nothing is lost", async () => {
  const { made } = await cut(bucket("b"), objects(4_000), objects(3_000), bucket("c"), objects(5_000), objects(10));
  assert.deepEqual(
    made.map((it) => [it.buckets.length, it.objects.length, it.count, it.bytes]),
    [
      [2, 7_000, 7_000, 14_000],
      [0, 5_010, 5_010, 10_020],
    ],
  );
  assert.equal(made[0]?.objects[4_000].key, "k0");
});

test("a thousand small buckets go together", async () => {
  const { made } = await cut(...Array.from({ length: 1_000 }, (_, at) => [bucket(`b${at}`), objects(1)]).flat());
  assert.deepEqual(
    made.map((it) => [it.buckets.length, it.objects.length]),
    [[1_000, 1_000]],
  );
});

test("long keys make smaller pieces", async () => {
  const { made } = await cut(...Array.from({ length: 3 }, () => objects(1_000, "ü".repeat(1_000))));
  assert.equal(made.length, 3);
  for (const piece of made) assert.ok(new TextEncoder().encode(JSON.stringify(piece)).length < 4 << 20);
});

test("that there is more in a bucket, or that it could not be listed, is passed on", async () => {
  assert.equal((await cut(bucket("b", { truncated: true }))).truncated, true);
  assert.equal((await cut(bucket("b", { error: "AccessDenied" }))).truncated, true);
  assert.equal((await cut(bucket("b"))).truncated, false);
});
