"""The endpoints of builtin:asgi as a file of your own, to start from:

    gilbench compare --app apps/asgi_app.py:app --path /page
"""

import asyncio
import json


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


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    path = scope["path"]
    status, kind = 200, b"application/json"
    if path == "/json":
        body = b'{"message": "Hello World"}'
    elif path == "/io":
        await asyncio.sleep(0.01)  # a query to a database, say
        body = b'{"status": "done"}'
    elif path == "/page":
        body = page()
    elif path == "/query":
        await asyncio.sleep(0.005)  # and the page of what it found
        body = page()
    else:
        status, kind, body = 404, b"text/plain", b"not found\n"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive, send):
    event = None
    while event != "lifespan.shutdown":
        event = (await receive())["type"]
        await send({"type": event + ".complete"})
