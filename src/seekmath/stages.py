"""Every stage by name: its settings and its function. Floor 5.

The functions are named as text and imported when a stage runs, so that reading a recipe or
printing help loads neither torch nor the crawling tools.
"""

from seekmath.core.recipe import StageType
from seekmath.corpus.settings import TokenizeSettings
from seekmath.evaluate.settings import EvaluateSettings
from seekmath.mine.settings import CutsSettings, DecontaminateSettings, MineSettings
from seekmath.rl.settings import GrpoSettings
from seekmath.train.settings import PretrainSettings, RewardSettings, SftSettings
from seekmath.world.settings import WorldSettings

STAGES = {
    "world": StageType(WorldSettings, "seekmath.world.web:make_world"),
    "mine": StageType(MineSettings, "seekmath.mine.rounds:mine", version=4, shared=True),
    "cuts": StageType(CutsSettings, "seekmath.mine.cuts:cuts", version=2, command="mine cuts"),
    "decontaminate": StageType(DecontaminateSettings, "seekmath.mine.decontaminate:decontaminate"),
    "tokenize": StageType(TokenizeSettings, "seekmath.corpus.shards:tokenize"),
    "pretrain": StageType(PretrainSettings, "seekmath.train.pretrain:pretrain"),
    "sft": StageType(SftSettings, "seekmath.train.sft:sft"),
    "reward": StageType(RewardSettings, "seekmath.train.reward_training:reward"),
    "grpo": StageType(GrpoSettings, "seekmath.rl.trainer:grpo"),
    "evaluate": StageType(EvaluateSettings, "seekmath.evaluate.runner:evaluate"),
}
