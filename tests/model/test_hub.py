"""Models on the Hugging Face Hub: what would be sent, and what is read from its cache; nothing is fetched."""

import errno
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from fogcatcher.base.errors import UserError
from fogcatcher.base.spare_cache import spare_cache
from fogcatcher.data.conditions.conditions import Category, ConditionSpec, Sentence
from fogcatcher.data.latents.spec import latents_of
from fogcatcher.model.autoencoder_files import load_autoencoder
from fogcatcher.model.build import build_denoiser
from fogcatcher.model.config import read_config, write_json
from fogcatcher.model.hub import fetch, push_to_hub
from fogcatcher.model.model import Model, load
from fogcatcher.model.privacy import last_name, public_config
from tests.latent_models import small_stage
from tests.random_models import CONDITIONS, config, random_model, save

hub = pytest.importorskip("huggingface_hub", reason="needs the extra 'hub'")
errors = pytest.importorskip("huggingface_hub.errors", reason="needs the extra 'hub'")
constants = pytest.importorskip("huggingface_hub.constants", reason="needs the extra 'hub'")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = """# mine

Draw with it:

    model = fogcatcher.load("/home/somebody/runs/my dogs")

Conditions:

- `kind`: hero, food, spell
"""


@pytest.fixture
def run(tmp_path):
    """A folder as training leaves it, with much that is nobody else's business."""
    folder = save(random_model(), tmp_path / "run")
    tree = json.loads((folder / "config.json").read_text())
    tree["data"]["path"] = "/home/somebody/pictures/my dogs/"
    write_json(folder / "config.json", tree)
    (folder / "README.md").write_text(CARD)
    (folder / "data_report.json").write_text('{"held_out": ["aunt-mary.png"]}')
    for name in ("metrics.jsonl", "checks.jsonl", "best.safetensors", "notes.txt"):
        (folder / name).write_text("aunt-mary.png")
    (folder / "state").mkdir()
    (folder / "state" / "step-10.safetensors").write_text("aunt-mary.png")
    (folder / "samples").mkdir()
    Image.new("RGB", (4, 4)).save(folder / "samples" / "preview.png")
    Image.new("RGB", (4, 4)).save(folder / "samples" / "step-000000010.png")
    return folder


@pytest.fixture
def calls(monkeypatch):
    """What would be told to the Hub."""
    calls: list[tuple[str, object]] = []

    class FakeApi:
        public = False

        def __init__(self, token=None):
            calls.append(("token", token))

        def create_repo(self, repo_id, private=None, exist_ok=False):
            calls.append(("create", (repo_id, private, exist_ok)))
            return f"https://huggingface.co/{repo_id}"

        def model_info(self, repo_id):
            return SimpleNamespace(private=not self.public)

        def create_commit(self, repo_id, operations, commit_message):
            files = {}
            for operation in operations:
                assert isinstance(operation, hub.CommitOperationAdd)
                with operation.as_file() as file:
                    files[operation.path_in_repo] = file.read()
            calls.append(("commit", (repo_id, files)))

    monkeypatch.setattr(hub, "HfApi", FakeApi)
    return calls


def test_only_the_model_is_sent(run, calls):
    address = push_to_hub(run, "somebody/dogs", token="secret", private=True)
    assert address == "https://huggingface.co/somebody/dogs"
    assert calls[0] == ("token", "secret") and calls[1] == ("create", ("somebody/dogs", True, True))
    (what, (repo, files)) = calls[2]
    assert (what, repo, len(calls)) == ("commit", "somebody/dogs", 3)
    kept = {"model.safetensors", "samples/preview.png"}
    assert set(files) == {*kept, "config.json", "conditions.json", "README.md"}
    for name in kept:
        assert files[name] == (run / name).read_bytes()
    assert not any(b"/home" in content or b"aunt-mary" in content for content in files.values())
    before = json.loads((run / "config.json").read_text())
    before["data"]["path"] = "my dogs"
    assert json.loads(files["config.json"]) == before
    assert json.loads(files["conditions.json"]) == CONDITIONS.to_json()
    head, _, card = files["README.md"].decode().removeprefix("---\n").partition("---\n\n")
    assert head.startswith("library_name: fogcatcher\n")
    assert card == CARD.replace("/home/somebody/runs/my dogs", "hub:somebody/dogs")


