/** Controls for what can be asked of a model, made from its own list of conditions. */

import { useState } from "preact/hooks";
import type { Condition, Model, Wish, Wishes } from "../api/types";
import { figure, t } from "../words/words";
import { Button, Field, Slider, Text, Toggle } from "./controls";

const MANY = 14;

interface OneProps {
  condition: Condition;
  wish: Wish | undefined;
  onWish: (wish: Wish | undefined) => void;
  /** Offer "one of each in turn" beside "anything", where this is the class that pictures are drawn by. */
  turn?: { on: boolean; set: (on: boolean) => void } | undefined;
}

const mixOf = (wish: Wish | undefined): Record<string, number> => {
  if (wish === undefined || wish instanceof Array) return {};
  return typeof wish === "object" ? { ...(wish as Record<string, number>) } : { [String(wish)]: 1 };
};

function ClassPicker({ condition, wish, onWish, turn }: OneProps) {
  const classes = condition.classes ?? [];
  const [mixing, setMixing] = useState(typeof wish === "object");
  const [filter, setFilter] = useState("");
  const mix = mixOf(wish);
  const shown =
    filter === "" ? classes : classes.filter((name) => name.toLowerCase().includes(filter.toLowerCase()));

  const weigh = (name: string, weight: number): void => {
    const next = Object.fromEntries(Object.entries({ ...mix, [name]: weight }).filter(([, one]) => one > 0));
    const names = Object.keys(next);
    if (names.length === 0) onWish(undefined);
    else if (names.length === 1 && next[names[0] ?? ""] === 1) onWish(names[0]);
    else onWish(next);
  };

  return (
    <fieldset class="field">
      <legend class="field-top">{condition.name}</legend>
      {classes.length > MANY && (
        <input
          type="search"
          class="filter"
          value={filter}
          placeholder={t("condition.find")}
          aria-label={t("condition.find")}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      {!mixing && (
        <div class="chips">
          {turn !== undefined && filter === "" && (
            <Button
              tone="quiet"
              pressed={wish === undefined && turn.on}
              onClick={() => {
                onWish(undefined);
                turn.set(true);
              }}
            >
              {t("condition.turn")}
            </Button>
          )}
          {filter === "" && (
            <Button
              tone="quiet"
              pressed={wish === undefined && turn?.on !== true}
              onClick={() => {
                onWish(undefined);
                turn?.set(false);
              }}
            >
              {t("condition.any")}
            </Button>
          )}
          {shown.map((name) => (
            <Button key={name} tone="quiet" pressed={wish === name} onClick={() => onWish(name)}>
              {name}
            </Button>
          ))}
        </div>
      )}
      {mixing && (
        <div class="mix">
          {shown.map((name) => (
            <Slider
              key={name}
              label={name}
              value={mix[name] ?? 0}
              low={0}
              high={1.5}
              step={0.05}
              onChange={(weight) => weigh(name, weight)}
            />
          ))}
        </div>
      )}
      {classes.length > 1 && (
        <Toggle
          label={t("condition.mix")}
          value={mixing}
          onChange={(on) => {
            setMixing(on);
            if (!on && typeof wish === "object")
              onWish(Object.entries(mix).sort((a, b) => b[1] - a[1])[0]?.[0]);
          }}
        />
      )}
    </fieldset>
  );
}

/** Each tag is asked for, not said, or asked to be absent ("-tag"). */
function TagPicker({ condition, wish, onWish }: OneProps) {
  const said = new Set(Array.isArray(wish) ? (wish as readonly string[]) : []);
  const next = (tag: string): void => {
    const turned = new Set(said);
    if (turned.delete(tag)) turned.add(`-${tag}`);
    else if (!turned.delete(`-${tag}`)) turned.add(tag);
    onWish(turned.size === 0 ? undefined : [...turned]);
  };
  return (
    <fieldset class="field">
      <legend class="field-top">{condition.name}</legend>
      <div class="chips">
        {(condition.tags ?? []).map((tag) => {
          const sign = said.has(tag) ? "has" : said.has(`-${tag}`) ? "lacks" : "unsaid";
          return (
            <button
              key={tag}
              type="button"
              class={`button quiet tag ${sign}`}
              aria-pressed={sign === "has"}
              aria-label={sign === "lacks" ? t("condition.without", { tag }) : tag}
              onClick={() => next(tag)}
            >
              <span>{tag}</span>
            </button>
          );
        })}
      </div>
      <p class="help">{t("condition.tags")}</p>
    </fieldset>
  );
}

function NumberPicker({ condition, wish, onWish }: OneProps) {
  const { low = 0, high = 1, name } = condition;
  const whole = Number.isInteger(low) && Number.isInteger(high) && high - low > 3;
  return (
    <div class="field">
      <Toggle
        label={t("condition.say", { name })}
        value={wish !== undefined}
        onChange={(on) => onWish(on ? (whole ? Math.round((low + high) / 2) : (low + high) / 2) : undefined)}
      />
      {typeof wish === "number" && (
        <Slider
          label={name}
          value={wish}
          low={low}
          high={high}
          step={whole ? 1 : (high - low) / 100}
          text={(value) => figure(value)}
          onChange={onWish}
        />
      )}
    </div>
  );
}

function ColourPicker({ condition: { name }, wish, onWish }: OneProps) {
  return (
    <div class="field">
      <Toggle
        label={t("condition.say", { name })}
        value={wish !== undefined}
        onChange={(on) => onWish(on ? "#3a7bd5" : undefined)}
      />
      {typeof wish === "string" && (
        <Field label={name}>
          {(ids) => (
            <input
              {...ids}
              type="color"
              value={wish}
              onInput={(event) => onWish(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
    </div>
  );
}

const TextPicker = ({ condition, wish, onWish }: OneProps) => (
  <Text
    label={condition.name}
    value={typeof wish === "string" ? wish : ""}
    help={t("condition.text")}
    onChange={(text) => onWish(text.trim() === "" ? undefined : text)}
  />
);

const PICKERS = {
  category: ClassPicker,
  tags: TagPicker,
  number: NumberPicker,
  colour: ColourPicker,
  text: TextPicker,
  sentence: TextPicker,
  encoded_text: TextPicker,
};

interface ConditionsProps {
  model: Model;
  wishes: Wishes;
  onWishes: (wishes: Wishes) => void;
  turn?: OneProps["turn"];
}

export function Conditions({ model, wishes, onWishes, turn }: ConditionsProps) {
  if (model.conditions.length === 0) return null;
  const first = model.conditions.find((condition) => condition.type === "category");
  const silent = Object.keys(wishes).length === 0;
  return (
    <>
      {model.conditions.map((condition) => {
        const Picker = PICKERS[condition.type];
        return (
          <Picker
            key={`${model.id} ${condition.name}`}
            condition={condition}
            wish={wishes[condition.name]}
            turn={condition === first && turn !== undefined ? { ...turn, on: turn.on && silent } : undefined}
            onWish={(wish) => {
              const rest = Object.fromEntries(
                Object.entries(wishes).filter(([name]) => name !== condition.name),
              );
              onWishes(wish === undefined ? rest : { ...rest, [condition.name]: wish });
            }}
          />
        );
      })}
    </>
  );
}
