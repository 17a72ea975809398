import assert from "node:assert/strict";
import test from "node:test";
import { importKey, Signer } from "./signing.ts";

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html and sig-v4-header-based-auth.html
const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const MOMENT = Date.UTC(2013, 4, 24);

async function signer(): Promise<Signer> {
  return new Signer({ accessKey: "AKIAIOSFODNN7EXAMPLE", key: await importKey(SECRET), region: "us-east-1" });
}

test("AWS's examples", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: MOMENT });
  const one = await signer();
  const headers = await one.headers("GET", new URL("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J"));
  assert.match(headers.authorization ?? "", /Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7$/);
  const url = await one.presign("GET", new URL("https://examplebucket.s3.amazonaws.com/test.txt"), 86400);
  assert.match(url, /X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404$/);
});

test("the secret cannot be read back", async () => {
  const key = await importKey(SECRET);
  await assert.rejects(crypto.subtle.exportKey("raw", key));
  assert.ok(!JSON.stringify({ ...(await signer()) }).includes("wJalr"));
});

test("a query is sent as it was signed", async () => {
  const url = await (await signer()).presign("GET", new URL("https://s3.example/b?prefix=a%20b%2Bc%2F%27"), 60);
  assert.ok(url.includes("prefix=a%20b%2Bc%2F%27"), url);
});
