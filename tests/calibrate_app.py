"""What `make calibrate` measures: an answer whose work is known, and 5 % more of it where the
environment that runs it is called "slower"; and one that sleeps for the ms of its path."""

import json
import os
import sys
import time

ROWS = 200
if os.path.basename(sys.prefix) == "slower":
    ROWS += ROWS // 20

DATA = [{"id": i, "name": f"item {i}", "price": i * 0.25, "tags": ["a", "b"]} for i in range(ROWS)]


def app(environ, start_response):
    body = json.dumps(DATA).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def sleeps(environ, start_response):
    time.sleep(int(environ["PATH_INFO"][1:]) / 1000)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
