"""Texts as conditions: the encoder that is trained along, and one that lies on the machine."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fogcatcher.base.errors import UserError
from fogcatcher.base.tensor_files import file_hash
from fogcatcher.data.conditions.conditions import ConditionSpec, Sentence, Text
from fogcatcher.data.conditions.encoded import SPARE_TOKENS, EncodedText
from fogcatcher.data.named_places import allow
from fogcatcher.diffusion.guidance import ClassifierFree
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.model import load
from fogcatcher.networks.blocks import CrossAttention
from fogcatcher.networks.embeddings import ConditionEmbedding, Vector
from fogcatcher.networks.sequences import Words, WordsEmbedding
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


def words_of_eight(folder: Path) -> None:
    """A tokenizer of eight tokens: [PAD] 0, [CLS] 2, [SEP] 3, red 5, dragon 6, hat 7."""
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    (folder / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "dragon", "hat"])
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)


@pytest.fixture
def encoder(tmp_path) -> str:
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    folder = tmp_path / "encoder"
    folder.mkdir()
    words_of_eight(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    transformers.BertModel(config).save_pretrained(folder, safe_serialization=True)
    return str(folder)


def test_a_sentence_model_of_this_machine(encoder: str):
    from transformers import BertModel

    allow(encoder)
    attribute = Sentence("text", encoder, 12, file_hash(Path(encoder) / "model.safetensors"))
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
        EncodedText.of("text", str(tmp_path / "nowhere"), ["red"])


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


def test_a_text_as_the_vectors_of_its_tokens(encoder: str):
    from transformers import BertModel

    attribute = EncodedText.of("text", encoder, ["red dragon", "red hat red"])
    assert (attribute.count, attribute.width, attribute.features) == (5 + SPARE_TOKENS, 12, 13 * 12)
    with torch.no_grad():
        ids = torch.tensor([[2, 5, 6, 3]])  # [CLS] red dragon [SEP]
        last = BertModel.from_pretrained(encoder).eval()(ids).last_hidden_state[0]
    rows = attribute.encode("red dragon").reshape(13, 12)
    torch.testing.assert_close(rows[:4], last, atol=1e-5, rtol=0)
    assert not rows[4:].any() and not attribute.encode(None).any()
    whole = attribute.encode("red " * 40).reshape(13, 12)
    assert (whole != 0).all()
    spec = ConditionSpec.from_json(json.loads(json.dumps(ConditionSpec((attribute,)).to_json())))
    assert spec.attributes == (attribute,)
    with pytest.raises(UserError, match="not the text encoder that this model was trained with"):
        replace(attribute, weights="0" * 12).encode("red")


@pytest.mark.parametrize("kind", ["clip", "t5"])
def test_the_part_of_clip_and_t5_that_reads(kind: str, tmp_path: Path):
    """Tiny ones, saved as their makers save them: with the part that sees, and the part that writes."""
    transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")
    torch.manual_seed(0)
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    if kind == "clip":
        text = {**small, "vocab_size": 8, "max_position_embeddings": 9, "bos_token_id": 2, "eos_token_id": 3}
        seen = {**small, "image_size": 8, "patch_size": 4}
        whole = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=seen))
        reads = whole.text_model
    else:
        sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2, "vocab_size": 8}
        whole = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes))
        reads = whole.encoder
    folder = str(tmp_path / "encoder")
    whole.save_pretrained(folder, safe_serialization=True)
    words_of_eight(Path(folder))
    attribute = EncodedText.of("caption", folder, ["red dragon"])
    with torch.no_grad():
        last = reads.eval()(torch.tensor([[2, 5, 6, 3]])).last_hidden_state[0]
    rows = attribute.encode("red dragon").reshape(attribute.count, 8)
    torch.testing.assert_close(rows[:4], last, atol=1e-5, rtol=0)
    padded = replace(attribute, count=6, padded=True).encode("red dragon").reshape(6, 8)
    with torch.no_grad():
        last = reads(torch.tensor([[2, 5, 6, 3, 0, 0]])).last_hidden_state[0]
    torch.testing.assert_close(padded, last, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("blind")
def test_a_run_with_a_text_encoder_of_this_machine(encoder: str, tmp_path):
    asked = Setup(
        captioned(tmp_path), tmp_path / "run", steps=2, width=16, augment="none", text_encoder=encoder
    )
    list(follow(prepare(asked)))
    model = load(tmp_path / "run")
    (attribute,) = model.conditions.attributes
    assert isinstance(attribute, EncodedText)
    assert attribute.encoder == encoder
    assert attribute.weights == file_hash(Path(encoder) / "model.safetensors")
    assert model.config.network.options == {"cross_attention": True}
    # The encoder learns nothing: none of its weights is among the model's.
    assert not any("embeddings" in name for name in model.denoiser.state_dict())
    asked_for, silent = (model.sample(2, wish, steps=2).pictures for wish in ({"caption": "red hat"}, {}))
    assert asked_for.shape == silent.shape == (2, 3, 16, 16)
