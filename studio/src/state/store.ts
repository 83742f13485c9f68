/** What the page knows of the workspace. It is filled from the service and kept fresh by its events. */

import { computed, signal } from "@preact/signals";
import { get, Refused, Unreachable } from "../api/client";
import type { Kind } from "../api/events";
import type { DataSet, Job, Model, Options, Picture, Preview, State, TrainingNews } from "../api/types";
import { said } from "../words/words";
import { language } from "./preferences";

export const state = signal<State | null>(null);
export const options = signal<Options | null>(null);
export const models = signal<Model[] | null>(null);
export const dataSets = signal<DataSet[] | null>(null);
export const jobs = signal<Job[]>([]);
export const pictures = signal<Picture[] | null>(null);
export const morePictures = signal(false);
export const onlyFavourites = signal(false);
export const online = signal(true);
/** model -> what was last heard of its training */
export const training = signal<Readonly<Record<string, TrainingNews>>>({});

/** job -> step -> the guesses of the clean pictures at that step, as addresses of data; of the newest jobs only. */
export const previews = signal<ReadonlyMap<number, readonly Preview[]>>(new Map());
const JOBS_WITH_PREVIEWS = 4;

const UNFINISHED = new Set<Job["state"]>(["queued", "running", "pausing", "paused"]);
export const unfinished = (job: Job): boolean => UNFINISHED.has(job.state);
export const active = computed(() => jobs.value.filter(unfinished));

/** A whole number that grows with every job that ends; what follows jobs watches it. */
export const ended = signal<Job | null>(null);

export function withJob(list: readonly Job[], job: Job): Job[] {
  const place = list.findIndex((one) => one.id === job.id);
  return place < 0 ? [...list, job] : list.with(place, job);
}

export function withPreview(
  known: ReadonlyMap<number, readonly Preview[]>,
  preview: Preview,
): ReadonlyMap<number, readonly Preview[]> {
  const steps = (known.get(preview.job) ?? []).filter((one) => one.step < preview.step);
  const next = new Map(known);
  next.delete(preview.job); // the newest comes last
  next.set(preview.job, [...steps, preview]);
  for (const job of [...next.keys()].slice(0, -JOBS_WITH_PREVIEWS)) next.delete(job);
  return next;
}

const quietly = async (load: () => Promise<void>): Promise<void> => {
  try {
    await load();
  } catch (error) {
    if (error instanceof Unreachable) online.value = false;
    else if (!(error instanceof Refused)) throw error;
  }
};

export const loadModels = (): Promise<void> =>
  quietly(async () => {
    models.value = await get<Model[]>("/api/models");
  });

export const loadData = (): Promise<void> =>
  quietly(async () => {
    dataSets.value = await get<DataSet[]>("/api/data");
  });

interface Page {
  pictures: Picture[];
  more: boolean;
}

const PAGE = 60;

const listed = (before: number | null): Promise<Page> =>
  get<Page>(
    `/api/drawings?limit=${PAGE}${onlyFavourites.value ? "&favourite=1" : ""}${before === null ? "" : `&before=${before}`}`,
  );

export const loadPictures = (): Promise<void> =>
  quietly(async () => {
    const page = await listed(null);
    pictures.value = page.pictures;
    morePictures.value = page.more;
  });

export const loadMorePictures = (): Promise<void> =>
  quietly(async () => {
    const oldest = pictures.value?.at(-1);
    if (oldest === undefined) return;
    const page = await listed(oldest.created);
    const known = new Set(pictures.value?.map((picture) => picture.id));
    pictures.value = [
      ...(pictures.value ?? []),
      ...page.pictures.filter((picture) => !known.has(picture.id)),
    ];
    morePictures.value = page.more;
  });

export const loadJobs = (): Promise<void> =>
  quietly(async () => {
    jobs.value = await get<Job[]>("/api/jobs");
  });

/** What can be chosen, and what the service says, in the language of the page. */
export const loadOptions = (): Promise<void> =>
  quietly(async () => {
    const found = await get<Options>(`/api/options?language=${language.value}`);
    options.value = found;
    said.value = found.said;
  });

export const loadAll = async (): Promise<void> => {
  await quietly(async () => {
    [state.value] = await Promise.all([get<State>("/api/state"), loadOptions()]);
    online.value = true;
  });
  await Promise.all([loadModels(), loadData(), loadPictures(), loadJobs()]);
};

/** Take in one event. */
export function apply(kind: Kind, body: unknown): void {
  switch (kind) {
    case "job": {
      const job = body as Job;
      const before = jobs.value.find((one) => one.id === job.id);
      jobs.value = withJob(jobs.value, job);
      if (!unfinished(job) && (before === undefined || unfinished(before))) ended.value = job;
      return;
    }
    case "preview":
      previews.value = withPreview(previews.value, body as Preview);
      return;
    case "training": {
      const news = body as TrainingNews;
      training.value = { ...training.value, [news.model]: news };
      return;
    }
    case "models":
      void loadModels();
      return;
    case "data":
      void loadData();
      return;
    case "drawings":
      void loadPictures();
      return;
    case "hello":
      // After a break that was too long, what was missed is not told again.
      if ((body as { missed?: boolean }).missed === true) void loadAll();
      return;
  }
}
