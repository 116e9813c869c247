"""What the page on a pretrained Transformer checks: its vectors, its heads, their derivatives, and their collapse."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import torch
from scipy.stats import entropy

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.companion.expected import bert
from locmethods.kernels import Epanechnikov, Exponential, Gaussian
from locmethods.transformer import SentenceModel, head_entropy, head_kinds, head_profile, token_spread

WIDTH = 32  # features of a head
TEMPERATURE, BANDWIDTH = 32**0.5, 32**0.25  # of exp(q·k/τ), and of the Gaussian that goes with it
RADIUS = 40.0  # of a sphere on which every query and key of the model finds a place
SINGLE = "float32 through six layers of 384 features"


@cache
def minilm():
    """Return the model, read once."""
    return SentenceModel.minilm()


def minilm_double():
    """Return the model in double precision, as a page makes it."""
    return SentenceModel.minilm().double()


@cache
def file():
    """Return the weights of its file, read once, for NumPy."""
    return bert.weights_of_file()


@cache
def documentation():
    """Return the sentences, cut once."""
    return datasets.documentation_sentences().text


def picked(seed, count):
    """Return some sentences and the numbers of their tokens."""
    places = np.random.default_rng(seed).permutation(len(documentation()))[:count]
    sentences = [documentation()[place] for place in places]
    return sentences, bert.token_numbers(sentences)


def a_head(seed, layer=None, head=None):
    """Return the queries, keys and values of a head at a sentence, as float64, from NumPy's route."""
    rng = np.random.default_rng(seed)
    layer, head = rng.integers(6) if layer is None else layer, rng.integers(12) if head is None else head
    inside = bert.bert(file(), picked(seed, 1)[1][0])
    return inside.queries[layer][head], inside.keys[layer][head], inside.values[layer][head]


@claim("N19", kind=("identity", "algorithm"), sources=("vaswani2017", "reimers2019", "wang2020"))
def a_sentence_transformer_is_a_stack_of_local_means(seed=0):
    r"""The vector that all-MiniLM-L6-v2 gives a sentence is a stack of local means: six times the tokens average each
    other under twelve kernels $e^{q\cdot k/\sqrt d}$ and pass a feed-forward layer, both with residuals, and in the end
    they are averaged under a kernel that is one on tokens and zero on padding."""
    sentences, numbers = picked(seed, 4)
    right = np.array([bert.vector(file(), one) for one in numbers])
    replaced = [bert.vector(file(), one, residual=False) for one in numbers]
    yield same("vectors", minilm().encode(sentences), right, within=2e-6, because=SINGLE,
               broken=replaced, how="layers that replace their input instead of adding to it")

    longest = max(map(len, numbers)) + 3
    ids = torch.tensor([one + [0] * (longest - len(one)) for one in numbers])
    padding = torch.arange(longest) >= torch.tensor([[len(one)] for one in numbers])
    with torch.no_grad():
        yield same("padding", minilm()(ids, padding), right, within=2e-6, because=SINGLE,
                   broken=minilm()(ids), how="padding that everybody looks at")


@claim("N20", kind="identity", sources=("vaswani2017",))
def the_weights_of_a_head_are_a_softmax(seed=0):
    r"""The weights that a look into the pretrained model shows are the softmax of $q\cdot k/\sqrt d$ over the keys of
    each head, and the states are those between its layers, with residuals and feed-forward layers or without."""
    (sentence, *_), (numbers, *_) = picked(seed, 1)
    look, inside = minilm().look(sentence), bert.bert(file(), numbers)
    queries, keys = np.array(inside.queries), np.array(inside.keys)
    unscaled = [[bert.softmax(q @ k.T) for q, k in zip(*layer, strict=True)]
                for layer in zip(queries, keys, strict=True)]
    yield same("weights", look.weights, inside.weights, within=2e-4, because="scores of size 100 in float32",
               broken=np.array(unscaled), how="scores that are not divided by √d")
    exact = minilm_double().look(sentence)
    yield same("in double precision", exact.weights, inside.weights, within=1e-9,
               because="scores of size 100 in float64, and six layers", broken=look.weights, how="single precision")
    shown = np.stack([look.queries, look.keys, look.values])
    yield same("queries, keys, values", shown, np.stack([queries, keys, inside.values]), within=2e-4, because=SINGLE,
               broken=shown[[1, 0, 2]], how="queries and keys that change places")
    alone = minilm().look(sentence, feed_forward=False).states
    yield same("states", look.states, inside.states, within=2e-4, because=SINGLE,
               broken=alone, how="layers without their feed-forward part")
    yield same("heads alone", alone, bert.bert(file(), numbers, feed_forward=False).states, within=2e-4, because=SINGLE,
               broken=look.states, how="layers with their feed-forward part")


