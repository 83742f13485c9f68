/** Choose a model by name; its pictures stand beside the name. */

import type { Model } from "../api/types";
import { Thumb } from "../pixels/thumb";
import { pictureModels } from "../state/drawing";
import { number, t } from "../words/words";
import { Field } from "./controls";

export const about = (model: Model): string =>
  [
    `${model.size[0]} × ${model.size[1]}`,
    model.source === "shipped" ? t("model.shipped") : t("model.steps", { n: model.step }),
    ...(model.state === "training"
      ? [t("model.training")]
      : model.state === "paused"
        ? [t("model.paused")]
        : []),
  ].join(" · ");

/** What a model that came with the program is good for. */
export function purpose(model: Model): string | null {
  switch (model.id) {
    case "shipped.sprites":
      return t("model.sprites");
    case "shipped.base-32":
      return t("model.base");
    case "shipped.course":
      return t("model.course");
    case "shipped.ddpm":
      return t("model.ddpm");
    default:
      return null;
  }
}

/** Some of its pictures: two by two beside a name, all eight where there is room. */
export const Preview = ({ model, wide = false }: { model: Model; wide?: boolean }) => {
  const box = wide ? ([208, 112] as const) : ([64, 64] as const);
  if (typeof model.thumb === "string") return <Thumb url={model.thumb} box={box} cut={!wide} />;
  return <span class="no-preview" aria-hidden="true" />;
};

interface PickerProps {
  value: Model;
  onChange: (id: string) => void;
  label?: string;
}

export const ModelPicker = ({ value, onChange, label }: PickerProps) => (
  <Field label={label ?? t("model.label")}>
    {(ids) => (
      <div class="model-picker">
        <Preview model={value} />
        <div>
          <select {...ids} value={value.id} onChange={(event) => onChange(event.currentTarget.value)}>
            {pictureModels.value.map((model) => (
              <option key={model.id} value={model.id}>
                {model.name}
              </option>
            ))}
          </select>
          <p class="small muted">
            {about(value)} · {t("model.parameters", { n: number(value.parameters) })}
          </p>
        </div>
      </div>
    )}
  </Field>
);
