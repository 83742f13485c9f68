/** What is there, as pictures; and where to begin, while there is nothing. */

import { useState } from "preact/hooks";
import type { DataSet, Model } from "../api/types";
import { Button, Loading } from "../parts/controls";
import { Emerging } from "../parts/emerging";
import { Drop } from "../parts/drop";
import { Tile } from "../parts/gallery";
import { JobCard } from "../parts/job";
import { about, Preview, purpose } from "../parts/model-picker";
import { UPLOADS, upload } from "../parts/uploading";
import { Viewer } from "../parts/viewer";
import { Thumb } from "../pixels/thumb";
import { change, dice, drawing, modelNamed, PLAIN, requestOf } from "../state/drawing";
import { go, link } from "../state/route";
import { active, dataSets, jobs, models, pictures } from "../state/store";
import { start } from "../state/work";
import { bytes, t } from "../words/words";

const ON_HOME = 24;

/** The first picture in seconds: draw with a model that came with the program. */
async function drawFirst(model: Model): Promise<void> {
  change({ ...PLAIN, model: model.id, seed: dice() });
  await start("draw", requestOf(drawing.value, model));
  go("draw");
}

function Welcome({ shipped, builtin }: { shipped: readonly Model[]; builtin: DataSet | undefined }) {
  const [first] = shipped;
  return (
    <>
      <section class="welcome">
        <div class="welcome-words">
          <h1>{t("home.title")}</h1>
          <p class="lead">{t("home.lead")}</p>
          <div class="row">
            {first !== undefined && (
              <Button tone="main" icon="draw" onClick={() => void drawFirst(first)}>
                {t("home.draw")}
              </Button>
            )}
            {builtin !== undefined && (
              <a class="button plain" href={link("data", { name: builtin.name })}>
                {t("home.builtin")}
              </a>
            )}
          </div>
        </div>
        {builtin !== undefined && builtin.thumbs.length > 0 && (
          <Emerging urls={builtin.thumbs} columns={4} alt={t("home.sheet")} />
        )}
      </section>
      <Drop choose={UPLOADS()} onGiven={(given) => void upload(given)}>
        <h2>{t("home.drop")}</h2>
        <p>{t("home.dropWords")}</p>
      </Drop>
    </>
  );
}

const ModelCard = ({ model }: { model: Model }) => (
  <li class="card">
    <a
      href={model.state === "ready" ? link("draw", { model: model.id }) : link("train", { model: model.id })}
      class="card-picture"
      aria-label={model.name}
    >
      <Preview model={model} wide />
    </a>
    <h3>{model.name}</h3>
    {purpose(model) !== null && <p class="small">{purpose(model)}</p>}
    <p class="small muted">{about(model)}</p>
    <div class="row tight">
      <a class="button quiet" href={link("draw", { model: model.id })}>
        {t("nav.draw")}
      </a>
      {model.source === "run" && (
        <a class="button quiet" href={link("train", { model: model.id })}>
          {t("home.progress")}
        </a>
      )}
    </div>
  </li>
);

const DataCard = ({ data }: { data: DataSet }) => (
  <li class="card">
    <a href={link("data", { name: data.name })} class="card-picture thumbs" aria-label={data.name}>
      {data.thumbs.slice(0, 8).map((url) => (
        <Thumb key={url} url={url} box={[48, 48]} />
      ))}
    </a>
    <h3>{data.builtin ? t("data.builtin") : data.name}</h3>
    <p class="small muted">
      {data.pictures === null ? bytes(data.bytes) : t("count.pictures", { n: data.pictures })}
    </p>
  </li>
);

export function HomePage() {
  const [open, setOpen] = useState<string | null>(null);
  if (models.value === null || dataSets.value === null || pictures.value === null) return <Loading />;
  const shipped = models.value.filter((model) => model.source === "shipped");
  const runs = models.value.filter((model) => model.source === "run");
  const own = dataSets.value.filter((data) => !data.builtin);
  const drawn = pictures.value.slice(0, ON_HOME);
  const empty = runs.length === 0 && own.length === 0 && drawn.length === 0 && jobs.value.length === 0;
  return (
    <>
      {empty ? (
        <Welcome shipped={shipped} builtin={dataSets.value.find((data) => data.builtin)} />
      ) : (
        <header class="page-head">
          <h1>{t("nav.home")}</h1>
          <div class="row">
            <Button
              tone="main"
              icon="draw"
              onClick={() => {
                const model = modelNamed(drawing.value.model);
                if (model !== undefined) go("draw", { model: model.id });
              }}
            >
              {t("home.drawMore")}
            </Button>
            <a class="button plain" href={link("train")}>
              {t("home.trainMore")}
            </a>
          </div>
        </header>
      )}
      {active.value.length > 0 && (
        <section aria-label={t("home.now")}>
          {active.value.slice(0, 3).map((job) => (
            <JobCard key={job.id} job={job} />
          ))}
        </section>
      )}
      {drawn.length > 0 && (
        <section aria-labelledby="home-drawn">
          <h2 id="home-drawn">{t("home.drawn")}</h2>
          <ul class="tiles">
            {drawn.map((picture, place) => (
              <Tile key={picture.id} picture={picture} place={place} onOpen={() => setOpen(picture.id)} />
            ))}
          </ul>
        </section>
      )}
      <section aria-labelledby="home-models">
        <h2 id="home-models">{t("home.models")}</h2>
        <ul class="cards">
          {[...runs, ...shipped].map((model) => (
            <ModelCard key={model.id} model={model} />
          ))}
        </ul>
      </section>
      <section aria-labelledby="home-data">
        <h2 id="home-data">{t("home.data")}</h2>
        <ul class="cards">
          {dataSets.value.map((data) => (
            <DataCard key={data.name} data={data} />
          ))}
        </ul>
        {!empty && (
          <Drop small choose={UPLOADS()} onGiven={(given) => void upload(given)}>
            <p>{t("home.dropMore")}</p>
          </Drop>
        )}
      </section>
      {open !== null && <Viewer pictures={drawn} id={open} onMove={setOpen} onClose={() => setOpen(null)} />}
    </>
  );
}
