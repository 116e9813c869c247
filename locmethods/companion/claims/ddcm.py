"""What the page on codebook diffusion checks: a claim is a function, its parts are the evidence."""

import tempfile
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import softmax

from locmethods.companion import at_least, at_most, claim, datasets, same
from locmethods.companion.expected import ddcm as expected
from locmethods.ddcm import Codec, block_means, known_pixels, payload_bits, signal_levels
from locmethods.denoising import EmpiricalDenoiser

WIDTH = 0.35  # of a smoothed prior, on digits from −1 to 1
FILE = 73 + 4  # bytes of a file beside its codes, for pictures that have one axis


def some_digits(seed, known=400, new=12):
    """Return digits from −1 to 1: known ones, and new ones."""
    x = 2 * datasets.digits().x - 1
    x = x[np.random.default_rng(seed).permutation(len(x))]
    return x[:known], x[known:known + new]


def errors(pictures, truth):
    """Return the mean squared error of each picture."""
    return np.square(pictures - truth).mean(1)


@claim("V1", kind="identity", sources=("ho2020",))
def each_step_is_a_local_mean(seed=0):
    r"""The mean of the clean picture $z$ given $x = \sqrt{\bar\alpha}\, z + \sqrt{1-\bar\alpha}\,\varepsilon$, with
    standard normal $\varepsilon$, is a local mean if $z$ is drawn from training pictures, a local mean of affine values
    if from their kernel density estimate, and Wiener's linear filter if from a normal distribution with their mean and
    covariance."""
    known, new = some_digits(seed)
    rng = np.random.default_rng(seed)
    levels = signal_levels(50)
    yield same("schedule", levels, expected.linear_levels(50), relative=1e-12, because="products of a thousand factors",
               broken=expected.linear_levels(50)[::-1] ** 0.5, how="roots in the place of the levels")
    for level in levels[[2, 15, 30, 45]]:
        x = np.sqrt(level) * new + np.sqrt(1 - level) * rng.normal(size=new.shape)
        sigma = np.sqrt((1 - level) / level)
        formulas = {"empirical": expected.of_points(x, level, known),
                    "kernel_density": expected.of_points(x, level, known, WIDTH),
                    "gaussian": expected.of_normal(x, level, known)}
        for prior, formula in formulas.items():
            denoiser = EmpiricalDenoiser(prior=prior, bandwidth=WIDTH).fit(known)
            yield same(f"{prior.replace('_', ' ')}, noise of level {sigma:.2g}",
                       denoiser.denoise(x / np.sqrt(level), sigma), formula, within=1e-8,
                       because="exponents up to 10⁵, or a linear system, rounded",
                       broken=denoiser.denoise(x, sigma), how="a picture that is not divided by √ᾱ")


@claim("V2", kind="counter-example", sources=("ohayon2025",))
def with_the_exact_denoiser_it_is_vector_quantisation(seed=0):
    r"""With the exact denoiser of distinct training pictures and a schedule that ends in noise far below their
    distances, every decoded digit is a training picture, unless its walk ends midway between two, so that no error is
    below that of the nearest training picture, however many bits are spent; twenty training pictures themselves come
    back from 29 indices of a byte."""
    known, new = some_digits(seed)
    codec = Codec(EmpiricalDenoiser().fit(known), n_steps=30, n_codes=256)
    smooth = Codec(EmpiricalDenoiser(prior="kernel_density", bandwidth=WIDTH).fit(known), n_steps=30, n_codes=256)
    found, smoothed = (one.encode(new, return_pictures=True).pictures for one in (codec, smooth))
    tree = cKDTree(known)
    yield same("distance to the training pictures", tree.query(found)[0], 0.0, within=1e-6,
               because="weights of e⁻¹⁰⁰ for others than the nearest",
               broken=tree.query(smoothed)[0], how="a smoothed prior")
    nearest = np.square(tree.query(new)[0]) / 64
    yield at_least("error beside the nearest training picture", errors(found, new), nearest, within=1e-9,
                   because="rounding", broken=errors(smoothed, new), how="a smoothed prior")
    back, smooth_back = (one.encode(known[:20], return_pictures=True).pictures for one in (codec, smooth))
    yield same("training pictures", back, known[:20], within=1e-6, because="the same weights",
               broken=smooth_back, how="a smoothed prior")


