"""What the page on fuzzy inference checks."""

import itertools
import warnings

import numpy as np
from scipy.interpolate import RegularGridInterpolator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

import locmethods as lm
from locmethods import fuzzy
from locmethods.companion import at_least, at_most, claim, datasets, order, same
from locmethods.kernels import Gaussian


@claim("I1", kind="identity", sources=("takagi1985", "jang1993b", "wang1992"))
def rules_are_keys(seed=0):
    r"""A Takagi–Sugeno system of order zero with the product for "and" is a local mean of its rules' answers, and with
    Gaussian sets of one width in each feature it is, in features divided by these widths, a normalised radial-basis
    network; with answers that are linear functions it is the local mean of their coefficients, evaluated at the
    query."""
    rng = np.random.default_rng(seed)
    X, widths = rng.uniform(-1.2, 1.2, (60, 2)), 0.5 / (2 * np.sqrt(2 * np.log(2))) * np.array([1, 2])
    sets = [fuzzy.partition(-1.0, 1.0, 5, "gaussian"), fuzzy.partition(-1.0, 1.0, 3, "gaussian")]
    rules = np.array(list(itertools.product(range(5), range(3))))
    centers = np.array(list(itertools.product(np.linspace(-1, 1, 5), np.linspace(-1, 1, 3))))
    answers = rng.normal(size=15)
    units = ((X[:, None] - centers) / widths) ** 2  # (60, 15, 2)
    network, softest = np.exp(-units.sum(-1) / 2), np.exp(-units.max(-1) / 2)
    wanted = network @ answers / network.sum(1)
    yield same("a grid of rules", fuzzy.takagi_sugeno(X, sets, rules, answers), wanted, within=1e-12,
               because="fifteen weights of order one, each an exponential",
               broken=network @ answers, how="a network that is not normalised")
    yield same("as a local mean", lm.local_mean(X / widths, centers / widths, answers, kernel=Gaussian(1.0)), wanted,
               within=1e-12, because="the same sums",
               broken=softest @ answers / softest.sum(1), how="the least degree in the place of the product")

    uneven = [[fuzzy.GaussianSet(*pair) for pair in zip(rng.normal(size=4), rng.uniform(0.5, 1.0, 4), strict=True)]
              for _ in range(2)]
    rules = np.array(list(itertools.product(range(4), range(4))))
    answers = rng.normal(size=(16, 3))
    logs = [-(((X[:, j, None] - [one.center for one in uneven[j]]) / [one.width for one in uneven[j]]) ** 2) / 2
            for j in range(2)]
    weights = np.exp(logs[0][:, rules[:, 0]] + logs[1][:, rules[:, 1]])
    weights /= weights.sum(1, keepdims=True)
    mean, least = (lm.local_mean(X, rules, answers, kernel=fuzzy.Premise(uneven, conjunction))
                   for conjunction in ("product", "minimum"))
    yield same("sets of unequal widths", mean, weights @ answers, within=1e-12,
               because="sixteen weights of order one, each an exponential",
               broken=least, how="the least degree in the place of the product")
    linear = np.sum(weights * (answers[:, 0] + X @ answers[:, 1:].T), axis=1)
    first = (answers[:, 0] + X @ answers[:, 1:].T)[np.arange(60), weights.argmax(1)]
    yield same("linear answers", fuzzy.takagi_sugeno(X, uneven, rules, answers), linear, within=1e-12,
               because="sixteen weights of order one, each an exponential",
               broken=first, how="the answer of the rule that fires most")

    patients, progress = datasets.diabetes()
    patients = patients[:, [2, 3, 8]]
    chosen = rng.permutation(len(patients))[:200]
    model = lm.TakagiSugenoRegressor(n_rules=5, random_state=0).fit(patients[chosen], progress[chosen])
    gaps = [(patients[:, j, None] - [one.center for one in known]) / [one.width for one in known]
            for j, known in enumerate(model.sets_)]
    fired = np.exp(-sum(gap**2 for gap in gaps) / 2)
    fired /= fired.sum(1, keepdims=True)
    each = model.consequents_[:, 0] + patients @ model.consequents_[:, 1:].T
    yield same("a fitted system", model.predict(patients), np.sum(fired * each, axis=1), relative=1e-9,
               because="coefficients of a few hundred, summed in another order",
               broken=each[np.arange(len(each)), fired.argmax(1)], how="the answer of the rule that fires most")
    yield same("how much its rules count", model.firing(patients), fired, within=1e-12,
               because="five exponentials, normalised",
               broken=np.exp(-sum(gap**2 for gap in gaps) / 2), how="firing that is not normalised")

    known = [np.linspace(column.min(), column.max(), 3) for column in patients[chosen].T]
    levels = np.linspace(progress[chosen].min(), progress[chosen].max(), 5)
    table, late = table_from_data(patients[chosen], progress[chosen], known, levels)
    model = lm.TakagiSugenoRegressor("wang-mendel").fit(patients[chosen], progress[chosen])
    asked = patients[chosen][:50]
    yield same("rules found in data", model.predict(asked), center_average(asked, known, table), relative=1e-9,
               because="a mean of a few dozen peaks",
               broken=center_average(asked, known, late), how="the last sample of a cell in the place of the best")


