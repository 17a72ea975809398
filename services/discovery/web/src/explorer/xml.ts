import { XMLParser } from "fast-xml-parser";
import type { Entry } from "./listing.ts";

/** S3's documents. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Types_Amazon_Simple_Storage_Service.html */

const MANY = new Set(["Bucket", "Contents", "Version", "DeleteMarker", "CommonPrefixes", "Tag"]);
const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true, // for characters by number
  isArray: (name) => MANY.has(name),
});

type Node = { readonly [name: string]: string | Node | readonly Node[] | undefined };

export interface Bucket {
  readonly name: string;
  readonly created: number;
  readonly region: string;
}

export interface Page {
  readonly entries: readonly Entry[];
  readonly prefixes: readonly string[];
  /** The parameters that ask for the next page; `undefined`: this is the last. */
  readonly next: Readonly<Record<string, string>> | undefined;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly region: string;
}

/** The root element; an empty one when the text is no document. */
function rootOf(xml: string): { name: string; root: Node } {
  const document = parser.parse(xml) as Node;
  const [name = ""] = Object.keys(document);
  const root = document[name];
  return { name, root: typeof root === "object" ? (root as Node) : {} };
}

function text(node: Node | undefined, name: string): string {
  const value = node?.[name];
  return typeof value === "string" ? value : "";
}

function nodes(node: Node, name: string): readonly Node[] {
  const value = node[name];
  return Array.isArray(value) ? value : [];
}

/** ListBuckets, and ListBucketsV2 where there are regions. */
export function parseBuckets(xml: string): { buckets: Bucket[]; token: string } {
  const { root } = rootOf(xml);
  const buckets = nodes((root.Buckets as Node) ?? {}, "Bucket").map((it) => ({
    name: text(it, "Name"),
    created: Date.parse(text(it, "CreationDate")),
    region: text(it, "BucketRegion"),
  }));
  return { buckets, token: text(root, "ContinuationToken") };
}

/** A page of ListObjectsV2 or ListObjectVersions. Raises an error when it is none: a listing that ends early must not pass for a whole one. */
export function parsePage(xml: string): Page {
  const { name, root } = rootOf(xml);
  if (name !== "ListBucketResult" && name !== "ListVersionsResult") throw new Error("The answer is no listing.");
  const decoded = text(root, "EncodingType") === "url" ? decodeKey : (key: string) => key;
  const versions = name === "ListVersionsResult";
  const listed = versions
    ? [
        ...nodes(root, "Version").map((it) => entry(it, decoded, true, false)),
        ...nodes(root, "DeleteMarker").map((it) => entry(it, decoded, true, true)),
      ]
    : nodes(root, "Contents").map((it) => entry(it, decoded, false, false));
  const prefixes = nodes(root, "CommonPrefixes").map((it) => decoded(text(it, "Prefix")));
  return { entries: listed, prefixes, next: text(root, "IsTruncated") === "true" ? next(root, versions, decoded) : undefined };
}

function next(root: Node, versions: boolean, decoded: (key: string) => string): Record<string, string> {
  const following: Record<string, string> = versions
    ? { "key-marker": decoded(text(root, "NextKeyMarker")), "version-id-marker": text(root, "NextVersionIdMarker") }
    : { "continuation-token": text(root, "NextContinuationToken") };
  if (!Object.values(following)[0]) throw new Error("The listing goes on, but the provider does not say where.");
  return following;
}

function entry(node: Node, decoded: (key: string) => string, versions: boolean, deleted: boolean): Entry {
  return {
    key: decoded(text(node, "Key")),
    size: Number(text(node, "Size")) || 0,
    modified: Date.parse(text(node, "LastModified")) || 0,
    storageClass: text(node, "StorageClass") || "STANDARD",
    etag: text(node, "ETag").replaceAll('"', ""),
    versionId: versions ? text(node, "VersionId") : "",
    latest: !versions || text(node, "IsLatest") === "true",
    deleted,
  };
}

/** As the provider encodes keys in listings: like a form, so that a plus is a space. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return key;
  }
}

export function parseRefusal(xml: string): Refusal {
  const { name, root } = xml.trimStart().startsWith("<") ? rootOf(xml) : { name: "", root: {} };
  return name === "Error"
    ? { code: text(root, "Code"), message: text(root, "Message"), region: text(root, "Region") }
    : { code: "", message: "", region: "" };
}

export function parseTags(xml: string): Record<string, string> {
  const { root } = rootOf(xml);
  return Object.fromEntries(nodes((root.TagSet as Node) ?? {}, "Tag").map((it) => [text(it, "Key"), text(it, "Value")]));
}

/** What a settings document says, as lines of path and value: `Rule.Status`: `Enabled`. */
export function parseFacts(xml: string): [string, string][] {
  const { name, root } = rootOf(xml);
  return Object.keys(root).length ? flat(root, "") : [[name, text(parser.parse(xml) as Node, name)]];
}

function flat(node: Node, path: string): [string, string][] {
  return Object.entries(node).flatMap(([name, value]): [string, string][] => {
    const here = path ? `${path}.${name}` : name;
    if (typeof value === "string") return name === "#text" ? [] : [[here, value]];
    if (Array.isArray(value))
      return value.flatMap((it, index) =>
        typeof it === "string" ? [[here, it] as [string, string]] : flat(it, `${here}[${index}]`),
      );
    return value ? flat(value as Node, here) : [];
  });
}
