import assert from "node:assert/strict";
import test from "node:test";
import { link, parseRoute } from "./router.ts";

test("a link leads back to what it was made of", () => {
  for (const path of [[], ["a/b", "ü ?#&=%"], ["", "x"]]) {
    assert.deepEqual(parseRoute(link("explore", path, { q: "a=b&c", empty: "" })), {
      page: "explore",
      path,
      query: { q: "a=b&c" },
    });
  }
});

test("nonsense is a page that is not there", () => {
  assert.deepEqual(parseRoute("#/%zz"), { page: "%zz", path: [], query: {} });
  assert.equal(parseRoute("").page, "");
});