@claim("N21", kind=("identity", "counter-example"), sources=("namazifar2023",))
def a_bias_of_the_keys_is_idle(seed=0):
    r"""Adding one vector to all keys of a head changes no weight of $e^{q\cdot k/\tau}$, so that the bias of the keys
    has no gradient and training leaves it near where it began; under a Gaussian kernel it does change them."""
    queries, keys, values = a_head(seed)
    moved = keys + np.random.default_rng(seed).normal(size=WIDTH)
    plain = bert.softmax(queries @ keys.T / TEMPERATURE) @ values
    yield same("moved keys", lm.local_mean(queries, moved, values, kernel=Exponential(TEMPERATURE)), plain,
               within=1e-9, because="scores of size 100 in float64",
               broken=(lm.local_mean(queries, moved, values, kernel=Gaussian(BANDWIDTH)),
                       lm.local_mean(queries, keys, values, kernel=Gaussian(BANDWIDTH))),
               how="a Gaussian kernel, for which the place of the keys counts")

    ids = torch.tensor([picked(seed, 1)[1][0]])
    biases = [layer.self_attn.in_proj_bias for layer in minilm().stack.layers]
    direction = torch.randn(384, generator=torch.Generator().manual_seed(seed))
    slopes = torch.autograd.grad((minilm()(ids)[0] * direction).sum(), biases)
    of_queries, of_keys, of_values = (np.array([np.linalg.norm(one.view(3, 384)[part]) for one in slopes])
                                      for part in range(3))
    yield at_most("gradient", of_keys, 1e-4 * of_queries, because="rounding of float32, summed over the tokens",
                  broken=of_values, how="the bias of the values")

    of_queries, of_keys, of_values = (
        np.array([np.linalg.norm(file()[f"encoder.layer.{layer}.attention.self.{part}.bias"]) for layer in range(6)])
        for part in ("query", "key", "value"))
    yield at_most("as it was learned", of_keys, 0.02 * of_queries,
                  because="a fiftieth: what was never learned beside what was",
                  broken=of_values, how="the bias of the values")


@claim("N22", kind=("identity", "counter-example"), sources=("tsai2019", "bachrach2014", "zhang2021"))
def the_exponential_is_a_gaussian_with_a_prior(seed=0):
    r"""In the pretrained model the kernel $e^{q\cdot k/\sqrt d}$ is, up to a factor of the query, the Gaussian of
    bandwidth $d^{1/4}$ times the prior $e^{\lVert k\rVert^2/2\sqrt d}$ of a key, and the Gaussian alone on keys lifted
    to one sphere, but not the Gaussian alone; on a sphere of radius $R$, to which queries are lifted too, the
    Epanechnikov kernel whose edge is a right angle is $q\cdot k/R^2$ where that is positive."""
    queries, keys, values = a_head(seed)
    right = bert.softmax(queries @ keys.T / TEMPERATURE) @ values
    gauss, prior = Gaussian(BANDWIDTH), Exponential(2 * TEMPERATURE).on(one, square)
    bare = lm.local_mean(queries, keys, values, kernel=gauss)
    yield same("a head", lm.local_mean(queries, keys, values, kernel=gauss * prior), right,
               within=1e-9, because="exponents of size 100 in float64",
               broken=bare, how="the Gaussian without the prior")
    yield same("on a sphere", lm.local_mean(queries, keys, values, kernel=gauss.on(lifted_query, lifted_key)), right,
               within=1e-8, because="squared distances of size 3,000 in float64",
               broken=bare, how="keys that are not lifted")

    sentences, numbers = picked(seed, 2)
    plain = np.array([bert.vector(file(), ids) for ids in numbers])
    alone = minilm().under(gauss).encode(sentences)
    yield same("the model", minilm().under(gauss * prior).encode(sentences), plain, within=2e-6, because=SINGLE,
               broken=alone, how="the Gaussian without the prior")
    yield same("without the prior", alone, [bert.vector(file(), ids, weigh=near) for ids in numbers],
               within=1e-5, because="float32, and squared distances in place of products",
               broken=plain, how="the exponential kernel")
    compact = minilm().under(Epanechnikov(2**0.5 * RADIUS).on(lifted_query, lifted_key))
    flat = minilm().under(Epanechnikov(4 * BANDWIDTH))
    yield same("rectified", compact.encode(sentences), [bert.vector(file(), ids, weigh=rectified) for ids in numbers],
               within=1e-5, because="differences of squared distances in place of products",
               broken=flat.encode(sentences), how="queries and keys that are not lifted")
    right = [bert.vector(file(), ids, weigh=epanechnikov) for ids in numbers]
    yield same("Epanechnikov", flat.encode(sentences), right, within=1e-5, because=SINGLE,
               broken=alone, how="a Gaussian instead")


