/** A picture in whole-number enlargement over a checkerboard; what is shown is the file itself. */

import { signal } from "@preact/signals";
import type { Size } from "../api/types";
import { cssLength } from "./zoom";

export const ratio = signal(globalThis.devicePixelRatio || 1);
addEventListener("resize", () => {
  ratio.value = globalThis.devicePixelRatio || 1;
});

interface SpriteProps {
  url: string;
  size: Size;
  zoom: number;
  alt: string;
  loading?: "lazy";
}

export const Sprite = ({ url, size, zoom, alt, loading }: SpriteProps) => {
  const [width, height] = size.map((side) => cssLength(side, zoom, ratio.value));
  return (
    <img
      class="sprite"
      src={url}
      alt={alt}
      width={size[0]}
      height={size[1]}
      loading={loading}
      decoding="async"
      draggable={false}
      style={{ width: `${width}px`, height: `${height}px` }}
    />
  );
};
