/** Files that were dropped or chosen, with their paths inside the folder. */

export interface Given {
  path: string;
  file: File;
}

const readAll = async (reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> => {
  const all: FileSystemEntry[] = [];
  for (;;) {
    // A reader gives at most a hundred entries at a time, and none when it is done.
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return all;
    all.push(...some);
  }
};

async function walk(entry: FileSystemEntry): Promise<Given[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const inside = await readAll((entry as FileSystemDirectoryEntry).createReader());
  return (await Promise.all(inside.map(walk))).flat();
}

export async function ofDrop(transfer: DataTransfer): Promise<Given[]> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  if (entries.length > 0) return (await Promise.all(entries.map(walk))).flat();
  return [...transfer.files].map((file) => ({ path: file.name, file }));
}

export const ofInput = (files: FileList | null): Given[] =>
  [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** A name for what was given: of the one folder or file that all lies in. */
export function nameOf(given: readonly Given[]): string {
  const tops = new Set(given.map(({ path }) => path.split("/")[0] ?? ""));
  const [top = ""] = tops;
  const name = tops.size === 1 ? top.replace(/\.(zip|png|gif|tar|npz?)$/i, "") : "";
  return (
    name
      .replace(/[^\p{L}\p{N}._-]+/gu, "-")
      .replace(/^[-.]+|[-.]+$/g, "")
      .slice(0, 60) || "pictures"
  );
}

/** The bytes of a file in base64, without the head of a data address. */
export const base64 = (blob: Blob): Promise<string> =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done((reader.result as string).split(",")[1] ?? "");
    reader.onerror = () => failed(new Error(reader.error?.message));
    reader.readAsDataURL(blob);
  });
