"""What tests/asgi.t asks of a server: each path is one habit, good or bad, of an application."""
import asyncio
import atexit
import contextvars
import inspect
import json
import os
import sys
import threading
import time

CHUNK = b'x' * 65536
variable = contextvars.ContextVar('variable', default='unset')
events = []
tasks = set()


async def start(send, status=200, headers=()):
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})


async def answer(send, value, status=200):
    body = value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
    await start(send, status, [(b'content-type', b'application/json')])
    await send({'type': 'http.response.body', 'body': body})


async def read(receive):
    pieces, more = [], True
    while more:
        message = await receive()
        if message['type'] == 'http.disconnect':
            return None
        pieces.append(message['body'])
        more = message['more_body']
    return pieces


# ---- requests

async def scope(scope, receive, send):
    text = lambda value: value.decode('latin-1') if isinstance(value, bytes) else value
    shown = {key: text(value) for key, value in scope.items()}
    shown['asgi'] = dict(scope['asgi'])
    scope['asgi']['touched'] = True
    shown['headers'] = [[text(name), text(value)] for name, value in scope['headers']]
    shown['kinds'] = [type(scope['raw_path']).__name__, type(scope['query_string']).__name__,
                      *{type(name).__name__ for name, _ in scope['headers']}, type(scope['client']).__name__]
    scope['state']['count'] = scope['state'].get('count', 0) + 1
    shown['state'] = {'count': scope['state']['count'], 'kept': scope['state']['shared'][:]}
    scope['state']['shared'].append(1)
    await answer(send, shown)


async def echo(scope, receive, send):
    pieces = await read(receive)
    await answer(send, b''.join(pieces))


async def pieces(scope, receive, send):
    await answer(send, [len(piece) for piece in await read(receive)])


async def blocks(scope, receive, send):
    """Without an await, as it should not."""
    query = scope['query_string'].decode()
    if query.startswith('/'):
        while not os.path.exists(query):
            time.sleep(0.01)
    else:
        time.sleep(float(query))
    await answer(send, b'blocked')


async def slow_upload(scope, receive, send):
    await asyncio.sleep(1)
    total = 0
    more = True
    while more:
        message = await receive()
        total += len(message['body'])
        more = message['more_body']
    await answer(send, total)


async def download(scope, receive, send):
    await start(send)
    for _ in range(int(scope['query_string'])):
        await send({'type': 'http.response.body', 'body': CHUNK, 'more_body': True})
    await send({'type': 'http.response.body'})


async def one_piece(scope, receive, send):
    await answer(send, CHUNK * int(scope['query_string']))


async def at_once(scope, receive, send):
    await start(send)
    await asyncio.gather(*(
        send({'type': 'http.response.body', 'body': b'%03d' % i + CHUNK[3:], 'more_body': True})
        for i in range(200)))
    await send({'type': 'http.response.body', 'body': b'end'})


async def abandons(scope, receive, send):
    await start(send)
    try:
        async with asyncio.timeout(0.05):
            await send({'type': 'http.response.body', 'body': b''.join(b'%015d\n' % n for n in range(1 << 19))})
    except TimeoutError:
        events.append('TimeoutError')


async def naps(scope, receive, send):
    await asyncio.sleep(0)
    await answer(send, scope['query_string'])


async def stream(scope, receive, send):
    await start(send, 200, [[b'content-type', b'text/plain']])
    for piece in (b'one', bytearray(b'two'), memoryview(b'three')):
        await send({'type': 'http.response.body', 'body': piece, 'more_body': True})
        await asyncio.sleep(0.2)
    await send({'type': 'http.response.body', 'body': b''})


async def wait(scope, receive, send):
    events.append((await receive())['type'])
    events.append((await receive())['type'])
    await answer(send, b'nobody')
    events.append('sent')
    raise OSError('as a framework may, of a client that has gone')


async def gone_while_sending(scope, receive, send):
    """Without an await of its own, as Starlette streams: somebody else has to notice."""
    await start(send)
    while (await receive())['type'] != 'http.request':
        pass
    listener = asyncio.create_task(receive())
    while not listener.done():
        await send({'type': 'http.response.body', 'body': CHUNK, 'more_body': True})
    events.append(listener.result()['type'])


class Disconnected(Exception):
    pass


async def strict_upload(scope, receive, send):
    try:
        if await read(receive) is None:
            raise Disconnected('while the body was read')
    finally:
        events.append('left')


