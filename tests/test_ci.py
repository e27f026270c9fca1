"""In CI, a test that needs an outside program may not be skipped."""

from __future__ import annotations

import pytest

_SKIPPING = """
import pytest

@pytest.mark.postgres
def test_in_the_body():
    pytest.skip("no server")

@pytest.fixture
def absent():
    pytest.skip("no browser")

@pytest.mark.browser
def test_in_a_fixture(absent): ...

@pytest.mark.redis
@pytest.mark.skipif(True, reason="no redis")
def test_by_mark(): ...

def test_for_another_reason():
    pytest.skip("no corpus")

@pytest.mark.postgres
@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    assert False

@pytest.mark.postgres
def test_that_runs(): ...
"""


_IN_CI = {"passed": 1, "failed": 1, "errors": 2, "skipped": 1, "xfailed": 1}
_ELSEWHERE = {"passed": 1, "skipped": 4, "xfailed": 1}


@pytest.mark.parametrize(("ci", "expected"), [("true", _IN_CI), ("", _ELSEWHERE)])
def test_a_skip_for_a_missing_program_is_a_failure_in_ci_only(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, expected: dict[str, int]
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeini("[pytest]\nmarkers =\n    postgres\n    browser\n    redis\n")
    pytester.makeconftest("from tests.conftest import pytest_runtest_makereport")
    pytester.makepyfile(_SKIPPING)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(**expected)
    if ci:
        result.stdout.fnmatch_lines(["*may not be skipped in CI (postgres): *no server*"])
