"""Models that are kept by content: trained once, again when something that decides has changed or a file is damaged."""

import numpy as np
import pytest

from locmethods.companion import checkpoints, trained
from locmethods.companion.build.imports import Modules
from locmethods.kernels import Cauchy
from locmethods.transformer import CharacterModel

pytestmark = pytest.mark.filterwarnings("ignore:after . steps:sklearn.exceptions.ConvergenceWarning")
SMALL = {"context": 8, "n_features": 8, "n_heads": 2, "n_layers": 1, "n_hidden": 8, "steps": 2}
TEXT = "to be or not to be, that is the question. "


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """Keep models in a folder of the test, and return the list of what has been trained."""
    done, train_one = [], checkpoints.train_one

    def noted(model, text, by_torch, file):
        done.append((model.random_state, by_torch))
        return train_one(model, text, by_torch, file)

    monkeypatch.setattr(checkpoints, "folder", lambda: tmp_path)
    monkeypatch.setattr(checkpoints, "train_one", noted)
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)  # in this process, where the list is
    return done


def test_what_is_asked_for_twice_is_trained_once(counted, tmp_path):
    models = {seed: CharacterModel(**SMALL, random_state=seed) for seed in (0, 1)}
    first, again = trained(models, TEXT), trained(models, TEXT)
    assert counted == [(0, False), (1, False)] and list(again) == [0, 1] and not hasattr(models[0], "network_")
    for seed in (0, 1):
        right = CharacterModel(**SMALL, random_state=seed).fit(TEXT)
        for found in (first[seed], again[seed]):
            assert np.array_equal(found.losses_, right.losses_)
            assert np.array_equal(found.logits("to be"), right.logits("to be"))
    trained({0: models[0], 7: CharacterModel(Cauchy(1.0), **SMALL)}, TEXT)
    trained({0: models[0]}, TEXT + "!")
    assert counted[2:] == [(0, False), (0, False)] and len(list(tmp_path.iterdir())) == 4


def test_a_damaged_file_is_trained_again(counted, tmp_path):
    model = {"one": CharacterModel(**SMALL)}
    first = trained(model, TEXT)["one"]
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-20], b"", whole[:-4] + bytes(4)):
        file.write_bytes(damaged)
        assert np.array_equal(trained(model, TEXT)["one"].losses_, first.losses_)
    assert len(counted) == 4 and checkpoints.kept(file) is not None


def test_torchs_encoder_gives_its_weights(counted):
    models = {"one": CharacterModel(**SMALL | {"steps": 8})}
    ours, theirs, kept = trained(models, TEXT), trained(models, TEXT, by_torch=True), trained(models, TEXT,
                                                                                             by_torch=True)
    assert counted == [(0, False), (0, True)]
    # Eight steps by other sums: rounding of single precision.
    assert theirs["one"].losses_ == pytest.approx(ours["one"].losses_, abs=1e-5)
    assert theirs["one"].logits("to be") == pytest.approx(ours["one"].logits("to be"), abs=1e-3)
    assert np.array_equal(kept["one"].logits("to be"), theirs["one"].logits("to be"))


def test_a_name_is_made_of_all_that_decides():
    def name(model, text=TEXT, by_torch=False, sources="x = 1"):
        return checkpoints.name_of(model, text, by_torch, sources)

    model = CharacterModel(**SMALL)
    names = [name(model), name(CharacterModel(Cauchy(1.0), **SMALL)), name(CharacterModel(Cauchy(2.0), **SMALL)),
             name(CharacterModel(**SMALL, random_state=1)), name(model, text="to be"), name(model, by_torch=True),
             name(model, sources="x = 2")]
    assert len(set(names)) == len(names)
    assert name(CharacterModel(**SMALL, verbose=5)) == names[0]


def test_words_about_code_do_not_decide():
    code = '"""Words."""\n\n\ndef double(x):\n    """Other words."""\n    return 2 * x  # why\n'
    assert checkpoints.code_of(code) == checkpoints.code_of(code.replace("ords", "OrDs").replace("why", "how"))
    assert checkpoints.code_of(code) != checkpoints.code_of(code.replace("2", "3"))
    reached = checkpoints.sources_that_matter()
    assert "def train(" in reached and "class MultiHeadLocalMean" in reached and "class Cauchy" in reached


def test_what_decides_is_what_the_model_imports():
    """Of its own folder and of the kernels: all that is imported at the heads of modules, one after the other."""
    modules, folder = Modules(checkpoints.ROOT), "locmethods.transformer"
    todo, found = {f"{folder}.characters"}, set()
    while todo:
        module = todo.pop()
        found.add(module)
        heads = {one for one in modules.imported(modules.tree(module), module) if one.startswith(f"{folder}.")}
        todo |= heads - found
    matters = {file.relative_to(checkpoints.ROOT).with_suffix("").as_posix().replace("/", ".")
               for file in checkpoints.files_that_matter()}
    assert found == {one for one in matters if one.startswith(folder)}
    assert modules.below("locmethods.kernels") == {one.removesuffix(".__init__") for one in matters
                                                   if one.startswith("locmethods.kernels")}


def test_nothing_is_kept_outside_of_a_clone(monkeypatch, tmp_path):
    assert checkpoints.folder().name == "checkpoints"
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    assert checkpoints.folder() is None
