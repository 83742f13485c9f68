"""``fogcatcher evaluate``: how good a trained model is, how varied, and how much of it is copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from fogcatcher.base.errors import UserError
from fogcatcher.base.numbers import Seed
from fogcatcher.cli.arguments import folder_name
from fogcatcher.cli.flags import in_flags
from fogcatcher.cli.ranges import Count
from fogcatcher.cli.settings_arguments import SettingsArguments
from fogcatcher.cli.yes_read import YesRead, allow_all
from fogcatcher.drawing.settings import AS_THE_DATA

if TYPE_CHECKING:
    from fogcatcher.base.processes import Processes
    from fogcatcher.data.kind import Extractor, Kind
    from fogcatcher.data.reading import Dataset
    from fogcatcher.data.splitting import Split
    from fogcatcher.judging.evaluation import Evaluation, Settings
    from fogcatcher.model.model import Model

NLL_PICTURES = 64


@dataclass(kw_only=True)
class JudgingArguments:
    """What is judged, and by what."""

    models: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN", help_behavior_hint="")
    ]
    """Run directories; several are compared in one table."""
    pictures: tyro.conf.UseAppendAction[
        Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(repeatable)")]
    ] = ()
    """Judge pictures that any program has made, too; without a run, --against says by what."""
    against: Annotated[str | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="")] = None
    """The data that all are judged by. Default: each run's own, parted as in its training."""
    quick: bool = False
    """Only the figures and the search for copies; no intervals, losses and curves."""
    samples: Annotated[Count, tyro.conf.arg(metavar="N", aliases=["-n"])] = 1000
    """Pictures to draw."""
    features: tyro.conf.UseAppendAction[
        Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE.pt2", help_behavior_hint="(repeatable)")]
    ] = ()
    """Also compare by a network of yours, saved by torch.export; its figures bear its name."""
    inception: Annotated[Path | None, tyro.conf.arg(metavar="FILE.pt2", help_behavior_hint="")] = None
    """Also compare by your own Inception network (2,048 features), for a true FID."""
    pixels: bool = False
    """Also compare raw pixels."""
    force: bool = False
    """Give a Frechet distance even of few pictures."""
    seed: Seed = 0
    """Seed of the pictures and of every random choice."""
    best: bool = False
    """Judge the weights of the lowest held-out loss instead of the newest."""
    ema: Annotated[float | None, tyro.conf.arg(metavar="LENGTH", help_behavior_hint="")] = None
    """Judge the weights averaged over another share of the run, 0.03 to 0.2; 0.1 is the usual one."""
    nll: bool = False
    """Only bits per dimension of held-out pictures: by the probability-flow ODE, and as a bound, whose terms
    go to bits.json."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder for the report. Default: evaluation in the first run's folder; evaluation-NAME next to where you
    are for a model that lies elsewhere, and evaluation without one."""
    yes_read: YesRead = ()
    """Read these data, too, where a run that was trained elsewhere names them."""