@claim("V3", kind="inequality", sources=("ohayon2025",))
def a_smooth_prior_makes_it_a_codec(seed=0):
    r"""With a smoothed prior the mean error of new digits falls as the bits of each grow from 56 to 116, 232 and 552,
    and comes to lie below that of the nearest training picture, for the kernel density of digits with $h = 0.35$ and
    for their normal distribution."""
    known, new = some_digits(seed, new=20)
    nearest = np.square(cKDTree(known).query(new)[0]).mean() / 64
    settings = ((15, 16), (30, 16), (30, 256), (70, 256))
    exact = [mean_error(EmpiricalDenoiser().fit(known), new, *one) for one in settings]
    for prior in ("kernel_density", "gaussian"):
        denoiser = EmpiricalDenoiser(prior=prior, bandwidth=WIDTH).fit(known)
        found = [mean_error(denoiser, new, *one) for one in settings]
        name = prior.replace("_", " ")
        yield at_most(f"{name}, step by step", np.divide(found[1:], found[:-1]), 0.9,
                      because="twice the bits or more: 0.32 to 0.86 at four seeds, and one is no fall",
                      broken=np.divide(exact[1:], exact[:-1]), how="the exact denoiser, which has no better to give")
        yield at_most(f"{name}, at most bits", found[-1], 0.4 * nearest,
                      because="0.08 to 0.20 of vector quantisation's error at four seeds",
                      broken=exact[-1], how="the exact denoiser")


def mean_error(denoiser, new, n_steps, n_codes):
    pictures = Codec(denoiser, n_steps=n_steps, n_codes=n_codes).encode(new, return_pictures=True).pictures
    return errors(pictures, new).mean()


@claim("V4", kind=("identity", "algorithm"), sources=("ohayon2025",))
def decoding_repeats_the_walk(seed=0):
    r"""On one machine decoding a batch as a whole gives the encoder's pictures to the last bit, whether the codes
    compress, draw or restore; for codebooks of $K$ vectors, $K$ a power of two, a picture takes
    $(T-1)(M\log_2 K + (M-1)C)$ bits."""
    known, new = some_digits(seed)
    codec = Codec(EmpiricalDenoiser(prior="kernel_density", bandwidth=WIDTH).fit(known),
                  n_steps=12, n_codes=32, seed=seed)
    stranger = Codec(codec.denoiser, n_steps=12, n_codes=32, seed=seed + 1)
    levels = expected.linear_levels(12)

    def follow(n, choose):
        return expected.walk(levels, lambda x, level: expected.of_points(x, level, known, WIDTH), n, 32, seed, 64,
                             choose)

    def towards(target, matrix):
        return lambda t, clean, book: (((target - clean @ matrix.T) @ matrix) @ book.T).argmax(1)

    codes = codec.encode(new)
    pictures, indices = follow(len(new), towards(new, np.eye(64)))
    yield same("indices", codes[:, :, 0], indices, within=0, because="integers",
               broken=stranger.encode(new)[:, :, 0], how="codebooks of another seed")
    for name, matrix, dense in measurements():
        measured = new @ dense.T
        there, way = follow(len(new), towards(measured, dense))
        found = codec.restore(measured, matrix)
        yield same(f"matrix of {name}", matrix.toarray(), dense, within=1e-15, because="a quotient",
                   broken=dense[:, ::-1], how="a picture that stands on its head")
        yield same(f"indices that restore {name}", found.codes[:, :, 0], way, within=0, because="integers",
                   broken=codes[:, :, 0], how="the indices that compress")
        yield same(f"restored {name}", found.pictures, there, within=1e-8, because="twelve steps of rounded sums",
                   broken=pictures, how="the compressed pictures")
        yield same(f"restored {name}, decoded", codec.decode(found.codes), found.pictures, within=0,
                   because="the same operations in the same order",
                   broken=stranger.decode(found.codes), how="codebooks of another seed")
    drawn = codec.generate(6, seed=seed)
    random = np.random.default_rng(seed).integers(32, size=(6, 11))
    yield same("random indices", drawn.codes[:, :, 0], random, within=0, because="integers",
               broken=codes[:6, :, 0], how="indices that were chosen")
    yield same("drawn", drawn.pictures, follow(6, lambda t, clean, book: random[:, 12 - t])[0], within=1e-8,
               because="twelve steps of rounded sums", broken=pictures[:6], how="indices that were chosen")
    yield same("drawn, decoded", codec.decode(drawn.codes), drawn.pictures, within=0,
               because="the same operations in the same order",
               broken=stranger.decode(drawn.codes), how="codebooks of another seed")
    seen = codec.encode(new, return_pictures=True)
    yield same("compressed", seen.pictures, pictures, within=1e-8, because="twelve steps of rounded sums",
               broken=stranger.decode(codes), how="codebooks of another seed")
    with tempfile.TemporaryDirectory() as folder:
        codec.save(Path(folder) / "digits", codes)
        size = (Path(folder) / "digits").stat().st_size
        loaded = codec.load(Path(folder) / "digits")
        yield same("indices from a file", loaded[:, :, 0], indices, within=0, because="integers",
                   broken=stranger.encode(new)[:, :, 0], how="codebooks of another seed")
        yield same("pictures from a file", codec.decode(loaded), seen.pictures, within=0,
                   because="the same operations in the same order",
                   broken=stranger.decode(codes), how="codebooks of another seed")
    yield same("bytes", [size - FILE, codec.bits], [np.ceil(len(new) * 11 * 5 / 8), 11 * 5], within=0,
               because="eight bits a byte", broken=[np.ceil(len(new) * 12 * 5 / 8), 12 * 5],
               how="a code for the last step, which takes no noise")
    asked = [(50, 16, 1, 3), (50, 256, 4, 3), (1000, 1024, 2, 1)]
    yield same("bits", [payload_bits(*one) for one in asked],
               [(t - 1) * (m * np.log2(k) + (m - 1) * c) for t, k, m, c in asked], within=0, because="integers",
               broken=[t * (m * np.log2(k) + (m - 1) * c) for t, k, m, c in asked],
               how="a code for the last step, which takes no noise")
    rates = [payload_bits(1000, k) / side**2 for k, side in ((256, 512), (2048, 512), (4096, 512), (64, 768))]
    yield same("published bits a pixel", rates, [0.030, 0.042, 0.046, 0.010], within=0.0005 + 1e-12,
               because="they were printed with three digits", broken=np.multiply(rates, 10 / np.array([8, 11, 12, 6])),
               how="codebooks of 1,024 vectors for all four")


