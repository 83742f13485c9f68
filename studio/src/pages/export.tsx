/** Take a model home, in the form that another program opens. */

import { useState } from "preact/hooks";
import { Bar, Button, Empty, Loading } from "../parts/controls";
import { Files } from "../parts/gallery";
import { Orders, StateMark, Wrong, titleOf } from "../parts/job";
import { ModelPicker } from "../parts/model-picker";
import { modelNamed } from "../state/drawing";
import { link, route } from "../state/route";
import { jobs, models, options, unfinished } from "../state/store";
import { start } from "../state/work";
import { ago, t } from "../words/words";

export function ExportPage() {
  const [chosen, setChosen] = useState<string | null>(route.value.about["model"] ?? null);
  if (models.value === null || options.value === null) return <Loading />;
  const model = modelNamed(chosen);
  if (model === undefined) return <Empty title={t("model.none")} words={t("model.noneWords")} />;
  const made = jobs.value.filter((job) => job.kind === "export").toReversed();
  return (
    <>
      <header class="page-head">
        <h1>{t("nav.export")}</h1>
        <div class="head-picker">
          <ModelPicker value={model} onChange={setChosen} />
        </div>
      </header>
      <section aria-labelledby="export-model">
        <h2 id="export-model">{t("export.model")}</h2>
        <ul class="cards formats">
          {options.value.exports.map((format) => {
            const busy = made.some(
              (job) =>
                unfinished(job) && job.request["format"] === format.name && job.request["model"] === model.id,
            );
            return (
              <li key={format.name} class="card format">
                <h3>{format.name}</h3>
                <p>{format.help}</p>
                <Button
                  icon="down"
                  busy={busy}
                  onClick={() => void start("export", { model: model.id, format: format.name })}
                >
                  {t("export.make")}
                </Button>
              </li>
            );
          })}
        </ul>
      </section>
      <section aria-labelledby="export-pictures">
        <h2 id="export-pictures">{t("export.pictures")}</h2>
        <p>{t("export.picturesWords")}</p>
        <div class="row">
          <a class="button plain" href={link("draw")}>
            {t("export.toPictures")}
          </a>
        </div>
      </section>
      <section aria-labelledby="export-made">
        <h2 id="export-made">{t("export.made")}</h2>
        {made.length === 0 && <p class="muted">{t("export.none")}</p>}
        {made.map((job) => (
          <article key={job.id} class="job">
            <header>
              <h3>{titleOf(job)}</h3>
              <Orders job={job} />
            </header>
            <p class="row tight small">
              <StateMark job={job} />
              {job.ended !== null && <span class="muted">{ago(job.ended)}</span>}
            </p>
            {job.progress !== null && unfinished(job) && (
              <Bar done={job.progress.done} of={job.progress.of} label={titleOf(job)} />
            )}
            <Wrong job={job} />
            {job.result?.files !== undefined && <Files files={job.result.files} />}
            {typeof job.result?.note === "string" && (
              <p class="help" lang="en">
                {job.result.note}
              </p>
            )}
          </article>
        ))}
      </section>
    </>
  );
}
