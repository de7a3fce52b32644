"""The application behind tests/wsgi.t: each path does one thing that a server may get wrong."""

import atexit
import gc
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from urllib.parse import parse_qs
from wsgiref.validate import validator

PLAIN = [("Content-Type", "text/plain")]
PATHS = {}
EVENTS = []
KEPT = {}
GO = threading.Event()


def path(handler):
    PATHS["/" + handler.__name__] = handler
    return handler


def app(environ, start_response):
    handler = PATHS.get(environ["PATH_INFO"], environ_of)
    query = {k: v[-1] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
    return handler(environ, start_response, query)


def answer(start_response, value):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(value).encode()]


def attempt(function, *arguments):
    """What came of a call, as text."""
    try:
        return repr(function(*arguments))
    except BaseException as error:
        return type(error).__name__


# ---- env


def environ_of(environ, start_response, query):
    """Also the answer to a path that isn't below, so that a test can send any."""
    facts = {}
    for key, value in environ.items():
        plain = type(value) in (str, bool, tuple)
        facts[str(key)] = [type(key).__name__, type(value).__name__, value if plain else None]
    facts["not interned"] = sorted(key for key in environ if not sys._is_interned(key))
    facts["type of environ"] = [type(environ).__name__]
    facts["wsgi.errors can"] = [
        all(hasattr(environ["wsgi.errors"], name) for name in ("write", "writelines", "flush"))
    ]
    return answer(start_response, facts)


@path
def events(environ, start_response, query):
    return answer(start_response, list(EVENTS))


@path
def log(environ, start_response, query):
    print("an application's print", flush=True)
    os.write(1, b"an application's write to descriptor 1\n")
    print("an application's line in wsgi.errors", file=environ["wsgi.errors"])
    environ["wsgi.errors"].flush()
    return answer(start_response, "done")


# ---- wsgiref's judgement


def valid_list(environ, start_response):
    start_response("200 OK", PLAIN)
    return [b"list of ", environ["REQUEST_METHOD"].encode()]


