import type { Entry, Listing } from "./listing.ts";

/** What of a listing is shown, and in which order. */
export interface Selection {
  readonly prefix: string;
  /** Rows are what is directly below the prefix, folders first; otherwise everything below it. */
  readonly folders: boolean;
  /** Part of the key after the prefix; case does not matter. */
  readonly search: string;
  readonly storageClass: string;
  /** Every version and delete marker; otherwise only current objects. */
  readonly versions: boolean;
  readonly sort: "name" | "size" | "modified";
  readonly descending: boolean;
}

/** `objects` is -1 where only its name is known. */
export interface Folder {
  readonly name: string;
  readonly objects: number;
  readonly size: number;
  readonly modified: number;
}

export type Row = ({ readonly kind: "folder" } & Folder) | ({ readonly kind: "object"; readonly name: string } & Entry);

const SLASH = 0x2f;

/** Rows of a listing; each is made when it is asked for. */
export class View {
  private readonly listing: Listing;
  private readonly prefix: string;
  private readonly folders: readonly Folder[];
  private readonly entries: Uint32Array;

  constructor(listing: Listing, selection: Selection) {
    this.listing = listing;
    this.prefix = selection.prefix;
    const { folders, entries } = selected(listing, selection);
    this.folders = sortedFolders(folders, selection);
    this.entries = sortedEntries(listing, entries, selection);
  }

  get length(): number {
    return this.folders.length + this.entries.length;
  }

  rows(first: number, end: number): Row[] {
    return Array.from({ length: Math.max(0, Math.min(end, this.length) - first) }, (_, offset) => this.row(first + offset));
  }

  private row(index: number): Row {
    const folder = this.folders[index];
    if (folder) return { kind: "folder", ...folder };
    const entry = this.listing.at(this.entries[index - this.folders.length] as number);
    return { kind: "object", name: entry.key.slice(this.prefix.length), ...entry };
  }
}

interface Found {
  folders: Map<string, { objects: number; size: number; modified: number }>;
  entries: Uint32Array;
}

/** One pass over the listing. */
function selected(listing: Listing, selection: Selection): Found {
  const prefix = new TextEncoder().encode(selection.prefix);
  const search = selection.search.toLowerCase();
  const found = new Uint32Array(listing.length);
  const folders: Found["folders"] = new Map();
  const decoder = new TextDecoder();
  for (const folder of listing.folders) {
    const name = folder.slice(selection.prefix.length);
    if (folder.startsWith(selection.prefix) && name.toLowerCase().includes(search))
      folders.set(name, { objects: -1, size: 0, modified: 0 });
  }
  let count = 0;
  for (let index = 0; index < listing.length; index++) {
    if (!selection.versions && (listing.deleted(index) || !listing.latest(index))) continue;
    if (selection.storageClass && listing.storageClass(index) !== selection.storageClass) continue;
    if (!listing.keys.startsWith(index, prefix)) continue;
    const rest = listing.keys.raw(index).subarray(prefix.length);
    const slash = selection.folders ? rest.indexOf(SLASH) : -1;
    const name = search || slash >= 0 ? decoder.decode(slash < 0 ? rest : rest.subarray(0, slash + 1)) : "";
    if (search && !name.toLowerCase().includes(search)) continue;
    if (slash < 0) found[count++] = index;
    else addTo(folders, name, listing, index);
  }
  return { folders, entries: found.slice(0, count) };
}

function addTo(folders: Found["folders"], name: string, listing: Listing, index: number): void {
  const folder = folders.get(name) ?? { objects: 0, size: 0, modified: 0 };
  folder.objects += listing.deleted(index) ? 0 : 1;
  folder.size += listing.size(index);
  folder.modified = Math.max(folder.modified, listing.modified(index));
  folders.set(name, folder);
}

function sortedFolders(found: Found["folders"], { sort, descending }: Selection): Folder[] {
  const folders = [...found].map(([name, totals]) => ({ name, ...totals }));
  const sign = descending ? -1 : 1;
  if (sort === "name") folders.sort((a, b) => (a.name < b.name ? -sign : sign));
  else folders.sort((a, b) => (a[sort] - b[sort]) * sign);
  return folders;
}

/** By name, S3's own order is kept. */
function sortedEntries(listing: Listing, entries: Uint32Array, { sort, descending }: Selection): Uint32Array {
  const sign = descending ? -1 : 1;
  if (sort === "name") return descending ? entries.reverse() : entries;
  const of = sort === "size" ? (index: number) => listing.size(index) : (index: number) => listing.modified(index);
  return entries.sort((a, b) => (of(a) - of(b)) * sign || a - b);
}
