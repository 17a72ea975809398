import { api } from "../../api.ts";
import type { Feature } from "../../catalogue.ts";
import { asRequest, type Question } from "./question.ts";

/** As `POST /api/sovereignty` answers (docs/api.md). */
export interface Candidate {
  readonly id: string;
  readonly provider: string;
  readonly country: string | null;
  readonly jurisdictions: readonly string[];
  readonly owners_known: boolean;
  readonly city?: string;
  readonly endpoint?: string;
  readonly features?: Readonly<Partial<Record<Feature, boolean>>>;
}

export interface Verdict {
  readonly candidate: Candidate;
  readonly reason: string | null;
  readonly certain: boolean;
}

export interface Placement {
  readonly ids: readonly string[];
  readonly countries: readonly string[];
  readonly providers: readonly string[];
  readonly jurisdictions: readonly string[];
  readonly features: readonly Feature[];
}

export interface Ranking {
  readonly verdicts: readonly Verdict[];
  readonly placements: readonly Placement[];
  readonly chosen: readonly string[];
  readonly refusal: string | null;
  readonly complete: boolean;
}

export function rank(question: Question, signal: AbortSignal): Promise<Ranking> {
  return api.post<Ranking>("/api/sovereignty", { ...asRequest(question), limit: 20 }, { signal });
}

export type Standing = "in" | "unknown" | "out";

export function standing({ reason, certain }: Verdict): Standing {
  return reason === null ? "in" : certain ? "out" : "unknown";
}

const MANY = 6;

/** A reason with what it lists in parentheses cut short: a group of countries is as good as its first few. */
export function shortened(reason: string): string {
  return reason.replace(/\(([A-Z]{2}(?:, [A-Z]{2})+)\)/g, (whole, codes: string) => {
    const all = codes.split(", ");
    return all.length > MANY ? `(${all.slice(0, 3).join(", ")} … ${all.length} in all)` : whole;
  });
}
