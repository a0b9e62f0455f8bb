"""The steps of a round on one shard: draw training pages, score, collect, join (section 2.1).

Each reads the shard's kept pages and what earlier steps left for this shard, and writes arrays
with one entry for each kept page, so memory follows the largest shard and not the corpus.
"""

# N kept pages of one shard

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from seekmath.core.places import get_json, put_json, reading, writing
from seekmath.mine.annotate import match
from seekmath.mine.calibration import histogram
from seekmath.mine.engine import Beat, Shard, Stage
from seekmath.mine.fasttext_score import Classifier
from seekmath.mine.host_counts import candidate_hosts, count_hosts, marked_before
from seekmath.mine.ranking import Cut, below_share, drawn_keys, find_cut, lowest
from seekmath.mine.recall import train_on, training_plan
from seekmath.mine.round_files import (
    MODEL,
    all_shards,
    at_round,
    collected_in,
    kept_columns,
    pages_place,
    positive_before,
)
from seekmath.mine.scorer import user_scorer
from seekmath.mine.tables import load_array, read_columns, read_rows, save_array
from seekmath.mine.truth import measured_pages

_DRAWN = pa.schema(
    [("key", pa.uint64()), ("positive", pa.bool_()), ("host", pa.string()), ("words", pa.string())]
)

Score = Callable[[pa.Array], NDArray[np.float64]]


def draw_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """The shard's seeds and random pages that may be trained on, with their words.

    Random pages leave out seeds and, from round 2 on, what looks like one (``join_shard``).
    """
    number = stage.parameters["round"]
    kept = kept_columns(stage, shard, "row", "key", "host")
    positive_N = positive_before(stage, shard, number)
    other_N = ~positive_N
    if number > 1 and stage.parameters["keep_seedlike_out"]:
        other_N = load_array(at_round(stage, number - 1, "random", f"{shard.name}.npy"))
    keys_N = kept["key"].to_numpy()
    chosen_N, drawn_N = np.zeros(len(kept), bool), np.zeros(len(kept), np.uint64)
    for mask_N, kind in ((positive_N, "positives"), (other_N, "negatives")):
        plan = stage.parameters[kind]
        keys = drawn_keys(keys_N[mask_N], plan["salt"])
        drawn_N[mask_N] = keys
        chosen_N[mask_N] = below_share(keys, plan["wanted"], plan["there"])
    rows = kept["row"].to_numpy()[chosen_N]
    rest = {
        "key": pa.array(drawn_N[chosen_N]),
        "positive": pa.array(positive_N[chosen_N]),
        "host": kept["host"].combine_chunks().filter(pa.array(chosen_N)),
    }
    done = 0
    with (
        writing(at_round(stage, number, "draw", f"{shard.name}.parquet")) as file,
        pq.ParquetWriter(file, _DRAWN, compression="zstd") as writer,
    ):
        for batch in read_rows(pages_place(stage, shard), ["words"], rows):
            part = {name: column.slice(done, len(batch)) for name, column in rest.items()}
            writer.write_table(pa.table({**part, "words": batch.column(0)}, schema=_DRAWN))
            done += len(batch)
    return {"drawn": done}


