"""The two endpoints of builtin:wsgi as a file of your own, to start from:

    gilbench compare --app apps/wsgi_app.py:app --path /json
    gilbench serve --app apps/wsgi_app.py:app --threads 4
"""

import json
import time


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/json":
        body = json.dumps({"message": "Hello World"}).encode()
    elif path == "/io":
        time.sleep(0.01)  # a query to a database, say: the thread waits and the GIL is free
        body = json.dumps({"status": "done"}).encode()
    else:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found\n"]
    start_response(
        "200 OK",
        [("Content-Type", "application/json"), ("Content-Length", str(len(body)))],
    )
    return [body]
