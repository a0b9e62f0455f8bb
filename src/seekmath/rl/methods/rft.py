"""RFT (paper, section 5.2.1): fine-tuning on the SFT model's right outputs.

Data source: outputs of the policy as it was handed over, the SFT model. Reward: the rule. Gradient
coefficient: 1 where the answer is right, 0 elsewhere. Online RFT differs in the data source only.
"""

from dataclasses import replace

from seekmath.rl.method import Method, Setup, offline
from seekmath.rl.methods.online_rft import online_rft_method


def rft_method(setup: Setup) -> Method:
    """The three places of the unified view, filled for RFT."""
    return replace(online_rft_method(setup), source=offline(setup))
