"""The benchmark's own conduct: answers are compared before times, and what is committed is whole."""

import json

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import out_of_core
from benchmarks.row import Row
from benchmarks.rows import ROWS
from locmethods.companion.build.figures import Table, as_csv
from locmethods.companion.drawings import cost


def committed():
    return json.loads(bench.RESULTS.read_text())["rows"]


def test_every_row_was_run_and_is_committed():
    results = json.loads(bench.RESULTS.read_text())
    assert list(results["rows"]) == list(ROWS)
    for name, row in results["rows"].items():
        assert row["title"] == ROWS[name].title and list(row["contenders"]) == list(ROWS[name].contenders)
        assert row["contenders"]["locmethods"]["ratio"] == 1
        assert all(found["seconds"] > 0 and found["peak_bytes"] > 2**20 for found in row["contenders"].values())


def test_mean_shift_is_as_much_faster_as_was_asked():
    rows = committed()
    for name, least in (("seeds-wide", 30), ("seeds-narrow", 30), ("bins-wide", 5), ("bins-narrow", 5)):
        assert rows[f"meanshift-{name}"]["contenders"]["scikit-learn"]["ratio"] >= least
    assert rows["meanshift-photograph"]["contenders"]["locmethods"]["seconds"] < 60


def test_local_means_are_faster_than_every_peer_and_near_the_limit():
    # scikit-learn's dense route; torch's attention, through the matrix and fused; KeOps. The limit is the longer of
    # two parts alone: where vectors are long torch's exponentials are quick, and in 16-D both take as long.
    for d, share, least in ((3, 0.5, (15, 8, 2, 4)), (16, 0.35, (15, 8, 1.5, 4)), (64, 0.5, (15, 6, 1.5, 4))):
        row = committed()[f"local-mean-{d}"]
        ours, *peers = row["contenders"].values()
        assert [peer["ratio"] >= times for peer, times in zip(peers, least, strict=True)] == [True] * 4
        assert row["limit_seconds"] / ours["seconds"] >= share
    for name in ("laplace-3", "laplace-16", "cauchy-16", "epanechnikov-3", "epanechnikov-16", "polynomial-16"):
        assert list(committed()[name]["contenders"].values())[1]["ratio"] >= 8


def test_a_million_points_cost_a_hundred_times_what_ten_thousand_cost():
    found = cost.curves({"rows": committed()})
    n, seconds, peak = found["ours, 300 keys in reach"]
    assert n[-1] == 1e6 and seconds[-1] < 10 and peak[-1] < 2 * 2**30
    # All pairs would be 2; what every call costs, great or small, makes the line less steep.
    assert cost.slope(n, seconds) <= 1.2 < 1.4 < cost.slope(*found["ours, all in reach"][:2]) < 2.3
    for size, least in ((100_000, 15), (1_000_000, 20)):
        assert committed()[f"near-{size}"]["contenders"]["scikit-learn's radius graph"]["ratio"] >= least


def test_a_polynomial_in_the_exponentials_place_is_five_times_faster_than_every_pair():
    for d in (3, 8, 16):
        assert committed()[f"wide-{d}"]["contenders"]["locmethods, every pair"]["ratio"] >= 5


def test_gradients_and_local_polynomials_keep_within_what_was_asked():
    assert committed()["gradient"]["contenders"]["locmethods"]["peak_bytes"] < 2**30
    assert committed()["gradient"]["contenders"]["KeOps"]["ratio"] >= 5  # ten were measured
    assert committed()["local-polynomial"]["contenders"]["locmethods"]["seconds"] < 5


def test_leave_one_out_is_not_fitted_again():
    assert committed()["leave-one-out"]["contenders"]["statsmodels' cv_loo"]["ratio"] >= 20


def test_a_width_is_found_faster_than_by_statsmodels():
    assert committed()["width-search"]["contenders"]["statsmodels' KernelReg"]["ratio"] >= 20


