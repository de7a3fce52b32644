"""What tests/mixed_client.py asks: every byte of an answer says whose it is."""
import asyncio
import time


def pattern(token, size):
    unit = token + b' '
    return (unit * (size // len(unit) + 1))[:size]


def pieces(body):
    step = len(body) // 5 + 1
    return [body[at:at + step] for at in range(0, len(body), step)]


def received(token, body):
    """An upload is answered by whether each of its bytes was the sender's."""
    return token + (b' sent %d' % len(body) if body == pattern(token, len(body)) else b' is wrong')


def wsgi(environ, start_response):
    token, kind = environ['HTTP_X_ID'].encode(), environ['PATH_INFO'][1:]
    try:
        body = environ['wsgi.input'].read()
    except OSError:
        start_response('400 Gone', [])
        return []
    body = received(token, body) if kind == 'upload' else pattern(token, int(environ['QUERY_STRING']))
    headers = [('X-Id', environ['HTTP_X_ID'])]
    if kind == 'counted':
        headers.append(('Content-Length', str(len(body))))
    start_response('200 OK', headers)
    return slowly(body) if kind in ('counted', 'stream') else [body]


def slowly(body):
    for piece in pieces(body):
        time.sleep(0.0005)
        yield piece


async def asgi(scope, receive, send):
    if scope['type'] == 'lifespan':
        raise RuntimeError('none here')
    token, kind = dict(scope['headers'])[b'x-id'], scope['path'][1:]
    body, more = b'', True
    while more:
        message = await receive()
        if message['type'] == 'http.disconnect':
            return
        body, more = body + message['body'], message['more_body']
    body = received(token, body) if kind == 'upload' else pattern(token, int(scope['query_string']))
    headers = [(b'x-id', token)]
    if kind == 'counted':
        headers.append((b'content-length', b'%d' % len(body)))
    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
    for piece in pieces(body) if kind in ('counted', 'stream') else ():
        await asyncio.sleep(0.0005)
        await send({'type': 'http.response.body', 'body': piece, 'more_body': True})
        body = b''
    await send({'type': 'http.response.body', 'body': body})
