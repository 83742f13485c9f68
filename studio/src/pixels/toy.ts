/**
 * Pictures of two pixels: points of a plane. The best guess of the clean picture is known exactly for a data set of
 * points, so that no network is needed to see how sampling goes.
 */

export type Point = readonly [number, number];

export const LARGEST_SIGMA = 3;
export const SMALLEST_SIGMA = 0.02;
const WIDTH = 0.06; // each point of the data is a small cloud of this spread

/**
 * E[x0 | x] for x = x0 + sigma eps, x0 from equal Gaussian clouds about `means`: a mean of clouds, each with the
 * probability that x came from it (Bayes' rule).
 */
export function guess(x: Point, sigma: number, means: readonly Point[]): Point {
  const own = WIDTH ** 2;
  const total = own + sigma ** 2;
  const logs = means.map(([a, b]) => -((x[0] - a) ** 2 + (x[1] - b) ** 2) / (2 * total));
  const top = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - top));
  const sum = weights.reduce((a, b) => a + b, 0);
  const keep = own / total;
  let [u, v] = [0, 0];
  means.forEach(([a, b], i) => {
    const weight = (weights[i] ?? 0) / sum;
    u += weight * (a + keep * (x[0] - a));
    v += weight * (b + keep * (x[1] - b));
  });
  return [u, v];
}

/** Noise levels from the largest to the smallest, and 0 at the end; spaced as in Karras et al. 2022, rho = 7. */
export function levels(steps: number): number[] {
  const [first, last] = [LARGEST_SIGMA ** (1 / 7), SMALLEST_SIGMA ** (1 / 7)];
  const inner = Array.from(
    { length: steps },
    (_, i) => (first + (steps > 1 ? i / (steps - 1) : 0) * (last - first)) ** 7,
  );
  return [...inner, 0];
}

export type Way = "euler" | "heun" | "ancestral";

/** The path of one point from noise to data: its place at every noise level. */
export function path(
  start: Point,
  steps: number,
  way: Way,
  means: readonly Point[],
  normal: () => number,
): Point[] {
  const sigmas = levels(steps);
  const slope = (x: Point, sigma: number): Point => {
    const [u, v] = guess(x, sigma, means);
    return [(x[0] - u) / sigma, (x[1] - v) / sigma];
  };
  const places: Point[] = [start];
  let x = start;
  for (let i = 0; i < steps; i++) {
    const [from, to] = [sigmas[i] ?? 0, sigmas[i + 1] ?? 0];
    const first = slope(x, from);
    if (way === "ancestral") {
      const up = Math.sqrt(Math.max(0, (to ** 2 * (from ** 2 - to ** 2)) / from ** 2));
      const down = Math.sqrt(Math.max(0, to ** 2 - up ** 2));
      x = [x[0] + (down - from) * first[0] + up * normal(), x[1] + (down - from) * first[1] + up * normal()];
    } else {
      const ahead: Point = [x[0] + (to - from) * first[0], x[1] + (to - from) * first[1]];
      if (way === "heun" && to > 0) {
        const second = slope(ahead, to);
        x = [
          x[0] + ((to - from) * (first[0] + second[0])) / 2,
          x[1] + ((to - from) * (first[1] + second[1])) / 2,
        ];
      } else x = ahead;
    }
    places.push(x);
  }
  return places;
}

/** Numbers of the normal distribution that are the same for the same seed (mulberry32, Box-Muller). */
export function normals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
