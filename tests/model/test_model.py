"""A trained model as people hold it: saved, loaded, drawn from, seed by seed."""

from dataclasses import replace

import pytest
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.data.pictures.sheets import read_recipe
from fogcatcher.model.build import SAMPLERS, build_denoiser
from fogcatcher.model.model import load
from fogcatcher.model.presets import PRESETS
from tests.random_models import CONDITIONS, config, method_for, random_model, save


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if s != "annealed_langevin"])
@pytest.mark.slow
def test_a_seed_alone_is_that_seed_in_a_batch_of_64(sampler):
    model = random_model(method_for(sampler))
    batch = model.sample(64, sampler=sampler, steps=4)
    alone = model.sample(seeds=[37], sampler=sampler, steps=4)
    assert (batch.raw[37] - alone.raw[0]).abs().max().item() <= 1e-4
    assert (batch.pictures[37].int() - alone.pictures[0].int()).abs().max().item() <= 1
    assert batch.recipes[37] == {**alone.recipes[0], "batch": [37, 64]}
    assert not batch.raw[37].equal(batch.raw[36])


@pytest.mark.parametrize("method", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.slow
def test_every_method_draws_with_every_sampler(method, sampler):
    """Or says in a sentence what to do instead: six samplers ask for more than a denoiser."""
    steps = 2 if sampler == "annealed_langevin" else 4  # each of its steps is a hundred calls
    model, draw = random_model(method), lambda: model.sample(3, sampler=sampler, steps=steps)
    ends_without_signal = method.schedule in ("cosine", "flow")
    if (sampler == "ddgan") != bool(method.latents):
        said = (
            "ddgan: this needs a model with a latent" if sampler == "ddgan" else "in 4 steps of ddgan: leave"
        )
        with pytest.raises(UserError, match=said):
            draw()
        return
    if sampler == "ddpm_learned" and method.loss != "hybrid":
        with pytest.raises(
            UserError, match="ddpm_learned: this denoiser has not learned a variance: use ddpm or"
        ):
            draw()
        return
    if sampler in ("euler_maruyama", "annealed_langevin") and ends_without_signal:
        with pytest.raises(UserError, match=f"{sampler}: .*: use ddpm or dpmpp_2m_sde instead"):
            draw()
        return
    too_high = method.schedule in ("annotated", "course", "ve")
    if sampler in ("churn", "euler_churn") and too_high:
        with pytest.raises(UserError, match=f"{sampler}: churn would raise sigma / alpha .* set high to"):
            draw()
        return
    drawing = draw()
    assert drawing.pictures.shape == (3, 4, 12, 10) and bool(drawing.raw.isfinite().all())


def test_what_is_saved_is_what_is_loaded(tmp_path):
    model = random_model()
    loaded = load(save(model, tmp_path / "run"))
    assert loaded.config == model.config and loaded.conditions == model.conditions
    assert loaded.sample(2, steps=3).raw.equal(model.sample(2, steps=3).raw)
    assert len(loaded.hash) == 12


def test_wishes_classes_mixes_and_none():
    model = random_model()
    food = model.sample(4, {"kind": "food"}, steps=3).raw
    assert food.equal(model.sample(4, [{"kind": {"food": 1}}] * 4, steps=3).raw)
    assert not food.equal(model.sample(4, {"kind": {"food": 1, "hero": 0.6}}, steps=3).raw)
    said = [recipe["condition"] for recipe in model.sample(seeds=[0, 7, 8, 23, 24], steps=3).recipes]
    assert said == [{"kind": k} for k in ("hero", "hero", "food", "spell", "hero")]
    # Guidance 0 leaves the condition out altogether.
    unconditional = model.sample(4, {"kind": None}, steps=3).raw
    assert model.sample(4, {"kind": "food"}, guidance=0.0, steps=3).raw.equal(unconditional)


def test_wrong_wishes_name_the_valid_ones():
    model = random_model()
    with pytest.raises(UserError, match=r"unknown kind 'fod'\. Valid: hero, food, spell\. Did you mean food"):
        model.sample(1, {"kind": "fod"})
    with pytest.raises(UserError, match=r"unknown condition 'colour'\. Valid: kind"):
        model.sample(1, {"colour": "red"})
    with pytest.raises(UserError, match="unknown sampler 'dpm'"):
        model.sample(1, sampler="dpm")
    with pytest.raises(UserError, match="steps must be a whole number from 1 to 10,000"):
        model.sample(1, steps=0)
    with pytest.raises(UserError, match="setting of the ddim"):
        model.sample(1, eta=1.0)


def test_files_carry_their_recipe(tmp_path):
    drawing = random_model().sample(3, {"kind": "food"}, seeds=[4, 9, 11], steps=3, sampler="ddim", eta=0.5)
    paths = drawing.save(tmp_path, columns=2)
    assert [p.name for p in paths] == ["00004.png", "00009.png", "00011.png", "sheet.png"]
    recipe = read_recipe(tmp_path / "00009.png")
    assert recipe is not None
    expected = {"seed": 9, "sampler": "ddim", "steps": 3, "guidance": 2.0, "eta": 0.5, "model": "unsaved"}
    assert expected.items() <= recipe.items() and recipe["condition"] == {"kind": "food"}
    with Image.open(tmp_path / "00009.png") as image:
        assert image.mode == "RGBA" and image.size == (10, 12)
        assert image.tobytes() == drawing.images[1].tobytes()
    sheet = read_recipe(tmp_path / "sheet.png")
    assert sheet is not None and len(sheet["pictures"]) == 3  # type: ignore[arg-type]


def test_frames_end_at_the_pictures():
    drawing = random_model().sample(2, steps=5, keep_frames=True)
    assert len(drawing.frames) == 5 and drawing.frames[-1].equal(drawing.pictures)


def test_eps_without_any_signal_left_is_refused():
    with pytest.raises(UserError, match=r"predict v, x0 or edm"):
        build_denoiser(config(replace(PRESETS["v_cosine"], prediction="eps")), CONDITIONS)


def test_folders_without_a_model_are_refused_with_a_reason(tmp_path):
    with pytest.raises(UserError, match="no run directory"):
        load(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not a run directory"):
        load(tmp_path / "empty")
    run = save(random_model(), tmp_path / "run")
    whole = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(whole[:-50])
    with pytest.raises(UserError, match="damaged"):
        load(run)
    (run / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no checkpoint yet"):
        load(run)
    (run / "config.json").write_text((run / "config.json").read_text().replace('"format": 5', '"format": 9'))
    with pytest.raises(UserError, match="format 9"):
        load(run)
