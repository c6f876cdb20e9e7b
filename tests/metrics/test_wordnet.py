"""The reader of WordNet's files: on a database of a few words, and on the real one where it is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from chiasm.metrics.wordnet import WordNet, WordNetMissing

from . import small_wordnet


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WordNet:
    return WordNet(small_wordnet.write(tmp_path_factory.mktemp("wordnet")))


@pytest.fixture(scope="module")
def real() -> WordNet:
    try:
        return WordNet()
    except WordNetMissing as error:
        pytest.skip(str(error))


def names(wordnet: WordNet, word: str, pos: str | None = None) -> list[str]:
    return [synset.name for synset in wordnet.synsets(word, pos)]


def test_a_word_has_its_meanings_in_order_of_use(small: WordNet) -> None:
    assert names(small, "dog") == ["dog.n.01", "frump.n.01"]
    assert names(small, "Domestic Dog") == ["dog.n.01"]
    assert names(small, "goodish") == ["goodish.s.01"]
    assert names(small, "zebra") == []


def test_inflected_words_are_found_by_their_base_forms(small: WordNet) -> None:
    assert names(small, "dogs") == ["dog.n.01", "frump.n.01"]
    assert names(small, "children") == ["child.n.01"]
    assert names(small, "ran") == ["run.v.01"]
    assert names(small, "sleeping") == ["sleep.v.01"]
    assert small.base_forms("moved", "v") == ["move"]


def test_a_part_of_speech_can_be_asked_for(small: WordNet) -> None:
    assert names(small, "run", "v") == ["run.v.01"]
    assert names(small, "run", "n") == []
    with pytest.raises(ValueError, match="unknown part of speech 'x'"):
        small.synsets("run", "x")


def test_hypernyms_of_classes_and_of_instances_are_found(small: WordNet) -> None:
    (rex,) = small.synsets("rex")
    assert [up.name for up in small.hypernyms(rex)] == ["dog.n.01"]
    dog = small.synsets("dog")[0]
    assert [up.name for up in small.hypernyms(dog)] == ["canine.n.01", "pet.n.01"]
    assert [small.depth(s) for s in (rex, dog, small.synsets("entity")[0])] == [4, 3, 0]


def test_similarity_equals_its_formula(small: WordNet) -> None:
    dog, cat, child = (small.synsets(word)[0] for word in ("dog", "cat", "child"))
    assert small.wup(dog, cat) == pytest.approx(2 * 3 / (3 + 1 + 3 + 1))  # pet, 3 nodes deep
    assert small.wup(dog, child) == pytest.approx(2 * 1 / (1 + 3 + 1 + 1))  # entity
    assert small.wup(dog, dog) == 1.0


def test_nouns_of_different_roots_share_nothing_and_verbs_a_root_above_theirs(small: WordNet) -> None:
    assert small.wup(small.synsets("island")[0], small.synsets("dog")[0]) == 0.0
    run, sleep = small.synsets("run")[0], small.synsets("sleep")[0]
    assert small.wup(run, sleep) == pytest.approx(2 / (3 + 2))  # run, move, root; sleep, root


def test_words_are_as_alike_as_their_closest_meanings(small: WordNet) -> None:
    assert small.similarity("dogs", "cat") == pytest.approx(6 / 8)
    assert small.similarity("frump", "dogs") == 1.0  # dog has the meaning of frump
    assert small.similarity("zebra", "zebra") == 1.0
    assert small.similarity("zebra", "dog") == 0.0


def test_synonyms_share_a_key(small: WordNet) -> None:
    assert small.synonyms("kids") & small.synonyms("children")
    assert not small.synonyms("cat") & small.synonyms("dog")


def test_a_folder_without_wordnet_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WordNetMissing, match=r"index\.noun is missing.*wordnet-base"):
        WordNet(tmp_path)


def test_the_environment_says_where_wordnet_is(small: WordNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIASM_WORDNET", str(small.folder))
    assert names(WordNet(), "cat") == ["cat.n.01"]


def test_an_offset_where_no_synset_begins_is_refused(small: WordNet) -> None:
    with pytest.raises(ValueError, match="no synset begins 7 bytes"):
        small.synset("n", 7)


def test_the_real_one_gives_known_similarities(real: WordNet) -> None:
    """Values of NLTK's reader on WordNet 3.0."""
    assert names(real, "dog")[0] == "dog.n.01"
    dog, cat = real.synsets("dog", "n")[0], real.synsets("cat", "n")[0]
    assert real.wup(dog, cat) == pytest.approx(0.857142857, abs=1e-8)
    assert real.similarity("couch", "sofas") == 1.0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The multilingual functions")
def test_nltks_reader_agrees_on_the_real_one(real: WordNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = pytest.importorskip("nltk.corpus.reader.wordnet", reason="pip install nltk compares with its reader")
    folder = tmp_path / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])  # where it may read
    for file in real.folder.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    if not (folder / "lexnames").exists():  # Debian leaves it out, and only NLTK asks for it
        (folder / "lexnames").write_text("".join(f"{i:02d}\tname.{i}\t1\n" for i in range(45)))
    (folder / "index.sense").touch()  # another package of Debian's, not needed for what is asked here
    theirs = reader.WordNetCorpusReader(str(folder), None)
    words = [
        "dogs",
        "cat",
        "children",
        "ran",
        "red",
        "sofa",
        "couch",
        "quickly",
        "better",
        "geese",
        "zzz",
        "paris",
        "jump",
    ]
    for word in words:
        assert [s.offset for s in real.synsets(word)] == [s.offset() for s in theirs.synsets(word)], word
    for first in ("dog", "red", "jump", "paris", "sofa"):
        for second in ("cats", "blue", "run", "table", "running", "couch"):
            for a in real.synsets(first)[:4]:
                for b in real.synsets(second)[:4]:
                    one, other = (theirs.synset_from_pos_and_offset(s.pos, s.offset) for s in (a, b))
                    expected = one.wup_similarity(other) or 0.0
                    assert real.wup(a, b) == pytest.approx(expected, abs=1e-12), (a.name, b.name)
