"""The character model: its network in NumPy, losses by a slow loop, counts by hand, files that come back whole."""

import json
import math
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from locmethods.companion.expected import characters as expected
from locmethods.kernels import Cauchy, Epanechnikov, Gaussian
from locmethods.transformer import (
    CharacterModel,
    CharacterTable,
    FeatureKernel,
    induction_scores,
    positive_features,
    train,
)
from locmethods.transformer.characters import CharacterNetwork
from locmethods.transformer.checkpoints import as_words
from locmethods.transformer.training import rate, token_losses

# A step or two are enough for what is asked here, and learn nothing.
pytestmark = pytest.mark.filterwarnings("ignore:after . steps:sklearn.exceptions.ConvergenceWarning")
SMALL = {"context": 12, "n_features": 16, "n_heads": 2, "n_layers": 2, "n_hidden": 24}
# A head has 8 features; the kernels in NumPy are `kernels_by_hand(8)`.
KERNELS = {"exponential": None, "Gaussian": Gaussian(8**0.25), "Cauchy": Cauchy(8**0.25),
           "Epanechnikov": Epanechnikov(3 * 8**0.5), "positive linear": FeatureKernel(positive_features)}
VERSE = "the cat sat on the mat and the rat sat on the cat that sat on the hat. " * 6


def words(seed, n=400):
    """Return a text of few characters in which two characters decide what follows."""
    rng = np.random.default_rng(seed)
    return "".join("abcde"[code] for code in rng.integers(5, size=n))


