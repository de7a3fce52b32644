"""The endpoints of builtin:wsgi as a file of your own, to start from:

    gilbench compare --app apps/wsgi_app.py:app --path /page
    gilbench serve --app apps/wsgi_app.py:app --threads 4
"""

import json
import time


def page():
    # A catalogue as a database hands it over: rows that no other thread has seen. A global one
    # would have its references counted by all threads, which a free-threaded build waits for.
    woods, things = ("ash", "beech", "cherry", "elm", "oak"), ("bench", "chair", "shelf", "table")
    rows = [{"id": n, "name": f"{woods[n % 5]} {things[n % 4]}", "cents": n * 7919 % 20011,
             "stock": n * 31 % 17} for n in range(1, 241)]
    found = [row for row in rows if row["stock"] and "oak" not in row["name"]]
    found.sort(key=lambda row: (-row["cents"], row["name"]))
    total = sum(row["cents"] * row["stock"] for row in found)
    items = [{"id": row["id"], "name": row["name"].title(), "price": f"{row['cents'] / 100:,.2f}",
              "value": f"{row['cents'] * row['stock'] / 100:,.2f}"} for row in found[:8]]
    answer = {"found": len(found), "total": f"{total / 100:,.2f}", "items": items}
    return json.dumps(answer).encode()


def app(environ, start_response):
    path = environ["PATH_INFO"]
    status, kind = "200 OK", "application/json"
    if path == "/json":
        body = b'{"message": "Hello World"}'
    elif path == "/io":
        time.sleep(0.01)  # a query to a database, say: the thread waits and the GIL is free
        body = b'{"status": "done"}'
    elif path == "/page":
        body = page()
    elif path == "/query":
        time.sleep(0.005)  # and the page of what it found
        body = page()
    else:
        status, kind, body = "404 Not Found", "text/plain", b"not found\n"
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
