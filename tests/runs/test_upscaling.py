"""Models that make small pictures large: told while they learn, drawn, put in a row, saved, refused."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.spec import to_model
from fogcatcher.data.pictures.upscaling import Upscaling, upscaling_for
from fogcatcher.diffusion.edits.enlarging import Enlarge
from fogcatcher.diffusion.randomness import step_generator
from fogcatcher.diffusion.upscaling import UPSCALING, shrink
from fogcatcher.drawing.recipe import read_file_recipe
from fogcatcher.model.cascade import draw_through, load_cascade, save_cascade
from fogcatcher.model.model import Model, load
from fogcatcher.model.reproduction import reproduce
from fogcatcher.model.upscale_files import Enlarging, enlarge, upscale_files
from fogcatcher.networks.upscaler import LEVEL, Upscaler
from fogcatcher.runs.distill import DistillSetup, prepare_distillation
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import resume
from fogcatcher.runs.train import train
from fogcatcher.training.batches import Batches
from fogcatcher.training.fit import Progress
from tests.commands import fogcatcher
from tests.small_trainings import save_pictures


def trained(folder: Path, *, upscale: int | None = None, size: int = 16, **choices) -> Model:
    """A run of four steps on twenty pictures, which lie beside it."""
    data = folder.parent / "data"
    if not data.exists():
        save_pictures(data, 20)
    train(data, folder, size=size, steps=4, upscale=upscale, size_of_model="tiny", **choices)
    return load(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("upscaling")


@pytest.fixture(scope="module")
def upscaler(folder: Path) -> Model:
    return trained(folder / "upscaler", upscale=2)


@pytest.fixture(scope="module")
def base(folder: Path) -> Model:
    return trained(folder / "base", size=8)


def pictures(count: int = 2, side: int = 8) -> Tensor:
    made = torch.Generator().manual_seed(5)
    rows = torch.randint(0, 256, (count, 4, side, side), generator=made, dtype=torch.uint8)
    rows[:, 3] = 255
    return rows


# --- what the network is told --------------------------------------------------------------------


def test_an_exact_small_picture_is_told_as_such():
    x0 = to_model(pictures(3, 4))
    assert torch.equal(Upscaling(2).told(x0)[:, :-2], shrink(x0, 2).flatten(1))


def test_shrunk_pictures_keep_their_colour_at_soft_edges():
    rows = torch.zeros(1, 4, 2, 2, dtype=torch.uint8)
    rows[0, :, 0, 0] = torch.tensor([200, 100, 50, 255])  # one of four pixels is there
    assert Upscaling(2).shrunk(rows).flatten().tolist() == [200, 100, 50, 64]


def test_training_noise_is_uniform_and_some_hear_nothing():
    upscaling = Upscaling(2, noise=0.6, unsaid=0.25)
    rows = upscaling(torch.zeros(4000, 1, 2, 2), torch.Generator().manual_seed(0))
    said = rows[:, -1] == 1
    assert float(said.float().mean()) == pytest.approx(0.75, abs=0.03)
    assert torch.equal(rows[~said], torch.zeros_like(rows[~said]))
    levels = rows[said, -2].sort().values / 0.6
    assert float((levels - torch.linspace(0, 1, len(levels))).abs().max()) < 0.04  # Kolmogorov and Smirnov
    # Of a picture of zeros the noise alone is left: sin(pi u / 2).
    ratio = rows[said, 0] / (torch.pi / 2 * rows[said, -2]).sin()
    assert float(ratio.std()) == pytest.approx(1, abs=0.05)


def test_every_share_of_a_batch_hears_what_the_whole_does():
    upscaling, x0 = Upscaling(2), to_model(pictures(8, 4))
    whole = upscaling(x0, torch.Generator().manual_seed(1))
    part = upscaling(x0[3:5], torch.Generator().manual_seed(1), 8, slice(3, 5))
    assert torch.equal(whole[3:5], part)


def test_its_noise_is_not_that_of_the_large_picture():
    batches = Batches(pictures(64), {}, upscaling=Upscaling(2, noise=1.0, unsaid=0.0))
    x0, cond = batches.at(0, 64)
    rows = cond[UPSCALING]
    angle = (torch.pi / 2 * rows[:, -2])[:, None]
    eps = (rows[:, :-2] - angle.cos() * shrink(x0, 2).flatten(1)) / angle.sin()
    noise = step_generator(0, 0, "noise")
    torch.rand(64, dtype=torch.float64, generator=noise)  # the times come first
    large = torch.randn(x0.shape, generator=noise)
    # Whatever stretch of the one lies beside the other: of 4,000 correlated pairs many would be nearly equal.
    few = eps.flatten()[:64]
    stretches = large.flatten().unfold(0, 64, 1)
    assert float((stretches - few).abs().mean(1).min()) > 0.3


class Seen(nn.Module):
    """A network that answers with what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Tensor = torch.empty(0)

    def forward(self, x: Tensor, noise_label: Tensor, cond: dict[str, Tensor]) -> Tensor:
        self.heard = cond[UPSCALING]
        return torch.cat([x[:, 2:], x[:, :2]], 1)  # the small picture where the answer is


