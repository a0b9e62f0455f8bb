"""One rank of a test: runs pre-training for each line of a JSON-lines file, in order.

Started by torchrun; a line holds ``out`` and ``settings``.
"""

import json
import os
import sys
from pathlib import Path

import torch.distributed as dist

from seekmath.core.job import Job
from seekmath.core.log import Display
from seekmath.train.pretrain import pretrain
from seekmath.train.settings import PretrainSettings

if __name__ == "__main__":
    dist.init_process_group("gloo")
    for line in Path(sys.argv[1]).read_text().splitlines():
        asked = json.loads(line)
        follows = os.environ["RANK"] != "0"
        out = Path(asked["out"])
        out.mkdir(parents=True, exist_ok=True)
        with Job(out, 0, Display(quiet=True), helper=follows) as job:
            pretrain(PretrainSettings.model_validate(asked["settings"]), job)
    dist.destroy_process_group()
