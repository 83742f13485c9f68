"""A trained model: what lives on disk and what people hold."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Unpack

import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from fogcatcher.base.devices import best_device, computed_by, device_of
from fogcatcher.base.disk import short_hash, write_atomically, write_text
from fogcatcher.base.errors import Message, UserError, unknown_name
from fogcatcher.base.memory import check_room, in_parts
from fogcatcher.base.numbers import seeds_of
from fogcatcher.base.printable import in_one_line
from fogcatcher.base.tensor_files import file_hash, most_bytes, read_tensors
from fogcatcher.base.version import __version__
from fogcatcher.data.conditions.conditions import ConditionSpec, Wish
from fogcatcher.data.hub import PREFIX
from fogcatcher.data.pictures.palettes import BUILT_IN, Palette
from fogcatcher.diffusion.denoiser import Denoiser, DenoiserLike
from fogcatcher.diffusion.edits.edit import Edit, Host
from fogcatcher.diffusion.edits.enlarging import Enlarge
from fogcatcher.diffusion.edits.variation import noise_left
from fogcatcher.diffusion.flow_maps import AlongGrid, FlowMap
from fogcatcher.diffusion.guidance import Clipped, Conditioned, Guide, Thresholded, Told
from fogcatcher.diffusion.randomness import SampleGenerator
from fogcatcher.diffusion.sampling.samplers import State, sample
from fogcatcher.diffusion.tensors import Condition, OnePicture, Samples, Times
from fogcatcher.diffusion.upscaling import UPSCALING
from fogcatcher.drawing.drawing import Drawing
from fogcatcher.drawing.edit_recipe import edit_recipe
from fogcatcher.drawing.finishing import training_palette, write_training_palette
from fogcatcher.drawing.recipe import PictureRecipe
from fogcatcher.drawing.settings import OF_THE_SAME_RUN, USUAL, Choices, Settings, Steering, settings_of
from fogcatcher.drawing.steering import guided
from fogcatcher.model import hub
from fogcatcher.model.autoencoder_files import open_stage_of, save_stage_of
from fogcatcher.model.build import (
    build_denoiser,
    build_grid,
    build_sampler,
    grid_name,
    sampler_name,
    wanted_of,
)
from fogcatcher.model.choose_network import build_network
from fogcatcher.model.config import BEST, WEIGHTS, RunConfig, read_config, write_config
from fogcatcher.model.model_card import model_card, usage_of
from fogcatcher.model.own_way import numbers_of_steps, other_way, own_way
from fogcatcher.model.places import SHIPPED, local_folder
from fogcatcher.model.sizes import check_canvas
from fogcatcher.model.trained_classifier import TrainedClassifier, load_classifier
from fogcatcher.model.weights_fit import check_weights, on_meta
from fogcatcher.training.post_hoc import AVERAGES, reconstruct, snapshot

BATCH = 64
PIXELS_AT_ONCE = 2**20
"""Of large pictures fewer are drawn together: 64 up to 128 x 128, and one of 1024 x 1024."""
SEEDS_PER_CLASS = 8
PROBES = 4
"""Draws of noise by which is seen how well a picture is known."""
NO_STEERING = Steering()


class Model:
    """A denoiser with all that is needed to draw with it: sizes, names of classes, default sampler."""

    def __init__(
        self,
        denoiser: Denoiser,
        config: RunConfig,
        conditions: ConditionSpec,
        hash: str = "unsaved",
        origin: Mapping[str, Any] | None = None,
        palette: Palette | None = None,
        folder: Path | None = None,
    ) -> None:
        """``hash`` is the start of the SHA-256 of the weights file, for the recipes.

        ``origin`` says in recipes where the weights came from: "name", and "ema" where it is not the usual
        one. ``palette`` is that of the training pictures, where they have at most 256 colours. ``folder`` is
        where the model lies, with whatever else may guide it.
        """
        self.denoiser = denoiser.eval()
        self.config = config
        self.conditions = conditions
        self.hash = hash
        self.origin = origin or {}
        self.palette = palette
        self.folder = folder
        self._weaker: dict[str, Model] = {}

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return device_of(self.denoiser)

    def sample(
        self,
        n: int | None = None,
        condition: Mapping[str, Wish] | Sequence[Mapping[str, Wish]] | None = None,
        *,
        settings: Settings = USUAL,
        seeds: Sequence[int] | None = None,
        noise: Tensor | None = None,
        edit: Edit | None = None,
        keep_frames: bool = False,
        progress: Callable[[int, int], None] | None = None,
        watch: Callable[[State], None] | None = None,
        **choices: Unpack[Choices],
    ) -> Drawing:
        """Draw pictures.

        ``condition`` is one wish for all pictures or one for each; without any, eight seeds in a row
        ask for one class of the main attribute and the next eight for the next (see ``class_of_seed``).
        How to draw say ``settings``, and fields of them given by name (``sampler="ddim", steps=50``), which
        count more. ``seeds`` default to 0 ... n - 1; the picture of a seed does not depend on the others.
        ``noise``, (N, ...) of the shape of a sample and standard normal, is where to start instead of the
        seeds' own; what a sampler adds later is still theirs. Recipes then say so, and cannot be drawn again.
        ``edit`` changes pictures instead of drawing new ones (``edits/``). ``progress`` hears how many of all
        picture-steps are done, and ``watch`` the state after every step of every batch; to cancel, raise from
        either. Raises UserError for unknown names and impossible numbers.
        """
        seeds = seeds_of(len(noise) if n is None and seeds is None and noise is not None else n, seeds)
        wishes = self._wishes(condition, seeds)
        self.check_choices(choices)
        settings = self._checked(settings_of(choices, settings))
        edit = edit or Edit()
        in_all = len(self.times(settings, edit)) - 1
        if noise is not None:
            _check_noise(noise, (len(seeds), *self.shape(edit)))

        def drawn(part: slice) -> list[Samples]:
            states: list[State] = []
            start = None if noise is None else noise[part]
            for state in self.states(seeds[part], wishes[part], settings, edit.part(part), start):
                states = [*states, state] if keep_frames else [state]
                if watch:
                    watch(state)
                if progress:
                    progress(part.start * in_all + state.i * len(state.x), len(seeds) * in_all)
            return [self.at_usual_contrast(state) for state in states]

        batches = list(in_parts(len(seeds), self.at_once(edit), drawn))
        *earlier, raw = [torch.cat(parts) for parts in zip(*batches, strict=True)]
        if not raw.isfinite().all():
            raise UserError(
                "what was drawn holds numbers that are none: these settings lead this model out of its range "
                "(is the guidance, or an option of the sampler, very large?)."
            )

        # The last bits of a network's answer depend on the place in its batch.
        places = [(place, len(batch[-1])) for batch in batches for place in range(len(batch[-1]))]
        made_by = replace(self._made_by(settings), noise_given=noise is not None)
        to_rows = self.config.kind.from_model
        rows = edit.finish(to_rows(raw))
        return Drawing(
            self.config.kind.drawn,
            rows,
            raw,
            made=[
                replace(made_by, seed=seed, condition=dict(wish), batch=place, edit=edit_recipe(edit, i))
                for i, (seed, wish, place) in enumerate(zip(seeds, wishes, places, strict=True))
            ],
            frames=[*(to_rows(x) for x in earlier), rows] if keep_frames else [],
        )

    def at_once(self, edit: Edit) -> int:
        """Return how many pictures are drawn together."""
        return max(1, min(BATCH, PIXELS_AT_ONCE // math.prod(self.shape(edit)[1:])))

    def shape(self, edit: Edit) -> tuple[int, ...]:
        """Return the shape of one sample, (C, ...), that is drawn with an edit."""
        kind = self.config.kind
        return kind.sample_shape(edit.shape(kind.drawn.shape))

    @property
    def usual(self) -> Settings:
        """How this model draws where nothing else is said."""
        return self._in_own_way(USUAL)

    def check_choices(self, choices: Mapping[str, object]) -> None:
        """Raises UserError where somebody chose how to draw, and this model knows one way alone."""
        for name, own in own_way(self.config).items():
            given = choices.get(name)
            if name == "steps" and given in numbers_of_steps(self.config):
                continue
            if given is not None and given != own:
                raise UserError(other_way(self.config, name), about=name)

    def _made_by(self, settings: Settings) -> PictureRecipe:
        """The recipe of every picture of one drawing, but for what each has of its own."""
        steering = settings.steering
        if steering.guide_with is not None:
            # Another run is named; where it lies is nobody's business.
            settings = replace(
                settings, steering=replace(steering, guide_with=Path(steering.guide_with).name)
            )
        return PictureRecipe(
            seed=0,
            condition={},
            settings=settings,
            version=__version__,
            computed_by=computed_by(self.device),
            **self._hashes(steering),
            **self.origin,
        )

    def _checked(self, settings: Settings) -> Settings:
        """Return the settings as recipes keep them. Raises UserError for what this model cannot do."""
        guidance, steering = settings.guidance, settings.steering
        names = [attribute.name for attribute in self.conditions.attributes]
        for name in guidance if isinstance(guidance, Mapping) else ():
            if name not in names:
                raise unknown_name("condition to guide by", name, names, about="guidance")
        if steering.guide_with is not None and isinstance(guidance, Mapping):
            raise UserError("guidance by a weaker model takes one scale, not one for each condition.")
        if steering.negative is not None:
            steering = replace(steering, negative=self.conditions.clean(steering.negative))
        settings = self._in_own_way(replace(settings, sampler=sampler_name(settings.sampler)))
        return replace(settings, grid=self._grid(settings), steering=steering)

    def _in_own_way(self, settings: Settings) -> Settings:
        own = own_way(self.config)
        if settings.steps in numbers_of_steps(self.config):
            own["steps"] = settings.steps
        return replace(settings, **own)

    def _grid(self, settings: Settings) -> str:
        return grid_name(settings.grid) if settings.grid else self.config.method.grid

    def _hashes(self, steering: Steering) -> dict[str, Any]:
        """The weights of all that draws; this loads them, too, and so finds what is missing at once."""
        hashes = {"model": self.hash}
        if steering.guide_with is not None:
            hashes["weaker"] = self.weaker(steering.guide_with).hash
        if steering.classifier:
            hashes["classifier"] = self.classifier.hash
        return hashes

    def times(self, settings: Settings, edit: Edit | None = None) -> Times:
        """Return the times that drawing goes through.

        Raises UserError for a grid or a number of steps that cannot be.
        """
        settings = self._in_own_way(settings)
        schedule = self.denoiser.process.schedule
        try:
            times = build_grid(self._grid(settings), self.config.method)(schedule, settings.steps)
            return (edit or Edit()).grid(times, schedule)
        except ValueError as error:
            raise UserError(f"{error}.") from error

    def states(
        self,
        seeds: Sequence[int],
        wishes: Sequence[Mapping[str, Wish]],
        settings: Settings,
        edit: Edit | None = None,
        noise: Samples | None = None,
    ) -> Iterator[State]:
        """Yield the state after every sampling step of one batch: one picture per seed, a wish for each.

        ``noise``, (B, ...), is where to start instead of the seeds' own.
        This is ``samplers.sample`` with everything of this model filled in. Raises UserError as ``sample``.
        """
        edit, settings = edit or Edit(), self._checked(settings)
        wishes = [self.conditions.clean(wish) for wish in wishes]
        host = self.host(settings)
        step, times = build_sampler(settings.sampler, settings.step_options), self.times(settings, edit)
        generator = SampleGenerator(seeds)
        shape = self.shape(edit)
        check_canvas(self.denoiser, self.config.kind, shape)
        own = generator.randn_like(torch.empty(len(seeds), *shape, device=self.device))
        noise = own if noise is None else noise.to(own)  # drawn either way, so that what follows is the same
        try:
            told = edit.told(host, len(seeds), generator)
            denoiser = edit.denoiser(host, self.steered(wishes, settings, told))
            x = edit.start(host, noise, times)
        except ValueError as error:  # an edit that does not suit this model says so
            raise UserError(f"{error}.") from error
        try:
            yield from sample(denoiser, x, times, edit.step(host, step), generator)
        except ValueError as error:  # a step that does not suit this model says so
            raise UserError(f"{settings.sampler}: {error}.") from error

    def host(self, settings: Settings) -> Host:
        """Return what an edit may ask of this model."""
        kind, upscaling = self.config.kind, self.config.upscaling
        return Host(
            self.denoiser.process,
            kind.to_model,
            partial(self._led_only, settings),
            upscaling.factor if upscaling else 1,
            None if kind.drawn is kind else kind.free_in_samples,
        )

    def _led_only(
        self, settings: Settings, wishes: Sequence[Mapping[str, Wish]], guidance: float
    ) -> DenoiserLike:
        wishes = [self.conditions.clean(wish) for wish in wishes]
        return self.steered(wishes, replace(settings, guidance=guidance, steering=NO_STEERING))

    def steered(
        self, wishes: Sequence[Mapping[str, Wish]], settings: Settings, told: Condition | None = None
    ) -> DenoiserLike:
        """Return the denoiser with conditions, guidance and limit filled in, as samplers call it.

        ``told`` is what the network hears beside the wishes, whatever guidance asks.
        """
        inside = partial(Told, told=told) if told else _as_it_is
        denoiser: DenoiserLike = Conditioned(
            self._guided(settings, len(wishes), inside), self.encoded(wishes)
        )
        if settings.limit == "none":
            return denoiser
        return Clipped(denoiser) if settings.limit == "clip" else Thresholded(denoiser)

    def _guided(self, settings: Settings, pictures: int, inside: Guide) -> DenoiserLike:
        how, negative = settings.steering, None
        if how.negative is not None:
            negative = self.encoded([self.conditions.clean(how.negative)] * pictures)
        return guided(
            inside(self._along(settings)),
            settings.guidance,
            how,
            negative=negative,
            weaker=inside(self.weaker(how.guide_with).denoiser) if how.guide_with is not None else None,
            log_prob=self.classifier.log_prob if how.classifier else None,
        )

    def _along(self, settings: Settings) -> DenoiserLike:
        """The denoiser; one that hears where its steps go is told of those of the settings."""
        told = isinstance(self.denoiser, FlowMap)
        return AlongGrid(self.denoiser, self.times(settings)) if told else self.denoiser

    def encoded(self, wishes: Sequence[Mapping[str, Wish]]) -> Condition:
        """Return what is asked for as the network hears it: attribute -> (B, k), where the model computes."""
        return {name: weights.to(self.device) for name, weights in self.conditions.encode(wishes).items()}

    def told_of(self, x0: Samples) -> dict[str, Tensor]:
        """Return what the network is told of samples beside their conditions: an upscaler, them as small."""
        upscaling = self.config.upscaling
        return {UPSCALING: upscaling.told(x0)} if upscaling else {}

    def redrawing(self, rows: Tensor) -> Edit | None:
        """Return the edit by which a model is judged on rows, (B, C, ...): an upscaler draws them anew from
        their small pictures; every other model draws without any (None)."""
        upscaling = self.config.upscaling
        return Enlarge(upscaling.shrunk(rows), upscaling.factor) if upscaling else None

    @cached_property
    def classifier(self) -> TrainedClassifier:
        """The classifier in the folder of this model. Raises UserError when there is none."""
        found = load_classifier(self.folder, self.conditions, self.config.pixels, self.denoiser.process)
        found.network.to(self.device)
        return found

    def weaker(self, name: str) -> Model:
        """Return a model for autoguidance: this run's weights averaged over another length ("0.2"), or at an
        earlier step ("500"), or those of another run, which must draw the same with the same noise.

        Raises UserError when there is none.
        """
        if name not in self._weaker:
            self._weaker[name] = self._load_weaker(name)
        return self._weaker[name]

    def _load_weaker(self, name: str) -> Model:
        if re.fullmatch(OF_THE_SAME_RUN, name):
            if self.folder is None:
                raise UserError(
                    "this model was not loaded from a run, so nothing else of the run can guide it."
                )
            if "." in name:
                return load(self.folder, ema=float(name))
            return load(self.folder, step=int(name))
        other = load(name)
        theirs = other._must_be_equal()
        for what, ours in self._must_be_equal().items():
            if ours != theirs[what]:
                raise UserError(f"{name} cannot guide this model: the {what} of the two differ.")
        return other

    def _must_be_equal(self) -> dict[str, object]:
        """All in which a model that guides this one must be like it."""
        method = self.config.method
        return {
            f"sizes of the {self.config.kind.name}": self.config.kind.shape,
            "conditions": self.conditions,
            "noise schedules": (method.schedule, method.betas, dict(method.options)),
        }

    def at_usual_contrast(self, state: State) -> Samples:
        """The sample divided by what signal and noise rates add up to, which is 1 at t = 0."""
        alpha, sigma = self.denoiser.process.rates(torch.tensor(state.t, dtype=torch.float64), state.x)
        return state.x / (alpha**2 + sigma**2).sqrt()

    def _wishes(
        self, condition: Mapping[str, Wish] | Sequence[Mapping[str, Wish]] | None, seeds: Sequence[int]
    ) -> list[Mapping[str, Wish]]:
        if condition is None:
            return [self.wish_of_seed(seed) for seed in seeds]
        wishes = [condition] * len(seeds) if isinstance(condition, Mapping) else list(condition)
        if len(wishes) != len(seeds):
            raise UserError(f"{len(wishes)} conditions cannot serve {len(seeds)} pictures.")
        return [self.conditions.clean(wish) for wish in wishes]

    def wish_of_seed(self, seed: int) -> dict[str, Wish]:
        """Return what a seed shows when nothing is asked for: a class of the main condition, or nothing."""
        name, classes = self.conditions.shown
        return {name: classes[class_of_seed(seed, len(classes))]} if classes else {}

    def noise_left(self, picture: OnePicture, wish: Mapping[str, Wish] | None = None) -> float:
        """Return how little this model knows a picture, (1, C, H, W): 0 by heart, 1 not at all.

        See ``edits.variation.noise_left``; the noise is always the same. Well trained models leave 0.2 to
        0.35 of it in pictures like theirs; where much more is left, variations are noisy.
        """
        host = self.host(USUAL)
        shape = self.config.kind.sample_shape(tuple(picture.shape[1:]))
        noise = SampleGenerator(range(PROBES)).randn_like(torch.empty(PROBES, *shape))
        return noise_left(host, picture, noise.to(self.device), wish or {})

    def save(self, folder: Path) -> None:
        """Write all that ``load`` needs, and a card that says what it is, into ``folder``, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.save_weights(folder)
        card = model_card(self.config, self.conditions, usage_of(str(folder)))
        write_text(folder / "README.md", card)
        if self.palette:
            write_training_palette(self.palette, folder)
        save_stage_of(self.config.kind, folder)
        write_config(folder, self.config, self.conditions)

    def push_to_hub(self, repo: str, *, token: str | None = None, private: bool = False) -> str:
        """Send the model to the Hugging Face Hub as ``repo``, "user/name", and return its address.

        Of the paths in its config only the last names are sent. Raises UserError where the Hub does not
        take it, or its library (the extra ``hub``) is missing.
        """
        with tempfile.TemporaryDirectory() as name:
            self.save(Path(name))
            return hub.push_to_hub(Path(name), repo, token=token, private=private)

    def save_weights(self, folder: Path, name: str = WEIGHTS) -> None:
        tensors = {name: value.contiguous().cpu() for name, value in self.denoiser.state_dict().items()}
        write_atomically(folder / name, lambda part: save_file(tensors, part))

    def weights_hash(self) -> str:
        """Return the hash that a model of these very weights has once it is saved and loaded."""
        tensors = {name: value.contiguous().cpu() for name, value in self.denoiser.state_dict().items()}
        return short_hash(save(tensors))


