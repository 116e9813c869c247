"""Codebook diffusion against the loop written out with SciPy's softmax, and its file against every cut and flip."""

import re
import struct
from hashlib import sha256
from itertools import product

import numpy as np
import pytest
from scipy.special import softmax

from locmethods import ddcm
from locmethods.ddcm import Codec, block_means, codebooks, known_pixels, payload_bits, signal_levels
from locmethods.denoising import EmpiricalDenoiser


def cloud(seed=0, n=60, d=6):
    """Return clean points, and others like them."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n + 8, 3)) @ rng.normal(size=(3, d))
    return points[:n], points[n:]


def kernel_density(known, h):
    """Return the denoiser of a kernel density by SciPy's softmax of all pairs."""
    def denoise(x, sigma):
        wide = sigma**2 + h**2
        weight = softmax(-np.square(x[:, None] - known).sum(2) / (2 * wide), axis=1)
        return h**2 / wide * x + sigma**2 / wide * weight @ known
    return denoise


def book(seed, number, k, d):
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64))).standard_normal((k, d))


def slow(levels, denoise, shape, k, seed, choose, shared=False):
    """Return the pictures and the indices of the loop as it is written down, a picture at a time."""
    n, d = shape
    pictures, indices = np.empty(shape), []
    for i in range(n):
        x, taken = book(seed, 0, 1, d)[0], []
        for t in range(len(levels), 1, -1):
            now, before = levels[t - 1], levels[t - 2]
            clean = denoise((x / np.sqrt(now))[None], np.sqrt((1 - now) / now))[0]
            alpha, codes = now / before, book(seed, 1 if shared else t, k, d)
            pull = np.sqrt(before) * (1 - alpha) / (1 - now)
            spread = np.sqrt((1 - before) * (1 - alpha) / (1 - now))
            taken.append(choose(i, clean, codes, pull, spread))
            mean = (np.sqrt(alpha) * (1 - before) * x + np.sqrt(before) * (1 - alpha) * clean) / (1 - now)
            x = mean + spread * codes[taken[-1]]
        pictures[i] = denoise((x / np.sqrt(levels[0]))[None], np.sqrt((1 - levels[0]) / levels[0]))[0]
        indices.append(taken)
    return pictures, np.array(indices)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rule", "shared"), [("argmax", False), ("argmax", True), ("argmin", False)])
def test_the_codec_is_the_loop(seed, rule, shared):
    known, new = cloud(seed)
    denoiser = EmpiricalDenoiser(prior="kernel_density", bandwidth=0.5).fit(known)
    codec = Codec(denoiser, n_steps=12, n_codes=8, rule=rule, shared=shared, seed=seed)

    def choose(i, clean, codes, pull, spread):
        residual = new[i] - clean
        if rule == "argmax":
            return np.argmax(codes @ residual)
        return np.argmin([np.linalg.norm(pull * residual - spread * z) for z in codes])

    expected, indices = slow(signal_levels(12), kernel_density(known, 0.5), new.shape, 8, seed, choose, shared)
    codes, pictures = codec.encode(new, return_pictures=True)[::-1]
    np.testing.assert_array_equal(codes[:, :, 0], indices)
    # Twelve steps of sums of sixty terms, which no step magnifies more than tenfold.
    np.testing.assert_allclose(pictures, expected, rtol=1e-9, atol=1e-10)


def test_importance_draws_each_index_with_its_probability():
    """One step with a codebook of four: its frequencies against the posterior's probabilities."""
    codec = Codec(lambda x, sigma: np.full_like(x, 0.25), shape=2, n_steps=2, n_codes=4, rule="importance",
                  schedule=[0.7, 0.2])
    n, target = 40_000, np.array([0.6, -0.4])
    found = np.bincount(codec.encode(np.tile(target, (n, 1)))[:, 0, 0], minlength=4) / n
    now, before = 0.2, 0.7
    alpha = now / before
    ratio = np.sqrt(before) * (1 - alpha) / np.sqrt((1 - before) * (1 - alpha) * (1 - now))
    z = book(0, 2, 4, 2)
    expected = softmax([ratio * one @ (target - 0.25) for one in z])
    np.testing.assert_allclose(found, expected, atol=5 / np.sqrt(n))  # five standard errors of a frequency, or ten


