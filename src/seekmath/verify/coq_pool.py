"""Several warm coqtops, each left at the imports of the statement that it was last told.

An import costs up to 50 ms of processor time, a claim and its proof about 3. A statement goes to
the coqtop that has most of it said already, unless another loses less by it: what is dropped
counts with the share of statements that ask for it. A further coqtop is started only once what was
said again has cost more than starting all of them anew, so that a short run never pays for one.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil

from seekmath.verify.coq_session import CoqSession, Ended
from seekmath.verify.coq_text import Unreadable

_UNKNOWN_S = 0.01  # of a sentence that was never said
_FREE_MIB = 2048  # left over when one more is started
_MOST_HEADS = 20_000
Head = tuple[str, ...]


@dataclass
class _Warm:
    session: CoqSession
    said: list[tuple[str, int]] = field(default_factory=list)  # each with the state after it

    def common(self, wanted: Sequence[str]) -> int:
        """How many sentences of ``wanted`` it has said already."""
        for count, ((one, _), other) in enumerate(zip(self.said, wanted, strict=False)):
            if one != other:
                return count
        return min(len(self.said), len(wanted))


class CoqPool:
    """At most ``most`` sessions, started as they pay.

    Args:
        start: makes a session that stands at its base.
        most: sessions at a time; each takes 300 to 600 MiB.
    """

    def __init__(self, start: Callable[[], CoqSession], most: int) -> None:
        self._start, self._most = start, most
        self._warm: list[_Warm] = []  # the one used last at the end
        self._cost_s: dict[Head, float] = {}
        self._asked: Counter[Head] = Counter()
        self._statements = 0
        self._start_s = self._again_s = 0.0

    def __len__(self) -> int:
        return len(self._warm)

    def close(self) -> None:
        """End all of them."""
        for one in self._warm:
            one.session.close()
        self._warm = []

    def drop(self, session: CoqSession) -> None:
        """Forget one that has ended."""
        session.close()
        self._warm = [one for one in self._warm if one.session is not session]

    def cpu_s(self) -> float:
        """Processor time of those that live, seconds."""
        return sum(one.session.cpu_s() for one in self._warm)

    def start_one(self) -> None:
        """Start the first, if none runs."""
        if not self._warm:
            self._another()

    def base(self) -> CoqSession:
        """One of them, at its base."""
        self.start_one()
        warm = self._warm[-1]
        warm.said = []
        warm.session.back_to(warm.session.base)
        return warm.session

    def at(self, head: Sequence[str], rest: Sequence[str], cpu_s: float) -> CoqSession:
        """A session that has said ``head``, which statements share, and then ``rest``.

        Raises:
            Unreadable: Coq refuses a sentence.
            Ended: coqtop is gone.
        """
        self.start_one()
        wanted = [*head, *rest]
        warm = self._chosen(head, wanted)
        self._count(head)
        common = warm.common(wanted)
        try:
            self._say(warm, wanted, common, len(head), cpu_s)
        except Ended:
            self.drop(warm.session)
            raise
        return warm.session

    def _say(
        self, warm: _Warm, wanted: Sequence[str], common: int, of_head: int, cpu_s: float
    ) -> None:
        """Go back to the first ``common`` sentences and say the others."""
        del warm.said[common:]
        session = warm.session
        state = warm.said[-1][1] if warm.said else session.base
        if session.state != state:
            session.back_to(state)
        for place in range(common, len(wanted)):
            began = session.cpu_s()
            answer = session.say(wanted[place], cpu_s)
            if place < of_head:
                self._cost_s[tuple(wanted[: place + 1])] = session.cpu_s() - began
            if answer.error is not None:
                raise Unreadable(answer.error)
            warm.said.append((wanted[place], answer.state))

    def _chosen(self, head: Sequence[str], wanted: Sequence[str]) -> _Warm:
        costs = [self._to_say(one.common(head), head) for one in self._warm]
        losses = [self._to_lose(one, one.common(wanted)) for one in self._warm]
        best = min(range(len(costs)), key=lambda i: costs[i] + losses[i])
        self._again_s += costs[best]
        pays = self._again_s > self._start_s * len(self._warm)
        if pays and len(self._warm) < self._most and _free_mib() > _FREE_MIB:
            self._again_s = 0.0
            return self._another()
        self._warm.append(self._warm.pop(best))
        return self._warm[-1]

    def _to_say(self, start: int, head: Sequence[str]) -> float:
        heads = (tuple(head[: place + 1]) for place in range(start, len(head)))
        return sum(self._cost_s.get(one, _UNKNOWN_S) for one in heads)

    def _to_lose(self, warm: _Warm, start: int) -> float:
        """What dropping the sentences after ``start`` costs each later statement on average."""
        said = [one for one, _ in warm.said]
        heads = (tuple(said[: place + 1]) for place in range(start, len(said)))
        lost = sum(self._asked[one] * self._cost_s.get(one, 0.0) for one in heads)
        return lost / max(self._statements, 1)

    def _count(self, head: Sequence[str]) -> None:
        self._statements += 1
        self._asked.update(tuple(head[: place + 1]) for place in range(len(head)))
        if len(self._asked) > _MOST_HEADS:  # heads of many statements' own: the rare ones go
            kept = self._asked.most_common(_MOST_HEADS // 2)
            self._asked = Counter(dict(kept))
            self._cost_s = {head: s for head, s in self._cost_s.items() if head in self._asked}

    def _another(self) -> _Warm:
        began = time.process_time()
        session = self._start()
        self._start_s = session.cpu_s() + time.process_time() - began
        self._warm.append(_Warm(session))
        return self._warm[-1]


def _free_mib() -> float:
    return float(psutil.virtual_memory().available) / 2**20
