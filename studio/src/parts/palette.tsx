/** Choose a palette by its colours. */

import { options } from "../state/store";
import { t } from "../words/words";
import type { Choice } from "./controls";

const SHOWN = 16;
const COUNTS = [4, 8, 16, 32];

const Strip = ({ colours }: { colours: readonly string[] }) => (
  <svg
    class="palette"
    width={6 * Math.min(SHOWN, colours.length)}
    height="12"
    shape-rendering="crispEdges"
    aria-hidden="true"
  >
    {colours.slice(0, SHOWN).map((colour, place) => (
      <rect key={place} x={6 * place} width="6" height="12" fill={colour} />
    ))}
  </svg>
);

interface PaletteProps {
  value: string;
  /** Choices that are no palette, first in the list. */
  others: readonly Choice<string>[];
  onChange: (value: string) => void;
}

export function PalettePicker({ value, others, onChange }: PaletteProps) {
  const known = options.value?.palettes ?? [];
  const ways: { value: string; text: string; colours?: readonly string[] }[] = [
    ...others,
    ...COUNTS.map((n) => ({ value: String(n), text: t("count.colours", { n }) })),
    ...known.map(({ name, colours }) => ({ value: name, text: name, colours })),
  ];
  return (
    <fieldset class="field">
      <legend class="field-top">{t("draw.palette")}</legend>
      <div class="chips">
        {ways.map((way) => (
          <button
            key={way.value}
            type="button"
            class="button quiet"
            aria-pressed={way.value === value}
            onClick={() => onChange(way.value)}
          >
            <span>{way.text}</span>
            {way.colours !== undefined && <Strip colours={way.colours} />}
          </button>
        ))}
      </div>
    </fieldset>
  );
}
