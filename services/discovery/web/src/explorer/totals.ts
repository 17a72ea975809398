import type { Listing } from "./listing.ts";

export interface Total {
  readonly name: string;
  readonly objects: number;
  readonly bytes: number;
}

/** What lies below a prefix, counted in four ways. Delete markers are not objects, versions are. */
export interface Totals {
  readonly objects: number;
  readonly bytes: number;
  readonly prefixes: readonly Total[];
  readonly types: readonly Total[];
  readonly ages: readonly Total[];
  readonly classes: readonly Total[];
}

const DAY = 86_400_000;
const AGES: readonly (readonly [string, number])[] = [
  ["up to a day", DAY],
  ["up to a week", 7 * DAY],
  ["up to a month", 30 * DAY],
  ["up to a quarter", 91 * DAY],
  ["up to a year", 365 * DAY],
  ["up to 3 years", 3 * 365 * DAY],
  ["older", Number.POSITIVE_INFINITY],
];
/** How many are named; the rest is `others`. */
const NAMED = 24;
const SLASH = 0x2f;
const DOT = 0x2e;
const LONGEST_EXTENSION = 8;

export function totalsOf(listing: Listing, prefix: string, now: number): Totals {
  const start = new TextEncoder().encode(prefix);
  const counts = { prefixes: new Counts(), types: new Counts(), ages: new Counts(), classes: new Counts() };
  const decoder = new TextDecoder();
  for (let index = 0; index < listing.length; index++) {
    if (listing.deleted(index) || !listing.keys.startsWith(index, start)) continue;
    const rest = listing.keys.raw(index).subarray(start.length);
    const size = listing.size(index);
    const slash = rest.indexOf(SLASH);
    counts.prefixes.add(slash < 0 ? "(here)" : decoder.decode(rest.subarray(0, slash + 1)), size);
    counts.types.add(extensionOf(rest, decoder), size);
    counts.ages.add(ageOf(now - listing.modified(index)), size);
    counts.classes.add(listing.storageClass(index), size);
  }
  const ages = counts.ages.all();
  return {
    ...counts.ages.sum(),
    prefixes: counts.prefixes.largest(),
    types: counts.types.largest(),
    ages: AGES.map(([name]) => ages.find((it) => it.name === name) ?? { name, objects: 0, bytes: 0 }),
    classes: counts.classes.largest(),
  };
}

function ageOf(age: number): string {
  return (AGES.find(([, most]) => age <= most) as readonly [string, number])[0];
}

function extensionOf(key: Uint8Array, decoder: TextDecoder): string {
  const dot = key.lastIndexOf(DOT);
  const length = key.length - dot - 1;
  if (dot < 1 || length < 1 || length > LONGEST_EXTENSION || key.lastIndexOf(SLASH) > dot) return "(none)";
  return decoder.decode(key.subarray(dot)).toLowerCase();
}

class Counts {
  private readonly counts = new Map<string, { objects: number; bytes: number }>();

  add(name: string, bytes: number): void {
    const count = this.counts.get(name);
    if (count) {
      count.objects += 1;
      count.bytes += bytes;
    } else {
      this.counts.set(name, { objects: 1, bytes });
    }
  }

  all(): Total[] {
    return [...this.counts].map(([name, count]) => ({ name, ...count }));
  }

  sum(): { objects: number; bytes: number } {
    return sum(this.all());
  }

  largest(): Total[] {
    const sorted = this.all().sort((a, b) => b.bytes - a.bytes || b.objects - a.objects);
    const rest = sorted.slice(NAMED);
    return rest.length ? [...sorted.slice(0, NAMED), { name: `${rest.length} others`, ...sum(rest) }] : sorted;
  }
}

function sum(totals: readonly Total[]): { objects: number; bytes: number } {
  return totals.reduce((all, it) => ({ objects: all.objects + it.objects, bytes: all.bytes + it.bytes }), {
    objects: 0,
    bytes: 0,
  });
}