async def waiters(scope, receive, send):
    """Several wait for the same; one that gives up takes no other along."""
    await receive()
    first, second, third = (asyncio.create_task(receive()) for _ in range(3))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    events.extend([first.result()['type'], second.cancelled(), third.result()['type']])


async def seen(scope, receive, send):
    found = list(events)
    events.clear()
    await answer(send, found)


async def after(scope, receive, send):
    await answer(send, b'ok')
    events.append((await receive())['type'])
    await send({'type': 'http.response.body', 'body': b'more'})
    await send({'type': 'http.response.start', 'status': 500})
    events.append('ignored')
    await asyncio.sleep(0.1)
    events.append('background')


async def letters(scope, receive, send):
    """What the interpreter's own bytes objects of one character are."""
    now = [bytes([65]), b'ABC'[:1], b'xyz'.upper()[:1]]
    await answer(send, [[byte.decode() for byte in now],
                        [name.decode() for name, value in scope['headers'] if len(name) == 1]])


async def connection_fields(scope, receive, send):
    await start(send, 200, [(b'x-before', b'1'), (b'connection', scope['query_string'] or b'keep-alive'),
                            (b'Transfer-Encoding', b'chunked'), (b'keep-alive', b'timeout=5'), (b'te', b'x'),
                            (b'trailer', b'x'), (b'upgrade', b'x'), (b'Proxy-Authenticate', b'x'), (b'x-after', b'2')])
    await send({'type': 'http.response.body', 'body': b'event', 'more_body': True})
    await send({'type': 'http.response.body', 'body': b'stream'})


async def status(scope, receive, send):
    await start(send, int(scope['query_string']), [(b'x-a', b'1'), (b'x-a', b'2')] +
                [(b'content-length', b'0')] * (scope['query_string'] in (b'204', b'304')))
    await send({'type': 'http.response.body', 'body': b'' if scope['query_string'] != b'200' else b'five!'})


async def length(scope, receive, send):
    promised, _, pieces = scope['query_string'].partition(b'&')
    await start(send, 200, [(b'content-length', promised)])
    if pieces:
        await send({'type': 'http.response.body', 'body': b'0', 'more_body': True})
    await send({'type': 'http.response.body', 'body': b'12345'})


# ---- tasks

async def tools(scope, receive, send):
    found = {'task': type(asyncio.current_task()).__name__}
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)
    except TimeoutError:
        found['timeout'] = True
    async with asyncio.TaskGroup() as group:
        one, two = (group.create_task(asyncio.sleep(0.01, n)) for n in (1, 2))
    found['group'] = one.result() + two.result()
    variable.set('set')
    found['thread'] = await asyncio.to_thread(lambda: (threading.get_ident(), variable.get()))
    found['thread'] = [found['thread'][0] != threading.get_ident(), found['thread'][1]]
    found['message'] = (await asyncio.create_task(receive()))['type']
    try:
        await asyncio.wait_for(receive(), 0.01)
    except TimeoutError:
        found['receive'] = 'waits'
    await answer(send, found)


async def context(scope, receive, send):
    before = variable.get()
    variable.set('leaked')
    await asyncio.sleep(0)
    await answer(send, [before, variable.get()])


async def cancel(scope, receive, send):
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
    await asyncio.sleep(10)


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error).__name__


async def foreign(scope, receive, send):
    """receive and send are called in other threads, and awaited there, as it can't be."""
    def elsewhere():
        loop = asyncio.new_event_loop()
        done = [outcome(receive().send, None), outcome(send({'type': 'x'}).send, None),
                outcome(loop.run_until_complete, receive())]
        loop.close()
        return done
    found = {'stepped': await asyncio.to_thread(elsewhere)}
    found['kind'] = [inspect.iscoroutinefunction(receive), inspect.iscoroutinefunction(send)]
    found['received'] = (await (await asyncio.to_thread(receive)))['type']
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(start(send), loop).result())
    await (await asyncio.to_thread(send, {'type': 'http.response.body',
                                          'body': json.dumps(found).encode()}))


kept = []


async def keeps(scope, receive, send):
    kept.append((receive, send))
    found = []
    for old_receive, old_send in kept[:-1]:
        found.append((await old_receive())['type'])
        await old_send({'type': 'http.response.start', 'status': 500})
        found.append(await asyncio.to_thread(outcome, old_receive().send, None))
        found.append(outcome(type(old_receive.__self__)))
    await answer(send, found)