def test_what_was_sent_is_a_model_again(run, calls, tmp_path):
    push_to_hub(run, "somebody/dogs")
    there = tmp_path / "there"
    for name, content in calls[2][1][1].items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(content)
    assert load(there).sample(2, steps=3).pictures.equal(load(run).sample(2, steps=3).pictures)


def test_a_model_of_latents_goes_with_its_autoencoder(tmp_path, calls):
    stage = load_autoencoder(small_stage(tmp_path / "stage"))
    rows = torch.randint(0, 256, (9, 4, 10, 12), dtype=torch.uint8)
    asked = replace(config(), kind=latents_of(stage, stage.pictures, rows, "chance"))
    made = Model(build_denoiser(asked, CONDITIONS), asked, CONDITIONS)
    made.save(tmp_path / "run")
    push_to_hub(tmp_path / "run", "somebody/dogs")
    there = tmp_path / "there"
    for name, content in calls[2][1][1].items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(content)
    assert load(there).sample(2, steps=2).pictures.equal(made.sample(2, steps=2).pictures)


def test_the_folder_of_a_text_encoder_is_not_sent(tmp_path, calls):
    spec = ConditionSpec(
        (Sentence("prompt", "/home/somebody/encoders/mini", 8, "0"), Category("kind", ("a",)))
    )
    push_to_hub(
        save(Model(build_denoiser(config(), spec), config(), spec), tmp_path / "run"), "somebody/dogs"
    )
    files = calls[2][1][1]
    assert set(files) == {"model.safetensors", "config.json", "conditions.json", "README.md"}
    assert b"encoders" not in files["README.md"]
    assert [row.get("encoder") for row in json.loads(files["conditions.json"])] == ["mini", None]


@pytest.mark.parametrize(
    "path, name",
    [
        ("sprites", "sprites"),
        ("/home/somebody/dogs/", "dogs"),
        ("C:\\Users\\Some Body\\dogs.zip", "dogs.zip"),
        ("hub:somebody/dogs:train", "dogs:train"),
        ("/", ""),
    ],
)
def test_only_the_last_name_of_a_path_is_public(path, name):
    assert last_name(path) == name
    assert public_config({"format": 2, "data": {"path": path, "pictures": 3}}) == {
        "format": 2,
        "data": {"path": name, "pictures": 3},
    }


def test_a_public_repository_does_not_get_what_is_private(run, calls, monkeypatch):
    monkeypatch.setattr(hub.HfApi, "public", True)
    with pytest.raises(UserError, match="somebody/dogs is already there for all to see"):
        push_to_hub(run, "somebody/dogs", private=True)
    assert not [content for what, content in calls if what == "commit"]


