/** Whole-number enlargement: every pixel of a picture becomes a square of device pixels of one size. */

/** The largest zoom, at most `limit`, at which `size` pixels fit in `room`; 1 where even one times does not fit. */
export const zoomFor = (size: number, room: number, limit = 16): number =>
  Math.max(1, Math.min(limit, Math.floor(room / size)));

/**
 * The CSS length of `size` pixels at a zoom. On a screen with 1.5 device pixels a CSS pixel, three times in CSS would
 * be 4.5 times in device pixels: it is rounded there, so that squares stay equal.
 */
export const cssLength = (size: number, zoom: number, ratio: number): number =>
  (size * Math.max(1, Math.round(zoom * ratio))) / ratio;

export interface Layout {
  columns: number;
  zoom: number;
}

/** How `count` pictures fill a stage best: the columns that allow the largest whole-number zoom. */
export function layOut(
  count: number,
  [width, height]: readonly [number, number],
  room: readonly [number, number],
  gap: number,
  limit = 16,
): Layout {
  let best: Layout = { columns: 1, zoom: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns);
    const across = (room[0] - gap * (columns - 1)) / columns;
    const down = (room[1] - gap * (rows - 1)) / rows;
    const zoom = Math.min(limit, Math.floor(across / width), Math.floor(down / height));
    if (zoom > best.zoom || (zoom === best.zoom && columns * (rows - 1) >= count)) best = { columns, zoom };
  }
  if (best.zoom >= 1) return best;
  return { columns: Math.max(1, Math.floor((room[0] + gap) / (width + gap))), zoom: 1 };
}
