import { ApiError } from "../api.ts";
import { parseFacts } from "./xml.ts";

/** A bucket's settings, as far as the provider shows them. */
export interface Setting {
  readonly name: string;
  readonly title: string;
  /** `none`: not set, or the provider knows no such setting; `hidden`: the key may not see it. */
  readonly state: "set" | "none" | "hidden" | "failed";
  readonly facts: readonly (readonly [string, string])[];
}

/** Subresources of a bucket. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html */
export const SETTINGS: Readonly<Record<string, string>> = {
  versioning: "Versioning",
  "object-lock": "Object lock",
  encryption: "Encryption",
  policy: "Policy",
  policyStatus: "Policy status",
  publicAccessBlock: "Public access block",
  acl: "Access control list",
  ownershipControls: "Ownership controls",
  lifecycle: "Lifecycle",
  replication: "Replication",
  cors: "CORS",
  logging: "Logging",
  tagging: "Tags",
  location: "Location",
};

const ABSENT = new Set([400, 404, 405, 501]);

/** `load` answers a document. An error is part of the answer here: one setting that is refused says nothing of the others. */
export async function settingOf(name: string, load: () => Promise<string>): Promise<Setting> {
  const title = SETTINGS[name] ?? name;
  try {
    const document = await load();
    const facts: [string, string][] = document.trimStart().startsWith("{") ? [["", pretty(document)]] : parseFacts(document);
    const told = facts.filter(([, value]) => value !== "");
    return { name, title, state: told.length ? "set" : "none", facts: told };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 403) return { name, title, state: "hidden", facts: [] };
    if (ABSENT.has(error.status)) return { name, title, state: "none", facts: [] };
    return { name, title, state: "failed", facts: [["", error.message]] };
  }
}

function pretty(document: string): string {
  try {
    return JSON.stringify(JSON.parse(document), undefined, 2);
  } catch {
    return document;
  }
}

/** The fields of a bucket in a snapshot that settings tell; what is hidden is left out. (docs/api.md, Snapshots) */
export function settingFields(settings: readonly Setting[]): Record<string, string | boolean> {
  const by = new Map(settings.map((it) => [it.name, it]));
  const fact = (name: string, path: string) => by.get(name)?.facts.find(([at]) => at.endsWith(path))?.[1];
  const known = (name: string) => ["set", "none"].includes(by.get(name)?.state ?? "");
  const fields: Record<string, string | boolean | undefined> = {
    versioning: known("versioning") ? (fact("versioning", "Status") ?? "Off") : undefined,
    object_lock: known("object-lock") ? fact("object-lock", "ObjectLockEnabled") === "Enabled" : undefined,
    encryption: fact("encryption", "SSEAlgorithm"),
    has_policy: known("policy") ? by.get("policy")?.state === "set" : undefined,
    is_public: by.get("policyStatus")?.state === "set" ? fact("policyStatus", "IsPublic")?.toLowerCase() === "true" : undefined,
    has_lifecycle: known("lifecycle") ? by.get("lifecycle")?.state === "set" : undefined,
    has_replication: known("replication") ? by.get("replication")?.state === "set" : undefined,
  };
  return Object.fromEntries(Object.entries(fields).filter((it): it is [string, string | boolean] => it[1] !== undefined));
}
