import type { ComponentType } from "preact";
import type { Route } from "../router.ts";
import type { Session } from "../session.ts";

export interface PageProps {
  readonly route: Route;
}

export interface Page {
  /** The first part of its address, `#/<name>`. */
  readonly name: string;
  readonly title: string;
  readonly inMenu: boolean;
  /** Who may open it; everybody when not given. */
  readonly roles?: readonly ("operator" | "tenant")[];
  readonly load: () => Promise<{ default: ComponentType<PageProps> }>;
}

/** All pages, as they stand in the menu. Each is loaded when it is opened. */
export const PAGES: readonly Page[] = [
  { name: "", title: "Domicile", inMenu: false, load: () => import("./home/index.tsx") },
  { name: "sovereignty", title: "Where may it live?", inMenu: true, load: () => import("./sovereignty/index.tsx") },
  { name: "catalogue", title: "Catalogue", inMenu: true, load: () => import("./catalogue/index.tsx") },
  {
    name: "snapshots",
    title: "Snapshots",
    inMenu: true,
    roles: ["operator", "tenant"],
    load: () => import("./snapshots/index.tsx"),
  },
  {
    name: "adopt",
    title: "Adopt",
    inMenu: true,
    roles: ["operator"],
    load: () => import("./adopt/index.tsx"),
  },
  { name: "signin", title: "Sign in", inMenu: false, load: () => import("./signin/index.tsx") },
];

export function mayOpen(page: Page, who: Session | undefined): boolean {
  return !page.roles || page.roles.some((role) => role === who?.role);
}
