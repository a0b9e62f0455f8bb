"""Benchmarks are kept out: every planted copy goes, clean pages stay, and the report says what."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seekmath.core.files import BadInput, read_json, read_parquet, write_jsonl
from seekmath.mine.decontaminate import (
    BenchmarkIndex,
    BenchmarkText,
    Report,
    clean,
    read_benchmarks,
)

QUESTION = "A baker sells 1,000 loaves at $2.50 each; how much money does the baker take in total?"
FORMULA = "Let $f(x) = 2 x^{2} + \\frac{3}{4} x y$ and find the least value of $f(x)$ for real $x$."
CHINESE = "小明有十二个苹果，他给了小红五个，请问小明现在还剩下几个苹果？"


def report(*texts):
    return Report(
        BenchmarkIndex([BenchmarkText("b", str(at), "question", t) for at, t in enumerate(texts)])
    )


@pytest.mark.parametrize(
    ("item", "copy"),
    [
        (QUESTION, QUESTION.upper().replace("1,000", "1000")),
        (QUESTION, QUESTION.replace("1,000", "1{,}000").replace(" ", "\u00a0")),
        (
            QUESTION,
            "<b>A baker</b> sells 1,000 <i>loaves</i> at \\$2.50 each - how much money",
        ),
        (FORMULA, "let \\(f(x)=2x^2+\\tfrac{3}{4}xy\\) and find the least value"),
        (FORMULA, "Let $$f ( x ) = 2 x ^ 2 + \\frac 3 4 x \\, y$$ and find the least"),
        (CHINESE, "练习：小明有十二个苹果,他给了小红五个,请问小明现在还剩下几个苹果"),
        (CHINESE, "小明 有 十二 个 苹果 他 给"),
    ],
)
def test_a_copy_is_found_in_other_markup(item, copy):
    found = report(item)
    assert clean(f"Before.\n{copy}\nAfter.", "u", "segment", found) == "Before.\nAfter."
    assert clean(f"Before.\n{copy}\nAfter.", "u", "page", found) == ""
    assert found.as_json()["items"][0]["pages"] == 2


def test_nine_words_in_common_are_no_copy_and_ten_are():
    nine, ten = "each how much money does the baker take in", " total"
    assert clean(nine, "u", "page", report(QUESTION)) == nine
    assert clean(nine + ten, "u", "page", report(QUESTION)) == ""


def test_a_match_over_two_lines_takes_both():
    words = QUESTION.split()
    text = "\n".join(["keep", " ".join(words[:8]), " ".join(words[8:]), "keep too"])
    assert clean(text, "u", "segment", report(QUESTION)) == "keep\nkeep too"


def test_annotations_of_gsm8k_make_no_difference(tmp_path):
    answer = "He sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs a day.\nSo 9 * 2 = $<<9*2=18>>18 a day."
    write_jsonl(tmp_path / "gsm8k.jsonl", [{"question": QUESTION, "answer": answer}])
    found = Report(BenchmarkIndex(read_benchmarks(tmp_path)))
    bare = "He sells 16 - 3 - 4 = 9 eggs a day.\nSo 9 * 2 = $18 a day."
    assert clean(answer, "u", "page", found) == clean(bare, "v", "page", found) == ""
    items = found.as_json()["items"]
    assert {(item["benchmark"], item["item"], item["field"]) for item in items} == {
        ("gsm8k", "0", "answer")
    }


def test_files_without_benchmark_text_are_refused(tmp_path):
    write_jsonl(tmp_path / "b.jsonl", [{"name": "x"}])
    with pytest.raises(BadInput, match=r"b\.jsonl: no line has one of the fields question"):
        read_benchmarks(tmp_path)


def write_corpus(path, texts):
    urls = [f"u{at}" for at in range(len(texts))]
    pq.write_table(pa.table({"url": urls, "text": texts, "score": [1.0] * len(texts)}), path)


def test_the_command_cleans_a_corpus_file_by_file(tmp_path):
    from seekmath.cli import commands

    (tmp_path / "corpus").mkdir()
    write_corpus(tmp_path / "corpus" / "0.parquet", ["clean", f"x\n{QUESTION}"] * 1500)
    write_corpus(tmp_path / "corpus" / "1.parquet", [QUESTION])
    write_jsonl(tmp_path / "b.jsonl", [{"id": "q7", "question": QUESTION}])
    arguments = ["decontaminate", "--corpus", str(tmp_path / "corpus"), "--quiet"]
    arguments += ["--benchmarks", str(tmp_path / "b.jsonl"), "--out", str(tmp_path / "out")]
    commands.main(arguments, standalone_mode=False)
    table = read_parquet(tmp_path / "out" / "corpus")
    assert table["text"].to_pylist() == ["clean", "x"] * 1500
    assert table.column_names == ["url", "text", "score"]
    found = read_json(tmp_path / "out" / "contamination.json")
    assert (found["pages"], found["pages_hit"], found["pages_dropped"]) == (3001, 1501, 1)
    assert json.dumps(found["items"][0]).startswith('{"benchmark": "b", "item": "q7"')


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    from seekmath.cli import commands

    out = tmp_path_factory.mktemp("world")
    sizes = ["--pages", "1500", "--pages-per-file", "1500", "--contamination", "0.1"]
    commands.main(["world", *sizes, "--out", str(out), "--quiet"], standalone_mode=False)
    return out


def test_every_planted_page_of_the_world_is_found_and_clean_ones_stay(world):
    from seekmath.mine.crawl import Damage, read_pages
    from seekmath.mine.extract import extract_page

    truth = {row["url"]: row for row in read_parquet(world / "truth.parquet").to_pylist()}
    index = BenchmarkIndex(read_benchmarks(world / "benchmarks"))
    planted = lost = clean_pages = 0
    for path in sorted((world / "warc").iterdir()):
        for page in read_pages(str(path), Damage()):
            item = truth[page.url]["contaminates"]
            found = Report(index)
            text = extract_page(page)["text"]
            kept = clean(text, page.url, "segment", found)
            if item:
                planted += 1
                named = {index.texts[number].item for number in found.by_text}
                assert item in named, (page.url, item)
                assert clean(kept, page.url, "segment", Report(index)) == kept
            else:
                clean_pages += 1
                lost += found.pages_hit
    assert planted > 20
    assert lost <= clean_pages / 1000
