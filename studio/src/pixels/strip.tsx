/** Pictures that came side by side in one file, each shown by itself in whole-number enlargement. */

import type { Size } from "../api/types";
import { useRoom } from "./room";
import { ratio } from "./sprite";
import { cssLength, zoomFor } from "./zoom";

interface StripProps {
  url: string;
  size: Size; // of one picture
  count: number;
  alt: string;
  limit?: number; // the largest zoom
}

export function Strip({ url, size, count, alt, limit = 8 }: StripProps) {
  const [box, [room]] = useRoom();
  const zoom = zoomFor(size[0], room || size[0], limit);
  const [wide, tall] = size.map((side) => cssLength(side, zoom, ratio.value)) as [number, number];
  return (
    <div ref={box} class="pictures" role="group" aria-label={alt} tabIndex={0}>
      {Array.from({ length: count }, (_, place) => (
        <span key={place} class="sprite" style={{ width: `${wide}px`, height: `${tall}px` }}>
          <span
            style={{
              backgroundImage: `url(${url})`,
              backgroundSize: `${wide * count}px ${tall}px`,
              backgroundPosition: `${-wide * place}px 0`,
            }}
          />
        </span>
      ))}
    </div>
  );
}
