/** One's own pictures: put in, looked at, chosen from. */

import { useEffect, useState } from "preact/hooks";
import { at, post } from "../api/client";
import type { Column, DataSet, Findings, Inspection } from "../api/types";
import { Button, Empty, Field, Loading, More, Problem, Slider, Toggle } from "../parts/controls";
import { Drop } from "../parts/drop";
import { attempt, sentence } from "../parts/notices";
import { UPLOADS, upload, uploading } from "../parts/uploading";
import { Strip } from "../pixels/strip";
import { Thumb } from "../pixels/thumb";
import { go, link, route } from "../state/route";
import { choiceOf, EVERYTHING, select, selection, toggled } from "../state/selection";
import { dataSets } from "../state/store";
import { discardData } from "../state/work";
import { bytes, list, number, percent, t } from "../words/words";

const WAIT = 350; // before a changed choice is looked at anew

function useInspection(name: string | null): {
  found: Inspection | null;
  wrong: { words: string; lang?: "en" } | null;
  busy: boolean;
} {
  const [found, setFound] = useState<Inspection | null>(null);
  const [wrong, setWrong] = useState<{ words: string; lang?: "en" } | null>(null);
  const [busy, setBusy] = useState(false);
  const choice = JSON.stringify(choiceOf(selection.value));
  useEffect(() => {
    setFound(null);
    setWrong(null);
  }, [name]);
  useEffect(() => {
    if (name === null) return;
    let current = true;
    setBusy(true);
    const timer = setTimeout(() => {
      post<Inspection>(`/api/data/${at(name)}/inspect`, JSON.parse(choice)).then(
        (answer) => {
          if (!current) return;
          setFound(answer);
          setWrong(null);
          setBusy(false);
        },
        (error: unknown) => {
          if (!current) return;
          setWrong(sentence(error));
          setBusy(false);
        },
      );
    }, WAIT);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [name, choice]);
  return { found, wrong, busy };
}

const VALUES_SHOWN = 30;

function Filter({ column }: { column: Column }) {
  const [filter, setFilter] = useState("");
  const wanted = selection.value.wanted[column.name];
  const values = Object.entries(column.values);
  const shown = values
    .filter(([value]) => value.toLowerCase().includes(filter.toLowerCase()))
    .slice(0, VALUES_SHOWN);
  return (
    <fieldset class="field">
      <legend class="field-top">{column.name}</legend>
      {values.length > VALUES_SHOWN && (
        <input
          type="search"
          class="filter"
          value={filter}
          placeholder={t("condition.find")}
          aria-label={t("condition.find")}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      <div class="chips">
        {shown.map(([value, count]) => (
          <Button
            key={value}
            tone="quiet"
            pressed={wanted === undefined || wanted.includes(value)}
            onClick={() => select({ wanted: toggled(selection.value.wanted, column, value) })}
          >
            {value} <small>{count}</small>
          </Button>
        ))}
      </div>
    </fieldset>
  );
}

const SIZES_SHOWN = 5;

/** What matters most of what was found. */
function inWords(found: Findings): string[] {
  const { sizes, channels, colours, mirrors, transparent, soft } = found;
  const names = Object.keys(sizes);
  const first = names[0];
  const lines: string[] = [];
  if (first !== undefined && names.length === 1)
    lines.push(t("found.all", { size: first.replace("x", " × "), kind: t(`found.kind.${channels}`) }));
  else
    lines.push(
      t("found.sizes", {
        sizes: list(
          names
            .slice(0, SIZES_SHOWN)
            .map((size) => `${size.replace("x", " × ")} (${number(sizes[size] ?? 0)})`),
        ),
      }),
    );
  if (found.pixel_art !== null) lines.push(t("found.pixelArt", { share: percent(found.pixel_art) }));
  lines.push(
    t("found.colours", { median: colours.median, most: colours.most, all: number(colours.distinct) }),
  );
  if (transparent > 0)
    lines.push(
      soft > 0
        ? t("found.soft", { share: percent(transparent), soft: percent(soft) })
        : t("found.clear", { share: percent(transparent) }),
    );
  if (found.same + found.dropped > 0) lines.push(t("found.same", { n: found.same + found.dropped }));
  if (found.near_pictures > 0) lines.push(t("found.near", { n: found.near_pictures }));
  const flip = mirrors["left-right"];
  if (flip !== undefined) lines.push(t("found.flip", { share: percent(flip) }));
  return lines;
}

function Report({ name, found, busy }: { name: string; found: Inspection; busy: boolean }) {
  const [all, setAll] = useState<readonly Column[]>(found.columns);
  // The choices stay those of the whole set, however few pictures are left of it.
  useEffect(() => {
    if (Object.keys(selection.value.wanted).length === 0) setAll(found.columns);
  }, [found]);
  const chosen = selection.value;
  const few = all.filter((column) => Object.keys(column.values).length > 1);
  return (
    <div class={busy ? "report busy" : "report"} aria-busy={busy}>
      <div class="report-main">
        <section aria-labelledby="data-seen">
          <h2 id="data-seen">{t("data.seen")}</h2>
          <Strip url={found.seen.url} size={found.size} count={found.seen.pictures} alt={t("data.seen")} />
          <p class="help">{t("data.seenWords", { width: found.size[0], height: found.size[1] })}</p>
        </section>
        <section aria-labelledby="data-report">
          <h2 id="data-report">{t("data.report")}</h2>
          <ul class="words">
            {inWords(found.findings).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          <More title={t("found.words")}>
            <ul class="words" lang="en">
              {found.lines.map((line) => (
                <li key={line}>{line}</li>
              ))}
              {found.notes.map((line) => (
                <li key={line} class="note">
                  {line}
                </li>
              ))}
            </ul>
          </More>
          {found.skipped.length > 0 && (
            <More title={t("data.skipped", { n: found.skipped.length })}>
              <ul class="words" lang="en">
                {found.skipped.map((one) => (
                  <li key={one.file}>
                    <code>{one.file}</code> {one.reason}
                  </li>
                ))}
              </ul>
            </More>
          )}
        </section>
      </div>
      <aside class="panel">
        <p class="big">
          <b>{t("count.pictures", { n: found.pictures })}</b>
          <span class="muted">
            {found.size[0]} × {found.size[1]}
          </span>
        </p>
        <a class="button main wide" href={link("train", { data: name })}>
          {t("data.train")}
        </a>
        {few.length > 0 && <h2 class="list-title">{t("data.which")}</h2>}
        {few.map((column) => (
          <Filter key={column.name} column={column} />
        ))}
        {found.columns.length > 0 && (
          <fieldset class="field">
            <legend class="field-top">{t("data.learn")}</legend>
            <div class="chips">
              {found.columns.map(({ name: column }) => {
                const on = (chosen.conditions ?? found.conditions.map((one) => one.name)).includes(column);
                return (
                  <Button
                    key={column}
                    tone="quiet"
                    pressed={on}
                    onClick={() => {
                      const now = chosen.conditions ?? found.conditions.map((one) => one.name);
                      select({ conditions: on ? now.filter((one) => one !== column) : [...now, column] });
                    }}
                  >
                    {column}
                  </Button>
                );
              })}
            </div>
            <p class="help">{t("data.learnWords")}</p>
          </fieldset>
        )}
        <More>
          <Toggle label={t("data.trim")} value={chosen.trim} onChange={(trim) => select({ trim })} />
          <Field label={t("data.size")} help={t("data.sizeWords")}>
            {(ids) => (
              <select
                {...ids}
                value={chosen.size ?? ""}
                onChange={(event) =>
                  select({
                    size: event.currentTarget.value === "" ? null : Number(event.currentTarget.value),
                  })
                }
              >
                <option value="">{t("data.sizeAuto")}</option>
                {[8, 16, 24, 32, 48, 64].map((size) => (
                  <option key={size} value={size}>
                    {size} × {size}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Toggle
            label={t("data.limited")}
            value={chosen.limit !== null}
            onChange={(on) => select({ limit: on ? Math.max(1, found.pictures) : null })}
          />
          {chosen.limit !== null && (
            <Slider
              label={t("data.limit")}
              value={chosen.limit}
              low={1}
              high={Math.max(chosen.limit, 2000)}
              onChange={(limit) => select({ limit })}
            />
          )}
        </More>
      </aside>
    </div>
  );
}

const Sets = ({ sets, name }: { sets: readonly DataSet[]; name: string | null }) => (
  <ul class="sets">
    {sets.map((data) => (
      <li key={data.name}>
        <a
          href={link("data", { name: data.name })}
          class="set"
          aria-current={data.name === name ? "true" : undefined}
        >
          <span class="thumbs">
            {data.thumbs.slice(0, 4).map((url) => (
              <Thumb key={url} url={url} box={[24, 24]} />
            ))}
          </span>
          <span>
            <b>{data.builtin ? t("data.builtin") : data.name}</b>
            <small class="muted">
              {data.pictures === null ? bytes(data.bytes) : t("count.pictures", { n: data.pictures })}
            </small>
          </span>
        </a>
      </li>
    ))}
  </ul>
);

export function DataPage() {
  const sets = dataSets.value;
  const asked = route.value.about["name"] ?? null;
  const name = sets?.find((data) => data.name === asked)?.name ?? null;
  useEffect(() => {
    if (name !== null && selection.value.data !== name) selection.value = { ...EVERYTHING, data: name };
  }, [name]);
  const { found, wrong, busy } = useInspection(name !== null && selection.value.data === name ? name : null);
  if (sets === null) return <Loading />;
  const data = sets.find((one) => one.name === name);
  return (
    <>
      <header class="page-head">
        <h1>{t("nav.data")}</h1>
        {data !== undefined && !data.builtin && (
          <Button
            tone="danger"
            icon="bin"
            onClick={() => {
              void discardData(data.name);
              go("data");
            }}
          >
            {t("data.delete")}
          </Button>
        )}
      </header>
      <Drop
        small={sets.length > 1 || name !== null}
        choose={UPLOADS()}
        onGiven={(given) => void attempt(() => upload(given))}
      >
        {uploading.value ? <Loading /> : <p>{t("home.dropWords")}</p>}
      </Drop>
      <Sets sets={sets} name={name} />
      {name === null && asked === null && <Empty title={t("data.pick")} words={t("data.pickWords")} />}
      {name === null && asked !== null && <Problem words={t("data.gone", { name: asked })} />}
      {wrong !== null && <Problem {...wrong} />}
      {name !== null && found === null && wrong === null && <Loading />}
      {name !== null && found !== null && <Report key={name} name={name} found={found} busy={busy} />}
    </>
  );
}