def hats(x, peaks):
    """Return the degrees of numbers in triangles that share a line among them, of shape (n, n_peaks)."""
    return np.array([np.interp(x, peaks, unit) for unit in np.eye(len(peaks))]).T


def table_from_data(X, y, known, levels):
    """Return the rules of Wang and Mendel as {cell: answer}, and what they were if the last sample spoke, by a loop."""
    best, last = {}, {}
    for x, target in zip(X, y, strict=True):
        degrees = [hats(value, peaks) for value, peaks in zip([*x, target], [*known, levels], strict=True)]
        *cell, answer = (int(each.argmax()) for each in degrees)
        quality = np.prod([each.max() for each in degrees])
        last[tuple(cell)] = levels[answer]
        if quality > best.get(tuple(cell), (0, 0))[0]:
            best[tuple(cell)] = quality, levels[answer]
    return {cell: answer for cell, (_, answer) in best.items()}, last


def center_average(X, known, table):
    """Return the mean of a table's answers, weighted by products of degrees."""
    degrees = [hats(column, peaks) for column, peaks in zip(X.T, known, strict=True)]
    weights = {cell: np.prod([each[:, number] for each, number in zip(degrees, cell, strict=True)], axis=0)
               for cell in table}
    return sum(weights[cell] * table[cell] for cell in table) / sum(weights.values())


