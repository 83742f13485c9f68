/** Teach a model: from which pictures, from what it starts, how large, how long. Then watch it learn. */

import { useState } from "preact/hooks";
import type { Model } from "../api/types";
import { Button, Empty, Loading, More, Problem, Segments, Select, Slider, Text } from "../parts/controls";
import { about, Preview, purpose } from "../parts/model-picker";
import { RunView } from "../parts/run";
import { useEstimate } from "../state/estimate";
import { pictureModels } from "../state/drawing";
import { go, link, route } from "../state/route";
import { Thumb } from "../pixels/thumb";
import { choiceOf, selection } from "../state/selection";
import { dataSets, jobs, models, options, unfinished } from "../state/store";
import { start } from "../state/work";
import { duration, number, t } from "../words/words";

interface Form {
  name: string;
  minutes: number | null;
  from: string;
  size: string | null;
  preset: string | null;
  network: string | null;
  augment: string;
  seed: number;
  batch: number | null;
  upscale: string;
}

const PLAIN: Form = {
  name: "",
  minutes: null,
  from: "auto",
  size: null,
  preset: null,
  network: null,
  augment: "auto",
  seed: 0,
  batch: null,
  upscale: "",
};

function StartFrom({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const ways: { value: string; name: string; words: string; model?: Model }[] = [
    { value: "auto", name: t("train.auto"), words: t("train.autoWords") },
    ...pictureModels.value.map((model) => ({
      value: model.id,
      name: model.name,
      words: purpose(model) ?? about(model),
      model,
    })),
    { value: "none", name: t("train.nothing"), words: t("train.nothingWords") },
  ];
  return (
    <fieldset class="field">
      <legend class="field-top">{t("train.from")}</legend>
      <div class="ways">
        {ways.map((way) => (
          <label key={way.value} class={way.value === value ? "way chosen" : "way"}>
            <input
              type="radio"
              name="start-from"
              value={way.value}
              checked={way.value === value}
              onChange={() => onChange(way.value)}
            />
            {way.model !== undefined && <Preview model={way.model} />}
            <span>
              <b>{way.name}</b>
              <small class="muted">{way.words}</small>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function TrainForm() {
  const [form, setForm] = useState<Form>(PLAIN);
  const set = (part: Partial<Form>): void => setForm({ ...form, ...part });
  const sets = dataSets.value ?? [];
  const asked = route.value.about["data"] ?? selection.value.data;
  const data = sets.find((one) => one.name === asked) ?? sets.find((one) => !one.builtin) ?? sets[0];
  const choices = options.value?.train;
  const chosen = data !== undefined && selection.value.data === data.name ? choiceOf(selection.value) : {};
  const minutes = form.minutes ?? choices?.minutes.default ?? 10;
  const request =
    data === undefined
      ? null
      : {
          data: data.name,
          minutes,
          ...chosen,
          ...(form.name.trim() === "" ? {} : { name: form.name.trim() }),
          ...(form.from === "auto" ? {} : { start_from: form.from }),
          ...(form.size === null ? {} : { size_of_model: form.size }),
          ...(form.preset === null ? {} : { preset: form.preset }),
          ...(form.network === null ? {} : { network: form.network }),
          ...(form.augment === "auto" ? {} : { augment: form.augment }),
          ...(form.seed === 0 ? {} : { seed: form.seed }),
          ...(form.batch === null ? {} : { batch_size: form.batch }),
          ...(form.upscale === "" ? {} : { upscale: Number(form.upscale) }),
        };
  const estimate = useEstimate("train", request);
  if (choices === undefined || data === undefined || request === null) return <Loading />;
  const sizes = choices.sizes_of_model;
  const size = sizes.find(({ name }) => name === form.size);
  const sizeHelp =
    size === undefined ? t("train.sizeWords") : t("model.parameters", { n: number(size.parameters) });
  const [low, high] = [choices.minutes.low ?? 0.1, choices.minutes.high ?? 1440];
  const begin = async (): Promise<void> => {
    const job = await start("train", request);
    if (job !== undefined) go("train", { job: String(job.id) });
  };
  return (
    <form
      noValidate
      class="train-form"
      onSubmit={(event) => {
        event.preventDefault();
        void begin();
      }}
    >
      <section class="panel">
        <Select
          label={t("train.data")}
          value={data.name}
          choices={sets.map((one) => ({ value: one.name, text: one.builtin ? t("data.builtin") : one.name }))}
          onChange={(name) => go("train", { data: name })}
        />
        <div class="thumb-strip" aria-hidden="true">
          {data.thumbs.map((url) => (
            <Thumb key={url} url={url} box={[48, 48]} />
          ))}
        </div>
        <p class="small">
          <a href={link("data", { name: data.name })}>{t("train.look")}</a>
        </p>
        <StartFrom value={form.from} onChange={(from) => set({ from })} />
      </section>
      <section class="panel">
        <Segments
          label={t("train.size")}
          value={form.size ?? "auto"}
          choices={[
            { value: "auto", text: t("train.sizeAuto") },
            ...sizes.map(({ name }) => ({ value: name, text: sizeName(name) })),
          ]}
          help={sizeHelp}
          onChange={(size) => set({ size: size === "auto" ? null : size })}
        />
        <Slider
          label={t("train.minutes")}
          value={minutes}
          low={Math.min(1, minutes)}
          high={Math.max(60, minutes)}
          step={minutes < 1 ? 0.1 : 1}
          typed={[low, high]}
          text={(value) => duration(60 * value)}
          onChange={(value) => set({ minutes: value })}
        />
        <div class="row tight presets">
          {[1, 5, 10, 30, 60, 240].map((value) => (
            <Button
              key={value}
              tone="quiet"
              pressed={minutes === value}
              onClick={() => set({ minutes: value })}
            >
              {duration(60 * value)}
            </Button>
          ))}
        </div>
        <Text
          label={t("train.name")}
          value={form.name}
          placeholder={data.name}
          help={t("train.nameWords")}
          onChange={(name) => set({ name })}
        />
        <More>
          <Select
            label={t("train.preset")}
            value={form.preset ?? ""}
            choices={[
              { value: "", text: t("form.usual") },
              ...choices.presets.map((one) => ({ value: one.name, text: one.name })),
            ]}
            help={choices.presets.find((one) => one.name === form.preset)?.help}
            onChange={(preset) => set({ preset: preset === "" ? null : preset })}
          />
          <Select
            label={t("train.network")}
            value={form.network ?? ""}
            choices={[
              { value: "", text: t("form.usual") },
              ...choices.networks.map((one) => ({ value: one.name, text: one.name })),
            ]}
            help={choices.networks.find((one) => one.name === form.network)?.help}
            onChange={(network) => set({ network: network === "" ? null : network })}
          />
          <Select
            label={t("train.upscale")}
            value={form.upscale}
            choices={[
              { value: "", text: t("train.upscaleNot") },
              ...["2", "3", "4"].map((value) => ({ value, text: `${value} ×` })),
            ]}
            help={t("train.upscaleWords")}
            onChange={(upscale) => set({ upscale })}
          />
          <Text
            label={t("train.augment")}
            value={form.augment}
            list={choices.augment}
            help={t("train.augmentWords")}
            onChange={(augment) => set({ augment })}
          />
          <Slider
            label={t("draw.seed")}
            value={form.seed}
            low={0}
            high={9999}
            onChange={(seed) => set({ seed })}
          />
          <Slider
            label={t("train.batch")}
            value={form.batch ?? 32}
            low={1}
            high={256}
            onChange={(batch) => set({ batch })}
          />
        </More>
        <div class="go">
          <Button tone="main" icon="train" submit>
            {t("train.go")}
          </Button>
          <p class="small muted" aria-live="polite">
            {typeof estimate?.seconds === "number"
              ? t("draw.estimate", { time: duration(estimate.seconds) })
              : ""}
          </p>
        </div>
      </section>
    </form>
  );
}

function sizeName(size: string): string {
  switch (size) {
    case "tiny":
    case "small":
    case "medium":
    case "large":
      return t(`train.size.${size}`);
    default:
      return size;
  }
}

function Runs({ chosen }: { chosen: string | null }) {
  const runs = (models.value ?? []).filter((model) => model.source === "run");
  if (runs.length === 0) return null;
  return (
    <ul class="sets" aria-label={t("train.runs")}>
      {runs.map((model) => (
        <li key={model.id}>
          <a
            class="set"
            href={link("train", { model: model.id })}
            aria-current={model.id === chosen ? "true" : undefined}
          >
            <Preview model={model} />
            <span>
              <b>{model.name}</b>
              <small class="muted">{about(model)}</small>
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

export function TrainPage() {
  const all = models.value;
  const { about: asked } = route.value;
  if (all === null || dataSets.value === null) return <Loading />;
  const job = jobs.value.find((one) => String(one.id) === asked["job"]);
  const named = asked["model"] ?? job?.result?.model ?? (job?.request["resume"] as string | undefined);
  const running = jobs.value.findLast((one) => one.kind === "train" && unfinished(one));
  const shown =
    job ??
    (asked["data"] === undefined && named === undefined && asked["new"] === undefined ? running : undefined);
  const id = named ?? shown?.result?.model;
  // A run that has just begun is known by its work: only one trains at a time.
  const begun = shown !== undefined && unfinished(shown) && shown.state !== "queued";
  const model = all.find((one) => (id === undefined ? begun && one.state === "training" : one.id === id));
  const looking = model !== undefined || shown !== undefined;
  return (
    <>
      <header class="page-head">
        <h1>{looking ? (model?.name ?? t("nav.train")) : t("train.title")}</h1>
        {looking && (
          <a class="button plain" href={link("train", { new: "1" })}>
            {t("train.another")}
          </a>
        )}
      </header>
      <Runs chosen={model?.id ?? null} />
      {looking ? (
        <RunView key={model?.id ?? shown?.id} model={model} job={shown} />
      ) : asked["model"] !== undefined ? (
        <Problem words={t("data.gone", { name: asked["model"] })} />
      ) : dataSets.value.length === 0 ? (
        <Empty title={t("data.pick")} words={t("data.pickWords")} />
      ) : (
        <TrainForm />
      )}
    </>
  );
}
