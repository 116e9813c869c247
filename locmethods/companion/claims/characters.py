"""What the page on a Transformer from scratch checks."""

import math
import warnings
from itertools import product

import numpy as np
import torch
from torch import nn

import locmethods as lm
from locmethods.companion import at_least, at_most, claim, same
from locmethods.companion.expected import characters as expected
from locmethods.kernels import Cauchy, Epanechnikov, Exponential, Gaussian
from locmethods.transformer import (
    CharacterModel,
    CharacterNetwork,
    CharacterTable,
    FeatureKernel,
    induction_scores,
    positive_features,
)

SMALL = {"context": 12, "n_features": 16, "n_heads": 2, "n_layers": 2, "n_hidden": 24}
LETTERS = "abcde"


@claim("N30", kind="identity", sources=("vaswani2017", "tsai2019"))
def the_future_has_no_weight(seed=0):
    r"""Whatever the kernel of its heads, if each is multiplied by $[s \le t]$, what a stack of local means says after
    $t$ characters is what it says of these $t$ characters alone."""
    text = letters(seed, 12)
    codes = np.array([LETTERS.index(one) for one in text])
    q, k = np.random.default_rng(seed).normal(size=(2, 9, 8))
    by_hand = expected.kernels_by_hand(8)
    for name, kernel in kernels(8).items():
        model = untrained(kernel, seed)
        state = expected.arrays_of(model.network_)
        ahead = expected.network_logits(state, codes, by_hand[name], n_heads=2, causal=False)
        prefix = expected.network_logits(state, codes[:7], by_hand[name], n_heads=2)
        yield same(f"{name}, seven of twelve", model.logits(text)[:7], prefix, within=1e-4,
                   because="single precision through two levels",
                   broken=ahead[:7], how="heads that see all twelve characters")
        weights = by_hand[name](q, k)
        plain = lm.local_weights(q, k, kernel=Exponential(math.sqrt(8)) if kernel is None else kernel)
        yield same(f"{name}, its weights", plain, weights / weights.sum(1, keepdims=True), within=1e-12,
                   because="sums of eight products", broken=np.full((9, 9), 1 / 9), how="equal weights in their place")


@claim("N31", kind=("identity", "counter-example"), sources=("katharopoulos2020", "press2022"))
def a_linear_kernel_is_a_recurrence(seed=0):
    r"""If heads have the kernel $\phi(q)\cdot\phi(k)\, r^{t-s}$ with $\phi > 0$, the network is a recurrence whose
    state does not grow with the text; a kernel of positions that is no power $r^{t-s}$ makes it none of that form."""
    text = letters(seed, 12)
    codes = np.array([LETTERS.index(one) for one in text])
    linear = FeatureKernel(positive_features)
    model, free = (untrained(linear, seed, positions=kind) for kind in ("decay", "learned"))
    step, other = (expected.recurrent_logits(expected.arrays_of(one.network_), codes, expected.positive, n_heads=2)
                   for one in (model, free))
    yield same("after each character", model.logits(text), step, within=1e-4,
               because="single precision through two levels",
               broken=(free.logits(text), other), how="a kernel of positions that was learned freely")