def shaken(model, seed):
    """Return a fitted model whose every weight has been moved at random: nothing is zero, or as it began."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in model.network_.parameters():
            one += 0.1 * torch.randn(one.shape, generator=generator)
    return model


@pytest.fixture(scope="module")
def learned():
    return CharacterModel(**SMALL, steps=100, learning_rate=1e-2).fit(VERSE)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_network_is_what_numpy_makes_of_its_formula(name, seed):
    text = words(seed)
    model = shaken(CharacterModel(KERNELS[name], **SMALL, steps=1).fit(text), seed)
    codes = np.array(["abcde".index(one) for one in text[:12]])
    seen = []
    right = expected.network_logits(expected.arrays_of(model.network_), codes, expected.kernels_by_hand(8)[name],
                                    n_heads=2, seen=seen)
    # Two levels in single precision, some twenty roundings of 6e-8 one upon another.
    assert np.abs(model.logits(text[:12]) - right).max() < 2e-5 * np.abs(right).max()
    model.network_.double()
    assert np.abs(model.logits(text[:12]) - right).max() < 1e-11 * np.abs(right).max()
    assert np.abs(model.attention(text[:12]) - np.reshape(seen, (2, 2, 12, 12))).max() < 1e-11


@pytest.mark.parametrize("name", KERNELS)
def test_no_output_depends_on_what_comes_later(name):
    model = shaken(CharacterModel(KERNELS[name], **SMALL, steps=1).fit(words(3)), 3)
    one, other = model.logits("abcdeabcde"), model.logits("abcdedddac")
    assert np.abs(one[:5] - other[:5]).max() < 1e-5  # sums of another length are ordered otherwise
    assert np.abs(one[5:] - other[5:]).max(1).min() > 1e-2


def test_losses_are_those_of_windows_one_by_one():
    text = words(1, n=75)
    model = shaken(CharacterModel(**SMALL, steps=1).fit(text), 1)
    losses = model.losses(text)
    assert losses.shape == (74,) and model.score(text) == -losses.mean()
    first = 0
    for begin in [*range(0, 63, 6), 62]:  # by half a context; the last window ends with the text
        logits = model.logits(text[begin:begin + 12]).astype(float)
        found = np.log(np.exp(logits).sum(1)) - logits[range(12), ["abcde".index(one) for one in
                                                                   text[begin + 1:begin + 13]]]
        end = begin + 12
        assert losses[first:end] == pytest.approx(found[first - begin:], abs=1e-5)  # rounding of single precision
        first = end
    assert model.losses("ab") == pytest.approx(model.losses("abc")[:1], abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 12, 13, 14, 18, 19, 25, 30])
def test_every_character_has_a_loss_whatever_the_length(n):
    text = words(2)
    model = CharacterModel(**SMALL, steps=1).fit(text)
    assert model.losses(text[:n]).shape == (n - 1,)


def test_an_untrained_network_says_that_all_are_alike():
    network = CharacterNetwork(7, 12, 16, 2, 2, 24)
    losses = token_losses(network, torch.arange(40) % 7, 12)
    assert losses == pytest.approx(math.log(7), abs=1e-15)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.one_in(3)
def test_training_finds_what_a_pair_decides_and_no_single_character_does(seed):
    # The sum of the last two characters, modulo 3, is the next one, save in one of ten cases.
    rng = np.random.default_rng(seed)
    codes = [0, 1]
    for draw in rng.random(3000):
        codes.append((codes[-1] + codes[-2]) % 3 if draw < 0.9 else int(rng.integers(3)))
    text = "".join("xyz"[code] for code in codes)
    model = CharacterModel(**SMALL | {"n_layers": 1}, steps=200, learning_rate=1e-2, random_state=seed).fit(text[:2000])
    entropy = -(0.9 + 0.1 / 3) * math.log(0.9 + 0.1 / 3) - 2 * (0.1 / 3) * math.log(0.1 / 3)  # 0.29 nats
    # A thousand characters, whose losses have the standard deviation 0.8 or so: three errors and what is not learned.
    assert entropy - 0.1 < -model.score(text[2000:]) < entropy + 0.2 < 1.0 < math.log(3)
    assert CharacterTable(1).fit(text[:2000]).score(text[2000:]) < -1.0
    assert CharacterTable(2).fit(text[:2000]).score(text[2000:]) > -entropy - 0.1


def test_training_is_the_same_twice_and_leaves_the_callers_generator_alone(learned):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again = clone(learned).fit(VERSE)
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(learned.losses_, again.losses_) and learned.n_iter_ == 100
    assert all(torch.equal(one, other) for one, other in zip(learned.network_.state_dict().values(),
                                                             again.network_.state_dict().values(), strict=True))
    other = clone(learned).set_params(random_state=1, steps=3).fit(VERSE)
    assert not np.array_equal(other.losses_[1:], learned.losses_[1:3])


def test_positions_of_each_kind():
    learned, fixed, none = (CharacterNetwork(5, 12, 16, 2, 1, 8, positions=kind)
                            for kind in ("learned", "decay", "none"))
    lag = np.arange(12)
    for network in (learned, fixed):
        assert network.lags.detach().numpy() == pytest.approx(np.stack([-lag, -lag / 4]))
    assert not none.lags.any() and learned.lags.requires_grad and not (fixed.lags.requires_grad
                                                                       or none.lags.requires_grad)


def test_torchs_encoder_in_the_levels_place_learns_the_same():
    from torch import nn

    model = CharacterModel(**SMALL, steps=20, learning_rate=1e-2).fit(VERSE)
    start = clone(model).set_params(steps=1)
    start.characters_ = model.characters_
    layer = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16), enable_nested_tensor=False)
    ours = start.new_network()
    peer = CharacterNetwork(len(model.characters_), 12, 16, 2, 2, 24, levels=encoder)
    peer.load_state_dict(ours.state_dict())
    theirs = clone(model).fit(VERSE, network=peer)
    # The same weights, windows and steps, by other sums: rounding grows a little in twenty steps.
    assert theirs.losses_ == pytest.approx(model.losses_, abs=1e-4)


def test_samples_are_drawn_from_the_softmax(learned):
    text = learned.sample(60, "the cat ", temperature=0.7, seed=3)
    assert text == learned.sample(60, "the cat ", temperature=0.7, seed=3) != learned.sample(60, "the cat ", seed=4)
    seen, draws = "the cat ", np.random.default_rng(3).random(60)
    for draw in draws:
        logits = learned.logits(seen[-12:])[-1].astype(float) / 0.7
        share = np.exp(logits - logits.max())
        seen += learned.characters_[int(np.searchsorted(np.cumsum(share / share.sum()), draw))]
    assert text == seen[8:]
    cold = learned.sample(30, "the cat ", temperature=1e-3)
    seen = "the cat "
    for _ in range(30):
        seen += learned.characters_[int(learned.logits(seen[-12:])[-1].argmax())]
    assert cold == seen[8:] and learned.sample(0, "a") == ""


def test_a_file_brings_the_model_back(learned, tmp_path):
    from sklearn.utils.validation import check_is_fitted

    for number, kernel in enumerate([None, Cauchy(2.0), [Epanechnikov(9.0), FeatureKernel(positive_features)]]):
        model = CharacterModel(kernel, **SMALL, steps=2).fit(VERSE)
        model.save(tmp_path / f"{number}.safetensors")
        back = CharacterModel.load(tmp_path / f"{number}.safetensors")
        check_is_fitted(back)
        assert np.array_equal(back.logits(VERSE[:12]), model.logits(VERSE[:12]))
        assert np.array_equal(back.losses_, model.losses_) and back.characters_ == model.characters_
        assert (back.n_iter_, back.n_parameters_) == (2, model.n_parameters_)
        assert repr(back.get_params()) == repr(model.get_params())
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n}.safetensors" for n in range(3)]


def test_a_file_that_is_not_whole_says_so(learned, tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "one.safetensors"
    with pytest.raises(FileNotFoundError, match=re.escape("there is no file one.safetensors")):
        CharacterModel.load(path)
    learned.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match=r"one\.safetensors is damaged: "):
        CharacterModel.load(path)
    path.write_bytes(whole[:-100] + bytes(100))
    with pytest.raises(ValueError, match=re.escape("one.safetensors is damaged: its content is not what its checksum "
                                                   "says")):
        CharacterModel.load(path)
    save_file({"x": np.zeros(2)}, path)
    with pytest.raises(ValueError, match=re.escape("one.safetensors must be a file of locmethods.transformer of "
                                                   "version 1, got None of version None")):
        CharacterModel.load(path)


def test_a_file_holds_the_packages_kernels_only(learned, tmp_path):
    model = CharacterModel(Gaussian(1.0) * Cauchy(1.0), **SMALL, steps=1).fit(VERSE)
    message = ("a file can hold a kernel of locmethods whose parameters are numbers or positive_features, got "
               "Gaussian(bandwidth=1.0) * Cauchy(bandwidth=1.0)")
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        model.save(tmp_path / "one.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", [0, 1, 2, 4])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tables_count_as_by_hand(order, seed):
    text, asked = words(seed, 60), words(seed + 10, 20)
    table = CharacterTable(order, characters="abcdef").fit(text)
    found = table.probabilities(asked)
    assert found.shape == (20, 6) and found.sum(1) == pytest.approx(1, abs=1e-14)
    for place in range(20):
        for code, one in enumerate("abcdef"):
            right = expected.counted(text, asked[:place + 1], one, order, 6)
            assert found[place, code] == pytest.approx(right, rel=1e-13)  # a few products and quotients
    right = [-math.log(expected.counted(text, asked[:place], asked[place], order, 6)) for place in range(1, 20)]
    assert table.losses(asked) == pytest.approx(right, rel=1e-12)
    assert table.score(asked) == -table.losses(asked).mean()


def test_a_table_of_a_text_shorter_than_its_context():
    table = CharacterTable(5).fit("ab")
    assert table.probabilities("ba").sum(1) == pytest.approx(1)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_induction_scores_are_means_of_a_diagonal(kind):
    weights = np.random.default_rng(0).random((2, 3, 10, 10))
    found = induction_scores(kind(weights), 4)
    right = np.mean([weights[..., t, t - 3] for t in range(4, 10)], axis=0)
    assert type(found) is type(kind(weights)) and np.asarray(found) == pytest.approx(right)
    assert induction_scores(np.eye(3), 1) == 1.0


@pytest.mark.parametrize("change, error, message", [
    ({"context": 0}, ValueError, "context must be an integer of at least 1, got 0"),
    ({"steps": 1.5}, ValueError, "steps must be an integer of at least 1, got 1.5"),
    ({"random_state": -1}, ValueError, "random_state must be an integer of at least 0, got -1"),
    ({"positions": "rope"}, ValueError, "positions must be one of 'learned', 'decay', 'none', got 'rope'"),
    ({"learning_rate": 0.0}, ValueError, "learning_rate must be positive and finite, got 0.0"),
    ({"weight_decay": -1.0}, ValueError, "weight_decay must be at least 0 and finite, got -1.0"),
    ({"characters": "abab"}, ValueError, "characters must name each character once, got 'ab' more than once"),
    ({"characters": "abc"}, ValueError, "text must have no other characters than those of the fitted text, got 'de'"),
    ({"context": 400}, ValueError, "text must be longer than context = 400, got 400 characters"),
    ({"n_heads": 3}, ValueError, "num_heads must divide embed_dim, got 3 heads and 16 features"),
    ({"kernel": "exp"}, TypeError, "kernel must be a kernel from locmethods.kernels, got str"),
])
def test_bad_parameters(change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        CharacterModel(**SMALL | {"steps": 1} | change).fit(words(0))


@pytest.mark.parametrize("call, error, message", [
    (lambda model: model.fit(b"abc"), TypeError, "text must be a string, got bytes"),
    (lambda model: model.fit("a"), ValueError, "text must have at least 2 characters, got 1"),
    (lambda model: model.losses("a"), ValueError, "text must have at least 2 characters, got 1"),
    (lambda model: model.score("at!"), ValueError, "text must have no other characters than those of the fitted text, "
                                                   "got '!'"),
    (lambda model: model.logits("a" * 13), ValueError, "text must be no longer than context = 12, got 13 characters"),
    (lambda model: model.sample(-1, "a"), ValueError, "n_characters must be an integer of at least 0, got -1"),
    (lambda model: model.sample(3, ""), ValueError, "prompt must have at least 1 character, got 0"),
    (lambda model: model.sample(3, "a", temperature=0), ValueError, "temperature must be positive and finite, got 0"),
])
def test_bad_calls(learned, call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(learned)


@pytest.mark.parametrize("call, message", [
    (lambda: CharacterTable(-1).fit("abc"), "order must be an integer of at least 0, got -1"),
    (lambda: CharacterTable(1, characters="").fit("abc"), "characters must have at least 1 character, got 0"),
    (lambda: CharacterTable(1).fit("a"), "text must have at least 2 characters, got 1"),
    (lambda: CharacterTable(1).fit("abc").probabilities(""), "text must have at least 1 character, got 0"),
    (lambda: CharacterTable(1).fit("abc").losses("a"), "text must have at least 2 characters, got 1"),
    (lambda: induction_scores(np.ones((2, 3)), 1), "attention must have shape (..., n, n), got shape (2, 3)"),
    (lambda: induction_scores(np.eye(3), 0), "period must be an integer of at least 1, got 0"),
    (lambda: induction_scores(np.eye(3), 3), "period must be less than the 3 tokens, got 3"),
    (lambda: train(torch.nn.Identity(), torch.arange(5), context=5, steps=1),
     "tokens must be one sequence of more than context = 5, got shape (5,)"),
])
def test_bad_calls_of_functions(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_training_that_comes_to_nothing_warns():
    with pytest.warns(ConvergenceWarning, match=r"after 1 steps the loss is \S+ nats, and the frequencies of single "
                                                r"characters have \S+: take more steps or another learning_rate"):
        CharacterModel(**SMALL, steps=1).fit(VERSE)
    with pytest.warns(ConvergenceWarning, match=r"the loss of step \d+ was nan: training ended there; take a smaller "
                                                "learning_rate"):
        model = CharacterModel(**SMALL, steps=50, learning_rate=1e30).fit(VERSE)
    assert model.n_iter_ == len(model.losses_) < 50


def test_verbose_prints_the_loss(capsys):
    model = CharacterModel(**SMALL, steps=4, verbose=2).fit(VERSE)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"step {n} of 4: loss {model.losses_[n - 2:n].mean():.3f}" for n in (2, 4)]


def test_the_rate_rises_and_falls():
    found = [rate(step, 100) for step in range(100)]
    assert found[0] == pytest.approx(0.2, rel=1e-3) and np.argmax(found) == 4  # a fifth of the way, of five steps
    assert (np.diff(found[4:]) < 0).all() and found[-1] == pytest.approx(0.05, abs=1e-3)
    rising = np.minimum(np.arange(1, 101) / 5, 1)
    np.testing.assert_allclose(found, rising * (0.05 + 0.95 * (1 + np.cos(np.pi * np.arange(100) / 100)) / 2))
    assert rate(0, 2) == 1.0  # of less than twenty steps none is for rising


def test_a_description_is_json(learned, tmp_path):
    from safetensors import safe_open

    learned.save(tmp_path / "one.safetensors")
    with safe_open(tmp_path / "one.safetensors", framework="np") as file:
        noted = file.metadata()
    assert json.loads(noted["description"])["settings"]["context"] == 12 and noted["version"] == "1"


@pytest.mark.parametrize("name", ["losses", "score", "logits", "attention", "probabilities"])
def test_what_is_not_fitted_says_so(name):
    for one in (CharacterModel(**SMALL), CharacterTable(2)):
        if hasattr(one, name):
            with pytest.raises(NotFittedError, match=f"This {type(one).__name__} instance is not fitted yet"):
                getattr(one, name)("abab")


def test_a_file_holds_numpys_numbers(tmp_path):
    model = CharacterModel(Cauchy(np.float32(2.0)), **SMALL | {"context": np.int64(12)}, steps=1).fit(VERSE)
    model.save(tmp_path / "one.safetensors")
    back = CharacterModel.load(tmp_path / "one.safetensors")
    assert back.context == 12 and back.kernel.bandwidth == 2.0
    assert np.array_equal(back.logits(VERSE[:12]), model.logits(VERSE[:12]))


def test_whole_numbers_of_any_size_are_tokens():
    losses = []
    for dtype in (torch.int64, torch.int32, torch.uint8):
        torch.manual_seed(0)
        network = CharacterNetwork(5, 12, 16, 2, 1, 24)
        losses.append(train(network, (torch.arange(60) % 5).to(dtype), context=12, steps=3))
    assert np.array_equal(losses[0], losses[1]) and np.array_equal(losses[0], losses[2])
    assert train(network, torch.arange(5), context=1, steps=1, batch_size=1).shape == (1,)


class Gauss(Gaussian):
    """A kernel of the caller's own, whose formula no file knows."""


