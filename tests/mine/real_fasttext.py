"""The real fastText, trained where its first values are what they should be."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_TRAIN = """
import json, sys, fasttext
path, model, settings = sys.argv[1:]
fasttext.train_supervised(path, thread=1, verbose=0, **json.loads(settings)).save_model(model)
"""


def train_real(path: Path, **settings: Any) -> Any:
    """Train on ``path`` in a process of its own, on one thread; the model, loaded here.

    With one thread fastText leaves nine tenths of its first values to what the memory holds,
    which is 0 only in fresh memory. A large block (over 32 MiB) of a fresh process is fresh; in
    this process it may be another test's memory.
    """
    import fasttext

    assert settings["bucket"] * settings["dim"] * 4 > 2**25
    model = path.with_suffix(".bin")
    command = [sys.executable, "-c", _TRAIN, str(path), str(model), json.dumps(settings)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return fasttext.load_model(str(model))
