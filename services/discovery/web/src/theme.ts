import { effect, signal } from "@preact/signals";

/** `auto`: as the system is. */
export type Theme = "auto" | "light" | "dark";

const THEMES: readonly Theme[] = ["auto", "light", "dark"];
const KEY = "theme"; // the only thing that this page keeps in the browser

const kept = localStorage.getItem(KEY);
export const theme = signal<Theme>(THEMES.find((it) => it === kept) ?? "auto");

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] as Theme;
}

export function applyTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    localStorage.setItem(KEY, theme.value);
  });
}
