import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, Listing } from "./listing.ts";
import { type Keys, packed } from "./packing.ts";

const ENTRY: Entry = {
  key: "k",
  size: 1,
  modified: 0,
  storageClass: "STANDARD",
  etag: "",
  versionId: "",
  latest: true,
  deleted: false,
};

function pack(keys: Keys, count: number, entry: Partial<Entry> = {}) {
  const listing = new Listing();
  for (let at = 0; at < count; at++) listing.add({ ...ENTRY, ...entry, key: `${entry.key ?? "k"}${at}` });
  return [...packed("b", listing, keys)];
}

const linesOf = (json: Uint8Array) => JSON.parse(`[${new TextDecoder().decode(json)}]`);

test("nothing makes nothing", () => assert.deepEqual(pack("kept", 0), []));

test("every object is there once, in order, and what is said of them is true", () => {
  const made = pack("kept", 12_000);
  assert.ok(made.every((it) => it.count <= 5_000 && it.bytes === it.count && linesOf(it.json).length === it.count));
  const keys = made.flatMap((it) => linesOf(it.json).map((line: { key: string }) => line.key));
  assert.deepEqual(
    keys,
    Array.from({ length: 12_000 }, (_, at) => `k${at}`),
  );
});

test("long keys make less of them, within what the service takes", () => {
  const made = pack("kept", 5_000, { key: "ü".repeat(500) });
  assert.ok(made.length > 1);
  for (const { json } of made) assert.ok(json.length < 3.5 * 2 ** 20);
});

test("keys that are not to be kept do not leave the browser", () => {
  const [made] = pack("dropped", 2);
  assert.ok(made && !new TextDecoder().decode(made.json).includes("k0"));
});

test("an ETag that is none is left out, and the rest of the line stays", () => {
  const [made] = pack("kept", 1, { etag: '"not one"', storageClass: "GLACIER", modified: 1000, versionId: "v" });
  assert.deepEqual(linesOf(made?.json as Uint8Array), [
    {
      bucket: "b",
      key: "k0",
      size: 1,
      last_modified: "1970-01-01T00:00:01.000Z",
      storage_class: "GLACIER",
      version_id: "v",
      is_latest: true,
      is_delete_marker: false,
    },
  ]);
});
