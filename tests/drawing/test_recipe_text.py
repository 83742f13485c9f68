"""The text that other programs read: taken apart as they take it apart, it says what the recipe says."""

import json
import re
from dataclasses import replace

from fogcatcher.drawing.recipe import PictureRecipe
from fogcatcher.drawing.recipe_text import parameters_text
from fogcatcher.drawing.settings import Settings

# What readers of this text look for: NAME: VALUE, with quotes around values that hold commas.
PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
RECIPE = PictureRecipe(
    seed=7,
    condition={"kind": "food"},
    settings=Settings("dpmpp_2m", 20, 2.5, "karras", None, "clip"),
    model="0123456789ab",
    version="0.1.0",
    name="my, run: 1",
)


def pairs(text: str) -> dict[str, str]:
    found = dict(PAIR.findall(text.strip().split("\n")[-1]))
    return {name: json.loads(value) if value.startswith('"') else value for name, value in found.items()}


def test_readers_find_the_usual_names():
    text = parameters_text(RECIPE, (16, 12))
    assert text.split("\n")[0] == "kind=food"
    patterns = [
        r"Steps: (\d+)",
        r"Sampler: (\w+)",
        r"CFG scale: ([\d.]+)",
        r"Seed: (\d+)",
        r"Size: (\d+x\d+)",
    ]
    found = [re.findall(pattern, text) for pattern in patterns]
    assert found == [["20"], ["dpmpp_2m"], ["2.5"], ["7"], ["16x12"]]
    assert re.findall("Model hash: ([0-9a-f]+)", text) == ["0123456789ab"]
    assert pairs(text)["Model"] == "my, run: 1" and pairs(text)["Schedule type"] == "karras"
    assert "Eta" not in pairs(text)


def test_mixes_and_guidance_per_attribute_are_told():
    settings = replace(RECIPE.settings, guidance={"kind": 3.0, "hue": 1.5})
    recipe = replace(RECIPE, settings=settings, condition={"kind": {"hero": 1, "food": 0.6}})
    text = parameters_text(recipe, (8, 8))
    assert text.startswith("kind=hero:1,food:0.6\nSteps: 20")
    assert pairs(text)["Guidance"] == "kind=3, hue=1.5" and "CFG scale" not in pairs(text)


def test_a_condition_cannot_pose_as_a_setting():
    text = parameters_text(replace(RECIPE, condition={"text": "a cat\nSteps: 99, Seed: 1"}), (8, 8))
    assert text.count("\n") == 1 and pairs(text)["Steps"] == "20" and pairs(text)["Seed"] == "7"


def test_nothing_asked_for_leaves_one_line():
    assert parameters_text(replace(RECIPE, condition={"kind": None}), (8, 8)).startswith("Steps: 20")
