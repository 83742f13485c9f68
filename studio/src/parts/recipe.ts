/** What a picture's recipe says, in few words, and the way back from a picture to the form that drew it. */

import { send } from "../api/client";
import type { Picture, Recipe } from "../api/types";
import { figure, t } from "../words/words";

const value = (wish: unknown): string =>
  wish !== null && typeof wish === "object" && !Array.isArray(wish)
    ? Object.entries(wish)
        .map(([name, weight]) => `${name} ${figure(Number(weight))}`)
        .join(" + ")
    : Array.isArray(wish)
      ? wish.join(", ")
      : String(wish);

/** Rows of a name and a value. */
export function told(picture: Picture): [string, string][] {
  const recipe = picture.recipe ?? {};
  const condition = (recipe["condition"] ?? {}) as Record<string, unknown>;
  const text = (name: string): string | null => {
    const one = recipe[name];
    return typeof one === "string" ? one : typeof one === "number" ? figure(one, 6) : null;
  };
  const seed = recipe["seed"];
  const rows: [string, string | null][] = [
    [t("model.label"), text("name")],
    ...Object.entries(condition)
      .filter(([, wish]) => wish !== null)
      .map(([name, wish]): [string, string] => [name, value(wish)]),
    [t("draw.seed"), typeof seed === "number" ? String(seed) : null],
    [t("draw.guidance"), text("guidance")],
    [t("draw.sampler"), text("sampler")],
    [t("draw.steps"), text("steps")],
    [t("viewer.size"), `${picture.size[0]} × ${picture.size[1]}`],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}

/** Ask the service what a file of the program was drawn by. */
export async function recipeOf(file: Blob): Promise<Recipe> {
  const form = new FormData();
  form.append("file", file, "picture.png");
  return await send<Recipe>("/api/recipe", form);
}

export const recipeAt = async (url: string): Promise<Recipe> => recipeOf(await (await fetch(url)).blob());
