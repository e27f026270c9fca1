"""Identity providers and what else lets a user in: records, reads and the way back."""

from __future__ import annotations

from typing import Any

import pytest
import test_resources
from examples import ACCOUNT, record, step
from test_resources import Example, change, iam, left, told

from incident.families import family_for_event
from incident.network.recognized import recognized
from incident.planner import ordered
from incident.settings import UNKNOWN, Fold, PriorValue, Source, Unknown, reversals

SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/Corp"
OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
DEVICE = f"arn:aws:iam::{ACCOUNT}:mfa/eve"
DOCUMENT = "<EntityDescriptor entityID='https://idp.corp'/>"
PRINT, OTHER_PRINT = "6938fd4d98bab03faadb97b34396831e3780aea1", "1c58a3a8518e8759bf075b76b750d4f2df264fcd"

EXAMPLES = [
    Example(
        "iam:CreateSAMLProvider",
        {"name": "Corp", "sAMLMetadataDocument": f"{DOCUMENT}\n"},
        {"sAMLProviderArn": SAML},
        iam("saml-provider", SAML),
        {"SAMLMetadataDocument": DOCUMENT},
    ),
    Example(
        "iam:CreateOpenIDConnectProvider",
        {"url": f"https://{OIDC.partition('/')[2]}", "clientIDList": ["sts.amazonaws.com", "mine"], "thumbprintList": [PRINT]},
        {"openIDConnectProviderArn": OIDC},
        iam("oidc-provider", OIDC),
        {"Url": OIDC.partition("/")[2], "ClientIDList": ["mine", "sts.amazonaws.com"], "ThumbprintList": [PRINT]},
    ),
    Example(
        "iam:UpdateOpenIDConnectProviderThumbprint",
        {"openIDConnectProviderArn": OIDC, "thumbprintList": [PRINT, OTHER_PRINT]},
        None,
        iam("oidc-thumbprints", OIDC, "thumbprints"),
        {"Url": OIDC.partition("/")[2], "ClientIDList": [], "ThumbprintList": [OTHER_PRINT, PRINT]},
    ),
    Example(
        "iam:AddClientIDToOpenIDConnectProvider",
        {"openIDConnectProviderArn": OIDC, "clientID": "mine"},
        None,
        iam("oidc-client", OIDC, "mine"),
        {"Url": OIDC.partition("/")[2], "ClientIDList": ["mine"], "ThumbprintList": [PRINT]},
    ),
    Example(
        "iam:CreateVirtualMFADevice",
        {"virtualMFADeviceName": "eve"},
        {"virtualMFADevice": {"serialNumber": DEVICE}},
        iam("mfa-device", DEVICE),
        {"VirtualMFADevices": [{"SerialNumber": DEVICE}]},
    ),
    Example(
        "iam:EnableMFADevice",
        {"userName": "bob", "serialNumber": DEVICE},
        None,
        iam("user-mfa-device", "bob", DEVICE),
        {"MFADevices": [{"UserName": "bob", "SerialNumber": DEVICE}]},
    ),
    Example(
        "iam:UploadSSHPublicKey",
        {"userName": "bob", "sSHPublicKeyBody": "ssh-rsa AAAA"},
        {"sSHPublicKey": {"sSHPublicKeyId": "APKA1", "userName": "bob", "status": "Active"}},
        iam("ssh-public-key", "bob", "APKA1"),
        {"SSHPublicKeys": [{"UserName": "bob", "SSHPublicKeyId": "APKA1", "Status": "Active"}]},
    ),
    Example(
        "iam:UploadSigningCertificate",
        {"certificateBody": "---"},
        {"certificate": {"certificateId": "CERT1", "userName": "bob", "status": "Active"}},
        iam("signing-certificate", "bob", "CERT1"),
        {"Certificates": [{"UserName": "bob", "CertificateId": "CERT1", "Status": "Active"}]},
    ),
    Example(
        "iam:CreateServiceSpecificCredential",
        {"userName": "bob", "serviceName": "codecommit.amazonaws.com"},
        {"serviceSpecificCredential": {"serviceSpecificCredentialId": "ACCA1", "userName": "bob", "status": "Active"}},
        iam("service-specific-credential", "bob", "ACCA1"),
        {"ServiceSpecificCredentials": [{"UserName": "bob", "ServiceSpecificCredentialId": "ACCA1", "Status": "Active"}]},
    ),
    Example(
        "iam:UpdateAccountPasswordPolicy",
        {"minimumPasswordLength": 8, "requireSymbols": True, "maxPasswordAge": 90},
        None,
        iam("password-policy", ACCOUNT, "rules"),
        {
            "PasswordPolicy": {
                "MinimumPasswordLength": 8,
                "RequireSymbols": True,
                "RequireNumbers": False,
                "RequireUppercaseCharacters": False,
                "RequireLowercaseCharacters": False,
                "AllowUsersToChangePassword": False,
                "ExpirePasswords": True,
                "MaxPasswordAge": 90,
                "HardExpiry": False,
            }
        },
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.operation)
def test_a_record_of_a_way_in_tells_what_the_read_then_shows(example: Example):
    test_resources.test_a_record_tells_what_the_read_then_shows(example)


# --- identity providers -------------------------------------------------------------------------------------------------------


def test_a_provider_is_made_again_under_its_name_and_set_back_in_place():
    key, value = iam("saml-provider", SAML), {"SAMLMetadataDocument": DOCUMENT}
    assert change(key, value, None) == [("DeleteSAMLProvider", {"SAMLProviderArn": SAML})]
    assert change(key, None, value) == [("CreateSAMLProvider", {"Name": "Corp", **value})]
    assert change(key, {"SAMLMetadataDocument": "<x/>"}, value) == [("UpdateSAMLProvider", {"SAMLProviderArn": SAML, **value})]


def test_a_deleted_provider_that_nothing_tells_of_needs_prior_state():
    (entry,) = told("iam:DeleteSAMLProvider", {"sAMLProviderArn": SAML})
    assert isinstance(entry.before, Unknown)


def test_an_updated_provider_returns_to_the_document_of_an_earlier_record():
    fold = Fold()
    told("iam:CreateSAMLProvider", {"name": "Corp", "sAMLMetadataDocument": DOCUMENT}, {"sAMLProviderArn": SAML}, fold)
    (entry,) = told("iam:UpdateSAMLProvider", {"sAMLProviderArn": SAML, "sAMLMetadataDocument": "<evil/>"}, None, fold)
    assert (entry.before, entry.after) == ({"SAMLMetadataDocument": DOCUMENT}, {"SAMLMetadataDocument": "<evil/>"})


@pytest.mark.parametrize("more", [{"addPrivateKey": "HIDDEN"}, {"assertionEncryptionMode": "Allowed"}, {}])
def test_what_no_read_gives_back_of_a_provider_is_not_taken_for_understood(more: dict[str, Any]):
    with pytest.raises(ValueError, match="encrypted"):
        told("iam:UpdateSAMLProvider", {"sAMLProviderArn": SAML, **more})


def test_a_client_and_the_thumbprints_are_given_back_one_by_one():
    asked = {"OpenIDConnectProviderArn": OIDC, "ClientID": "mine"}
    client = iam("oidc-client", OIDC, "mine")
    assert change(client, {}, None) == [("RemoveClientIDFromOpenIDConnectProvider", asked)]
    assert change(client, None, {}) == [("AddClientIDToOpenIDConnectProvider", asked)]
    prints = iam("oidc-thumbprints", OIDC, "thumbprints")
    asked = {"OpenIDConnectProviderArn": OIDC, "ThumbprintList": [PRINT]}
    assert change(prints, [OTHER_PRINT], [PRINT]) == [("UpdateOpenIDConnectProviderThumbprint", asked)]
    assert "as long as" in left(prints, [PRINT], None).reason


def test_a_deleted_oidc_provider_is_made_again_as_it_was_last():
    fold = Fold()
    told(EXAMPLES[1].operation, EXAMPLES[1].request, EXAMPLES[1].response, fold)
    told("iam:RemoveClientIDFromOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC, "clientID": "mine"}, None, fold)
    told("iam:AddClientIDToOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC, "clientID": "new"}, None, fold)
    gone = told("iam:DeleteOpenIDConnectProvider", {"openIDConnectProviderArn": OIDC}, None, fold)
    value = {"ClientIDList": ["new", "sts.amazonaws.com"], "ThumbprintList": [PRINT]}
    assert gone[0].before == value
    assert {(one.key.kind, one.key.name) for one in gone[1:]} == {
        ("oidc-client", "new"),
        ("oidc-client", "sts.amazonaws.com"),
        ("oidc-thumbprints", "thumbprints"),
    }
    assert change(iam("oidc-provider", OIDC), None, value) == [
        ("CreateOpenIDConnectProvider", {"Url": "https://token.actions.githubusercontent.com", **value})
    ]
    assert change(iam("oidc-provider", OIDC), {**value, "ClientIDList": []}, value) == []


def test_thumbprints_that_aws_found_itself_are_unknown():
    entries = told("iam:CreateOpenIDConnectProvider", {"url": "https://idp"}, {"openIDConnectProviderArn": OIDC})
    assert [(entry.before, entry.after) for entry in entries] == [(None, UNKNOWN), (None, UNKNOWN)]


# --- devices and credentials --------------------------------------------------------------------------------------------------


def test_an_enabled_device_is_deactivated_and_a_deactivated_one_is_left_to_people():
    key = iam("user-mfa-device", "bob", DEVICE)
    assert change(key, {}, None) == [("DeactivateMFADevice", {"UserName": "bob", "SerialNumber": DEVICE})]
    (entry,) = told("iam:DeactivateMFADevice", {"userName": "bob", "serialNumber": DEVICE})
    assert (entry.before, entry.after) == ({}, None)
    assert "two codes" in left(key, None, {}).reason
    assert "set up a new one" in left(iam("mfa-device", DEVICE), None, {}).advice


def test_a_device_goes_after_its_user_let_go_of_it():
    device, used = iam("mfa-device", DEVICE), iam("user-mfa-device", "bob", DEVICE)
    steps = [step(device, expects={}), step(used, expects={}), step(iam("user", "eve"), expects={})]
    order = [one.key.kind for one in ordered(steps)]
    assert order == ["user-mfa-device", "user", "mfa-device"]


@pytest.mark.parametrize(
    ("kind", "noun", "parameter"),
    [
        ("ssh-public-key", "SSHPublicKey", "SSHPublicKeyId"),
        ("signing-certificate", "SigningCertificate", "CertificateId"),
        ("service-specific-credential", "ServiceSpecificCredential", "ServiceSpecificCredentialId"),
    ],
)
def test_a_credential_is_deleted_or_active_again_and_a_deleted_one_stays_away(kind: str, noun: str, parameter: str):
    key, named = iam(kind, "bob", "ONE"), {"UserName": "bob", parameter: "ONE"}
    asked = {name[:1].lower() + name[1:]: value for name, value in named.items()}
    (entry,) = told(f"iam:Update{noun}", {**asked, "status": "Inactive"})
    assert (entry.key, entry.after) == (key, "Inactive")
    (entry,) = told(f"iam:Delete{noun}", asked)
    assert (entry.key, entry.before, entry.after) == (key, "Active", None)
    assert change(key, "Active", None) == [(f"Delete{noun}", named)]
    assert change(key, "Inactive", "Active") == [(f"Update{noun}", {**named, "Status": "Active"})]
    assert "new one" in left(key, None, "Active").advice


# --- the rules of passwords ---------------------------------------------------------------------------------------------------

RULES = iam("password-policy", ACCOUNT, "rules")


def test_the_rules_of_passwords_need_prior_state_where_nothing_tells_it():
    (entry,) = told("iam:UpdateAccountPasswordPolicy", {"minimumPasswordLength": 6})
    assert isinstance(entry.before, Unknown)


def test_the_rules_of_passwords_return_to_what_the_baseline_has():
    strict = {"MinimumPasswordLength": 14, "RequireSymbols": True}
    fold = Fold([(RULES, PriorValue(strict, record("x").time, Source.BASELINE))])
    told("iam:DeleteAccountPasswordPolicy", {}, None, fold)
    (found,) = reversals(fold, lambda one: True)
    assert found.target == strict
    assert change(RULES, None, strict) == [("UpdateAccountPasswordPolicy", strict)]
    assert change(RULES, strict, None) == [("DeleteAccountPasswordPolicy", {})]


# --- what is only recognized --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ResetServiceSpecificCredential", "ResyncMFADevice"])
def test_what_nothing_takes_back_is_recognized_with_advice(name: str):
    known = recognized(f"iam:{name}")
    assert family_for_event(f"iam:{name}") is None
    assert known is not None
    assert known.advice.endswith(".")