def valid_generator(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"generator of "
    yield environ["REQUEST_METHOD"].encode()


def valid_empty(environ, start_response):
    start_response("200 OK", PLAIN + [("Content-Length", "0")])
    return []


def valid_body(environ, start_response):
    body = environ["wsgi.input"]
    pieces = [body.read(3), body.readline(), b"".join(body.readlines(1)), *body, body.read(9)]
    environ["wsgi.errors"].write("the validator's line\n")
    start_response("200 OK", PLAIN)
    return [b"|".join(pieces)]


def valid_write(environ, start_response):
    write = start_response("200 OK", PLAIN)
    write(b"written")
    return [b", returned"]


def valid_nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


for inner in (valid_list, valid_generator, valid_empty, valid_body, valid_write, valid_nothing):

    def handler(environ, start_response, query, checked=validator(inner)):
        return checked(environ, start_response)

    PATHS["/" + inner.__name__] = handler


# ---- start_response


@path
def twice(environ, start_response, query):
    start_response("200 OK", PLAIN)
    again = attempt(start_response, "201 Created", PLAIN)
    if "raise" in query:
        start_response("201 Created", PLAIN)
    return [again.encode()]


@path
def replaced(environ, start_response, query):
    start_response("200 OK", PLAIN + [("X-Before", "1"), ("Content-Length", "3")])
    try:
        raise LookupError("on the way")
    except LookupError:
        start_response("503 Later", PLAIN + [("X-After", "1")], sys.exc_info())
    return [b"replaced"]


@path
def replaced_by_name(environ, start_response, query):
    start_response("200 OK", PLAIN)
    try:
        raise LookupError("on the way")
    except LookupError:
        start_response("503 Later", PLAIN, exc_info=sys.exc_info())
    return [b"replaced"]


@path
def too_late(environ, start_response, query):
    start_response("200 OK", PLAIN)
    yield b"on its way"
    try:
        raise LookupError("after the head")
    except LookupError as mine:
        try:
            start_response("503 Later", PLAIN, sys.exc_info())
        except LookupError as error:
            EVENTS.append("the same error" if error is mine else "another error")
            raise


BAD_HEADS = {
    "status int": (200, PLAIN),
    "status bytes": (b"200 OK", PLAIN),
    "status short": ("20", PLAIN),
    "status text": ("OK", PLAIN),
    "status empty": ("", PLAIN),
    "status glued": ("200OK", PLAIN),
    "status without a blank": ("200", PLAIN),
    "status interim": ("100 Continue", PLAIN),
    "status with a field": ("200 OK\r\nX-Leak: 1", PLAIN),
    "status not Latin-1": ("200 \u20ac", PLAIN),
    "headers tuple": ("200 OK", tuple(PLAIN)),
    "headers none": ("200 OK", None),
    "pair list": ("200 OK", [["X-Leak", "1"]]),
    "pair of three": ("200 OK", [("X-Leak", "1", "2")]),
    "pair string": ("200 OK", ["ab"]),
    "name bytes": ("200 OK", [(b"X-Leak", "1")]),
    "name empty": ("200 OK", [("", "X-Leak")]),
    "name with a space": ("200 OK", [("X-Leak ", "1")]),
    "name with a colon": ("200 OK", [("X-Leak: 1", "1")]),
    "name with a line": ("200 OK", [("X-Leak: 1\r\nX", "1")]),
    "name not ASCII": ("200 OK", [("X-Leak-\xe9", "1")]),
    "value bytes": ("200 OK", [("X-Leak", b"1")]),
    "value int": ("200 OK", [("X-Leak", 1)]),
    "value none": ("200 OK", [("X-Leak", None)]),
    "value with CR": ("200 OK", [("X-Leak", "a\rb")]),
    "value with LF": ("200 OK", [("X-Leak", "a\nb")]),
    "value with CRLF": ("200 OK", [("X", "a\r\nX-Leak: 1")]),
    "value with NUL": ("200 OK", [("X-Leak", "a\0b")]),
    "value with DEL": ("200 OK", [("X-Leak", "a\x7fb")]),
    "value not Latin-1": ("200 OK", [("X-Leak", "\u20ac")]),
    "value surrogate": ("200 OK", [("X-Leak", "\udce9")]),
    "length text": ("200 OK", [("X-Leak", "1"), ("Content-Length", "many")]),
    "length negative": ("200 OK", [("X-Leak", "1"), ("Content-Length", "-1")]),
    "length empty": ("200 OK", [("X-Leak", "1"), ("Content-Length", "")]),
    "length twice": ("200 OK", [("X-Leak", "1")] + [("Content-Length", "6")] * 2),
    "bad one last": ("200 OK", [("X-Leak", "1"), ("X", "\n")]),
}


@path
def connection_fields(environ, start_response, query):
    names = ("Connection", "KEEP-ALIVE", "Proxy-Authenticate", "Proxy-Authorization", "TE",
             "Trailer", "Trailers", "transfer-encoding", "Upgrade")
    start_response("200 OK", [("X-Before", "1"), *((name, "x") for name in names), ("X-After", "2")])
    return iter([b"event", b"stream"])


@path
def bad_heads(environ, start_response, query):
    return answer(start_response, sorted(BAD_HEADS))


@path
def bad_head(environ, start_response, query):
    start_response(*BAD_HEADS[query["name"]])
    return [b"X-Leak"]


@path
def bad_head_then_good(environ, start_response, query):
    first = attempt(start_response, *BAD_HEADS["bad one last"])
    start_response("200 OK", PLAIN)
    return [first.encode()]


@path
def bad_call(environ, start_response, query):
    return answer(
        start_response,
        {
            "none": attempt(start_response),
            "one": attempt(start_response, "200 OK"),
            "four": attempt(start_response, "200 OK", PLAIN, None, None),
        },
    )


@path
def latin1(environ, start_response, query):
    start_response("200 gr\xfcn", [("X-Name", "caf\xe9\ttab"), ("Date", "mine")])
    return [b"x"]


# ---- bodies


class Blocks:
    """An iterable that isn't a list, and remembers what became of it."""

    def __init__(self, name, blocks, fail=False, fail_to_close=False):
        self.name, self.blocks, self.fail = name, blocks, fail
        self.fail_to_close = fail_to_close

    def __len__(self):
        return len(self.blocks)

    def __iter__(self):
        yield from self.blocks
        if self.fail:
            raise LookupError("while the body is made")

    def close(self):
        EVENTS.append(self.name + " closed")
        if self.fail_to_close:
            raise LookupError("close of " + self.name)


class Twice(list):
    def __iter__(self):
        for block in super().__iter__():
            yield block * 2


class ClosingList(list):
    def close(self):
        EVENTS.append("list closed")


BODIES = {
    "one": lambda: [b"one"],
    "many": lambda: [b"m", b"an", b"y"],
    "none": lambda: [],
    "empty": lambda: [b""],
    "gaps": lambda: [b"", b"g", b"", b"aps", b""],
    "large": lambda: [b"l" * 100000, b"L" * 100000],
    "tuple": lambda: (b"tu", b"ple"),
    "empty tuple": lambda: (),
    "iterator": lambda: iter([b"iter", b"", b"ator"]),
    "generator": lambda: (block for block in (b"", b"gen", b"", b"erator")),
    "empty generator": lambda: (block for block in ()),
    "length": lambda: Blocks("length", [b"len", b"gth"]),
    "overridden": lambda: Twice([b"ab", b"c"]),
    "closing": lambda: ClosingList([b"closing"]),
    "keys": lambda: {b"ke": 1, b"ys": 2},
    "fails": lambda: Blocks("fails", [b"begun"], fail=True),
    "fails at once": lambda: Blocks("fails at once", [], fail=True),
    "huge": lambda: Blocks("huge", [b"h" * 16000000]),
    "close fails": lambda: Blocks("close fails", [b"whole"], fail_to_close=True),
    "endless": lambda: Blocks("endless", Endless()),
    "str": lambda: ["X-Leak"],
    "one str": lambda: "X-Leak",
    "bytes": lambda: b"X-Leak",
    "bytearray": lambda: [bytearray(b"X-Leak")],
    "not all bytes": lambda: [b"X-Leak", None],
    "str from a generator": lambda: (block for block in ["X-Leak"]),
    "nothing": lambda: None,
    "number": lambda: 5,
}


class Endless:
    def __iter__(self):
        while True:
            yield b"e" * 65536


@path
def body(environ, start_response, query):
    headers = list(PLAIN)
    if "length" in query:
        headers.append(("Content-Length", query["length"]))
    start_response(query.get("status", "200 OK"), headers)
    return BODIES[query["is"]]()


@path
def no_head(environ, start_response, query):
    return [b"X-Leak"]


@path
def no_head_from_generator(environ, start_response, query):
    yield b"X-Leak"


@path
def late_head(environ, start_response, query):
    yield b""
    start_response("200 OK", PLAIN)
    yield b"late"


@path
def write(environ, start_response, query):
    headers = list(PLAIN)
    if "length" in query:
        headers.append(("Content-Length", query["length"]))
    write = start_response("200 OK", headers)
    for piece in (b"wri", b"", b"tten"):
        write(piece)
    return [b", ", b"returned"] if "more" in query else []


@path
def write_wrong(environ, start_response, query):
    write = start_response("200 OK", PLAIN)
    return [(attempt(write, "str") + " " + attempt(write) + " " + attempt(write, None)).encode()]


@path
def write_too_much(environ, start_response, query):
    write = start_response("200 OK", PLAIN + [("Content-Length", "4")])
    EVENTS.append("too much: " + attempt(write, b"abcdef") + " " + attempt(write, b"gh"))
    return []


def wait_for(file):
    while not GO.wait(0.002) and not os.path.exists(file):
        pass
    GO.clear()


@path
def go(environ, start_response, query):
    GO.set()
    return answer(start_response, "gone")


@path
def stream(environ, start_response, query):
    def blocks():
        for block in (b"first", b"second"):
            EVENTS.append("made " + block.decode())
            yield block
            wait_for(query["file"] + block.decode())

    start_response("200 OK", PLAIN)
    return blocks()


@path
def works_on(environ, start_response, query):
    """All of the body in its first block, and then what takes long: until the client has it."""
    def blocks():
        time.sleep(0.1)
        yield b"whole"
        EVENTS.append("went on")
        if "file" in query:
            wait_for(query["file"])
        else:
            time.sleep(0.05)

    start_response("200 OK", PLAIN + [("Content-Length", "5")])
    return blocks()


@path
def forks(environ, start_response, query):
    """A child has whatever this process has open, until the file is there."""
    if not os.fork():
        while not os.path.exists(query["file"]):
            time.sleep(0.01)
        os._exit(0)
    return answer(start_response, "forked")


@path
def closes_late(environ, start_response, query):
    """The iterable's close() waits until the client has the answer."""
    def wait():
        wait_for(query["file"])
        EVENTS.append("closed late" if "write" not in query else "late " + attempt(late, b"late"))

    headers = PLAIN + [("Content-Length", query[key]) for key in ("length",) if key in query]
    late = start_response("200 OK", headers)
    blocks = Blocks("late", [b"block"] * int(query["blocks"]))
    blocks.close = wait
    return blocks


@path
def too_much(environ, start_response, query):
    start_response("200 OK", PLAIN + [("Content-Length", "5")])
    return iter([b"whole", b"", b"and more"])


@path
def breaks_after(environ, start_response, query):
    def blocks():
        yield b"whole"
        raise ValueError("after the body")

    start_response("200 OK", PLAIN + [("Content-Length", "5")])
    return blocks()


@path
def write_stream(environ, start_response, query):
    write = start_response("200 OK", PLAIN)
    write(b"first")
    wait_for(query["file"] + "first")
    write(b"second")
    wait_for(query["file"] + "second")
    return []


@path
def wrapped(environ, start_response, query):
    file = KEPT["file"] = open(query["file"], "rb")
    headers = list(PLAIN)
    if "length" in query:
        headers.append(("Content-Length", str(os.path.getsize(query["file"]))))
    start_response("200 OK", headers)
    if "block" in query:
        return environ["wsgi.file_wrapper"](file, int(query["block"]))
    return environ["wsgi.file_wrapper"](file)


@path
def wrapped_is_closed(environ, start_response, query):
    return answer(start_response, KEPT["file"].closed)


# ---- wsgi.input


@path
def read(environ, start_response, query):
    """Does what `do` says: "read 5,readline,..." """
    body = environ["wsgi.input"]
    results = []
    for step in query["do"].split(","):
        name, *arguments = step.split()
        arguments = [None if a == "None" else int(a) for a in arguments]
        if name == "iter":
            got = list(body)
        elif name == "into":  # of what is below the buffer, where there is one
            got = bytes(getattr(body, "raw", body).readinto(bytearray(*arguments)))
        elif name == "next":
            got = next(body, b"the end")
        else:
            got = getattr(body, name)(*arguments)
        good = type(got) is bytes or type(got) is list and {type(line) for line in got} <= {bytes}
        results.append(
            [line.decode("latin-1") for line in got] if isinstance(got, list)
            else got.decode("latin-1") if good else "WRONG TYPE"
        )
    return answer(start_response, results)


@path
def digest(environ, start_response, query):
    body = environ["wsgi.input"]
    size = int(query.get("size", 65536))
    md5 = hashlib.md5()
    total = 0
    if query["by"] == "line":
        pieces = body
    elif query["by"] == "all":
        pieces = [body.read()]
    else:
        pieces = iter(lambda: body.read(size), b"")
    for piece in pieces:
        md5.update(piece)
        total += len(piece)
    return answer(start_response, [total, md5.hexdigest()])


@path
def collects(environ, start_response, query):
    """In a free-threaded build this stops the world: whoever is attached has to stop first."""
    gc.collect()
    return answer(start_response, "collected")


@path
def read_wrong(environ, start_response, query):
    body = environ["wsgi.input"]
    return answer(start_response, [
        attempt(body.read, "x"), attempt(body.read, 1, 2), attempt(body.readline, 1.5),
        attempt(body.read, 10 ** 30), attempt(body.readlines, b""),
    ])


@path
def read_caught(environ, start_response, query):
    body = environ["wsgi.input"]
    got = [attempt(body.read), attempt(body.readline), attempt(lambda: list(body))]
    return answer(start_response, got)


@path
def read_late(environ, start_response, query):
    start_response("200 OK", PLAIN)
    yield b"head, "
    yield environ["wsgi.input"].read()


@path
def elsewhere(environ, start_response, query):
    """Reads and writes in another thread than the request's, as adapters to asyncio do."""
    got = []

    def run():
        body = environ["wsgi.input"]
        got.append(body.readline())
        write = start_response("200 OK", PLAIN)
        got.extend(iter(lambda: body.read(65536), b""))
        write(b"%d bytes, " % sum(map(len, got)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return [b"read elsewhere"]


@path
def crowd(environ, start_response, query):
    """Several threads read one body: each byte must come once, in whatever order."""
    body = environ["wsgi.input"]
    got = []

    def run():
        got.extend(iter(lambda: body.read(1000), b""))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answer(start_response, [sum(map(len, got)), sum(b.count(b"x") for b in got)])


@path
def abandoned(environ, start_response, query):
    """Answers while a thread of its own still waits for the body."""
    def run():
        EVENTS.append("abandoned: " + attempt(lambda: len(environ["wsgi.input"].read())))

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.05)
    return answer(start_response, "answered")


# ---- errors


@path
def fail(environ, start_response, query):
    if "started" in query:
        start_response("200 OK", [("X-Leak", "1")])
    kind = {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "stop": StopIteration()}
    raise kind.get(query.get("with"), LookupError("the application's own"))


@path
def fail_after_length(environ, start_response, query):
    start_response("200 OK", PLAIN + [("Content-Length", "20")])
    yield b"some of it"
    raise LookupError("after the head")


@path
def sigpipe(environ, start_response, query):
    reader, writer = os.pipe()
    os.close(reader)
    return answer(start_response, attempt(os.write, writer, b"x"))


@path
def child(environ, start_response, query):
    process = subprocess.Popen(["sleep", "600"])
    process.terminate()
    try:
        status = process.wait(60)
    finally:
        process.kill()
    return answer(start_response, status)


# ---- what outlives its request


@path
def keep(environ, start_response, query):
    KEPT["start_response"], KEPT["input"] = start_response, environ["wsgi.input"]
    KEPT["write"] = start_response("200 OK", PLAIN)
    KEPT["lines"] = iter(environ["wsgi.input"])
    return [b"kept"]


def use_kept():
    return [
        attempt(KEPT["start_response"], "200 OK", []),
        attempt(KEPT["write"], b"x"),
        attempt(KEPT["input"].read),
        attempt(KEPT["input"].readline),
        attempt(KEPT["input"].readlines),
        attempt(next, KEPT["lines"]),
    ]


@path
def kept(environ, start_response, query):
    return answer(start_response, use_kept())


@path
def forged(environ, start_response, query):
    """Objects of the server's types that the server did not make."""
    return answer(start_response, [
        attempt(lambda: type(start_response)()("200 OK", [])),
        attempt(lambda: type(start_response)().take(1)),
        attempt(lambda: type("Mine", (type(start_response),), {})),
    ])


@atexit.register
def at_exit():
    print("atexit:", *(use_kept() if "write" in KEPT else ["nothing kept"]), file=sys.stderr)


# ---- other ways to be an application


class Callable:
    def __call__(self, environ, start_response):
        start_response("200 OK", PLAIN)
        return [b"an object"]

    def method(self, environ, start_response):
        start_response("200 OK", PLAIN)
        return [b"a method"]


class OfTheRequest:
    def __init__(self, environ, start_response):
        self.start_response = start_response

    def __iter__(self):
        self.start_response("200 OK", PLAIN)
        yield b"a class"


def make():
    def made(environ, start_response):
        start_response("200 OK", PLAIN)
        return [b"made"]

    return made


class Holder:
    held = Callable()


as_object = Callable()
as_checked = validator(app)
not_callable = 5


async def as_asgi(scope, receive, send):
    pass


class AsgiObject:
    async def __call__(self, scope, receive, send):
        pass


asgi_object = AsgiObject()