def _as_it_is(denoiser: DenoiserLike) -> DenoiserLike:
    return denoiser


def _check_noise(noise: Tensor, shape: tuple[int, ...]) -> None:
    if noise.shape != shape:
        raise UserError(f"noise of shape {shape} is needed here, not {tuple(noise.shape)}.")
    if not (noise.is_floating_point() and bool(noise.isfinite().all())):
        raise UserError("the noise that is given must be of finite floating point numbers.")


def class_of_seed(seed: int, classes: int) -> int:
    """Return the class that a seed asks for by default: a sheet of 8 columns shows a class a row."""
    return seed // SEEDS_PER_CLASS % classes


def load(run: str | Path, best: bool = False, ema: float | None = None, step: int | None = None) -> Model:
    """Return the model of a run directory, a shipped one by its name ("sprites"), or one of the Hugging Face
    Hub ("hub:user/name", with the extra ``hub``; fetched once).

    ``best`` takes the weights of the lowest held-out loss instead of the newest; ``ema`` those averaged over
    another share of the run than usual, 0.01 to 0.25, up to the last snapshot of its averages; ``step`` the
    usual average as it was at an earlier step, of those whose snapshots were kept. Loading reads JSON and
    safetensors and never runs code. Raises UserError when there is no model.
    """
    if best + (ema is not None) + (step is not None) > 1:
        raise UserError(Message("give {@best} or {@ema}, not both."))
    folder = folder_of(str(run))
    config, conditions = read_config(folder)
    wanted = wanted_of(config, conditions)
    blank = on_meta(lambda: nn.ModuleDict({"network": build_network(wanted)}))
    if ema is None and step is None:
        weights, hash = _read_weights(folder, BEST if best else WEIGHTS, most_bytes(blank))
    else:
        averages = folder / AVERAGES
        most = 2 * most_bytes(blank)
        weights = (
            snapshot(averages, step, most) if step is not None else reconstruct(averages, ema or 0.0, most)
        )
        hash = short_hash(save(weights))
    open_stage_of(config.kind, folder)
    denoiser = _filled(config, conditions, blank, weights, folder)
    origin = {"name": folder.resolve().name} | ({} if ema is None else {"ema": ema})
    palette = BUILT_IN["sprites"] if folder == SHIPPED / "sprites" else training_palette(folder)
    return Model(denoiser.to(best_device()), config, conditions, hash, origin, palette, folder)


