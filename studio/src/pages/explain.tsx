/** See how drawing works: step by step, two samplers side by side, noise on one's own picture, a world of two pixels. */

import { useEffect, useState } from "preact/hooks";
import { post } from "../api/client";
import type { Job, Model, Wishes } from "../api/types";
import { Conditions } from "../parts/conditions";
import { Button, Empty, Loading, More, Select, Slider } from "../parts/controls";
import { Drop } from "../parts/drop";
import { base64, type Given } from "../parts/dropped";
import { Formula, Line, V } from "../parts/formula";
import { Orders, StateMark, Wrong } from "../parts/job";
import { Grid } from "../parts/grid";
import { ModelPicker } from "../parts/model-picker";
import { attempt } from "../parts/notices";
import { Toy } from "../parts/toy";
import { Sprite } from "../pixels/sprite";
import { useRoom } from "../pixels/room";
import { zoomFor } from "../pixels/zoom";
import { dice, modelNamed } from "../state/drawing";
import { route } from "../state/route";
import { jobs, models, options, pictures, previews, unfinished } from "../state/store";
import { begun, start } from "../state/work";
import { figure, t } from "../words/words";

const STEPS = 12;

function Frame({ job, at, model, name }: { job: Job | undefined; at: number; model: Model; name: string }) {
  const [box, [wide]] = useRoom();
  const steps = job === undefined ? [] : (previews.value.get(job.id) ?? []);
  const shown = steps[Math.min(at, steps.length) - 1];
  const url = shown?.pictures[0] ?? job?.result?.pictures?.[0]?.url;
  const zoom = zoomFor(Math.max(...model.size), Math.min(wide, 288), 18);
  return (
    <div class="frame-step" ref={box}>
      {wide > 0 && url !== undefined ? (
        <Sprite url={url} size={model.size} zoom={zoom} alt={t("explain.guess", { name })} />
      ) : (
        <p class="no-frame small muted">{job === undefined ? t("explain.press") : t("stage.soon")}</p>
      )}
      <p class="small">
        <b>{name}</b>{" "}
        {shown !== undefined && (
          <span class="muted">{t("job.step", { done: shown.step, of: shown.of })}</span>
        )}
      </p>
      <Wrong job={job} />
    </div>
  );
}