@claim("I2", kind="identity", sources=("kosko1994",))
def sums_and_products_are_a_local_mean(seed=0):
    r"""If rules fire by the product, scale their output sets and are summed, the centroid of the sum is
    $\sum_r w_r V_r c_r / \sum_r w_r V_r$, where $V_r$ is the area and $c_r$ the centroid of the rule's output set: a
    local mean with the weights $w_r V_r$."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (40, 2))
    corners = np.sort(rng.uniform(-3, 3, (3, 3)), axis=1)
    output = {name: fuzzy.TriangularSet(*row) for name, row in zip("abc", corners, strict=True)}
    answers = rng.permuted(np.repeat([[0, 1, 2]], 3, axis=0), axis=1)  # each set in every row of the table
    system, table = three_by_three(output, answers, "sum-product")
    cut, _ = three_by_three(output, answers, "max-min")
    fired = np.prod([hats(X[:, j], np.linspace(-1, 1, 3))[:, table[:, j]] for j in range(2)], axis=0)  # (40, 9)
    area, center = (corners[:, 2] - corners[:, 0]) / 2, corners.mean(1)
    weights = fired * area[answers.ravel()]
    yield same("weights with areas", system.predict(X), weights @ center[answers.ravel()] / weights.sum(1),
               within=1e-12, because="nine products of order one",
               broken=fired @ center[answers.ravel()] / fired.sum(1), how="weights without the areas")
    z = np.linspace(-3, 3, 30001)
    shapes = np.array([triangle(z, *row) for row in corners])
    joined = fired @ shapes[answers.ravel()]
    yield same("the area itself", system.predict(X), joined @ z / joined.sum(1), within=1e-5,
               because="a grid of step 2·10⁻⁴, whose square counts, by sets that may be steep",
               broken=cut.predict(X), how="sets that are cut, and joined by the maximum")
    yield same("how far rules fire", system.firing(X), fired, within=1e-14, because="one product",
               broken=cut.firing(X), how="the least degree in the place of the product")


def three_by_three(output, answers, inference, copies=1):
    """Return a system of nine rules, the first said so many times, and the table of its premises."""
    names, table = ("left", "middle", "right"), np.array(list(itertools.product(range(3), range(3))))
    inputs = {name: dict(zip(names, fuzzy.partition(-1.0, 1.0, 3), strict=True)) for name in ("x", "y")}
    said = list(output)
    rules = [f"if x is {names[i]} and y is {names[j]} then z is {said[answers[i, j]]}" for i, j in table]
    rules = [rules[0]] * (copies - 1) + rules
    return fuzzy.MamdaniSystem(inputs, {"z": output}, rules, inference=inference, resolution=1001), table


def triangle(z, left, peak, right):
    """Return a triangle at places z."""
    return np.interp(z, [left, peak, right], [0.0, 1.0, 0.0])


@claim("I3", kind="identity", sources=("ruspini1969",))
def triangles_interpolate(seed=0):
    """If triangles share each feature's line among them, so that the degrees sum to one, and there is a rule for every
    combination, a system of order zero is the piecewise linear interpolation of its answers, and in several features,
    with the product for "and", the multilinear one."""
    rng = np.random.default_rng(seed)
    places, other = np.linspace(-1, 2, 6), np.linspace(0, 5, 4)
    line, across = fuzzy.partition(-1.0, 2.0, 6), fuzzy.partition(0.0, 5.0, 4)
    soft = fuzzy.partition(-1.0, 2.0, 6, "gaussian")
    yield same("every combination", fuzzy.grid_rules([line, across]), list(itertools.product(range(6), range(4))),
               because="numbers of sets are equal or they are not",
               broken=fuzzy.grid_rules([across, line])[:, ::-1], how="the features in the wrong order")
    x = rng.uniform(-2, 3, 80)
    shares = np.array([one.degree(x) for one in line])
    yield same("the sets", shares.T, hats(x, places), within=1e-14, because="one quotient",
               broken=np.array([one.degree(x) for one in soft]).T, how="Gaussian sets")
    answers, rules = rng.normal(size=6), np.arange(6)[:, None]
    yield same("one feature", fuzzy.takagi_sugeno(x[:, None], [line], rules, answers), np.interp(x, places, answers),
               within=1e-13, because="two weights of order one, taken through their logarithms",
               broken=fuzzy.takagi_sugeno(x[:, None], [soft], rules, answers), how="Gaussian sets")
    values = rng.normal(size=(6, 4))
    X = np.column_stack([rng.uniform(-1, 2, 80), rng.uniform(0, 5, 80)])
    rules = np.array(list(itertools.product(range(6), range(4))))
    yield same("two features", fuzzy.takagi_sugeno(X, [line, across], rules, values.ravel()),
               RegularGridInterpolator((places, other), values)(X), within=1e-13,
               because="four weights of order one, taken through their logarithms",
               broken=fuzzy.takagi_sugeno(X, [soft, across], rules, values.ravel()),
               how="Gaussian sets in one of the features")


@claim("I4", kind="counter-example", sources=("mamdani1975",))
def minima_and_maxima_are_no_local_mean(seed=0):
    """If rules fire by the minimum, cut their sets and are joined by the maximum, the centroid is no local mean in
    which each rule has a weight and a value of its own: a rule that is said twice changes nothing, and the answer is
    not affine in the place of one rule's output set."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (40, 2))
    output = {name: fuzzy.TriangularSet(peak - 1, peak, peak + 1) for name, peak in zip("abc", (-2, 0, 2), strict=True)}
    answers = rng.permuted(np.repeat([[0, 1, 2]], 3, axis=0), axis=1)
    (once, table), (twice, _) = (three_by_three(output, answers, "max-min", copies) for copies in (1, 2))
    (mean, _), (doubled, _) = (three_by_three(output, answers, "sum-product", copies) for copies in (1, 2))
    z = np.linspace(-3, 3, 6001)
    degrees = [hats(X[:, j], np.linspace(-1, 1, 3))[:, table[:, j]] for j in range(2)]
    joined = np.zeros((40, len(z)))
    for number, said in enumerate(answers.ravel()):
        height = np.minimum(degrees[0][:, number], degrees[1][:, number])
        joined = np.maximum(joined, np.minimum(height[:, None], triangle(z, 2.0 * said - 3, 2.0 * said - 2,
                                                                         2.0 * said - 1)))
    yield same("max–min, by a loop", once.predict(X), joined @ z / joined.sum(1), within=1e-4,
               because="steps of 10⁻³ and 6·10⁻³, whose squares count",
               broken=mean.predict(X), how="sums and products")
    yield same("a rule said twice", twice.predict(X), once.predict(X), because="the maximum of equals",
               broken=(doubled.predict(X), mean.predict(X)), how="sums and products, a local mean")
    fired = degrees[0] * degrees[1]
    fired = np.column_stack([fired[:, 0], fired])
    peaks = 2.0 * np.append(answers[0, 0], answers.ravel()) - 2
    yield same("of a local mean it changes the weights", doubled.predict(X), fired @ peaks / fired.sum(1), within=1e-12,
               because="ten products of order one", broken=twice.predict(X), how="minima and maxima")

    bend = {name: abs(second_difference(name)) for name in ("max-min", "sum-product")}
    # By hand: the middle place answers 161/242, the outer ones 0 and 91/71.
    yield same("by how much it bends", bend["max-min"], 161 / 121 - 91 / 71, within=1e-4,
               because="steps of up to 4·10⁻³, whose squares count", broken=bend["sum-product"],
               how="sums and products, a local mean")
    yield same("while a local mean is", bend["sum-product"], 0, within=1e-12,
               because="three quotients of order one", broken=bend["max-min"], how="minima and maxima")


