import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** The inner width and height of an element, in CSS pixels, as they change. */
export function useRoom(): [RefObject<HTMLDivElement | null>, readonly [number, number]] {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState<readonly [number, number]>([0, 0]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = (): void => setRoom([element.clientWidth, element.clientHeight]);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return [box, room];
}
