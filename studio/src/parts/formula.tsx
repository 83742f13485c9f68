/** Formulas as MathML, which browsers set by themselves. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { get } from "../api/client";
import { t } from "../words/words";
import { Icon } from "./icon";
import { attempt } from "./notices";

export const Formula = ({ label, children }: { label: string; children: ComponentChildren }) => (
  <div class="formula">
    <math display="block" aria-label={label}>
      {children}
    </math>
  </div>
);

export const V = ({ name, sub, hat }: { name: string; sub?: string; hat?: boolean }) => {
  const letter =
    hat === true ? (
      <mover>
        <mi>{name}</mi>
        <mo stretchy={false}>^</mo>
      </mover>
    ) : (
      <mi>{name}</mi>
    );
  return sub === undefined ? (
    letter
  ) : (
    <msub>
      {letter}
      <mi>{sub}</mi>
    </msub>
  );
};

interface Source {
  line: number;
  code: string;
}

/** The lines of the program behind a formula; they are fetched when somebody wants to see them. */
export function Line({ file, name }: { file: string; name: string }) {
  const [open, setOpen] = useState(false);
  const [source, setSource] = useState<Source | null>(null);
  useEffect(() => {
    if (!open) return;
    let current = true;
    const where = new URLSearchParams({ file, name }).toString();
    void attempt(() => get<Source>(`/api/source?${where}`)).then((answer) => {
      if (current && answer !== undefined) setSource(answer);
    });
    return () => {
      current = false;
    };
  }, [open, file, name]);
  return (
    <details class="source" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Icon name="right" />
        <code>{name}</code>
      </summary>
      {source !== null && (
        <>
          <p class="small muted">{t("source.line", { file, line: source.line })}</p>
          <pre tabIndex={0} lang="en">
            {source.code}
          </pre>
        </>
      )}
    </details>
  );
}
