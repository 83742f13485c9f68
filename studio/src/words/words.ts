/** Words of the page in the language that is chosen; numbers, sizes and times as people of that language write them. */

import { signal } from "@preact/signals";
import { language, type Language } from "../state/preferences";
import { en } from "./en";
import { es } from "./es";
import { pt } from "./pt";

export type Key = keyof typeof en;
export type Plural = { readonly one: string; readonly other: string };
/** A translation has every key of the English table, and a plural where that has one; tsc refuses anything else. */
export type Table = { readonly [K in Key]: (typeof en)[K] extends string ? string : Plural };

type Holes<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Holes<Rest> : never;
type HolesOf<K extends Key> = (typeof en)[K] extends { other: infer S }
  ? Holes<S> | "n"
  : Holes<(typeof en)[K]>;
type Values<K extends Key> = [HolesOf<K>] extends [never]
  ? []
  : [Readonly<Record<HolesOf<K>, string | number>>];

export const TABLES: Readonly<Record<Language, Table>> = { en, es, pt };

/** Return the words of a key, with `{name}` filled in; `n` decides between one and many. */
export function t<K extends Key>(key: K, ...[values]: Values<K>): string {
  const entry: string | Plural = TABLES[language.value][key];
  const filled = (values ?? {}) as Readonly<Record<string, string | number>>;
  const text = typeof entry === "string" ? entry : entry[form(Number(filled["n"]))];
  return fill(text, filled);
}

const fill = (text: string, values: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)(?::,)?\}/g, (_, name: string) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? number(value) : value;
  });

/** A sentence of the service: what it is made of, by which its table knows it. */
export interface Said {
  template: string;
  values: Readonly<Record<string, string | number>>;
}

/** What the service says, in the language of the page: the sentence as it is in English -> the same here. */
export const said = signal<Readonly<Record<string, string>>>({});

/** A sentence of the service in the language of the page, or in English, marked as such, where no table has it. */
export function told(sentence: Said | null | undefined, english: string): { words: string; lang?: "en" } {
  if (language.value === "en") return { words: english };
  const text = said.value[sentence?.template ?? ""];
  return text === undefined ? { words: english, lang: "en" } : { words: fill(text, sentence?.values ?? {}) };
}

const form = (n: number): "one" | "other" =>
  new Intl.PluralRules(language.value).select(n) === "one" ? "one" : "other";

export const number = (value: number, digits = 20): string =>
  new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value);

/** With so many digits that count: 0.0123, 1.23, 123. */
export const figure = (value: number, digits = 3): string =>
  new Intl.NumberFormat(language.value, { maximumSignificantDigits: digits }).format(value);

export const percent = (share: number): string =>
  new Intl.NumberFormat(language.value, { style: "percent", maximumFractionDigits: 1 }).format(share);

const unit = (value: number, name: string, digits = 0): string =>
  new Intl.NumberFormat(language.value, {
    style: "unit",
    unit: name,
    unitDisplay: "short",
    maximumFractionDigits: digits,
  }).format(value);

export function bytes(count: number): string {
  if (count < 1e3) return unit(count, "byte");
  if (count < 1e6) return unit(count / 1e3, "kilobyte");
  return count < 1e9 ? unit(count / 1e6, "megabyte", 1) : unit(count / 1e9, "gigabyte", 1);
}

const both = (large: number, name: string, small: number, less: string): string =>
  small === 0 ? unit(large, name) : `${unit(large, name)} ${unit(small, less)}`;

/** A length of time in the two largest units that it has. */
export function duration(seconds: number): string {
  if (seconds < 10) return unit(Math.max(seconds, 0), "second", 1);
  const whole = Math.round(seconds);
  if (whole < 60) return unit(whole, "second");
  if (whole < 3600) return both(Math.floor(whole / 60), "minute", whole % 60, "second");
  const minutes = Math.round(whole / 60);
  return both(Math.floor(minutes / 60), "hour", minutes % 60, "minute");
}

/** When something was, told from now: "3 minutes ago". `then` and `now` in seconds. */
export function ago(then: number, now = Date.now() / 1000): string {
  const told = new Intl.RelativeTimeFormat(language.value, { numeric: "auto" });
  const past = Math.max(0, now - then);
  if (past < 60) return told.format(0, "minute");
  if (past < 3600) return told.format(-Math.round(past / 60), "minute");
  return past < 86400
    ? told.format(-Math.round(past / 3600), "hour")
    : told.format(-Math.round(past / 86400), "day");
}

export const list = (items: readonly string[]): string => new Intl.ListFormat(language.value).format(items);
