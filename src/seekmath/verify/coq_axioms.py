"""What a proof taken by Coq may rest on, and when that is known without asking Coq.

``Print Assumptions`` walks through all that a proof uses, opaque proofs of the library too: 0.4 s
of processor time for ``lia``, 0.7 for the reals. It need not be asked for each proof. A proof is
tactics alone, which add nothing to the environment; so it rests on nothing but what the loaded
libraries and its statement leave undefined. What the libraries do, ``coqchk`` lists from the
kernel's own tables; ``Print Assumptions`` is asked once what all of that rests on. If that is
allowed, and neither the statement nor the proof has added anything undefined (``Print All`` shows
it), the proof is allowed. Whenever one of these cannot be told, the proof itself is asked about.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache

from seekmath.verify.coq_text import Statement

#: Axioms a proof may rest on: the classical ones of Coq's standard library.
CLASSICAL_AXIOMS = frozenset(
    {
        "functional_extensionality_dep",
        "sig_forall_dec",  # classical real numbers
        "sig_not_dec",
        "completeness",  # as axioms of older versions
        "total_order_T",
        "classic",
        "proof_irrelevance",
        "propositional_extensionality",
        "Extensionality_Ensembles",
        "eq_rect_eq",
        "JMeq_eq",
        "constructive_indefinite_description",
        "constructive_definite_description",
        "dependent_unique_choice",
        "relational_choice",
        "epsilon_statement",
        "iota_statement",
        "excluded_middle_informative",
    }
)
_CHECKER_S = 600.0
# Sentences that can neither leave anything undefined unseen nor change what the kernel checks.
_PLAIN = re.compile(
    r"(?:From\s+\S+\s+)?Require\b|(?:Local\s+|Global\s+)?(?:Open|Close)\s+Scope\b|Import\b|"
    r"(?:Local\s+)?(?:Definition|Fixpoint|Notation|Inductive|Ltac)\b"
)


def is_plain(statement: Statement) -> bool:
    """Whether what stands before the claim only loads, opens scopes and defines."""
    return all(_PLAIN.match(sentence) for sentence in statement.sentences[:-1])


def requires(statement: Statement) -> tuple[str, ...]:
    """Its sentences that load libraries."""
    return tuple(one for one in statement.sentences if re.match(r"(?:From\s+\S+\s+)?Require", one))


def assumed_of(printed: str) -> tuple[str, ...] | None:
    """The names that ``Print Assumptions`` printed; None if it printed something else.

    Beside axioms it names what relies on unchecked recursion, positivity or universes.
    """
    if printed.startswith("Closed under the global context"):
        return ()
    head, _, listed = printed.partition("Axioms:")
    if head.strip() or not listed.strip():
        return None
    names = re.findall(r"^(\S+)(?= |$)", listed, re.MULTILINE)
    return tuple(name for name in names if name and not name.startswith(":"))


def is_classical(name: str) -> bool:
    """Whether an axiom is one of ``CLASSICAL_AXIOMS``, whatever library it is in."""
    return name.rpartition(".")[2] in CLASSICAL_AXIOMS


def libraries_of(printed: str) -> frozenset[str]:
    """The libraries that ``Print Libraries`` printed, by full name."""
    return frozenset(re.findall(r"^\s*([A-Za-z_][\w']*(?:\.[\w']+)+)\s*$", printed, re.MULTILINE))


@lru_cache(maxsize=8)
def undefined_in(libraries: frozenset[str]) -> tuple[str, ...] | None:
    """All that the kernel knows no definition of in these libraries and those that they load.

    That is axioms, and what modules are sealed.

    None where ``coqchk`` is missing or fails, or finds anything that the kernel did not check.
    """
    program = shutil.which("coqchk")
    if program is None:
        return None
    arguments = [word for one in sorted(libraries) for word in ("-norec", one)]
    admitted = [word for one in sorted(libraries) for word in ("-admit", one)]
    try:
        done = subprocess.run(
            [program, "-silent", "-o", *admitted, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # which is where it says all of this
            text=True,
            timeout=_CHECKER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _undefined(done.stdout) if done.returncode == 0 else None


def _undefined(told: str) -> tuple[str, ...] | None:
    parts = dict(re.findall(r"^\* ([^:\n]+):(.*?)(?=^\* |\Z)", told, re.MULTILINE | re.DOTALL))
    listed = parts.pop("Axioms", None)
    parts.pop("Theory", None)
    if listed is None or any(rest.strip() != "<none>" for rest in parts.values()):
        return None
    return () if listed.strip() == "<none>" else tuple(listed.split())


def naming(names: Sequence[str], term: str) -> str:
    """The definition of ``term`` as something that uses all of ``names``."""
    uses = " ".join(f"let _ := @{name} in" for name in names)
    return f"Definition {term} := ({uses} tt)."
