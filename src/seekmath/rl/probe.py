"""Whether sampler and trainer compute the same policy, where the update cannot tell by itself."""

import torch

from seekmath.model.decoder import Decoder
from seekmath.model.sampler import nucleus
from seekmath.rl.rollout import Sample
from seekmath.rl.settings import GrpoSettings

# Outputs that are asked again.
_MOST = 8


@torch.no_grad()
def sampler_gap(sampler: Decoder, samples: list[Sample], settings: GrpoSettings) -> float:
    """Largest difference in a log-probability on the first outputs, in nats.

    Args:
        sampler: the model that drew them, as it was then.
        samples: outputs.
        settings: temperature and nucleus of the draw. A token that rounding puts just outside the
            nucleus has no probability to compare.
    """
    gap = 0.0
    for one in samples[:_MOST]:
        prompt, drawn = one.question.prompt_ids, one.completion.token_ids
        ids = torch.tensor([prompt + drawn[:-1]], device=sampler.rotation_SD.device)
        logits_TV = sampler.logits(sampler.hidden(ids)[0, len(prompt) - 1 :]).float()
        probability_TV = torch.softmax(logits_TV / settings.temperature, dim=-1)
        if settings.top_p < 1:
            probability_TV = nucleus(probability_TV, settings.top_p)
        tokens_T1 = torch.tensor(drawn, device=ids.device)[:, None]
        again = probability_TV.gather(1, tokens_T1)[:, 0].log().tolist()
        pairs = zip(one.written, again, one.completion.logprobs, strict=True)
        known = [abs(now - then) for written, now, then in pairs if written and now > -torch.inf]
        gap = max(gap, *known, 0.0)
    return gap
