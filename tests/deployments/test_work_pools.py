"""`prefect.yaml`: every place where flows can run is one that Prefect's own worker types understand."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import prefect.server.api
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TYPES = {"on_hosts": "process", "in_docker": "docker", "in_ecs": "ecs", "in_kubernetes": "kubernetes"}


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "prefect.yaml").read_text())


@pytest.fixture(scope="module")
def worker_types() -> dict[str, dict[str, Any]]:
    """What each type of worker takes, as Prefect ships it."""
    views = Path(prefect.server.api.__file__).parent / "collections_data" / "views" / "aggregate-worker-metadata.json"
    return {name: kind for types in json.loads(views.read_text()).values() for name, kind in types.items()}


@pytest.mark.parametrize("place", TYPES)
def test_a_place_gives_its_workers_only_what_they_take(place, written, worker_types):
    variables = written["definitions"][place]["work_pool"].get("job_variables", {})
    taken = worker_types[TYPES[place]]["default_base_job_configuration"]["variables"]
    assert set(variables) <= set(taken["properties"]), "a worker drops what it does not know"
    jsonschema.validate(variables, taken | {"required": []})


def test_all_places_are_tried_and_one_of_them_is_in_force(written):
    places = {name: place for name, place in written["definitions"].items() if name != "where"}
    assert set(places) == set(TYPES)
    assert written["definitions"]["where"] in places.values()
    for deployment in written["deployments"]:
        assert {name: deployment[name] for name in written["definitions"]["where"]} == written["definitions"]["where"]


def test_the_default_needs_nothing_but_this_host(written):
    assert written["definitions"]["where"] == {"work_pool": {"name": "countermand"}}


def test_another_place_is_one_word_away():
    text = (ROOT / "prefect.yaml").read_text()
    for place, kind in TYPES.items():
        moved = yaml.safe_load(text.replace("    <<: *on_hosts", f"    <<: *{place}"))
        pools = {deployment["work_pool"]["name"] for deployment in moved["deployments"]}
        assert pools == {"countermand" if kind == "process" else f"countermand-{kind}"}


def test_no_job_variable_is_a_secret(written):
    text = json.dumps(written["definitions"])
    assert not re.search(r"(?i)password|token|secret[^s]|AKIA|://[^/\"]*:[^/\"]*@", text)


def test_every_entry_point_is_a_flow(written):
    for deployment in written["deployments"]:
        file, name = deployment["entrypoint"].split(":")
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert getattr(module, name).name == deployment["name"]


def test_containers_find_the_code_where_the_image_has_it(written):
    work_folder = re.findall(r"^WORKDIR (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for place in ("in_docker", "in_ecs", "in_kubernetes"):
        [step] = written["definitions"][place]["pull"]
        assert step["prefect.deployments.steps.set_working_directory"]["directory"] == work_folder[-1]
