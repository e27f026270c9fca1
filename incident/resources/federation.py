"""Identity providers: whose word AWS takes for who somebody is, which is a way in that outlives every key.

An identity provider has the same ARN when it is made again, so that the roles that trust it need no change.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateSAMLProvider.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, absent_before, always_there, family
from incident.network.values import identifiers, structures, text
from incident.record import JsonObject
from incident.resources.iam import IAM, NO_SUCH, deleted, key, shown
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

SAML_PROVIDER = "saml-provider"
OIDC_PROVIDER = "oidc-provider"
OIDC_CLIENT = "oidc-client"
OIDC_THUMBPRINTS = "oidc-thumbprints"

_SAML_ARN, _DOCUMENT = "SAMLProviderArn", "SAMLMetadataDocument"
_OIDC_ARN, _CLIENTS, _THUMBPRINTS = "OpenIDConnectProviderArn", "ClientIDList", "ThumbprintList"

# Before what it belongs to, which trusts it by its ARN and lets go of it first.
_RANK, _PART_RANK = 49, 41


# --- SAML ---------------------------------------------------------------------------------------------------------------------


def _saml(told: JsonObject) -> Value:
    return {_DOCUMENT: text(told.get(_DOCUMENT)).strip()}


def _create_saml(event: Event) -> Iterator[Write]:
    yield Write(key(event, SAML_PROVIDER, event.answered(_SAML_ARN)), _saml(event.request), before=None)


def _update_saml(event: Event) -> Iterator[Write]:
    """What else an update can change, the keys that decrypt what a provider says, no read gives back.

    Raises:
        ValueError: it changed something else than the document.
    """
    if event.request.keys() - {_SAML_ARN, _DOCUMENT} or not event.requested(_DOCUMENT):
        raise ValueError("the record changes how a SAML provider's assertions are encrypted, which no read gives back")
    yield Write(key(event, SAML_PROVIDER, event.requested(_SAML_ARN)), _saml(event.request))


def _delete_saml(event: Event) -> Iterator[Write]:
    yield from deleted(event, key(event, SAML_PROVIDER, event.requested(_SAML_ARN)), UNKNOWN)


def _list_saml(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    """Only that they are there: each one's own read tells the rest."""
    for one in structures(answer.get("SAMLProviderList")):
        yield shown(scope, SAML_PROVIDER, one.get("Arn"), {})


