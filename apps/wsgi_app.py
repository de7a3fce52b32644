"""The two endpoints of builtin:wsgi as a file of your own, to start from:

    gilbench compare --app apps/wsgi_app.py:app --path /json
    gilbench serve --app apps/wsgi_app.py:app --threads 4
"""

import time


def app(environ, start_response):
    path = environ["PATH_INFO"]
    status, kind = "200 OK", "application/json"
    if path == "/json":
        body = b'{"message": "Hello World"}'
    elif path == "/io":
        time.sleep(0.01)  # a query to a database, say: the thread waits and the GIL is free
        body = b'{"status": "done"}'
    else:
        status, kind, body = "404 Not Found", "text/plain", b"not found\n"
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
