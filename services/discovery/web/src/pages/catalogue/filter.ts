import { type Feature, jurisdictions, type Provider } from "../../catalogue.ts";

/** As it stands in the page's address; empty: whatever. */
export interface Filter {
  readonly q?: string;
  /** Where it has a site. */
  readonly country?: string;
  /** Whose law it is not known to answer to. */
  readonly without?: string;
  /** What it is said to have. */
  readonly feature?: string;
}

export function chosen(providers: readonly Provider[], { q, country, without, feature }: Filter): readonly Provider[] {
  const words = (q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return providers.filter(
    (it) =>
      (!country || it.sites.some((site) => site.country === country)) &&
      (!without || !jurisdictions(it).includes(without)) &&
      (!feature || it.features?.[feature as Feature] === true) &&
      words.every((word) => textOf(it).includes(word)),
  );
}

function textOf(it: Provider): string {
  const sites = it.sites.flatMap((site) => [site.site, site.region, site.city, site.country, site.endpoint]);
  const companies = [it.entity?.name, ...(it.ownership?.parents ?? []).map((parent) => parent.name)];
  return [it.provider, it.name, ...companies, ...it.certifications.map((each) => each.name), ...sites].join(" ").toLowerCase();
}