def _observe_saml(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get(_DOCUMENT):
        yield shown(scope, SAML_PROVIDER, read.parameters[_SAML_ARN], _saml(answer))


def _read_saml(setting: SettingKey) -> Read:
    return IAM.read("GetSAMLProvider", **{_SAML_ARN: setting.resource})


def _change_saml(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    named = {_SAML_ARN: setting.resource}
    if wanted is None:
        return IAM.call("DeleteSAMLProvider", named, loses="its tags and the keys that decrypt its assertions")
    if live is not None:
        return IAM.call("UpdateSAMLProvider", {**named, **wanted})
    name = setting.resource.partition("saml-provider/")[2]
    return IAM.call("CreateSAMLProvider", {"Name": name, **wanted}, loses="its tags", creates=_SAML_ARN)


SAML_PROVIDERS = family(
    Kind(SAML_PROVIDER, _RANK, _read_saml, _change_saml, details=lambda setting: (_read_saml(setting),)),
    service=IAM.source,
    readers={"CreateSAMLProvider": _create_saml, "UpdateSAMLProvider": _update_saml, "DeleteSAMLProvider": _delete_saml},
    observers={"ListSAMLProviders": _list_saml, "GetSAMLProvider": _observe_saml},
    inventory=(IAM.read("ListSAMLProviders"),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        SAML_PROVIDER: Acts(
            sets=(
                "iam:CreateSAMLProvider",
                "iam:UpdateSAMLProvider",
            ),
            removes=("iam:DeleteSAMLProvider",),
        ),
    },
)


# --- OpenID Connect -----------------------------------------------------------------------------------------------------------


def _lists(told: JsonObject) -> dict[str, list[str]]:
    return {name: sorted(identifiers(told.get(name))) for name in (_CLIENTS, _THUMBPRINTS)}


def _parts(provider: SettingKey, value: Any) -> Iterator[tuple[SettingKey, Value]]:
    """The clients that may ask a provider, each a setting, and the certificates by which AWS knows it, together one."""
    for client in value[_CLIENTS]:
        yield _client(provider, client), {}
    yield _thumbprints(provider), value[_THUMBPRINTS]


def _client(provider: SettingKey, client: str) -> SettingKey:
    return provider._replace(kind=OIDC_CLIENT, name=client)


def _thumbprints(provider: SettingKey) -> SettingKey:
    return provider._replace(kind=OIDC_THUMBPRINTS, name="thumbprints")


def _create_oidc(event: Event) -> Iterator[Write]:
    """AWS finds the thumbprint itself where none is given, and no record tells it."""
    provider, value = key(event, OIDC_PROVIDER, event.answered(_OIDC_ARN)), _lists(event.request)
    told = bool(value[_THUMBPRINTS])
    yield Write(provider, value if told else UNKNOWN, before=None)
    parts = dict(_parts(provider, value))
    yield from absent_before(event, ((one, part) for one, part in parts.items() if one.kind == OIDC_CLIENT))
    yield Write(_thumbprints(provider), parts[_thumbprints(provider)] if told else UNKNOWN, before=None)


def _requested_oidc(event: Event) -> SettingKey:
    return key(event, OIDC_PROVIDER, event.requested(_OIDC_ARN))


def _delete_oidc(event: Event) -> Iterator[Write]:
    yield from deleted(event, _requested_oidc(event), UNKNOWN, OIDC_CLIENT, OIDC_THUMBPRINTS)


def _update_thumbprints(event: Event) -> Iterator[Write]:
    provider, thumbprints = _requested_oidc(event), _lists(event.request)[_THUMBPRINTS]
    yield Write(_thumbprints(provider), thumbprints)
    yield from _with(event, provider, _THUMBPRINTS, thumbprints)


def _add_client(event: Event) -> Iterator[Write]:
    provider, client = _requested_oidc(event), event.requested("ClientID")
    yield Write(_client(provider, client), {})
    yield from _with(event, provider, _CLIENTS, sorted({*_known_clients(event, provider), client}))


def _remove_client(event: Event) -> Iterator[Write]:
    provider, client = _requested_oidc(event), event.requested("ClientID")
    yield Write(_client(provider, client), None)
    yield from _with(event, provider, _CLIENTS, sorted({*_known_clients(event, provider)} - {client}))


def _known_clients(event: Event, provider: SettingKey) -> list[str]:
    known = event.value(provider)
    return [] if known is None or isinstance(known, Unknown) else known[_CLIENTS]


def _with(event: Event, provider: SettingKey, name: str, value: list[str]) -> Iterator[Write]:
    """The provider as it would be made again from now on, where it is known how it was."""
    known = event.value(provider)
    if known is not None and not isinstance(known, Unknown):
        yield Write(provider, {**known, name: value})


def _list_oidc(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    """Only that they are there: each one's own read tells the rest."""
    for one in structures(answer.get("OpenIDConnectProviderList")):
        yield shown(scope, OIDC_PROVIDER, one.get("Arn"), {})


def _observe_oidc(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("Url"):
        provider = shown(scope, OIDC_PROVIDER, read.parameters[_OIDC_ARN], _lists(answer))
        yield provider
        for part, value in _parts(provider.key, provider.value):
            yield Observed(part, value)


def _read_oidc(setting: SettingKey) -> Read:
    return IAM.read("GetOpenIDConnectProvider", **{_OIDC_ARN: setting.resource})


def _change_oidc(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return IAM.call("DeleteOpenIDConnectProvider", {_OIDC_ARN: setting.resource}, loses="its tags")
    if live is None:
        url = f"https://{setting.resource.partition('oidc-provider/')[2]}"
        return IAM.call("CreateOpenIDConnectProvider", {"Url": url, **wanted}, loses="its tags", creates=_OIDC_ARN)
    # Clients and thumbprints are settings of their own, which have their own steps.
    return ()


def _change_client(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    operation = "RemoveClientIDFromOpenIDConnectProvider" if wanted is None else "AddClientIDToOpenIDConnectProvider"
    return IAM.call(operation, {_OIDC_ARN: setting.resource, "ClientID": setting.name})


def _change_thumbprints(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there("a provider's list of thumbprints")
    return IAM.call("UpdateOpenIDConnectProviderThumbprint", {_OIDC_ARN: setting.resource, _THUMBPRINTS: wanted})


OIDC_PROVIDERS = family(
    Kind(OIDC_PROVIDER, _RANK, _read_oidc, _change_oidc, implies=_parts, details=lambda setting: (_read_oidc(setting),)),
    Kind(OIDC_CLIENT, _PART_RANK, _read_oidc, _change_client, part_of=OIDC_PROVIDER),
    Kind(OIDC_THUMBPRINTS, _PART_RANK, _read_oidc, _change_thumbprints, part_of=OIDC_PROVIDER),
    service=IAM.source,
    readers={
        "CreateOpenIDConnectProvider": _create_oidc,
        "DeleteOpenIDConnectProvider": _delete_oidc,
        "UpdateOpenIDConnectProviderThumbprint": _update_thumbprints,
        "AddClientIDToOpenIDConnectProvider": _add_client,
        "RemoveClientIDFromOpenIDConnectProvider": _remove_client,
    },
    observers={"ListOpenIDConnectProviders": _list_oidc, "GetOpenIDConnectProvider": _observe_oidc},
    inventory=(IAM.read("ListOpenIDConnectProviders"),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        OIDC_PROVIDER: Acts(sets=("iam:CreateOpenIDConnectProvider",), removes=("iam:DeleteOpenIDConnectProvider",)),
        OIDC_CLIENT: Acts(
            sets=("iam:AddClientIDToOpenIDConnectProvider",), removes=("iam:RemoveClientIDFromOpenIDConnectProvider",)
        ),
        OIDC_THUMBPRINTS: Acts(sets=("iam:UpdateOpenIDConnectProviderThumbprint",)),
    },
)

FAMILIES = (SAML_PROVIDERS, OIDC_PROVIDERS)