def test_the_network_sees_every_pixel_as_a_block():
    inner = Seen()
    network, x = Upscaler(inner, 2, 2), torch.zeros(1, 2, 4, 2)
    small = torch.arange(4.0).reshape(1, 2, 2, 1)
    rows = torch.cat([small.flatten(1), torch.tensor([[0.5, 1.0]])], 1)
    answer = network(x, torch.zeros(1), {UPSCALING: rows})
    assert answer[0, 0].tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]
    assert answer[0, 1].tolist() == [[2, 2], [2, 2], [3, 3], [3, 3]]
    # said, 2 u - 1, and cos(pi k u) of u = 1/2
    assert torch.allclose(inner.heard, torch.tensor([[1.0, 0, 0, -1, 0, 1]]), atol=1e-6)
    nothing = network(x, torch.zeros(1), {UPSCALING: torch.zeros_like(rows)})
    assert torch.equal(nothing, network(x, torch.zeros(1))) and not nothing.any()
    assert inner.heard.tolist() == [[0.0] * LEVEL.features]
    with pytest.raises(ValueError, match="drawn from one of 1x2"):
        network(x, torch.zeros(1), {UPSCALING: torch.zeros(1, 9)})


def test_guidance_leads_neither_to_the_small_picture_nor_away(upscaler: Model):
    """Conditional and unconditional call hear the same of it."""
    heard: list[Tensor] = []
    hook = upscaler.denoiser.network.register_forward_pre_hook(
        lambda net, given: heard.append(given[2][UPSCALING])
    )
    enlarge(upscaler, pictures(), range(2), {"label": "warm"}, settings=upscaler.usual)
    hook.remove()
    assert len(heard) > 1 and all(torch.equal(rows, heard[0]) for rows in heard)


# --- runs ----------------------------------------------------------------------------------------


def test_a_model_to_start_from_is_taken_whole(tmp_path):
    """A new upscaler that is told nothing answers as the model that it starts from."""
    source = trained(tmp_path / "source")
    new = trained(tmp_path / "new", upscale=2, start_from=str(tmp_path / "source"), learning_rate=1e-12)
    start = new.config.start
    assert start is not None and start.taken / (start.taken + start.new) > 0.99
    x, t = torch.randn(2, 4, 16, 16), torch.tensor([0.01, 0.1], dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(new.denoiser(x, t), source.denoiser(x, t), atol=1e-5)


def test_means_of_blocks_are_kept_to_the_rounding(upscaler: Model):
    small = pictures(3)
    drawn = enlarge(upscaler, small, range(3)).rows
    assert drawn.shape == (3, 4, 16, 16)
    error = shrink(to_model(drawn), 2) - to_model(small)
    clipped = (drawn == 0) | (drawn == 255)
    whole = ~clipped.unflatten(3, (8, 2)).unflatten(2, (8, 2)).any(5).any(3)
    assert whole.any() and float(error[whole].abs().max()) < 1 / 127.5


def test_a_picture_says_how_to_make_it_again(upscaler: Model, tmp_path):
    asked = Enlarging({"a": pictures(1), "b": pictures(2)[1:]}, noise=0.3, seed=4)
    upscale_files(upscaler, asked, tmp_path / "out")
    for name in ("a", "b", "sheet"):
        assert not reproduce(tmp_path / "out" / f"{name}.png", str(upscaler.folder)).different
    preview = Path(str(upscaler.folder)) / "samples/preview.png"
    assert not reproduce(preview, str(upscaler.folder)).different


def test_pictures_of_two_sizes_are_drawn_alike_alone_and_together(upscaler: Model, tmp_path):
    large, small = pictures(1), pictures(1, 4)
    upscale_files(upscaler, Enlarging({"x": large, "y": small}), tmp_path / "both")
    upscale_files(upscaler, Enlarging({"y": small}), tmp_path / "one")
    together, alone = (Image.open(tmp_path / where / "y.png") for where in ("both", "one"))
    assert together.tobytes() == alone.tobytes() and together.size == (8, 8)
    assert not (tmp_path / "both/sheet.png").exists() and (tmp_path / "one/sheet.png").exists()


def test_a_cascade_is_one_folder(base: Model, upscaler: Model, tmp_path):
    save_cascade([base, upscaler], tmp_path / "both")
    stages = load_cascade(str(tmp_path / "both"))
    assert [stage.config.kind.shape[-1] for stage in stages] == [8, 16]
    assert load_cascade(str(base.folder))[0].hash == stages[0].hash
    drawn = draw_through(stages, range(3), {"label": "warm"}, noise=0.0)
    by_hand = enlarge(upscaler, base.sample(3, {"label": "warm"}).rows, range(3), {"label": "warm"})
    assert torch.equal(drawn.rows, by_hand.rows)
    assert drawn.made[0].condition == {"label": "warm"} and drawn.made[0].model == upscaler.hash


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["upscale", "{base}", "{picture}"],
            "this model draws without small pictures: train one with --upscale 2",
        ),
        (["upscale", "{up}", "nowhere.png"], "nowhere.png cannot be read"),
        (["upscale", "{up}", "empty"], "there is no picture in empty"),
        (["upscale", "{up}", "{picture}", "--noise", "2"], "--noise must be a number from 0 to 1, not 2"),
        (["sample", "{base}", "--then", "{base}"], "cannot come after another model"),
        (["sample", "{up}", "--then", "{up}"], "leads to 32 x 32"),
        (["cascade", "{base}", "--out", "c"], "at least two models"),
        (["cascade", "{base}", "{up}", "--out", "empty"], "empty is there already"),
        (["export", "{up}", "--to", "onnx", "--out", "x.onnx"], "cannot give a model the small pictures"),
        (["train", "{data}", "--size", "16", "--upscale", "3"], "multiples of 3, and the pictures are 16x16"),
        (
            ["train", "{data}", "--upscale", "2", "--preset", "ddgan"],
            "does not go with the adversarial loss",
        ),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    words: list[str], said: str, base: Model, upscaler: Model, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Image.new("RGBA", (8, 8)).save("picture.png")
    names = {"base": str(base.folder), "up": str(upscaler.folder), "picture": "picture.png"}
    names["data"] = str(Path(names["base"]).parent / "data")
    code, _, error = fogcatcher(*[word.format(**names) for word in words], capsys=capsys)
    assert code == 2 and said in error and len(error.splitlines()) == 1


