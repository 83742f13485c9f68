/** A picture whose size is only known when it is there: a sheet, a strip, a preview of training. */

import { useEffect, useRef, useState } from "preact/hooks";
import { useRoom } from "./room";
import { ratio } from "./sprite";
import { cssLength, zoomFor } from "./zoom";

interface SheetProps {
  url: string;
  alt: string;
  limit?: number; // the largest zoom
  tall?: number; // the height to fit in, too
}

export function Sheet({ url, alt, limit = 8, tall }: SheetProps) {
  const [box, room] = useRoom();
  const [size, setSize] = useState<readonly [number, number] | null>(null);
  const picture = useRef<HTMLImageElement>(null);
  useEffect(() => {
    const now = picture.current;
    if (now?.complete === true && now.naturalWidth > 0) setSize([now.naturalWidth, now.naturalHeight]);
  }, [url]);
  let zoom = size === null ? 1 : zoomFor(size[0], room[0] || size[0], limit);
  if (size !== null && tall !== undefined) zoom = Math.min(zoom, zoomFor(size[1], tall, limit));
  const style =
    size === null
      ? { visibility: "hidden" as const }
      : {
          width: `${cssLength(size[0], zoom, ratio.value)}px`,
          height: `${cssLength(size[1], zoom, ratio.value)}px`,
        };
  return (
    <div class="sheet" ref={box} tabIndex={0} role="group" aria-label={alt}>
      <img
        ref={picture}
        class="sprite"
        src={url}
        alt={alt}
        style={style}
        draggable={false}
        onLoad={(event) => setSize([event.currentTarget.naturalWidth, event.currentTarget.naturalHeight])}
      />
    </div>
  );
}
