import { describe, expect, it } from "vitest";
import {
  begin,
  countSet,
  emptyMask,
  fill,
  invert,
  push,
  redo,
  stroke,
  undo,
  type Mask,
} from "../src/pixels/mask";

const drawn = (mask: Mask): string[] =>
  Array.from({ length: mask.height }, (_, y) =>
    [...mask.cells.subarray(y * mask.width, (y + 1) * mask.width)]
      .map((cell) => (cell === 1 ? "#" : "."))
      .join(""),
  );

describe("the brush", () => {
  it("sets one pixel at size 1", () => {
    expect(drawn(stroke(emptyMask(3, 2), [1, 1], [1, 1], 1, 1))).toEqual(["...", ".#."]);
  });

  it("sets a square about the pixel at size 3, and is cut off at the edge", () => {
    expect(drawn(stroke(emptyMask(4, 3), [0, 1], [0, 1], 3, 1))).toEqual(["##..", "##..", "##.."]);
  });

  it("reaches right and down at an even size", () => {
    expect(drawn(stroke(emptyMask(4, 4), [1, 1], [1, 1], 2, 1))).toEqual(["....", ".##.", ".##.", "...."]);
  });

  it("leaves no hole in a fast stroke: a diagonal is one pixel a row and a column", () => {
    expect(drawn(stroke(emptyMask(4, 4), [0, 0], [3, 3], 1, 1))).toEqual(["#...", ".#..", "..#.", "...#"]);
  });

  it("keeps within half a pixel of a flat line, one pixel a column, whichever way it is drawn", () => {
    for (const [from, to] of [
      [
        [0, 0],
        [10, 4],
      ],
      [
        [10, 4],
        [0, 0],
      ],
    ] as const) {
      const { cells, width } = stroke(emptyMask(11, 5), from, to, 1, 1);
      const places = [...cells.keys()].filter((place) => cells[place] === 1);
      expect(places.map((place) => place % width).sort((a, b) => a - b)).toEqual([...Array(11).keys()]);
      for (const place of places)
        expect(Math.abs(Math.floor(place / width) - 0.4 * (place % width))).toBeLessThanOrEqual(0.5);
    }
  });

  it("erases with the value 0, and does not change the mask that it is given", () => {
    const before = invert(emptyMask(2, 1));
    expect(drawn(stroke(before, [0, 0], [0, 0], 1, 0))).toEqual([".#"]);
    expect(drawn(before)).toEqual(["##"]);
  });

  it("paints nothing outside", () => {
    expect(countSet(stroke(emptyMask(2, 2), [-5, -5], [-3, -3], 1, 1))).toBe(0);
  });
});

describe("filling", () => {
  // a a b     a = red, b = blue, 0 = transparent with different colours below
  // 0 b a
  const red = [255, 0, 0, 255];
  const blue = [0, 0, 255, 255];
  const colours = new Uint8ClampedArray([...red, ...red, ...blue, 9, 9, 9, 0, ...blue, ...red]);

  it("takes what hangs together by edges and has exactly one colour", () => {
    expect(drawn(fill(emptyMask(3, 2), [0, 0], 1, colours))).toEqual(["##.", "..."]);
    expect(drawn(fill(emptyMask(3, 2), [2, 0], 1, colours))).toEqual(["..#", "..."]);
    expect(drawn(fill(emptyMask(3, 2), [1, 1], 1, colours))).toEqual(["...", ".#."]);
  });

  it("takes everything transparent as one colour", () => {
    const clear = new Uint8ClampedArray([1, 2, 3, 0, 4, 5, 6, 0]);
    expect(countSet(fill(emptyMask(2, 1), [0, 0], 1, clear))).toBe(2);
  });

  it("ends on a picture of one colour, and outside nothing happens", () => {
    const flat = new Uint8ClampedArray(64 * 64 * 4).fill(255);
    expect(countSet(fill(emptyMask(64, 64), [63, 63], 1, flat))).toBe(4096);
    expect(countSet(fill(emptyMask(64, 64), [64, 0], 1, flat))).toBe(0);
  });
});

describe("undo", () => {
  const one = stroke(emptyMask(3, 1), [0, 0], [0, 0], 1, 1);
  const two = stroke(one, [1, 0], [1, 0], 1, 1);
  const history = push(push(begin(emptyMask(3, 1)), one), two);

  it("goes back to the start and forth to the end", () => {
    expect(drawn(undo(history).now)).toEqual(["#.."]);
    expect(drawn(undo(undo(history)).now)).toEqual(["..."]);
    expect(undo(undo(undo(history)))).toEqual(undo(undo(history)));
    expect(redo(redo(undo(undo(history)))).now).toEqual(two);
    expect(redo(history)).toBe(history);
  });

  it("forgets what was undone when something new is painted", () => {
    const other = stroke(one, [2, 0], [2, 0], 1, 1);
    const branched = push(undo(history), other);
    expect(redo(branched)).toBe(branched);
    expect(drawn(undo(branched).now)).toEqual(["#.."]);
  });

  it("keeps nothing for a stroke that changes nothing", () => {
    expect(push(history, stroke(two, [0, 0], [1, 0], 1, 1))).toBe(history);
  });
});
