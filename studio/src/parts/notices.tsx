/** Short notices at the edge of the page: read once by a screen reader, gone after a while. */

import { signal } from "@preact/signals";
import { Refused, Unreachable } from "../api/client";
import { t, told } from "../words/words";
import { Button } from "./controls";

interface Notice {
  id: number;
  words: string;
  lang: "en" | undefined;
  bad: boolean;
  act?: { words: string; do: () => void };
}

const notices = signal<readonly Notice[]>([]);
const SHOWN_FOR = 9000;
let last = 0;

const dismiss = (id: number): void => {
  notices.value = notices.value.filter((notice) => notice.id !== id);
};

export function tell(words: string, act?: Notice["act"], bad = false, lang?: "en"): void {
  const id = ++last;
  notices.value = [
    ...notices.value.slice(-2),
    { id, words, lang, bad, ...(act === undefined ? {} : { act }) },
  ];
  setTimeout(() => dismiss(id), bad ? 2 * SHOWN_FOR : SHOWN_FOR);
}

/** The sentence for a failure: the service's own, or that it does not answer. */
export const sentence = (error: unknown): { words: string; lang?: "en" } => {
  if (error instanceof Refused) return told(error.said, error.message);
  if (error instanceof Unreachable) return { words: t("offline") };
  throw error;
};

/** Do something; where it is refused, say so. */
export async function attempt<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    const { words, lang } = sentence(error);
    tell(words, undefined, true, lang);
    return undefined;
  }
}

export const Notices = () => (
  <div class="notices" role="status" aria-live="polite">
    {notices.value.map((notice) => (
      <div key={notice.id} class={notice.bad ? "notice bad" : "notice"}>
        <p lang={notice.lang}>{notice.words}</p>
        {notice.act !== undefined && (
          <Button
            tone="quiet"
            onClick={() => {
              notice.act?.do();
              dismiss(notice.id);
            }}
          >
            {notice.act.words}
          </Button>
        )}
        <Button tone="quiet" icon="close" label={t("close")} onClick={() => dismiss(notice.id)} />
      </div>
    ))}
  </div>
);
