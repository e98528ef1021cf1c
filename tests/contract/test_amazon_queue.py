"""Amazon's queue of notifications: polled with the retailer's AWS keys, stored before it forgets, nothing twice.

What surprises here: the queue is moto's, a whole SQS over HTTP that checks no signature; what is refused for its
signature is seen at the marketplace of the sandbox, whose requests and answers are held against the service model that
botocore carries.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import botocore.session
import pytest
import requests
from botocore.validate import ParamValidator
from moto.server import ThreadedMotoServer

from connectors.amazon import Amazon
from connectors.amazon_queue import queue_of
from connectors.base import Notice, Unreadable
from connectors.errors import Misconfigured, RetryLater
from deployments.sandbox.amazon.acts import ACTS
from deployments.sandbox.amazon.queue import document
from deployments.sandbox.amazon.server import Running, empty
from deployments.sandbox.amazon.sqs import ARN, Waiting
from tests.contract.amazon_market import NOW, Moving, connect, serving
from tests.contract.harness import ports_with

KEYS = {"aws_access_key_id": "AKIASOMEBODY", "aws_secret_access_key": "s3cret-word-of-aws"}
SELLER = "A3KARAVANHOME1"


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    """Moto's server, on a free port of loopback."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Queued:
    """A queue of moto's, as somebody else fills it and looks at it."""

    def __init__(self, cloud: str, name: str) -> None:
        self._cloud = cloud
        self.url = self.ask("CreateQueue", QueueName=name)["QueueUrl"]

    def ask(self, operation: str, **asked: Any) -> Any:
        """What the cloud answers; moto wants no signature."""
        of = "AWS4-HMAC-SHA256 Credential=other/20260301/eu-west-1/sqs/aws4_request"
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}",
                   "Authorization": of}  # fmt: skip
        answer = requests.post(self._cloud, json=asked, headers=headers, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def put(self, *documents: Any) -> None:
        """These stand in the queue."""
        for one in documents:
            self.ask("SendMessage", QueueUrl=self.url, MessageBody=json.dumps(one))

    def holds(self) -> tuple[int, int]:
        """How many messages stand there for all to see, and how many are hidden."""
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.ask("GetQueueAttributes", QueueUrl=self.url, AttributeNames=wanted)["Attributes"]
        return int(found[wanted[0]]), int(found[wanted[1]])


@pytest.fixture
def queued(cloud: str, request: pytest.FixtureRequest) -> Queued:
    return Queued(cloud, f"q{abs(hash(request.node.name))}")


def reading(url: str, **given: Any) -> Amazon:
    """A channel that polls the queue at this address."""
    secrets = {"client_id": "c", "client_secret": "c", "refresh_token": "c", **given.pop("keys", KEYS)}
    options = {"secrets": {name: f"env:X_{name.upper()}" for name in secrets}, "seller": SELLER,
               "marketplace": "A1KARAVANKZ001", "queue": ARN, "queue_url": url, "timeout": 5, **given}  # fmt: skip
    return Amazon(channel="market-kz", url="https://sellingpartnerapi-eu.amazon.com", options=options,
                  ports=ports_with(secrets))  # fmt: skip


def order(number: int, seller: str = SELLER) -> dict[str, Any]:
    payload = {"OrderChangeNotification": {"SellerId": seller, "AmazonOrderId": f"902-{number}"}}
    return document(empty(), "ORDER_CHANGE", payload, NOW, f"n-{number}")


def told(batches: Sequence[Sequence[Notice | Unreadable]]) -> list[tuple[str, str, str]]:
    return [(one.delivery, one.resource, one.id) for batch in batches for one in batch if isinstance(one, Notice)]


def test_each_message_comes_once_and_is_forgotten_only_when_it_was_stored(queued: Queued) -> None:
    """P1, P2: 23 orders in tens; who dies on the way is given the same deliveries by the next one."""
    queued.put(*(order(n) for n in range(23)))
    connector = reading(queued.url)
    assert connector.listens
    batches = connector.kept()
    first = next(batches)
    assert len(first) == 10
    assert queued.holds() == (13, 10), "who has not gone on has not stored them"
    rest = list(batches)
    assert sorted(told([first, *rest])) == sorted((f"n-{n}", "orders", f"902-{n}") for n in range(23))
    assert queued.holds() == (0, 0)
    assert list(connector.kept()) == []


def test_what_was_stored_and_not_forgotten_comes_again_as_the_same_delivery(
    queued: Queued, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2, P15: a crash between the commit and the deletion; here nothing is hidden, so that the next one sees it."""
    queued.put(order(7))
    with monkeypatch.context() as at_once:
        at_once.setattr("connectors.amazon_queue.HIDDEN", 0)
        died = reading(queued.url).kept()
        first = told([next(died)])
        died.close()
    assert told(list(reading(queued.url).kept())) == first == [("n-7", "orders", "902-7")]
    assert queued.holds() == (0, 0)


@pytest.mark.parametrize("body", [
    "<html>", "", "[]", '{"NotificationType": "ORDER_CHANGE"}', '{"hello": {}}', '"text"',
    json.dumps({**order(1), "Payload": {"OrderChangeNotification": {"SellerId": SELLER}}}),
    json.dumps({**order(1), "Payload": {"OrderChangeNotification": {"AmazonOrderId": "\0"}}}),
])  # fmt: skip
def test_a_message_that_is_no_notice_is_named_and_holds_up_no_other(running: Running, body: str) -> None:
    """P6, P13: it comes with its id and with why, and says nothing else; the queue forgets it with the others."""
    running.queue.waiting.put(json.dumps(order(1)))
    running.queue.waiting.put(body)
    running.queue.waiting.put(json.dumps(order(2)))
    (found,) = connect(running).kept()
    assert told([found]) == [("n-1", "orders", "902-1"), ("n-2", "orders", "902-2")]
    (wrong,) = (one for one in found if isinstance(one, Unreadable))
    assert wrong.id
    assert wrong.why.endswith(f"({len(body)} characters)")
    assert len(running.queue.waiting) == 0


def test_what_is_not_read_here_or_belongs_to_another_seller_is_passed_over(running: Running) -> None:
    """A type nobody subscribed to, and the order of somebody else, are forgotten without a word."""
    other = {**order(1), "NotificationType": "ANY_OFFER_CHANGED", "Payload": {"Offer": 1}}
    for body in (other, order(2, "A9SOMEBODY")):
        running.queue.waiting.put(json.dumps(body))
    assert list(connect(running).kept()) == [[]]
    assert len(running.queue.waiting) == 0


@pytest.fixture
def running() -> Iterator[Running]:
    with serving(Moving()) as found:
        yield found


def test_the_marketplace_tells_its_queue_of_what_was_subscribed_to(running: Running) -> None:
    """A sale is told as its order and its listing; goods in the network and a settlement report are told too."""
    connector = connect(running)
    connector.subscribe("http://127.0.0.1:9/never")
    id = ACTS["order"](running.market, {"lines": [{"sku": "K0", "quantity": 10}], "name": "D"})["id"]
    ACTS["store"](running.market, {"sku": "K0", "delta": 1})
    ACTS["settle"](running.market, {})
    (report,) = running.market.reports
    news = {(resource, of) for _, resource, of in told(list(connector.kept()))}
    assert news == {("orders", id), ("listings", "K0"), ("inventory", "K0"), ("settlements", report)}
    assert running.queue.settled(5)


def test_who_waits_hears_at_once(running: Running) -> None:
    """The first request waits for news at the queue; what comes meanwhile is its answer."""
    connector = connect(running)
    waiting = connector.kept(wait=2.0)
    running.queue.waiting.put(json.dumps(order(5)))
    assert told([next(waiting)]) == [("n-5", "orders", "902-5")]
    assert list(waiting) == []


@pytest.mark.parametrize("keys", [
    {"aws_access_key_id": "AKIASOMEBODYELSE", "aws_secret_access_key": "s3cret-word-of-aws"},
    {"aws_access_key_id": "AKIAKARAVANHOME00001", "aws_secret_access_key": "s3cret-word-of-aws"},
    {"aws_access_key_id": "AKIAKARAVANHOME00001", "aws_secret_access_key": "word-with-a-line-break\n"},
])  # fmt: skip
def test_wrong_keys_are_named_and_never_shown(running: Running, keys: dict[str, str]) -> None:
    """P13: a person reads which secret to set; neither it nor a signature stands in any error of the chain."""
    url = running.settings["queue_url"]
    running.queue.waiting.put(json.dumps(order(1)))
    with pytest.raises(Misconfigured, match=r"aws_secret_access_key|aws_access_key_id") as found:
        list(reading(url, keys=keys).kept())
    said = "".join(traceback.format_exception(found.value))
    assert str(found.value).startswith("market-kz: ")
    assert not any(word.strip() in said for word in [*keys.values(), "Signature="])
    assert len(running.queue.waiting) == 1


def test_a_queue_that_is_not_there_or_away_or_half_described_says_what_to_do(queued: Queued) -> None:
    """Ops read which setting is wrong, or that it is tried again."""
    with pytest.raises(Misconfigured, match=r"refuses \(QueueDoesNotExist\); correct `queue`"):
        list(reading(queued.url + "-other").kept())
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1:9 cannot be reached"):
        list(reading("http://127.0.0.1:9/123456789012/karavan").kept())
    with pytest.raises(Misconfigured, match="`aws_secret_access_key` is missing under `secrets`"):
        reading(queued.url, keys={"aws_access_key_id": "AKIA"})
    with pytest.raises(Misconfigured, match="`queue` in the settings should be its ARN"):
        reading(queued.url, queue="https://sqs.eu-west-1.amazonaws.com/123456789012/karavan")
    nobody = reading(queued.url, keys={})
    assert (nobody.listens, list(nobody.kept())) == (False, [])


def test_the_address_follows_from_the_arn() -> None:
    """China has a domain of its own (partition aws-cn)."""
    for arn, url in {
        ARN: "https://sqs.eu-west-1.amazonaws.com/123456789012/karavan",
        "arn:aws-cn:sqs:cn-north-1:123456789012:q": "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q",
    }.items():
        found = queue_of(channel="c", base="https://a", options={"queue": arn, "secrets": dict.fromkeys(KEYS, "env:X")},
                         ports=ports_with(KEYS), post=never)  # fmt: skip
        assert found is not None
        assert found.url == url


def never(*_: Any) -> Any:
    raise AssertionError("nobody is asked")


def test_requests_and_answers_are_those_of_the_service_model(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strict: no member that the model does not name, in what the connector asks and what the simulated queue says."""
    model = botocore.session.get_session().get_service_model("sqs")
    seen: dict[str, tuple[Any, Any]] = {}
    answer = Waiting.answer

    def kept(self: Waiting, headers: Any, data: bytes, address: str) -> Any:
        reply = answer(self, headers, data, address)
        kind = f"application/x-amz-json-{model.metadata['jsonVersion']}"
        assert headers["content-type"] == reply.headers["Content-Type"] == kind
        prefix, _, operation = headers["x-amz-target"].partition(".")
        assert prefix == model.metadata["targetPrefix"]
        seen[operation] = (json.loads(data), reply.body)
        return reply

    monkeypatch.setattr(Waiting, "answer", kept)
    running.queue.waiting.put(json.dumps(order(1)))
    connector = connect(running)
    assert len(told(list(connector.kept()))) == 1
    running.queue.waiting.put(json.dumps(order(2)))
    next(connector.kept())
    assert sorted(seen) == ["DeleteMessageBatch", "ReceiveMessage"]
    for operation, (asked, said) in seen.items():
        shapes = model.operation_model(operation)
        for shape, value in ((shapes.input_shape, asked), (shapes.output_shape, said)):
            assert list(strange(shape, value)) == []
            assert not ParamValidator().validate(value, shape).has_errors()


def strange(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Members that the model does not name."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name not in shape.members:
                yield f"{path}.{name}"
            else:
                yield from strange(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            yield from strange(shape.member, inner, path)
