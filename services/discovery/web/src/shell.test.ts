import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { quoted } from "./shell.ts";

test("a shell reads what was quoted", () => {
  for (const text of ["plain/key.txt", 'it\'s $HOME `x` "y" \\ *', "", "two\nlines", "-n ü"]) {
    assert.equal(execFileSync("sh", ["-c", `printf %s ${quoted(text)}`], { encoding: "utf8" }), text);
  }
});
