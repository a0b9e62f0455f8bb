"""Which hosts and URL paths hold what was collected: the domain rule (section 2.1).

A host more than a tenth of whose pages were collected in a round is a candidate. Below it the
pages form a tree of path prefixes, from which prefixes are marked (see ``annotate``).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Share:
    """How much of a host, or of what lies under a URL prefix, was collected."""

    name: str
    pages: int
    collected: int

    @property
    def share(self) -> float:
        """Collected pages over all pages."""
        return self.collected / self.pages

    def as_row(self, label: str) -> dict[str, str | int | float]:
        """A JSON row with the name under ``label``."""
        return {
            label: self.name,
            "pages": self.pages,
            "collected": self.collected,
            "share": round(self.share, 4),
        }


def host_shares(hosts: Sequence[str], collected: Sequence[bool]) -> list[Share]:
    """The share of each host, most collected pages first (ties by name)."""
    return _shares(([host] for host in hosts), collected)


def candidates(shares: Iterable[Share], least_share: float, least_pages: int) -> list[Share]:
    """Hosts with more than ``least_share`` collected, of at least ``least_pages`` pages."""
    return [s for s in shares if s.share > least_share and s.pages >= least_pages]


def prefixes_of(host: str, path: str) -> list[str]:
    """Every prefix a page stands under, shortest first: the host, then each folder of its path.

    ``("a.org", "/x/y/z.html?q=1")`` gives ``a.org/``, ``a.org/x/``, ``a.org/x/y/``. The query is
    no part of the tree: of ``/viewtopic?t=3`` only the host counts.
    """
    folders = path.split("?", 1)[0].split("#", 1)[0].split("/")[1:-1]
    found = [f"{host}/"]
    for folder in folders:
        found.append(f"{found[-1]}{folder}/")
    return found


def prefix_shares(
    hosts: Sequence[str], paths: Sequence[str], collected: Sequence[bool], among: Iterable[str]
) -> list[Share]:
    """The share of every prefix on the hosts ``among``, most collected first (ties by name)."""
    wanted = set(among)
    rows = [at for at, host in enumerate(hosts) if host in wanted]
    keys = (prefixes_of(hosts[at], paths[at]) for at in rows)
    return _shares(keys, (collected[at] for at in rows))


def above(prefix: str) -> list[str]:
    """The prefixes that ``prefix`` stands under, shortest first."""
    host, _, path = prefix.partition("/")
    return prefixes_of(host, "/" + path)[:-1]


def outline(shares: Iterable[Share], least_pages: int, most: int) -> list[tuple[int, Share]]:
    """The prefixes of one host that are worth deciding on: (depth in the tree, share).

    The host is, and every folder with ``least_pages`` pages that holds fewer than what was shown
    above it: a chain of folders with the same pages is one decision. At most ``most`` are shown,
    the largest; parents come first, siblings in order of yield.
    """
    shown: dict[str, Share] = {}
    way: dict[str, list[str]] = {}
    # No folder holds more pages than one above it, so parents come first.
    for share in sorted(shares, key=lambda one: (-one.pages, one.name.count("/"), one.name)):
        up = [name for name in above(share.name) if name in shown]
        if up and (share.pages < least_pages or share.pages == shown[up[-1]].pages):
            continue
        shown[share.name], way[share.name] = share, [*up, share.name]
        if len(shown) == most:
            break
    order = sorted(shown, key=lambda name: [(-shown[up].collected, up) for up in way[name]])
    return [(len(way[name]) - 1, shown[name]) for name in order]


def _shares(keys_of_pages: Iterable[Sequence[str]], collected: Iterable[bool]) -> list[Share]:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for keys, taken in zip(keys_of_pages, collected, strict=True):
        for key in keys:
            counts[key][0] += 1
            counts[key][1] += bool(taken)
    found = [Share(name, pages, taken) for name, (pages, taken) in counts.items()]
    return sorted(found, key=lambda share: (-share.collected, share.name))


def least_share(collected_N: NDArray[np.int64], pages_N: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share collected of each host of which one can be sure: one page of eight says little.

    The lower end of Wilson's interval of one standard error (Wilson 1927); shape (N,).
    """
    share_N = collected_N / pages_N
    error_N = np.sqrt(share_N * (1 - share_N) / pages_N + 0.25 / pages_N**2)
    return (share_N + 0.5 / pages_N - error_N) / (1 + 1 / pages_N)