@claim("N32", kind="identity", sources=("shannon1951",))
def losses_are_probabilities_of_texts(seed=0):
    r"""If each character is predicted from those before it, $e^{-\sum_t \ell_t}$ is the probability of a text given its
    first character: it sums to one over all texts of one length. If every character is as likely as any other, the
    loss is the logarithm of their number."""
    model = untrained(None, seed, letters="abc")
    state = expected.arrays_of(model.network_)
    weigh = expected.kernels_by_hand(8)["exponential"]
    texts = ["a" + "".join(rest) for rest in product("abc", repeat=4)]
    ours = [math.exp(-model.losses(text).sum()) for text in texts]
    cheat, right = [], []
    for text in texts:
        codes = np.array(["abc".index(one) for one in text])
        for found, causal in ((right, True), (cheat, False)):
            shares = expected.log_shares(expected.network_logits(state, codes, weigh, n_heads=2, causal=causal))
            found.append(math.exp(shares[range(4), codes[1:]].sum()))
    yield same("each of 81 texts", ours, right, relative=1e-4, because="single precision, four factors",
               broken=cheat, how="heads that see the character which is asked for")
    yield same("their sum", sum(ours), 1, within=1e-5, because="single precision",
               broken=sum(cheat), how="heads that see the character which is asked for")
    codes = np.array(["abc".index(one) for one in texts[5]])
    single, seeing = (-expected.log_shares(expected.network_logits(state, codes, weigh, n_heads=2, causal=causal))
                      [range(4), codes[1:]] for causal in (True, False))
    yield same("each loss", model.losses(texts[5]), single, within=1e-4, because="single precision",
               broken=seeing, how="heads that see the character which is asked for")
    yield same("the score", model.score(texts[5]), math.log(right[5]) / 4, within=1e-4, because="single precision",
               broken=math.log(cheat[5]) / 4, how="heads that see the character which is asked for")
    fresh = CharacterModel(**SMALL, random_state=seed)
    fresh.characters_ = LETTERS
    fresh.network_ = fresh.new_network()
    yield same("before training", fresh.losses(letters(seed, 40)), math.log(5), within=1e-12,
               because="one logarithm of a sum of equal terms",
               broken=untrained(None, seed).losses(letters(seed, 40)), how="a last map that does not begin at zero")


@claim("N33", kind="identity", sources=("shannon1951", "witten1991"))
def a_table_is_a_local_mean(seed=0):
    r"""A table of what follows $k$ characters is the local mean of the next characters, as vectors of zeros and a one,
    under the kernel that is 1 if the last $k$ characters agree and 0 otherwise; smoothed by $u$, the number of
    different characters that followed, it is an average of that mean and the table of $k - 1$."""
    text, asked = letters(seed, 300), letters(seed + 100, 30)
    table = CharacterTable(2, characters=LETTERS).fit(text)
    right, short = ([[expected.counted(text, asked[:t + 1], one, order, 5) for one in LETTERS]
                     for t in range(30)] for order in (2, 1))
    yield same("probabilities", table.probabilities(asked), right, within=1e-12, because="a few quotients",
               broken=short, how="a context that is a character shorter")
    losses = [-math.log(expected.counted(text, asked[:t], asked[t], 2, 5)) for t in range(1, 30)]
    shorter = [-math.log(expected.counted(text, asked[:t], asked[t], 1, 5)) for t in range(1, 30)]
    yield same("each loss", table.losses(asked), losses, within=1e-12, because="logarithms of quotients",
               broken=shorter, how="a context that is a character shorter")
    yield same("their score", table.score(asked), -np.mean(losses), within=1e-12, because="a mean of logarithms",
               broken=-np.mean(shorter), how="a context that is a character shorter")
    codes = np.array([LETTERS.index(one) for one in text])
    pairs, following = np.stack([codes[:-2], codes[1:-1]], 1).astype(float), np.eye(5)[codes[2:]]
    every = np.array(list(product(range(5), repeat=2)), dtype=float)
    means = lm.local_mean(every, pairs, following, kernel=lm.kernels.Flat(0.5))
    shares, blurred = ([[frequency(text, a + b, one, wide) for one in LETTERS] for a, b in product(LETTERS, repeat=2)]
                       for wide in (2, 1))
    yield same("unsmoothed", means, shares, within=1e-12, because="one quotient",
               broken=blurred, how="a context that is a character shorter")


@claim("N34", kind=("identity", "limit"), sources=("olsson2022",))
def a_head_that_matches_copies(seed=0):
    r"""Let a word of $p$ different characters be said twice, and let a causal head compare the present character with
    what stood *before* each place, by $e^{\beta [\text{equal}]}$. In the second saying, at $t = p, p + 1, \dots$
    counted from zero, the place after the previous occurrence gets the weight $e^\beta / (e^\beta + t)$, which tends
    to one as $\beta$ grows."""
    p = 8
    word = np.random.default_rng(seed).permutation(20)[:p]
    tokens = np.eye(20)[np.tile(word, 2)]
    before = np.vstack([np.zeros((1, 20)), tokens[:-1]])
    mask = np.tri(2 * p, dtype=bool)
    betas = np.array([1.0, 4.0, 16.0])
    copying, plain = ([induction_scores(lm.local_weights(tokens, keys, kernel=Exponential(1 / beta).where(mask)), p)
                       for beta in betas] for keys in (before, tokens))
    right = [np.mean([math.exp(beta) / (math.exp(beta) + t) for t in range(p, 2 * p)]) for beta in betas]
    yield same("the score", copying, right, within=1e-12, because="sums of sixteen weights",
               broken=plain, how="keys that hold their own character")
    yield at_least("it tends to one", copying[-1], 1 - 2 * p * math.exp(-16), because="of 2p weights all others are 1",
                   broken=plain[-1], how="keys that hold their own character")


