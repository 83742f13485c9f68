/** A small picture in a box: enlarged by a whole number, and cut off where it is larger, but never squeezed. */

import { useState } from "preact/hooks";
import type { Size } from "../api/types";
import { ratio } from "./sprite";
import { cssLength, zoomFor } from "./zoom";

interface ThumbProps {
  url: string;
  box: Size;
  /** Whether the box is to be filled in height only, and what is too wide is cut off. */
  cut?: boolean;
  alt?: string;
}

export function Thumb({ url, box: [wide, tall], cut = false, alt = "" }: ThumbProps) {
  const [size, setSize] = useState<Size | null>(null);
  let zoom = 1;
  if (size !== null) zoom = Math.min(zoomFor(size[1], tall), cut ? Infinity : zoomFor(size[0], wide));
  const style =
    size === null
      ? { visibility: "hidden" as const }
      : {
          width: `${Math.min(wide, cssLength(size[0], zoom, ratio.value))}px`,
          height: `${Math.min(tall, cssLength(size[1], zoom, ratio.value))}px`,
          // `none` would show a picture at its own size: this much of it, enlarged, from the upper left
          objectViewBox: `inset(0 ${Math.max(0, size[0] - wide / zoom)}px ${Math.max(0, size[1] - tall / zoom)}px 0)`,
        };
  return (
    <img
      class="sprite thumb"
      src={url}
      alt={alt}
      style={style}
      draggable={false}
      onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setSize([naturalWidth, naturalHeight])}
    />
  );
}
