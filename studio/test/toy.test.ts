import { describe, expect, it } from "vitest";
import { guess, LARGEST_SIGMA, levels, normals, path, type Point } from "../src/pixels/toy";

describe("pictures of two pixels", () => {
  it("have the mean of the data as best guess where there is only noise", () => {
    const [u, v] = guess([0.3, -0.2], 1e4, [
      [1, 2],
      [3, -4],
    ]);
    expect(u).toBeCloseTo(2, 2);
    expect(v).toBeCloseTo(-1, 2);
  });

  it("have, for one cloud, the mean of two Gaussians weighed by their precisions", () => {
    const [own, sigma, mean, x] = [0.06 ** 2, 0.5, 1, 2];
    const exact = (mean / own + x / sigma ** 2) / (1 / own + 1 / sigma ** 2);
    expect(guess([x, 0], sigma, [[mean, 0]])[0]).toBeCloseTo(exact, 12);
  });

  it("go from the largest noise level down to none", () => {
    const sigmas = levels(10);
    expect(sigmas[0]).toBeCloseTo(LARGEST_SIGMA, 12);
    expect(sigmas.at(-1)).toBe(0);
    expect([...sigmas].sort((a, b) => b - a)).toEqual(sigmas);
  });

  it("end at the data, whichever the sampler", () => {
    const means: Point[] = [
      [-1.6, 1.2],
      [1.7, -1.3],
    ];
    for (const way of ["euler", "heun", "ancestral"] as const) {
      const normal = normals(3);
      for (let i = 0; i < 20; i++) {
        const end = path([3 * normal(), 3 * normal()], 40, way, means, normal).at(-1) ?? [9, 9];
        const near = Math.min(...means.map(([a, b]) => Math.hypot(end[0] - a, end[1] - b)));
        expect(near).toBeLessThan(0.5);
      }
    }
  });

  it("are drawn by numbers of mean 0 and variance 1", () => {
    const normal = normals(1);
    const drawn = Array.from({ length: 20_000 }, normal);
    const mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
    expect(mean).toBeCloseTo(0, 1);
    expect(drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / drawn.length).toBeCloseTo(1, 1);
  });
});
