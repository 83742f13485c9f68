/** How drawn pictures are finished: their colours, edges and specks, and how large the files are. */

import type { Finishing } from "../state/drawing";
import { t } from "../words/words";
import { Slider, Toggle } from "./controls";
import { PalettePicker } from "./palette";

interface Props {
  form: Finishing;
  onChange: (part: Partial<Finishing>) => void;
}

export const Finish = ({ form, onChange }: Props) => (
  <>
    <PalettePicker
      value={form.palette}
      others={[
        { value: "none", text: t("draw.paletteNone") },
        { value: "train", text: t("draw.paletteTrain") },
      ]}
      onChange={(palette) => onChange({ palette })}
    />
    <Slider
      label={t("draw.colours")}
      value={form.coloursEach}
      low={0}
      high={64}
      help={t("draw.coloursWords")}
      onChange={(coloursEach) => onChange({ coloursEach })}
    />
    <Slider
      label={t("draw.strays")}
      value={form.strays}
      low={0}
      high={16}
      help={t("draw.straysWords")}
      onChange={(strays) => onChange({ strays })}
    />
    <Toggle
      label={t("draw.hardAlpha")}
      value={form.hardAlpha}
      onChange={(hardAlpha) => onChange({ hardAlpha })}
    />
    <Toggle label={t("draw.indexed")} value={form.indexed} onChange={(indexed) => onChange({ indexed })} />
    <Slider
      label={t("pack.zoom")}
      value={form.zoom}
      low={1}
      high={16}
      onChange={(zoom) => onChange({ zoom })}
    />
  </>
);
