import type { Feature } from "../../catalogue.ts";
import { FEATURES } from "../../catalogue.ts";
import { codesIn } from "../../countries.ts";
import { quoted } from "../../shell.ts";

export const SPREADS = { country: "in different countries", provider: "at different providers", backend: "anywhere" } as const;
export type Spread = keyof typeof SPREADS;
export type Among = "catalogue" | "backends";

/** Where data may live, as somebody asks it. In a page's address each field is a text. */
export interface Question {
  /** Countries or groups, the preferred ones first; none: anywhere. */
  readonly where: readonly string[];
  /** Whose laws the operators may answer to; none: anybody's. */
  readonly law: readonly string[];
  readonly copies: number;
  readonly spread: Spread;
  readonly features: readonly Feature[];
  readonly among: Among;
}

type Texts = Readonly<Record<string, string>>;

const MOST_COPIES = 16;

/** What is malformed is as if it were not there. */
export function questionOf(texts: Texts): Question {
  const copies = Number(texts.copies);
  return {
    where: codesIn(texts.where ?? ""),
    law: codesIn(texts.law ?? ""),
    copies: Number.isInteger(copies) && copies >= 1 && copies <= MOST_COPIES ? copies : 2,
    spread: Object.hasOwn(SPREADS, texts.spread ?? "") ? (texts.spread as Spread) : "country",
    features: (texts.features ?? "").split(",").filter((it): it is Feature => Object.hasOwn(FEATURES, it)),
    among: texts.among === "backends" ? "backends" : "catalogue",
  };
}

export function textsOf(question: Question): Texts {
  const { where, law, copies, spread, features, among } = question;
  return { where: where.join(","), law: law.join(","), copies: String(copies), spread, features: features.join(","), among };
}

/** As the API asks it: a policy as one level, and what every place must have. */
export function asRequest({ where, law, copies, spread, features, among }: Question) {
  const policy = {
    ...(where.length && { region_lock: where }),
    ...(law.length && { operator_lock: law }),
    replica_count: copies,
    spread,
  };
  return { policy, features, among };
}

/** The command line's way to ask the same, after `domicile sovereignty check` and `domicile snapshots plan <id>`. */
export function asArguments(question: Question): string {
  const { policy, features, among } = asRequest(question);
  return [quoted(JSON.stringify(policy)), ...features.map((it) => `--feature ${it}`), `--among ${among}`].join(" ");
}