@atexit.register
def at_exit():
    for receive, send in kept[:1]:
        print('atexit:', outcome(receive().send, None), outcome(send({'type': 'http.response.body'}).send, None), file=sys.stderr)


# ---- mistakes

async def raises(scope, receive, send):
    raise ValueError('before the start')


async def raises_after(scope, receive, send):
    await start(send)
    await send({'type': 'http.response.body', 'body': b'some', 'more_body': True})
    raise ValueError('after the start')


async def raises_between(scope, receive, send):
    await start(send)
    raise ValueError('nothing of it was sent')


async def exits(scope, receive, send):
    await asyncio.sleep(0)
    sys.exit(3)


async def returns(scope, receive, send):
    pass


async def returns_half(scope, receive, send):
    await start(send)
    await send({'type': 'http.response.body', 'body': b'half', 'more_body': True})


async def misuse(scope, receive, send):
    found = []
    body = {'type': 'http.response.body', 'body': b''}
    for message in (body, {'type': 'http.nothing'}, {}, [], {'type': 1},
                    {'type': 'http.response.start'},
                    {'type': 'http.response.start', 'status': 'x'},
                    {'type': 'http.response.start', 'status': 100},
                    {'type': 'http.response.start', 'status': 200, 'headers': [(b'a',)]},
                    {'type': 'http.response.start', 'status': 200, 'headers': [('a', 'b')]},
                    {'type': 'http.response.start', 'status': 200, 'headers': [(b'a', b'b\r\nc: d')]},
                    {'type': 'http.response.start', 'status': 200, 'headers': [(b'a b', b'')]}):
        try:
            await send(message)
            found.append('accepted')
        except Exception as error:
            found.append(type(error).__name__)
    await start(send)
    for message in ({'type': 'http.response.start', 'status': 200},
                    {'type': 'http.response.body', 'body': 'text'}):
        try:
            await send(message)
            found.append('accepted')
        except Exception as error:
            found.append(type(error).__name__)
    await send({'type': 'http.response.body', 'body': json.dumps(found).encode()})


paths = {'/' + function.__name__: function for function in
         (scope, echo, pieces, slow_upload, blocks, download, one_piece, at_once, abandons, naps,
          stream, wait, gone_while_sending, strict_upload, waiters, seen, after, letters,
          connection_fields, status, length, tools, context, cancel, foreign, keeps, raises,
          raises_after, raises_between, exits, returns, returns_half, misuse)}


async def app(scope, receive, send):
    if scope['type'] == 'lifespan':
        return await lifespan(scope, receive, send)
    path = scope['path'] if scope['path'] in paths else '/scope'
    await paths[path](scope, receive, send)


# ---- lifespans

async def lifespan(scope, receive, send):
    assert (await receive())['type'] == 'lifespan.startup'
    scope['state']['shared'] = []
    await send({'type': 'lifespan.startup.complete'})
    assert (await receive())['type'] == 'lifespan.shutdown'
    print('shut down in order', flush=True)
    await send({'type': 'lifespan.shutdown.complete'})


async def failing(scope, receive, send):
    if scope['type'] == 'lifespan':
        await receive()
        await send({'type': 'lifespan.startup.failed', 'message': 'no database today'})


async def failing_silently(scope, receive, send):
    if scope['type'] == 'lifespan':
        await receive()
        await send({'type': 'lifespan.startup.failed', 'message': None})


async def without(scope, receive, send):
    assert scope['type'] == 'http'
    await answer(send, b'works')


class Awaitable:
    """Neither a coroutine function nor a coroutine, but an application all the same."""

    def __call__(self, scope, receive, send):
        return Answer(scope, send)


class Answer:
    def __init__(self, scope, send):
        self.scope, self.send = scope, send

    def __await__(self):
        if self.scope['type'] == 'http':
            yield from answer(self.send, b'awaited').__await__()


awaitable = Awaitable()


# ---- several loops in one interpreter

async def of_one_loop(scope, receive, send):
    raise RuntimeError('<Pool> is bound to a different event loop')


starts = []


async def starts_once(scope, receive, send):
    starts.append(await receive())
    if len(starts) == 1:
        await send({'type': 'lifespan.startup.complete'})
        await receive()
    else:
        message = '.run() can only be called once per instance'
        await send({'type': 'lifespan.startup.failed', 'message': message})
