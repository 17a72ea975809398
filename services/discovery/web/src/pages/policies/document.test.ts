import assert from "node:assert/strict";
import test from "node:test";
import { policyOf, textsOf } from "./document.ts";

const POLICY = {
  region_lock: ["FI", "DE"],
  replica_count: 2,
  spread: "country",
  rpo_seconds: 60,
  layout: "opaque",
  encryption: { mode: "none" },
} as const;

test("a policy goes through the form unchanged, with what the form does not know", () => {
  assert.deepEqual(policyOf(textsOf(POLICY), POLICY), POLICY);
  assert.deepEqual(policyOf(textsOf(null), null), {});
});

test("what is emptied is left to the level above", () => {
  const texts = { ...textsOf(POLICY), region_lock: " ", rpo_seconds: "", spread: "", layout: "" };
  assert.deepEqual(policyOf(texts, POLICY), { replica_count: 2, encryption: { mode: "none" } });
});

test("places may be set apart by commas or spaces, and what is no number is left to be refused", () => {
  assert.deepEqual(policyOf({ region_lock: "fi,DE  EU", replica_count: "two" }, null), {
    region_lock: ["FI", "DE", "EU"],
    replica_count: "two",
  });
});
