import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listen, type Kind, type Source } from "../src/api/events";

class Fake implements Source {
  static all: Fake[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  private heard = new Map<string, (event: { data: string; lastEventId: string }) => void>();
  constructor(readonly url: string) {
    Fake.all.push(this);
  }
  close(): void {
    this.closed = true;
  }
  addEventListener(kind: string, heard: (event: { data: string; lastEventId: string }) => void): void {
    this.heard.set(kind, heard);
  }
  say(kind: Kind, body: unknown, id = ""): void {
    this.heard.get(kind)?.({ data: JSON.stringify(body), lastEventId: id });
  }
}

const newest = (): Fake => Fake.all[Fake.all.length - 1] as Fake;

describe("the stream of events", () => {
  const heard: [Kind, unknown][] = [];
  const states: boolean[] = [];
  let stop: () => void;

  beforeEach(() => {
    vi.useFakeTimers();
    Fake.all = [];
    heard.length = 0;
    states.length = 0;
    stop = listen(
      (url) => new Fake(url),
      (kind, body) => heard.push([kind, body]),
      (now) => states.push(now),
    );
  });
  afterEach(() => {
    stop();
    vi.useRealTimers();
  });

  it("hands on what it hears", () => {
    newest().say("models", {}, "4");
    expect(heard).toEqual([["models", {}]]);
    expect(newest().url).toBe("/api/events");
  });

  it("is taken up again after the last number that was heard", () => {
    newest().onopen?.();
    newest().say("job", { id: 1 }, "41");
    newest().say("preview", { job: 1 }); // not stored, so without a number
    newest().onerror?.();
    expect(newest().closed).toBe(true);
    vi.advanceTimersByTime(499);
    expect(Fake.all).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(newest().url).toBe("/api/events?after=41");
    newest().onopen?.();
    expect(states).toEqual([true, false, true]);
  });

  it("waits twice as long after every failure, up to eight seconds, and shortly again after a success", () => {
    for (const wait of [500, 1000, 2000, 4000, 8000, 8000]) {
      const count = Fake.all.length;
      newest().onerror?.();
      vi.advanceTimersByTime(wait - 1);
      expect(Fake.all).toHaveLength(count);
      vi.advanceTimersByTime(1);
      expect(Fake.all).toHaveLength(count + 1);
    }
    newest().onopen?.();
    newest().onerror?.();
    vi.advanceTimersByTime(500);
    expect(Fake.all).toHaveLength(8);
  });

  it("opens nothing any more when it is stopped while it waits", () => {
    newest().onerror?.();
    stop();
    vi.advanceTimersByTime(60_000);
    expect(Fake.all).toHaveLength(1);
  });
});