def measurements():
    """Return (name, matrix, the same by slices) of two measurements of digits."""
    mask = np.zeros((8, 8), dtype=bool)
    mask[:, :5] = True
    square = np.eye(64).reshape(8, 8, 64)
    yield "known pixels", known_pixels(mask), square[mask]
    means = (square[::2, ::2] + square[1::2, ::2] + square[::2, 1::2] + square[1::2, 1::2]) / 4
    yield "block means", block_means((8, 8)), means.reshape(16, 64)


@claim("V5", kind=("limit", "counter-example"), sources=("ohayon2025", "ho2020"))
def importance_alone_tends_to_diffusion(seed=0):
    r"""As $K \to \infty$ the noise $c$ that is drawn with probability in proportion to $e^{\langle c, \mu\rangle}$,
    where $\mu$ is the residual times $\text{pull}/\text{spread}$, becomes that of diffusion towards the picture,
    $N(\mu, I)$; the noise of least distance becomes $\mu$ itself, and that of the greatest inner product grows without
    bound."""
    rng = np.random.default_rng(seed)
    levels, n, k = np.array([0.8, 0.5]), 3000, 16_384
    now, before = levels[1], levels[0]
    alpha = now / before
    ratio = np.sqrt(before) * (1 - alpha) / np.sqrt((1 - before) * (1 - alpha) * (1 - now))
    turn = rng.uniform(0, 2 * np.pi)
    mu = 0.7 * np.array([np.cos(turn), np.sin(turn)])
    book, noise = expected.codebook(seed, 2, k, 2), {}
    for rule, some in (("importance", n), ("argmin", 1), ("argmax", 1)):
        codec = Codec(lambda x, sigma: np.zeros_like(x), shape=2, n_steps=2, n_codes=k, rule=rule, schedule=levels,
                      seed=seed)
        noise[rule] = book[codec.encode(np.tile(mu / ratio, (some, 1)))[:, 0, 0]]
    drawn = noise["importance"]
    by_distance = softmax(-np.square(book - mu).sum(1) / 2)  # N(μ/2, I/2): the codebook's own density counts, too
    wrong = by_distance @ book
    # The variance of a mean under weights w of a sample of k is E[w (f − E f)²]/k, here of Gaussians 0.7 apart.
    errors_of = np.sqrt(1 / n + 2.5 / k), np.sqrt(2 / n + 7 / k)
    yield same("importance: mean", drawn.mean(0), mu, within=6 * errors_of[0], because="six standard errors",
               broken=wrong, how="weights by the distance to μ alone")
    yield same("importance: variance", drawn.var(0), 1.0, within=6 * errors_of[1], because="six standard errors",
               broken=by_distance @ np.square(book - wrong), how="weights by the distance to μ alone")
    yield at_most("least distance", np.linalg.norm(noise["argmin"] - mu, axis=1), 0.1,
                  because="of 16,384 vectors none lies that near with a probability of e⁻⁵⁰",
                  broken=np.linalg.norm(drawn - mu, axis=1), how="importance sampling, which keeps its spread")
    yield at_least("greatest inner product", noise["argmax"] @ mu / 0.7, 3.0,
                   because="of 16,384 normal numbers none exceeds it with a probability of e⁻²²",
                   broken=(drawn @ mu / 0.7).mean(keepdims=True), how="importance sampling on average")
