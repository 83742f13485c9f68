/** The same seeds with many settings: what the columns are, what the rows are, and the table that is drawn. */

import { useState } from "preact/hooks";
import type { Model } from "../api/types";
import { jobs, options, unfinished } from "../state/store";
import { begun, start } from "../state/work";
import { t } from "../words/words";
import { Bar, Button, Select, Slider, Text, type Choice } from "./controls";
import { Orders, titleOf, Wrong } from "./job";

/** What a table can change besides the conditions of the model, with values to begin with. */
const NUMBERS = { steps: "5 10 20", guidance: "1 2 4", rescale: "0 0.5 1", seed: "0 1 2 3" } as const;
const isNumber = (name: string): name is keyof typeof NUMBERS => name in NUMBERS;
const FIRST_SAMPLERS = ["ddim", "heun", "dpmpp_2m"];
const NONE = "";

interface Axis {
  name: string;
  text: string; // numbers as they are typed
  chosen: readonly string[]; // names
}

const namesOf = (name: string, model: Model): readonly string[] =>
  name === "sampler"
    ? (options.value?.samplers ?? []).map((sampler) => sampler.name)
    : (model.conditions.find((condition) => condition.name === name)?.classes ?? []);

const axisOf = (name: string, model: Model): Axis => ({
  name,
  text: isNumber(name) ? NUMBERS[name] : "",
  chosen: name === "sampler" ? FIRST_SAMPLERS : namesOf(name, model).slice(0, 4),
});

const valuesOf = (axis: Axis): readonly (string | number)[] =>
  isNumber(axis.name)
    ? axis.text
        .split(/[\s;]+/)
        .filter((part) => part !== "")
        .map((part) => Number(part.replace(",", ".")))
        .filter(Number.isFinite)
    : axis.chosen;

function AxisFields({
  label,
  axis,
  model,
  optional,
  onAxis,
}: {
  label: string;
  axis: Axis;
  model: Model;
  optional: boolean;
  onAxis: (axis: Axis) => void;
}) {
  const choices: Choice<string>[] = [
    ...(optional ? [{ value: NONE, text: t("grid.none") }] : []),
    { value: "sampler", text: t("draw.sampler") },
    { value: "steps", text: t("draw.steps") },
    { value: "guidance", text: t("draw.guidance") },
    { value: "rescale", text: t("draw.rescale") },
    { value: "seed", text: t("draw.seed") },
    ...model.conditions
      .filter((condition) => condition.type === "category")
      .map(({ name }) => ({ value: name, text: name })),
  ];
  const names = namesOf(axis.name, model);
  return (
    <div>
      <Select
        label={label}
        value={axis.name}
        choices={choices}
        onChange={(name) => onAxis(axisOf(name, model))}
      />
      {isNumber(axis.name) && (
        <Text
          label={t("grid.values")}
          value={axis.text}
          help={t("grid.numbers")}
          onChange={(text) => onAxis({ ...axis, text })}
        />
      )}
      {names.length > 0 && (
        <div class="chips" role="group" aria-label={t("grid.values")}>
          {names.map((name) => (
            <Button
              key={name}
              tone="quiet"
              pressed={axis.chosen.includes(name)}
              onClick={() =>
                onAxis({
                  ...axis,
                  chosen: axis.chosen.includes(name)
                    ? axis.chosen.filter((one) => one !== name)
                    : names.filter((one) => one === name || axis.chosen.includes(one)),
                })
              }
            >
              {name}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}

export function Grid({ model }: { model: Model }) {
  const [columns, setColumns] = useState(() => axisOf("steps", model));
  const [rows, setRows] = useState(() => axisOf("sampler", model));
  const [pictures, setPictures] = useState(4);
  const job =
    jobs.value.find((one) => one.id === begun.value["grid"]) ??
    jobs.value.findLast((one) => one.kind === "grid" && one.request["model"] === model.id);
  const across = valuesOf(columns);
  const down = rows.name === NONE ? [NONE] : valuesOf(rows);
  const missing =
    across.length * down.length === 0 ? t("grid.needs") : columns.name === rows.name ? t("grid.same") : null;
  const bySeed = columns.name === "seed" || rows.name === "seed";
  const draw = (): Promise<unknown> =>
    start("grid", {
      model: model.id,
      columns: { name: columns.name, values: across },
      ...(rows.name === NONE ? {} : { rows: { name: rows.name, values: down } }),
      seeds: Array.from({ length: bySeed ? 1 : pictures }, (_, seed) => seed),
    });
  const { picture } = job?.result ?? {};
  return (
    <>
      <div class="axes">
        <AxisFields
          label={t("grid.columns")}
          axis={columns}
          model={model}
          optional={false}
          onAxis={setColumns}
        />
        <AxisFields label={t("grid.rows")} axis={rows} model={model} optional onAxis={setRows} />
      </div>
      {!bySeed && (
        <Slider label={t("grid.seeds")} value={pictures} low={1} high={16} onChange={setPictures} />
      )}
      <div class="go">
        <Button
          tone="main"
          icon="play"
          disabled={missing !== null}
          busy={job !== undefined && unfinished(job)}
          onClick={() => void draw()}
        >
          {t("grid.go")}
        </Button>
        <p class="small muted">{missing ?? t("grid.cells", { n: across.length * down.length })}</p>
        {job !== undefined && unfinished(job) && <Orders job={job} />}
      </div>
      {job?.state === "running" && job.progress !== null && (
        <Bar done={job.progress.done} of={job.progress.of} label={titleOf(job)} />
      )}
      <Wrong job={job} />
      {picture !== undefined && (
        <>
          <div class="grid-picture" tabIndex={0}>
            <img src={picture} alt={t("grid.picture")} />
          </div>
          <p class="row tight">
            {["png", "csv", "json"].map((form) => (
              <a key={form} class="button quiet" href={picture.replace(/png$/, form)} download>
                grid.{form}
              </a>
            ))}
          </p>
        </>
      )}
    </>
  );
}
