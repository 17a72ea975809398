import assert from "node:assert/strict";
import { test } from "node:test";
import { makeReceiver, sealFor } from "./sealing.ts";

const sealedIn = (envelope: string) => envelope.split(".")[2] ?? "";

test("what is sealed opens for its owner alone", async () => {
  const { seal_to, open } = await makeReceiver();
  const envelope = await sealFor({ key_id: "0123abcd", public_key: seal_to }, "wJalrXUtnFEMI/ü", "backend:fi");
  assert.match(envelope, /^h1\.0123abcd\.[A-Za-z0-9_-]+$/);
  assert.ok(!envelope.includes("wJalr"));
  assert.equal(await open(sealedIn(envelope), "backend:fi"), "wJalrXUtnFEMI/ü");
  await assert.rejects(open(sealedIn(envelope), "backend:de"));
  await assert.rejects((await makeReceiver()).open(sealedIn(envelope), "backend:fi"));
});

test("what is no key seals nothing", async () => {
  await assert.rejects(sealFor({ key_id: "x", public_key: "AAAA" }, "secret", "backend:fi"));
});
