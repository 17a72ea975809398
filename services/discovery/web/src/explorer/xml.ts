import { SaxesParser } from "saxes";
import type { Entry } from "./listing.ts";

/** S3's documents. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Types_Amazon_Simple_Storage_Service.html */

/** An element: its text, or its children. */
interface Node {
  readonly name: string;
  readonly children: Node[];
  text: string;
}

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

/** The root element. Raises an error when the text is no document. Entities that a document defines itself are not known, so they are errors. */
function rootOf(xml: string): Node {
  const top: Node = { name: "", children: [], text: "" };
  const open = [top];
  const parser = new SaxesParser({ position: false });
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name }) => {
    const node = { name, children: [], text: "" };
    (open.at(-1) as Node).children.push(node);
    open.push(node);
  });
  parser.on("text", (text) => {
    (open.at(-1) as Node).text += text;
  });
  parser.on("cdata", (text) => {
    (open.at(-1) as Node).text += text;
  });
  parser.on("closetag", () => open.pop());
  parser.write(xml).close();
  return top.children[0] as Node;
}

function nodes(node: Node | undefined, name: string): Node[] {
  return node?.children.filter((it) => it.name === name) ?? [];
}

function child(node: Node, name: string): Node | undefined {
  return node.children.find((it) => it.name === name);
}

function text(node: Node, name: string): string {
  return child(node, name)?.text ?? "";
}

/** ListBuckets, and ListBucketsV2 where there are regions. */
export function parseBuckets(xml: string): { buckets: Bucket[]; token: string } {
  const root = rootOf(xml);
  const buckets = nodes(child(root, "Buckets"), "Bucket").map((it) => ({
    name: text(it, "Name"),
    created: Date.parse(text(it, "CreationDate")),
    region: text(it, "BucketRegion"),
  }));
  return { buckets, token: text(root, "ContinuationToken") };
}

/** A page of ListObjectsV2 or ListObjectVersions. Raises an error when it is none: a listing that ends early must not pass for a whole one. */
export function parsePage(xml: string): Page {
  const root = rootOf(xml);
  if (root.name !== "ListBucketResult" && root.name !== "ListVersionsResult") throw new Error("The answer is no listing.");
  const decoded = text(root, "EncodingType") === "url" ? decodeKey : (key: string) => key;
  const versions = root.name === "ListVersionsResult";
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

/** Empty where it is no error document of S3's. */
export function parseRefusal(xml: string): Refusal {
  try {
    const root = rootOf(xml);
    if (root.name === "Error") return { code: text(root, "Code"), message: text(root, "Message"), region: text(root, "Region") };
  } catch {
    // a page of something in between, or nothing
  }
  return { code: "", message: "", region: "" };
}

export function parseTags(xml: string): Record<string, string> {
  return Object.fromEntries(nodes(child(rootOf(xml), "TagSet"), "Tag").map((it) => [text(it, "Key"), text(it, "Value")]));
}

/** What a settings document says, as lines of path and value: `Rule.Status`: `Enabled`. */
export function parseFacts(xml: string): [string, string][] {
  const root = rootOf(xml);
  return root.children.length ? root.children.flatMap((it) => flat(it, "")) : [[root.name, root.text]];
}

function flat(node: Node, path: string): [string, string][] {
  const here = path ? `${path}.${node.name}` : node.name;
  return node.children.length ? node.children.flatMap((it) => flat(it, here)) : [[here, node.text]];
}