def test_fuzzy_inference_is_faster_than_its_peers():
    assert committed()["fuzzy-mamdani"]["contenders"]["scikit-fuzzy's control"]["ratio"] >= 50
    assert committed()["fuzzy-takagi-sugeno"]["contenders"]["NumPy's lstsq, written out"]["ratio"] >= 1


def test_locally_linear_embedding_is_as_much_faster_as_was_asked():
    rows = committed()
    for method, least in (("standard", 1), ("modified", 8), ("hessian", 1), ("ltsa", 8)):
        assert rows[f"lle-{method}"]["contenders"]["scikit-learn"]["ratio"] > least
    assert rows["lle-many"]["contenders"]["locmethods"]["seconds"] < 60


def test_sentences_are_encoded_at_least_as_fast_as_by_sentence_transformers():
    assert committed()["sentences"]["contenders"]["sentence-transformers"]["ratio"] >= 1


def test_the_exact_denoiser_and_its_flow_are_faster_than_a_softmax():
    assert committed()["denoiser"]["contenders"]["torch's softmax, dense"]["ratio"] >= 1.5
    assert committed()["probability-flow"]["contenders"]["torch's softmax, dense, each step"]["ratio"] >= 3


def test_patches_denoise_faster_than_dense_matrices_and_in_a_third_of_their_memory():
    ours, *peers = committed()["denoise-patches"]["contenders"].values()
    assert [peer["ratio"] >= 1.5 and peer["peak_bytes"] >= 3 * ours["peak_bytes"] for peer in peers] == [True, True]


def test_states_of_bits_are_updated_faster_than_in_a_loop_over_states():
    for name in ("asynchronous", "synchronous"):
        assert committed()[f"hopfield-{name}"]["contenders"]["NumPy, a loop over states"]["ratio"] >= 10
    peers = committed()["hopfield-million"]["contenders"]
    assert peers["NumPy's softmax, dense"]["ratio"] >= 2
    assert peers["torch's attention"]["ratio"] >= 0.95  # they take about the same time


def test_few_labels_spread_faster_than_in_scikit_learn_and_many_points_in_bounded_memory():
    rows = committed()
    assert rows["propagation"]["contenders"]["scikit-learn"]["ratio"] >= 5
    assert rows["propagation-digits"]["contenders"]["scikit-learn"]["ratio"] >= 1
    for name in ("propagation-100000-neighbours", "propagation-100000"):  # the matrix of all pairs has 80 GB
        assert rows[name]["contenders"]["locmethods"]["peak_bytes"] < 2 * 2**30


def test_a_step_of_the_dense_crf_on_a_photograph_takes_well_under_a_minute():
    # Three sums over all pairs for each Gaussian: the normalisation, the step, and the residual where it ends.
    assert committed()["crf-photograph"]["contenders"]["locmethods"]["seconds"] < 60


def test_non_local_means_are_no_slower_than_scikit_images_fast_ones():
    for name in ("nonlocal-means", "nonlocal-means-colour", "nonlocal-means-single"):
        assert committed()[name]["contenders"]["scikit-image, fast_mode"]["ratio"] >= 1


def test_a_forest_predicts_as_a_local_mean_and_a_metric_is_learned_no_slower():
    rows = committed()
    # A single call drops the sample through all trees too, which the forest did when it was fitted.
    peers = rows["forest-prediction"]["contenders"]
    assert peers["scikit-learn's predict"]["ratio"] >= 0.2
    assert peers["NumPy's proximity matrix, dense"]["ratio"] >= 20
    assert rows["forest-predictions"]["contenders"]["scikit-learn's predict"]["ratio"] >= 0.6
    assert rows["learned-metric"]["contenders"]["scikit-learn's NeighborhoodComponentsAnalysis"]["ratio"] >= 1


def test_stacked_levels_planes_and_experts_are_no_slower_than_matrices_and_loops():
    for name in ("stacked-levels", "lazy-autoencoder", "experts"):
        peers = [found for peer, found in committed()[name]["contenders"].items() if peer != "locmethods"]
        assert all(found["ratio"] >= 1 for found in peers)