def _filled(
    config: RunConfig,
    conditions: ConditionSpec,
    blank: nn.Module,
    weights: Mapping[str, Tensor],
    folder: Path,
) -> Denoiser:
    """The denoiser of a config with these weights, for which room is made only once they are known to fit."""
    try:
        check_weights(blank, weights)
        check_room(sum(weight.numel() for weight in weights.values()), 2)
        denoiser = build_denoiser(config, conditions)
        denoiser.load_state_dict(weights)
    except (ValueError, RuntimeError) as error:
        said = in_one_line(error)
        raise UserError(f"the weights in {folder} do not fit its config.json ({said}).") from error
    return denoiser


def _read_weights(folder: Path, name: str, most: int) -> tuple[dict[str, Tensor], str]:
    """Return the weights in a run directory and the hash of their file, of at most so many bytes."""
    path = folder / name
    if name == BEST and not path.exists():
        raise UserError(
            f"{folder} has no {BEST}: the run was too short to be checked, or held no pictures out."
        )
    if not path.exists():
        raise UserError(f"{folder} has no checkpoint yet ({WEIGHTS} is missing): train it first, or wait.")
    try:
        return read_tensors(path, most)[0], file_hash(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be used: {in_one_line(error)}.") from error


def folder_of(run: str) -> Path:
    """Return the run directory itself, else the shipped model of that name, else what the Hub has under it.

    Raises UserError when there is none of these.
    """
    return local_folder(run) or hub.fetch(run.removeprefix(PREFIX))
