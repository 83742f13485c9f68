import { describe, expect, it } from "vitest";
import { nameOf } from "../src/parts/dropped";
import { freeName } from "../src/parts/uploading";
import { pathOf, ICONS, type IconName } from "../src/parts/icons";
import { ticks } from "../src/parts/chart";

const given = (...paths: string[]) => paths.map((path) => ({ path, file: new File([], "x") }));

describe("what is dropped", () => {
  it("is named by the one folder or archive that all lies in", () => {
    expect(nameOf(given("heroes/a.png", "heroes/sub/b.png"))).toBe("heroes");
    expect(nameOf(given("My Tiles (2).zip"))).toBe("My-Tiles-2");
    expect(nameOf(given("a.png", "b.png"))).toBe("pictures");
    expect(nameOf(given("../../etc"))).toBe("pictures");
    expect(nameOf(given("<img src=x>.zip"))).toBe("img-src-x");
  });

  it("gets a name that is not taken", () => {
    expect(freeName("tiles", new Set())).toBe("tiles");
    expect(freeName("tiles", new Set(["tiles", "tiles-2"]))).toBe("tiles-3");
  });
});

describe("icons", () => {
  it.each(Object.keys(ICONS) as IconName[])("%s is 12 x 12 pixels", (name) => {
    const rows = ICONS[name].trim().split("\n");
    expect(rows).toHaveLength(12);
    for (const row of rows) expect(row).toMatch(/^[.#]{12}$/);
    expect(pathOf(name)).not.toBe("");
  });
});

describe("marks of a chart", () => {
  it("are round numbers", () => {
    expect(ticks(0, 0.37, false)).toEqual([0, 0.1, 0.2, 0.30000000000000004]);
    expect(ticks(0.02, 80, true)).toEqual([0.1, 1, 10]);
    expect(ticks(0.1, 0.6, true)).toEqual([0.1, 0.2, 0.5]);
    // A narrow interval may hold no round power: then as without logarithms.
    expect(ticks(0.11, 0.19, true)).toEqual(ticks(0.11, 0.19, false));
    expect(ticks(0.11, 0.19, true).length).toBeGreaterThan(2);
  });
});
