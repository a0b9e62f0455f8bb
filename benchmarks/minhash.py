"""MinHash signatures of 112 permutations: ours beside datasketch, rensa and datatrove.

    python benchmarks/minhash.py

Each takes the same documents of 16 KB as text and leaves a signature of 112 minima over the word
5-grams. datasketch and rensa leave words to the caller, who here lower-cases and splits at
spaces, the cheapest there is; they are called in bulk, with shared permutations. datatrove brings
its own words (spaCy's English tokenizer) and hash. One process, one thread, CPU time.
"""

import argparse
import random

import datasketch
import numpy as np
import rensa
import xxhash
from timing import cpu_seconds, medians, save

from seekmath.mine.minhash import signatures

_PERMUTATIONS = 112
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def make_documents(count: int, size: int) -> list[str]:
    """Prose-like text: words of Zipf frequency, sentences, paragraphs, formulas."""
    draw = random.Random(0)
    lengths = [1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8, 9, 11]
    words = ["".join(draw.choices(_LETTERS, k=draw.choice(lengths))) for _ in range(20_000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    signs = [" "] * 12 + [", ", ". ", "\n\n", " $x^2 + y_1$ ", " – ", " (see 3.14) "]
    documents = []
    for _ in range(count):
        drawn = draw.choices(words, weights, k=size // 2)
        text = "".join(word + draw.choice(signs) for word in drawn)
        documents.append(text.encode()[:size].decode(errors="ignore"))
    return documents


def word_grams(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[at : at + 5]) for at in range(len(words) - 4)]


def by_datasketch(texts: list[str], **options: object) -> np.ndarray:
    grams = ([gram.encode() for gram in word_grams(text)] for text in texts)
    made = datasketch.MinHash.bulk(grams, num_perm=_PERMUTATIONS, **options)
    return np.array([one.hashvalues for one in made])


def by_rensa(texts: list[str]) -> object:
    grams = [word_grams(text) for text in texts]
    return rensa.RMinHash.digest_matrix_from_token_sets(grams, _PERMUTATIONS, 1)


def by_datatrove(texts: list[str]) -> list[list[list[int]]]:
    return [_DATATROVE.get_signature(_DATATROVE.get_shingles(text)) for text in texts]


def _datatrove() -> object:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

    made = MinhashDedupSignature("/tmp/unused", MinhashConfig(num_buckets=14, hashes_per_bucket=8))
    # Its call of xxhash passes str, which newer versions of xxhash refuse.
    made._hash_func = lambda gram: xxhash.xxh64_intdigest(gram.encode())
    return made


_DATATROVE = _datatrove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--slow-documents", type=int, default=10, help="of them for datatrove")
    parser.add_argument("--size", type=int, default=16_384, help="bytes of a document")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    texts = make_documents(given.documents, given.size)
    few = texts[: given.slow_documents]
    affine = {"scheme": "affine32", "hashfunc": lambda gram: xxhash.xxh32_intdigest(gram)}
    works = {
        "seekmath": lambda: signatures(texts),
        "rensa": lambda: by_rensa(texts),
        "datasketch": lambda: by_datasketch(texts),
        "datasketch, affine32 and xxhash": lambda: by_datasketch(texts, **affine),
        "datatrove": lambda: by_datatrove(few),
    }
    seconds = medians(cpu_seconds(works, given.rounds))
    counts = {name: len(few) if name == "datatrove" else len(texts) for name in works}
    rate = {name: counts[name] / seconds[name] for name in works}
    found = {
        "work": f"signatures of {_PERMUTATIONS} permutations, word 5-grams, text in",
        "documents": given.documents,
        "bytes_per_document": given.size,
        "documents_per_cpu_s": {name: round(value, 1) for name, value in rate.items()},
        "times_as_fast": {name: round(rate["seekmath"] / value, 1) for name, value in rate.items()},
        "targets": {"datasketch": 25, "rensa": 8, "datatrove": 200},
        "rounds": given.rounds,
    }
    save("minhash", found, ("numba", "datasketch", "rensa", "datatrove", "spacy", "xxhash"))


if __name__ == "__main__":
    main()
