"""One of each page, against the rule written plainly, whatever the shards and the memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekmath.mine.dedup import REASONS, Keys, Plan, one_of_each
from seekmath.mine.minhash import EMPTY, signatures

PLAN = Plan(bands=4, rows=2, jaccard=0.75)


class Shard:
    """Pages as (order, url, text, signature) in memory."""

    def __init__(self, pages):
        self.pages = pages

    def __len__(self):
        return len(self.pages)

    def keys(self):
        columns = [np.array([page[at] for page in self.pages], np.uint64) for at in range(3)]
        return Keys(*columns)

    def signatures(self):
        return np.array([page[3] for page in self.pages], np.uint32).reshape(len(self.pages), 8)


def by_the_rule(pages, earlier):
    """For each page the one that stands for it, and drops by reason: the plain way."""
    roots, dropped = {}, dict.fromkeys(REASONS, 0)
    everyone = [("earlier", page) for page in earlier]
    everyone += [("ours", page) for page in sorted(pages)]

    def drop(page, by, reason):
        roots[page] = by
        dropped["earlier_run" if by[0] == "earlier" else reason] += 1

    for reason, column in (("same_url", 1), ("same_text", 2)):
        first = {}
        for who, page in everyone:
            if page in roots or page[column] == 0:
                continue
            if (by := first.setdefault(page[column], (who, page))) != (who, page) and who == "ours":
                drop(page, by, reason)
    kept = []
    for who, page in everyone:
        minima = np.array(page[3])
        if page in roots or (minima == EMPTY).all():
            continue
        same = [(minima == np.array(one[1][3])) for one in kept]
        near = [
            (equal.sum(), -at, kept[at])
            for at, equal in enumerate(same)
            if equal.reshape(4, 2).all(axis=1).any() and equal.mean() >= PLAN.jaccard
        ]
        if near and who == "ours":
            drop(page, max(near, key=lambda one: one[:2])[2], "near_duplicate")
        else:
            kept.append((who, page))
    return roots, dropped


minima = st.tuples(*[st.integers(0, 1)] * 8) | st.just((int(EMPTY),) * 8)
some_pages = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), minima), max_size=30)


@settings(deadline=None, max_examples=60)
@given(some_pages, some_pages, st.integers(0, 5), st.sampled_from([3000, 1 << 20]))
def test_what_is_kept_is_what_the_rule_says(tmp_path_factory, ours, before, cut, memory):
    pages = [(2 * at + 3, *page) for at, page in enumerate(ours)]
    earlier = [(0, *page) for page in before]
    shards = [Shard(pages[at::3][::-1]) for at in range(3)]
    plan = Plan(PLAN.bands, PLAN.rows, PLAN.jaccard, memory)
    scratch = tmp_path_factory.mktemp("scratch")
    split = [Shard(earlier[:cut]), Shard(earlier[cut:])]
    found = one_of_each(shards, plan, scratch, split)
    roots, dropped = by_the_rule(pages, earlier)
    flat = [page for shard in shards for page in shard.pages] + earlier
    assert found.dropped == dropped
    for number, page in enumerate(flat[: len(pages)]):
        by = root_of(("ours", page), roots)
        by_found = flat[int(found.roots[number])]
        if by[0] == "ours":
            assert by_found == by[1]
        else:
            assert found.roots[number] >= len(pages)
    assert not [file for file in scratch.rglob("*") if file.is_file()]


def root_of(who, roots):
    while who[0] == "ours" and who[1] in roots:
        who = roots[who[1]]
    return who


def texts_with_copies(count=400, copies=100):
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(3000)]
    texts = [" ".join(rng.choice(words, 300)) for _ in range(count)]
    for at in range(copies):
        changed = texts[at].split()
        changed[at % 300] = "changed"
        texts.append(" ".join(changed))
    return texts


def as_shards(texts, pieces, plan):
    made = signatures(texts, 5, plan.bands * plan.rows)
    order = np.arange(len(texts), dtype=np.uint64) + 1
    return [Whole(order[at], made[at]) for at in pieces]


class Whole:
    def __init__(self, order, minima):
        self.order, self.minima = order, minima

    def __len__(self):
        return len(self.order)

    def keys(self):
        return Keys(self.order, self.order, self.order * 0)

    def signatures(self):
        return self.minima


def test_the_same_are_kept_whatever_the_shards_and_the_memory(tmp_path):
    texts, plan = texts_with_copies(), Plan()
    rng = np.random.default_rng(1)
    answers = []
    for memory in (20_000, 1 << 30):
        shuffled = np.array_split(rng.permutation(len(texts)), 7)
        for pieces in ([np.arange(len(texts))], shuffled):
            shards = as_shards(texts, pieces, plan)
            found = one_of_each(shards, Plan(memory_bytes=memory), tmp_path / f"{len(answers)}")
            numbers = np.concatenate([shard.order for shard in shards])
            answers.append(dict(zip(numbers.tolist(), numbers[found.roots].tolist(), strict=True)))
    assert all(answer == answers[0] for answer in answers)
    assert sum(by != page for page, by in answers[0].items()) == 100


def test_candidates_are_those_of_datasketch(tmp_path):
    from datasketch import MinHash, MinHashLSH

    texts, plan = texts_with_copies(150, 40), Plan(jaccard=0.0)
    [shard] = as_shards(texts, [np.arange(len(texts))], plan)
    ours = one_of_each([shard], plan, tmp_path).roots
    lsh = MinHashLSH(num_perm=112, params=(14, 8))
    theirs = []
    for at, text in enumerate(texts):
        words = text.split()
        peer = MinHash(112)
        peer.update_batch([" ".join(words[i : i + 5]).encode() for i in range(len(words) - 4)])
        theirs.append(min(map(int, lsh.query(peer)), default=at))
        lsh.insert(str(at), peer)
    assert ours.tolist() == theirs


@pytest.mark.parametrize("shards", [[], [Shard([])], [Shard([]), Shard([(1, 1, 1, [1] * 8)])]])
def test_nothing_in_nothing_out(tmp_path, shards):
    found = one_of_each(shards, PLAN, tmp_path)
    assert len(found.roots) == sum(map(len, shards))
    assert not any(found.dropped.values())