def test_a_folder_without_a_model_is_not_sent(run, calls, tmp_path):
    with pytest.raises(UserError, match="is not a run directory"):
        push_to_hub(tmp_path, "somebody/dogs")
    (run / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has no model\.safetensors yet: train it first, or wait"):
        push_to_hub(run, "somebody/dogs")
    assert calls == []


@pytest.fixture
def cache(run, tmp_path, monkeypatch):
    """The cache of the library, with what it fetched of somebody/dogs; the network is off (conftest.py)."""
    folder = tmp_path / "hub" / "models--somebody--dogs"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "blobs").mkdir()
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for i, name in enumerate(("model.safetensors", "config.json", "conditions.json", "README.md")):
        (folder / "blobs" / str(i)).write_bytes((run / name).read_bytes())
        (snapshot / name).symlink_to(f"../../blobs/{i}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_without_a_network_the_cache_serves(cache, run, revision):
    folder = fetch("somebody/dogs", revision)
    assert folder.resolve() == cache.resolve()
    there, here = load(folder).denoiser.state_dict(), load(run).denoiser.state_dict()
    assert all(torch.equal(there[name], here[name]) for name in here)
    assert read_config(folder)[1] == CONDITIONS


def test_nothing_is_asked_for_that_could_run(cache, monkeypatch):
    asked = []

    def snapshot_download(repo, *, revision, allow_patterns):
        asked.append((repo, revision, sorted(allow_patterns)))
        return str(cache)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    fetch("somebody/dogs", "v2")
    beside = ["autoencoder/autoencoder.json", "autoencoder/autoencoder.safetensors"]
    names = ["README.md", *beside, "conditions.json", "config.json", "model.safetensors"]
    assert asked == [("somebody/dogs", "v2", names)]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "conditions.json"])
def test_a_repository_of_something_else(cache, name):
    (cache / name).unlink()
    with pytest.raises(UserError, match=f"somebody/dogs holds no model of fogcatcher: it has no {name}"):
        fetch("somebody/dogs")


def test_offline_and_never_fetched(cache):
    with pytest.raises(UserError, match="cannot be reached, and somebody/cats was not fetched before"):
        fetch("somebody/cats")
    with pytest.raises(UserError, match="cannot be reached, and somebody/dogs was not fetched before"):
        fetch("somebody/dogs", "v2")


@pytest.mark.parametrize(
    "kind, said",
    [
        ("RepositoryNotFoundError", "there is no somebody/dogs on the Hub, or you may not see it"),
        ("GatedRepoError", "there is no somebody/dogs on the Hub, or you may not see it"),
        ("RevisionNotFoundError", "somebody/dogs has no such revision"),
        ("OfflineModeIsEnabled", "the Hub cannot be reached"),
        ("HfHubHTTPError", r"did not take or give somebody/dogs \(401 says the server\)"),
    ],
)
def test_what_the_hub_says_is_put_in_a_sentence(run, calls, monkeypatch, kind, said):
    cls = getattr(errors, kind)
    error = cls.__new__(cls)
    error.args = ("401 says the server\nand much more",)

    def fail(*args: object, **options: object):
        raise error

    monkeypatch.setattr(hub, "snapshot_download", fail)
    monkeypatch.setattr(hub.HfApi, "create_commit", fail)
    for act in (lambda: fetch("somebody/dogs"), lambda: push_to_hub(run, "somebody/dogs")):
        with pytest.raises(UserError, match=said):
            act()


@pytest.mark.parametrize(
    "name", ["dogs", "a/b/c", "../dogs", "some body/dogs", "somebody/", "/dogs", "a/b--c", ""]
)
def test_names_that_cannot_be(run, calls, name):
    for act in (lambda: fetch(name), lambda: push_to_hub(run, name)):
        with pytest.raises(UserError, match="is no name of a model on the Hub: give user/name"):
            act()
    assert calls == []


def test_without_the_library_the_extra_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for act in (lambda: fetch("somebody/dogs"), lambda: push_to_hub(run, "somebody/dogs")):
        with pytest.raises(UserError, match=r"pip install 'fogcatcher\[hub\]'"):
            act()


def test_a_cache_that_cannot_be_written_is_replaced_for_now(cache, monkeypatch):
    folders = []

    def snapshot_download(repo, *, revision, allow_patterns, cache_dir=None):
        folders.append(cache_dir)
        if cache_dir is None:
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", "/somewhere/hub")
        return str(cache)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    spare_cache.cache_clear()
    with pytest.warns(UserWarning, match="not kept for the next time"):
        assert fetch("somebody/dogs") == cache
    assert folders == [None, str(spare_cache())] and spare_cache().is_dir()
