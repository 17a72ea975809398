import type { ComponentType } from "preact";
import type { Route } from "../router.ts";
import type { Role, Session } from "../session.ts";

export interface PageProps {
  readonly route: Route;
}

export interface Page {
  /** The first part of its address, `#/<name>`. */
  readonly name: string;
  readonly title: string;
  readonly inMenu: boolean;
  /** Who may open it; everybody when not given. */
  readonly roles?: readonly Role[];
  readonly load: () => Promise<{ default: ComponentType<PageProps> }>;
}

const OPERATORS: readonly Role[] = ["operator", "auditor"];
const TENANTS: readonly Role[] = ["tenant_admin", "tenant"];
const BOTH: readonly Role[] = [...OPERATORS, ...TENANTS];

/** All pages, as they stand in the menu. Each is loaded when it is opened. */
export const PAGES: readonly Page[] = [
  { name: "", title: "Domicile", inMenu: false, load: () => import("./home/index.tsx") },
  { name: "explore", title: "Explore", inMenu: true, load: () => import("./explore/index.tsx") },
  { name: "overview", title: "Overview", inMenu: true, roles: BOTH, load: () => import("./overview/index.tsx") },
  { name: "buckets", title: "Buckets", inMenu: true, roles: BOTH, load: () => import("./buckets/index.tsx") },
  { name: "policies", title: "Policies", inMenu: true, roles: BOTH, load: () => import("./policies/index.tsx") },
  { name: "lag", title: "Lag", inMenu: true, roles: BOTH, load: () => import("./lag/index.tsx") },
  { name: "owed", title: "Work", inMenu: true, roles: OPERATORS, load: () => import("./owed/index.tsx") },
  { name: "backends", title: "Backends", inMenu: true, roles: OPERATORS, load: () => import("./backends/index.tsx") },
  { name: "tenants", title: "Tenants", inMenu: true, roles: OPERATORS, load: () => import("./tenants/index.tsx") },
  {
    name: "tokens",
    title: "Tokens",
    inMenu: true,
    roles: [...OPERATORS, "tenant_admin"],
    load: () => import("./tokens/index.tsx"),
  },
  { name: "audit", title: "Audit", inMenu: true, roles: [...OPERATORS, "tenant_admin"], load: () => import("./audit/index.tsx") },
  { name: "keys", title: "Access keys", inMenu: true, roles: TENANTS, load: () => import("./tenants/own.tsx") },
  { name: "sovereignty", title: "Where may it live?", inMenu: true, load: () => import("./sovereignty/index.tsx") },
  { name: "catalogue", title: "Catalogue", inMenu: true, load: () => import("./catalogue/index.tsx") },
  { name: "snapshots", title: "Snapshots", inMenu: true, roles: BOTH, load: () => import("./snapshots/index.tsx") },
  { name: "adopt", title: "Adopt", inMenu: true, roles: ["operator"], load: () => import("./adopt/index.tsx") },
  { name: "signin", title: "Sign in", inMenu: false, load: () => import("./signin/index.tsx") },
];

export function mayOpen(page: Page, who: Session | undefined): boolean {
  return !page.roles || page.roles.some((role) => role === who?.role);
}