function Steps({ model }: { model: Model }) {
  const [one, setOne] = useState("ddim");
  const [two, setTwo] = useState("dpmpp_2m");
  const [seed, setSeed] = useState(dice);
  const [steps, setSteps] = useState(STEPS);
  const [wishes, setWishes] = useState<Wishes>({});
  const [at, setAt] = useState(steps);
  const [playing, setPlaying] = useState(false);
  const first = jobs.value.find((job) => job.id === begun.value["explain one"]);
  const second = jobs.value.find((job) => job.id === begun.value["explain two"]);
  const busy = [first, second].some((job) => job !== undefined && unfinished(job));
  const names = (options.value?.samplers ?? []).map(({ name }) => ({ value: name, text: name }));
  const most = Math.max(
    ...[first, second].map((job) => (job === undefined ? 0 : (previews.value.get(job.id)?.length ?? 0))),
    1,
  );
  useEffect(() => {
    if (busy) setAt(most);
  }, [busy, most]);
  useEffect(() => {
    if (!playing) return;
    const timer = setTimeout(() => (at >= most ? setPlaying(false) : setAt(at + 1)), 350);
    return () => clearTimeout(timer);
  }, [playing, at, most]);
  const draw = async (): Promise<void> => {
    const request = (sampler: string): object => ({
      model: model.id,
      conditions: wishes,
      seeds: [seed],
      settings: { sampler, steps },
    });
    await start("draw", request(one), "explain one");
    await start("draw", request(two), "explain two");
  };
  return (
    <div class="explain-steps">
      <div class="frames">
        <Frame job={first} at={at} model={model} name={one} />
        <Frame job={second} at={at} model={model} name={two} />
      </div>
      <div>
        <Formula label={t("explain.stepFormula")}>
          <V name="x" sub="s" />
          <mo>=</mo>
          <V name="α" sub="s" />
          <V name="x" sub="0" hat />
          <mo>+</mo>
          <V name="σ" sub="s" />
          <V name="ε" hat />
          <mo>,</mo>
          <mspace width="1em" />
          <V name="ε" hat />
          <mo>=</mo>
          <mfrac>
            <mrow>
              <V name="x" sub="t" />
              <mo>−</mo>
              <V name="α" sub="t" />
              <V name="x" sub="0" hat />
            </mrow>
            <V name="σ" sub="t" />
          </mfrac>
        </Formula>
        <Line file="fogcatcher/diffusion/sampling/samplers.py" name="Moment.move" />
        {[...new Set([one, two])].map((name) => {
          const source = options.value?.samplers.find((sampler) => sampler.name === name)?.source;
          return source !== undefined && <Line key={name} {...source} />;
        })}
        {(first !== undefined || second !== undefined) && (
          <div class="row bottom">
            <Button
              icon={playing ? "pause" : "play"}
              label={playing ? t("pause") : t("play")}
              onClick={() => {
                if (!playing && at >= most) setAt(1);
                setPlaying(!playing);
              }}
            />
            <div class="grow">
              <Slider
                label={t("explain.step")}
                value={Math.min(at, most)}
                low={1}
                high={most}
                onChange={(value) => {
                  setPlaying(false);
                  setAt(value);
                }}
              />
            </div>
          </div>
        )}
        <div class="two">
          <Select label={t("explain.one")} value={one} choices={names} onChange={setOne} />
          <Select label={t("explain.two")} value={two} choices={names} onChange={setTwo} />
        </div>
        <Slider label={t("draw.steps")} value={steps} low={2} high={60} onChange={setSteps} />
        <More title={t("edit.wishes")}>
          <Conditions model={model} wishes={wishes} onWishes={setWishes} />
        </More>
        <div class="go">
          <Button tone="main" icon="play" busy={busy} onClick={() => void draw()}>
            {t("explain.go")}
          </Button>
          <Button icon="dice" onClick={() => setSeed(dice())}>
            {t("explain.seed", { seed: String(seed) })}
          </Button>
        </div>
      </div>
    </div>
  );
}

interface Noisy {
  t: number;
  alpha: number;
  sigma: number;
  url: string;
}

/** Close together where a picture fades: for models of large noise that is near t = 0. */
const TIMES = Array.from({ length: 25 }, (_, i) => (i / 24) ** 3);

function Forward({ model }: { model: Model }) {
  const [frames, setFrames] = useState<readonly Noisy[]>([]);
  const [at, setAt] = useState(5); // half gone, in models of large noise

  const [own, setOwn] = useState<string | null>(null);
  const [size, setSize] = useState(model.size);
  const [box, [wide]] = useRoom();
  const first = pictures.value?.[0];
  const source = own !== null ? { png: own } : first !== undefined ? { id: first.id } : null;
  const key = JSON.stringify(source);
  useEffect(() => {
    if (source === null) return;
    let current = true;
    void attempt(() =>
      post<{ pictures: Noisy[] }>("/api/noise", {
        model: model.id,
        picture: source,
        times: TIMES,
      }),
    ).then((answer) => {
      if (current && answer !== undefined) setFrames(answer.pictures);
    });
    return () => {
      current = false;
    };
  }, [key, model.id]);
  const take = async (given: readonly Given[]): Promise<void> => {
    const file = given[0]?.file;
    if (file === undefined) return;
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (bitmap !== null) setSize([bitmap.width, bitmap.height]);
    setOwn(await base64(file));
  };
  const frame = frames[at];
  const shape = own === null ? (first?.size ?? model.size) : size;
  const zoom = zoomFor(Math.max(...shape), Math.min(wide, 288), 18);
  return (
    <div class="explain-steps">
      <div class="frame-step" ref={box}>
        {frame !== undefined && wide > 0 ? (
          <Sprite url={frame.url} size={shape} zoom={zoom} alt={t("explain.noisy")} />
        ) : (
          <div class="no-frame" />
        )}
      </div>
      <div>
        <Formula label={t("explain.noiseFormula")}>
          <V name="x" sub="t" />
          <mo>=</mo>
          <V name="α" sub="t" />
          <V name="x" sub="0" />
          <mo>+</mo>
          <V name="σ" sub="t" />
          <mi>ε</mi>
        </Formula>
        <Line file="fogcatcher/diffusion/process.py" name="Process.corrupt" />
        <Slider
          label={t("explain.time")}
          value={at}
          low={0}
          high={TIMES.length - 1}
          text={(value) => figure(TIMES[value] ?? 0, 2)}
          help={
            frame === undefined
              ? t("explain.noiseNone")
              : t("explain.rates", {
                  t: figure(frame.t, 2),
                  alpha: figure(frame.alpha),
                  sigma: figure(frame.sigma),
                })
          }
          onChange={setAt}
        />
        <Drop
          small
          choose={[{ words: t("edit.choose"), accept: ".png,.gif" }]}
          onGiven={(given) => void take(given)}
        >
          <p>{t("explain.own")}</p>
        </Drop>
      </div>
    </div>
  );
}