def test_each_step_of_importance_draws_anew():
    """Where nothing is missed all vectors are equally likely, and an index is a uniform number times their number."""
    codec = Codec(lambda x, sigma: np.full_like(x, 0.25), shape=2, n_steps=4, n_codes=50, rule="importance", seed=5)
    codes = codec.encode(np.full((30, 2), 0.25))[:, :, 0]
    for step, found in zip((4, 3, 2), codes.T, strict=True):
        uniform = np.random.Generator(np.random.Philox(key=np.array([5, (1 << 62) + step], np.uint64))).random(30)
        np.testing.assert_array_equal(found, np.floor(50 * uniform))


@pytest.mark.parametrize("options", [{"rule": "importance"}, {"rule": "argmin"}, {"n_atoms": 3}])
def test_pictures_in_parts_have_the_codes_of_all(options, monkeypatch):
    known, new = cloud(7)
    codec = Codec(EmpiricalDenoiser(prior="kernel_density", bandwidth=0.5).fit(known), n_steps=9, n_codes=16, **options)
    whole = codec.encode(new)
    monkeypatch.setattr(codebooks, "PART", 48)  # three of eight pictures
    np.testing.assert_array_equal(codec.encode(new), whole)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("coefficient_bits", [1, 3])
def test_matching_pursuit_by_a_slow_loop(seed, coefficient_bits):
    known, new = cloud(seed)
    center = known.mean(0)
    codec = Codec(lambda x, sigma: np.tile(center, (len(x), 1)), shape=6, n_steps=4, n_codes=5, n_atoms=3,
                  coefficient_bits=coefficient_bits, seed=seed)
    codes = codec.encode(new)
    for picture, found in zip(new, codes, strict=True):
        residual = picture - center
        for t, row in zip((4, 3, 2), found, strict=True):
            z, expected = book(seed, t, 5, 6), [0] * 5
            expected[0] = int(np.argmax(z @ residual))
            noise = z[expected[0]]
            for atom in (1, 2):
                best = noise @ residual
                mixed = noise
                for k, level in product(range(5), range(1, 1 << coefficient_bits)):
                    share = level / (1 << coefficient_bits)
                    tried = np.sqrt(share) * noise + np.sqrt(1 - share) * z[k]
                    tried /= np.sqrt(np.mean(tried**2))
                    if tried @ residual > best + 1e-9 * abs(best):
                        best, mixed, expected[atom], expected[2 + atom] = tried @ residual, tried, k, level
                noise = mixed
            assert row.tolist() == expected
    assert (codes[:, :, 3:] > 0).any()
    fewer = Codec(codec.denoiser, shape=6, n_steps=4, n_codes=5, seed=seed)
    np.testing.assert_array_equal(codes[:, :, 0], fewer.encode(new)[:, :, 0])


def test_matching_pursuit_knows_no_unit():
    new = np.random.default_rng(0).normal(size=(5, 6))
    codec = Codec(lambda x, sigma: 0 * x, shape=6, n_steps=4, n_codes=5, n_atoms=3)
    codes = codec.encode(new)
    assert (codes[:, :, 3:] > 0).any()
    for power in (-60, 60):  # powers of two, which round nothing
        np.testing.assert_array_equal(codec.encode(np.ldexp(new, power)), codes)


@pytest.mark.parametrize("options", [{}, {"n_codes": 5}, {"n_atoms": 3}, {"shared": True}, {"rule": "importance"},
                                     {"schedule": "cosine"}, {"n_codes": 1}, {"rule": "argmin", "seed": 2**64 - 1}])
