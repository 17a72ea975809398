import assert from "node:assert/strict";
import test from "node:test";
import { type Entry, Listing } from "./listing.ts";
import { addressOf } from "./provider.ts";
import { settingFields, settingOf } from "./settings.ts";
import { Texts } from "./texts.ts";
import { totalsOf } from "./totals.ts";
import { type Selection, View } from "./view.ts";
import { parseBuckets, parseFacts, parsePage, parseRefusal, parseTags } from "./xml.ts";

const DAY = 86_400_000;
const ALL: Selection = {
  prefix: "",
  folders: true,
  search: "",
  storageClass: "",
  versions: false,
  sort: "name",
  descending: false,
};

function listing(...entries: Partial<Entry>[]): Listing {
  const made = new Listing();
  const plain = {
    key: "k",
    size: 1,
    modified: 0,
    storageClass: "STANDARD",
    etag: "",
    versionId: "",
    latest: true,
    deleted: false,
  };
  for (const entry of entries) made.add({ ...plain, ...entry });
  return made;
}

function names(from: Listing, selection: Partial<Selection> = {}): string[] {
  const view = new View(from, { ...ALL, ...selection });
  return view.rows(0, view.length).map((it) => it.name);
}

test("texts come back as they were, however many and whatever they hold", () => {
  const texts = new Texts();
  const given = Array.from({ length: 3_000 }, (_, index) => ["", "a", "ü/ß 🏠", "x".repeat(index)][index % 4] as string);
  for (const text of given) texts.add(text);
  assert.deepEqual(
    given.map((_, index) => texts.at(index)),
    given,
  );
  assert.ok(texts.startsWith(2, new TextEncoder().encode("ü/")));
  assert.ok(!texts.startsWith(0, new TextEncoder().encode("a")));
});

test("a listing gives its entries back", () => {
  const entry = {
    key: "a/b",
    size: 2 ** 40,
    modified: 1_700_000_000_000,
    storageClass: "GLACIER",
    etag: "e",
    versionId: "v",
    latest: false,
    deleted: true,
  };
  assert.deepEqual(listing({ key: "z" }, entry).at(1), entry);
});

test("folders come first, with what is in them; deeper ones are inside", () => {
  const from = listing({ key: "b" }, { key: "a/x", size: 5 }, { key: "a/y/z", size: 7 }, { key: "c/w" });
  assert.deepEqual(names(from), ["a/", "c/", "b"]);
  assert.deepEqual(names(from, { prefix: "a/" }), ["y/", "x"]);
  assert.deepEqual(names(from, { folders: false }), ["b", "a/x", "a/y/z", "c/w"]);
  const [folder] = new View(from, ALL).rows(0, 1);
  assert.deepEqual([folder?.kind, folder?.size], ["folder", 12]);
});

test("search, storage class, versions and order", () => {
  const from = listing(
    { key: "Report.PDF", size: 3, modified: 2 * DAY },
    { key: "img.png", size: 9, storageClass: "GLACIER" },
    { key: "old", size: 5, latest: false, versionId: "1" },
    { key: "gone", size: 0, deleted: true, versionId: "2" },
  );
  assert.deepEqual(names(from, { search: "pdf" }), ["Report.PDF"]);
  assert.deepEqual(names(from, { storageClass: "GLACIER" }), ["img.png"]);
  assert.deepEqual(names(from), ["Report.PDF", "img.png"]);
  assert.deepEqual(names(from, { versions: true, sort: "size", descending: true }), ["img.png", "old", "Report.PDF", "gone"]);
  assert.deepEqual(names(from, { sort: "modified" }), ["img.png", "Report.PDF"]);
});

test("totals count what is below a prefix", () => {
  const from = listing(
    { key: "p/a/1.TXT", size: 10, modified: 9 * DAY },
    { key: "p/a/2.txt", size: 5, modified: 0 },
    { key: "p/readme", size: 1, modified: 10 * DAY },
    { key: "q", size: 100 },
    { key: "p/gone", deleted: true, size: 0 },
  );
  const totals = totalsOf(from, "p/", 10 * DAY);
  assert.deepEqual([totals.objects, totals.bytes], [3, 16]);
  assert.deepEqual(totals.prefixes, [
    { name: "a/", objects: 2, bytes: 15 },
    { name: "(here)", objects: 1, bytes: 1 },
  ]);
  assert.deepEqual(totals.types[0], { name: ".txt", objects: 2, bytes: 15 });
  assert.deepEqual(
    totals.ages.map((it) => it.objects),
    [2, 0, 1, 0, 0, 0, 0],
  );
});

