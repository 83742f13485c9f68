/** Change a picture: paint over what is to be drawn anew, go beyond its edges, vary it, and so on. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Wishes } from "../api/types";
import { Conditions } from "../parts/conditions";
import { Button, Empty, Loading, More, Segments, Select, Slider } from "../parts/controls";
import { Drop } from "../parts/drop";
import { base64, type Given } from "../parts/dropped";
import { Finish } from "../parts/finish";
import { Tile } from "../parts/gallery";
import { ModelPicker } from "../parts/model-picker";
import { attempt } from "../parts/notices";
import { PalettePicker } from "../parts/palette";
import { Stage } from "../parts/stage";
import { Viewer } from "../parts/viewer";
import { begin, countSet, emptyMask, invert, push, redo, undo, type History } from "../pixels/mask";
import { Painter, type Tool } from "../pixels/painter";
import { pixelsAt, pixelsOf, pngOf, type Pixels } from "../pixels/picture";
import { useRoom } from "../pixels/room";
import { Sprite } from "../pixels/sprite";
import { zoomFor } from "../pixels/zoom";
import { dice, finishOf, modelNamed, PLAIN, seedsFrom, understood, type Finishing } from "../state/drawing";
import { go, route } from "../state/route";
import { jobs, models, options, pictures, unfinished } from "../state/store";
import { begun, start } from "../state/work";
import { t } from "../words/words";

const ACTIONS = [
  "inpaint",
  "outpaint",
  "vary",
  "interpolate",
  "recolor",
  "tile",
  "enlarge",
  "palette",
] as const;
type Action = (typeof ACTIONS)[number];

interface Source {
  id: string | null; // of a picture in the workspace
  url: string;
  pixels: Pixels;
  model: string | null; // the one that drew it
  wishes: Wishes;
}

const STRIP = 40;

/** Choose a picture of the workspace, or give a PNG. */
function Choose({
  label,
  onPick,
  onGiven,
  chosen,
}: {
  label: string;
  chosen: string | null;
  onPick: (id: string) => void;
  onGiven: (given: readonly Given[]) => void;
}) {
  const all = (pictures.value ?? []).slice(0, STRIP);
  return (
    <section class="choose" aria-label={label}>
      <h2 class="list-title">{label}</h2>
      {all.length > 0 && (
        <ul class="tiles strip" tabIndex={-1}>
          {all.map((picture, place) => (
            <Tile
              key={picture.id}
              picture={picture}
              place={place}
              chosen={picture.id === chosen}
              onOpen={() => onPick(picture.id)}
            />
          ))}
        </ul>
      )}
      <Drop small choose={[{ words: t("edit.choose"), accept: ".png,.gif,.bmp,.webp" }]} onGiven={onGiven}>
        <p>{all.length === 0 ? t("edit.noneYet") : t("edit.drop")}</p>
      </Drop>
    </section>
  );
}

async function sourceOf(id: string): Promise<Source | null> {
  const picture = pictures.value?.find((one) => one.id === id);
  const url = picture?.url ?? `/files/${id.split("/").map(encodeURIComponent).join("/")}`;
  const pixels = await attempt(() => pixelsAt(url));
  if (pixels === undefined) return null;
  const recipe = picture?.recipe ?? {};
  const name = recipe["name"];
  return {
    id,
    url,
    pixels,
    model: models.value?.find((model) => model.name === name)?.id ?? null,
    wishes: Object.fromEntries(
      Object.entries((recipe["condition"] ?? {}) as Record<string, Wishes[string] | null>).filter(
        (entry): entry is [string, Wishes[string]] => entry[1] !== null,
      ),
    ),
  };
}

async function sourceFrom(given: readonly Given[]): Promise<Source | null> {
  const [first] = given;
  if (first === undefined) return null;
  const pixels = await attempt(async () => pixelsOf(first.file));
  return pixels === undefined
    ? null
    : { id: null, url: URL.createObjectURL(first.file), pixels, model: null, wishes: {} };
}