def test_a_resumed_upscaler_is_an_unbroken_one(tmp_path):
    whole = trained(tmp_path / "whole", upscale=2, seed=3)

    def stop(progress: Progress) -> None:
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "part", upscale=2, seed=3, progress=stop)
    for _ in follow(resume(tmp_path / "part", str(tmp_path / "data"))):
        pass
    assert load(tmp_path / "part").hash == whole.hash


def test_a_student_of_an_upscaler_is_told_what_its_teacher_is(upscaler: Model, folder: Path, tmp_path):
    setup = DistillSetup(str(upscaler.folder), str(folder / "data"), tmp_path / "student", steps=2, updates=2)
    run = prepare_distillation(setup)
    assert run.teacher is not None
    heard: list[Tensor] = []

    def hear(network: nn.Module, given: tuple) -> None:
        heard.append(given[2][UPSCALING])

    hook = run.teacher.denoiser.network.register_forward_pre_hook(hear)
    for _ in follow(run):
        pass
    hook.remove()
    _, cond = run.batches.at(0, run.config.training.batch_size)
    assert heard and torch.equal(heard[0].cpu(), cond[UPSCALING])
    student = load(tmp_path / "student")
    drawn = enlarge(student, pictures(2), range(2))
    assert drawn.made[0].settings.steps == 2 and drawn.rows.shape == (2, 4, 16, 16)


def test_the_command_writes_what_the_library_draws(
    base: Model, upscaler: Model, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = [str(base.folder), "--then", str(upscaler.folder), "--then-noise", "0"]
    code, out, _ = fogcatcher(
        "sample", *names, "-n", "2", "--condition", "label=warm", "--out", "drawn", capsys=capsys
    )
    assert code == 0 and "2 pictures of 16x16 by 2 models" in out
    drawn = draw_through([base, upscaler], range(2), {"label": "warm"}, noise=0.0)
    assert Image.open("drawn/00000.png").tobytes() == drawn.images[0].tobytes()
    edit = read_file_recipe(Path("drawn/00000.png")).pictures[0].edit
    assert edit and edit["kind"] == "enlarge"
    code, out, _ = fogcatcher("upscale", names[2], "drawn", "--out", "larger", capsys=capsys)
    assert code == 0 and "(16x16 to 32x32" in out


def test_a_recipe_of_an_upscaler_is_refused_by_other_models(base: Model):
    with pytest.raises(UserError, match="2 times as large, and this model makes no small ones"):
        base.sample(2, edit=Enlarge(pictures(), 2))


def test_upscaling_is_for_pictures():
    with pytest.raises(UserError, match="these are signals"):
        upscaling_for(2, 0.5, (1, 64))
