"""How it runs for real: container recipe, Compose file and systemd unit, as far as they can be held against what is here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from gateway.cli import app
from tasks.config import Config

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = ROOT / "deployments"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text())


def instructions(kind: str) -> list[str]:
    """The instructions of one kind in the container recipe, continued lines joined."""
    whole = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    return [line.split(" ", 1)[1] for line in whole.splitlines() if line.startswith(f"{kind} ")]


def test_the_image_is_made_by_the_steps_that_every_set_up_runs():
    """`make setup` is what CI runs: the same arguments to pip, so that the recipe's steps are tried in every run."""
    makefile = (ROOT / "Makefile").read_text()
    lock = re.findall(r"^LOCK := (.+)$", makefile, re.MULTILINE)
    makefile = makefile.replace("$(LOCK)", *lock)
    set_up = [shlex.split(found) for found in re.findall(r"\$\(PIP\) (install .+)", makefile)]
    image = [shlex.split(line.partition("-m pip ")[2]) for line in instructions("RUN") if "-m pip" in line]
    assert set_up
    assert image == set_up


def test_a_release_has_one_version(compose):
    """What `docs/operations.md` says of cutting a release."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    tags = re.findall(r"image: \S*countermand:(\S+)", (ROOT / "prefect.yaml").read_text())
    tags += [service["image"].partition(":")[2] for service in compose["services"].values() if "countermand:" in service["image"]]
    assert set(tags) == {version}
    newest = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest in ("Unreleased", version)


def test_the_image_runs_as_nobody_special_and_holds_no_secret():
    assert instructions("USER") == ["10001"]
    assert instructions("ENTRYPOINT") == ['["countermand"]']
    for line in instructions("ENV"):
        assert not re.search(r"(KEY|TOKEN|SECRET|PASSWORD|AUTH)\w*=", line)


def test_everything_that_runs_is_copied_into_the_image():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"incident", "tasks", "flows", "gateway", "drill", "prefect.yaml", "deployments/prefect-automations.yaml"} <= let_in
    assert all((ROOT / name).exists() for name in let_in)
    assert not any(name.startswith((".git", "tests", ".venv")) for name in let_in)


def test_compose_names_only_what_it_defines(compose):
    for name, service in compose["services"].items():
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        assert set(service.get("networks", [])) <= set(compose["networks"]), name
        assert set(service.get("depends_on", {})) <= set(compose["services"]), name
        volumes = [volume.split(":")[0] for volume in service.get("volumes", [])]
        assert {one for one in volumes if not one.startswith(".")} <= set(compose["volumes"]), name
        files = {one for one in volumes if one.startswith(".")} - {"./countermand.yaml", "./policy.yaml"}
        assert all((DEPLOYMENTS / one).is_file() for one in files), name


def test_compose_publishes_on_the_loopback_only_and_shuts_the_stores_in(compose):
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert compose["networks"]["inside"]["internal"]
    assert all(compose["services"][name]["networks"] == ["inside"] for name in ("postgres", "redis"))


def test_compose_has_no_secret_inline(compose):
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search("PASSWORD|TOKEN|SECRET|AUTH_STRING|_KEYS?$|_URL$", variable)
            assert not secret or variable.endswith("_FILE") or value == "http://prefect-api:4200/api", f"{name}: {variable}"
    assert all(set(source) == {"file"} for source in compose["secrets"].values())


def test_composes_commands_of_ours_exist_and_its_settings_are_settings(compose, monkeypatch):
    commands = {
        service["command"][1] for service in compose["services"].values() if service.get("command", [""])[0] == "countermand"
    }
    assert commands == {"deploy", "gateway", "worker"}
    assert commands <= set(get_command(app).commands)
    for service in compose["services"].values():
        for variable, value in service.get("environment", {}).items():
            if variable.startswith("COUNTERMAND_") and variable != "COUNTERMAND_CONFIG":
                monkeypatch.setenv(variable, value)
    config = Config()
    assert (config.log.format, config.gateway.host) == ("json", "0.0.0.0")


@pytest.fixture
def secrets_folder(tmp_path: Path) -> Path:
    for _ in range(2):
        made = subprocess.run([DEPLOYMENTS / "compose-secrets.sh", tmp_path], capture_output=True, text=True, check=False)
        if "as root" in made.stderr:
            pytest.skip("the script wants root")
        assert made.returncode == 0, made.stderr
    return tmp_path / "secrets"


def test_secrets_are_made_once_and_reach_the_process_that_needs_them(secrets_folder, compose, monkeypatch):
    assert {file.name for file in secrets_folder.iterdir()} == set(compose["secrets"])
    assert all(file.stat().st_mode & 0o077 == 0 for file in secrets_folder.iterdir())
    before = {file.name: file.read_text() for file in secrets_folder.iterdir()}
    assert (
        subprocess.run([DEPLOYMENTS / "compose-secrets.sh", secrets_folder.parent], capture_output=True, check=False).returncode
        == 0
    )
    assert {file.name: file.read_text() for file in secrets_folder.iterdir()} == before
    environment = {"PATH": "/usr/bin:/bin", "SECRETS_FOLDER": str(secrets_folder)}
    shown = subprocess.run(
        ["/bin/sh", DEPLOYMENTS / "with-secrets.sh", "env"], env=environment, capture_output=True, text=True, check=True
    )
    seen = dict(line.split("=", 1) for line in shown.stdout.splitlines())
    for variable, value in seen.items():
        if variable.startswith("COUNTERMAND_"):
            monkeypatch.setenv(variable, value)
    config = Config()
    assert config.ledger == f"postgresql://countermand:{before['database_password']}@postgres/countermand"
    assert [key.get_secret_value() for key in config.gateway.webhook_keys] == yaml.safe_load(before["webhook_keys"])
    assert seen["PREFECT_API_AUTH_STRING"] == seen["PREFECT_SERVER_API_AUTH_STRING"] == f"admin:{before['prefect_password']}"
    assert "COUNTERMAND_SLACK__BOT_TOKEN" not in seen, "an empty file is no token"


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed")
    # What it starts is not here, which systemd would say too.
    unit = tmp_path / "countermand.service"
    unit.write_text(
        (DEPLOYMENTS / "systemd" / "countermand.service").read_text().replace("/opt/countermand/.venv/bin/countermand", "/bin/true")
    )
    verified = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True, check=False
    )
    assert judged.returncode == 0, judged.stdout[-2000:]


def test_what_the_unit_starts_is_a_command_of_ours():
    text = (DEPLOYMENTS / "systemd" / "countermand.service").read_text()
    command = re.search(r"^ExecStart=\S+/countermand (\w+)$", text, re.MULTILINE)
    assert command is not None
    assert command[1] in get_command(app).commands
