"""The article's two endpoints in ASGI: gilbench --app apps/asgi_app.py:app"""
import asyncio
import json


async def app(scope, receive, send):
    if scope['type'] == 'lifespan':
        return await lifespan(receive, send)
    status, kind = 200, b'application/json'
    if scope['path'] == '/json':
        body = json.dumps({'message': 'Hello World'}).encode()
    elif scope['path'] == '/io':
        await asyncio.sleep(0.01)
        body = json.dumps({'status': 'done'}).encode()
    else:
        status, kind, body = 404, b'text/plain', b'not found\n'
    headers = [(b'content-type', kind), (b'content-length', str(len(body)).encode())]
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': body})


async def lifespan(receive, send):
    event = None
    while event != 'lifespan.shutdown':
        event = (await receive())['type']
        await send({'type': event + '.complete'})