def one(points):
    """Return the feature 1 for each query."""
    return points[..., :1] * 0 + 1


def square(points):
    """Return the feature ‖k‖² of each key."""
    return (points**2).sum(-1)[..., None]


def lifted_key(keys):
    """Return keys (k, √(R² − ‖k‖²), 0), all of length R."""
    lift = (RADIUS**2 - square(keys)) ** 0.5
    return joined(keys, lift, 0 * lift)


def lifted_query(queries):
    """Return queries (q, 0, √(R² − ‖q‖²)), all of length R, with the same inner products."""
    lift = (RADIUS**2 - square(queries)) ** 0.5
    return joined(queries, 0 * lift, lift)


def joined(*parts):
    """Return columns side by side, arrays or tensors."""
    return torch.cat(parts, -1) if torch.is_tensor(parts[0]) else np.concatenate(parts, -1)


def near(queries, keys):
    """Return the weights of the Gaussian of bandwidth d^¼ in NumPy."""
    return bert.softmax(-((queries[:, None] - keys) ** 2).sum(-1) / (2 * TEMPERATURE))


def rectified(queries, keys):
    """Return the weights max(q·k, 0) in NumPy, and the key of the greatest product where none is positive."""
    products = queries @ keys.T
    weights = np.maximum(products, 0)
    nothing = weights.sum(1) == 0
    weights[nothing, products[nothing].argmax(1)] = 1
    return weights / weights.sum(1, keepdims=True)


def epanechnikov(queries, keys):
    """Return the weights of the Epanechnikov kernel of four bandwidths in NumPy, and the nearest key out of reach."""
    apart = ((queries[:, None] - keys) ** 2).sum(-1)
    weights = np.maximum(1 - apart / (16 * TEMPERATURE), 0)
    nothing = weights.sum(1) == 0
    weights[nothing, apart[nothing].argmin(1)] = 1
    return weights / weights.sum(1, keepdims=True)


@claim("N23", kind=("identity", "inequality"), sources=("tsai2019",))
def the_derivative_of_a_head_is_a_covariance(seed=0):
    r"""In a head $\partial m/\partial q = C_w(v, k)/\sqrt d$, the covariance of values and keys under the head's own
    weights $w$, and its norm is at most $\tfrac12(1 - \sum_i w_i^2)\,D_v D_k/\sqrt d$ with the diameters $D_v$, $D_k$
    of values and keys, which two keys attain: a head that has made up its mind no longer listens."""
    queries, keys, values = a_head(seed)
    weights = bert.softmax(queries @ keys.T / TEMPERATURE)
    covariance = np.array([cross_covariance(row, values, keys) for row in weights])
    known, averaged = torch.from_numpy(keys), torch.from_numpy(values)

    def head(query):
        return lm.local_mean(query[None], known, averaged, kernel=Exponential(TEMPERATURE))[0]

    found = torch.stack([torch.autograd.functional.jacobian(head, query) for query in torch.from_numpy(queries[:5])])
    yield same("derivative", found, covariance[:5] / TEMPERATURE, within=1e-9,
               because="products of size 100 in float64", broken=covariance[:5], how="the temperature left out")
    both = np.concatenate([values, keys], axis=1)
    moments = lm.local_moments(queries, keys, both, kernel=Exponential(TEMPERATURE))
    equal = [evenly(values, keys)] * len(queries)
    yield same("local moments", moments.covariance[:, :WIDTH, WIDTH:], covariance, within=1e-9,
               because="products of size 100 in float64", broken=equal, how="equal weights in place of the head's")

    def norm_and_bound(count):
        """Return the covariance's norms and their bounds where queries, made short, see the first keys alone."""
        some, near = values[:count], keys[:count]
        share = bert.softmax(0.1 * queries @ near.T / TEMPERATURE)
        found = lm.local_moments(0.1 * queries, near, np.concatenate([some, near], axis=1),
                                 kernel=Exponential(TEMPERATURE))
        norms = np.linalg.norm(found.covariance[:, :WIDTH, WIDTH:], 2, axis=(1, 2))
        return norms, (1 - (share**2).sum(1)) / 2 * diameter(some) * diameter(near)

    yield same("who attains it", *norm_and_bound(2), within=1e-9, because="products of size 100 in float64",
               broken=norm_and_bound(3), how="three keys, which are not all farthest apart along one line")
    queries, keys, values = a_head(seed, layer=0, head=2)  # of all heads the sharpest
    weights = bert.softmax(queries @ keys.T / TEMPERATURE)
    moments = lm.local_moments(queries, keys, np.concatenate([values, keys], axis=1), kernel=Exponential(TEMPERATURE))
    norms = np.linalg.norm(moments.covariance[:, :WIDTH, WIDTH:], 2, axis=(1, 2)) / TEMPERATURE
    bound = (1 - (weights**2).sum(1)) / 2 * diameter(values) * diameter(keys) / TEMPERATURE
    even = np.linalg.norm(evenly(values, keys), 2) / TEMPERATURE
    yield at_most("sharp heads", norms, bound, within=1e-9, because="rounding in float64",
                  broken=np.full(len(keys), even), how="equal weights in place of the sharpest head's")


