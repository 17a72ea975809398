import assert from "node:assert/strict";
import test from "node:test";
import { ApiError } from "../api.ts";
import { importKey } from "../signing.ts";
import { Provider } from "./provider.ts";

async function provider() {
  const key = await importKey("a-made-up-secret-key");
  return new Provider({
    endpoint: "https://s3.eu-1.example.com",
    region: "eu-1",
    accessKey: "AKEXAMPLE",
    key,
    addressing: "path",
    route: "direct",
    relay: false,
  });
}

/** Instead of the network; gives the hosts that were asked. */
function answering(t: test.TestContext, answer: (host: string) => Response): readonly string[] {
  const hosts: string[] = [];
  t.mock.method(globalThis, "fetch", async (url: string) => {
    hosts.push(new URL(url).host);
    return answer(new URL(url).host);
  });
  return hosts;
}

const elsewhere = (region: string) => new Response("", { status: 301, headers: { "x-amz-bucket-region": region } });

test("a bucket is looked for in the region that the provider names", async (t) => {
  const hosts = answering(t, (host) => (host.includes("eu-2") ? new Response("<a/>") : elsewhere("eu-2")));
  assert.equal((await (await provider()).send("GET", { bucket: "b" })).text, "<a/>");
  assert.deepEqual(hosts, ["s3.eu-1.example.com", "s3.eu-2.example.com"]);
});

test("nobody is sent round in circles", async (t) => {
  const hosts = answering(t, (host) => elsewhere(host.includes("eu-2") ? "eu-3" : "eu-2"));
  await assert.rejects((await provider()).send("GET", { bucket: "b" }), ApiError);
  assert.equal(hosts.length, 2);
});

test("a region that is none leads nowhere", async (t) => {
  for (const region of ["evil.example/", "eu.2", "@evil", "EU 2"]) {
    const hosts = answering(t, () => elsewhere(region));
    await assert.rejects((await provider()).send("GET", { bucket: "b" }), ApiError);
    assert.deepEqual(hosts, ["s3.eu-1.example.com"]);
    t.mock.restoreAll();
  }
});
