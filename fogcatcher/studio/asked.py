"""What a page may ask for: every field typed and bounded; what else is sent is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fogcatcher.runs.setup import Setup
from fogcatcher.studio.workspace import NAME

MOST_SEEDS = 1024
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Sentence = Annotated[str, Field(max_length=2000)]
Share = Annotated[float, Field(ge=0, le=1)]
Figure = Annotated[float, Field(ge=-1e6, le=1e6)]
Mix = Annotated[dict[Word, Figure], Field(max_length=200)]
Wish = (
    Annotated[bool, Field(strict=True)]
    | Figure
    | Annotated[str, Field(max_length=1000)]
    | Mix
    | Annotated[list[Word], Field(max_length=200)]
    | None
)
Conditions = Annotated[dict[Word, Wish], Field(max_length=100)]
Png = Annotated[str, Field(max_length=6_000_000)]
"""A PNG in base64, with or without the start of a data URL."""
Side = Annotated[int, Field(ge=8, le=1024)]
PictureId = Annotated[str, Field(min_length=1, max_length=400)]


class Asked(BaseModel):
    """Anything that is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reading(Asked):
    """Which pictures of a data set, and how they are read."""

    size: Side | tuple[Side, Side] | None = None
    """One side, or width and height."""
    where: Sentence | None = None
    classes: Annotated[list[Word], Field(max_length=1000)] = []
    limit: Annotated[int, Field(ge=1, le=10**7)] | None = None
    trim: bool = False
    conditions: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=100)
    ] = []


class Settings(Asked):
    """How to draw."""

    sampler: Word | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    guidance: Figure | Mix | None = None
    grid: Word | None = None
    eta: Annotated[float, Field(ge=0, le=100)] | None = None
    limit: Literal["clip", "dynamic", "none"] | None = None
    negative: Conditions | None = None
    interval: tuple[Figure, Figure] | None = None
    rescale: Share | None = None
    guide_with: Annotated[str, Field(pattern=r"^(\d{1,12}|0?\.\d{1,6})$")] | None = None
    """Of the same run: a length of its average, or a step."""
    classifier: Figure | None = None
    sampler_options: Annotated[dict[Word, Figure], Field(max_length=20)] | None = None


class Finish(Asked):
    """What is done to drawn pictures."""

    palette: Word | None = None
    """none, train, a number of colours, or a built-in palette."""
    hard_alpha: bool = False
    colours_each: Annotated[int, Field(ge=0, le=256)] = 0
    strays: Annotated[int, Field(ge=0, le=64)] = 0
    indexed: bool = False
    zoom: Annotated[int, Field(ge=1, le=32)] = 1


class OneModel(Asked):
    model: Name
    best: bool = False


class Drawn(OneModel):
    """What is drawn from which seeds."""

    conditions: Conditions | None = None
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=MOST_SEEDS)] | None = None
    count: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    settings: Settings = Settings()


class Draw(Drawn):
    finish: Finish = Finish()
    gif: bool = False
    atlas: bool = False


class GivenPicture(Asked):
    """A picture of the workspace by its id, or one that is sent along."""

    id: PictureId | None = None
    png: Png | None = None


Pixels = Annotated[int, Field(ge=0, le=1024)]


class EditOptions(Asked):
    method: Literal["repaint", "replace", "gradient"] | None = None
    jump: Annotated[int, Field(ge=1, le=100)] | None = None
    resamples: Annotated[int, Field(ge=1, le=20)] | None = None
    weight: Annotated[float, Field(ge=0, le=1000)] | None = None
    strength: Share | None = None
    noise: Share = 0.0
    left: Pixels = 0
    right: Pixels = 0
    top: Pixels = 0
    bottom: Pixels = 0
    frames: Annotated[int, Field(ge=2, le=64)] = 8
    invert_mask: bool = False


class Edit(Drawn):
    action: Literal["inpaint", "outpaint", "vary", "interpolate", "recolor", "tile", "enlarge"]
    picture: GivenPicture | None = None
    picture_b: GivenPicture | None = None
    seed_a: Seed | None = None
    seed_b: Seed | None = None
    mask: Png | None = None
    """White where pixels are drawn anew."""
    options: EditOptions = EditOptions()
    finish: Finish = Finish()


class Train(Reading):
    """A new run, or one that goes on where ``resume`` names it."""

    data: Name | None = None
    resume: Name | None = None
    name: Name | None = None
    minutes: Annotated[float, Field(gt=0, le=100_000)] | None = None
    steps: Annotated[int, Field(ge=1, le=10**8)] | None = None
    start_from: Name | Literal["auto", "none"] = Setup.start_from
    size_of_model: Annotated[str, Field(max_length=20)] | None = Setup.size_of_model
    preset: Word = Setup.preset
    augment: Annotated[str, Field(max_length=100)] = Setup.augment
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Setup.seed
    network: Word = Setup.network
    batch_size: Annotated[int, Field(ge=1, le=4096)] | None = Setup.batch_size
    upscale: Annotated[int, Field(ge=2, le=16)] | None = Setup.upscale
    stop_early: bool = False


class Explain(OneModel):
    seed: Seed = 0
    conditions: Conditions | None = None
    settings: Settings = Settings()
    picture: GivenPicture | None = None


class AxisOf(Asked):
    name: Word
    values: Annotated[list[Wish], Field(min_length=1, max_length=50)]


class Grid(OneModel):
    columns: AxisOf
    rows: AxisOf | None = None
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=64)] = list(range(4))
    conditions: Conditions | None = None
    settings: Settings = Settings()


class Evaluate(Asked):
    models: Annotated[list[Name], Field(min_length=1, max_length=10)]
    pictures: Annotated[int, Field(ge=16, le=10_000)] = 1000
    quick: bool = False
    best: bool = False


class Export(OneModel):
    format: Literal["diffusers", "onnx", "torch"]


class JobOf(Asked):
    """What a job is asked to do."""


class TrainJob(JobOf):
    kind: Literal["train"]
    request: Train


class DrawJob(JobOf):
    kind: Literal["draw"]
    request: Draw


class EditJob(JobOf):
    kind: Literal["edit"]
    request: Edit


class ExplainJob(JobOf):
    kind: Literal["explain"]
    request: Explain


class GridJob(JobOf):
    kind: Literal["grid"]
    request: Grid


class EvaluateJob(JobOf):
    kind: Literal["evaluate"]
    request: Evaluate


class ExportJob(JobOf):
    kind: Literal["export"]
    request: Export


AnyJob = Annotated[
    TrainJob | DrawJob | EditJob | ExplainJob | GridJob | EvaluateJob | ExportJob, Field(discriminator="kind")
]


class Move(Asked):
    before: int | None = None


class Favourite(Asked):
    id: PictureId
    favourite: bool


class Preset(Asked):
    name: Annotated[str, Field(min_length=1, max_length=80)]
    request: Annotated[dict[Word, Any], Field(max_length=100)] = {}


class Pack(Asked):
    pictures: Annotated[list[PictureId], Field(min_length=1, max_length=1024)]
    form: Literal["sheet", "atlas", "gif", "zip"]
    columns: Annotated[int, Field(ge=1, le=128)] = 8
    zoom: Annotated[int, Field(ge=1, le=32)] = 1
    power_of_two: bool = False


class Noise(Asked):
    model: Name | None = None
    preset: Word | None = None
    picture: GivenPicture
    times: Annotated[list[Share], Field(min_length=1, max_length=64)]
    seed: Seed = 0