def cross_covariance(weights, values, keys):
    """Return Σ w (v − v̄)(k − k̄)ᵀ of one row of weights."""
    return (values - weights @ values).T @ (weights[:, None] * (keys - weights @ keys))


def evenly(values, keys):
    """Return the covariance of values and keys that all weigh the same."""
    return cross_covariance(np.full(len(keys), 1 / len(keys)), values, keys)


def diameter(points):
    """Return the greatest distance of two points."""
    return np.sqrt(((points[:, None] - points) ** 2).sum(-1).max())


@claim("N24", kind=("identity", "inequality"), sources=("voita2019", "clark2019"))
def sharp_and_even_heads_exclude_each_other(seed=0):
    r"""If the largest of $n$ weights is $p$, their entropy is at most
    $-p\ln p - (1-p)\ln\frac{1-p}{n-1}$, so that of four tokens or more no head is both one-hot ($p \ge 0.6$) and
    uniform (0.85 of $\ln n$); in the pretrained model the third head of the first layer is nearly one-hot because it is
    positional, nearly all its weight on the token before."""
    sentences, numbers = picked(seed, 2)
    looks = [minilm().look(sentence).weights for sentence in sentences]
    slow = [np.array(bert.bert(file(), ids).weights) for ids in numbers]
    counts = [len(ids) for ids in numbers]
    shares = [entropy(one, axis=-1).mean(-1) / np.log(n) for one, n in zip(slow, counts, strict=True)]
    nats = entropy(slow[0], axis=-1).mean(-1)
    yield same("entropy", head_entropy(looks[0]), shares[0], within=1e-4, because="weights in float32",
               broken=nats, how="nats in place of shares of ln n")

    profile = head_profile(looks)
    largest = np.mean([one.max(-1).mean(-1) for one in slow], axis=0)
    first = np.mean([one[..., 0].mean(-1) for one in slow], axis=0)
    offset, share = best_places(slow)
    left = np.stack([profile.entropy, profile.largest, profile.first, profile.at_offset])
    yield same("profile", left, np.stack([np.mean(shares, axis=0), largest, first, share]),
               within=1e-4, because="weights in float32",
               broken=left[[0, 2, 1, 3]], how="the first weight in the place of the largest")
    clear = share - second_places(slow) > 1e-3  # two places that tie may be told apart by rounding
    yield same("places", np.where(clear, profile.offset, 0), np.where(clear, offset, 0), within=0,
               because="places are equal or they are not", broken=np.where(clear, -profile.offset, 0),
               how="query minus key in place of key minus query")
    kinds = head_kinds(profile)
    asked = [share >= 0.5, (share < 0.5) & (largest >= 0.6)]
    even = (share < 0.5) & (largest < 0.6) & (np.mean(shares, axis=0) >= 0.85)
    yield same("kinds", np.stack([kinds == kind for kind in ("positional", "one-hot", "uniform")]),
               np.stack([*asked, even]), within=0, because="kinds are equal or they are not",
               broken=np.stack([share >= 0.5, largest >= 0.6, even]), how="the one-hot asked before the positional")

    # The bound is concave in p, so it holds of the means over the queries of a sentence too.
    most = np.array([head_entropy(one) * np.log(n) for one, n in zip(looks, counts, strict=True)])
    means = [one.max(-1).mean(-1) for one in slow]
    bound = np.array([most_entropy(p, n) for p, n in zip(means, counts, strict=True)])
    yield at_most("sharp is not even", most, bound, within=1e-3, because="weights in float32",
                  broken=(most, np.array([most_entropy(p, 2) for p in means])),
                  how="a bound that forgets how many other keys there are")
    several = np.arange(4, 257)
    yield at_most("not both", most_entropy(0.6, several) / np.log(several), 0.85,
                  because="the threshold of the uniform, where a head is barely one-hot",
                  broken=most_entropy(0.6, 3) / np.log(3), how="a sentence of three tokens")
    yield at_least("the token before", [profile.at_offset[0, 2], -profile.offset[0, 2]], [0.95, 1],
                   because="what is nearly all",
                   broken=[profile.at_offset[0, 0], -profile.offset[0, 0]], how="the head two places before it")


