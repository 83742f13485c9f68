/** Draw: what is wished for, how it is drawn, and the pictures as they come out of the noise. */

import { useEffect, useState } from "preact/hooks";
import { get, post, remove } from "../api/client";
import type { DrawRequest, Job, Model } from "../api/types";
import { Conditions } from "../parts/conditions";
import { Button, Empty, Field, Loading, More, Select, Slider, Text, Toggle } from "../parts/controls";
import { Drop } from "../parts/drop";
import type { Given } from "../parts/dropped";
import { Finish } from "../parts/finish";
import { Gallery } from "../parts/gallery";
import { ModelPicker } from "../parts/model-picker";
import { attempt, tell } from "../parts/notices";
import { recipeOf } from "../parts/recipe";
import { Stage } from "../parts/stage";
import { Viewer } from "../parts/viewer";
import { change, dice, drawing, formOf, LARGEST_SEED, modelNamed, PLAIN, requestOf } from "../state/drawing";
import { useEstimate } from "../state/estimate";
import { link, route } from "../state/route";
import { jobs, models, options, unfinished } from "../state/store";
import { begun, start } from "../state/work";
import { duration, t } from "../words/words";

function Seed() {
  const { seed, locked } = drawing.value;
  return (
    <Field label={t("draw.seed")} help={locked ? t("draw.locked") : t("draw.unlocked")}>
      {(ids) => (
        <div class="row tight seed">
          <input
            {...ids}
            class="number"
            type="number"
            min={0}
            max={LARGEST_SEED}
            value={seed}
            onChange={(event) => {
              const typed = event.currentTarget.valueAsNumber;
              if (Number.isInteger(typed) && typed >= 0) change({ seed: typed, locked: true });
              else event.currentTarget.value = String(seed);
            }}
          />
          <Button tone="quiet" icon="dice" label={t("draw.dice")} onClick={() => change({ seed: dice() })} />
          <Button
            tone="quiet"
            icon={locked ? "lock" : "unlock"}
            label={t("draw.lock")}
            pressed={locked}
            onClick={() => change({ locked: !locked })}
          />
        </div>
      )}
    </Field>
  );
}

interface Preset {
  name: string;
  request: DrawRequest;
}

function Presets({ model }: { model: Model }) {
  const [known, setKnown] = useState<Preset[]>([]);
  const [name, setName] = useState("");
  const load = (): Promise<unknown> => attempt(async () => setKnown(await get<Preset[]>("/api/presets")));
  useEffect(() => void load(), []);
  const keep = async (): Promise<void> => {
    await attempt(() =>
      post("/api/presets", { name: name.trim(), request: requestOf(drawing.value, model) }),
    );
    setName("");
    await load();
  };
  return (
    <>
      {known.length > 0 && (
        <ul class="presets-kept">
          {known.map((preset) => (
            <li key={preset.name} class="row tight">
              <Button
                tone="quiet"
                onClick={() =>
                  change({
                    ...formOf({ model: preset.request.model, request: preset.request }),
                    locked: false,
                  })
                }
              >
                {preset.name}
              </Button>
              <Button
                tone="quiet"
                icon="close"
                label={t("preset.forget", { name: preset.name })}
                onClick={() =>
                  void attempt(() => remove(`/api/presets?name=${encodeURIComponent(preset.name)}`)).then(
                    load,
                  )
                }
              />
            </li>
          ))}
        </ul>
      )}
      <Text label={t("preset.name")} value={name} onChange={setName} />
      <Button disabled={name.trim() === ""} onClick={() => void keep()}>
        {t("preset.keep")}
      </Button>
    </>
  );
}

function Fine({ model }: { model: Model }) {
  const form = drawing.value;
  const known = options.value;
  if (known === null) return null;
  const sampler = known.samplers.find((one) => one.name === (form.sampler ?? known.draw.sampler));
  const usual = { value: "", text: t("form.usual") };
  const names = (list: readonly string[]): { value: string; text: string }[] =>
    list.map((value) => ({ value, text: value }));
  return (
    <>
      <Select
        label={t("draw.sampler")}
        value={form.sampler ?? ""}
        choices={[usual, ...names(known.samplers.map((one) => one.name))]}
        help={sampler?.help}
        onChange={(name) => change({ sampler: name === "" ? null : name, samplerOptions: {} })}
      />
      {form.sampler !== null &&
        sampler?.options.map((option) => (
          <Slider
            key={option.name}
            label={option.name}
            help={option.help}
            value={form.samplerOptions[option.name] ?? option.default ?? 0}
            low={option.low ?? 0}
            high={option.high ?? Math.max(1, 4 * (option.default ?? 1))}
            step={option.whole ? 1 : 0.01}
            onChange={(value) => change({ samplerOptions: { ...form.samplerOptions, [option.name]: value } })}
          />
        ))}
      <Select
        label={t("draw.grid")}
        value={form.grid ?? ""}
        choices={[usual, ...names(known.grids)]}
        onChange={(grid) => change({ grid: grid === "" ? null : grid })}
      />
      <Select
        label={t("draw.limit")}
        value={form.limit ?? ""}
        choices={[usual, ...names(known.limits)]}
        onChange={(limit) => change({ limit: limit === "" ? null : limit })}
      />
      <Slider
        label={t("draw.rescale")}
        value={form.rescale}
        low={0}
        high={1}
        step={0.05}
        help={t("draw.rescaleWords")}
        onChange={(rescale) => change({ rescale })}
      />
      <Toggle
        label={t("draw.interval")}
        value={form.interval !== null}
        onChange={(on) => change({ interval: on ? [0.2, 2] : null })}
      />
      {form.interval !== null && (
        <>
          <Slider
            label={t("draw.intervalLow")}
            value={form.interval[0]}
            low={0}
            high={2}
            step={0.05}
            onChange={(low) => change({ interval: [low, Math.max(low + 0.05, form.interval?.[1] ?? 2)] })}
          />
          <Slider
            label={t("draw.intervalHigh")}
            value={form.interval[1]}
            low={0.05}
            high={20}
            step={0.05}
            onChange={(high) =>
              change({ interval: [Math.min(high - 0.05, form.interval?.[0] ?? 0.2), high] })
            }
          />
        </>
      )}
      {model.conditions.length > 0 && (
        <More title={t("draw.negative")}>
          <Conditions model={model} wishes={form.negative} onWishes={(negative) => change({ negative })} />
        </More>
      )}
      <Finish form={form} onChange={change} />
      <Button tone="quiet" onClick={() => change({ ...PLAIN, model: form.model, seed: form.seed })}>
        {t("draw.reset")}
      </Button>
    </>
  );
}

