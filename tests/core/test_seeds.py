import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from seekmath.core.seeds import derive, digest, python_random, rng


@given(st.integers(0, 2**40), st.text(), st.text())
def test_keys_are_kept_apart(seed, a, b):
    if "\x1f" not in a + b and a and b:
        assert derive(seed, a, b) != derive(seed, a + b)
        assert digest(a, b) != digest(a + b)
    assert 0 <= derive(seed, a) < 2**63


def test_seeds_do_not_depend_on_the_process():
    program = "from seekmath.core.seeds import derive; print(derive(1, 'page', 7))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(out.stdout) == derive(1, "page", 7)


def test_generators_repeat():
    assert rng(1, "x").random() == rng(1, "x").random() != rng(2, "x").random()
    assert python_random(1, "x").random() == python_random(1, "x").random()
