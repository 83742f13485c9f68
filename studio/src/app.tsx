/** The frame around every page: where one is, where one can go, and what is being worked on. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { JobKind } from "./api/types";
import { Button } from "./parts/controls";
import { Icon } from "./parts/icon";
import { titleOf } from "./parts/job";
import { Notices, tell } from "./parts/notices";
import { Queue } from "./parts/queue";
import { DataPage } from "./pages/data";
import { DrawPage } from "./pages/draw";
import { EditPage } from "./pages/edit";
import { ExplainPage } from "./pages/explain";
import { ExportPage } from "./pages/export";
import { HomePage } from "./pages/home";
import { JudgePage } from "./pages/judge";
import { TrainPage } from "./pages/train";
import { choose, chooseTheme, language, LANGUAGES, theme } from "./state/preferences";
import { link, PAGES, route, type Page } from "./state/route";
import { active, ended, loadOptions, online, state } from "./state/store";
import { t, told } from "./words/words";

const BODIES: Readonly<Record<Page, () => preact.JSX.Element | null>> = {
  home: HomePage,
  data: DataPage,
  train: TrainPage,
  draw: DrawPage,
  edit: EditPage,
  explain: ExplainPage,
  judge: JudgePage,
  export: ExportPage,
};

/** Each language by its own name, so that who reads no other can find it. */
const OWN_NAMES = { en: "English", es: "Español", pt: "Português" } as const;
const THEMES = ["auto", "light", "dark"] as const;

function Nav() {
  const here = useRef<HTMLAnchorElement>(null);
  const { page } = route.value;
  useEffect(() => here.current?.scrollIntoView({ block: "nearest", inline: "nearest" }), [page]);
  return (
    <nav aria-label={t("nav.label")}>
      <ul>
        {PAGES.map((name) => (
          <li key={name}>
            <a
              href={link(name)}
              ref={name === page ? here : null}
              aria-current={name === page ? "page" : undefined}
            >
              <Icon name={name} scale={2} />
              <span>{t(`nav.${name}`)}</span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Preferences() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
  return (
    <div class="preferences">
      <label>
        <span class="read-only">{t("language")}</span>
        <select
          value={language.value}
          onChange={(event) => {
            choose(LANGUAGES.find((one) => one === event.currentTarget.value) ?? "en");
            void loadOptions(); // help of samplers and networks, in that language
          }}
        >
          {LANGUAGES.map((one) => (
            <option key={one} value={one} lang={one}>
              {OWN_NAMES[one]}
            </option>
          ))}
        </select>
      </label>
      <Button
        tone="quiet"
        icon={theme.value === "auto" ? "halfmoon" : theme.value === "light" ? "sun" : "moon"}
        label={t(`theme.${theme.value}`)}
        onClick={() => chooseTheme(next)}
      />
    </div>
  );
}

function QueueButton({ onOpen }: { onOpen: () => void }) {
  const n = active.value.length;
  const now = active.value.find((job) => job.state === "running");
  const share =
    now?.progress === null || now === undefined ? 0 : now.progress.done / Math.max(1, now.progress.of);
  const said = n === 0 ? t("queue.idle") : t("queue.count", { n });
  return (
    <button
      type="button"
      class={n > 0 ? "queue-button busy" : "queue-button"}
      aria-label={said}
      onClick={onOpen}
    >
      <Icon name="queue" />
      <span>{said}</span>
      {now !== undefined && (
        <span class="thin-bar" aria-hidden="true">
          <span style={{ width: `${100 * share}%` }} />
        </span>
      )}
    </button>
  );
}

/** Where what comes of a job is shown. */
const PAGE_OF: Readonly<Record<JobKind, Page>> = {
  train: "train",
  draw: "draw",
  edit: "edit",
  explain: "explain",
  grid: "explain",
  evaluate: "judge",
  export: "export",
};

/** Say what has ended, where the page that began it is not the one that is looked at. */
function useEndings(page: Page): void {
  const job = ended.value;
  useEffect(() => {
    if (job === null) return;
    if (job.state === "failed") {
      const { words, lang } = told(job.result?.said, job.error ?? t("job.state.failed"));
      tell(words, undefined, true, lang);
    } else if (job.state === "done" && PAGE_OF[job.kind] !== page)
      tell(t("job.done", { title: titleOf(job) }));
  }, [job]);
}

export function App() {
  const [queue, setQueue] = useState(false);
  const { page } = route.value;
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEndings(page);
  useEffect(() => {
    document.title = `${t(`nav.${page}`)} · Fogcatcher`;
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [page, language.value]);
  const Body = BODIES[page];
  return (
    <div class="frame">
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}
      >
        {t("skip")}
      </a>
      <header class="rail">
        <a class="brand" href={link("home")}>
          <Icon name="drop" scale={2} />
          <span>Fogcatcher</span>
        </a>
        <Nav />
        <div class="rail-foot">
          <QueueButton onOpen={() => setQueue(true)} />
          <Preferences />
          {state.value !== null && (
            <p class="small muted workspace" title={state.value.workspace}>
              {state.value.name} · {state.value.device}
            </p>
          )}
        </div>
      </header>
      <main id="main" tabIndex={-1} ref={main} class={`page page-${page}`}>
        {!online.value && (
          <p class="offline" role="alert">
            {t("offline")}
          </p>
        )}
        <Body />
      </main>
      {queue && <Queue onClose={() => setQueue(false)} />}
      <Notices />
    </div>
  );
}
