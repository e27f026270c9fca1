"""The principals of a scenario, checked: who they are, by whom they come to be, and where they call from."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from drill.scenario_yaml import Path, Source

# What a principal is, with the keys that go with it.
_KINDS: dict[str, set[str]] = {
    "user": {"made_by", "console", "mfa"},
    "role": {"assumed_by", "session", "source_identity", "tags", "transitive"},
    "root": {"console", "mfa"},
    "profile_of": set(),
    "function_role": set(),
    "session_of": set(),
    "federated": {"made_by"},
}
_EVERYBODY = {"account", "source_ip", "user_agent"}
_KEYS = _EVERYBODY.union(_KINDS, *_KINDS.values())
_MAKERS = ("made_by", "assumed_by", "session_of")
_IAM_NAME = re.compile(r"^[\w+=,.@-]{1,64}$")
_SAVED = re.compile(r"^\$([A-Za-z_]\w*)$")
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"


def check_principals(source: Source, raw: dict[str, Any], accounts: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Everybody who acts, in the file's order, with defaults filled in."""
    for name, value in raw.items():
        _check_principal(source, str(name), value, raw, accounts)
    _check_no_cycle(source, raw)
    out = {str(name): _filled_in(raw, name, place, accounts) for place, name in enumerate(raw)}
    for name, value in out.items():
        _check_makers(source, name, value, out)
    return out


def needed_names(principals: dict[str, Any], who: str) -> set[str]:
    """The saved names without which a principal cannot come to be: the instance whose session it holds."""
    chain = [who]
    while maker := next((principals[chain[-1]].get(key) for key in _MAKERS if principals[chain[-1]].get(key)), None):
        chain.append(maker)
    return {principals[name]["profile_of"] for name in chain if principals[name].get("profile_of")}


def _filled_in(raw: dict[str, Any], name: str, place: int, accounts: dict[str, str]) -> dict[str, Any]:
    value = raw[name]
    # A session of a user is in the user's account.
    owner = value
    while "session_of" in owner or "federated" in owner:
        owner = raw[str(_maker(owner))]
    account = value.get("account", owner.get("account", next(iter(accounts))))
    in_console = _from_console(raw, name)
    return {
        **value,
        "name": name,
        "account": accounts[account],
        "session": value.get("session", name),
        "profile_of": str(value.get("profile_of", "")).removeprefix("$"),
        "transitive": tuple(value.get("transitive", ())),
        "console": in_console,
        "source_ip": _source_ip(raw, name, place),
        "user_agent": value.get("user_agent", _BROWSER if in_console else ""),
    }


# ---- one principal ----------------------------------------------------------------------------------------------


def _check_principal(source: Source, name: str, value: Any, everyone: dict[str, Any], accounts: dict[str, str]) -> None:
    path: Path = ("principals", name)
    if not isinstance(value, dict):
        raise source.error(path, f"principal {name!r} is no mapping", f"write {name}: {{user: {name}}}")
    for key in value:
        if key not in _KEYS:
            raise source.error((*path, key), f"unknown key {key!r} in principal {name!r}", f"use one of {', '.join(sorted(_KEYS))}")
    kinds = [kind for kind in _KINDS if kind in value]
    if len(kinds) != 1:
        remedy = f"write {{user: NAME}}, or {{role: NAME, assumed_by: PRINCIPAL}}, or one of {', '.join(list(_KINDS)[2:])}"
        raise source.error(path, f"principal {name!r} needs a user or a role, and only one of them", remedy)
    for key in value:
        if key not in _EVERYBODY | {kinds[0]} | _KINDS[kinds[0]]:
            goes = ", ".join(kind for kind, keys in _KINDS.items() if key in keys)
            raise source.error((*path, key), f"{key} does not go with principal {name!r}", f"use it with {goes}")
    _check_values(source, path, name, value, everyone)
    if "account" in value and value["account"] not in accounts:
        remedy = f"use one of {', '.join(accounts)}"
        raise source.error((*path, "account"), f"unknown account {value['account']!r}", remedy)


