"""The table of all settings against the code that it is written from."""

from __future__ import annotations

import pytest

from domicile_common.settings import misspelt, variables
from domicile_local.deployment.settings import PAGE, page
from domicile_local.deployment.truth import SERVICES


def test_the_table_is_what_the_code_says():
    assert PAGE.read_text() == page(), "`make settings` writes it anew"


@pytest.mark.parametrize("service", SERVICES)
def test_settings_of_one_service_are_no_slips_to_another(service, monkeypatch):
    for each in SERVICES.values():
        for name in variables(each):
            monkeypatch.setenv(name, "1")
            monkeypatch.setenv(f"{name}_FILE", "1")
    assert misspelt(SERVICES[service]) == {}
