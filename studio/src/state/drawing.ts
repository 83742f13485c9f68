/** What is to be drawn: the form of the page Draw, which lives on while another page is looked at. */

import { computed, signal } from "@preact/signals";
import type { DrawRequest, Finish, Model, Recipe, Wish, Wishes } from "../api/types";
import { models, options } from "./store";

export interface Drawing {
  model: string | null; // null: the first there is
  wishes: Wishes;
  inTurn: boolean; // each class in turn, where nothing is wished
  count: number;
  seed: number;
  locked: boolean;
  guidance: number | null; // null: as the service has it
  steps: number | null;
  sampler: string | null;
  samplerOptions: Readonly<Record<string, number>>;
  grid: string | null;
  limit: string | null;
  rescale: number;
  interval: readonly [number, number] | null;
  negative: Wishes;
  palette: string;
  hardAlpha: boolean;
  coloursEach: number; // 0: all
  strays: number;
  indexed: boolean;
  zoom: number;
}

export type Finishing = Pick<
  Drawing,
  "palette" | "hardAlpha" | "coloursEach" | "strays" | "indexed" | "zoom"
>;

export const LARGEST_SEED = 999_999;
export const dice = (): number => Math.floor(Math.random() * (LARGEST_SEED + 1));

export const PLAIN: Drawing = {
  model: null,
  wishes: {},
  inTurn: true,
  count: 8,
  seed: 0,
  locked: false,
  guidance: null,
  steps: null,
  sampler: null,
  samplerOptions: {},
  grid: null,
  limit: null,
  rescale: 0,
  interval: null,
  negative: {},
  palette: "none",
  hardAlpha: false,
  coloursEach: 0,
  strays: 0,
  indexed: false,
  zoom: 1,
};

export const drawing = signal<Drawing>({ ...PLAIN, seed: dice() });
export const change = (part: Partial<Drawing>): void => {
  drawing.value = { ...drawing.value, ...part };
};

export const pictureModels = computed(() =>
  (models.value ?? []).filter((model) => model.kind === "pictures"),
);

/** The newest of one's own that has learnt something, else the first that came with the program. */
const usual = computed(
  () =>
    pictureModels.value
      .filter((model) => model.source === "run" && model.step > 0 && model.state !== "training")
      .sort((a, b) => b.created - a.created)[0] ?? pictureModels.value[0],
);

export const modelNamed = (id: string | null): Model | undefined =>
  pictureModels.value.find((model) => model.id === id) ?? usual.value;

/** Only wishes that the model understands: another model may have been chosen since. */
export function understood(wishes: Wishes, model: Model): Wishes {
  const fits = (name: string, wish: Wish): boolean => {
    const condition = model.conditions.find((one) => one.name === name);
    if (condition === undefined) return false;
    if (condition.type !== "category") return true;
    const named = typeof wish === "object" ? Object.keys(wish) : [String(wish)];
    return named.every((one) => condition.classes?.includes(one) === true);
  };
  return Object.fromEntries(Object.entries(wishes).filter(([name, wish]) => fits(name, wish)));
}

export const seedsFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, place) => first + place);

/** Seeds of one class that follow each other, where each is drawn in turn. */
const SEEDS_OF_A_CLASS = 8;

/** The same, so that even few pictures are of every class: one of each, then the next of each. */
export function seedsInTurn(first: number, count: number, classes: number): number[] {
  const round = SEEDS_OF_A_CLASS * classes;
  return Array.from({ length: count }, (_, place) => {
    const within = place % round;
    const done = place - within;
    return first + done + SEEDS_OF_A_CLASS * (within % classes) + Math.floor(within / classes);
  });
}

/** What the service is asked for. Fields that were not touched are left out: the service has its own usual values. */
export function requestOf(form: Drawing, model: Model): DrawRequest {
  const wishes = understood(form.wishes, model);
  const said = Object.keys(wishes).length > 0;
  const negative = understood(form.negative, model);
  const classes = model.conditions.find((one) => one.type === "category")?.classes?.length ?? 1;
  return {
    model: model.id,
    conditions: said || !form.inTurn ? wishes : null,
    seeds:
      said || !form.inTurn ? seedsFrom(form.seed, form.count) : seedsInTurn(form.seed, form.count, classes),
    settings: {
      ...(form.guidance === null ? {} : { guidance: form.guidance }),
      ...(form.steps === null ? {} : { steps: form.steps }),
      ...(form.sampler === null ? {} : { sampler: form.sampler }),
      ...(form.grid === null ? {} : { grid: form.grid }),
      ...(form.limit === null ? {} : { limit: form.limit }),
      ...(form.rescale === 0 ? {} : { rescale: form.rescale }),
      ...(form.interval === null ? {} : { interval: form.interval }),
      ...(Object.keys(negative).length === 0 ? {} : { negative }),
      ...(Object.keys(form.samplerOptions).length === 0 ? {} : { sampler_options: form.samplerOptions }),
    },
    finish: finishOf(form),
  };
}

/** How pictures are finished: what of the form was touched. */
export const finishOf = (form: Finishing): Finish => ({
  ...(form.palette === "none" ? {} : { palette: form.palette }),
  ...(form.hardAlpha ? { hard_alpha: true } : {}),
  ...(form.coloursEach === 0 ? {} : { colours_each: form.coloursEach }),
  ...(form.strays === 0 ? {} : { strays: form.strays }),
  ...(form.indexed ? { indexed: true } : {}),
  ...(form.zoom === 1 ? {} : { zoom: form.zoom }),
});

/** The form that a recipe was drawn by. Its seed is locked, so that the next drawing is the same picture. */
export function formOf({ model, request }: Pick<Recipe, "model" | "request">): Partial<Drawing> {
  const settings = request.settings ?? {};
  const usual = options.value?.draw;
  return {
    ...PLAIN,
    model: model ?? request.model ?? null,
    wishes: request.conditions ?? {},
    inTurn: request.conditions === null,
    seed: request.seeds?.[0] ?? 0,
    count: request.seeds?.length ?? 1,
    locked: true,
    guidance: settings.guidance ?? usual?.guidance.default ?? null,
    steps: settings.steps ?? usual?.steps.default ?? null,
    sampler: settings.sampler ?? null,
    samplerOptions: settings.sampler_options ?? {},
    grid: settings.grid ?? null,
    limit: settings.limit ?? null,
    rescale: settings.rescale ?? 0,
    interval: settings.interval ?? null,
    negative: settings.negative ?? {},
    palette: request.finish?.palette ?? "none",
    hardAlpha: request.finish?.hard_alpha ?? false,
    coloursEach: request.finish?.colours_each ?? 0,
    strays: request.finish?.strays ?? 0,
    indexed: request.finish?.indexed ?? false,
    zoom: request.finish?.zoom ?? 1,
  };
}
