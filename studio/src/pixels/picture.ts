/** Pictures as pixels: read from an address or a file, written as PNG. */

import type { Mask } from "./mask";

export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray;
  readonly file: Blob;
}

const canvasOf = (width: number, height: number): [HTMLCanvasElement, CanvasRenderingContext2D] => {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("this browser has no canvas");
  return [canvas, context];
};

export async function pixelsOf(file: Blob): Promise<Pixels> {
  const bitmap = await createImageBitmap(file);
  const [, context] = canvasOf(bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return { width: bitmap.width, height: bitmap.height, rgba: data, file };
}

export const pixelsAt = async (url: string): Promise<Pixels> => pixelsOf(await (await fetch(url)).blob());

/** A mask as a PNG: white is drawn anew, black is kept. */
export async function pngOf(mask: Mask): Promise<Blob> {
  const [canvas, context] = canvasOf(mask.width, mask.height);
  const image = context.createImageData(mask.width, mask.height);
  mask.cells.forEach((cell, place) => image.data.set([255 * cell, 255 * cell, 255 * cell, 255], 4 * place));
  context.putImageData(image, 0, 0);
  return new Promise((done, failed) =>
    canvas.toBlob((blob) => (blob === null ? failed(new Error("no PNG")) : done(blob)), "image/png"),
  );
}
