/** Files of the person into the workspace. */

import { signal } from "@preact/signals";
import { send } from "../api/client";
import type { DataSet } from "../api/types";
import { go } from "../state/route";
import { dataSets, loadData } from "../state/store";
import { t } from "../words/words";
import type { Given } from "./dropped";
import { nameOf } from "./dropped";
import type { IconName } from "./icons";
import { attempt } from "./notices";

export const uploading = signal(false);

export const UPLOADS = (): { words: string; folder?: boolean; accept?: string; icon?: IconName }[] => [
  { words: t("upload.folder"), folder: true, icon: "folder" },
  {
    words: t("upload.files"),
    accept: ".zip,.tar,.png,.gif,.bmp,.webp,.jpg,.jpeg,.csv,.jsonl,.json,.txt,.npy,.npz",
  },
];

/** A name that no data set has yet. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let n = 1; ; n++) {
    const one = n === 1 ? name : `${name}-${n}`;
    if (!taken.has(one)) return one;
  }
}

export async function upload(given: readonly Given[]): Promise<void> {
  if (given.length === 0) return;
  const form = new FormData();
  form.append("name", freeName(nameOf(given), new Set(dataSets.value?.map((data) => data.name))));
  for (const { path, file } of given) form.append("files", file, path);
  uploading.value = true;
  const made = await attempt(() => send<DataSet>("/api/data", form));
  uploading.value = false;
  if (made === undefined) return;
  await loadData();
  go("data", { name: made.name });
}
