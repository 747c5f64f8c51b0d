"""What schemathesis has to be told of the API beyond its description: two rules that no JSON schema can say,
and a media type that it doesn't know."""

import itertools

import schemathesis

LINES = "application/x-ndjson"
_calls = itertools.count()


@schemathesis.serializer(LINES)
def lines(ctx, value):
    """Lines are sent as they are."""
    return value.encode() if isinstance(value, str) else value


@schemathesis.deserializer(LINES)
def text(ctx, response):
    """And answered as text."""
    return response.content.decode()


@schemathesis.hook
def filter_case(context, case):
    return adds_up(case) and is_text(case)


def adds_up(case):
    """A batch holds 1,000 items in all: a schema bounds each of its arrays, not their sum."""
    if case.operation.path != "/media/v1/links" or not isinstance(case.body, dict):
        return True
    parts = [case.body.get(name) for name in ("ids", "keys", "urls")]
    lengths = [len(part) for part in parts if isinstance(part, list)]
    return max(lengths, default=0) > 1000 or sum(lengths) <= 1000


def is_text(case):
    """Whatever is sent as lines is text by then: there is nothing else to be refused."""
    return case.media_type != LINES or isinstance(case.body, (str, bytes))


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key names one call: another call with it is 422, whatever its body is. So each call has its own."""
    name = "Idempotency-Key"
    key = (case.headers or {}).get(name)
    if isinstance(key, str) and 0 < len(key) <= 240:
        case.headers[name] = f"{key}.{next(_calls)}"
