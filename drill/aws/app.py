"""The range as a WSGI application: gate, troubles, the service itself, and the record."""

from __future__ import annotations

import io
import logging
import re
import socket
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from drill.aws import bucket_settings, corrections, paging
from drill.aws.access import Gate
from drill.aws.auto_scaling import AutoScaling
from drill.aws.bucket_access import AccountBlocks
from drill.aws.clock import Clock, iso
from drill.aws.config import RangeConfig
from drill.aws.costs import CostExplorer
from drill.aws.errors import AwsError, not_emulated
from drill.aws.faults import Dropped, Throttle, Troubles
from drill.aws.guardduty import Findings
from drill.aws.identity import Caller, Directory
from drill.aws.posture import Posture
from drill.aws.queues import waiting_messages, without_waiting
from drill.aws.recorder import Recorder
from drill.aws.regions import Regions
from drill.aws.security_hub import get_findings
from drill.aws.security_hub_imports import batch_import_findings, batch_update_findings
from drill.aws.security_incidents import SecurityIncidents
from drill.aws.sessions import Sessions
from drill.aws.staleness import Staleness
from drill.aws.sts import TokenService
from drill.aws.traffic import Traffic
from drill.aws.trail import KEPT_READS, Trail, changes_something, make_record
from drill.aws.trail_files import BUCKET, TrailFiles
from drill.aws.wire import Answer, Call, Environ, parse_call, refusal, success

log = logging.getLogger(__name__)

_XML = frozenset({"ec2", "query"})
_REQUEST_ID = re.compile(rb"(<(?:requestId|RequestId|RequestID)>)[^<]*(</)")

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Handler = Callable[[Call, Caller], dict[str, Any]]


@dataclass
class Performed:
    """What a call came to: who made it, and the answer before anything went missing on the way back."""

    caller: Caller
    answer: Answer