@pytest.mark.parametrize("prior", ["empirical", "kernel_density", "gaussian"])
@pytest.mark.one_in(4)
def test_what_is_decoded_is_what_the_encoder_saw_to_the_last_bit(options, prior, tmp_path):
    known, new = cloud(4)
    codec = Codec(EmpiricalDenoiser(prior=prior).fit(known), **{"n_steps": 9, "n_codes": 16} | options)
    seen = codec.encode(new, return_pictures=True)
    np.testing.assert_array_equal(codec.decode(seen.codes), seen.pictures)
    np.testing.assert_array_equal(codec.encode(new), seen.codes)
    codec.save(tmp_path / "few", seen.codes)
    again = Codec(EmpiricalDenoiser(prior=prior).fit(known), **{"n_steps": 9, "n_codes": 16} | options)
    np.testing.assert_array_equal(again.decode(again.load(tmp_path / "few")), seen.pictures)
    assert [file.name for file in tmp_path.iterdir()] == ["few"]
    header = 73 + 4  # a picture here has one axis
    assert (tmp_path / "few").stat().st_size == header + -(-len(new) * codec.bits // 8)
    # Some of them alone come out as their sums are rounded for fewer.
    np.testing.assert_allclose(codec.decode(seen.codes[2:5]), seen.pictures[2:5], rtol=1e-9, atol=1e-9)


def test_the_bits_are_those_of_the_formula():
    for t, k, m, c in product((2, 31), (1, 2, 8, 100, 1024), (1, 2, 4), (1, 3)):
        width = int(np.ceil(np.log2(k)))
        assert payload_bits(t, k, m, c) == (t - 1) * (m * width + (m - 1) * c)
    # As published for pictures of 512 × 512 and 768 × 768 pixels, rounded there.
    for k, side, rate in ((256, 512, 0.0305), (2048, 512, 0.0419), (4096, 512, 0.0457), (64, 768, 0.0102)):
        assert round(payload_bits(1000, k) / side**2, 4) == rate


def test_signal_levels_are_the_products():
    betas = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]
    np.testing.assert_allclose(signal_levels(1000), np.cumprod([1 - b for b in betas]), rtol=1e-12)
    np.testing.assert_array_equal(signal_levels(5), signal_levels(1000)[[0, 250, 500, 749, 999]])
    t = np.arange(1, 40) / 40  # the last step would leave nothing, and keeps a thousandth
    place = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(signal_levels(40, "cosine")[:-1], place, rtol=1e-9)
    assert signal_levels(40, "cosine")[-1] == pytest.approx(place[-1] / 1000)


def test_one_code_says_nothing_of_the_picture():
    known, new = cloud(1)
    codec = Codec(EmpiricalDenoiser(prior="gaussian").fit(known), n_steps=10, n_codes=1)
    pictures = codec.encode(new, return_pictures=True).pictures
    np.testing.assert_allclose(pictures, np.tile(pictures[0], (len(new), 1)), atol=1e-12)  # rounding of a product
    assert codec.bits == 0


def test_the_exact_denoiser_of_one_point_returns_it():
    codec = Codec(EmpiricalDenoiser().fit([[1.0, 2.0]]), n_steps=5, n_codes=4)
    np.testing.assert_array_equal(codec.decode(codec.encode([[7.0, -3.0]])), [[1.0, 2.0]])


def test_constant_features_and_duplicates_do_no_harm():
    known = np.repeat([[1.0, 5.0, 0.0], [2.0, 5.0, 0.0]], 3, axis=0)
    for prior in ("empirical", "gaussian"):
        codec = Codec(EmpiricalDenoiser(prior=prior).fit(known), n_steps=30, n_codes=16)
        found = codec.decode(codec.encode(known))
        if prior == "empirical":
            np.testing.assert_array_equal(found, known)
        np.testing.assert_allclose(found[:, 1:], known[:, 1:], atol=1e-12)  # rounding of a rotation
        assert (np.round(found[:, 0]) == known[:, 0]).all()


