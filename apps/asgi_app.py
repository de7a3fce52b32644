"""The two endpoints of builtin:asgi as a file of your own, to start from:

    gilbench compare --app apps/asgi_app.py:app --path /json
"""

import asyncio


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
