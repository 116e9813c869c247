"""Vectors of sentences that are kept: encoded once, again when the sentences change or the file is damaged."""

import numpy as np
import pytest

from locmethods.companion import datasets, embeddings
from locmethods.transformer import SentenceModel

SENTENCES = ["The cat sleeps.", "A kitten is napping.", "Taxes are due in May."]


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """Keep vectors in a folder of the test, and return the list of what has been encoded."""
    done, encode = [], embeddings.encode
    monkeypatch.setattr(embeddings, "folder", lambda: tmp_path)
    monkeypatch.setattr(embeddings, "encode", lambda sentences: done.append(len(sentences)) or encode(sentences))
    return done


def test_what_is_asked_for_twice_is_encoded_once(counted, tmp_path):
    vectors, words = embeddings.encoded(SENTENCES)
    assert np.array_equal(embeddings.encoded(SENTENCES), [vectors, words]) and counted == [3]
    # Six layers in single precision against double.
    np.testing.assert_allclose(vectors, SentenceModel.minilm().encode(SENTENCES), atol=2e-6)
    model = SentenceModel.minilm()
    pieces = [model.tokenizer.token_to_id(word) for word in ("the", "cat", "sleeps", ".")]
    table = model.words.weight.detach().numpy()
    np.testing.assert_allclose(words[0], sum(table[one] for one in pieces) / 4, atol=1e-7)  # one rounding of float32
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-20], b"", b"nothing"):
        file.write_bytes(damaged)
        assert np.array_equal(embeddings.encoded(SENTENCES)[0], vectors)
    embeddings.encoded(SENTENCES[:2])
    assert counted == [3, 3, 3, 3, 2] and len(list(tmp_path.iterdir())) == 2


def test_topics_that_name_each_other_are_related():
    topics = sorted(set(datasets.documentation_sentences().topic))
    related = datasets.see_also(topics)
    assert related.dtype == bool and np.array_equal(related, related.T) and not related.diagonal().any()
    # help("FLOAT") is the page "floating" and comes after NUMBERS, which names FLOAT; UNICODE is the page "strings".
    for one, other in (("floating", "numbers"), ("strings", "types"), ("global", "nonlocal")):
        assert related[topics.index(one), topics.index(other)]
    assert not related[topics.index("floating"), topics.index("import")]
    assert related.any(1).sum() >= 30  # of some fifty; the number differs between versions of Python


def test_a_heading_that_stands_for_another_is_followed():
    headings = {"a": "b", "b": ("topic", "a c"), "c": ("other", ""), "none": ""}
    assert datasets.followed(headings, "a") == ("topic", "a c")
    assert datasets.followed(headings, "none") == datasets.followed(headings, "unknown") == ("", "")
