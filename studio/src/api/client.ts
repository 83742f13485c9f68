/** Requests to the service. A refusal is a `Refused` with the sentence that the service gave. */

import type { Said } from "../words/words";

export class Refused extends Error {
  constructor(
    message: string,
    readonly about: string | null,
    readonly status: number,
    readonly said: Said | null = null,
  ) {
    super(message);
  }
}

/** Thrown where no answer came at all: the service is not running, or the machine is asleep. */
export class Unreachable extends Error {}

interface Asked {
  method?: string;
  body?: BodyInit;
  headers?: Record<string, string>;
}

async function ask<T>(path: string, init: Asked = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, headers: { "X-Fogcatcher": "1", ...init.headers } });
  } catch {
    throw new Unreachable();
  }
  const text = await answer.text();
  let body: unknown = null;
  try {
    body = text === "" ? null : JSON.parse(text);
  } catch {
    if (answer.ok) throw new Unreachable();
  }
  if (answer.ok) return body as T;
  const { error, about, said } = (body ?? {}) as { error?: string; about?: string | null; said?: Said };
  throw new Refused(
    error ?? `${answer.status} ${answer.statusText}`,
    about ?? null,
    answer.status,
    said ?? null,
  );
}

export const get = <T>(path: string): Promise<T> => ask<T>(path);

export const post = <T>(path: string, body: unknown = {}): Promise<T> =>
  ask<T>(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  });

export const remove = (path: string): Promise<{ undo: string }> => ask(path, { method: "DELETE" });

export const send = <T>(path: string, form: FormData): Promise<T> =>
  ask<T>(path, { method: "POST", body: form });

/** A path of ids that may hold slashes: each part is escaped, the slashes stay. */
export const at = (...parts: string[]): string =>
  parts.map((part) => part.split("/").map(encodeURIComponent).join("/")).join("/");
