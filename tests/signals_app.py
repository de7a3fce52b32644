"""An application that tells of its life in the file that LIFE names, and has handlers of signals."""
import atexit
import os
import signal
import sys
import time


def tell(what):
    with open(os.environ["LIFE"], "a") as life:
        life.write(what + "\n")


atexit.register(tell, "atexit")
signal.signal(signal.SIGUSR1, lambda number, frame: tell("usr1"))
tell("imported")
if "PRINT" in os.environ:
    sys.stdout = open(1, "w", closefd=False)  # which has a buffer
    print(os.environ["PRINT"])
time.sleep(float(os.environ.get("IMPORT_S", "0")))


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        import asyncio
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, tell, "usr2")
        while True:
            event = (await receive())["type"]
            tell(event)
            await send({"type": event + ".complete"})
            if event == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def factory():
    def leave(number, frame):
        tell("term")
        raise SystemExit

    signal.signal(signal.SIGTERM, leave)
    return wsgi