def test_generation_goes_the_random_way():
    known, _ = cloud(3)
    codec = Codec(EmpiricalDenoiser(prior="kernel_density", bandwidth=0.5).fit(known), n_steps=8, n_codes=16,
                  n_atoms=2)
    drawn = codec.generate(5, seed=7)
    indices = np.random.default_rng(7).integers(16, size=(5, 7))
    np.testing.assert_array_equal(drawn.codes[:, :, 0], indices)
    assert not drawn.codes[:, :, 1:].any()
    expected, _ = slow(signal_levels(8), kernel_density(known, 0.5), (5, 6), 16, 0,
                       iter_of(indices))
    np.testing.assert_allclose(drawn.pictures, expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(codec.decode(codec.from_bytes(codec.to_bytes(drawn.codes))), drawn.pictures)


def iter_of(indices):
    """Return a choice that takes these indices one after another."""
    left = iter(indices.ravel())
    return lambda *_: next(left)


@pytest.mark.parametrize("sparse", [True, False])
def test_restoration_follows_the_gradient_of_the_misfit(sparse):
    known, new = cloud(5)
    matrix = block_means((2, 3), 1) if sparse else np.random.default_rng(0).normal(size=(2, 6))
    if sparse:
        matrix = known_pixels(np.array([1, 0, 1, 1, 0, 1], bool))
    dense = matrix.toarray() if sparse else matrix
    codec = Codec(EmpiricalDenoiser(prior="kernel_density", bandwidth=0.5).fit(known), n_steps=10, n_codes=32)
    measured = new @ dense.T
    found = codec.restore(measured, matrix)

    def misfit(clean, y):
        return -np.square(y - dense @ clean).sum() / 2

    def choose(i, clean, codes, pull, spread):
        slope = [(misfit(clean + step, measured[i]) - misfit(clean - step, measured[i])) / 2 for step in np.eye(6)]
        return np.argmax(codes @ slope)

    expected, indices = slow(signal_levels(10), kernel_density(known, 0.5), new.shape, 32, 0, choose)
    np.testing.assert_array_equal(found.codes[:, :, 0], indices)
    np.testing.assert_allclose(found.pictures, expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(codec.decode(found.codes), found.pictures)


def test_to_measure_all_is_to_encode():
    known, new = cloud(6)
    codec = Codec(EmpiricalDenoiser(prior="gaussian").fit(known), n_steps=10, n_codes=32)
    np.testing.assert_array_equal(codec.restore(new, np.eye(6)).codes, codec.encode(new))


def test_operators_by_reshaping():
    pictures = np.random.default_rng(0).normal(size=(3, 4, 6))
    means = pictures.reshape(3, 2, 2, 3, 2).mean((2, 4)).reshape(3, -1)
    np.testing.assert_allclose((block_means((4, 6)) @ pictures.reshape(3, -1).T).T, means, atol=1e-15)
    mask = pictures[0] > 0
    np.testing.assert_array_equal((known_pixels(mask) @ pictures.reshape(3, -1).T).T, pictures[:, mask])


def test_pictures_keep_their_shape_and_other_kinds_of_arrays_come_in():
    torch = pytest.importorskip("torch", reason="tensors are optional")
    known, new = cloud(2)
    denoiser = EmpiricalDenoiser(prior="gaussian").fit(known)
    codec = Codec(denoiser, shape=(2, 3), n_steps=6, n_codes=8)
    codes = codec.encode(new.reshape(-1, 2, 3))
    assert codec.decode(codes).shape == (8, 2, 3)
    np.testing.assert_array_equal(Codec(denoiser, n_steps=6, n_codes=8).encode(new), codes)
    np.testing.assert_array_equal(codec.encode(torch.tensor(new.reshape(-1, 2, 3))), codes)
    single = codec.encode(new.reshape(-1, 2, 3).astype(np.float32), return_pictures=True)
    assert single.pictures.dtype == np.float64

    class Net(torch.nn.Module):
        def forward(self, x, sigma):
            return 0.5 * torch.as_tensor(x)

    class Learning(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.share = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

        def forward(self, x, sigma):
            return self.share * torch.as_tensor(x)

    net = Codec(Net(), shape=(2, 3), n_steps=6, n_codes=8)
    by_numpy = Codec(lambda x, sigma: 0.5 * x, shape=(2, 3), n_steps=6, n_codes=8)
    np.testing.assert_array_equal(net.encode(new.reshape(-1, 2, 3)), by_numpy.encode(new.reshape(-1, 2, 3)))
    learning = Codec(Learning(), shape=(2, 3), n_steps=6, n_codes=8)  # whose answers hold a graph
    np.testing.assert_array_equal(learning.encode(new.reshape(-1, 2, 3)), by_numpy.encode(new.reshape(-1, 2, 3)))
    levels = torch.tensor([0.9, 0.5, 0.1], dtype=torch.float64)
    assert Codec(net.denoiser, shape=2, n_steps=3, schedule=levels).levels.tolist() == [0.9, 0.5, 0.1]


def test_the_steps_are_told(capsys):
    codec = Codec(lambda x, sigma: 0 * x, shape=2, n_steps=5, verbose=True)
    codec.decode(np.zeros((1, 4, 1), int))
    steps = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert steps == ["[Codec] step 1", "[Codec] step 2", "[Codec] step 4"]


# ---------------------------------------------------------------------------------------------------------- the file


def small():
    """Return a codec, codes and the bytes of its file."""
    known, new = cloud(0)
    codec = Codec(EmpiricalDenoiser().fit(known), shape=(3, 2), n_steps=5, n_codes=6, n_atoms=2, coefficient_bits=2)
    codes = codec.encode(new[:3].reshape(-1, 3, 2))
    return codec, codes, codec.to_bytes(codes)


def test_the_file_by_hand():
    codec, codes, data = small()
    assert data[:8] == b"\x89DDCM\r\n\x1a"
    head = struct.unpack_from("<HHQIIHHBQ16s2I", data, 8)
    assert head == (1, 2, 3, 5, 6, 2, 2, 0, 0, codec.fingerprint(), 3, 2)
    bits = "".join(f"{a:03b}{b:03b}{c:02b}" for a, b, c in codes.reshape(-1, 3))
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert data[-16 - len(body):-16] == body
    assert len(data) == 8 + struct.calcsize("<HHQIIHHBQ16s2I") + len(body) + 16 == 73 + 8 + len(body)
    np.testing.assert_array_equal(codec.from_bytes(bytearray(data)), codes)


def test_indices_of_more_than_two_bytes_are_kept():
    codec = Codec(lambda x, sigma: 0 * x, shape=1, n_steps=3, n_codes=70_000)
    codes = np.array([[[69_999], [65_536]], [[65_535], [0]]])
    assert codec.bits == 2 * 17
    np.testing.assert_array_equal(codec.from_bytes(codec.to_bytes(codes)), codes)
    codec, codes = Codec(codec.denoiser, shape=1, n_steps=2, n_codes=2), codes[:, :1] % 2  # and of one bit
    np.testing.assert_array_equal(codec.from_bytes(codec.to_bytes(codes)), codes)


def test_a_file_that_is_cut_anywhere_is_refused():
    codec, _, data = small()
    for end in range(len(data)):
        with pytest.raises(ValueError, match=f"^the file is cut short: it has {end} bytes, and must have "):
            codec.from_bytes(data[:end])


def test_a_file_that_is_altered_anywhere_is_refused():
    codec, _, data = small()
    said = set()
    for place, mask in product(range(len(data)), (1, 128, 255)):
        spoilt = bytearray(data)
        spoilt[place] ^= mask
        with pytest.raises(ValueError, match=r"^(the file|the data) ") as caught:
            codec.from_bytes(spoilt)
        said.add(re.sub(r"\d+", "#", str(caught.value)[:30]))
    assert len(said) >= 4, said
    with pytest.raises(ValueError, match=f"^the file is damaged: its header says {len(data)} bytes, and it has "
                                         f"{len(data) + 1}$"):
        codec.from_bytes(data + b"\0")


def test_what_is_no_file_of_a_codec_is_refused(tmp_path):
    codec, _, data = small()
    with pytest.raises(ValueError, match=re.escape(r"the data are no file of a codec: they begin with b'\x89PNG\r\n"
                                                   r"\x1a\n'")):
        codec.from_bytes(b"\x89PNG\r\n\x1a\n and so on")
    with pytest.raises(ValueError, match=r"^the file must be of version 1, got version 2, or the file is damaged$"):
        codec.from_bytes(data[:8] + b"\2\0" + data[10:])
    with pytest.raises(TypeError, match=r"^data must be bytes, got str$"):
        codec.from_bytes("text")
    with pytest.raises(FileNotFoundError):
        codec.load(tmp_path / "nothing")


@pytest.mark.parametrize(("changed", "words"), [
    ({"shape": (2, 3)}, "shape=(3, 2), this codec has shape=(2, 3)"),
    ({"n_steps": 6}, "n_steps=5, this codec has n_steps=6"),
    ({"n_codes": 7}, "n_codes=6, this codec has n_codes=7"),
    ({"n_atoms": 3}, "n_atoms=2, this codec has n_atoms=3"),
    ({"coefficient_bits": 3}, "coefficient_bits=2, this codec has coefficient_bits=3"),
    ({"shared": True}, "shared=False, this codec has shared=True"),
    ({"seed": 1}, "seed=0, this codec has seed=1"),
])
def test_a_file_of_another_codec_is_refused(changed, words):
    codec, _, data = small()
    options = {"shape": (3, 2), "n_steps": 5, "n_codes": 6, "n_atoms": 2, "coefficient_bits": 2} | changed
    with pytest.raises(ValueError, match="^" + re.escape(f"the file was written with {words}") + "$"):
        Codec(codec.denoiser, **options).from_bytes(data)


def test_a_file_of_another_denoiser_or_schedule_is_refused():
    codec, _, data = small()
    options = {"shape": (3, 2), "n_steps": 5, "n_codes": 6, "n_atoms": 2, "coefficient_bits": 2}
    moved = codec.denoiser.keys_.copy()
    moved[7, 3] += 1e-9
    words = ("^the file was written with another denoiser or schedule, or where numbers are computed another way: its "
             "fingerprint is not this codec's$")
    for other in (Codec(EmpiricalDenoiser().fit(moved), **options), Codec(codec.denoiser, schedule="cosine", **options),
                  Codec(EmpiricalDenoiser(prior="gaussian").fit(codec.denoiser.keys_), **options)):
        with pytest.raises(ValueError, match=words):
            other.from_bytes(data)
    # One that differs at the last step alone, and a schedule that such a denoiser does not notice.
    def half(x, sigma):
        return 0.5 * x

    def third_at_last(x, sigma):
        return x / 3 if sigma < 0.02 else 0.5 * x

    def nothing(x, sigma):
        return 0 * x

    one, other = (Codec(denoiser, shape=6, n_steps=5, n_codes=8) for denoiser in (half, third_at_last))
    with pytest.raises(ValueError, match=words):
        other.from_bytes(one.to_bytes(np.zeros((1, 4, 1), int)))
    one, other = (Codec(nothing, shape=6, n_steps=5, n_codes=8, schedule=schedule) for schedule in ("linear", "cosine"))
    with pytest.raises(ValueError, match=words):
        other.from_bytes(one.to_bytes(np.zeros((1, 4, 1), int)))
    # Who encodes by another rule decodes alike.
    one = Codec(codec.denoiser, shape=6, n_steps=5, n_codes=8, rule="argmin")
    other = Codec(codec.denoiser, shape=6, n_steps=5, n_codes=8, rule="importance")
    assert one.fingerprint() == other.fingerprint()
    other.from_bytes(one.to_bytes(np.zeros((1, 4, 1), int)))


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    codec, codes, data = small()
    codec.save(tmp_path / "file", codes)
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match=r"^no room$"):
        codec.save(tmp_path / "file", codes[:1])
    assert (tmp_path / "file").read_bytes() == data
    assert len(list(tmp_path.iterdir())) == 1


def test_a_fingerprint_is_of_all_answers_on_the_way_of_codes_drawn_with_the_seed():
    known, _ = cloud(1)
    answers = []

    def recorded(x, sigma):
        answers.append(kernel_density(known, 0.5)(x, sigma))
        return answers[-1]

    codec = Codec(recorded, shape=6, n_steps=7, n_codes=9, n_atoms=2, seed=5)
    found = codec.fingerprint()
    first = list(answers)
    answers.clear()
    codes = np.zeros((1, 6, 3), int)  # the further atom plays no part
    codes[0, :, 0] = np.random.Generator(np.random.Philox(key=np.array([5, 1 << 63], np.uint64))).integers(9, size=6)
    codec.decode(codes)
    np.testing.assert_array_equal(first, answers)
    assert found == sha256(codec.levels.tobytes() + np.array(answers).tobytes()).digest()[:16]


# --------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("options", "kind", "words"), [
    ({"denoiser": 3}, TypeError, "denoiser must be a function of (x, sigma), got int"),
    ({"shape": None}, ValueError, "shape must be given for a denoiser without n_features_in_, got None"),
    ({"shape": ()}, ValueError, "shape must have one axis at least, got ()"),
    ({"shape": (2, 0)}, ValueError, "each number of shape must be an integer of at least 1, got 0"),
    ({"n_steps": 1}, ValueError, "n_steps must be an integer of at least 2, got 1"),
    ({"n_steps": 1001}, ValueError, "n_steps must be at most 1000 for the linear schedule, got 1001"),
    ({"n_codes": 0}, ValueError, "n_codes must be an integer of at least 1, got 0"),
    ({"n_atoms": True}, ValueError, "n_atoms must be an integer of at least 1, got True"),
    ({"coefficient_bits": 17}, ValueError, "n_steps and n_codes must be at most 2**24, n_atoms at most 1000, "
                                           "coefficient_bits at most 16, got 50, 256, 1 and 17"),
    ({"n_codes": (1 << 24) + 1}, ValueError, "n_steps and n_codes must be at most 2**24, n_atoms at most 1000, "
                                             "coefficient_bits at most 16, got 50, 16777217, 1 and 3"),
    ({"n_atoms": 1001}, ValueError, "n_steps and n_codes must be at most 2**24, n_atoms at most 1000, "
                                    "coefficient_bits at most 16, got 50, 256, 1001 and 3"),
    ({"n_steps": 10**10, "schedule": "cosine"}, ValueError,
     "n_steps and n_codes must be at most 2**24, n_atoms at most 1000, coefficient_bits at most 16, got 10000000000, "
     "256, 1 and 3"),
    ({"shared": "no"}, TypeError, "shared must be True or False, got 'no'"),
    ({"rule": "best"}, ValueError, "rule must be one of 'argmax', 'argmin', 'importance', got 'best'"),
    ({"n_atoms": 2, "rule": "argmin"}, ValueError, "n_atoms=2 goes with rule='argmax' alone, got rule='argmin'"),
    ({"seed": -1}, ValueError, "seed must be an integer from 0 to 2**64 - 1, got -1"),
    ({"seed": 1 << 64}, ValueError, f"seed must be an integer from 0 to 2**64 - 1, got {1 << 64}"),
    ({"schedule": "square"}, ValueError, "schedule must be one of 'linear', 'cosine', got 'square'"),
    ({"n_steps": 3, "schedule": [0.9, 0.5]}, ValueError, "schedule must be 'linear' or 'cosine', or n_steps=3 falling "
                                                         "numbers in (0, 1), got an array of shape (2,) from 0.9 to "
                                                         "0.5"),
    ({"n_steps": 2, "schedule": [0.5, 0.5]}, ValueError, "schedule must be 'linear' or 'cosine', or n_steps=2 falling "
                                                         "numbers in (0, 1), got an array of shape (2,) from 0.5 to "
                                                         "0.5"),
    *(({"n_steps": len(levels), "schedule": levels}, ValueError,
       f"schedule must be 'linear' or 'cosine', or n_steps={len(levels)} falling numbers in (0, 1), got an array of "
       f"shape ({len(levels)},) from {levels[0]:g} to {levels[-1]:g}")
      for levels in ([0.9, 0.5, 0.5, 0.2], [0.9, 0.2, 0.5, 0.1], [0.2, 0.5], [1.0, 0.5], [1.5, 0.5], [0.5, 0.0])),
])
def test_a_bad_codec_is_refused(options, kind, words):
    arguments = {"denoiser": lambda x, sigma: x, "shape": 2} | options
    with pytest.raises(kind, match="^" + re.escape(words) + "$"):
        Codec(arguments.pop("denoiser"), **arguments)


