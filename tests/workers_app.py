"""What tests/workers.t serves: who answers, slow answers, a failure, and an end."""
import asyncio
import json
import os
import signal
import threading
import time

count = 0
module = os.urandom(8).hex()  # of each load its own


def who(environ):
    return json.dumps({'process': os.getpid(), 'thread': threading.get_native_id(),
                       'module': module,
                       'multithread': environ.get('wsgi.multithread'),
                       'multiprocess': environ.get('wsgi.multiprocess')}).encode()


def end(path):
    global count
    count += 1
    if path == '/kill' or (path == '/later' and count > 40):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path == '/exit':
        os._exit(0)
    if path == '/hold':  # the GIL
        import ctypes
        ctypes.PyDLL(None).usleep(2000000)
    if path == '/fail':
        raise RuntimeError('as it was asked to')


def wsgi(environ, start_response):
    path = environ['PATH_INFO']
    end(path)
    if path == '/slow':
        time.sleep(1)
    body = who(environ)
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope['type'] != 'http':
        raise RuntimeError('no lifespan here')
    end(scope['path'])
    if scope['path'] == '/slow':
        await asyncio.sleep(1)
    body = who({})
    await send({'type': 'http.response.start', 'status': 200,
                'headers': [(b'content-length', str(len(body)).encode())]})
    await send({'type': 'http.response.body', 'body': body})
