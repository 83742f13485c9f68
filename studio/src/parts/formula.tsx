/** Formulas as MathML, which browsers set by themselves. */

import type { ComponentChildren } from "preact";

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

/** The line of the program behind a formula. */
export const Line = ({ file, name }: { file: string; name: string }) => (
  <p class="source">
    <code>
      {file} · {name}
    </code>
  </p>
);
