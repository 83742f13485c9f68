/** The plane of two-pixel pictures, to play with: move the data, change the steps, watch the paths. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useRoom } from "../pixels/room";
import { guess, LARGEST_SIGMA, levels, normals, path, type Point, type Way } from "../pixels/toy";
import { number, t } from "../words/words";
import { Button, Segments, Slider } from "./controls";
import { Formula, Line, V } from "./formula";

const WALKERS = 60;
const HALF = 4.2; // the plane reaches from -HALF to HALF
const START: readonly Point[] = [
  [-1.6, 1.2],
  [1.5, 1.5],
  [1.7, -1.3],
  [-1.2, -1.6],
];

export function Toy() {
  const [means, setMeans] = useState<readonly Point[]>(START);
  const [steps, setSteps] = useState(12);
  const [way, setWay] = useState<Way>("euler");
  const [seed, setSeed] = useState(1);
  const [at, setAt] = useState(12);
  const [playing, setPlaying] = useState(false);
  const [held, setHeld] = useState<number | null>(null);
  const [box, [wide]] = useRoom();
  const svg = useRef<SVGSVGElement>(null);
  const side = Math.min(Math.max(wide, 200), 460);
  const place = (value: number): number => ((value + HALF) / (2 * HALF)) * side;
  const paths = useMemo(() => {
    const normal = normals(seed);
    const starts = Array.from({ length: WALKERS }, (): Point => [
      LARGEST_SIGMA * normal(),
      LARGEST_SIGMA * normal(),
    ]);
    return starts.map((start) => path(start, steps, way, means, normal));
  }, [means, steps, way, seed]);
  const now = Math.min(at, steps);
  const sigma = levels(steps)[now] ?? 0;

  useEffect(() => {
    if (!playing) return;
    const timer = setTimeout(
      () => (now >= steps ? setPlaying(false) : setAt(now + 1)),
      Math.max(60, 1600 / steps),
    );
    return () => clearTimeout(timer);
  }, [playing, now, steps]);

  const toPlane = (event: PointerEvent): Point => {
    const area = (svg.current as SVGSVGElement).getBoundingClientRect();
    return [
      Math.max(-3, Math.min(3, ((event.clientX - area.left) / area.width) * 2 * HALF - HALF)),
      Math.max(-3, Math.min(3, -(((event.clientY - area.top) / area.height) * 2 * HALF - HALF))),
    ];
  };
  const put = (index: number, to: Point): void => setMeans(means.map((one, i) => (i === index ? to : one)));
  const nudge = (index: number, event: KeyboardEvent): void => {
    const by: Record<string, Point> = {
      ArrowLeft: [-0.2, 0],
      ArrowRight: [0.2, 0],
      ArrowUp: [0, 0.2],
      ArrowDown: [0, -0.2],
    };
    const step = by[event.key];
    const mean = means[index];
    if (step === undefined || mean === undefined) return;
    event.preventDefault();
    put(index, [mean[0] + step[0], mean[1] + step[1]]);
  };

  return (
    <div class="toy">
      <div ref={box} class="toy-plane">
        <svg
          ref={svg}
          width={side}
          height={side}
          viewBox={`0 0 ${side} ${side}`}
          role="group"
          aria-label={t("toy.plane")}
          onPointerMove={(event) => {
            if (held !== null) put(held, toPlane(event));
          }}
          onPointerUp={() => setHeld(null)}
          onPointerLeave={() => setHeld(null)}
        >
          <line class="axis" x1={0} x2={side} y1={side / 2} y2={side / 2} />
          <line class="axis" x1={side / 2} x2={side / 2} y1={0} y2={side} />
          {paths.map((points, i) => (
            <path
              key={i}
              class="walk"
              d={points
                .slice(0, now + 1)
                .map(([x, y], k) => `${k === 0 ? "M" : "L"}${place(x).toFixed(1)} ${place(-y).toFixed(1)}`)
                .join("")}
            />
          ))}
          {paths.map((points, i) => {
            const [x, y] = points[now] ?? [0, 0];
            const aim = sigma > 0 ? guess([x, y], sigma, means) : ([x, y] as const);
            return (
              <g key={i}>
                <line class="aim" x1={place(x)} y1={place(-y)} x2={place(aim[0])} y2={place(-aim[1])} />
                <circle class="walker" cx={place(x)} cy={place(-y)} r={3} />
              </g>
            );
          })}
          {means.map(([x, y], i) => (
            <circle
              key={i}
              class="mean"
              cx={place(x)}
              cy={place(-y)}
              r={9}
              tabIndex={0}
              role="button"
              aria-label={t("toy.point", { n: i + 1 })}
              onPointerDown={(event) => {
                event.preventDefault();
                setHeld(i);
              }}
              onKeyDown={(event) => nudge(i, event)}
            />
          ))}
        </svg>
      </div>
      <div class="toy-side">
        <Formula label={t("toy.formula")}>
          <mfrac>
            <mrow>
              <mi>d</mi>
              <mi>x</mi>
            </mrow>
            <mrow>
              <mi>d</mi>
              <mi>σ</mi>
            </mrow>
          </mfrac>
          <mo>=</mo>
          <mfrac>
            <mrow>
              <mi>x</mi>
              <mo>−</mo>
              <V name="x" sub="0" hat />
              <mo>(</mo>
              <mi>x</mi>
              <mo>,</mo>
              <mi>σ</mi>
              <mo>)</mo>
            </mrow>
            <mi>σ</mi>
          </mfrac>
        </Formula>
        <Line file="fogcatcher/explain/two_pixels.py" name="TwoPixels" />
        <div class="row tight">
          <Button
            icon={playing ? "pause" : "play"}
            onClick={() => {
              if (!playing && now >= steps) setAt(0);
              setPlaying(!playing);
            }}
          >
            {playing ? t("pause") : t("play")}
          </Button>
          <Button tone="quiet" icon="dice" label={t("draw.dice")} onClick={() => setSeed(seed + 1)} />
          <Button tone="quiet" disabled={means.length >= 8} onClick={() => setMeans([...means, [0, 0]])}>
            {t("toy.add")}
          </Button>
          <Button tone="quiet" disabled={means.length <= 1} onClick={() => setMeans(means.slice(0, -1))}>
            {t("toy.less")}
          </Button>
        </div>
        <Slider
          label={t("toy.time")}
          value={now}
          low={0}
          high={steps}
          help={t("toy.sigma", { sigma: number(sigma, 2) })}
          onChange={(value) => {
            setPlaying(false);
            setAt(value);
          }}
        />
        <Slider
          label={t("draw.steps")}
          value={steps}
          low={1}
          high={60}
          onChange={(value) => {
            setSteps(value);
            setAt(value);
          }}
        />
        <Segments
          label={t("draw.sampler")}
          value={way}
          choices={(["euler", "heun", "ancestral"] as const).map((value) => ({
            value,
            text: t(`toy.${value}`),
          }))}
          help={t(`toy.${way}.help`)}
          onChange={setWay}
        />
      </div>
    </div>
  );
}