def second_difference(inference):
    """Return by how far the answer at one input bends when one rule's output set is moved in two equal steps."""
    both = dict(zip(("low", "high"), fuzzy.partition(0.0, 1.0, 2), strict=True))
    answers = []
    for peak in (0.0, 1.0, 2.0):
        output = {"still": fuzzy.TriangularSet(-1, 0, 1), "moved": fuzzy.TriangularSet(peak - 1, peak, peak + 1)}
        system = fuzzy.MamdaniSystem({"x": both}, {"z": output},
                                     ["if x is low then z is still", "if x is high then z is moved"],
                                     inference=inference, resolution=1001)
        answers.append(system.predict([[0.7]])[0])
    return answers[0] - 2 * answers[1] + answers[2]


@claim("I5", kind=("counter-example", "identity", "monotone"), sources=("yen1998", "nelles2001", "jang1993"))
def local_lines_are_not_global_ones(seed=0):
    r"""The linear answers that fit best *together* and those that fit best *one by one*, each weighted by its rule's
    firing, are different: the first leave the smaller error on the sample, the second are near the tangents of a smooth
    function if the sets are narrow; and training the sets besides never raises the error on the sample."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 1, 300))[:, None]
    y = np.sin(2 * np.pi * x[:, 0]) + 0.1 * rng.normal(size=300)
    together = lm.TakagiSugenoRegressor("grid", n_sets=7).fit(x, y)
    alone = lm.TakagiSugenoRegressor("grid", n_sets=7, consequents="local").fit(x, y)
    centers, width = np.linspace(x.min(), x.max(), 7), np.ptp(x) / 6 / (2 * np.sqrt(2 * np.log(2)))
    firing = np.exp(-(((x - centers) / width) ** 2) / 2)
    firing /= firing.sum(1, keepdims=True)
    design = np.hstack([firing, firing * (x - 0.5)])
    found = np.linalg.lstsq(design, y, rcond=None)[0]
    yield same("together", together.predict(x), design @ found, within=1e-8,
               because="two solvers of a problem of condition up to 10⁴", broken=alone.predict(x), how="one by one")
    lines = [LinearRegression().fit(x, y, sample_weight=column) for column in firing.T]
    wanted = np.array([[line.intercept_, line.coef_[0]] for line in lines])
    yield same("one by one", alone.consequents_, wanted, relative=1e-8, within=1e-8,
               because="two solvers of seven problems of condition up to 10³",
               broken=together.consequents_, how="all together")
    errors = [np.sqrt(np.mean((model.predict(x) - y) ** 2)) for model in (together, alone)]
    one_by_one = np.sum(firing * (wanted[:, 0] + x * wanted[:, 1]), axis=1)
    least = np.sqrt(np.mean((y - design @ found) ** 2))
    yield at_most("together fits better", errors[0], 0.98 * np.sqrt(np.mean((y - one_by_one) ** 2)),
                  because="two hundredths of the error, of which more is lost",
                  broken=(errors[1], least), how="lines that were fitted one by one")
    apart = abs(together.consequents_[:, 1] - alone.consequents_[:, 1]).max()
    yield at_least("slopes apart", apart, 1.0, because="a sixth of the function's steepest slope, 2π",
                   broken=abs(wanted[:, 1] - alone.consequents_[:, 1]).max(), how="lines that were fitted one by one")

    smooth = np.sin(2 * np.pi * x[:, 0])
    fine = {kind: lm.TakagiSugenoRegressor("grid", n_sets=15, consequents=kind).fit(x, smooth)
            for kind in ("local", "global")}
    inner, tangents = slice(1, -1), 2 * np.pi * np.cos(2 * np.pi * np.linspace(x.min(), x.max(), 15))
    yield same("tangents", fine["local"].consequents_[inner, 1], tangents[inner], within=0.35,
               because="the third derivative times half the square of the sets' width, and uneven samples",
               broken=fine["global"].consequents_[inner, 1], how="lines that were fitted together")

    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # that it goes on is no matter here
        trained = lm.TakagiSugenoRegressor("grid", n_sets=3, order=0, training="hybrid", max_iter=15).fit(x, y)
    curve = trained.loss_curve_
    narrowed = [least_squares_loss(x, y, 3 * width / 2**step) for step in range(4)]
    yield at_most("training", curve[1:], curve[:-1], because="a step that raises the error is not taken",
                  broken=(narrowed[1:], narrowed[:-1]), how="sets that are made narrower whatever comes of it")
    yield same("where it ends", curve[-1], np.mean((trained.predict(x) - y) ** 2), relative=1e-9,
               because="one error by two routes",
               broken=curve[0], how="sets that stay where they were")


def least_squares_loss(x, y, width):
    """Return the mean squared error of three Gaussian rules of order zero, their answers by least squares."""
    firing = np.exp(-(((x - np.linspace(x.min(), x.max(), 3)) / width) ** 2) / 2)
    firing /= firing.sum(1, keepdims=True)
    return np.mean((y - firing @ np.linalg.lstsq(firing, y, rcond=None)[0]) ** 2)


@claim("I6", kind="order", sources=("deboor1978", "waldron2009"))
def errors_fall_with_the_square(seed=0):
    r"""On a grid of $m$ triangles the greatest error for a function with three continuous derivatives is of order
    $m^{-2}$ for answers that are its values at the peaks, and for answers that are its tangents there, with the same
    constant; for lines through its values with *half* of its slopes it is of order $m^{-3}$."""
    shift = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    counts, x = np.array([9, 17, 33, 65, 129]), np.linspace(0, 1, 5001)[:, None]
    errors = {"values": [], "tangents": [], "half of the slope": [], "nearest": []}
    for m in counts:
        sets, peaks, rules = [fuzzy.partition(0.0, 1.0, int(m))], np.linspace(0, 1, m), np.arange(m)[:, None]
        value, slope = np.sin(2 * np.pi * peaks + shift), 2 * np.pi * np.cos(2 * np.pi * peaks + shift)
        fits = {name: fuzzy.takagi_sugeno(x, sets, rules, np.column_stack([value - share * slope * peaks,
                                                                           share * slope]))
                for name, share in (("values", 0.0), ("tangents", 1.0), ("half of the slope", 0.5))}
        fits["nearest"] = value[np.rint(x[:, 0] * (m - 1)).astype(int)]
        for name, fit in fits.items():
            errors[name].append(abs(fit - np.sin(2 * np.pi * x[:, 0] + shift)).max())
    steps = 1 / (counts - 1)
    for name, power in (("values", 2), ("tangents", 2), ("half of the slope", 3)):
        yield order(name, steps, errors[name], power, within=0.05,
                    because="the worst place is up to half a cell from where the derivative is greatest, which costs "
                            "(π/(m − 1))²/2 of it",
                    broken=errors["nearest"], how="sets with sharp edges, of which only one has weight")
    powers, frequency = np.array([2, 2, 3]), 2 * np.pi
    found = [errors[name][-1] for name in ("values", "tangents", "half of the slope")] / steps[-1] ** powers
    # t(1 − t)/2 is at most 1/8, and t(1 − t)(1 − 2t)/12 at most √3/216.
    yield same("the constants", found, np.array([1 / 8, 1 / 8, np.sqrt(3) / 216]) * frequency**powers, relative=0.01,
               because="the worst place is never far from where a derivative is greatest",
               broken=errors["nearest"][-1] / steps[-1] ** powers, how="sets with sharp edges")
