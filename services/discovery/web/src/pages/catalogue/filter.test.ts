import assert from "node:assert/strict";
import { test } from "node:test";
import type { Provider } from "../../catalogue.ts";
import { chosen } from "./filter.ts";

const fact = { source: "https://acme.example/about", noted: "2026-01-02", checked: true };
const site = { ...fact, site: "hel1", region: "hel1", country: "FI", city: "Helsinki", endpoint: null };
const features = {
  ...fact,
  versioning: true,
  object_lock: false,
  checksums: null,
  conditional_writes: null,
  lifecycle: null,
  bucket_policies: null,
};
const acme: Provider = {
  provider: "acme",
  name: "Acme",
  entity: { ...fact, name: "Acme Oy", country: "FI" },
  ownership: { ...fact, parents: [{ name: "Umbrella Inc.", country: "US" }] },
  endpoint_pattern: null,
  features,
  certifications: [],
  sites: [site],
};
const other: Provider = {
  ...acme,
  provider: "other",
  name: "Other",
  ownership: null,
  features: null,
  sites: [{ ...site, country: null }],
};

const names = (filter: Parameters<typeof chosen>[1]) => chosen([acme, other], filter).map((it) => it.provider);

test("without a filter all are there", () => assert.deepEqual(names({}), ["acme", "other"]));
test("a country that is not known is no country", () => assert.deepEqual(names({ country: "FI" }), ["acme"]));
test("who answers to a law is left out, and who is not known to stays", () =>
  assert.deepEqual(names({ without: "US" }), ["other"]));
test("a feature has to be there", () => {
  assert.deepEqual(names({ feature: "versioning" }), ["acme"]);
  assert.deepEqual(names({ feature: "object_lock" }), []);
});
test("every word of a search is looked for in names, owners, cities", () => {
  assert.deepEqual(names({ q: "umbrella helsinki" }), ["acme"]);
  assert.deepEqual(names({ q: "umbrella stockholm" }), []);
});
