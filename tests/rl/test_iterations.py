"""What a reward model is trained on with between iterations."""

import pytest

from seekmath.rl.iterations import with_replay
from seekmath.train.reward_data import Solution
from seekmath.train.reward_training import pairs_of


def solutions(count, first=0):
    """Two answers to each of ``count`` questions, the first right."""
    return [
        Solution(q, 1, [first + q, right], right) for q in range(count) for right in (True, False)
    ]


@pytest.mark.parametrize(("earlier", "replayed"), [(100, 6), (2, 4), (0, 0)])
def test_replay_has_its_share_where_there_is_enough(earlier, replayed):
    mixed = with_replay(solutions(25), solutions(earlier, 1000), 0.1, seed=3)
    assert mixed[:50] == solutions(25)
    assert len(mixed) - 50 == replayed


def test_replayed_questions_are_not_paired_with_fresh_ones():
    wrong = [s for s in solutions(5) if not s.right]
    right = [s for s in solutions(5, 1000) if s.right]
    assert not pairs_of(with_replay(wrong, right, 0.5, seed=0))
    for good, bad in pairs_of(with_replay(solutions(5), solutions(5, 1000), 0.5, seed=0)):
        assert good.text[0] == bad.text[0]