const given = async (source: Source): Promise<object> =>
  source.id !== null ? { id: source.id } : { png: await base64(source.pixels.file) };

interface Numbers {
  strength: number;
  noise: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
  frames: number;
  method: string;
  palette: string;
}

const USUAL: Numbers = {
  strength: 0.8,
  noise: 0,
  left: 0,
  right: 8,
  top: 0,
  bottom: 0,
  frames: 8,
  method: "",
  palette: "16",
};

/** The brush and its tools. */
function Paint({
  source,
  history,
  onHistory,
}: {
  source: Source;
  history: History;
  onHistory: (history: History) => void;
}) {
  const [tool, setTool] = useState<Tool>("brush");
  const [size, setSize] = useState(Math.max(1, Math.round(source.pixels.width / 10)));
  const [box, [wide]] = useRoom();
  const widest = Math.max(source.pixels.width, source.pixels.height);
  const zoom = zoomFor(widest, Math.min(wide, 512), 32);
  const set = countSet(history.now);
  const all = source.pixels.width * source.pixels.height;
  const tools = (["brush", "eraser", "fill"] as const).map((name) => (
    <Button key={name} tone="quiet" icon={name} pressed={tool === name} onClick={() => setTool(name)}>
      {t(`paint.${name}`)}
    </Button>
  ));
  return (
    <div class="paint">
      <div class="toolbar" role="toolbar" aria-label={t("paint.tools")}>
        <div class="row tight">{tools}</div>
        <div class="row tight">
          <Button
            tone="quiet"
            icon="undo"
            label={t("undo")}
            disabled={history.past.length === 0}
            onClick={() => onHistory(undo(history))}
          />
          <Button
            tone="quiet"
            icon="redo"
            label={t("redo")}
            disabled={history.future.length === 0}
            onClick={() => onHistory(redo(history))}
          />
          <Button tone="quiet" onClick={() => onHistory(push(history, invert(history.now)))}>
            {t("paint.invert")}
          </Button>
          <Button
            tone="quiet"
            disabled={set === 0}
            onClick={() => onHistory(push(history, emptyMask(source.pixels.width, source.pixels.height)))}
          >
            {t("paint.clear")}
          </Button>
        </div>
      </div>
      <div ref={box} class="paint-room">
        {wide > 0 && (
          <Painter
            picture={source.pixels}
            mask={history.now}
            tool={tool}
            size={size}
            zoom={zoom}
            onMask={(mask) => onHistory(push(history, mask))}
            onUndo={() => onHistory(undo(history))}
            onRedo={() => onHistory(redo(history))}
            onTool={setTool}
          />
        )}
      </div>
      <Slider
        label={t("paint.size")}
        value={size}
        low={1}
        high={Math.max(2, Math.round(widest / 2))}
        onChange={setSize}
      />
      <p class="small muted">{set === 0 ? t("paint.nothing") : t("paint.share", { n: set, of: all })}</p>
    </div>
  );
}

function Still({ source }: { source: Source }) {
  const [box, [wide]] = useRoom();
  const { width, height } = source.pixels;
  const zoom = zoomFor(Math.max(width, height), Math.min(wide, 384));
  return (
    <div ref={box} class="still">
      {wide > 0 && <Sprite url={source.url} size={[width, height]} zoom={zoom} alt={t("edit.picture")} />}
    </div>
  );
}