def test_the_largest_codec_is_made():
    codec = Codec(abs, shape=1, n_codes=1 << 24, n_atoms=1000, coefficient_bits=16, seed=(1 << 64) - 1)
    assert codec.bits == 49 * (1000 * 24 + 999 * 16)
    drawn = Codec(lambda x, sigma: 0 * x, shape=1, n_steps=3, n_codes=1000).generate(4, seed=0).codes
    assert drawn.ravel().tolist() == np.random.default_rng(0).integers(1000, size=8).tolist()
    large = Codec(lambda x, sigma: 0 * x, shape=1, n_steps=2, n_codes=3, seed=(1 << 64) - 1)
    np.testing.assert_array_equal(large.codebook(2), book((1 << 64) - 1, 2, 3, 1))


def test_a_shape_must_fit_the_denoiser():
    denoiser = EmpiricalDenoiser().fit(np.eye(6))
    with pytest.raises(ValueError, match="^shape must be of as many numbers as the denoiser has features, 6, got "
                                         r"\(2, 2\)$"):
        Codec(denoiser, shape=(2, 2))


@pytest.mark.parametrize(("ask", "kind", "words"), [
    (lambda c: c.encode(np.zeros((0, 2))), ValueError,
     "pictures must have shape (n_pictures, 2), one at least, got (0, 2)"),
    (lambda c: c.encode([[1.0, 2.0, 3.0]]), ValueError,
     "pictures must have shape (n_pictures, 2), one at least, got (1, 3)"),
    (lambda c: c.encode([[1.0, np.nan]]), ValueError,
     "pictures must be finite, got 1 NaN or infinite value in an array of shape (1, 2)"),
    (lambda c: c.decode([[[0.0], [1.0]]]), TypeError, "codes must be integers, got dtype float64"),
    (lambda c: c.decode([[[0]]]), ValueError,
     "codes must have shape (n_pictures, 2, 1), one picture at least, got (1, 1, 1)"),
    (lambda c: c.decode([[[0], [4]]]), ValueError, "codes must have indices from 0 to 3, got 0 to 4"),
    (lambda c: c.to_bytes([[[0], [-1]]]), ValueError, "codes must have indices from 0 to 3, got -1 to 0"),
    (lambda c: c.generate(0), ValueError, "n_pictures must be an integer of at least 1, got 0"),
    (lambda c: c.generate(1, seed=-1), ValueError,
     "seed must be an integer of at least 0, a Generator or None, got -1"),
    (lambda c: c.generate(1, seed="one"), ValueError,
     "seed must be an integer of at least 0, a Generator or None, got 'one'"),
    (lambda c: c.encode([[1.7e308, -1.7e308]]), ValueError,
     "pictures, or what is measured of them, must be within 1e+200 of the denoiser's answers, got some that are "
     "farther"),
    (lambda c: c.restore([[1e200, 0.0]], 1e200 * np.eye(2)), ValueError,
     "pictures, or what is measured of them, must be within 1e+200 of the denoiser's answers, got some that are "
     "farther"),
    (lambda c: c.codebook(1), ValueError, "step must be an integer of at least 2, got 1"),
    (lambda c: c.codebook(4), ValueError, "step must be at most n_steps=3, got 4"),
    (lambda c: c.restore([[1.0]], np.eye(3)), ValueError, "operator must have shape (n_measured, 2), got (3, 3)"),
    (lambda c: c.restore([[1.0]], np.eye(2)), ValueError,
     "measured must have shape (n_pictures, 2), one at least, got (1, 1)"),
    (lambda c: c.restore([[1.0]], [[np.inf, 0.0]]), ValueError,
     "operator must be finite, got 1 NaN or infinite value in an array of shape (1, 2)"),
    (lambda c: Codec(c.denoiser, shape=2, n_atoms=2, n_steps=2, n_codes=4).decode([[[0, 1, 8]]]), ValueError,
     "codes must have coefficients from 0 to 7, got 8 to 8"),
    (lambda c: Codec(lambda x, s: x[:, :1], shape=2, n_steps=2).generate(1), ValueError,
     "the denoiser must return an array of the shape of the points, (1, 2), got (1, 1) at sigma=157.407"),
    (lambda c: Codec(lambda x, s: x * np.nan, shape=2, n_steps=2).generate(1), ValueError,
     "the denoiser must return finite floating numbers, got others at sigma=157.407"),
    (lambda c: known_pixels([1, 0]), TypeError, "mask must be of truth values, got dtype int64"),
    (lambda c: known_pixels([False, False]), ValueError, "mask must be True at one pixel at least, got none among 2"),
    (lambda c: block_means((4, 3)), ValueError, "shape must be two positive multiples of box=2, got (4, 3)"),
    (lambda c: block_means((4.0, 4)), ValueError, "shape must be two positive multiples of box=2, got (4.0, 4)"),
    (lambda c: block_means(4), ValueError, "shape must be two positive multiples of box=2, got 4"),
    (lambda c: block_means("44"), ValueError, "shape must be two positive multiples of box=2, got '44'"),
    (lambda c: block_means((0, 4)), ValueError, "shape must be two positive multiples of box=2, got (0, 4)"),
    (lambda c: payload_bits(1, 4), ValueError, "n_steps must be an integer of at least 2, got 1"),
    (lambda c: signal_levels(5, "square"), ValueError, "kind must be one of 'linear', 'cosine', got 'square'"),
])
def test_bad_input_is_refused(ask, kind, words):
    with pytest.raises(kind, match="^" + re.escape(words) + "$"):
        ask(Codec(lambda x, sigma: 0.5 * x, shape=2, n_steps=3, n_codes=4))


def test_operators_have_a_column_for_each_pixel():
    assert known_pixels([True, False, False]).shape == (1, 3)
    np.testing.assert_array_equal(block_means((1, 3), 1).toarray(), np.eye(3))


def test_the_room_has_its_names():
    assert set(ddcm.__all__) == {"Codec", "Coded", "block_means", "known_pixels", "payload_bits", "signal_levels"}
    assert repr(Codec(abs, shape=2, n_codes=4)) == (
        "Codec(<built-in function abs>, shape=(2,), n_steps=50, n_codes=4, n_atoms=1, coefficient_bits=3, "
        "rule='argmax', shared=False, seed=0)")


def test_numbers_of_numpy_are_numbers():
    whole = Codec(abs, shape=np.int64(2), n_steps=np.int8(127), n_codes=np.uint8(4), n_atoms=np.int8(1),
                  coefficient_bits=np.uint8(3), shared=np.bool_(False), schedule="cosine", seed=np.int64(0))
    plain = Codec(abs, shape=2, n_steps=127, n_codes=4, schedule="cosine")
    assert repr(whole) == repr(plain) and whole.bits == plain.bits == 126 * 2
    np.testing.assert_array_equal(whole.levels, plain.levels)
