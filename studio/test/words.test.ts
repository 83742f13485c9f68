import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { choose } from "../src/state/preferences";
import {
  ago,
  bytes,
  duration,
  number,
  percent,
  t,
  TABLES,
  said,
  told,
  type Key,
  type Plural,
} from "../src/words/words";

const keys = Object.keys(TABLES.en) as Key[];
const forms = (entry: string | Plural): string[] =>
  typeof entry === "string" ? [entry] : [entry.one, entry.other];
const holes = (text: string): string => [...new Set(text.match(/\{\w+(:,)?\}/g) ?? [])].sort().join(" ");

const sources = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? sources(join(folder, entry.name)) : [join(folder, entry.name)],
  );
const code = sources("src")
  .filter((file) => /\.tsx?$/.test(file) && !/words\/(en|es|pt)\.ts$/.test(file))
  .map((file) => readFileSync(file, "utf8"))
  .join("\n");

describe("the table of messages", () => {
  it("has no word that no page uses", () => {
    // A key is used as it stands, or by its parts: t(`nav.${page}`), t(`edit.${action}.help`).
    const made = [...code.matchAll(/t\(`([^`]+)`/g)].map(
      ([, pattern]) =>
        new RegExp(`^${(pattern ?? "").replaceAll(".", "\\.").replace(/\$\{[^}]+\}/g, "\\w+")}$`),
    );
    const unused = keys.filter(
      (key) => !code.includes(`"${key}"`) && !made.some((pattern) => pattern.test(key)),
    );
    expect(unused).toEqual([]);
  });

  it.each(["es", "pt"] as const)("fills in the same values in %s as in English", (language) => {
    for (const key of keys) {
      const english = [...new Set(forms(TABLES.en[key]).map(holes))].sort();
      expect([key, [...new Set(forms(TABLES[language][key]).map(holes))].sort()]).toEqual([key, english]);
    }
  });

  it("has no text in the code of the pages", () => {
    // Words between tags, or in an attribute that people read or hear.
    const between = [...code.matchAll(/(?<!=)>\s*([A-Za-z][\w ,.']+)<\//g)]
      .map(([, words]) => words?.trim())
      .filter((words) => words !== "Fogcatcher" && (words?.length ?? 0) > 2);
    const attributes = [
      ...code.matchAll(/(?:aria-label|title|alt|placeholder)="([^"]*[a-z]{3,}[^"]*)"/g),
    ].map(([, words]) => words);
    expect([...between, ...attributes]).toEqual([]);
  });
});

describe("a sentence of the service", () => {
  afterEach(() => {
    choose("en");
    said.value = {};
  });
  const template = "the zip unpacks to {size:,} MB; at most {most:,} MB are taken.";
  const sentence = { template, values: { size: 10000, most: 500 } };

  it("is told in the language of the page, where the service has a table", () => {
    const english = "the zip unpacks to 10,000 MB; at most 500 MB are taken.";
    expect(told(sentence, english)).toEqual({ words: english });
    choose("es");
    said.value = { [template]: "el zip ocupa {size:,} MB; se admiten {most:,} MB." };
    expect(told(sentence, english)).toEqual({ words: "el zip ocupa 10.000 MB; se admiten 500 MB." });
  });

  it("stays English, and is marked so, where none has it", () => {
    choose("pt");
    expect(told({ template: "never said", values: {} }, "never said")).toEqual({
      words: "never said",
      lang: "en",
    });
    expect(told(null, "never said")).toEqual({ words: "never said", lang: "en" });
  });
});

describe("numbers and times", () => {
  afterEach(() => choose("en"));

  it("are written as people of the language write them", () => {
    expect(number(1234567.5)).toBe("1,234,567.5");
    expect(duration(75)).toBe("1 min 15 sec");
    expect(duration(600)).toBe("10 min");
    expect(duration(3599.6)).toBe("1 hr");
    expect(duration(5400)).toBe("1 hr 30 min");
    expect(bytes(1500)).toBe("2 kB");
    expect(percent(0.013)).toBe("1.3%");
    expect(ago(0, 7200)).toBe("2 hours ago");
    choose("es");
    expect(number(1234567.5)).toBe("1.234.567,5");
    expect(ago(0, 7200)).toBe("hace 2 horas");
    choose("pt");
    expect(number(1234567.5)).toBe("1.234.567,5");
  });

  it("choose between one and many by the rules of the language", () => {
    expect(t("count.pictures", { n: 1 })).toBe("1 picture");
    expect(t("count.pictures", { n: 0 })).toBe("0 pictures");
    choose("pt");
    expect(t("count.pictures", { n: 0 })).toBe("0 imagem"); // Portuguese counts none as one
    expect(t("count.pictures", { n: 2000 })).toBe("2.000 imagens");
    choose("es");
    expect(t("count.pictures", { n: 1_000_000 })).toBe("1.000.000 imágenes");
  });
});
