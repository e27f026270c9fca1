"""The second channels against real receivers: a mail server with STARTTLS, an HTTP server, the range's SNS and its cases."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from receivers import Mailbox, MailServer, Receiver

from drill.aws.config import RangeConfig
from drill.aws.faults import Fault
from drill.aws.range import Range
from drill.client import boto_client
from incident.people.notices import Notice
from tasks.aws import Aws
from tasks.channels import NotTaken, WillNotTake
from tasks.channels.cases import SecurityIncidentCases, SupportCases
from tasks.channels.email import Email
from tasks.channels.topic import Topic
from tasks.channels.webhook import Webhooks, signature
from tasks.config import AwsConfig, EmailConfig, WebhookConfig
from tests.certificates import certificate

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
ACCOUNT, REGION = "111122223333", "us-east-1"
DETAILS = {
    "severity": 8.0,
    "phase": "opened",
    "type": "Recon:IAMUser/X",
    "title": "Alice's key",
    "account": ACCOUNT,
    "region": REGION,
    "opened_at": NOW.isoformat(),
    "test": False,
}


def notice(to: str = "on-call@example.com", way: str = "email", **more: object) -> Notice:
    words = {"incident": "inc-1", "id": "opened:1:a:email:1", "contact": "a", "subject": "inc-1 severity 8: Alice’s key"}
    return Notice(**{**words, "way": way, "to": to, "text": "Incident inc-1.\nTake it.", "details": DETAILS, **more})


# ---- e-mail -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def mail(paper):
    box = Mailbox()
    with MailServer(box, paper) as server:
        yield SimpleNamespace(box=box, port=server.port)


@pytest.fixture
def email(mail, paper):
    def email_(**more: object) -> Email:
        given = {"host": "localhost", "port": mail.port, "sender": "countermand@example.com", "ca_file": paper[0]}
        return Email(EmailConfig(**{**given, **more}), lambda: NOW)

    return email_


def test_a_mail_goes_encrypted_and_says_what_it_must(mail, email):
    email().deliver(notice(), 1)
    (got,) = mail.box.mails
    assert mail.box.recipients == ["on-call@example.com"]
    assert got["Subject"] == "[Countermand] inc-1 severity 8: Alice’s key"
    assert got.get_content().replace("\r\n", "\n").strip() == "Incident inc-1.\nTake it."
    assert not mail.box.in_the_open


def test_every_attempt_has_the_same_message_id_and_another_notice_has_another(mail, email):
    first, again = email().deliver(notice(), 1), email().deliver(notice(), 2)
    other = email().deliver(notice(id="opened:2:a:email:1"), 1)
    assert first == again != other
    assert [got["Message-ID"] for got in mail.box.mails] == [first, again, other]


def test_a_user_logs_in_and_a_wrong_password_is_not_shown(mail, email):
    mail.box.user, mail.box.password = "countermand", "right"
    email(user="countermand", password="right").deliver(notice(), 1)
    with pytest.raises(NotTaken, match=r"email\.password") as refused:
        email(user="countermand", password="wrong-one").deliver(notice(), 1)
    assert "wrong-one" not in str(refused.value)
    assert len(mail.box.mails) == 1


def test_a_server_without_starttls_gets_nothing(mail, email):
    mail.box.offers_tls = False
    with pytest.raises(NotTaken, match="no STARTTLS"):
        email().deliver(notice(), 1)
    assert not mail.box.in_the_open
    email(tls="none").deliver(notice(), 1)
    assert len(mail.box.mails) == 1


def test_a_certificate_that_nobody_vouches_for_gets_nothing(mail, email):
    with pytest.raises(NotTaken, match="SSLCertVerificationError"):
        email(ca_file=None).deliver(notice(), 1)
    assert not mail.box.mails


@pytest.mark.parametrize(
    ("verb", "says", "error"),
    [
        ("RCPT", "550 no such user", WillNotTake),
        ("RCPT", "451 greylisted", NotTaken),
        ("MAIL", "421 busy", NotTaken),
        ("DATA", "554 spam", WillNotTake),
    ],
)
def test_what_is_for_now_is_tried_again_and_what_is_final_is_not(mail, email, verb, says, error):
    mail.box.answers[verb] = says
    with pytest.raises(error, match=says[:3]):
        email().deliver(notice(), 1)
    assert not mail.box.mails


def test_an_answer_that_was_lost_is_not_known_to_be_taken(mail, email):
    mail.box.hang_up_after = "DATA"
    with pytest.raises(NotTaken):
        email().deliver(notice(), 1)
    email().deliver(notice(), 2)
    assert len({got["Message-ID"] for got in mail.box.mails}) == 1


def test_a_server_that_is_not_there_is_one_line(email):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(NotTaken, match="not reached"):
            email(port=nobody.getsockname()[1]).deliver(notice(), 1)


# ---- webhooks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


def webhooks(url: str, **more: object) -> Webhooks:
    return Webhooks({"pager": WebhookConfig(**{"url": url, "key": "secret-key", "proxy": False, **more})}, lambda: NOW)


def test_a_webhook_is_signed_over_what_arrives(receiver):
    webhooks(f"{receiver.url}/hook").deliver(notice("pager", "webhook"), 1)
    (got,) = receiver.received
    assert got.path == "/hook"
    moment = int(got.headers["X-Countermand-Timestamp"])
    assert moment == int(NOW.timestamp())
    assert got.headers["X-Countermand-Signature"] == f"v1={signature('secret-key', moment, got.body)}"
    assert got.headers["Idempotency-Key"] == got.json["id"] == notice().dedup
    assert (got.json["incident"], got.json["severity"], got.json["text"]) == ("inc-1", 8.0, "Incident inc-1.\nTake it.")
    assert b"secret-key" not in got.body


def test_a_signature_is_for_this_body_and_this_moment():
    given = signature("k", 1, b"body")
    assert given != signature("k", 2, b"body") != signature("k", 1, b"bodY")
    assert given != signature("j", 1, b"body")


def test_pagerduty_and_opsgenie_get_their_own_forms_with_a_key_by_which_copies_are_one(receiver):
    webhooks(receiver.url, style="pagerduty").deliver(notice("pager", "webhook"), 1)
    webhooks(receiver.url, style="opsgenie").deliver(notice("pager", "webhook"), 1)
    webhooks(receiver.url, style="chime").deliver(notice("pager", "webhook"), 1)
    pagerduty, opsgenie, chime = receiver.received
    assert pagerduty.json["routing_key"] == "secret-key"
    assert pagerduty.json["dedup_key"] == opsgenie.json["alias"] == notice().dedup
    assert pagerduty.json["payload"]["severity"] == "error"
    assert opsgenie.headers["Authorization"] == "GenieKey secret-key"
    assert opsgenie.json["priority"] == "P2"
    assert chime.json == {"Content": "Incident inc-1.\nTake it."}


@pytest.mark.parametrize(
    ("status", "error"), [(500, NotTaken), (429, NotTaken), (401, NotTaken), (302, NotTaken), (400, WillNotTake), (0, NotTaken)]
)
def test_an_answer_other_than_yes_is_no_delivery(receiver, status, error):
    receiver.answer = lambda one: status
    with pytest.raises(error) as refused:
        webhooks(f"{receiver.url}/token-in-the-path").deliver(notice("pager", "webhook"), 1)
    assert "token-in-the-path" not in str(refused.value)


def test_a_webhook_that_nobody_configured_says_where_to_add_it(receiver):
    with pytest.raises(NotTaken, match="add it to webhooks"):
        webhooks(receiver.url).deliver(notice("other", "webhook"), 1)


# ---- AWS --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def _range():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION, "eu-central-1"))) as aws:
        yield aws


@pytest.fixture
def aws(_range, monkeypatch):
    _range.reset()
    keys = _range.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    return _range


@pytest.fixture
def reached(aws) -> Aws:
    return Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url))


@pytest.fixture
def subscribed(aws):
    """Makes a topic with a queue that is subscribed to it: its ARN, and what the queue has."""

    def subscribed_(region: str, name: str = "pages"):
        fifo = name.endswith(".fifo")
        sns, sqs = (boto_client(aws.url, service, region, aws.bootstrap(ACCOUNT)) for service in ("sns", "sqs"))
        topic = sns.create_topic(Name=name, Attributes={"FifoTopic": "true"} if fifo else {})["TopicArn"]
        queue = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

        def has() -> list[dict[str, object]]:
            got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            return [json.loads(one["Body"]) for one in got]

        return topic, has

    return subscribed_


def test_a_topic_is_published_to_in_its_own_region(reached, subscribed):
    topic, has = subscribed("eu-central-1")
    Topic(reached).deliver(notice(topic, "sns"), 1)
    (got,) = has()
    assert got["Subject"] == "inc-1 severity 8: Alice?s key"
    assert got["Message"] == "Incident inc-1.\nTake it."
    assert got["MessageAttributes"]["notice"]["Value"] == notice().dedup


def test_a_fifo_topic_drops_the_copy(reached, subscribed):
    topic, has = subscribed(REGION, "pages.fifo")
    Topic(reached).deliver(notice(topic, "sns"), 1)
    Topic(reached).deliver(notice(topic, "sns"), 2)
    assert len(has()) == 1


def test_a_topic_that_is_gone_or_denied_is_tried_again(reached, aws):
    with pytest.raises(NotTaken, match="Publish"):
        Topic(reached).deliver(notice(f"arn:aws:sns:{REGION}:{ACCOUNT}:gone", "sns"), 1)
    aws.app.troubles.add(Fault(service="sns", operation="Publish", code="AuthorizationError", status=403))
    with pytest.raises(NotTaken, match="AuthorizationError"):
        Topic(reached).deliver(notice(f"arn:aws:sns:{REGION}:{ACCOUNT}:gone", "sns"), 1)


CASE = {"severity": "urgent", "service": "account-management", "category": "security", "language": "en", "cc": ["a@example.com"]}


def support_notice() -> Notice:
    return notice("", "support-case", details={**DETAILS, "case": CASE})


def cases(aws) -> list[dict[str, object]]:
    return boto_client(aws.url, "support", REGION, aws.bootstrap(ACCOUNT)).describe_cases(includeResolvedCases=True)["cases"]


def test_a_support_case_is_opened_once_though_its_answer_was_lost(reached, aws):
    aws.app.troubles.add(Fault(service="support", operation="CreateCase", status=503, times=1, moment="after"))
    with pytest.raises(NotTaken):
        SupportCases(reached).deliver(support_notice(), 1)
    opened = SupportCases(reached).deliver(support_notice(), 2)
    (case,) = cases(aws)
    assert case["caseId"] == opened
    # moto makes up another severity whenever the cases are described; what was asked for counts.
    assert [one["params"]["severityCode"] for one in aws.app.performed] == ["urgent"]
    assert "inc-1 severity 8" in str(case["subject"])


def test_without_a_support_plan_it_says_what_to_do(reached, aws):
    aws.app.troubles.add(Fault(service="support", code="SubscriptionRequiredException", status=400))
    with pytest.raises(WillNotTake, match="Business support plan"):
        SupportCases(reached).deliver(support_notice(), 1)


RESPONSE = {"region": REGION, "resolver": "AWS", "watchers": [{"name": "Alice", "email": "a@example.com", "title": ""}]}


def response_notice() -> Notice:
    return notice("", "security-incident-case", details={**DETAILS, "case": RESPONSE})


def test_a_response_case_is_one_for_all_attempts(reached, aws):
    aws.app.security_incidents.activate(ACCOUNT)
    aws.app.troubles.add(Fault(service="security-ir", operation="CreateCase", status=503, times=1, moment="after"))
    with pytest.raises(NotTaken):
        SecurityIncidentCases(reached).deliver(response_notice(), 1)
    opened = SecurityIncidentCases(reached).deliver(response_notice(), 2)
    (case,) = aws.app.security_incidents.cases(ACCOUNT)
    assert case["caseId"] == opened
    assert case["title"] == "inc-1 severity 8: Alice’s key"
    assert case["impactedAccounts"] == [ACCOUNT]
    assert case["impactedAwsRegions"] == [{"region": REGION}]


def test_without_a_membership_it_says_what_to_do(reached, aws):
    with pytest.raises(WillNotTake, match="no active membership"):
        SecurityIncidentCases(reached).deliver(response_notice(), 1)


def test_what_aws_denies_is_tried_again_for_somebody_may_grant_it(reached, aws):
    aws.app.troubles.add(Fault(service="security-ir", code="AccessDeniedException", status=403))
    with pytest.raises(NotTaken, match="AccessDeniedException"):
        SecurityIncidentCases(reached).deliver(response_notice(), 1)
