import assert from "node:assert/strict";
import { test } from "node:test";
import { asRequest, questionOf, textsOf } from "./question.ts";

test("a question survives the page's address", () => {
  const question = questionOf({
    where: "eu, ch",
    law: "EU",
    copies: "3",
    spread: "provider",
    features: "object_lock",
    among: "backends",
  });
  assert.deepEqual(questionOf(textsOf(question)), question);
  assert.deepEqual(question.where, ["EU", "CH"]);
});

test("what is malformed is as if it were not there", () => {
  const question = questionOf({ copies: "-1", spread: "universe", features: "speed", among: "x" });
  assert.deepEqual(question, { where: [], law: [], copies: 2, spread: "country", features: [], among: "catalogue" });
});

test("no lock is asked for where none is given", () => {
  assert.deepEqual(asRequest(questionOf({})).policy, { replica_count: 2, spread: "country" });
  assert.deepEqual(asRequest(questionOf({ where: "FI", law: "EU" })).policy, {
    region_lock: ["FI"],
    operator_lock: ["EU"],
    replica_count: 2,
    spread: "country",
  });
});
