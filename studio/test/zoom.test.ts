import { describe, expect, it } from "vitest";
import { cssLength, layOut, zoomFor } from "../src/pixels/zoom";

describe("whole-number enlargement", () => {
  it("is the largest that fits, never less than 1 or more than the limit", () => {
    expect(zoomFor(16, 100)).toBe(6);
    expect(zoomFor(24, 95)).toBe(3);
    expect(zoomFor(64, 50)).toBe(1);
    expect(zoomFor(16, 5000)).toBe(16);
    expect(zoomFor(16, 5000, 24)).toBe(24);
  });

  it("is whole in device pixels on every screen", () => {
    for (const ratio of [1, 1.25, 1.5, 1.75, 2, 3])
      for (const zoom of [1, 2, 3, 5, 8]) {
        const device = (cssLength(16, zoom, ratio) * ratio) / 16;
        expect(Math.abs(device - Math.round(device))).toBeLessThan(1e-9);
        expect(Math.abs(device - zoom * ratio)).toBeLessThanOrEqual(0.5 + 1e-9);
      }
  });
});

describe("pictures on the stage", () => {
  it("are laid out by the columns that allow the largest zoom", () => {
    expect(layOut(16, [16, 16], [500, 500], 0)).toEqual({ columns: 4, zoom: 7 });
    expect(layOut(4, [16, 16], [700, 170], 0)).toEqual({ columns: 4, zoom: 10 });
    expect(layOut(1, [16, 16], [900, 520], 12)).toEqual({ columns: 1, zoom: 16 });
  });

  it("stay within the room, gaps counted", () => {
    for (const count of [1, 2, 3, 5, 8, 16, 30]) {
      const { columns, zoom } = layOut(count, [32, 24], [640, 480], 12);
      expect(columns * 32 * zoom + 12 * (columns - 1)).toBeLessThanOrEqual(640);
      expect(
        Math.ceil(count / columns) * 24 * zoom + 12 * (Math.ceil(count / columns) - 1),
      ).toBeLessThanOrEqual(480);
    }
  });

  it("are shown one to one where there is no room for more", () => {
    expect(layOut(64, [64, 64], [300, 100], 8)).toEqual({ columns: 4, zoom: 1 });
  });
});
