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
  { name: "signin", title: "Sign in", inMenu: false, load: () => import("./signin/index.tsx") },
];

export function mayOpen(page: Page, who: Session | undefined): boolean {
  return !page.roles || page.roles.some((role) => role === who?.role);
}