test("pages of listings", () => {
  const page =
    parsePage(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType>
    <IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1 </NextContinuationToken>
    <Contents><Key>a%2Fb+c%0A</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&#34;abc&#34;</ETag><Size>007</Size><StorageClass>GLACIER</StorageClass></Contents>
    <CommonPrefixes><Prefix>x%2F</Prefix></CommonPrefixes></ListBucketResult>`);
  assert.deepEqual(page.next, { "continuation-token": "t&1 " });
  assert.deepEqual(page.prefixes, ["x/"]);
  const [entry] = page.entries;
  assert.deepEqual([entry?.key, entry?.size, entry?.etag, entry?.modified], ["a/b c\n", 7, "abc", Date.UTC(2026, 0, 2, 3, 4, 5)]);
});

test("pages of versions", () => {
  const page =
    parsePage(`<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key> 1 </Key><VersionId>v</VersionId><IsLatest>false</IsLatest><Size>3</Size></Version>
    <DeleteMarker><Key>d</Key><VersionId>w</VersionId><IsLatest>true</IsLatest></DeleteMarker></ListVersionsResult>`);
  assert.equal(page.next, undefined);
  assert.deepEqual(
    page.entries.map((it) => [it.key, it.versionId, it.latest, it.deleted]),
    [
      [" 1 ", "v", false, false],
      ["d", "w", true, true],
    ],
  );
});

test("what is no listing, or does not say how it goes on, is an error and no end", () => {
  for (const text of [
    "",
    "no document",
    "<html></html>",
    "<ListBucketResult><Contents>",
    "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
  ]) {
    assert.throws(() => parsePage(text));
  }
});

test("a page with more entities than anybody would think, and none that a document makes up", () => {
  const many = `<Contents><Key>a</Key><ETag>&quot;${"0".repeat(32)}&quot;</ETag></Contents>`.repeat(5_000);
  assert.equal(parsePage(`<ListBucketResult>${many}</ListBucketResult>`).entries.length, 5_000);
  assert.throws(() =>
    parsePage('<!DOCTYPE a [<!ENTITY b "bb">]><ListBucketResult><Contents><Key>&b;</Key></Contents></ListBucketResult>'),
  );
});

test("other documents", () => {
  const buckets =
    "<ListAllMyBucketsResult><Buckets><Bucket><Name>one</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>";
  assert.deepEqual(parseBuckets(buckets), { buckets: [{ name: "one", created: Date.UTC(2026, 0, 1), region: "" }], token: "" });
  assert.equal(parseRefusal("<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>").code, "NoSuchBucket");
  assert.equal(parseRefusal("<html>").code, "");
  assert.deepEqual(parseTags("<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"), { a: "1" });
  assert.deepEqual(parseFacts("<X><A><B>1</B></A><C>2</C></X>"), [
    ["A.B", "1"],
    ["C", "2"],
  ]);
});

test("settings become what a snapshot says of a bucket", async () => {
  const set = await settingOf(
    "versioning",
    async () => "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
  );
  const lock = await settingOf("object-lock", async () => "<ObjectLockConfiguration></ObjectLockConfiguration>");
  assert.deepEqual(settingFields([set, lock]), { versioning: "Enabled", object_lock: false });
});

test("addresses", () => {
  const place = { endpoint: "https://s3.eu-west-1.example", addressing: "path", region: "eu-west-1" } as const;
  const where = { bucket: "b", key: "a b/ü+%/'", query: { prefix: "x y" } };
  assert.equal(addressOf(place, where).href, "https://s3.eu-west-1.example/b/a%20b/%C3%BC%2B%25/%27?prefix=x%20y");
  assert.equal(
    addressOf({ ...place, addressing: "virtual" }, { bucket: "b", region: "eu-west-2" }).href,
    "https://b.s3.eu-west-2.example/",
  );
  assert.throws(() => addressOf(place, { bucket: "b", key: "a/../c" }), /slashes/);
});
