"""A fixture over every family."""

import pytest

from tests.model.families import FAMILIES, make_folder


@pytest.fixture(params=list(FAMILIES))
def family_folder(request, tmp_path):
    """(their model, its folder) for each family."""
    return make_folder(request.param, tmp_path / "theirs"), tmp_path / "theirs"
