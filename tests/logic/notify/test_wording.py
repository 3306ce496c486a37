import pytest

from logic.notify.wording import MAX_BODY, MAX_TITLE, Words, words


@pytest.mark.parametrize(
    ("kind", "group", "body", "expected"),
    [
        ("message", "", b'{"text":"hi","data":{"a":1}}', Words("Ann", "hi")),
        ("message", "Team", b'{"text":"hi"}', Words("Team", "Ann: hi")),
        ("message", "", b'{"attachments":[{"url":"u","name":"a.pdf"}]}', Words("Ann", "[a.pdf]")),
        ("message", "", b'{"attachments":[{"url":"u"}]}', Words("Ann", "[file]")),
        ("message", "", b'{"data":[1]}', Words("Ann", "New message")),
        ("message", "", b"not json", Words("Ann", "New message")),
        ("message", "", b'{"data":%b}' % (b"[" * 5000 + b"]" * 5000), Words("Ann", "New message")),
        ("friend_request", "", b'{"text":"me!"}', Words("Ann", "me!")),
        ("friend_request", "", b"{}", Words("Ann", "wants to be your friend")),
        ("hot", "Team", b"{}", None),
        ("of tomorrow", "", b'{"text":"?"}', None),
    ],
)
def test_each_kind_says_something_or_nothing(kind, group, body, expected):
    assert words(kind, "Ann", group, body) == expected


def test_long_names_and_texts_are_cut():
    told = words("message", "A" * 300, "", b'{"text":"%b"}' % (b"x" * 4000))
    assert (len(told.title), len(told.body)) == (MAX_TITLE, MAX_BODY)
    assert told.body.endswith("…")