function Fields({
  action,
  numbers,
  set,
}: {
  action: Action;
  numbers: Numbers;
  set: (part: Partial<Numbers>) => void;
}) {
  const known = options.value;
  if (known === null) return null;
  switch (action) {
    case "inpaint": {
      const { methods } = known.inpaint;
      return (
        <Select
          label={t("edit.method")}
          value={numbers.method}
          choices={[
            { value: "", text: t("form.usual") },
            ...methods.map((one) => ({ value: one.name, text: one.name })),
          ]}
          help={methods.find((one) => one.name === numbers.method)?.help}
          onChange={(method) => set({ method })}
        />
      );
    }
    case "outpaint":
      return (
        <>
          {(["left", "right", "top", "bottom"] as const).map((side) => (
            <Slider
              key={side}
              label={t(`edit.${side}`)}
              value={numbers[side]}
              low={0}
              high={32}
              onChange={(n) => set({ [side]: n })}
            />
          ))}
        </>
      );
    case "vary":
      return (
        <Slider
          label={t("edit.strength")}
          value={numbers.strength}
          low={known.vary.strength.low ?? 0}
          high={known.vary.strength.high ?? 1}
          step={0.05}
          help={t("edit.strengthWords")}
          onChange={(strength) => set({ strength })}
        />
      );
    case "enlarge":
      return (
        <Slider
          label={t("edit.noise")}
          value={numbers.noise}
          low={0}
          high={1}
          step={0.05}
          help={t("edit.noiseWords")}
          onChange={(noise) => set({ noise })}
        />
      );
    case "interpolate":
      return (
        <Slider
          label={t("edit.frames")}
          value={numbers.frames}
          low={known.interpolate.frames.low ?? 2}
          high={Math.min(known.interpolate.frames.high ?? 32, 32)}
          onChange={(frames) => set({ frames })}
        />
      );
    case "palette":
      return <PalettePicker value={numbers.palette} others={[]} onChange={(palette) => set({ palette })} />;
    default:
      return null;
  }
}

function optionsOf(action: Action, numbers: Numbers): object {
  switch (action) {
    case "inpaint":
      return numbers.method === "" ? {} : { method: numbers.method };
    case "outpaint": {
      const { left, right, top, bottom } = numbers;
      return { left, right, top, bottom };
    }
    case "vary":
      return { strength: numbers.strength };
    case "enlarge":
      return { noise: numbers.noise };
    case "interpolate":
      return { frames: numbers.frames };
    case "palette":
      return { strength: 0 };
    default:
      return {};
  }
}

