/** A mask on the pixels of a picture: 1 is drawn anew, 0 is kept. Pure data; the canvas shows it. */

export interface Mask {
  readonly width: number;
  readonly height: number;
  readonly cells: Uint8Array;
}

export const emptyMask = (width: number, height: number): Mask => ({
  width,
  height,
  cells: new Uint8Array(width * height),
});

const inside = (mask: Mask, x: number, y: number): boolean =>
  x >= 0 && y >= 0 && x < mask.width && y < mask.height;

export const countSet = (mask: Mask): number => mask.cells.reduce((sum, cell) => sum + cell, 0);

export const invert = (mask: Mask): Mask => ({ ...mask, cells: mask.cells.map((cell) => 1 - cell) });

/** Set a square of `size` x `size` pixels about (x, y); an even size reaches one further to the right and down. */
function stamp(mask: Mask, x: number, y: number, size: number, value: 0 | 1): void {
  const before = Math.floor((size - 1) / 2);
  for (let row = y - before; row < y - before + size; row++)
    for (let column = x - before; column < x - before + size; column++)
      if (inside(mask, column, row)) mask.cells[row * mask.width + column] = value;
}

/** Paint along a line of pixels (Bresenham), so that a fast stroke has no holes. */
export function stroke(
  mask: Mask,
  from: readonly [number, number],
  to: readonly [number, number],
  size: number,
  value: 0 | 1,
): Mask {
  const painted = { ...mask, cells: mask.cells.slice() };
  let [x, y] = from;
  const dx = Math.abs(to[0] - x);
  const dy = -Math.abs(to[1] - y);
  const stepX = x < to[0] ? 1 : -1;
  const stepY = y < to[1] ? 1 : -1;
  let error = dx + dy;
  for (;;) {
    stamp(painted, x, y, size, value);
    if (x === to[0] && y === to[1]) return painted;
    const twice = 2 * error;
    if (twice >= dy) {
      error += dy;
      x += stepX;
    }
    if (twice <= dx) {
      error += dx;
      y += stepY;
    }
  }
}

/**
 * Fill what hangs together with (x, y): pixels of exactly its colour where `colours` (RGBA of the picture) are given,
 * neighbours by an edge.
 */
export function fill(
  mask: Mask,
  [x, y]: readonly [number, number],
  value: 0 | 1,
  colours: Uint8ClampedArray,
): Mask {
  const filled = { ...mask, cells: mask.cells.slice() };
  if (!inside(mask, x, y)) return filled;
  const colour = (place: number): number => {
    const alpha = colours[4 * place + 3] ?? 0;
    if (alpha === 0) return 0; // what lies under full transparency is no colour
    const [r = 0, g = 0, b = 0] = colours.subarray(4 * place, 4 * place + 3);
    return ((alpha * 256 + r) * 256 + g) * 256 + b;
  };
  const wanted = colour(y * mask.width + x);
  const seen = new Uint8Array(mask.cells.length);
  const waiting: [number, number][] = [[x, y]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [column, row] = next;
    const place = row * mask.width + column;
    if (!inside(mask, column, row) || seen[place] === 1 || colour(place) !== wanted) continue;
    seen[place] = 1;
    filled.cells[place] = value;
    waiting.push([column + 1, row], [column - 1, row], [column, row + 1], [column, row - 1]);
  }
  return filled;
}

/** Masks one after another, with a way back and forth. */
export interface History {
  readonly past: readonly Mask[];
  readonly now: Mask;
  readonly future: readonly Mask[];
}

const LONGEST_PAST = 200;

const same = (a: Mask, b: Mask): boolean => a.cells.every((cell, place) => cell === b.cells[place]);

export const begin = (mask: Mask): History => ({ past: [], now: mask, future: [] });

/** A mask equal to the present one adds nothing to undo. */
export const push = (history: History, mask: Mask): History =>
  same(history.now, mask)
    ? history
    : { past: [...history.past, history.now].slice(-LONGEST_PAST), now: mask, future: [] };

export function undo(history: History): History {
  const back = history.past.at(-1);
  if (back === undefined) return history;
  return { past: history.past.slice(0, -1), now: back, future: [history.now, ...history.future] };
}

export function redo(history: History): History {
  const [next, ...future] = history.future;
  return next === undefined ? history : { past: [...history.past, history.now], now: next, future };
}
