import assert from "node:assert/strict";
import { test } from "node:test";
import { shortened, standing } from "./ranking.ts";

test("long lists of countries are cut short, short ones are not", () => {
  const group = "AT, BE, BG, CY, CZ, DE, DK, EE";
  assert.equal(
    shortened(`us is in US, outside the region_lock (${group}).`),
    "us is in US, outside the region_lock (AT, BE, BG … 8 in all).",
  );
  assert.equal(shortened("outside the region_lock (FI, DE)."), "outside the region_lock (FI, DE).");
});

test("what is not certain is neither in nor out", () => {
  const candidate = { id: "a/1", provider: "a", country: "FI", jurisdictions: [], owners_known: false };
  assert.equal(standing({ candidate, reason: null, certain: true }), "in");
  assert.equal(standing({ candidate, reason: "because", certain: true }), "out");
  assert.equal(standing({ candidate, reason: "because", certain: false }), "unknown");
});