/** A PNG of the program brings back the form that it was drawn by. */
async function restore(given: readonly Given[]): Promise<void> {
  const [first] = given;
  if (first === undefined) return;
  const recipe = await attempt(() => recipeOf(first.file));
  if (recipe === undefined) return;
  change(formOf(recipe));
  tell(recipe.model === null ? (recipe.note ?? t("draw.restoredNoModel")) : t("draw.restored"));
}

function Controls({ model }: { model: Model }) {
  const form = drawing.value;
  const known = options.value?.draw;
  const request = requestOf(form, model);
  const estimate = useEstimate("draw", request);
  const busy = jobs.value.some((job) => job.id === begun.value["draw"] && unfinished(job));
  const draw = async (): Promise<void> => {
    const job = await start("draw", request);
    if (job !== undefined && !form.locked) change({ seed: dice() });
  };
  return (
    <form
      noValidate
      class="panel controls"
      onSubmit={(event) => {
        event.preventDefault();
        void draw();
      }}
    >
      <ModelPicker value={model} onChange={(id) => change({ model: id })} />
      <Conditions
        model={model}
        wishes={form.wishes}
        onWishes={(wishes) => change({ wishes })}
        turn={{ on: form.inTurn, set: (inTurn) => change({ inTurn }) }}
      />
      <Slider
        label={t("draw.count")}
        value={form.count}
        low={known?.count.low ?? 1}
        high={Math.min(known?.count.high ?? 64, 64)}
        onChange={(count) => change({ count })}
      />
      <Seed />
      {model.conditions.length > 0 && (
        <Slider
          label={t("draw.guidance")}
          value={form.guidance ?? known?.guidance.default ?? 2}
          low={Math.max(known?.guidance.low ?? 0, 0)}
          high={Math.min(known?.guidance.high ?? 8, 8)}
          step={0.1}
          help={t("draw.guidanceWords")}
          onChange={(guidance) => change({ guidance })}
        />
      )}
      <Slider
        label={t("draw.steps")}
        value={form.steps ?? known?.steps.default ?? 20}
        low={Math.max(known?.steps.low ?? 1, 1)}
        high={Math.min(known?.steps.high ?? 100, 100)}
        help={t("draw.stepsWords")}
        onChange={(steps) => change({ steps })}
      />
      <More>
        <Fine model={model} />
      </More>
      <More title={t("preset.title")}>
        <Presets model={model} />
      </More>
      <div class="go">
        <Button tone="main" icon="draw" submit busy={busy}>
          {t("draw.go")}
        </Button>
        <p class="small muted">
          {typeof estimate?.seconds === "number"
            ? t("draw.estimate", { time: duration(estimate.seconds) })
            : ""}
        </p>
      </div>
    </form>
  );
}

const newestDrawing = (): Job | undefined =>
  jobs.value.find((job) => job.id === begun.value["draw"]) ??
  jobs.value.findLast(
    (job) =>
      job.kind === "draw" &&
      (job.state === "done" || unfinished(job)) &&
      Object.entries(begun.value).every(([place, id]) => place === "draw" || id !== job.id),
  );

export function DrawPage() {
  const [open, setOpen] = useState<string | null>(null);
  const asked = route.value.about["model"];
  useEffect(() => {
    if (asked !== undefined) change({ model: asked });
  }, [asked]);
  if (models.value === null || options.value === null) return <Loading />;
  const model = modelNamed(drawing.value.model);
  if (model === undefined)
    return (
      <Empty title={t("model.none")} words={t("model.noneWords")}>
        <a class="button main" href={link("train")}>
          {t("nav.train")}
        </a>
      </Empty>
    );
  const job = newestDrawing();
  const of = modelNamed(typeof job?.request["model"] === "string" ? job.request["model"] : model.id) ?? model;
  const drawn = job?.result?.pictures ?? [];
  return (
    <>
      <h1 class="read-only">{t("nav.draw")}</h1>
      <div class="workbench">
        <Controls model={model} />
        <div class="bench">
          {job === undefined ? (
            <div class="stage idle">
              <p>{t("draw.idle")}</p>
            </div>
          ) : (
            <Stage job={job} size={of.size} onOpen={(picture) => setOpen(picture.id)} />
          )}
          <Gallery />
          <Drop
            small
            choose={[{ words: t("draw.restoreChoose"), accept: ".png" }]}
            onGiven={(given) => void restore(given)}
          >
            <p>{t("draw.restore")}</p>
          </Drop>
        </div>
      </div>
      {open !== null && <Viewer pictures={drawn} id={open} onMove={setOpen} onClose={() => setOpen(null)} />}
    </>
  );
}
