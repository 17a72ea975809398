import type { ComponentType } from "preact";
import type { Route } from "../router.ts";
import type { Role, Session } from "../session.ts";

export interface PageProps {
  readonly route: Route;
}

/** The parts of the menu, in its order. */
export const GROUPS = ["Your data", "Operation", "People", "Explore and choose"] as const;

export interface Page {
  /** The first part of its address, `#/<name>`. */
  readonly name: string;
  readonly title: string;
  /** Where in the menu it stands; nowhere when not given. */
  readonly group?: (typeof GROUPS)[number];
  /** What is found there, in one sentence. */
  readonly about?: string;
  /** Who may open it; everybody when not given. */
  readonly roles?: readonly Role[];
  readonly load: () => Promise<{ default: ComponentType<PageProps> }>;
}

const OPERATORS: readonly Role[] = ["operator", "auditor"];
const TENANTS: readonly Role[] = ["tenant_admin", "tenant"];
const BOTH: readonly Role[] = [...OPERATORS, ...TENANTS];

/** All pages, as they stand in the menu. Each is loaded when it is opened. */
export const PAGES: readonly Page[] = [
  { name: "", title: "Domicile", load: () => import("./home/index.tsx") },
  {
    name: "overview",
    title: "Overview",
    group: "Your data",
    about: "A map of where the data lives, by country and backend, and what is still owed.",
    roles: BOTH,
    load: () => import("./overview/index.tsx"),
  },
  {
    name: "buckets",
    title: "Buckets",
    group: "Your data",
    about: "Where each bucket may be and is, and every copy of an object with its last verification.",
    roles: BOTH,
    load: () => import("./buckets/index.tsx"),
  },
  {
    name: "policies",
    title: "Policies",
    group: "Your data",
    about: "Countries, laws and copies, level by level; a change is tried before it counts.",
    roles: BOTH,
    load: () => import("./policies/index.tsx"),
  },
  {
    name: "lag",
    title: "Lag",
    group: "Your data",
    about: "How far copies are behind what was promised, now and over time.",
    roles: BOTH,
    load: () => import("./lag/index.tsx"),
  },
  {
    name: "owed",
    title: "Work",
    group: "Operation",
    about: "Copies and removals that are owed or parked, long tasks, and what scrubs found.",
    roles: OPERATORS,
    load: () => import("./owed/index.tsx"),
  },
  {
    name: "backends",
    title: "Backends",
    group: "Operation",
    about: "The S3 endpoints that keep the data: country, law, state and health.",
    roles: OPERATORS,
    load: () => import("./backends/index.tsx"),
  },
  {
    name: "adopt",
    title: "Adopt",
    group: "Operation",
    about: "Bring a bucket under management where it is, without moving its bytes.",
    roles: ["operator"],
    load: () => import("./adopt/index.tsx"),
  },
  {
    name: "tenants",
    title: "Tenants",
    group: "People",
    about: "Customers, their limits and access keys.",
    roles: OPERATORS,
    load: () => import("./tenants/index.tsx"),
  },
  {
    name: "keys",
    title: "Access keys",
    group: "People",
    about: "The keys with which S3 clients reach your buckets.",
    roles: TENANTS,
    load: () => import("./tenants/own.tsx"),
  },
  {
    name: "tokens",
    title: "Tokens",
    group: "People",
    about: "Who may use the admin API, in which role, and until when.",
    roles: [...OPERATORS, "tenant_admin"],
    load: () => import("./tokens/index.tsx"),
  },
  {
    name: "audit",
    title: "Audit",
    group: "People",
    about: "What was done and refused, in a log that shows when it was changed.",
    roles: [...OPERATORS, "tenant_admin"],
    load: () => import("./audit/index.tsx"),
  },
  {
    name: "explore",
    title: "Explore",
    group: "Explore and choose",
    about: "Look at buckets at any provider. Your secret key never leaves this tab.",
    load: () => import("./explore/index.tsx"),
  },
  {
    name: "snapshots",
    title: "Snapshots",
    group: "Explore and choose",
    about: "What was kept of accounts: compare two, or see what a policy would move.",
    roles: BOTH,
    load: () => import("./snapshots/index.tsx"),
  },
  {
    name: "sovereignty",
    title: "Where may it live?",
    group: "Explore and choose",
    about: "Say what your data needs: places that satisfy it are ranked, and the others say why not.",
    load: () => import("./sovereignty/index.tsx"),
  },
  {
    name: "catalogue",
    title: "Catalogue",
    group: "Explore and choose",
    about: "Providers of S3, their owners, sites and features, each fact with its source.",
    load: () => import("./catalogue/index.tsx"),
  },
  { name: "signin", title: "Sign in", load: () => import("./signin/index.tsx") },
];

/** What the menu shows to whoever this is: the groups that are not empty. */
export function menuFor(who: Session | undefined): readonly { readonly group: string; readonly pages: readonly Page[] }[] {
  const open = PAGES.filter((it) => mayOpen(it, who));
  return GROUPS.map((group) => ({ group, pages: open.filter((it) => it.group === group) })).filter((it) => it.pages.length > 0);
}

export function mayOpen(page: Page, who: Session | undefined): boolean {
  return !page.roles || page.roles.some((role) => role === who?.role);
}
