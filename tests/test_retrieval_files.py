"""An index on disk: read as it was written, or not at all, whatever happened to the file or to who wrote it."""

import json
import os
import re
import signal
import struct
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from locmethods.retrieval import BM25, files

TEXTS = ["a warm day", "a cold night", "", "Straße und \ud800 Wind"]


@pytest.fixture
def index(tmp_path):
    BM25(1.5, 0.5, idf="floored").fit(TEXTS).save(tmp_path / "index")
    return tmp_path / "index"


def test_what_was_saved_is_loaded(index):
    model, again = BM25(1.5, 0.5, idf="floored").fit(TEXTS), BM25.load(str(index))
    assert again.get_params() == model.get_params() and again.vocabulary_ == model.vocabulary_
    np.testing.assert_array_equal(again.scores(TEXTS), model.scores(TEXTS))
    more = again.add(["a warm wind"])  # and it goes on
    np.testing.assert_array_equal(more.scores(TEXTS), model.add(["a warm wind"]).scores(TEXTS))


def test_the_file_by_hand(tmp_path):
    texts = ["naïve a naïve", "a", ""]
    BM25(1.5, 0.5, tokeniser=str.split).fit(texts).save(tmp_path / "index")
    words, header = json.dumps(["naïve", "a"], ensure_ascii=False).encode(), json.dumps(
        {"head": {"b": 0.5, "idf": "lucene", "k1": 1.5, "tokeniser": True},
         "sizes": {"counts": 3, "documents": 3, "lengths": 3, "starts": 3, "words": 15}}).encode()
    # Lengths, where each word's postings begin, whose they are, and how many.
    numbers = struct.pack("<3q3q3i3i", 3, 1, 0, 0, 1, 3, 0, 0, 1, 2, 1, 1)
    body = b"locmethods BM25 index, version 1\n" + struct.pack("<q", len(header)) + header + words + numbers
    assert (tmp_path / "index").read_bytes() == body + sha256(body).digest()
    again = BM25.load(tmp_path / "index", tokeniser=str.split)
    assert again.n_documents_ == 3 and again.lengths_.tolist() == [3, 1, 0]
    assert again.scores("naïve").shape == (3,)


def test_equal_indexes_are_equal_files(index, tmp_path):
    BM25(1.5, 0.5, idf="floored").add(TEXTS[:1]).add(TEXTS[1:]).save(tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == index.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "other"]
    assert index.stat().st_mode & 0o777 == 0o644


def test_a_file_cut_anywhere_is_refused(index):
    content = index.read_bytes()
    for length in range(len(content)):
        index.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"(cut off or altered: its checksum does not agree|that begins with b)"):
            BM25.load(index)


def test_a_file_altered_anywhere_is_refused(index):
    content = index.read_bytes()
    for place in range(len(content)):
        index.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1:])
        with pytest.raises(ValueError, match=r"(cut off or altered: its checksum does not agree|that begins with b)"):
            BM25.load(index)


def test_messages(index, tmp_path):
    content = index.read_bytes()
    short = files.MAGIC + sha256(files.MAGIC).digest()  # whose checksum agrees, and which has no header
    for call, message in [
        (short, f"{index} must be an index as it was written, got one that is cut off or altered: its checksum does "
                "not agree"),
        (content[:-1], f"{index} must be an index as it was written, got one that is cut off or altered: its checksum "
                       "does not agree"),
        (b"PK\x03\x04", f"{index} must be an index that BM25.save has written, version 1, got a file that begins with "
                        "b'PK\\x03\\x04'"),
    ]:
        index.write_bytes(call)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            BM25.load(index)
    with pytest.raises(FileNotFoundError):
        BM25.load(tmp_path / "none")


def test_a_tokeniser_must_be_given_again(tmp_path):
    model = BM25(tokeniser=str.split).fit(["a b", "b"])
    model.save(tmp_path / "own")
    message = f"the index in {tmp_path / 'own'} was made with a tokeniser of its own: give it as tokeniser"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BM25.load(tmp_path / "own")
    np.testing.assert_array_equal(BM25.load(tmp_path / "own", tokeniser=str.split).scores("a"), model.scores("a"))
    BM25().fit(["a"]).save(tmp_path / "plain")
    message = f"the index in {tmp_path / 'plain'} was made without a tokeniser of its own, got one"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BM25.load(tmp_path / "plain", tokeniser=str.split)


def test_words_that_are_no_strings_are_kept_if_they_come_back_as_they_were(tmp_path):
    def numbers(text):
        return [len(word) for word in text.split()]

    model = BM25(tokeniser=numbers).fit(["a bc", "bc"])
    model.save(tmp_path / "numbers")
    assert BM25.load(tmp_path / "numbers", tokeniser=numbers).vocabulary_ == {1: 0, 2: 1}
    pairs = BM25(tokeniser=lambda text: [(word, 1) for word in text.split()]).fit(["a"])
    with pytest.raises(TypeError, match=r"^words must be strings or integers to be kept in a file, got tuple$"):
        pairs.save(tmp_path / "pairs")  # JSON would make lists of them
    assert not (tmp_path / "pairs").exists()


# In the middle of writing it says so, and waits to be killed: after half of the pieces, and before the new name.
KILLED = """
import os, sys, time
from locmethods.retrieval import BM25, files

def wait(*args):
    print("now", flush=True)
    time.sleep(60)

if sys.argv[2] == "write":
    whole = files.write_whole
    def half(path, pieces):
        def until(pieces):
            pieces = list(pieces)
            yield from pieces[:len(pieces) // 2]
            wait()
        whole(path, until(pieces))
    files.write_whole = half
else:
    setattr(os, sys.argv[2], wait)
BM25.load(sys.argv[1]).add(["a new day"]).save(sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
@pytest.mark.one_in(3)
def test_a_killed_write_leaves_the_index_that_was_there(index, moment):
    before = index.read_bytes()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(index), moment], stdout=subprocess.PIPE, text=True,
                          cwd=Path(__file__).resolve().parent.parent) as process:
        assert process.stdout.readline() == "now\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert index.read_bytes() == before
    assert BM25.load(index).n_documents_ == 4
    left = [path for path in index.parent.iterdir() if path != index]
    assert [path.suffix for path in left] == [".part"]  # what it had begun, under no name that anybody reads
    BM25.load(index).add(["a new day"]).save(index)
    assert BM25.load(index).n_documents_ == 5


def test_a_write_that_fails_leaves_nothing(index, monkeypatch):
    before = index.read_bytes()

    def fail(handle):
        raise OSError("the disk is full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="the disk is full"):
        BM25().fit(["b"]).save(index)
    assert index.read_bytes() == before and list(index.parent.iterdir()) == [index]
