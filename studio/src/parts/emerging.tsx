/** Sprites that come out of the noise, once, as the program draws them; at rest where less motion is wished for. */

import { useEffect, useRef } from "preact/hooks";
import { useRoom } from "../pixels/room";
import { normals } from "../pixels/toy";
import { ratio } from "../pixels/sprite";

interface EmergingProps {
  urls: readonly string[];
  columns: number;
  alt: string;
}

const SECONDS = 2.6;
const GAP = 2; // in pixels of the sprites

async function load(url: string): Promise<ImageData> {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob());
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  if (context === null) throw new Error("this browser has no canvas");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** One frame: each pixel is sqrt(1 - u^2) of the picture and u of its noise. */
function mixed(sprite: ImageData, noise: Float32Array, u: number): ImageData {
  const keep = Math.sqrt(1 - u * u);
  const frame = new ImageData(sprite.width, sprite.height);
  for (let i = 0; i < frame.data.length; i++) {
    const clear = i % 4 === 3 || (sprite.data[i - (i % 4) + 3] ?? 0) > 0 ? (sprite.data[i] ?? 0) : 128;
    frame.data[i] = 127.5 + keep * (clear - 127.5) + u * 110 * (noise[i] ?? 0);
  }
  return frame;
}

export function Emerging({ urls, columns, alt }: EmergingProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [box, [wide]] = useRoom();
  const key = urls.join(" ");
  useEffect(() => {
    const place = canvas.current;
    const context = place?.getContext("2d");
    if (place === null || !context || wide === 0 || urls.length === 0) return;
    let frame = 0;
    const running = { current: true };
    void Promise.all(urls.map(load)).then((sprites) => {
      if (!running.current) return;
      const side = Math.max(...sprites.map((sprite) => Math.max(sprite.width, sprite.height)));
      const rows = Math.ceil(sprites.length / columns);
      const across = columns * (side + GAP) - GAP;
      const zoom = Math.max(1, Math.min(12, Math.floor((wide * ratio.value) / across)));
      place.width = across;
      place.height = rows * (side + GAP) - GAP;
      place.style.width = `${(across * zoom) / ratio.value}px`;
      place.style.height = `${(place.height * zoom) / ratio.value}px`;
      const normal = normals(7);
      const noises = sprites.map((sprite) => Float32Array.from(sprite.data, () => normal()));
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const began = performance.now();
      const draw = (now: number): void => {
        context.clearRect(0, 0, place.width, place.height);
        const shares = sprites.map((sprite, i) => {
          const late = 0.09 * i; // one after another
          const share = still ? 1 : Math.min(1, Math.max(0, (now - began) / 1000 - late) / (SECONDS - 0.7));
          const u = (1 - share) ** 1.5;
          const [column, row] = [i % columns, Math.floor(i / columns)];
          const picture = share === 1 ? sprite : mixed(sprite, noises[i] ?? new Float32Array(), u);
          context.putImageData(picture, column * (side + GAP), row * (side + GAP));
          return share;
        });
        if (shares.some((share) => share < 1)) frame = requestAnimationFrame(draw);
      };
      frame = requestAnimationFrame(draw);
    });
    return () => {
      running.current = false;
      cancelAnimationFrame(frame);
    };
  }, [key, wide, columns]);
  return (
    <div ref={box} class="emerging">
      <canvas ref={canvas} role="img" aria-label={alt} />
    </div>
  );
}
