/** The stream of news from the service, taken up again after a break from the last number that was heard. */

export interface Source {
  close(): void;
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  addEventListener(kind: string, heard: (event: { data: string; lastEventId: string }) => void): void;
}

export type Connect = (url: string) => Source;

const KINDS = ["hello", "job", "preview", "models", "data", "drawings", "training"] as const;
export type Kind = (typeof KINDS)[number];

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;

/**
 * Listen until the returned function is called. The browser's own retry gives up on some failures, so a broken
 * stream is closed and opened anew here, after a wait that doubles.
 */
export function listen(
  connect: Connect,
  heard: (kind: Kind, body: unknown) => void,
  connected: (now: boolean) => void,
): () => void {
  let last: string | null = null;
  let wait = FIRST_WAIT;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let source: Source;

  const open = (): void => {
    source = connect(last === null ? "/api/events" : `/api/events?after=${encodeURIComponent(last)}`);
    source.onopen = () => {
      wait = FIRST_WAIT;
      connected(true);
    };
    source.onerror = () => {
      source.close();
      connected(false);
      clearTimeout(timer);
      timer = setTimeout(open, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    };
    for (const kind of KINDS)
      source.addEventListener(kind, (event) => {
        if (event.lastEventId !== "") last = event.lastEventId;
        heard(kind, JSON.parse(event.data));
      });
  };

  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
