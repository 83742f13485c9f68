/** How good a model is, in figures that stand beside what real pictures get. */

import { useState } from "preact/hooks";
import type { Model } from "../api/types";
import { Bar, Button, Empty, Loading, Slider, Toggle } from "../parts/controls";
import { Doing, Orders, StateMark, Wrong, titleOf } from "../parts/job";
import { about, Preview } from "../parts/model-picker";
import { useEstimate } from "../state/estimate";
import { link, route } from "../state/route";
import { jobs, models, unfinished } from "../state/store";
import { begun, start } from "../state/work";
import { ago, duration, figure, percent, t } from "../words/words";

/** Figures as rows, whatever the judge calls them: numbers only, in the order that it gives. */
function rows(figures: Record<string, unknown>): [string, number][] {
  return Object.entries(figures).flatMap(([name, value]): [string, number][] => {
    if (typeof value === "number" && Number.isFinite(value)) return [[name, value]];
    if (value !== null && typeof value === "object" && !Array.isArray(value))
      return rows(value as Record<string, unknown>).map(([inner, one]): [string, number] => [
        `${name} · ${inner}`,
        one,
      ]);
    return [];
  });
}

const ROWS_SHOWN = 40;

interface Judged {
  told_apart?: { accuracy: number } | null;
  memorisation?: { copied: number } | null;
  followed?: { name: string; drawn: number | null; real: number | null }[];
}

/** What matters most of what was found about one model. */
function inWords({ told_apart: told, memorisation, followed }: Judged): string[] {
  const lines: string[] = [];
  if (told != null) lines.push(t("judge.told", { share: percent(told.accuracy), even: percent(0.5) }));
  if (typeof memorisation?.copied === "number")
    lines.push(t("judge.copied", { share: percent(memorisation.copied) }));
  for (const { name, drawn, real } of followed ?? [])
    if (drawn !== null && real !== null)
      lines.push(t("judge.followed", { name, share: percent(drawn), real: percent(real) }));
  return lines;
}

export function JudgePage() {
  const asked = route.value.about["model"];
  const [picked, setChosen] = useState<readonly string[] | null>(asked === undefined ? null : [asked]);
  const [quick, setQuick] = useState(true);
  const [count, setCount] = useState(200);
  const runs = (models.value ?? []).filter((model) => model.source === "run" && model.kind === "pictures");
  const newest = runs.reduce<Model | undefined>(
    (best, one) => (best === undefined || one.created > best.created ? one : best),
    undefined,
  );
  const chosen = picked ?? (newest === undefined ? [] : [newest.id]);
  const wanted = runs.filter((model) => chosen.includes(model.id)).map((model) => model.id);
  const request = wanted.length === 0 ? null : { models: wanted, pictures: count, quick };
  const estimate = useEstimate("evaluate", request);
  if (models.value === null) return <Loading />;
  const all = jobs.value.filter((job) => job.kind === "evaluate");
  const asking = jobs.value.find((job) => job.id === begun.value["evaluate"]);
  const job = asking ?? all.findLast((one) => one.state === "done" || unfinished(one));
  const busy = job !== undefined && unfinished(job);
  const figures = job?.result?.figures === undefined ? [] : rows(job.result.figures).slice(0, ROWS_SHOWN);
  const page = job?.result?.page;
  return (
    <>
      <header class="page-head">
        <h1>{t("nav.judge")}</h1>
      </header>
      {runs.length === 0 ? (
        <Empty title={t("judge.none")} words={t("judge.noneWords")}>
          <a class="button main" href={link("train")}>
            {t("nav.train")}
          </a>
        </Empty>
      ) : (
        <div class="judge">
          <form
            noValidate
            class="panel"
            onSubmit={(event) => {
              event.preventDefault();
              if (request !== null) void start("evaluate", request);
            }}
          >
            <fieldset class="field">
              <legend class="field-top">{t("judge.which")}</legend>
              <div class="ways">
                {runs.map((model) => (
                  <label key={model.id} class={chosen.includes(model.id) ? "way chosen" : "way"}>
                    <input
                      type="checkbox"
                      checked={chosen.includes(model.id)}
                      onChange={() =>
                        setChosen(
                          chosen.includes(model.id)
                            ? chosen.filter((id) => id !== model.id)
                            : [...chosen, model.id],
                        )
                      }
                    />
                    <Preview model={model} />
                    <span>
                      <b>{model.name}</b>
                      <small class="muted">{about(model)}</small>
                    </span>
                  </label>
                ))}
              </div>
              <p class="help">{t("judge.whichWords")}</p>
            </fieldset>
            <Slider
              label={t("judge.count")}
              value={count}
              low={50}
              high={2000}
              step={50}
              help={t("judge.countWords")}
              onChange={setCount}
            />
            <Toggle label={t("judge.quick")} value={quick} onChange={setQuick} help={t("judge.quickWords")} />
            <div class="go">
              <Button tone="main" icon="judge" submit busy={busy} disabled={request === null}>
                {t("judge.go")}
              </Button>
              <p class="small muted">
                {request === null
                  ? t("judge.needs")
                  : typeof estimate?.seconds === "number"
                    ? t("draw.estimate", { time: duration(estimate.seconds) })
                    : ""}
              </p>
            </div>
          </form>
          <section class="judge-report" aria-live="polite">
            {job === undefined && <p class="muted">{t("judge.idle")}</p>}
            {job !== undefined && (
              <header class="row spread">
                <h2>{titleOf(job)}</h2>
                <div class="row tight">
                  {job.ended !== null && <span class="small muted">{ago(job.ended)}</span>}
                  <StateMark job={job} />
                  <Orders job={job} />
                </div>
              </header>
            )}
            {job?.progress != null && busy && (
              <>
                <Bar done={job.progress.done} of={job.progress.of} label={titleOf(job)} />
                <Doing progress={job.progress} />
              </>
            )}
            <Wrong job={job} alert />
            {Object.entries(job?.result?.figures ?? {}).map(([run, found], _, all) => (
              <div key={run}>
                {all.length > 1 && <h3>{run}</h3>}
                <ul class="words">
                  {inWords(found as Judged).map((line) => (
                    <li key={line}>{line}</li>
                  ))}
                </ul>
              </div>
            ))}
            {typeof page === "string" && (
              <>
                <iframe class="report-page" src={page} title={t("judge.report")} sandbox="" />
                <p>
                  <a href={page} target="_blank" rel="noreferrer">
                    {t("report.open")}
                  </a>
                </p>
              </>
            )}
            {figures.length > 0 && (
              <details class="more">
                <summary>{t("judge.figures")}</summary>
                <table>
                  <tbody>
                    {figures.map(([name, value]) => (
                      <tr key={name}>
                        <th scope="row" lang="en">
                          {name}
                        </th>
                        <td>{figure(value, 4)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </details>
            )}
          </section>
        </div>
      )}
    </>
  );
}
