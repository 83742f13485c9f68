"""Texts as conditions: the encoder that is trained along, and one that lies on the machine."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.data.conditions.conditions import ConditionSpec, Sentence, Text
from fogcatcher.data.named_places import allow
from fogcatcher.diffusion.guidance import ClassifierFree
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.model import load
from fogcatcher.networks.blocks import CrossAttention
from fogcatcher.networks.embeddings import ConditionEmbedding, Vector, Words, WordsEmbedding
from fogcatcher.runs.follow import follow
from fogcatcher.runs.prepare import prepare, resume
from fogcatcher.runs.setup import Setup
from tests.small_trainings import save_pictures


@pytest.fixture
def blind(monkeypatch):
    """No previews and no checks, which take longer than these trainings."""
    monkeypatch.setattr("fogcatcher.runs.previews.Preview.add", lambda *arguments: None)
    monkeypatch.setattr("fogcatcher.runs.record.Record._has_time_to_check", lambda *arguments: False)


def test_padding_is_not_read():
    """The same words embed the same whatever the length they are padded to; no words embed to zero."""
    torch.manual_seed(0)
    embedding = WordsEmbedding(24, vocabulary=9)
    words = torch.tensor([[3.0, 5, 2]])
    padded = torch.nn.functional.pad(words, (0, 7))
    torch.testing.assert_close(embedding(padded), embedding(words))
    assert not embedding(torch.zeros(2, 10)).any()
    # Nor does a neighbour in the batch matter.
    both = torch.cat([padded, torch.tensor([[1.0, 2, 3, 4, 5, 6, 7, 8, 1, 2]])])
    torch.testing.assert_close(embedding(both)[:1], embedding(words))


def test_the_order_of_words_matters():
    torch.manual_seed(0)
    embedding = WordsEmbedding(24, vocabulary=9)
    with torch.no_grad():
        embedding.places.normal_()
    one, other = embedding(torch.tensor([[2.0, 3, 4], [4.0, 3, 2]]))
    assert (one - other).abs().max() > 1e-3


def test_silent_text_adds_nothing():
    torch.manual_seed(0)
    embedding = ConditionEmbedding(16, {"text": Words(9)})
    assert not embedding({"text": torch.zeros(3, 5)}, torch.zeros(3, 16)).any()


@pytest.mark.slow
def test_words_are_learnt_from_pictures(tmp_path):
    """Red squares and blue squares, told apart by captions alone: what is asked for is drawn."""
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    pictures, captions = np.zeros((200, 8, 8, 3), np.uint8), []
    for i in range(200):
        colour = ("red", "blue")[i % 2]
        pictures[i] = rng.integers(0, 40, (8, 8, 3))
        pictures[i, :, :, 0 if colour == "red" else 2] += 200
        captions.append(f"a {('small', 'nice', 'plain')[i % 3]} {colour} square")
    np.savez(tmp_path / "data" / "a.npz", pictures=pictures, text=np.array(captions))
    run = prepare(Setup(str(tmp_path / "data"), tmp_path / "run", steps=150, width=16, augment="none"))
    assert isinstance(run.conditions.attributes[0], Text)
    list(follow(run))
    for colour, channel in (("red", 0), ("blue", 2)):
        drawn = run.model.sample(8, {"text": f"a square, {colour}"}, steps=8).pictures.float().mean((2, 3))
        assert (drawn.argmax(1) == channel).all()


@pytest.fixture
def encoder(tmp_path) -> str:
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "dragon", "hat"])
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(folder, safe_serialization=True)
    return str(folder)


def test_a_sentence_model_of_this_machine(encoder: str):
    from transformers import BertModel

    attribute = Sentence.of("text", encoder)
    with torch.no_grad():
        ids = torch.tensor([[2, 5, 6, 3]])  # [CLS] red dragon [SEP]
        mean = BertModel.from_pretrained(encoder).eval()(ids).last_hidden_state[0].mean(0)
    torch.testing.assert_close(
        attribute.encode("red dragon"), mean / mean.norm() * 12**0.5, atol=1e-5, rtol=0
    )
    assert not attribute.encode(None).any()
    spec = ConditionSpec.from_json(json.loads(json.dumps(ConditionSpec((attribute,)).to_json())))
    assert spec.attributes == (attribute,)


def test_another_encoder_is_refused(encoder: str, tmp_path):
    attribute = Sentence("text", encoder, 12, "0" * 12)
    allow(encoder)
    with pytest.raises(UserError, match="not the text encoder that this model was trained with"):
        attribute.encode("red")
    with pytest.raises(UserError, match=r"no text encoder: it has no model.safetensors"):
        Sentence.of("text", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(("count", "length"), [(2, 1.0), (300, 1.0), (384, 384**0.5)])
def test_before_training_every_condition_is_about_as_loud(count: int, length: float):
    """One of 2 or of 300 classes, or a long vector of a sentence: deviation 1/2 in each channel."""
    layer = ConditionEmbedding(4096, {"kind": Vector(count, length)})
    code = torch.zeros(1, count)
    code[0, 0] = length
    said = layer({"kind": code}, torch.zeros(1, 4096))
    assert said.std().item() == pytest.approx(0.5, rel=0.05)


def captioned(folder: Path, count: int = 16) -> str:
    rng, folder = np.random.default_rng(0), folder / "captioned"
    folder.mkdir()
    pictures = rng.integers(0, 255, (count, 16, 16, 3)).astype(np.uint8)
    captions = [f"{('red', 'blue')[i % 2]} {('dragon', 'hat', 'tree')[i % 3]}" for i in range(count)]
    np.savez(folder / "a.npz", pictures=pictures, caption=np.array(captions))
    return str(folder)


@pytest.mark.parametrize("network", ["small", "transformer", "iddpm"])
def test_a_new_run_looks_at_words_and_says_so(tmp_path, network: str):
    """A config without the choice, as those of before, pools."""
    width = {"small": 16, "transformer": 64, "iddpm": 32}[network]
    asked = Setup(
        captioned(tmp_path), tmp_path / "run", steps=4, network=network, width=width, augment="none"
    )
    run = prepare(asked)
    assert run.config.network.options == {"cross_attention": True}
    looks = {name for name in run.state.denoiser.state_dict() if ".words.out." in name}
    assert looks
    before = replace(run.config, network=replace(run.config.network, options={}))
    pooled = build_denoiser(before, run.conditions).state_dict().keys()
    assert pooled == {
        name
        for name in run.state.denoiser.state_dict()
        if (".words." not in name or ".tables." in name) and not name.endswith("no_word")
    }
    chosen = prepare(replace(asked, network_options={"cross_attention": False}))
    assert chosen.state.denoiser.state_dict().keys() == pooled


def test_without_texts_nothing_is_looked_at(tmp_path):
    save_pictures(tmp_path / "data", 8)
    assert prepare(Setup(str(tmp_path / "data"), tmp_path / "run", steps=2)).config.network.options == {}


@pytest.mark.usefixtures("blind")
def test_a_text_model_goes_on_bit_for_bit_and_is_guided(tmp_path):
    asked = Setup(captioned(tmp_path), tmp_path / "whole", steps=8, width=16, augment="none", batch_size=4)
    list(follow(prepare(asked)))
    parted = prepare(replace(asked, out=tmp_path / "parted"))
    steps = follow(parted)
    for _ in range(5):
        next(steps)
    steps.close()
    list(follow(resume(tmp_path / "parted", asked.data)))
    whole, parts = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "parted"))
    assert whole.keys() == parts.keys()
    assert all(whole[name].equal(parts[name]) for name in whole)

    model = load(tmp_path / "parted")
    drawn = {
        w: model.sample(2, {"caption": "red hat"}, guidance=w, steps=3).pictures for w in (0.0, 1.0, 3.0)
    }
    assert drawn[0.0].equal(model.sample(2, steps=3).pictures)
    x, t = torch.randn(2, 3, 16, 16), torch.full((2,), 0.4, dtype=torch.float64)
    one, other = (model.conditions.encode([{"caption": said}] * 2) for said in ("red hat", "blue tree"))
    with torch.no_grad():
        for layer in model.denoiser.modules():
            if isinstance(layer, CrossAttention):
                torch.nn.init.normal_(layer.out.get_parameter("weight"))
        cond, negative = (model.denoiser(x, t, said) for said in (one, other))
        guided = ClassifierFree(model.denoiser, 3.0, other)(x, t, one)
    torch.testing.assert_close(guided, negative + 3 * (cond - negative), atol=1e-4, rtol=1e-4)