def test_projections_are_as_much_faster_as_was_asked():
    rows = committed()
    for name in ("double", "single"):
        assert rows[f"hadamard-{name}"]["contenders"]["NumPy's product with the matrix"]["ratio"] >= 5
    for peer in ("GaussianRandomProjection", "SparseRandomProjection"):
        assert rows["projection-hadamard"]["contenders"][f"scikit-learn's {peer}"]["ratio"] >= 2
    # The same draws and the same product: what the two differ by is what else the machine did.
    assert rows["projection-gaussian"]["contenders"]["scikit-learn's GaussianRandomProjection"]["ratio"] >= 0.8
    assert rows["projection-sparse"]["contenders"]["scikit-learn's SparseRandomProjection"]["ratio"] >= 0.9


def test_whitening_is_about_as_fast_as_its_peers_and_a_stream_of_it_faster():
    rows = committed()
    # All multiply the same matrices; ours are centred first, and the moments of float32 are taken in float64.
    for name in ("whitening", "whitening-single"):
        peers = [found for peer, found in rows[name]["contenders"].items() if peer != "locmethods"]
        assert all(found["ratio"] >= 0.75 for found in peers)
    assert rows["whitening-stream"]["contenders"]["scikit-learn's IncrementalPCA"]["ratio"] >= 2


def task(theirs):
    return Row("a task", lambda: np.arange(300.0), {"locmethods": np.cumsum, "peer": theirs}, np.array_equal, 2)


def in_this_process(name, contender, folder):
    row = ROWS[name]
    return {"seconds": 2.0 if contender == "peer" else 0.5, "peak_bytes": 1}, row.contenders[contender](row.data())


def test_a_ratio_is_the_median_of_paired_runs(monkeypatch):
    monkeypatch.setitem(ROWS, "made-up", task(np.cumsum))
    monkeypatch.setattr(bench, "_child", in_this_process)
    found = bench.run("made-up")
    assert found["contenders"]["peer"] == {"seconds": 2.0, "peak_bytes": 1, "ratio": 4.0}


def test_another_answer_stops_the_benchmark(monkeypatch):
    monkeypatch.setitem(ROWS, "made-up", task(lambda x: np.cumsum(x) + 1))
    monkeypatch.setattr(bench, "_child", in_this_process)
    with pytest.raises(RuntimeError, match=r"^made-up: the answer of peer differs from ours, so its time says nothing"):
        bench.run("made-up")


def test_keys_from_files_are_compared_with_direct_sums(monkeypatch):
    record = out_of_core.measure(blocks=3, rows=2000, workers=1)
    assert record["keys"] == 6000 and record["error"] < 1e-12 and record["file_bytes"] > 6000 * 4 * 4
    monkeypatch.setattr(out_of_core, "directly", lambda query, folder, blocks: 7.0)
    with pytest.raises(RuntimeError, match=r"^the answer is off by .*, so its time says nothing$"):
        out_of_core.measure(blocks=1, rows=2000, workers=1)


def test_results_that_cannot_be_read_stop_the_benchmark_before_it_measures(tmp_path, monkeypatch):
    broken = tmp_path / "benchmarks" / "results.json"
    broken.parent.mkdir()
    broken.write_text('{"rows": {\n')
    monkeypatch.setattr(bench, "RESULTS", broken)
    monkeypatch.setattr(bench.sys, "argv", ["benchmarks"])
    monkeypatch.setattr(bench, "run", lambda name: pytest.fail("measured"))
    with pytest.raises(SystemExit, match=r"^benchmarks/results\.json, line 2, is not JSON: "):
        bench.main()


def test_attention_and_stacks_take_no_longer_than_torchs():
    rows = committed()
    for name in ("heads-training", "heads", "stack-training", "stack-padded"):
        assert rows[f"transformer-{name}"]["contenders"]["torch"]["ratio"] >= 1
    # Without padding and gradients a level of torch's is one call, in which its three maps are one, too.
    assert rows["transformer-stack"]["contenders"]["torch"]["ratio"] >= 0.8
    ours, dense = rows["transformer-cauchy"]["contenders"].values()
    assert dense["peak_bytes"] - ours["peak_bytes"] > 2**29  # the matrices of two heads have half a gigabyte each


