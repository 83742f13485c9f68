/** Lines over a number, as SVG. Series are told apart by weight and dashes as well as by shade. */

import { useId, useState } from "preact/hooks";
import { useRoom } from "../pixels/room";
import { figure } from "../words/words";

export interface Series {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
  look: "accent" | "ink" | "muted" | "faint";
}

interface ChartProps {
  title: string;
  across: string; // what x is
  series: readonly Series[];
  logX?: boolean;
  logY?: boolean;
  tall?: number;
}

const LEFT = 46;
const BOTTOM = 34;
const TOP = 8;
const RIGHT = 10;

/** Round numbers within an interval: about `count` of them, or powers of ten where it holds several. */
export function ticks(low: number, high: number, log: boolean, count = 4): number[] {
  if (!(high > low)) return [low];
  if (log) {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const times of high / low > 100 ? [1] : [1, 2, 5]) found.push(times * 10 ** power);
    const within = found.filter((one) => one >= low * 0.999 && one <= high * 1.001);
    if (within.length > 1) return within;
  }
  const rough = (high - low) / count;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((times) => times * ten >= 0.9 * rough) ?? 10) * ten;
  const found: number[] = [];
  for (let one = Math.ceil(low / step) * step; one <= high + step * 1e-9; one += step) found.push(one);
  return found;
}

export function Chart({ title, across, series, logX = false, logY = false, tall = 220 }: ChartProps) {
  const [box, [wide]] = useRoom();
  const [at, setAt] = useState<number | null>(null);
  const id = useId();
  const drawn = series
    .map((one) => ({
      ...one,
      points: one.points.filter(
        ([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!logX || x > 0) && (!logY || y > 0),
      ),
    }))
    .filter((one) => one.points.length > 0);
  const xs = drawn.flatMap((one) => one.points.map(([x]) => x));
  const ys = drawn.flatMap((one) => one.points.map(([, y]) => y));
  const [lowX, highX] = [Math.min(...xs), Math.max(...xs)];
  const lowY = logY ? Math.min(...ys) / 1.05 : Math.min(0, ...ys);
  const highY = Math.max(...ys) * 1.05;
  const width = Math.max(wide, 240);

  const scale = (value: number, low: number, high: number, log: boolean): number => {
    const [v, a, b] = log ? [Math.log(value), Math.log(low), Math.log(high)] : [value, low, high];
    return b > a ? (v - a) / (b - a) : 0.5;
  };
  const px = (x: number): number => LEFT + scale(x, lowX, highX, logX) * (width - LEFT - RIGHT);
  const py = (y: number): number => tall - BOTTOM - scale(y, lowY, highY, logY) * (tall - TOP - BOTTOM);
  const nearest =
    at === null
      ? null
      : xs.reduce((best, x) => (Math.abs(px(x) - at) < Math.abs(px(best) - at) ? x : best), xs[0] ?? 0);
  const told = (one: Series): number | undefined => {
    if (nearest === null) return one.points.at(-1)?.[1];
    return one.points.reduce<readonly [number, number] | null>(
      (best, point) =>
        best === null || Math.abs(px(point[0]) - px(nearest)) < Math.abs(px(best[0]) - px(nearest))
          ? point
          : best,
      null,
    )?.[1];
  };

  return (
    <figure class="chart">
      <figcaption id={id}>{title}</figcaption>
      <div ref={box}>
        {drawn.length > 0 && wide > 0 && (
          <svg
            width={width}
            height={tall}
            viewBox={`0 0 ${width} ${tall}`}
            role="img"
            aria-labelledby={id}
            onPointerMove={(event) => setAt(event.offsetX)}
            onPointerLeave={() => setAt(null)}
          >
            {ticks(lowY, highY, logY).map((y) => (
              <g key={y} class="grid">
                <line x1={LEFT} x2={width - RIGHT} y1={py(y)} y2={py(y)} />
                <text x={LEFT - 6} y={py(y)} dy="0.32em" text-anchor="end">
                  {figure(y, 2)}
                </text>
              </g>
            ))}
            {ticks(lowX, highX, logX, Math.max(2, Math.floor(width / 110))).map((x) => (
              <text key={x} class="tick" x={px(x)} y={tall - BOTTOM + 16} text-anchor="middle">
                {figure(x, 4)}
              </text>
            ))}
            <text class="tick across" x={width - RIGHT} y={tall - 3} text-anchor="end">
              {across}
            </text>
            {nearest !== null && (
              <line class="here" x1={px(nearest)} x2={px(nearest)} y1={TOP} y2={tall - BOTTOM} />
            )}
            {drawn.map((one) =>
              one.points.length === 1 ? (
                <circle
                  key={one.name}
                  class={`dot ${one.look}`}
                  cx={px(one.points[0]?.[0] ?? 0)}
                  cy={py(one.points[0]?.[1] ?? 0)}
                  r={3}
                />
              ) : (
                <path
                  key={one.name}
                  class={`line ${one.look}`}
                  d={one.points
                    .map(([x, y], i) => `${i === 0 ? "M" : "L"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`)
                    .join("")}
                />
              ),
            )}
          </svg>
        )}
      </div>
      <ul class="legend">
        {drawn.map((one) => {
          const value = told(one);
          return (
            <li key={one.name}>
              <svg width="22" height="8" aria-hidden="true">
                <line class={`line ${one.look}`} x1="0" x2="22" y1="4" y2="4" />
              </svg>
              {one.name} <b>{value === undefined ? "" : figure(value)}</b>
            </li>
          );
        })}
        {nearest !== null && (
          <li class="muted">
            {across} <b>{figure(nearest, 4)}</b>
          </li>
        )}
      </ul>
    </figure>
  );
}