function Whole({ model }: { model: Model }) {
  const job =
    jobs.value.find((one) => one.id === begun.value["explain"]) ??
    jobs.value.findLast(
      (one) => one.kind === "explain" && one.request["model"] === model.id && one.state === "done",
    );
  const page = job?.result?.page;
  return (
    <>
      <div class="row">
        <Button
          icon="explain"
          busy={job !== undefined && unfinished(job)}
          onClick={() => void start("explain", { model: model.id, seed: 0, settings: {} })}
        >
          {t("explain.make")}
        </Button>
        {typeof page === "string" && (
          <a class="button plain" href={page} target="_blank" rel="noreferrer">
            {t("report.open")}
          </a>
        )}
        {job !== undefined && unfinished(job) && (
          <>
            <StateMark job={job} />
            <Orders job={job} />
          </>
        )}
      </div>
      <Wrong job={job} />
      {typeof page === "string" && (
        <iframe class="report-page" src={page} title={t("explain.whole")} sandbox="" />
      )}
    </>
  );
}

export function ExplainPage() {
  const [chosen, setChosen] = useState<string | null>(route.value.about["model"] ?? null);
  if (models.value === null || options.value === null) return <Loading />;
  const model = modelNamed(chosen);
  if (model === undefined) return <Empty title={t("model.none")} words={t("model.noneWords")} />;
  return (
    <>
      <header class="page-head">
        <h1>{t("nav.explain")}</h1>
        <div class="head-picker">
          <ModelPicker value={model} onChange={setChosen} />
        </div>
      </header>
      <section class="lesson" aria-labelledby="lesson-noise">
        <h2 id="lesson-noise">{t("explain.noise")}</h2>
        <p>{t("explain.noiseWords")}</p>
        <Forward key={model.id} model={model} />
      </section>
      <section class="lesson" aria-labelledby="lesson-steps">
        <h2 id="lesson-steps">{t("explain.steps")}</h2>
        <p>{t("explain.stepsWords")}</p>
        <Steps key={model.id} model={model} />
      </section>
      <section class="lesson" aria-labelledby="lesson-grid">
        <h2 id="lesson-grid">{t("grid.title")}</h2>
        <p>{t("grid.words")}</p>
        <Grid key={model.id} model={model} />
      </section>
      <section class="lesson" aria-labelledby="lesson-toy">
        <h2 id="lesson-toy">{t("explain.toy")}</h2>
        <p>{t("explain.toyWords")}</p>
        <Toy />
      </section>
      <section class="lesson" aria-labelledby="lesson-whole">
        <h2 id="lesson-whole">{t("explain.whole")}</h2>
        <p>{t("explain.wholeWords")}</p>
        <Whole model={model} />
      </section>
    </>
  );
}