@dataclass(kw_only=True)
class Evaluate(SettingsArguments, JudgingArguments):
    """Say how good a trained model is: quality, variety, copies, and how sure each figure is.

    Every figure stands beside what other real pictures get, and what real ones get that were spoiled on
    purpose. Writes RUN/evaluation/report.html and evaluation.json. Of an autoencoder it says how well
    pictures come back.

    Example:  fogcatcher evaluate runs/my-sprites --quick
    Example:  fogcatcher evaluate --pictures drawn-elsewhere --against my-sprites
    """

    guidance: Annotated[str, tyro.conf.arg(metavar="W")] = f"{AS_THE_DATA.guidance:g}"
    """1 draws as the data are; more is clearer and less varied."""

    def run(self) -> None:
        from fogcatcher.base.processes import joined

        allow_all(self.yes_read)
        with joined() as processes:
            self._judge(processes)

    def _judge(self, processes: Processes) -> None:
        from fogcatcher.drawing.ours import check_ours
        from fogcatcher.judging.evaluation_page import lines, side_by_side
        from fogcatcher.model.autoencoder_files import is_autoencoder
        from fogcatcher.runs.evaluating import FIGURES, REPORT

        if not self.models and (self.nll or not (self.pictures and self.against)):
            raise UserError("name at least one run directory, or --pictures and --against.")
        if any(map(is_autoencoder, self.models)):
            self._judge_autoencoders()
            return
        if self.nll:
            for folder in self.models:
                model = self._model(folder)
                _print_bits(model, *self._data(model), self.seed, self._folder_of(folder))
            return
        if processes.is_first:
            check_ours(self.out or _own_folder(self.models), {FIGURES, REPORT})
        runs = [(folder, partial(self._run, folder, processes)) for folder in self.models]
        evaluations = []
        for folder, measured in (
            *runs,
            *((folder, partial(self._pictures, folder)) for folder in self.pictures),
        ):
            print(f"{folder}:", flush=True)
            evaluations.append(_with_flags(measured()))
            print(*lines(evaluations[-1]), sep="\n")
        if processes.is_first:
            if len(evaluations) > 1:
                print("side by side:", *side_by_side(evaluations), sep="\n")
            self._write(evaluations)

    def _judge_autoencoders(self) -> None:
        """An autoencoder draws nothing: it is judged by what comes back of pictures."""
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.model.autoencoder_files import is_autoencoder
        from fogcatcher.runs.autoencoder import judged_autoencoder

        if not all(map(is_autoencoder, self.models)) or self.pictures or self.nll:
            raise UserError("autoencoders are judged by themselves, by what comes back of pictures.")
        for folder in self.models:
            with reading_bar() as progress:
                found = judged_autoencoder(folder, self.against, progress, self.samples)
            print(f"{folder}: {found.in_words}")

    def _folder_of(self, model: Path) -> Path:
        """Where the terms of the bound of one model go: they are one file each."""
        if self.out is None:
            return _own_folder([model])
        return self.out if len(self.models) == 1 else self.out / folder_name(model)

    def _model(self, folder: Path) -> Model:
        from fogcatcher.model.model import load

        model = load(folder, self.best, self.ema)
        self.check(model)
        return model

    def _run(self, folder: Path, processes: Processes) -> Evaluation:
        from fogcatcher.cli.bars import judging_bar
        from fogcatcher.cli.costs import say_cost
        from fogcatcher.judging.evaluation import Watch, evaluate

        model = self._model(folder)
        dataset, parts = self._data(model)
        if processes.is_first:
            say_cost(model, self.settings(), self.samples)
        with judging_bar() as (told, progress):
            watch, looks = Watch(told, progress), self._looks(model.config.kind.drawn)
            return evaluate(str(folder), model, dataset, parts, self._settings(), looks, watch, processes)

    def _pictures(self, folder: Path) -> Evaluation:
        """Judge a folder as pictures of the size and the channels that they are judged by."""
        from fogcatcher.cli.bars import judging_bar, reading_bar
        from fogcatcher.data.for_model import read_for_model
        from fogcatcher.data.options import DataOptions
        from fogcatcher.data.pictures.spec import spec_of
        from fogcatcher.data.reading import read_dataset
        from fogcatcher.data.splitting import split
        from fogcatcher.judging.evaluation import Watch, judge

        if self.against is None:
            model = self._model(self.models[0])
            dataset, parts = self._data(model)
            spec = model.config.pictures
        else:
            with reading_bar() as progress:
                dataset = read_dataset(self.against, DataOptions(), progress)
            parts, spec = split(dataset, DataOptions()), spec_of(dataset.rows)
        with reading_bar() as progress:
            drawn = read_for_model(folder, spec, DataOptions(), progress)
        if drawn.duplicates:
            print(f"  {len(drawn.duplicates):,} of them are equal to others, and left out")
        with judging_bar() as (told, progress):
            rows, watch = drawn.rows[: self.samples], Watch(told, progress)
            return judge(str(folder), spec, rows, dataset, parts, self._settings(), self._looks(spec), watch)

    def _write(self, evaluations: list[Evaluation]) -> None:
        from fogcatcher.runs.evaluating import write_evaluation

        runs = {str(folder): folder for folder in self.models}
        written = write_evaluation(evaluations, runs, self.out or _own_folder(self.models))
        print(f"report with pictures: {written}")

    def _settings(self) -> Settings:
        from fogcatcher.judging.evaluation import Settings

        return Settings(self.samples, self.settings(), self.seed, self.quick, self.force)

    def _looks(self, kind: Kind) -> tuple[Extractor, ...]:
        from fogcatcher.judging.evaluation import usual_look
        from fogcatcher.judging.metrics.features import Inception, Module, Pixels

        mine = [Module(path) for path in self.features]
        true_fid = [Inception(self.inception)] if self.inception else []
        return (usual_look(kind), *mine, *true_fid, *([Pixels()] if self.pixels else []))

    def _data(self, model: Model) -> tuple[Dataset, Split]:
        """The pictures and their parts, as the model was trained on them."""
        from fogcatcher.cli.bars import reading_bar
        from fogcatcher.runs.evaluating import change_since, data_of

        with reading_bar() as progress:
            dataset, parts = data_of(model, self.against, progress)
        if self.against is None:
            for line in change_since(model, dataset, parts):
                print(line)
        return dataset, parts


def _own_folder(models: Sequence[Path]) -> Path:
    """Where a report goes by itself: never where a folder of a shipped model's name would come to be."""
    if not models:
        return Path("evaluation")
    is_run = (models[0] / "config.json").is_file()
    return models[0] / "evaluation" if is_run else Path(f"evaluation-{folder_name(models[0])}")


def _with_flags(done: Evaluation) -> Evaluation:
    """Say as the command line does, on the screen and in the report, what was refused."""
    said = (replace(each, refused=in_flags(each.refused)) for each in done.comparisons)
    return replace(done, comparisons=tuple(said))


def _print_bits(model: Model, dataset: Dataset, parts: Split, seed: int, out: Path) -> None:
    from fogcatcher.cli.bars import sampling_bar
    from fogcatcher.judging.bits import bits_of
    from fogcatcher.model.bound_terms import write_terms

    _ = model.config.pixels  # which says so where a model draws none: bits are those of bytes
    held_out = parts.held_out[:NLL_PICTURES]
    if not len(held_out):
        raise UserError("this run held no pictures out of training, so nothing honest can be measured.")
    known = model.conditions.encode_pictures(dataset.columns)
    with sampling_bar() as progress:
        chosen = {name: rows[held_out] for name, rows in known.items()}
        bits = bits_of(model, dataset.rows[held_out], chosen, seed=seed, progress=progress)
    print(f"bits per dimension of {bits.pictures} held-out pictures, lower is better:")
    print(f"  probability-flow ODE   {bits.flow:.3f} +- {bits.flow_error:.3f}")
    print(f"  bound of {bits.steps:4} steps     {bits.bound:.3f} +- {bits.bound_error:.3f}")
    *steps, last = bits.terms.steps
    print(f"    L_T {bits.terms.prior:.5f}, L_t {sum(steps):.3f} in all, L_0 {last:.3f}")
    print(f"terms: {write_terms(bits.terms, out)}")
