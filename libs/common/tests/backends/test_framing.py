import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.backends.framing import MAX_HEAD, Answer


def fed(*pieces: bytes, bodyless: bool = False) -> Answer:
    answer = Answer(bodyless=bodyless)
    for piece in pieces:
        if not answer.complete:
            answer.feed(piece)
    return answer


def body_of(answer: Answer) -> bytes:
    return b"".join(answer.chunks)


@st.composite
def pieces(draw, data: bytes):
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


@given(st.data(), st.binary(max_size=300), st.booleans())
def test_however_the_bytes_arrive_the_answer_is_the_same(data, body, chunked):
    if chunked:
        coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:100], body[100:]) if part)
        head, coded = b"transfer-encoding: chunked", coded + b"0\r\nx-trailer: 1\r\n\r\n"
    else:
        head, coded = b"content-length: %d" % len(body), body
    whole = b"HTTP/1.1 200 OK\r\nX-Two: a\r\nx-two: b\r\n" + head + b"\r\n\r\n" + coded
    answer = fed(*data.draw(pieces(whole)))
    assert answer.complete
    assert answer.keep_alive
    assert (answer.status, body_of(answer), answer.buffered) == (200, body, len(body))
    assert answer.headers[:2] == [(b"x-two", b"a"), (b"x-two", b"b")]
    assert len(answer.headers) == 3
    assert answer.header(b"x-two") == b"a"


@given(st.binary(max_size=200))
def test_garbage_is_a_value_error_and_never_a_whole_answer(garbage):
    answer = Answer(bodyless=False)
    try:
        answer.feed(garbage)
    except ValueError:
        return
    assert not answer.complete


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5"])
def test_some_answers_have_no_body(head):
    answer = fed(head + b"\r\n\r\n")
    assert answer.complete
    assert answer.keep_alive


def test_a_head_request_is_answered_without_a_body():
    answer = fed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", bodyless=True)
    assert answer.complete
    assert answer.keep_alive
    assert answer.header(b"content-length") == b"5"


def test_a_body_where_none_may_be_leaves_the_connection_out_of_step():
    answer = fed(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", bodyless=True)
    assert answer.complete
    assert not answer.keep_alive
    assert not answer.chunks


@pytest.mark.parametrize(
    "extra", [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"]
)
@pytest.mark.parametrize("apart", [0, 1])
def test_more_than_the_answer_leaves_the_connection_out_of_step(extra, apart):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    answer = fed(head + b"hello" + extra) if not apart else fed(head + b"hel", b"lo" + extra)
    assert answer.complete
    assert not answer.keep_alive
    assert body_of(answer) == b"hello"


def test_interim_answers_are_passed_over():
    answer = fed(
        b"HTTP/1.1 100 Continue\r\nx: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    )
    assert (answer.status, answer.headers, body_of(answer)) == (200, [(b"content-length", b"2")], b"ok")
    assert answer.keep_alive


def test_nothing_but_the_end_of_the_connection_may_delimit_a_body():
    answer = fed(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")
    assert not answer.complete
    assert answer.end()
    assert not answer.keep_alive
    assert body_of(answer) == b"hello"


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncont",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    ],
)
def test_a_cut_answer_is_not_whole(cut):
    answer = fed(cut)
    assert not answer.end()
    assert not answer.complete


@pytest.mark.parametrize(
    "bad",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD,
    ],
)
def test_bad_heads_are_refused(bad):
    with pytest.raises(ValueError):
        fed(bad)


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK\r\nconnection: close"])
def test_the_server_may_say_that_the_connection_ends(head):
    assert not fed(head + b"\r\ncontent-length: 0\r\n\r\n").keep_alive