export function EditPage() {
  const asked = route.value.about;
  const action = ACTIONS.find((one) => one === asked["action"]) ?? "inpaint";
  const [source, setSource] = useState<Source | null>(null);
  const [second, setSecond] = useState<Source | null>(null);
  const [history, setHistory] = useState<History | null>(null);
  const [numbers, setNumbers] = useState<Numbers>(USUAL);
  const [chosenModel, setModel] = useState<string | null>(null);
  const [wishes, setWishes] = useState<Wishes>({});
  const [count, setCount] = useState(4);
  const [finishing, setFinishing] = useState<Finishing>(PLAIN);
  const [open, setOpen] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const drawnHere = useRef<HTMLDivElement>(null);
  const loaded = pictures.value !== null && models.value !== null;

  const take = (next: Source | null): void => {
    if (next === null) return;
    setSource(next);
    setHistory(begin(emptyMask(next.pixels.width, next.pixels.height)));
    if (next.model !== null) setModel(next.model);
    setWishes(next.wishes);
  };
  const wanted = asked["picture"];
  useEffect(() => {
    if (loaded && wanted !== undefined && wanted !== source?.id) void sourceOf(wanted).then(take);
  }, [loaded, wanted]);

  if (!loaded || options.value === null) return <Loading />;
  const model = modelNamed(chosenModel);
  if (model === undefined) return <Empty title={t("model.none")} words={t("model.noneWords")} />;
  const job = jobs.value.find((one) => one.id === begun.value["edit"]);
  const busy = sending || (job !== undefined && unfinished(job));
  const drawn = job?.result?.pictures ?? [];
  const needsPicture = action !== "tile";
  const to = (next: Action): void => go("edit", { ...asked, action: next });
  const missing =
    needsPicture && source === null
      ? t("edit.needs")
      : action === "inpaint" && history !== null && countSet(history.now) === 0
        ? t("paint.nothing")
        : action === "interpolate" && second === null
          ? t("edit.needsSecond")
          : action === "outpaint" && numbers.left + numbers.right + numbers.top + numbers.bottom === 0
            ? t("edit.needsSide")
            : action === "enlarge" && model.enlarges === 1
              ? t("edit.needsUpscaler")
              : null;

  const run = async (): Promise<void> => {
    setSending(true);
    const request = {
      model: model.id,
      // No noise and a palette: the picture itself, held to few colours.
      action: action === "palette" ? "vary" : action,
      finish: action === "palette" ? { palette: numbers.palette } : finishOf(finishing),
      options: optionsOf(action, numbers),
      conditions: understood(wishes, model),
      seeds: seedsFrom(dice(), action === "interpolate" || action === "palette" ? 1 : count),
      settings: {},
      ...(source !== null && needsPicture ? { picture: await given(source) } : {}),
      ...(second !== null && action === "interpolate" ? { picture_b: await given(second) } : {}),
      ...(history !== null && action === "inpaint" ? { mask: await base64(await pngOf(history.now)) } : {}),
    };
    await start("edit", request);
    setSending(false);
    // What is drawn stands below the brush, often below the edge of the window.
    requestAnimationFrame(() => drawnHere.current?.scrollIntoView({ block: "nearest" }));
  };

  return (
    <>
      <header class="page-head">
        <h1>{t("nav.edit")}</h1>
      </header>
      <Segments
        label={t("edit.action")}
        value={action}
        choices={ACTIONS.map((value) => ({ value, text: t(`edit.${value}`) }))}
        help={t(`edit.${action}.help`)}
        onChange={to}
      />
      {needsPicture && (
        <Choose
          label={t("edit.which")}
          chosen={source?.id ?? null}
          onPick={(id) => go("edit", { ...asked, picture: id })}
          onGiven={(files) => void sourceFrom(files).then(take)}
        />
      )}
      {action === "interpolate" && source !== null && (
        <Choose
          label={t("edit.second")}
          chosen={second?.id ?? null}
          onPick={(id) => void sourceOf(id).then((next) => next !== null && setSecond(next))}
          onGiven={(files) => void sourceFrom(files).then((next) => next !== null && setSecond(next))}
        />
      )}
      <div class="edit-body">
        <section class="edit-picture" aria-label={t("edit.picture")}>
          {source !== null && history !== null && action === "inpaint" && (
            <Paint key={source.url} source={source} history={history} onHistory={setHistory} />
          )}
          {source !== null && needsPicture && action !== "inpaint" && (
            <div class="row">
              <Still source={source} />
              {action === "interpolate" && second !== null && <Still source={second} />}
            </div>
          )}
          {job !== undefined && (
            <div ref={drawnHere}>
              <Stage
                job={job}
                size={job.result?.pictures?.[0]?.size ?? model.size}
                tall={300}
                onOpen={(picture) => setOpen(picture.id)}
              />
            </div>
          )}
          {drawn.length > 0 && action === "inpaint" && <p class="help">{t("edit.kept")}</p>}
        </section>
        <form
          noValidate
          class="panel controls"
          onSubmit={(event) => {
            event.preventDefault();
            if (missing === null) void run();
          }}
        >
          <Fields action={action} numbers={numbers} set={(part) => setNumbers({ ...numbers, ...part })} />
          {action !== "interpolate" && action !== "palette" && (
            <Slider label={t("draw.count")} value={count} low={1} high={16} onChange={setCount} />
          )}
          <ModelPicker value={model} onChange={setModel} />
          {action !== "palette" && (
            <>
              <More title={t("edit.wishes")}>
                <Conditions model={model} wishes={understood(wishes, model)} onWishes={setWishes} />
              </More>
              <More title={t("edit.finish")}>
                <Finish form={finishing} onChange={(part) => setFinishing({ ...finishing, ...part })} />
              </More>
            </>
          )}
          <div class="go">
            <Button tone="main" icon="edit" submit busy={busy} disabled={missing !== null}>
              {t("edit.go")}
            </Button>
            {missing !== null && <p class="small muted">{missing}</p>}
          </div>
        </form>
      </div>
      {open !== null && <Viewer pictures={drawn} id={open} onMove={setOpen} onClose={() => setOpen(null)} />}
    </>
  );
}
