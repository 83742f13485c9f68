"""A model as one ONNX file (extra ``onnx``): the denoiser, and in words what drawing with it takes.

``fogcatcher/exchange/onnx_runtime.py`` draws with it, without torch.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from fogcatcher.base.disk import write_atomically
from fogcatcher.base.errors import UserError
from fogcatcher.base.version import __version__
from fogcatcher.diffusion.sampling.grids import Grid
from fogcatcher.diffusion.schedules import BetaSchedule, Schedule
from fogcatcher.exchange.wrapped import program_of
from fogcatcher.model.build import build_grid
from fogcatcher.model.model import Model
from fogcatcher.model.own_way import check_exportable, grid_of
from fogcatcher.model.privacy import public_conditions, public_config


def to_onnx(model: Model, path: Path) -> None:
    """Write ``model`` as one .onnx file that holds its weights and its preconditioning.

    Inputs are x_t, (B, C, H, W) float32; t, (B,) float64, from 0 (data) to 1 (noise); and "cond.NAME",
    (B, k) float32, for every attribute, where a row of zeros says nothing. The output is x0_hat,
    (B, C, H, W). Raises UserError when the extra is missing.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch needs it
    except ImportError as error:
        raise UserError(
            f"writing ONNX needs the '{error.name}' library: pip install 'fogcatcher[onnx]'."
        ) from error
    check_exportable(model.config, "an ONNX file")
    _ = model.config.pixels  # which says so where a model draws none
    graph = _graph(model)
    onnx.helper.set_model_props(graph, facts(model))
    onnx.checker.check_model(graph, full_check=True)
    write_atomically(path, lambda part: part.write_bytes(graph.SerializeToString()))


def facts(model: Model) -> dict[str, str]:
    """Return what is written into the file beside the graph; all but the first two are JSON."""
    trees = {
        "config": public_config(model.config.to_json()),
        "conditions": public_conditions(model.conditions.to_json()),
        "schedule": _in_words(model.denoiser.process.schedule),
        "grid": _in_words(build_grid(grid_of(model.config), model.config.method)),
    }
    written = {name: json.dumps(tree) for name, tree in trees.items()}
    return {"fogcatcher": __version__, "model": model.hash, **written}


def _in_words(choice: Schedule | Grid) -> dict[str, Any]:
    """The name of its class, and its fields."""
    if isinstance(choice, BetaSchedule):
        return {"kind": "BetaSchedule", "betas": choice.betas.tolist()}
    fields = dataclasses.asdict(choice) if dataclasses.is_dataclass(choice) else {}
    return {"kind": type(choice).__name__, **fields}


def _graph(model: Model) -> Any:  # noqa: ANN401 - onnx is an extra
    names = [f"cond.{a.name}" for a in model.conditions.attributes]
    with _quiet():
        program = torch.onnx.export(
            program_of(model),
            dynamo=True,
            verbose=False,
            input_names=["x_t", "t", *names],
            output_names=["x0_hat"],
        )
    assert program is not None
    graph = program.model_proto
    # What it tells of the source is a quarter of the file, and of no use to anybody else.
    for part in (*graph.graph.node, *graph.graph.value_info, graph.graph):
        part.ClearField("metadata_props")
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's words about its own parts: libraries it does not find, names it will drop."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