def train_all(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Train the round's classifier on exactly the pages wanted of those drawn in all shards."""
    number, plan = stage.parameters["round"], stage.parameters
    places = all_shards(stage, number, "draw", ".parquet")
    columns = [read_columns(place, ["key", "positive", "host"]) for place in places]
    drawn = pa.concat_tables(columns)
    keys, positive = drawn["key"].to_numpy(), drawn["positive"].to_numpy()
    hosts = drawn["host"].dictionary_encode().combine_chunks().indices.to_numpy().astype(np.int64)
    del columns, drawn
    taken = np.zeros(len(keys), bool)
    for mask, kind in ((positive, "positives"), (~positive, "negatives")):
        taken[mask] = lowest(keys[mask], plan[kind]["wanted"])
    settings = training_plan(plan["training"], plan["seed"], int(taken.sum()))
    model, calibration = train_on(
        _taken_words(places, taken),
        hosts[taken],
        positive[taken],
        settings,
        plan["training"]["least_hosts"],
    )
    with writing(at_round(stage, number, MODEL)) as file:
        model.write(file)
    return {
        "seeds": int((taken & positive).sum()),
        "negatives": int((taken & ~positive).sum()),
        "training": {
            "epochs": settings.epochs,
            "learning_rate": model.learning_rate,
            "dim": settings.dim,
            "words": len(model.words),
        },
        "calibration": calibration,
    }


def _taken_words(places: Iterable[str], taken: NDArray[np.bool_]) -> Iterator[str]:
    start = 0
    for place in places:
        with reading(place) as file:
            for batch in pq.ParquetFile(file).iter_batches(256, columns=["words"]):
                mask = taken[start : start + len(batch)]
                yield from batch.column(0).filter(pa.array(mask)).to_pylist()
                start += len(batch)


def load_score(stage: Stage, number: int) -> tuple[Score, str]:
    """The function that scores in round ``number``, and the column it reads."""
    if stage.parameters["scorer"]:
        return user_scorer(stage.parameters["scorer"]), "text"
    with reading(at_round(stage, number, MODEL)) as file:
        return Classifier.read(file).score, "words"


def score_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Scores of the shard's kept pages, float32, in ``scores/NNNNN.npy``."""
    number = stage.parameters["round"]
    score, column = load_score(stage, number)
    kept = kept_columns(stage, shard, "row", "tokens")
    scores_N = score_rows(
        pages_place(stage, shard), column, kept["row"].to_numpy(), score, beat
    ).astype(np.float32)
    save_array(at_round(stage, number, "scores", f"{shard.name}.npy"), scores_N)
    return {"scored": len(kept), "histogram": histogram(scores_N, kept["tokens"].to_numpy())}


def score_rows(
    place: str, column: str, rows: NDArray[np.int32], score: Score, beat: Beat
) -> NDArray[np.float64]:
    """Scores of some rows of a shard; 0 for a page at which a worker died."""
    scores: list[float] = []
    for batch in read_rows(place, [column], rows):
        texts, first = batch.column(0), len(scores)
        if not beat.left_out.intersection(range(first, first + len(texts))):
            beat(first)
            scores += score(texts).tolist()
            continue
        # A worker died in this batch: page by page, to find the culprit and leave it out.
        for at in range(len(texts)):
            good = beat(first + at)
            scores.append(float(score(texts.slice(at, 1))[0]) if good else 0.0)
    return np.array(scores, np.float64)


def cut_all(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Where the round's collection ends: the token budget, over the scores of all shards."""
    number = stage.parameters["round"]

    def parts() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        for at, place in enumerate(all_shards(stage, number, "scores", ".npy")):
            kept = read_columns(stage.place("kept", f"{at:05d}.parquet"), ["tokens"])
            yield load_array(place), kept.column(0).to_numpy().astype(np.int64)

    cut = find_cut(parts, stage.parameters["least_score"], stage.parameters["keep_tokens"])
    put_json(at_round(stage, number, "cut.json"), {"score": cut.score, "ties": cut.ties})
    return {"cut": cut.score}


def collect_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Which pages are collected, and the shard's part of the counts of hosts."""
    number = stage.parameters["round"]
    scores_N = load_array(at_round(stage, number, "scores", f"{shard.name}.npy"))
    cut = get_json(at_round(stage, number, "cut.json"))
    collected_N = Cut(cut["score"], tuple(cut["ties"])).collected(int(shard.name), scores_N)
    save_array(at_round(stage, number, "collected", f"{shard.name}.npy"), collected_N)
    kept = kept_columns(stage, shard, "host", "tokens")
    before_N = collected_in(stage, shard, number - 1, len(kept))
    place = at_round(stage, number, "hosts", "counted", f"{shard.name}.parquet")
    count_hosts(place, kept["host"], collected_N, stage.parameters["partitions"])
    return {
        "collected": int(collected_N.sum()),
        "again": int((collected_N & before_N).sum()),
        "tokens": int(kept["tokens"].to_numpy()[collected_N].sum()),
        "lowest": float(scores_N[collected_N].min(initial=np.float32(1))),
    }


def join_shard(stage: Stage, shard: Shard, beat: Beat) -> dict[str, Any]:
    """Uncollected pages under prefixes marked so far join the seeds; counts for the next round.

    Random pages of the next round are neither seeds nor collected nor, where the settings say so,
    pages of candidate hosts about which the classifier is in doubt.
    """
    number = stage.parameters["round"]
    kept = kept_columns(stage, shard, "host", "path")
    collected_N = collected_in(stage, shard, number, len(kept))
    joined_N = under(marked_before(stage, number + 1), kept) & ~collected_N
    positive_N = positive_before(stage, shard, number) | joined_N
    save_array(at_round(stage, number, "positive", f"{shard.name}.npy"), positive_N)
    random_N = ~positive_N & ~collected_N
    if (least := stage.parameters["negatives_off_score"]) < 1:
        scores_N = load_array(at_round(stage, number, "scores", f"{shard.name}.npy"))
        hosts = candidate_hosts(stage, number, stage.parameters["host_share"])
        on_candidate_N = pc.is_in(kept["host"], hosts).to_numpy()
        random_N &= ~(on_candidate_N & (scores_N >= least))
    save_array(at_round(stage, number, "random", f"{shard.name}.npy"), random_N)
    found = {
        "joined": int(joined_N.sum()),
        "positives": int(positive_N.sum()),
        "negatives": int(random_N.sum()),
    }
    if stage.parameters["labelled"]:
        measured_pages(stage, shard, number, collected_N)
    return found


def under(prefixes: frozenset[str], kept: pa.Table) -> NDArray[np.bool_]:
    """Which pages stand under one of the prefixes."""
    found_N = np.zeros(len(kept), bool)
    hosts = pa.array(sorted({prefix.partition("/")[0] for prefix in prefixes}), pa.string())
    maybe = np.flatnonzero(pc.is_in(kept["host"], hosts).to_numpy())
    some = kept.take(pa.array(maybe))
    pairs = zip(some["host"].to_pylist(), some["path"].to_pylist(), strict=True)
    found_N[maybe] = [bool(match(prefixes, host, path)) for host, path in pairs]
    return found_N
