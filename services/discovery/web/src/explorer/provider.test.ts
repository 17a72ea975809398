import assert from "node:assert/strict";
import test from "node:test";
import { ApiError } from "../api.ts";
import { importKey } from "../signing.ts";
import { type Place, Provider } from "./provider.ts";

async function provider(place: Partial<Place> = {}) {
  const key = await importKey("a-made-up-secret-key");
  return new Provider({
    endpoint: "https://s3.eu-1.example.com",
    region: "eu-1",
    accessKey: "AKEXAMPLE",
    key,
    addressing: "path",
    route: "direct",
    relay: false,
    ...place,
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

const busy = () =>
  Response.json(
    { error: { code: "TooManyRequests", message: "16 of your requests are being relayed already." } },
    { status: 429 },
  );

test("a relay that has too much to do is asked again, and in the end it is said that it was the relay", async (t) => {
  const asked: string[] = [];
  const answers = [busy, () => new Response("<a/>", { headers: { "relay-status": "200" } })];
  t.mock.method(globalThis, "fetch", async (url: string) => {
    asked.push(url);
    return (answers.shift() ?? busy)();
  });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const patient = await provider({ route: "relay", relay: true });
  const ticking = async <T>(running: Promise<T>): Promise<T> => {
    let over = false;
    const end = () => {
      over = true;
    };
    running.then(end, end);
    while (!over) {
      await new Promise(setImmediate);
      t.mock.timers.tick(10_000);
    }
    return running;
  };
  assert.equal((await ticking(patient.send("GET", { bucket: "b" }))).text, "<a/>");
  assert.deepEqual(asked, ["/api/relay", "/api/relay"]);
  await assert.rejects(ticking(patient.send("GET", { bucket: "b" })), {
    code: "TooManyRequests",
    message: /being relayed already/,
  });
});

test("where neither the tab nor the relay gets through, both reasons are told", async (t) => {
  t.mock.method(globalThis, "fetch", async (url: string) => {
    if (url !== "/api/relay") throw new TypeError("Failed to fetch");
    return Response.json({ error: { code: "RelayRefused", message: "Only https is relayed." } }, { status: 400 });
  });
  const sent = (await provider({ route: "auto", relay: true })).send("GET", { bucket: "b" });
  await assert.rejects(sent, { code: "Unreachable", message: /cannot be reached from this page.*Only https is relayed/ });
});
