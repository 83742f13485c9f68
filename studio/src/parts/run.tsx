/** One training, as it goes: its sheet of pictures, its losses, its words; and what can be done with it. */

import { useEffect, useState } from "preact/hooks";
import { at, get } from "../api/client";
import type { Check, Job, Log, Model, ModelDetails } from "../api/types";
import { Sheet } from "../pixels/sheet";
import { go, link } from "../state/route";
import { jobs, training, unfinished } from "../state/store";
import { begun, discardModel, start } from "../state/work";
import { figure, number, percent, t } from "../words/words";
import { Chart, type Series } from "./chart";
import { Bar, Button, More, Slider } from "./controls";
import { Doing, Orders, StateMark, Wrong, timeLeft } from "./job";
import { Stage } from "./stage";

const EVERY = 2500; // milliseconds between looks at the log, while it grows

/** The log of a run: fetched once, and what is new of it while the run goes on. */
function useLog(
  model: string | undefined,
  alive: boolean,
  news: number,
): { log: Log | null; details: ModelDetails | null } {
  const [log, setLog] = useState<Log | null>(null);
  const [details, setDetails] = useState<ModelDetails | null>(null);
  useEffect(() => {
    if (model === undefined) return;
    let current = true;
    const look = async (): Promise<void> => {
      try {
        const [newer, about] = await Promise.all([
          get<Log>(`/api/models/${at(model)}/log`),
          get<ModelDetails>(`/api/models/${at(model)}`),
        ]);
        if (!current) return;
        setLog(newer);
        setDetails(about);
      } catch {
        // A run that has just begun has no log yet; the next look may find it.
      }
    };
    void look();
    const timer = alive ? setInterval(() => void look(), EVERY) : undefined;
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, [model, alive, news]);
  return { log, details };
}

const series = (
  name: string,
  look: Series["look"],
  points: (readonly [number, number | null | undefined])[],
): Series => ({
  name,
  look,
  points: points.filter((point): point is readonly [number, number] => typeof point[1] === "number"),
});

const lossSeries = ({ rows, checks }: Log): Series[] => [
  series(
    t("run.loss"),
    "accent",
    rows.map((row) => [row.step, row.loss]),
  ),
  series(
    t("run.training"),
    "muted",
    checks.map((check) => [check.step, check.training_loss]),
  ),
  series(
    t("run.heldOut"),
    "ink",
    checks.map((check) => [check.step, check.held_out_loss]),
  ),
];

function levelSeries(check: Check): Series[] {
  const levels = check.levels ?? [];
  return [
    series(
      t("run.training"),
      "accent",
      levels.map((level) => [level.sigma, level.training]),
    ),
    series(
      t("run.heldOut"),
      "ink",
      levels.map((level) => [level.sigma, level.held_out]),
    ),
    series(
      t("run.gaussian"),
      "muted",
      levels.map((level) => [level.sigma, level.gaussian]),
    ),
    series(
      t("run.zero"),
      "faint",
      levels.map((level) => [level.sigma, level.zero]),
    ),
  ];
}

function Copies({ checks }: { checks: readonly Check[] }) {
  const last = checks.findLast((check) => typeof check.copied === "number");
  if (typeof last?.copied !== "number") return null;
  const share = last.copied;
  return (
    <p class={share > 0.05 ? "fact warn" : "fact"}>
      <b>{percent(share)}</b> {t("run.copied")}
    </p>
  );
}

/** What a run is doing, in a sentence, by the word of the library's verdict. */
function verdictOf(word: string): string {
  switch (word) {
    case "improving":
      return t("run.improving");
    case "standing still":
      return t("run.standing");
    case "memorising":
      return t("run.memorising");
    case "getting worse":
      return t("run.worse");
    default:
      return t("run.short");
  }
}

/** Pictures of the weights as they are now, paused or not. */
function Now({ model }: { model: Model }) {
  const place = `now ${model.id}`;
  const job = jobs.value.find((one) => one.id === begun.value[place]);
  return (
    <section aria-labelledby="run-now">
      <header class="row spread">
        <h2 id="run-now">{t("run.now")}</h2>
        <Button
          icon="draw"
          busy={job !== undefined && unfinished(job)}
          onClick={() =>
            void start(
              "draw",
              {
                model: model.id,
                conditions: null,
                seeds: Array.from({ length: 8 }, (_, i) => i),
                settings: {},
              },
              place,
            )
          }
        >
          {t("run.drawNow")}
        </Button>
      </header>
      {job === undefined ? (
        <p class="help">{t("run.nowWords")}</p>
      ) : (
        <Stage job={job} size={model.size} tall={260} />
      )}
    </section>
  );
}

function GoOn({ model }: { model: Model }) {
  const [minutes, setMinutes] = useState(10);
  return (
    <div class="panel">
      <p>{model.state === "paused" ? t("run.pausedWords") : t("run.moreWords")}</p>
      {model.state !== "paused" && (
        <Slider
          label={t("train.minutes")}
          value={minutes}
          low={1}
          high={Math.max(120, minutes)}
          typed={[0.1, 1440]}
          onChange={setMinutes}
        />
      )}
      <Button
        tone="main"
        icon="play"
        onClick={() =>
          void start(
            "train",
            model.state === "paused" ? { resume: model.id } : { resume: model.id, minutes },
          ).then((job) => {
            if (job !== undefined) go("train", { job: String(job.id), model: model.id });
          })
        }
      >
        {t("run.goOn")}
      </Button>
    </div>
  );
}

export function RunView({ model, job: given }: { model: Model | undefined; job: Job | undefined }) {
  const job =
    given ??
    jobs.value.findLast(
      (one) =>
        one.kind === "train" &&
        unfinished(one) &&
        model !== undefined &&
        ([one.result?.model, one.request["resume"]].includes(model.id) ||
          (model.state === "training" && one.result === null)),
    );
  const id = model?.id ?? job?.result?.model;
  const news = id === undefined ? undefined : training.value[id];
  const alive = (job !== undefined && unfinished(job)) || model?.state === "training";
  const { log, details } = useLog(id, alive, job?.state === "done" ? 1 : 0);
  const told = job?.state === "running" ? job.progress : null;
  const done = told?.done ?? news?.step ?? model?.step ?? 0;
  const of = told?.of ?? news?.of ?? model?.steps ?? 0;
  const left = job?.progress?.seconds_left ?? news?.seconds_left;
  const preview = news?.preview ?? model?.preview ?? null;
  const levels = log?.checks.findLast((check) => (check.levels ?? []).length > 0);

  return (
    <div class="run">
      <section class="run-head" aria-label={t("run.progress")}>
        {alive && <Bar done={done} of={of} label={t("run.progress")} />}
        <div class="row spread">
          <p class="row tight">
            {job !== undefined && <StateMark job={job} />}
            {alive && typeof told?.text === "string" ? (
              <Doing progress={told} />
            ) : (
              <span>
                {t("job.step", { done, of })} {alive && timeLeft(left)}
              </span>
            )}
          </p>
          {job !== undefined && unfinished(job) && <Orders job={job} quiet={false} />}
          {!alive && model !== undefined && (
            <div class="row tight">
              <a class="button main" href={link("draw", { model: model.id })}>
                {t("nav.draw")}
              </a>
              <a class="button plain" href={link("judge", { model: model.id })}>
                {t("nav.judge")}
              </a>
              <a class="button plain" href={link("export", { model: model.id })}>
                {t("nav.export")}
              </a>
            </div>
          )}
        </div>
        <Wrong job={job} alert />
      </section>
      <div class="run-body">
        <div class="run-sheet">
          <h2 id="run-sheet">{t("run.sheet")}</h2>
          {preview === null ? (
            <p class="muted">{alive ? t("run.sheetSoon") : t("run.sheetNone")}</p>
          ) : (
            <Sheet url={preview} alt={t("run.sheetWords")} limit={4} />
          )}
          <p class="help">{t("run.sheetWords")}</p>
          {model !== undefined && model.step > 0 && <Now model={model} />}
          {model !== undefined && !alive && <GoOn model={model} />}
        </div>
        <div class="run-side">
          {log === null || log.rows.length + log.checks.length === 0 ? (
            alive && <p class="muted">{t("run.lossSoon")}</p>
          ) : (
            <>
              <Chart title={t("run.losses")} across={t("run.step")} series={lossSeries(log)} logY />
              {levels !== undefined && (
                <Chart
                  title={t("run.levels", { step: levels.step })}
                  across={t("run.sigma")}
                  series={levelSeries(levels)}
                  logX
                  logY
                />
              )}
              <Copies checks={log.checks} />
            </>
          )}
          {details !== null && details.summary.length > 0 && (
            <section aria-labelledby="run-words">
              <h2 id="run-words">{t("run.words")}</h2>
              <p>{verdictOf(details.verdict ?? "")}</p>
              <More title={t("found.words")}>
                <ul class="words" lang="en">
                  {[...details.summary, ...details.incidents].map((line) => (
                    <li key={line}>{line}</li>
                  ))}
                </ul>
              </More>
            </section>
          )}
        </div>
      </div>
      {model !== undefined && (
        <More title={t("run.about")}>
          <dl class="facts">
            <div>
              <dt>{t("viewer.size")}</dt>
              <dd>
                {model.size[0]} × {model.size[1]}
              </dd>
            </div>
            <div>
              <dt>{t("run.parameters")}</dt>
              <dd>{number(model.parameters)}</dd>
            </div>
            {model.data !== null && (
              <div>
                <dt>{t("train.data")}</dt>
                <dd>{model.data}</dd>
              </div>
            )}
            {model.started_from !== null && (
              <div>
                <dt>{t("train.from")}</dt>
                <dd>{model.started_from}</dd>
              </div>
            )}
            {log !== null && log.rows.length > 0 && (
              <div>
                <dt>{t("run.speed")}</dt>
                <dd>{figure(log.rows.at(-1)?.seconds_per_step ?? 0)}</dd>
              </div>
            )}
          </dl>
          {details !== null && (
            <pre class="card-text" lang="en" tabIndex={0}>
              {details.card}
            </pre>
          )}
          {!alive && (
            <Button
              tone="danger"
              icon="bin"
              onClick={() => {
                void discardModel(model.id);
                go("home");
              }}
            >
              {t("run.delete")}
            </Button>
          )}
        </More>
      )}
    </div>
  );
}
