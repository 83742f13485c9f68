import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Job, Model } from "../src/api/types";
import { formOf, PLAIN, requestOf, seedsFrom, seedsInTurn, understood } from "../src/state/drawing";
import { read, link } from "../src/state/route";
import { choiceOf, EVERYTHING, toggled, whereOf } from "../src/state/selection";
import { active, apply, ended, jobs, previews, training, withPreview } from "../src/state/store";
import { preferred } from "../src/state/preferences";

const job = (id: number, state: Job["state"]): Job => ({
  id,
  kind: "draw",
  title: "",
  state,
  position: null,
  request: {},
  created: 0,
  started: null,
  ended: null,
  progress: null,
  error: null,
  result: null,
});

describe("events of jobs", () => {
  beforeEach(() => {
    jobs.value = [];
    ended.value = null;
    previews.value = new Map();
  });

  it("add a new job and replace a known one, in its place", () => {
    apply("job", job(1, "queued"));
    apply("job", job(2, "queued"));
    apply("job", job(1, "running"));
    expect(jobs.value.map(({ id, state }) => [id, state])).toEqual([
      [1, "running"],
      [2, "queued"],
    ]);
    expect(active.value).toHaveLength(2);
  });

  it("tell an ending once, however often it is repeated", () => {
    const endings: (number | undefined)[] = [];
    const stop = ended.subscribe((one) => endings.push(one?.id));
    apply("job", job(7, "running"));
    apply("job", job(7, "done"));
    apply("job", job(7, "done"));
    stop();
    expect(endings).toEqual([undefined, 7]);
    expect(active.value).toHaveLength(0);
  });

  it("keep the previews of a drawing by step, and forget those of old jobs", () => {
    const one = (number: number, step: number) => ({ job: number, step, of: 20, pictures: [] });
    apply("preview", one(1, 1));
    apply("preview", one(1, 2));
    apply("preview", one(1, 2)); // told again after a break
    expect(previews.value.get(1)?.map(({ step }) => step)).toEqual([1, 2]);
    apply("preview", one(1, 1)); // begun anew
    expect(previews.value.get(1)?.map(({ step }) => step)).toEqual([1]);
    let known = previews.value;
    for (const number of [2, 3, 4, 5]) known = withPreview(known, one(number, 1));
    expect([...known.keys()]).toEqual([2, 3, 4, 5]);
  });

  it("keep the newest of each training", () => {
    apply("training", { model: "a", step: 10, of: 20, loss: 1, preview: null, seconds_left: 3 });
    apply("training", { model: "b", step: 1, of: 20, loss: 1, preview: null, seconds_left: 3 });
    apply("training", { model: "a", step: 11, of: 20, loss: 1, preview: null, seconds_left: 2 });
    expect(training.value["a"]?.step).toBe(11);
    expect(training.value["b"]?.step).toBe(1);
  });

  it("fetch a list again when it has changed on disk", () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", (path: string) => {
      asked.push(path);
      return Promise.resolve(new Response("[]"));
    });
    apply("models", {});
    apply("data", {});
    vi.unstubAllGlobals();
    expect(asked).toEqual(["/api/models", "/api/data"]);
  });
});

const model = {
  id: "m",
  conditions: [
    { name: "kind", type: "category", classes: ["hero", "food"] },
    { name: "legs", type: "number", low: 0, high: 8 },
  ],
} as Partial<Model> as Model;

describe("the form of a drawing", () => {
  it("asks for each class in turn where nothing is wished, and for nothing where that is chosen", () => {
    expect(requestOf({ ...PLAIN, count: 2, seed: 5 }, model)).toEqual({
      model: "m",
      conditions: null,
      seeds: [5, 13], // the first hero, the first food
      settings: {},
      finish: {},
    });
    expect(requestOf({ ...PLAIN, inTurn: false }, model).conditions).toEqual({});
  });

  it("leaves out wishes that another model understood", () => {
    expect(understood({ kind: { hero: 1, food: 0.5 }, legs: 4 }, model)).toEqual({
      kind: { hero: 1, food: 0.5 },
      legs: 4,
    });
    expect(understood({ kind: "dragon", mood: "happy" }, model)).toEqual({});
    expect(understood({ kind: { hero: 1, dragon: 1 } }, model)).toEqual({});
  });

  it("comes back from the request that it made", () => {
    const form = {
      ...PLAIN,
      model: "m",
      wishes: { kind: "hero" },
      seed: 9,
      count: 3,
      guidance: 3,
      steps: 30,
      sampler: "ddim",
      rescale: 0.5,
      palette: "pico8",
      zoom: 4,
      inTurn: false,
      locked: true,
    };
    expect(formOf({ model: "m", request: requestOf(form, model) })).toEqual(form);
  });

  it("counts seeds on from the first", () => {
    expect(seedsFrom(7, 3)).toEqual([7, 8, 9]);
  });

  it("takes one seed of each class after the other, and none twice", () => {
    expect(seedsInTurn(0, 5, 3)).toEqual([0, 8, 16, 1, 9]);
    expect(seedsInTurn(7, 3, 1)).toEqual([7, 8, 9]);
    const many = seedsInTurn(0, 64, 5);
    expect([...many].sort((a, b) => a - b).slice(0, 40)).toEqual(seedsFrom(0, 40));
    expect(new Set(many).size).toBe(64);
  });
});

describe("the choice of pictures", () => {
  const kind = { name: "kind of", type: "category", values: { a: 1, b: 2, c: 3 } };

  it("becomes an expression of the program's language", () => {
    expect(whereOf({})).toBeNull();
    expect(whereOf({ "kind of": ["a", 'say "b"'], level: ["3"] })).toBe(
      '`kind of` in ["a", "say \\"b\\""] and `level` in [3]',
    );
  });

  it("turns values off and on; all of them, or none, is no choice", () => {
    const two = toggled({}, kind, "b");
    expect(two).toEqual({ "kind of": ["a", "c"] });
    expect(toggled(two, kind, "b")).toEqual({});
    expect(toggled({ "kind of": ["a"] }, kind, "a")).toEqual({});
  });

  it("asks for no conditions by their own word", () => {
    expect(choiceOf({ ...EVERYTHING, conditions: [] })).toEqual({ conditions: ["none"] });
    expect(choiceOf(EVERYTHING)).toEqual({});
  });
});

describe("the address", () => {
  it("says which page, and what about", () => {
    expect(read("#/edit?action=vary&picture=drawings%2Fx%2F00001.png")).toEqual({
      page: "edit",
      about: { action: "vary", picture: "drawings/x/00001.png" },
    });
    expect(read("#/nonsense").page).toBe("home");
    expect(read("").page).toBe("home");
    expect(read(link("data", { name: "<b>&" }))).toEqual({ page: "data", about: { name: "<b>&" } });
  });
});

describe("the language", () => {
  it("is the first of the browser's that there is", () => {
    expect(preferred(["de-DE", "pt-BR", "es"])).toBe("pt");
    expect(preferred(["de"])).toBe("en");
  });
});