def _check_values(source: Source, path: Path, name: str, value: dict[str, Any], everyone: dict[str, Any]) -> None:
    for kind, key, verb in (("role", "assumed_by", "assumes"), ("federated", "made_by", "asks for")):
        if kind in value and key not in value:
            raise source.error(path, f"nobody {verb} {kind} principal {name!r}", f"add {key}: PRINCIPAL")
    for key in ("user", "role", "session", "federated", "function_role", "source_identity"):
        if key in value and not (isinstance(value[key], str) and _IAM_NAME.match(value[key])):
            remedy = "use up to 64 letters, digits and +=,.@-_"
            raise source.error((*path, key), f"{value[key]!r} is no name for a {key}", remedy)
    for key in _MAKERS:
        if key in value and value[key] not in everyone:
            remedy = f"use one of {', '.join(map(str, everyone))}"
            raise source.error((*path, key), f"unknown principal {value[key]!r}", remedy)
    for key in ("root", "console", "mfa"):
        if key in value and not isinstance(value[key], bool):
            raise source.error((*path, key), f"{key} is {value[key]!r}", "write true or false")
    if "profile_of" in value and not _SAVED.match(str(value["profile_of"])):
        raise source.error((*path, "profile_of"), f"profile_of is {value['profile_of']!r}", "write $name of a saved instance id")
    if "source_ip" in value:
        _check_ip(source, (*path, "source_ip"), value["source_ip"])
    _check_tags(source, path, value)


def _check_tags(source: Source, path: Path, value: dict[str, Any]) -> None:
    tags = value.get("tags", {})
    if not isinstance(tags, dict) or not all(isinstance(text, str) for pair in tags.items() for text in pair):
        raise source.error((*path, "tags"), f"tags is {tags!r}", "write a mapping of texts, as in {team: network}")
    transitive = value.get("transitive", [])
    if not isinstance(transitive, list) or any(key not in tags for key in transitive):
        raise source.error((*path, "transitive"), f"transitive is {transitive!r}", "write a list of keys of tags")


def _check_ip(source: Source, path: Path, value: Any) -> None:
    try:
        ipaddress.ip_address(str(value))
    except ValueError as e:
        raise source.error(path, f"{value!r} is no IP address", "write one such as 198.51.100.7") from e


# ---- who comes from whom ----------------------------------------------------------------------------------------


def _maker(value: dict[str, Any]) -> str | None:
    return next((value[key] for key in _MAKERS if key in value), None)


def _check_no_cycle(source: Source, raw: dict[str, Any]) -> None:
    for name in raw:
        chain = [name]
        while (maker := _maker(raw[chain[-1]])) is not None:
            if maker in chain:
                key = next(key for key in _MAKERS if key in raw[chain[-1]])
                ring = " -> ".join([*chain, maker])
                remedy = "let the chain end at a user without made_by"
                raise source.error(("principals", chain[-1], key), f"principals go round in a ring: {ring}", remedy)
            chain.append(maker)


def _check_makers(source: Source, name: str, value: dict[str, Any], everyone: dict[str, dict[str, Any]]) -> None:
    for key in ("made_by", "session_of"):
        maker = value.get(key)
        if maker and everyone[maker]["account"] != value["account"]:
            remedy = "put both into the same account; nobody can make a key in another one"
            raise source.error(("principals", name, key), f"{maker} is in another account than {name}", remedy)
    key = "session_of" if "session_of" in value else "made_by" if "federated" in value else ""
    if key and (not {"user", "root"} & set(everyone[value[key]]) or everyone[value[key]]["console"]):
        remedy = "name a principal with user or root, and without console"
        raise source.error(("principals", name, key), f"{value[key]} holds no long-term key to ask STS with", remedy)


def _from_console(raw: dict[str, Any], name: str) -> bool:
    """Whether a principal works in the console: by signing in, or by switching the role there."""
    value = raw[name]
    if "assumed_by" in value:
        return _from_console(raw, value["assumed_by"])
    return bool(value.get("console", False))


def _source_ip(raw: dict[str, Any], name: str, place: int) -> str:
    """A principal's own address, or that of whoever made or assumed it, or one of the documentation range.

    Empty for an instance's own calls: those come from the instance's address, which only the run knows.
    """
    maker: str | None = name
    while maker is not None:
        if "source_ip" in raw[maker]:
            return str(raw[maker]["source_ip"])
        if "profile_of" in raw[maker]:
            return ""
        maker = _maker(raw[maker])
    return f"192.0.2.{10 + place % 240}"
