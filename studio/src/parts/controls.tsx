/** The few controls that every form is made of. Each has a label; what is wrong stands beside it in words. */

import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { number, t } from "../words/words";
import { Icon } from "./icon";
import type { IconName } from "./icons";

interface ButtonProps {
  children?: ComponentChildren;
  icon?: IconName;
  label?: string; // for a button that shows only an icon
  tone?: "plain" | "main" | "quiet" | "danger";
  pressed?: boolean;
  busy?: boolean;
  disabled?: boolean;
  submit?: boolean;
  onClick?: (event: MouseEvent) => void;
}

export const Button = (props: ButtonProps) => (
  <button
    type={props.submit === true ? "submit" : "button"}
    class={`button ${props.tone ?? "plain"}${props.children === undefined ? " only-icon" : ""}`}
    aria-label={props.label}
    title={props.label}
    aria-pressed={props.pressed}
    aria-busy={props.busy}
    disabled={props.disabled === true || props.busy === true}
    onClick={props.onClick}
  >
    {props.busy === true ? (
      <span class="spinner" aria-hidden="true" />
    ) : (
      props.icon !== undefined && <Icon name={props.icon} />
    )}
    {props.children !== undefined && <span>{props.children}</span>}
  </button>
);

interface FieldProps {
  label: string;
  help?: string | undefined;
  children: (ids: { id: string; "aria-describedby"?: string }) => ComponentChildren;
  side?: ComponentChildren;
}

export function Field({ label, help, children, side }: FieldProps) {
  const id = useId();
  const described = help === undefined || help === "" ? {} : { "aria-describedby": `${id}-help` };
  return (
    <div class="field">
      <div class="field-top">
        <label for={id}>{label}</label>
        {side}
      </div>
      {children({ id, ...described })}
      {help !== undefined && help !== "" && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

interface SliderProps {
  label: string;
  value: number;
  low: number;
  high: number;
  step?: number;
  /** What may be typed, where that is more than the slider reaches. */
  typed?: readonly [low: number, high: number];
  help?: string | undefined;
  text?: ((value: number) => string) | undefined;
  onChange: (value: number) => void;
}

/** A slider with the number beside it, which can be typed as well. */
export function Slider(props: SliderProps) {
  const { label, value, low, high, step = 1, help, text, onChange } = props;
  const told = text?.(value) ?? number(value, 2);
  const [least, most] = props.typed ?? [low, high];
  return (
    <Field
      label={label}
      help={help}
      side={
        <input
          class="number"
          type="number"
          aria-label={label}
          min={least}
          max={most}
          step={step}
          value={value}
          onChange={(event) => {
            const given = event.currentTarget.valueAsNumber;
            const next = Number.isFinite(given) ? Math.min(most, Math.max(least, given)) : value;
            if (next !== value) onChange(next);
            event.currentTarget.value = String(next);
          }}
        />
      }
    >
      {(ids) => (
        <input
          {...ids}
          type="range"
          min={low}
          max={high}
          step={step}
          value={value}
          aria-valuetext={told}
          style={{ "--share": `${high > low ? (100 * (value - low)) / (high - low) : 0}%` }}
          onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
        />
      )}
    </Field>
  );
}

export interface Choice<T extends string> {
  value: T;
  text: string;
}

interface SelectProps<T extends string> {
  label: string;
  value: T;
  choices: readonly Choice<T>[];
  help?: string | undefined;
  onChange: (value: T) => void;
}

export const Select = <T extends string>({ label, value, choices, help, onChange }: SelectProps<T>) => (
  <Field label={label} help={help}>
    {(ids) => (
      <select {...ids} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.text}
          </option>
        ))}
      </select>
    )}
  </Field>
);

/** One of a few, all in sight. */
export function Segments<T extends string>({ label, value, choices, help, onChange }: SelectProps<T>) {
  const name = useId();
  return (
    <fieldset class="field segments">
      <legend>{label}</legend>
      <div class="segment-row">
        {choices.map((choice) => (
          <label key={choice.value} class={choice.value === value ? "segment chosen" : "segment"}>
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={choice.value === value}
              onChange={() => onChange(choice.value)}
            />
            <span>{choice.text}</span>
          </label>
        ))}
      </div>
      {help !== undefined && <p class="help">{help}</p>}
    </fieldset>
  );
}

interface TextProps {
  label: string;
  value: string;
  help?: string | undefined;
  placeholder?: string;
  list?: readonly string[];
  onChange: (value: string) => void;
}

export function Text({ label, value, help, placeholder, list, onChange }: TextProps) {
  const names = useId();
  return (
    <Field label={label} help={help}>
      {(ids) => (
        <>
          <input
            {...ids}
            type="text"
            value={value}
            placeholder={placeholder}
            list={list === undefined ? undefined : names}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => onChange(event.currentTarget.value)}
          />
          {list !== undefined && (
            <datalist id={names}>
              {list.map((one) => (
                <option key={one} value={one} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}

export const Toggle = (props: {
  label: string;
  value: boolean;
  onChange: (value: boolean) => void;
  help?: string;
}) => (
  <label class="toggle">
    <input
      type="checkbox"
      role="switch"
      checked={props.value}
      onChange={(event) => props.onChange(event.currentTarget.checked)}
    />
    <span class="track" aria-hidden="true" />
    <span>
      {props.label}
      {props.help !== undefined && <small class="help">{props.help}</small>}
    </span>
  </label>
);

/** What most people need not see. */
export function More({ title, children }: { title?: string; children: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="more" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Icon name="right" />
        {title ?? t("form.more")}
      </summary>
      {open && <div class="more-inside">{children}</div>}
    </details>
  );
}

export const Bar = ({ done, of, label }: { done: number; of: number; label: string }) => (
  <div
    class="bar"
    role="progressbar"
    aria-label={label}
    aria-valuemin={0}
    aria-valuemax={of}
    aria-valuenow={Math.min(done, of)}
  >
    <span style={{ width: `${of > 0 ? Math.min(100, (100 * done) / of) : 0}%` }} />
  </div>
);

export const Loading = () => (
  <p class="loading" role="status">
    <span class="spinner" aria-hidden="true" /> {t("loading")}
  </p>
);

/** A sentence of what went wrong, and what to do. */
export const Problem = ({
  words,
  lang,
  act,
}: {
  words: string;
  lang?: "en" | undefined;
  act?: ComponentChildren;
}) => (
  <div class="problem" role="alert">
    <Icon name="warn" />
    <p lang={lang}>{words}</p>
    {act}
  </div>
);

interface EmptyProps {
  title: string;
  words: string;
  children?: ComponentChildren;
}

export const Empty = ({ title, words, children }: EmptyProps) => (
  <div class="empty">
    <h2>{title}</h2>
    <p>{words}</p>
    {children !== undefined && <div class="row">{children}</div>}
  </div>
);