@claim("N35", kind=("inequality", "algorithm"), sources=("shannon1951",))
def what_two_characters_decide_is_learned(seed=0):
    """Where the two characters before decide what follows, save for noise, a network that is trained for seconds beats
    the table of pairs by a quarter of a nat and twice its spread over three seeds, and no network is better than the
    entropy of the source, save for chance."""
    text, entropy = sums_of_two(seed, 5000)
    train, test = text[:3000], text[3000:]
    size = {"n_features": 16, "n_heads": 2, "n_layers": 1, "n_hidden": 24, "learning_rate": 1e-2}
    with warnings.catch_warnings(action="ignore"):  # that one character tells nothing is the point
        losses, blind = ([-CharacterModel(context=context, steps=200, **size, random_state=3 * seed + one)
                          .fit(train).score(test) for one in range(3)] for context in (8, 1))
    pairs = -CharacterTable(1).fit(train).score(test)
    yield at_most("beside pairs", np.mean(losses) + 2 * np.std(losses, ddof=1), pairs - 0.25,
                  because="what one character cannot tell",
                  broken=np.mean(blind) + 2 * np.std(blind, ddof=1), how="a network that sees one character")
    # The losses of single characters have the standard deviation 0.8 or so; four errors of 2,000 of them.
    noise = 4 * 0.8 / math.sqrt(len(test))
    learned = CharacterTable(14).fit(test)
    yield at_least("beside the source", losses, entropy, within=noise, because="four standard errors of the mean",
                   broken=-learned.score(test), how="a table that has counted the text itself")


@claim("N36", kind="algorithm", sources=("vaswani2017",))
def torchs_encoder_learns_the_same(seed=0):
    r"""With the exponential kernel, the same first weights, windows and steps, the network has the losses of
    `nn.TransformerEncoder`, step by step, to rounding."""
    text = sums_of_two(seed, 600)[0]
    model, other = (CharacterModel(kernel, **SMALL, steps=40, learning_rate=1e-2, random_state=seed).fit(text)
                    for kernel in (None, Cauchy(8**0.25)))
    start = CharacterModel(**SMALL, random_state=seed)
    start.characters_ = model.characters_
    layer = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16), enable_nested_tensor=False)
    network = CharacterNetwork(3, 12, 16, 2, levels=encoder)
    network.load_state_dict(start.new_network().state_dict())
    theirs = taught_by_hand(network, torch.tensor(["xyz".index(one) for one in text]), seed)
    yield same("forty losses", model.losses_, theirs, within=1e-3, because="rounding that grows in forty steps",
               broken=other.losses_, how="the Cauchy kernel in the exponential's place")


@claim("N37", kind="algorithm", sources=())
def characters_are_drawn_from_the_softmax(seed=0):
    r"""A sample is drawn character by character from the softmax of logits over temperature, each from the last
    characters of what was drawn so far, no more than the context."""
    model, heat = untrained(None, seed), 4.0  # at which no character takes nearly all
    state, weigh = expected.arrays_of(model.network_), expected.kernels_by_hand(8)["exponential"]
    drawn = [LETTERS.find(one) for one in model.sample(30, "ab", temperature=heat, seed=seed)]
    found = {"drawn": [0, 1], "likeliest": [0, 1]}
    for draw in np.random.default_rng(seed).random(30):
        for name, codes in found.items():
            logits = expected.network_logits(state, np.array(codes[-12:]), weigh, n_heads=2)[-1:] / heat
            shares = np.exp(expected.log_shares(logits))[0]
            codes.append(int(np.searchsorted(shares.cumsum(), draw) if name == "drawn" else shares.argmax()))
    yield same("thirty characters", drawn, found["drawn"][2:], because="characters are equal or they are not",
               broken=found["likeliest"][2:], how="the likeliest character each time")


