"""What a stranger's ONNX file says of its model: drawn with, or refused in one sentence."""

import contextlib
import json
import random
from types import SimpleNamespace

import pytest

from fogcatcher.base.errors import UserError
from fogcatcher.exchange.onnx_runtime import OnnxModel
from fogcatcher.exchange.to_onnx import facts
from tests.random_models import random_model
from tests.strange_json import changed

GRAPH = {"x_t": ["b", 4, 12, 10], "t": ["b"], "cond.kind": ["b", 3]}


def opened(told: dict[str, str], graph: dict[str, list] = GRAPH) -> OnnxModel:
    """The model of a file with these facts; its graph is never run."""
    inputs = [SimpleNamespace(name=name, shape=shape) for name, shape in graph.items()]
    meta = SimpleNamespace(custom_metadata_map=told)
    return OnnxModel(SimpleNamespace(get_modelmeta=lambda: meta, get_inputs=lambda: inputs), "a.onnx")


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    return facts(random_model())


def test_our_own_facts_are_read(told):
    model = opened(told)
    assert model.config["pictures"]["width"] == 10 and model.conditions[0]["classes"][1] == "food"
    assert model.schedule == {"kind": "EDMSchedule", "sigma_max": 80.0} and model.grid["rho"] == 7.0


@pytest.mark.parametrize(
    ("name", "tree", "said"),
    [
        ("config", {"pictures": {"height": "x"}}, r"config\.pictures\.width is missing"),
        ("config", {"kind": {"height": "x"}}, r"config\.pictures\.width is missing"),
        ("config", 7, "config must be an object, not 7"),
        ("conditions", [{"name": "kind", "type": "category"}], r"conditions\[0\]\.classes must be a list"),
        ("conditions", [], "its graph takes something else than it says"),
        ("conditions", [{"name": "kind", "type": "category", "classes": ["a"]}], "takes another 'kind' than"),
        ("schedule", {"kind": "EDMSchedule", "sigma_max": "x"}, r"schedule\.sigma_max must be a number"),
        ("grid", {"kind": "LeadingGrid", "trained_steps": 10**9}, r"grid\.trained_steps must be a whole"),
    ],
)
def test_other_facts_are_one_sentence(name, tree, said, told):
    with pytest.raises(UserError, match=f"^a.onnx was not written by fogcatcher, or is damaged .*{said}"):
        opened({**told, name: json.dumps(tree)})


def test_strange_facts_are_drawn_by_or_refused(told):
    chance = random.Random(0)
    for name in ("config", "conditions", "schedule", "grid"):
        for _ in range(40):
            strange = {**told, name: json.dumps(changed(json.loads(told[name]), chance))}
            try:
                model = opened(strange)
            except UserError as error:
                assert "\n" not in str(error)
            else:
                with contextlib.suppress(UserError):
                    model._places(4)
                    model._encode([{}, {"kind": "hero"}])
