import { api } from "./api.ts";

/** The catalogue of providers as the service shows it (`catalogue/schema.json`). What is `null` is not known. */
export interface Fact {
  readonly source: string;
  /** The day on which it was entered, and read at its source if it is `checked`. */
  readonly noted: string;
  readonly checked: boolean;
}

interface Company {
  readonly name: string;
  readonly country: string;
}

export type Feature = keyof typeof FEATURES;

export interface Site extends Fact {
  readonly site: string;
  readonly region: string | null;
  readonly country: string | null;
  readonly city: string | null;
  readonly endpoint: string | null;
}

export interface Provider {
  readonly provider: string;
  readonly name: string;
  readonly entity: (Fact & Company) | null;
  readonly ownership: (Fact & { readonly parents: readonly Company[] }) | null;
  readonly endpoint_pattern: string | null;
  readonly features: (Fact & Readonly<Record<Feature, boolean | null>>) | null;
  readonly certifications: readonly (Fact & { readonly name: string })[];
  readonly sites: readonly Site[];
}

export const FEATURES = {
  versioning: "Versioning",
  object_lock: "Object lock",
  checksums: "Checksums",
  conditional_writes: "Conditional writes",
  lifecycle: "Lifecycle rules",
  bucket_policies: "Bucket policies",
} as const;

let loaded: Promise<readonly Provider[]> | undefined;

/** Asked for once; it changes with a release only. */
export function loadCatalogue(): Promise<readonly Provider[]> {
  loaded ??= api.get<{ providers: readonly Provider[] }>("/api/catalogue").then(
    (answer) => answer.providers,
    (error) => {
      loaded = undefined;
      throw error;
    },
  );
  return loaded;
}

/** The laws that its operator is known to answer to, checked or not. */
export function jurisdictions({ entity, ownership }: Provider): readonly string[] {
  const companies = [...(entity ? [entity] : []), ...(ownership?.parents ?? [])];
  return [...new Set(companies.map((it) => it.country))];
}

/** Whether these are all of them, and somebody has read so. */
export function ownersKnown({ entity, ownership }: Provider): boolean {
  return Boolean(entity?.checked && ownership?.checked);
}

/** Whose this endpoint is, where that can be told. */
export function siteAt(providers: readonly Provider[], endpoint: string): { provider: Provider; site: Site } | undefined {
  const found = providers.flatMap((provider) =>
    provider.sites.filter((site) => site.endpoint === endpoint).map((site) => ({ provider, site })),
  );
  return found.length === 1 ? found[0] : undefined;
}