@pytest.mark.parametrize("kernel", [FeatureKernel(np.exp), Gauss(1.0), [None, Gauss(1.0)]], ids=repr)
def test_words_are_had_for_the_packages_kernels_of_numbers_alone(kernel):
    with pytest.raises(TypeError, match=r"^a file can hold a kernel of locmethods whose parameters are numbers or "
                                        r"positive_features, got "):
        as_words(kernel)


def test_a_network_that_fails_leaves_no_hook_behind(learned):
    heads = learned.network_.levels.layers[0].self_attn
    forward, learned.network_.forward = learned.network_.forward, None
    with pytest.raises(TypeError):
        learned.attention("the")
    learned.network_.forward = forward
    assert not heads._forward_pre_hooks


@pytest.mark.parametrize("call, error, message", [
    (lambda model: model.network_(torch.zeros(1, 13, dtype=torch.int64)), ValueError,
     "characters must have shape (batch, n) with n at most context = 12, got (1, 13)"),
    (lambda model: model.network_(torch.zeros(3, dtype=torch.int64)), ValueError,
     "characters must have shape (batch, n) with n at most context = 12, got (3,)"),
    (lambda model: model.sample(3, "a", seed=-1), ValueError, "seed must be an integer of at least 0, got -1"),
    (lambda model: CharacterNetwork(0, 4), ValueError, "n_characters must be an integer of at least 1, got 0"),
    (lambda model: CharacterNetwork(2, 0), ValueError, "context must be an integer of at least 1, got 0"),
    (lambda model: train(model.network_, [0, 1] * 9, context=4, steps=1), TypeError,
     "tokens must be a tensor of whole numbers, got list"),
    (lambda model: train(model.network_, torch.ones(20), context=4, steps=1), TypeError,
     "tokens must be a tensor of whole numbers, got torch.float32"),
])
def test_what_was_taken_for_something_else(learned, call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(learned)
