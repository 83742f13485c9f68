/** All pictures that were drawn here, newest first; to look at, to keep, to throw away, to pack. */

import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { FileMade, Picture } from "../api/types";
import { Sprite } from "../pixels/sprite";
import { zoomFor } from "../pixels/zoom";
import { loadMorePictures, loadPictures, morePictures, onlyFavourites, pictures } from "../state/store";
import { bytes, t } from "../words/words";
import { Button, Loading, Segments, Slider, Toggle } from "./controls";
import { Dialog } from "./dialog";
import { attempt } from "./notices";
import { Viewer } from "./viewer";

const CELL = 96;

export function Tile({
  picture,
  chosen,
  onChoose,
  onOpen,
  place,
}: {
  picture: Picture;
  place: number;
  chosen?: boolean;
  onChoose?: () => void;
  onOpen: () => void;
}) {
  const zoom = zoomFor(Math.max(...picture.size), CELL);
  return (
    <li class={chosen === true ? "tile chosen" : "tile"}>
      <button type="button" class="bare" onClick={onOpen} aria-label={t("gallery.open", { n: place + 1 })}>
        <Sprite url={picture.url} size={picture.size} zoom={zoom} alt="" loading="lazy" />
      </button>
      {onChoose !== undefined && (
        <input
          type="checkbox"
          class="tile-check"
          checked={chosen}
          aria-label={t("gallery.choose", { n: place + 1 })}
          onChange={onChoose}
        />
      )}
      {picture.favourite && (
        <span class="tile-star" role="img" aria-label={t("viewer.favourite")}>
          ★
        </span>
      )}
    </li>
  );
}

type Form = "sheet" | "atlas" | "gif" | "zip";

function Pack({ ids, onClose }: { ids: readonly string[]; onClose: () => void }) {
  const [form, setForm] = useState<Form>("atlas");
  const [columns, setColumns] = useState(Math.ceil(Math.sqrt(ids.length)));
  const [zoom, setZoom] = useState(1);
  const [power, setPower] = useState(false);
  const [made, setMade] = useState<FileMade[] | null>(null);
  const [busy, setBusy] = useState(false);
  const pack = async (): Promise<void> => {
    setBusy(true);
    const answer = await attempt(() =>
      post<{ files: FileMade[] }>("/api/pack", { pictures: ids, form, columns, zoom, power_of_two: power }),
    );
    setBusy(false);
    if (answer !== undefined) setMade(answer.files);
  };
  return (
    <Dialog title={t("pack.title", { n: ids.length })} onClose={onClose}>
      <Segments
        label={t("pack.form")}
        value={form}
        help={t(`pack.${form}.help`)}
        choices={(["atlas", "sheet", "gif", "zip"] as const).map((value) => ({
          value,
          text: t(`pack.${value}`),
        }))}
        onChange={(to) => {
          setForm(to);
          setMade(null);
        }}
      />
      {(form === "atlas" || form === "sheet") && (
        <Slider
          label={t("pack.columns")}
          value={columns}
          low={1}
          high={Math.max(2, ids.length)}
          onChange={setColumns}
        />
      )}
      {form !== "zip" && <Slider label={t("pack.zoom")} value={zoom} low={1} high={16} onChange={setZoom} />}
      {form === "atlas" && <Toggle label={t("pack.power")} value={power} onChange={setPower} />}
      <div class="row end">
        <Button tone="main" busy={busy} onClick={() => void pack()}>
          {t("pack.make")}
        </Button>
      </div>
      {made !== null && <Files files={made} />}
    </Dialog>
  );
}

export const Files = ({ files }: { files: readonly FileMade[] }) => (
  <ul class="files">
    {files.map((file) => (
      <li key={file.url}>
        <a class="button plain" href={file.url} download={file.name}>
          {file.name}
        </a>
        <span class="small muted">{bytes(file.bytes)}</span>
      </li>
    ))}
  </ul>
);

export function Gallery() {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<string | null>(null);
  const [packing, setPacking] = useState(false);
  const all = pictures.value;
  if (all === null) return <Loading />;
  const known = new Set(all.map((picture) => picture.id));
  const kept = chosen.filter((id) => known.has(id));
  const choose = (id: string): void =>
    setChosen(kept.includes(id) ? kept.filter((one) => one !== id) : [...kept, id]);
  return (
    <section class="gallery" aria-labelledby="gallery-title">
      <header class="row spread">
        <h2 id="gallery-title">{t("gallery.title")}</h2>
        <div class="row tight">
          <Button
            tone="quiet"
            icon={onlyFavourites.value ? "starred" : "star"}
            pressed={onlyFavourites.value}
            onClick={() => {
              onlyFavourites.value = !onlyFavourites.value;
              void loadPictures();
            }}
          >
            {t("gallery.favourites")}
          </Button>
          {all.length > 0 && (
            <Button
              tone="quiet"
              onClick={() => setChosen(kept.length === all.length ? [] : all.map((one) => one.id))}
            >
              {kept.length === all.length ? t("gallery.none") : t("gallery.all")}
            </Button>
          )}
          <Button icon="down" disabled={kept.length === 0} onClick={() => setPacking(true)}>
            {t("gallery.pack", { n: kept.length })}
          </Button>
        </div>
      </header>
      {all.length === 0 ? (
        <p class="muted">{onlyFavourites.value ? t("gallery.noFavourites") : t("gallery.empty")}</p>
      ) : (
        <ul class="tiles">
          {all.map((picture, place) => (
            <Tile
              key={picture.id}
              picture={picture}
              place={place}
              chosen={kept.includes(picture.id)}
              onChoose={() => choose(picture.id)}
              onOpen={() => setOpen(picture.id)}
            />
          ))}
        </ul>
      )}
      {morePictures.value && (
        <div class="row center">
          <Button onClick={() => void loadMorePictures()}>{t("gallery.more")}</Button>
        </div>
      )}
      {open !== null && <Viewer pictures={all} id={open} onMove={setOpen} onClose={() => setOpen(null)} />}
      {packing && <Pack ids={kept} onClose={() => setPacking(false)} />}
    </section>
  );
}
