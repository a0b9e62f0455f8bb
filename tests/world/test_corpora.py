"""Corpora beside the web: the same text for the same place, code whose examples are true."""

import doctest
import types

import pytest

from seekmath.world.corpora import CORPORA, documents


@pytest.mark.parametrize("corpus", CORPORA)
def test_a_document_is_a_function_of_its_place(corpus):
    assert documents(corpus, 4, 0)[:3] == documents(corpus, 3, 0)
    assert documents(corpus, 3, 0) != documents(corpus, 3, 1)
    assert len({row["text"] for row in documents(corpus, 40, 0)}) >= 38


def test_examples_in_the_code_are_true():
    for row in documents("code", 20, 0):
        module = types.ModuleType("made")
        exec(row["text"], module.__dict__)  # our own program, made in the line above
        found = doctest.DocTestFinder().find(module, module=module)
        runner = doctest.DocTestRunner(verbose=False)
        for test in found:
            runner.run(test, out=lambda text: None)
        assert runner.tries >= 5
        assert runner.failures == 0


def test_papers_hold_theorems_and_no_worked_problem():
    for row in documents("papers", 20, 0):
        assert row["text"].count("\\begin{proof}") == row["text"].count("\\end{proof}") >= 3
        assert "Answer:" not in row["text"]
        assert "####" not in row["text"]
