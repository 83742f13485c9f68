/** Which page is shown, and what about: kept in the part of the address after `#`, so that reload and back work. */

import { signal } from "@preact/signals";

export const PAGES = ["home", "data", "train", "draw", "edit", "explain", "judge", "export"] as const;
export type Page = (typeof PAGES)[number];

export interface Route {
  page: Page;
  about: Readonly<Record<string, string>>;
}

export function read(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const page = PAGES.find((name) => name === path) ?? "home";
  return { page, about: Object.fromEntries(new URLSearchParams(query)) };
}

export function link(page: Page, about: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(about).toString();
  return `#/${page}${query === "" ? "" : `?${query}`}`;
}

export const route = signal<Route>(read(location.hash));

addEventListener("hashchange", () => {
  route.value = read(location.hash);
});

export const go = (page: Page, about: Readonly<Record<string, string>> = {}): void => {
  location.hash = link(page, about);
};