def most_entropy(largest, n):
    """Return the greatest entropy of n weights of which the largest is given: that of equal others."""
    rest = np.maximum(1 - largest, 1e-15)
    return -largest * np.log(largest) - rest * np.log(rest / (n - 1))


def shares_of_places(several):
    """Return {place: mean weight of the keys at it}, the marks of a sentence's ends left out, by loops."""
    found = {}
    for place in range(-5, 6):
        per_sentence = []
        for weights in several:
            inner = range(1, weights.shape[-1] - 1)
            per_sentence.append(np.mean([weights[..., i, i + place] for i in inner if i + place in inner], axis=0))
        found[place] = np.mean(per_sentence, axis=0)
    return found


def best_places(several):
    """Return the relative place of the most weight, and that weight."""
    found = shares_of_places(several)
    table = np.stack(list(found.values()))
    return np.array(list(found))[table.argmax(0)], table.max(0)


def second_places(several):
    """Return the weight at the second of the relative places."""
    return np.sort(np.stack(list(shares_of_places(several).values())), axis=0)[-2]


@claim("N25", kind=("order", "inequality"), sources=("dong2021",))
def heads_alone_collapse_at_a_cubic_rate(seed=0):
    r"""Where tokens nearly agree, the heads of a layer of the pretrained model leave the cube of their spread, and with
    the residual its first power; without residuals six layers leave less than a hundredth of the spread of a sentence,
    and with them more than a tenth."""
    look = minilm().look(picked(seed, 1)[0][0])
    layer = int(np.random.default_rng(seed).integers(6))
    heads = copy.deepcopy(minilm().stack.layers[layer].self_attn).double()
    middle = look.states[layer].mean(0).astype(float)
    sizes = np.array([0.08, 0.04, 0.02, 0.01])
    near_by = [torch.from_numpy(middle + size * (look.states[layer] - middle)) for size in sizes]
    with torch.no_grad():
        means = [heads(one[None], one[None], one[None], need_weights=False)[0][0] for one in near_by]
    kept = np.stack([one + mean for one, mean in zip(near_by, means, strict=True)])
    yield order("cube", sizes, token_spread(np.stack(means)), 3, within=0.25,
                because="the next power of the largest size, 0.08", broken=token_spread(kept), how="the residual")
    yield order("first power", sizes, token_spread(kept), 1, within=0.1,
                because="the heads leave no more than a cube beside it", broken=token_spread(np.stack(means)),
                how="no residual")
    all_values = [np.linalg.norm(one - one.mean(0)) / np.linalg.norm(one) for one in look.states]
    yield same("spread", token_spread(look.states), [spread_by_svd(one) for one in look.states], within=1e-5,
               because="float32", broken=all_values, how="norms of all singular values in place of the largest")
    sentence = picked(seed, 1)[0][0]
    ends = [minilm().look(sentence, residual=residual).states[-1] for residual in (False, True)]
    yield at_most("six layers", token_spread(ends[0]) / token_spread(look.states[0]), 0.01,
                  because="a hundredth, as said", broken=token_spread(ends[1]), how="the residuals")
    yield at_least("with residuals", token_spread(ends[1]) / token_spread(look.states[0]), 0.1,
                   because="a tenth, as said", broken=token_spread(ends[0]), how="layers that replace their input")


def spread_by_svd(states):
    """Return the quotient of the largest singular values of the centred and of the whole matrix."""
    centred = np.linalg.svd(states - states.mean(0), compute_uv=False)
    return centred[0] / np.linalg.svd(states, compute_uv=False)[0]
