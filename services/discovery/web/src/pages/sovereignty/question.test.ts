import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { asArguments, asRequest, questionOf, textsOf } from "./question.ts";

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
  const question = questionOf({ copies: "-1", spread: "constructor", features: "toString", among: "x" });
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

test("a link brings nothing into a shell but what was asked", () => {
  const question = questionOf({ where: "EU'$(id)'`id`" });
  const read = execFileSync("sh", ["-c", `printf '%s\\n' ${asArguments(question)}`], { encoding: "utf8" })
    .trim()
    .split("\n");
  assert.deepEqual(JSON.parse(read[0] as string), asRequest(question).policy);
  assert.deepEqual(read.slice(1), ["--among", "catalogue"]);
});