class Application:
    """One AWS: whatever is not served here goes to moto."""

    def __init__(self, config: RangeConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.directory = Directory(config.accounts, config.granted)
        self.trail = Trail(clock, config.delivery_lag)
        self.trail_files = TrailFiles(config, clock, self.trail)
        self.findings = Findings(clock)
        self.security_incidents = SecurityIncidents()
        self.costs = CostExplorer(clock)
        self.posture = Posture()
        self.account_blocks = AccountBlocks()
        self.troubles = Troubles(config.seed)
        self.troubles.limit(Throttle("cloudtrail", "LookupEvents", config.lookup_rate, max(1.0, config.lookup_rate)))
        self.staleness = Staleness(config.seed)
        self.traffic = Traffic()
        self.performed: list[dict[str, Any]] = []
        self.control: Callable[[Environ, bytes], Answer] | None = None
        self._gate = Gate(config, self.directory)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.RLock()
        places = [(account, region) for account in config.accounts for region in sorted(config.enabled)]
        self.recorder = Recorder(clock, places, self._forward, self.directory.find)
        self._handlers = self._own_operations()
        self.sessions = Sessions(config, self.directory, self.trail, clock, self._serve)
        self.auto_scaling = AutoScaling(clock, self.sessions, self.trail, self._forward)

    def _own_operations(self) -> dict[tuple[str, str], Handler]:
        sts, regions, findings = TokenService(self.directory), Regions(self.config), self.findings
        recorder, posture = self.recorder, self.posture
        return {
            **bucket_settings.handlers(),
            **self.account_blocks.handlers(),
            ("account", "GetRegionOptStatus"): regions.get_region_opt_status,
            ("account", "ListRegions"): regions.list_regions,
            ("ce", "GetCostAndUsage"): self.costs.get_cost_and_usage,
            ("cloudtrail", "LookupEvents"): self._lookup_events,
            ("config", "BatchGetResourceConfig"): recorder.batch_get_resource_config,
            ("config", "DeleteRemediationConfiguration"): posture.delete_remediation_configuration,
            ("config", "DescribeRemediationConfigurations"): posture.describe_remediation_configurations,
            ("config", "GetResourceConfigHistory"): recorder.get_resource_config_history,
            ("config", "ListDiscoveredResources"): recorder.list_discovered_resources,
            ("config", "PutRemediationConfigurations"): posture.put_remediation_configurations,
            ("ec2", "DescribeRegions"): regions.describe_regions,
            ("guardduty", "ArchiveFindings"): findings.archive_findings,
            ("guardduty", "CreateSampleFindings"): findings.create_sample_findings,
            ("guardduty", "GetFindings"): findings.get_findings,
            ("guardduty", "ListFindings"): findings.list_findings,
            ("guardduty", "UnarchiveFindings"): findings.unarchive_findings,
            ("guardduty", "UpdateFindingsFeedback"): findings.update_findings_feedback,
            ("security-ir", "CreateCase"): self.security_incidents.create_case,
            ("securityhub", "BatchEnableStandards"): posture.batch_enable_standards,
            ("securityhub", "BatchImportFindings"): batch_import_findings,
            ("securityhub", "BatchUpdateFindings"): batch_update_findings,
            ("securityhub", "GetEnabledStandards"): posture.get_enabled_standards,
            ("securityhub", "GetFindings"): get_findings,
            ("sts", "AssumeRole"): sts.assume_role,
            ("sts", "GetAccessKeyInfo"): sts.get_access_key_info,
            ("sts", "GetCallerIdentity"): sts.get_caller_identity,
            ("sts", "GetFederationToken"): sts.get_federation_token,
            ("sts", "GetSessionToken"): sts.get_session_token,
        }

    # ---- WSGI ---------------------------------------------------------------------------------------------------

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _read_body(environ)
        if environ.get("PATH_INFO", "").startswith("/range/") and self.control is not None:
            answer = self.control(environ, body)
        else:
            try:
                answer = self.answer(environ, body)
            except Dropped:
                _hang_up(environ)
                # The server takes it for a caller who has gone.
                raise ConnectionResetError("a fault of the exercise") from None
        headers = [(k, v) for k, v in answer.headers if k.lower() not in ("content-length", "status")]
        start_response(f"{answer.status} -", [*headers, ("Content-Length", str(len(answer.body)))])
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]

    def answer(self, environ: Environ, body: bytes) -> Answer:
        """Serve one AWS request."""
        try:
            call = parse_call(environ, body, self.clock.now())
        except AwsError as e:
            return Answer(e.status, [("Content-Type", "text/plain")], str(e).encode())
        if call is None:
            message = b"<Response><Errors><Error><Code>MissingAuthenticationToken</Code><Message>Request is missing "
            message += b"Authentication Token</Message></Error></Errors></Response>"
            return Answer(403, [("Content-Type", "text/xml")], message)
        try:
            return self._serve(call)
        except AwsError as e:
            return refusal(call, e)

    # ---- one call -----------------------------------------------------------------------------------------------

    def _serve(self, call: Call) -> Answer:
        """Gate the call, perform it, write it down.

        Raises:
            AwsError: The caller could not be authenticated, which leaves no record; or the answer got lost.
            Dropped: The connection is to end without an answer.
        """
        started = time.monotonic()
        caller = self._gate.authenticate(call)
        self._wait_for_messages(call, caller)
        with self._lock:
            began = time.monotonic()
            members = self.auto_scaling.members(call, caller.account)
            try:
                self.troubles.check(call, caller, "before")
                self._gate.authorize(call, caller)
                answer = self._perform_as_seen(call, caller)
            except AwsError as e:
                answer = refusal(call, e)
            answer = _stamped(call, answer)
            self._write_down(call, caller, answer)
            if answer.status < 300 and changes_something(call):
                self.recorder.after(call, caller)
                if members is not None:
                    self.auto_scaling.after(call, caller.account, members)
            worked = time.monotonic() - began
        if not caller.bootstrap:
            self.traffic.pause()
            self.traffic.note(call, caller.account, answer, started, worked)
        if answer.status < 300:
            self.troubles.check(call, caller, "after")
        return answer

    def _perform_as_seen(self, call: Call, caller: Caller) -> Answer:
        """Perform a call; a read may show what was there before the last changes."""
        if changes_something(call):
            self.staleness.remember(call, caller)
            return self._perform(call, caller)
        with self.staleness.shown(call, caller):
            return self._perform(call, caller)

    def _wait_for_messages(self, call: Call, caller: Caller) -> None:
        """A long poll of SQS, which must hold up nobody else: wait here until a message is there or the time is up."""
        if call.service != "sqs" or call.operation != "ReceiveMessage":
            return
        until = time.monotonic() + min(20, int(call.params.get("WaitTimeSeconds") or 0))
        while time.monotonic() < until and not waiting_messages(call, caller):
            time.sleep(0.05)

    def _perform(self, call: Call, caller: Caller) -> Answer:
        if call.service == "ec2" and call.params.get("DryRun"):
            raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        if call.service == "s3" and call.operation == "ListObjectsV2" and call.params.get("Bucket") == BUCKET:
            self.trail_files.deliver()
        if call.service == "sqs" and call.operation == "ReceiveMessage" and call.params.get("WaitTimeSeconds"):
            call = without_waiting(call)
        self.posture.check(call, caller)
        self.account_blocks.check(call, caller)
        handler = self._handlers.get((call.service, call.operation))
        if handler is not None:
            return success(call, handler(call, caller))
        if paging.is_paged(call):
            return paging.page(call, lambda whole: self._forward(whole, caller))
        return self._forward(call, caller)

    def _forward(self, call: Call, caller: Caller) -> Answer:
        """Let moto answer, as the caller's account."""
        corrections.apply_for(call.service)
        environ = dict(call.environ)
        environ["wsgi.input"] = io.BytesIO(call.body)
        environ["CONTENT_LENGTH"] = str(len(call.body))
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        got: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
            got["status"], got["headers"] = int(status.split()[0]), headers
            return lambda data: None

        try:
            body = b"".join(self._moto(environ, start))
        except NotImplementedError as e:
            raise not_emulated(call.service, call.operation) from e
        except Exception as e:
            log.debug("moto failed on %s:%s\n%s", call.service, call.operation, traceback.format_exc())
            message = f"{call.service}:{call.operation} failed in the emulator: {type(e).__name__}: {e}"
            raise AwsError("InternalError", message, 500) from e
        if got["status"] in (404, 405) and (not body.strip() or b"<!doctype html>" in body.lower()):
            raise not_emulated(call.service, call.operation)
        return Answer(got["status"], got["headers"], body)

    def _write_down(self, call: Call, caller: Caller, answer: Answer) -> None:
        if caller.bootstrap or not (changes_something(call) or call.operation in KEPT_READS):
            return
        record = make_record(call, caller, answer)
        self.trail.keep(record, call.time)
        for copied in _records_elsewhere(call, caller, record):
            self.trail.keep(copied, call.time)
        if changes_something(call):
            self.performed.append(
                {
                    "number": len(self.performed) + 1,
                    "time": iso(call.time),
                    "service": call.service,
                    "operation": call.operation,
                    "params": call.params,
                    "principal": caller.arn,
                    "access_key": caller.access_key,
                    "account": caller.account,
                    "region": call.region,
                    "errorCode": record.get("errorCode"),
                    "eventID": record["eventID"],
                }
            )

    def _lookup_events(self, call: Call, caller: Caller) -> dict[str, Any]:
        return self.trail.lookup(caller.account, call.region, call.params)


