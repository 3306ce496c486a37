import json

import pytest

from backends.http.client import Answer
from backends.push.fcm import QUOTA_S, outcome_of
from backends.push.interface import Outcome, Verdict
from backends.push.postponing import MAX_RETRY_AFTER_S
from backends.push.settings import FcmSettings
from tests.backends.push.conftest import NOW_S, note, opened


async def test_an_alert_names_the_message_as_collapse_id(fcm, fcm_server):
    assert await fcm.send(note()) == Outcome(Verdict.SENT)
    (message,) = fcm_server.messages
    assert (message.notification.title, message.notification.body) == ("Ann", "hello")
    assert message.android.notification.tag == "k7fyw2p5zq3b6rtd"
    assert message.android.notification.notification_count == 3
    assert message.android.collapse_key == "k7fyw2p5zq3b6rtd"
    assert message.android.priority == "HIGH"
    assert message.apns.headers["apns-collapse-id"] == "k7fyw2p5zq3b6rtd"
    assert message.apns.payload["aps"]["badge"] == 3
    assert message.data["conv"] == "d:ann|bob"
    assert message.data["seq"] == "7"


async def test_a_quiet_one_shows_nothing(fcm, fcm_server):
    assert await fcm.send(note(quiet=True)) == Outcome(Verdict.SENT)
    (message,) = fcm_server.messages
    assert message.notification is None
    assert message.android.notification is None
    assert message.android.priority == "NORMAL"
    assert message.apns.payload["aps"] == {"content-available": 1, "badge": 3}


async def test_the_longest_notification_fits(fcm, fcm_server):
    uid = "u" * 64
    longest = note(
        token="t" * 512, uid=uid, conv=f"d:{uid}|{'v' * 64}", title="字" * 100, body="字" * 240
    )
    assert await fcm.send(longest) == Outcome(Verdict.SENT)


async def test_one_access_token_serves_until_shortly_before_it_expires(fcm, fcm_server, clock):
    for _ in range(3):
        await fcm.send(note())
    assert fcm_server.tokens_given == 1
    clock.now_s += 3500
    await fcm.send(note())
    assert fcm_server.tokens_given == 1
    clock.now_s += 60
    assert await fcm.send(note()) == Outcome(Verdict.SENT)
    assert fcm_server.tokens_given == 2


async def test_an_access_token_that_is_refused_is_asked_for_anew(fcm, fcm_server):
    await fcm.send(note())
    fcm_server.valid.clear()
    assert (await fcm.send(note())).verdict is Verdict.LATER
    assert await fcm.send(note()) == Outcome(Verdict.SENT)


@pytest.mark.parametrize(
    ("status", "code", "headers", "expected"),
    [
        (404, "UNREGISTERED", {}, Outcome(Verdict.GONE, "unregistered")),
        (400, "INVALID_ARGUMENT", {}, Outcome(Verdict.GONE, "invalid_argument")),
        (
            429,
            "QUOTA_EXCEEDED",
            {"Retry_After": "30"},
            Outcome(Verdict.LATER, "quota_exceeded", 30),
        ),
        (429, "QUOTA_EXCEEDED", {}, Outcome(Verdict.LATER, "quota_exceeded", QUOTA_S)),
        (503, "UNAVAILABLE", {"Retry_After": "7"}, Outcome(Verdict.LATER, "unavailable", 7)),
        (500, "INTERNAL", {}, Outcome(Verdict.LATER, "internal")),
        (401, "THIRD_PARTY_AUTH_ERROR", {}, Outcome(Verdict.LATER, "third_party_auth_error")),
        (403, "SENDER_ID_MISMATCH", {}, Outcome(Verdict.REFUSED, "sender_id_mismatch")),
    ],
)
async def test_errors_are_told_apart(fcm, fcm_server, status, code, headers, expected):
    fcm_server.refuse("token-1", status, code, **headers)
    assert await fcm.send(note()) == expected
    assert (await fcm.send(note(token="token-2"))).verdict is Verdict.SENT


def test_a_message_that_we_built_badly_costs_no_device():
    error = {
        "code": 400,
        "message": "Invalid value at 'message.android.ttl'",
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": "message.android.ttl"}],
            }
        ],
    }
    answer = Answer(400, "", json.dumps({"error": error}).encode())
    assert outcome_of(answer, NOW_S) == Outcome(Verdict.REFUSED, "http_400")
    error["details"][0]["fieldViolations"] = [{"field": "message.token"}]
    answer = Answer(400, "", json.dumps({"error": error}).encode())
    assert outcome_of(answer, NOW_S).verdict is Verdict.GONE


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b"[]", b'{"error":"x"}', b'{"error":{"details":[1]}}']
)
def test_an_answer_that_is_not_fcms_is_tried_again(body):
    assert outcome_of(Answer(502, "", body), NOW_S) == Outcome(Verdict.LATER, "http_502")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("Mon, 21 Sep 2026 14:15:00 GMT", 100),
        ("Mon, 21 Sep 2020 14:15:00 GMT", 0),
        ("999999999", MAX_RETRY_AFTER_S),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
    ],
)
def test_retry_after_is_read_in_both_forms(header, seconds):
    assert outcome_of(Answer(503, header, b""), NOW_S).retry_after_s == seconds


async def test_nobody_there_is_tried_again(clock, fcm_server, tmp_path, free_port):
    path = tmp_path / "account.json"
    path.write_text(json.dumps(fcm_server.account(token_uri=f"http://127.0.0.1:{free_port}/")))
    async with opened(clock, fcm=FcmSettings(account_file=str(path))) as providers:
        outcome = await providers["fcm"].send(note())
    assert outcome == Outcome(Verdict.LATER, "unreachable")


async def test_an_account_that_google_does_not_know_is_tried_again(clock, fcm_server, tmp_path):
    path = tmp_path / "account.json"
    path.write_text(json.dumps(fcm_server.account(client_email="mallory@example.org")))
    settings = FcmSettings(account_file=str(path), endpoint=fcm_server.url)
    async with opened(clock, fcm=settings) as providers:
        assert await providers["fcm"].send(note()) == Outcome(Verdict.LATER, "token_refused")
    assert fcm_server.asked == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("{", "is no service account's key file"),
        ({"private_key": 5}, "private_key"),
        ({"private_key": "none"}, "private_key: must be a PEM"),
        ({"type": "authorized_user"}, "must be the key file of a service account"),
    ],
)
async def test_a_bad_key_file_is_named(fcm_server, tmp_path, content, reason):
    path = tmp_path / "account.json"
    if isinstance(content, dict):
        content = json.dumps(fcm_server.account(**content))
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=r"^account_file: ") as error:
        FcmSettings(account_file=str(path))
    assert reason in str(error.value)
    assert "BEGIN" not in str(error.value)