@claim("N38", kind="identity", sources=("vaswani2017",))
def each_row_of_attention_is_a_local_mean(seed=0):
    r"""The weights of a head are $K(q_t, k_s)\, e^{b(t - s)}$ for $s \le t$, divided by their sum, of the queries and
    keys that its level is given."""
    text = letters(seed, 12)
    codes = np.array([LETTERS.index(one) for one in text])
    for name, kernel in kernels(8).items():
        model, seen = untrained(kernel, seed), []
        state, plain = expected.arrays_of(model.network_), []
        expected.network_logits(state, codes, expected.kernels_by_hand(8)[name], n_heads=2, seen=seen)
        expected.network_logits(state | {"lags": 0 * state["lags"]}, codes, expected.kernels_by_hand(8)[name],
                                n_heads=2, seen=plain)
        yield same(name, model.attention(text), np.reshape(seen, (2, 2, 12, 12)), within=1e-4,
                   because="single precision through two levels",
                   broken=np.reshape(plain, (2, 2, 12, 12)), how="no kernel of positions")


def kernels(features):
    """Return the kernels of the page for heads of so many features, None for the exponential one."""
    width = features**0.25
    return {"exponential": None, "Gaussian": Gaussian(width), "Cauchy": Cauchy(width),
            "Epanechnikov": Epanechnikov(3 * math.sqrt(features)), "positive linear": FeatureKernel(positive_features)}


def letters(seed, n):
    """Return a text of random letters."""
    return "".join(LETTERS[code] for code in np.random.default_rng(seed).integers(5, size=n))


def untrained(kernel, seed, *, positions="learned", letters=LETTERS):
    """Return a model that has learned nothing, whose weights have been moved at random from where they begin."""
    model = CharacterModel(kernel, **SMALL, positions=positions, random_state=seed)
    model.characters_ = letters
    model.network_ = model.new_network()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for one in model.network_.parameters():
            one += one.requires_grad * 0.1 * torch.randn(one.shape, generator=generator)
        model.network_.head.weight *= 5  # far from all alike
    return model


def frequency(text, context, following, length):
    """Return how often a character followed the last `length` characters of a context, among all that did."""
    end = context[-length:]
    seen = [text[i] for i in range(2, len(text)) if text[i - length:i] == end]
    return seen.count(following) / len(seen)


def sums_of_two(seed, n):
    """Return a text in which the sum of two characters is the next one in nine of ten cases, and its entropy."""
    rng = np.random.default_rng(seed)
    codes = [0, 1]
    for draw in rng.random(n):
        codes.append((codes[-1] + codes[-2]) % 3 if draw < 0.9 else int(rng.integers(3)))
    shares = np.array([0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3])
    return "".join("xyz"[code] for code in codes), -float(shares @ np.log(shares))


def taught_by_hand(network, tokens, seed, *, steps=40, context=12, highest=1e-2):
    """Return the losses of a training that is written out: windows, AdamW, a rate that rises and falls."""
    generator = torch.Generator().manual_seed(seed)
    matrices = [one for one in network.parameters() if one.ndim > 1]
    vectors = [one for one in network.parameters() if one.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0}],
                                  lr=highest, betas=(0.9, 0.98))
    losses = []
    for step in range(steps):
        first = torch.randint(len(tokens) - context, (4, 1), generator=generator)
        windows = torch.stack([tokens[begin:begin + context + 1] for begin in first.flatten().tolist()])
        shares = network(windows[:, :-1]).log_softmax(-1)
        loss = -shares.gather(-1, windows[:, 1:, None]).mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = highest * min(1, (step + 1) / (steps / 20)) * (
                0.05 + 0.95 * (1 + math.cos(math.pi * step / steps)) / 2)
        optimizer.step()
    return losses
