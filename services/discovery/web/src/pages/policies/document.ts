import type { Policy } from "../../admin.ts";
import { codesIn } from "../../countries.ts";

/** A policy as texts of a form; what is empty is left to the level above. */
export type Texts = Readonly<Record<string, string>>;

const LISTS = ["region_lock", "operator_lock"] as const;
const NUMBERS = ["replica_count", "write_quorum", "write_width", "rpo_seconds"] as const;
const WORDS = ["spread", "layout"] as const;

export function textsOf(policy: Policy | null): Texts {
  const lists = LISTS.map((name) => [name, policy?.[name]?.join(", ") ?? ""]);
  const numbers = NUMBERS.map((name) => [name, String(policy?.[name] ?? "")]);
  const words = WORDS.map((name) => [name, policy?.[name] ?? ""]);
  return Object.fromEntries([...lists, ...numbers, ...words]);
}

/** `before`: what the form knows nothing of stays as it was. A number that is none is kept as text, for the service to say what is wrong. */
export function policyOf(texts: Texts, before: Policy | null): Policy {
  const changed: Record<string, unknown> = { ...before };
  for (const name of LISTS) {
    const words = codesIn(texts[name] ?? "");
    changed[name] = words.length ? words : undefined;
  }
  for (const name of NUMBERS) {
    const text = (texts[name] ?? "").trim();
    changed[name] = text === "" ? undefined : /^\d+$/.test(text) ? Number(text) : text;
  }
  for (const name of WORDS) {
    changed[name] = texts[name] || undefined;
  }
  return Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined));
}
