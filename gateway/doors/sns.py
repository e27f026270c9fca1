"""SNS over HTTPS: only what SNS signed, for topics that we named.

Nothing is fetched but the signing certificate, and that from SNS's own host in the topic's region. A subscription is confirmed by a
call to AWS; the `SubscribeURL` in the message is never opened.
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from tasks.aws import Aws, AwsError

OLDEST = timedelta(hours=1, minutes=15)
"""SNS gives up after an hour; the rest is for clocks that differ."""

CLOCK_SKEW = timedelta(minutes=15)
_LARGEST_CERTIFICATE = 64 * 1024
_MOST_CERTIFICATES = 64
_TOPIC = re.compile(r"arn:aws(?:-cn|-us-gov)?:sns:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):(\d{12}):[A-Za-z0-9_-]{1,256}(?:\.fifo)?")
_CERTIFICATE = re.compile(r"https://sns\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_SIGNER = "sns.amazonaws.com"


class Refused(Exception):
    """The message is not one that SNS sent for us; the text says why, and repeats nothing of it."""


class NotChecked(Exception):
    """Whether SNS sent it could not be found out now; the sender must try again."""


@dataclass(frozen=True, slots=True)
class Told:
    """What SNS told: a notification has a `body` to take in, anything else an `outcome`."""

    outcome: str
    topic: str
    body: bytes | None = None


class Certificates:
    """SNS's signing certificates, each fetched once.

    Args:
        fetch: answers what stands at an address; by default over HTTPS, without following anybody elsewhere.
        anchors: the authorities that a certificate must go back to. Without, TLS to SNS's own host vouches for it, since SNS gives
            no intermediates along, and the name and the dates are checked.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        fetch: Callable[[str], bytes] | None = None,
        anchors: verification.Store | None = None,
    ) -> None:
        self._clock, self._fetch, self._anchors = clock, fetch or _over_https, anchors
        self._held: dict[str, x509.Certificate] = {}
        self._lock = threading.Lock()

    def at(self, address: str, region: str) -> x509.Certificate:
        """The certificate at an address that a message names.

        Raises:
            Refused: the address is not SNS's in this region, or what is there is no certificate of SNS that is good now.
            NotChecked: it could not be fetched.
        """
        named = _CERTIFICATE.fullmatch(address)
        if named is None or named.group(1) != region:
            raise Refused("its signing certificate is not at SNS's own address in the topic's region")
        with self._lock:
            held = self._held.get(address)
        certificate = held or self._checked(self._fetch(address))
        now = self._clock()
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise Refused("its signing certificate is not valid now")
        with self._lock:
            if len(self._held) >= _MOST_CERTIFICATES:
                self._held.clear()
            self._held[address] = certificate
        return certificate

    def _checked(self, pem: bytes) -> x509.Certificate:
        try:
            leaf, *others = x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise Refused("what stands at its certificate's address is no certificate") from None
        names = [str(name.value) for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [_SIGNER]:
            raise Refused("its signing certificate is not SNS's")
        if self._anchors is not None:
            try:
                policy = verification.PolicyBuilder().store(self._anchors).time(self._clock())
                policy.build_server_verifier(x509.DNSName(_SIGNER)).verify(leaf, others)
            except verification.VerificationError:
                raise Refused("its signing certificate goes back to no authority that is trusted") from None
        return leaf


class Notifications:
    """Checks what comes to the door.

    Args:
        topics: the ARNs of the topics that may speak to us; with none, nobody may.
    """

    def __init__(self, topics: tuple[str, ...], certificates: Certificates, aws: Aws, clock: Callable[[], datetime]) -> None:
        self._topics, self._certificates, self._aws, self._clock = frozenset(topics), certificates, aws, clock

    def received(self, raw: bytes, headers: Mapping[str, str]) -> Told:
        """Check one message, and confirm a subscription that is ours.

        Raises:
            Refused: it is not SNS's, or not for us.
            NotChecked: that could not be found out now.
        """
        message = _message(raw)
        kind, topic = message["Type"], message["TopicArn"]
        said = headers.get("x-amz-sns-message-type", kind)
        if said != kind:
            raise Refused("its header says another type than its body")
        if topic not in self._topics:
            raise Refused("its topic is not among gateway.sns_topics")
        place = _TOPIC.fullmatch(topic)
        if place is None:
            raise Refused("its topic is no ARN of a topic")
        self._check_signature(message, place.group(1))
        self._check_time(message["Timestamp"])
        if kind == "Notification":
            return Told("notification", topic, raw)
        if kind == "SubscriptionConfirmation":
            self._confirm(topic, message["Token"], place.group(2), place.group(1))
            return Told("subscription confirmed", topic)
        return Told("unsubscribed", topic)

    def _check_signature(self, message: Mapping[str, str], region: str) -> None:
        if message.get("SignatureVersion") != "2":
            raise Refused("its signature is of version 1, which rests on SHA-1; set the topic's SignatureVersion to 2")
        certificate = self._certificates.at(message.get("SigningCertURL", ""), region)
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise Refused("its signing certificate has no RSA key")
        try:
            signature = base64.b64decode(message.get("Signature", ""), validate=True)
            key.verify(signature, _signed_text(message), padding.PKCS1v15(), SHA256())
        except (binascii.Error, ValueError, InvalidSignature):
            raise Refused("its signature is wrong") from None

    def _check_time(self, stamp: str) -> None:
        try:
            sent = datetime.fromisoformat(stamp)
        except ValueError:
            raise Refused("its time is none") from None
        now = self._clock()
        if sent.tzinfo is None or not now - OLDEST <= sent <= now + CLOCK_SKEW:
            raise Refused("its time is too old or lies ahead; SNS gives up after an hour, so this is a replay or a wrong clock")

    def _confirm(self, topic: str, token: str, account: str, region: str) -> None:
        asked = {"TopicArn": topic, "Token": token, "AuthenticateOnUnsubscribe": "true"}
        try:
            self._aws.call(account, region, "sns", "ConfirmSubscription", asked)
        except AwsError as error:
            raise NotChecked(f"the subscription to {topic} could not be confirmed: {error}") from None


def _message(raw: bytes) -> dict[str, str]:
    try:
        message: Any = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused("it is no JSON, as every message of SNS is; turn raw message delivery off") from None
    if not isinstance(message, dict) or message.get("Type") not in _SIGNED:
        raise Refused("it is no message of SNS; turn raw message delivery off")
    needed = [name for name in _SIGNED[message["Type"]] if name != "Subject"]
    if not all(isinstance(message.get(name), str) for name in needed):
        raise Refused("a message of SNS has more fields than it")
    return {name: value for name, value in message.items() if isinstance(name, str) and isinstance(value, str)}


def _signed_text(message: Mapping[str, str]) -> bytes:
    fields = [name for name in _SIGNED[message["Type"]] if name in message]
    text = "".join(f"{name}\n{message[name]}\n" for name in fields)
    return text.encode(errors="surrogatepass")


def _over_https(address: str) -> bytes:
    try:
        with httpx.stream("GET", address, follow_redirects=False, timeout=3, trust_env=False) as answer:
            if answer.status_code != httpx.codes.OK:
                raise NotChecked(f"SNS's certificate could not be fetched: HTTP {answer.status_code}")
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _LARGEST_CERTIFICATE:
                    raise Refused("what stands at its certificate's address is no certificate")
    except httpx.HTTPError as error:
        raise NotChecked(f"SNS's certificate could not be fetched: {type(error).__name__}") from None
    return bytes(body)
