"""One rank of a test: reinforcement for each line of a JSON-lines file. Started by torchrun."""

import json
import os
import sys
from pathlib import Path

import torch.distributed as dist

from seekmath.core.job import Job
from seekmath.core.log import Display
from seekmath.rl.settings import GrpoSettings
from seekmath.rl.trainer import grpo

if __name__ == "__main__":
    dist.init_process_group("gloo")
    for line in Path(sys.argv[1]).read_text().splitlines():
        asked = json.loads(line)
        out = Path(asked["out"])
        out.mkdir(parents=True, exist_ok=True)
        with Job(out, 3, Display(quiet=True), helper=os.environ["RANK"] != "0") as job:
            grpo(GrpoSettings.model_validate(asked["settings"]), job)
    dist.destroy_process_group()
