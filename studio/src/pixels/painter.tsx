/** The brush: a picture on its own grid of pixels, and over it, as fog, what is to be drawn anew. */

import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../words/words";
import { fill, stroke, type Mask } from "./mask";
import type { Pixels } from "./picture";
import { ratio } from "./sprite";

export type Tool = "brush" | "eraser" | "fill";

interface PainterProps {
  picture: Pixels;
  mask: Mask;
  tool: Tool;
  size: number;
  zoom: number;
  onMask: (mask: Mask) => void; // a whole stroke, when it ends
  onUndo: () => void;
  onRedo: () => void;
  onTool: (tool: Tool) => void;
}

type Place = readonly [x: number, y: number];

const FOG = "rgba(255, 255, 255, 0.72)";
const HATCH = "rgba(11, 114, 133, 0.55)";
const EDGE = "#0b7285";

function paint(
  canvas: HTMLCanvasElement,
  picture: CanvasImageSource,
  mask: Mask,
  cursor: { place: Place; size: number } | null,
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const cell = canvas.width / mask.width;
  context.imageSmoothingEnabled = false;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const is = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < mask.width && y < mask.height && mask.cells[y * mask.width + x] === 1;
  const thin = Math.max(1, Math.round(cell / 10));
  for (let y = 0; y < mask.height; y++)
    for (let x = 0; x < mask.width; x++) {
      if (!is(x, y)) continue;
      const [left, top] = [x * cell, y * cell];
      context.fillStyle = FOG;
      context.fillRect(left, top, cell, cell);
      if ((x + y) % 2 === 0) {
        context.fillStyle = HATCH;
        const dot = Math.max(1, Math.round(cell / 4));
        context.fillRect(left + (cell - dot) / 2, top + (cell - dot) / 2, dot, dot);
      }
      context.fillStyle = EDGE;
      if (!is(x - 1, y)) context.fillRect(left, top, thin, cell);
      if (!is(x + 1, y)) context.fillRect(left + cell - thin, top, thin, cell);
      if (!is(x, y - 1)) context.fillRect(left, top, cell, thin);
      if (!is(x, y + 1)) context.fillRect(left, top + cell - thin, cell, thin);
    }
  if (cursor === null) return;
  const before = Math.floor((cursor.size - 1) / 2);
  const [left, top] = [(cursor.place[0] - before) * cell, (cursor.place[1] - before) * cell];
  for (const [colour, inset] of [
    ["#000", 0.5],
    ["#fff", 1.5],
  ] as const) {
    context.strokeStyle = colour;
    context.strokeRect(
      left + inset,
      top + inset,
      cursor.size * cell - 2 * inset,
      cursor.size * cell - 2 * inset,
    );
  }
}

export function Painter({ picture, mask, tool, size, zoom, onMask, onUndo, onRedo, onTool }: PainterProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [bitmap, setBitmap] = useState<ImageBitmap | null>(null);
  const [live, setLive] = useState<Mask | null>(null); // the stroke that is being made
  const [cursor, setCursor] = useState<Place | null>(null);
  const last = useRef<Place | null>(null);
  const value = useRef<0 | 1>(1);
  const shown = live ?? mask;
  const reach = tool === "fill" ? 1 : size;

  useEffect(() => {
    let current = true;
    void createImageBitmap(picture.file).then((made) => {
      if (current) setBitmap(made);
    });
    return () => {
      current = false;
    };
  }, [picture]);

  useEffect(() => {
    if (canvas.current !== null && bitmap !== null)
      paint(canvas.current, bitmap, shown, cursor === null ? null : { place: cursor, size: reach });
  });

  const at = (event: PointerEvent): Place => {
    const box = (canvas.current as HTMLCanvasElement).getBoundingClientRect();
    return [
      Math.floor(((event.clientX - box.left) / box.width) * mask.width),
      Math.floor(((event.clientY - box.top) / box.height) * mask.height),
    ];
  };
  const within = ([x, y]: Place): boolean => x >= 0 && y >= 0 && x < mask.width && y < mask.height;
  const use = (place: Place, with_: 0 | 1): void => {
    onMask(
      tool === "fill" ? fill(mask, place, with_, picture.rgba) : stroke(mask, place, place, size, with_),
    );
  };

  const key = (event: KeyboardEvent): void => {
    const steps: Record<string, Place> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const step = steps[event.key];
    const here: Place = cursor ?? [Math.floor(mask.width / 2), Math.floor(mask.height / 2)];
    if (step !== undefined) {
      const by = event.shiftKey ? 4 : 1;
      setCursor([
        Math.min(mask.width - 1, Math.max(0, here[0] + by * step[0])),
        Math.min(mask.height - 1, Math.max(0, here[1] + by * step[1])),
      ]);
    } else if (event.key === " " || event.key === "Enter") use(here, tool === "eraser" ? 0 : 1);
    else if (event.key === "Delete" || event.key === "Backspace") use(here, 0);
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z")
      (event.shiftKey ? onRedo : onUndo)();
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "y") onRedo();
    else if (event.key === "b" && !event.ctrlKey) onTool("brush");
    else if (event.key === "e" && !event.ctrlKey) onTool("eraser");
    else if (event.key === "f" && !event.ctrlKey) onTool("fill");
    else return;
    event.preventDefault();
  };

  const scale = Math.max(1, Math.round(zoom * ratio.value));
  return (
    <div class="painter">
      <canvas
        ref={canvas}
        class="sprite"
        width={mask.width * scale}
        height={mask.height * scale}
        style={{
          width: `${(mask.width * scale) / ratio.value}px`,
          height: `${(mask.height * scale) / ratio.value}px`,
        }}
        tabIndex={0}
        role="application"
        aria-label={t("paint.canvas")}
        aria-describedby="paint-keys"
        onKeyDown={key}
        onBlur={() => setCursor(null)}
        onContextMenu={(event) => event.preventDefault()}
        onPointerDown={(event) => {
          const place = at(event);
          if (!within(place)) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          value.current = tool === "eraser" || event.button === 2 ? 0 : 1;
          if (tool === "fill") {
            use(place, value.current);
            return;
          }
          last.current = place;
          setLive(stroke(mask, place, place, size, value.current));
        }}
        onPointerMove={(event) => {
          const place = at(event);
          setCursor(within(place) ? place : null);
          if (last.current === null || live === null) return;
          setLive(stroke(live, last.current, place, size, value.current));
          last.current = place;
        }}
        onPointerLeave={() => {
          if (last.current === null) setCursor(null);
        }}
        onPointerUp={() => {
          if (live !== null) onMask(live);
          setLive(null);
          last.current = null;
        }}
        onPointerCancel={() => {
          setLive(null);
          last.current = null;
        }}
      />
      <p id="paint-keys" class="help">
        {t("paint.keys")}
      </p>
      <p class="read-only" aria-live="polite">
        {cursor === null || document.activeElement !== canvas.current
          ? ""
          : t("paint.at", { x: cursor[0] + 1, y: cursor[1] + 1 })}
      </p>
    </div>
  );
}