def _stamped(call: Call, answer: Answer) -> Answer:
    """The answer with the call's own request id, as its record has it. moto gives all EC2 answers the same."""
    ident = call.request_id.encode()
    body = _REQUEST_ID.sub(lambda m: m.group(1) + ident + m.group(2), answer.body) if call.protocol in _XML else answer.body
    headers = [(k, v) for k, v in answer.headers if k.lower() != "x-amzn-requestid"]
    return Answer(answer.status, [*headers, ("x-amzn-RequestId", call.request_id)], body)


def _records_elsewhere(call: Call, caller: Caller, record: dict[str, Any]) -> list[dict[str, Any]]:
    """A role assumed from another account is written down in both, and the other sees only the account's number.

    A refusal is written down in the caller's account alone. See
    https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
    """
    if call.operation != "AssumeRole" or "errorCode" in record:
        return []
    parts = str(call.params.get("RoleArn", "")).split(":")
    if len(parts) < 6 or parts[4] == caller.account:
        return []
    other = copy(record)
    other["userIdentity"] = {
        "type": "AWSAccount",
        "principalId": caller.principal_id,
        "accountId": caller.account,
    }
    other["recipientAccountId"] = parts[4]
    other["eventID"] = str(uuid.uuid4())
    other["sharedEventID"] = record["sharedEventID"] = str(uuid.uuid4())
    return [other]


def _hang_up(environ: Environ) -> None:
    with suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def _read_body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        return bytes(stream.read())
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return bytes(stream.read(length)) if length else b""
