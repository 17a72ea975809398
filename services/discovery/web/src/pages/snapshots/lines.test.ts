import assert from "node:assert/strict";
import { test } from "node:test";
import { Lines, type Selection } from "./lines.ts";

const ALL: Selection = { filter: "", bucket: "", sort: "", descending: false };

const encoded = (...lines: object[]) =>
  new TextEncoder().encode(lines.map((it) => `${JSON.stringify(it)}\n`).join("")).buffer as ArrayBuffer;

function read() {
  const lines = new Lines();
  const described = lines.add(
    encoded(
      { line: "bucket", bucket: "b", versioning: "Off" },
      { line: "object", bucket: "b", key: "z/1", size: 3, last_modified: "2026-01-02T03:04:05.000Z" },
      { line: "object", bucket: "b", key: "a/1", size: 5, storage_class: "GLACIER", is_latest: false },
    ),
  );
  lines.add(encoded({ line: "object", bucket: "a", size: 1, is_delete_marker: true }));
  return { lines, described };
}

function shown(selection: Partial<Selection>) {
  const { lines } = read();
  const count = lines.select({ ...ALL, ...selection });
  const rows = lines.rows(0, 10);
  assert.equal(rows.length, count);
  return rows.map((it) => it.key);
}

test("lines are told as they were kept", () => {
  const { lines, described } = read();
  assert.deepEqual(described, [{ bucket: "b", versioning: "Off" }]);
  assert.equal(lines.select(ALL), 3);
  const rest = { last_modified: null, storage_class: "STANDARD", is_latest: true, is_delete_marker: false };
  assert.deepEqual(lines.rows(0, 3), [
    { ...rest, bucket: "b", key: "z/1", size: 3, last_modified: "2026-01-02T03:04:05.000Z" },
    { ...rest, bucket: "b", key: "a/1", size: 5, storage_class: "GLACIER", is_latest: false },
    { ...rest, bucket: "a", key: null, size: 1, is_delete_marker: true },
  ]);
  assert.deepEqual(lines.rows(1, 2), lines.rows(0, 3).slice(1, 2));
});

test("they are searched, and by bucket", () => {
  assert.deepEqual(shown({ filter: "/1" }), ["z/1", "a/1"]);
  assert.deepEqual(shown({ filter: "z" }), ["z/1"]);
  assert.deepEqual(shown({ filter: "1z" }), []); // not across two keys
  assert.deepEqual(shown({ filter: "z/1z/1" }), []);
  assert.deepEqual(shown({ bucket: "a" }), [null]);
  assert.deepEqual(shown({ bucket: "not there" }), []);
  assert.deepEqual(shown({ bucket: "b", filter: "a" }), ["a/1"]);
});

test("they are sorted by every column, and those that are alike stay in order", () => {
  assert.deepEqual(shown({ sort: "size" }), [null, "z/1", "a/1"]);
  assert.deepEqual(shown({ sort: "size", descending: true }), ["a/1", "z/1", null]);
  assert.deepEqual(shown({ sort: "key" }), [null, "a/1", "z/1"]);
  assert.deepEqual(shown({ sort: "bucket" }), [null, "z/1", "a/1"]);
  assert.deepEqual(shown({ sort: "bucket", descending: true }), ["z/1", "a/1", null]);
  assert.deepEqual(shown({ sort: "modified", descending: true }), ["z/1", "a/1", null]);
  assert.deepEqual(shown({ sort: "class" }), ["a/1", "z/1", null]);
});

test("more lines than fit at first are all kept", () => {
  const lines = new Lines();
  for (let piece = 0; piece < 3; piece++)
    lines.add(encoded(...Array.from({ length: 1_000 }, (_, at) => ({ line: "object", bucket: `b${piece}`, key: `k${at}` }))));
  assert.equal(lines.select({ ...ALL, bucket: "b2" }), 1_000);
  assert.deepEqual(lines.rows(999, 2_000)[0]?.key, "k999");
});
