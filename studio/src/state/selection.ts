/** Which pictures of a data set are to be learned: chosen on the page Data, used by the page Train. */

import { signal } from "@preact/signals";
import type { Column } from "../api/types";

export interface Selection {
  data: string | null;
  /** column -> the values that are wanted; a column that is not named is not asked about */
  wanted: Readonly<Record<string, readonly string[]>>;
  limit: number | null;
  trim: boolean;
  size: number | null;
  conditions: readonly string[] | null; // null: as the service chooses
}

export const EVERYTHING: Selection = {
  data: null,
  wanted: {},
  limit: null,
  trim: false,
  size: null,
  conditions: null,
};

export const selection = signal<Selection>(EVERYTHING);
export const select = (part: Partial<Selection>): void => {
  selection.value = { ...selection.value, ...part };
};

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&")}"`;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** The expression of the program's small language that is true for the wanted pictures; null for all. */
export function whereOf(wanted: Selection["wanted"]): string | null {
  const parts = Object.entries(wanted).map(
    ([column, values]) =>
      `\`${column}\` in [${values.map((value) => (NUMBER.test(value) ? value : quoted(value))).join(", ")}]`,
  );
  return parts.length === 0 ? null : parts.join(" and ");
}

/** Turn one value of a column on or off. All on is the same as not asking. */
export function toggled(wanted: Selection["wanted"], column: Column, value: string): Selection["wanted"] {
  const all = Object.keys(column.values);
  const on = new Set(wanted[column.name] ?? all);
  if (!on.delete(value)) on.add(value);
  const rest = Object.fromEntries(Object.entries(wanted).filter(([name]) => name !== column.name));
  return on.size === all.length || on.size === 0
    ? rest
    : { ...rest, [column.name]: all.filter((one) => on.has(one)) };
}

/** The fields that `inspect` and `train` share. */
export function choiceOf(chosen: Selection): Record<string, unknown> {
  const where = whereOf(chosen.wanted);
  return {
    ...(where === null ? {} : { where }),
    ...(chosen.limit === null ? {} : { limit: chosen.limit }),
    ...(chosen.trim ? { trim: true } : {}),
    ...(chosen.size === null ? {} : { size: chosen.size }),
    ...(chosen.conditions === null
      ? {}
      : { conditions: chosen.conditions.length > 0 ? chosen.conditions : ["none"] }),
  };
}