def test_a_margin_costs_no_more_than_the_peers_and_a_ranking_much_less():
    for name, least in (("margin-cosine", 1), ("margin-angle", 1), ("average-precision", 2)):
        ours, peer = committed()[name]["contenders"].values()
        assert ours["ratio"] == 1 and peer["ratio"] >= least


def test_an_index_is_made_and_asked_at_least_as_fast_as_by_the_peers():
    rows = committed()
    for name in ("retrieval-index", "retrieval-batch", "retrieval-single", "retrieval-scores"):
        peers = [found for peer, found in rows[name]["contenders"].items() if peer != "locmethods"]
        assert peers and all(found["ratio"] >= 1 for found in peers)


def test_many_points_have_their_spectrum_in_bounded_memory_and_clusters_faster_than_in_scikit_learn():
    rows = committed()
    for name in ("spectrum-50000-compact", "spectrum-50000"):  # the matrix of all pairs has 20 GB
        assert rows[name]["contenders"]["locmethods"]["peak_bytes"] < 2**30
    assert rows["spectrum-pydiffmap"]["contenders"]["pydiffmap"]["ratio"] >= 1
    assert rows["spectrum-embedding"]["contenders"]["scikit-learn's spectral_embedding"]["ratio"] >= 1
    assert rows["spectral-clustering"]["contenders"]["scikit-learn"]["ratio"] >= 2


def test_an_extension_takes_no_longer_than_the_kernels_matrix():
    assert committed()["eigenmaps-extension"]["contenders"]["scikit-learn's rbf_kernel, dense"]["ratio"] >= 1


def test_a_low_rank_is_found_faster_than_by_the_peers():
    rows = committed()
    # Nyström's features cost a kernel of their points to the last digit, and a product: the peer rounds distances more.
    for name, least in (("interpolative", 2), ("pivoted-columns", 4), ("nystrom-features", 0.6)):
        ratios = [other["ratio"] for who, other in rows[name]["contenders"].items()
                  if not who.startswith("locmethods")]
        assert min(ratios) >= least, name


def test_a_loss_that_knows_the_neighbours_takes_no_longer_than_autograd_and_less_memory():
    for name in ("emo-8000", "emo-32000"):
        ours, plain, one_hot = committed()[name]["contenders"].values()
        assert plain["ratio"] >= 1 / 1.1 and one_hot["ratio"] >= 1  # at most a tenth slower
        assert ours["peak_bytes"] < min(plain["peak_bytes"], one_hot["peak_bytes"])
    assert committed()["emo-plans"]["contenders"]["POT's emd2"]["ratio"] >= 10


def test_a_codec_takes_about_as_long_as_the_dense_loop():
    # A hundred queries are few: a step is two products of matrices, ours like NumPy's, and exponentials between them.
    for name in ("codec-encode", "codec-decode"):
        assert committed()[name]["contenders"]["NumPy's softmax, dense, each step"]["ratio"] >= 0.8


def test_each_task_is_drawn_once_in_a_list_as_long_as_it_needs():
    drawn = [one for one in cost.FIGURES if one.draw is cost.peers]
    tables = [Table(as_csv(one.data({"rows": committed()}))) for one in drawn]
    tasks = [task for table in tables for task in dict.fromkeys(table["task"].tolist())]
    compared = {row["title"] for row in committed().values() if len(row["contenders"]) > 1 and "curve" not in row}
    assert compared <= set(tasks) and len(set(tasks)) == len(tasks)
    for one, table in zip(drawn, tables, strict=True):
        (_, height), ((width, narrow), _) = one.sizes(table)
        peers = len(table["task"])
        # A line of nine points takes an eighth of an inch; on a phone words stand below their dot.
        assert height > peers / 8 + 1 and width == 3.6 and narrow > 2 * peers / 8 + 1
