/** One picture, as large as whole numbers allow, with what it was drawn by and what can be done with it. */

import { useEffect, useState } from "preact/hooks";
import type { Picture, Wish } from "../api/types";
import { Sprite } from "../pixels/sprite";
import { zoomFor } from "../pixels/zoom";
import { change, drawing, formOf, modelNamed } from "../state/drawing";
import { go } from "../state/route";
import { discardPicture, favour } from "../state/work";
import { t } from "../words/words";
import { Button } from "./controls";
import { Dialog } from "./dialog";
import { attempt } from "./notices";
import { recipeAt, told } from "./recipe";

interface ViewerProps {
  pictures: readonly Picture[];
  id: string;
  onMove: (id: string) => void;
  onClose: () => void;
}

const room = (): number => Math.min(innerWidth - 64, innerHeight - 220, 640);

/** The mean colour of what is opaque. */
async function meanColour(url: string): Promise<string> {
  const picture = await createImageBitmap(await (await fetch(url)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  if (context === null) return "#808080";
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, picture.width, picture.height);
  const sums = [0, 0, 0];
  let all = 0;
  for (let place = 0; place < data.length; place += 4) {
    const alpha = data[place + 3] ?? 0;
    all += alpha;
    for (let c = 0; c < 3; c++) sums[c] = (sums[c] ?? 0) + alpha * (data[place + c] ?? 0);
  }
  return `#${sums
    .map((sum) =>
      Math.round(sum / Math.max(all, 1))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

/** What a picture can be a condition of: its colour for a colour, and its own wishes for the rest. */
async function asCondition(picture: Picture): Promise<void> {
  const model = modelNamed(drawing.value.model);
  if (model === undefined) return;
  const own = (picture.recipe?.["condition"] ?? {}) as Record<string, Wish | null>;
  const wishes: Record<string, Wish> = {};
  for (const condition of model.conditions) {
    const wish = own[condition.name];
    if (wish !== undefined && wish !== null) wishes[condition.name] = wish;
    else if (condition.type === "colour") wishes[condition.name] = await meanColour(picture.url);
  }
  change({ wishes, inTurn: false });
  go("draw");
}

export function Viewer({ pictures, id, onMove, onClose }: ViewerProps) {
  const place = pictures.findIndex((one) => one.id === id);
  const picture = pictures[place];
  const [zoom, setZoom] = useState<number | null>(null);
  useEffect(() => setZoom(null), [id]);
  if (picture === undefined) return null;
  const widest = Math.max(...picture.size);
  const now = zoom ?? zoomFor(widest, room(), 24);
  const step = (by: number): void => {
    const next = pictures[place + by];
    if (next !== undefined) onMove(next.id);
  };
  const leave = (act: () => void) => () => {
    onClose();
    act();
  };
  const again = async (): Promise<void> => {
    const recipe = await attempt(() => recipeAt(picture.url));
    if (recipe === undefined) return;
    onClose();
    change({ ...formOf(recipe), count: 1 });
    go("draw");
  };
  const edit = (action: string) => leave(() => go("edit", { action, picture: picture.id }));
  return (
    <Dialog title={t("viewer.title")} kind="viewer" onClose={onClose}>
      <div
        class="viewer-body"
        onKeyDown={(event) => {
          if (event.key === "ArrowLeft") step(-1);
          if (event.key === "ArrowRight") step(1);
        }}
      >
        <div class="viewer-picture">
          <Sprite url={picture.url} size={picture.size} zoom={now} alt={t("viewer.title")} />
          <div class="row tight center">
            <Button
              tone="quiet"
              icon="left"
              label={t("viewer.previous")}
              disabled={place === 0}
              onClick={() => step(-1)}
            />
            <span class="small muted">{t("viewer.zoom", { n: now })}</span>
            <Button
              tone="quiet"
              disabled={now <= 1}
              onClick={() => setZoom(now - 1)}
              label={t("viewer.smaller")}
            >
              −
            </Button>
            <Button
              tone="quiet"
              disabled={now >= 32}
              onClick={() => setZoom(now + 1)}
              label={t("viewer.larger")}
            >
              +
            </Button>
            <Button
              tone="quiet"
              icon="right"
              label={t("viewer.next")}
              disabled={place === pictures.length - 1}
              onClick={() => step(1)}
            />
          </div>
        </div>
        <div class="viewer-side">
          <dl class="facts">
            {told(picture).map(([name, words]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{words}</dd>
              </div>
            ))}
          </dl>
          <div class="row">
            <Button
              icon={picture.favourite ? "starred" : "star"}
              pressed={picture.favourite}
              onClick={() => void favour(picture)}
            >
              {t("viewer.favourite")}
            </Button>
            <a class="button plain" href={picture.url} download={picture.id.replaceAll("/", "-")}>
              {t("viewer.download")}
            </a>
          </div>
          <h3 class="list-title">{t("viewer.again")}</h3>
          <div class="row">
            <Button onClick={() => void again()}>{t("viewer.same")}</Button>
            <Button onClick={leave(() => void asCondition(picture))}>{t("viewer.condition")}</Button>
          </div>
          <h3 class="list-title">{t("viewer.change")}</h3>
          <div class="row">
            <Button onClick={edit("inpaint")}>{t("edit.inpaint")}</Button>
            <Button onClick={edit("vary")}>{t("edit.vary")}</Button>
            <Button onClick={edit("interpolate")}>{t("edit.interpolate")}</Button>
            <Button onClick={edit("recolor")}>{t("edit.recolor")}</Button>
            <Button onClick={edit("outpaint")}>{t("edit.outpaint")}</Button>
          </div>
          <div class="row end">
            <Button
              tone="danger"
              icon="bin"
              onClick={() => {
                const next = pictures[place + 1] ?? pictures[place - 1];
                void discardPicture(picture);
                if (next === undefined) onClose();
                else onMove(next.id);
              }}
            >
              {t("viewer.delete")}
            </Button>
          </div>
        </div>
      </div>
    </Dialog>
  );
}
