/** What this browser remembers about the person: language, light or dark. */

import { effect, signal } from "@preact/signals";

export const LANGUAGES = ["en", "es", "pt"] as const;
export type Language = (typeof LANGUAGES)[number];
export type Theme = "auto" | "light" | "dark";

const recall = (name: string): string | null => {
  try {
    return localStorage.getItem(`fogcatcher.${name}`);
  } catch {
    return null; // a browser may forbid storage; then nothing is remembered
  }
};

const remember = (name: string, value: string): void => {
  try {
    localStorage.setItem(`fogcatcher.${name}`, value);
  } catch {
    // as above
  }
};

const isLanguage = (text: string | null | undefined): text is Language =>
  LANGUAGES.some((language) => language === text);

/** The first language of the browser that there is; English where there is none. */
export function preferred(wanted: readonly string[]): Language {
  for (const one of wanted) {
    const short = one.slice(0, 2).toLowerCase();
    if (isLanguage(short)) return short;
  }
  return "en";
}

const kept = recall("language");
const keptTheme = recall("theme");

export const language = signal<Language>(isLanguage(kept) ? kept : preferred(navigator.languages));
export const theme = signal<Theme>(keptTheme === "light" || keptTheme === "dark" ? keptTheme : "auto");

export function choose(to: Language): void {
  remember("language", to);
  language.value = to;
}

export function chooseTheme(to: Theme): void {
  remember("theme", to);
  theme.value = to;
}

effect(() => {
  document.documentElement.lang = language.value;
});

effect(() => {
  if (theme.value === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.dataset["theme"] = theme.value;
});
