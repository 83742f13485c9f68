/** Orders to the service: begin work, steer it, throw away and take back. */

import { signal } from "@preact/signals";
import { at, post, remove } from "../api/client";
import type { Job, JobKind, Picture } from "../api/types";
import { attempt, tell } from "../parts/notices";
import { t } from "../words/words";
import { jobs, loadData, loadModels, loadPictures, pictures, withJob } from "./store";

/** What was begun on this page, by kind of place: the newest job of each. */
export const begun = signal<Readonly<Record<string, number>>>({});

export async function start(kind: JobKind, request: object, place: string = kind): Promise<Job | undefined> {
  const job = await attempt(() => post<Job>("/api/jobs", { kind, request }));
  if (job === undefined) return undefined;
  if (jobs.value.every((known) => known.id !== job.id)) jobs.value = withJob(jobs.value, job);
  begun.value = { ...begun.value, [place]: job.id };
  return job;
}

export type Order = "cancel" | "stop" | "pause" | "continue" | "retry";

export const order = (job: Job, what: Order): Promise<unknown> =>
  attempt(() => post(`/api/jobs/${job.id}/${what}`));

export const move = (job: Job, before: number | null): Promise<unknown> =>
  attempt(() => post(`/api/jobs/${job.id}/move`, { before }));

async function discard(path: string, words: string, reload: () => Promise<void>): Promise<void> {
  const gone = await attempt(() => remove(path));
  if (gone === undefined) return;
  await reload();
  tell(words, {
    words: t("undo"),
    do: () => {
      void attempt(async () => {
        await post(`/api/bin/${at(gone.undo)}/restore`);
        await reload();
      });
    },
  });
}

export const discardPicture = (picture: Picture): Promise<void> =>
  discard(`/api/${at(picture.id)}`, t("gallery.deleted"), loadPictures);

export const discardData = (name: string): Promise<void> =>
  discard(`/api/data/${at(name)}`, t("data.deleted", { name }), loadData);

export const discardModel = (id: string): Promise<void> =>
  discard(`/api/models/${at(id)}`, t("model.deleted", { name: id }), loadModels);

export async function favour(picture: Picture): Promise<void> {
  const favourite = !picture.favourite;
  const set = (to: boolean): void => {
    pictures.value =
      pictures.value?.map((one) => (one.id === picture.id ? { ...one, favourite: to } : one)) ?? null;
  };
  set(favourite);
  const kept = await attempt(async () => {
    await post("/api/favourites", { id: picture.id, favourite });
    return true;
  });
  if (kept !== true) set(!favourite);
}
