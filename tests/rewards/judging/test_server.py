"""One request, until it is answered: what is tried again, what is not, and how many at a time."""

import threading
import time

import pytest

from rlft.errors import Unavailable, UserError
from rlft.rewards.judging import server as module
from rlft.rewards.judging.server import Refused, Server, together
from tests.rewards.judging.stand_in import StandIn

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.002)


@pytest.fixture
def stand_in():
    made = StandIn(lambda text, times: text.upper())
    yield made
    made.stop()


def ask(stand_in, **settings):
    return Server(stand_in.url, **{"patience": 5.0, "timeout": 5.0, **settings}).ask(BODY, threading.Event())


def test_what_is_the_servers_fault_is_tried_again(stand_in):
    stand_in.troubles = [429, 500, 503, "cut", "empty", 408]
    said, failed = ask(stand_in)
    assert said["choices"][0]["message"]["content"] == "HELLO"
    assert failed == 6
    assert stand_in.asked["hello"] == 1


def test_patience_ends(stand_in):
    stand_in.troubles = [503] * 1000
    with pytest.raises(Unavailable, match=r"503 trouble 503 \(\d+ tries"):
        ask(stand_in, patience=0.05)
    assert len(stand_in.bodies) >= 3
    stand_in.stop()
    with pytest.raises(Unavailable, match="refused"):
        ask(stand_in, patience=0.05)


def test_an_answer_that_is_late(stand_in):
    stand_in.slow = 0.3
    with pytest.raises(Unavailable, match="timed out"):
        ask(stand_in, timeout=0.05, patience=0.0)


def test_waits_double_up_to_a_bound_and_honour_the_server(monkeypatch):
    waits, clock = [], [0.0]
    halted = threading.Event()

    def wait(seconds):
        waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(halted, "wait", wait)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0] + 1)
    monkeypatch.setattr(module._jitter, "uniform", lambda low, high: 1.0)
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.5)
    told = iter([0.0, 20.0])

    def once(self, body):
        raise module._Again("away", next(told, 0.0))

    monkeypatch.setattr(Server, "_once", once)
    with pytest.raises(Unavailable, match="9 tries in 100 s"):
        Server("http://127.0.0.1:1/v1", patience=100.0).ask(BODY, halted)
    assert waits == [0.5, 20.0, 2.0, 4.0, 8.0, 16.0, 30.0, 19.5]


def test_what_is_the_requests_fault_is_not(stand_in):
    stand_in.troubles = [400]
    with pytest.raises(Refused, match="400 trouble 400"):
        ask(stand_in)
    for status, words in ((404, "look at url"), (401, "SOME_KEY is not set"), (302, "look at url")):
        stand_in.troubles = [status]
        with pytest.raises(UserError, match=words) as caught:
            ask(stand_in, key="SOME_KEY")
        assert not isinstance(caught.value, Unavailable)
    assert len(stand_in.bodies) == 4


def test_the_key_is_the_environments(stand_in, monkeypatch):
    ask(stand_in, key="SOME_KEY")
    monkeypatch.setenv("SOME_KEY", "secret")
    Server(f"{stand_in.url}/chat/completions/", "SOME_KEY").ask(BODY, threading.Event())
    (_, before, _), (body, headers, path) = stand_in.bodies
    assert "Authorization" not in before
    assert headers["Authorization"] == "Bearer secret"
    assert (body, path) == (BODY, "/v1/chat/completions")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://a/v1", "http:///v1", ""])
def test_an_address_is_one(url):
    with pytest.raises(UserError, match="is not the address"):
        Server(url)


def test_so_many_at_a_time(stand_in):
    asking, most, counted = set(), [], threading.Lock()
    three = threading.Barrier(3)
    server = Server(stand_in.url)

    def do(job, halted):
        with counted:
            asking.add(job)
            most.append(len(asking))
        three.wait(timeout=30)  # broken, and an error, where fewer than three are asked at a time
        failed = server.ask(BODY, halted)[1]
        with counted:
            asking.remove(job)
        return failed

    done = dict(together([str(n) for n in range(9)], do, 3))
    assert done == {str(n): 0 for n in range(9)}
    assert max(most) == 3


def test_an_error_ends_the_others_and_loses_nothing():
    begun = []

    def do(job, halted):
        begun.append(job)
        if job == 2:
            time.sleep(0.02)  # until what was done before is on its way
            raise Unavailable("gone")
        return -job

    given = []
    with pytest.raises(Unavailable):
        given.extend(together([0, 1, 2, 3, 4], do, 1))
    # `extend` keeps what a generator gave before it raised
    assert given == [(0, 0), (1, -1)]
    assert begun == [0, 1, 2]
