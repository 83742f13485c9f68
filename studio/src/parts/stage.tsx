/** The pictures of one drawing, large: while they come out of the noise, and afterwards with every step to look back at. */

import { useEffect, useState } from "preact/hooks";
import type { Job, Picture, Size } from "../api/types";
import { useRoom } from "../pixels/room";
import { Sprite } from "../pixels/sprite";
import { layOut } from "../pixels/zoom";
import { previews, unfinished } from "../state/store";
import { t } from "../words/words";
import { Bar, Field } from "./controls";
import { Orders, StateMark, Wrong, timeLeft } from "./job";

interface StageProps {
  job: Job;
  size: Size;
  onOpen?: (picture: Picture) => void;
  tall?: number;
}

const GAP = 12;

export function Stage({ job, size, onOpen, tall = 520 }: StageProps) {
  const [box, [wide]] = useRoom();
  const [back, setBack] = useState<number | null>(null);
  useEffect(() => setBack(null), [job.id]);
  const steps = previews.value.get(job.id) ?? [];
  const finished = job.result?.pictures;
  const shown = finished !== undefined && back === null ? null : (steps[back ?? steps.length - 1] ?? null);
  const count = finished?.length ?? shown?.pictures.length ?? 1;
  const room = [Math.max(wide, 200), wide < 560 ? Math.max(wide, 200) * 1.1 : tall] as const;
  const { columns, zoom } = layOut(count, finished?.[0]?.size ?? size, room, GAP);
  const running = unfinished(job);

  return (
    <section class="stage" aria-label={t("stage.label")}>
      <div
        ref={box}
        class="stage-pictures"
        style={{ gridTemplateColumns: `repeat(${columns}, max-content)`, gap: `${GAP}px` }}
      >
        {wide > 0 &&
          (shown !== null
            ? shown.pictures.map((url, place) => (
                <Sprite
                  key={place}
                  url={url}
                  size={size}
                  zoom={zoom}
                  alt={t("stage.guess", { n: place + 1 })}
                />
              ))
            : (finished ?? []).map((picture, place) => (
                <button
                  key={picture.id}
                  type="button"
                  class="bare"
                  aria-label={t("gallery.open", { n: place + 1 })}
                  onClick={() => onOpen?.(picture)}
                >
                  <Sprite url={picture.url} size={picture.size} zoom={zoom} alt="" />
                </button>
              )))}
        {wide > 0 && shown === null && finished === undefined && running && (
          <p class="muted">{t("stage.soon")}</p>
        )}
      </div>
      <div class="stage-foot">
        {running && job.progress !== null && (
          <>
            <Bar done={job.progress.done} of={job.progress.of} label={t("stage.label")} />
            <div class="row spread">
              <span class="small muted">
                {t("job.step", { done: job.progress.done, of: job.progress.of })}{" "}
                {timeLeft(job.progress.seconds_left)}
              </span>
              <Orders job={job} />
            </div>
          </>
        )}
        {running && job.progress === null && (
          <div class="row spread">
            <StateMark job={job} />
            <Orders job={job} />
          </div>
        )}
        {!running && job.state !== "done" && <StateMark job={job} />}
        <Wrong job={job} alert />
        {!running && steps.length > 1 && (
          <Field
            label={t("stage.back")}
            side={
              <output class="small muted">
                {back === null
                  ? t("stage.end")
                  : t("job.step", { done: steps[back]?.step ?? 0, of: steps[back]?.of ?? 0 })}
              </output>
            }
          >
            {(ids) => (
              <input
                {...ids}
                type="range"
                min={0}
                max={steps.length}
                value={back ?? steps.length}
                style={{ "--share": `${(100 * (back ?? steps.length)) / steps.length}%` }}
                onInput={(event) => {
                  const place = event.currentTarget.valueAsNumber;
                  setBack(place >= steps.length ? null : place);
                }}
              />
            )}
          </Field>
        )}
      </div>
    </section>
  );
}
