"""Many clients of many kinds at once, who know what each byte of an answer has to be:

    mixed_client.py PORT SEED EXCHANGES [alone]

`alone`: the server has one thread, which a client that pauses in a chunked body may keep.
Prints what was wrong; the last line says how many exchanges there were.
"""
import asyncio
import random
import struct
import socket
import sys

from mixed_app import pattern

PORT, SEED, COUNT = (int(argument) for argument in sys.argv[1:4])
CLIENTS = 12
PATIENCE = 20
done = wrong = 0


def note(*words):
    global wrong
    wrong += 1
    print(*words)


class Exchange:
    """A request, and how its answer has to be."""

    def __init__(self, rng, token, close=False):
        self.token = token
        self.kind = rng.choice(('whole', 'whole', 'counted', 'stream', 'upload', 'upload'))
        self.method = 'POST' if self.kind == 'upload' else rng.choice(('GET', 'GET', 'HEAD'))
        size = rng.choice((0, 1, 10, 200, 5000, 5000, 90000, 400000 * (rng.random() < 0.1)))
        sent = pattern(token, size) if self.kind == 'upload' else b''
        self.body = token + b' sent %d' % size if self.kind == 'upload' else pattern(token, size)
        fields = [b'Host: a', b'X-Id: ' + token] + [b'Connection: close'] * close
        if self.kind == 'upload' and rng.random() < 0.5:
            fields.append(b'Transfer-Encoding: chunked')
            sent = chunked(sent, rng)
        elif self.kind == 'upload':
            fields.append(b'Content-Length: %d' % size)
        line = b'%s /%s?%d HTTP/1.1' % (self.method.encode(), self.kind.encode(), size)
        self.head_len = len(b'\r\n'.join([line, *fields, b'', b'']))
        self.bytes = b'\r\n'.join([line, *fields, b'', sent])


def chunked(body, rng):
    out = []
    while body:
        size = rng.randint(1, max(1, len(body) * 2 // 3))
        out.append(b'%x%s\r\n%s\r\n' % (size, rng.choice((b'', b';a=b')), body[:size]))
        body = body[size:]
    return b''.join(out) + b'0\r\n' + rng.choice((b'', b't: r\r\n')) + b'\r\n'


async def read_body(reader, fields):
    if fields.get(b'transfer-encoding') == b'chunked':
        body = b''
        while size := int(await reader.readuntil(b'\r\n'), 16):
            body += await reader.readexactly(size)
            assert await reader.readexactly(2) == b'\r\n', 'a chunk without its end'
        assert await reader.readexactly(2) == b'\r\n', 'chunks without an end'
        return body
    return await reader.readexactly(int(fields[b'content-length']))


async def check(reader, exchange):
    global done
    head = (await reader.readuntil(b'\r\n\r\n')).split(b'\r\n')[:-2]
    fields = dict(line.lower().split(b': ', 1) for line in head[1:])
    assert head[0] == b'HTTP/1.1 200 OK', head[0]
    assert fields[b'x-id'] == exchange.token, ('the head of', fields[b'x-id'])
    body = b'' if exchange.method == 'HEAD' else await read_body(reader, fields)
    wanted = b'' if exchange.method == 'HEAD' else exchange.body
    if body != wanted:
        at = next((i for i, (a, b) in enumerate(zip(body, wanted)) if a != b), min(len(body), len(wanted)))
        raise AssertionError(f'{len(body)} bytes for {len(wanted)}, other from {at} on: {body[at:at + 60]}')
    done += 1


async def put(writer, data, rng):
    """In pieces, cut anywhere."""
    while data:
        size = len(data) if rng.random() < 0.5 else rng.randint(1, len(data))
        writer.write(data[:size])
        await writer.drain()
        data = data[size:]
        if data and rng.random() < 0.3:
            await asyncio.sleep(0.001)


async def converse(reader, writer, rng, name):
    """Pipelines, until the connection is to be another."""
    for n in range(rng.randint(1, 6)):
        last = rng.random() < 0.2
        count = rng.randint(1, 5)
        exchanges = [Exchange(rng, b'%s.%d.%d' % (name, n, i), last and i == count - 1) for i in range(count)]
        sending = asyncio.create_task(put(writer, b''.join(e.bytes for e in exchanges), rng))
        for exchange in exchanges:
            try:
                await asyncio.wait_for(check(reader, exchange), PATIENCE)
            except (AssertionError, ValueError, KeyError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                note(exchange.method, exchange.kind, exchange.token, type(error).__name__, error)
                sending.cancel()
                return
        await sending
        if last:
            if await reader.read(1):
                note(name, 'something behind Connection: close')
            return


async def vanish(reader, writer, rng, name):
    """Leaves in the middle of a request or an answer, with a reset or without."""
    data = Exchange(rng, name + b'.gone').bytes
    writer.write(data[:rng.randint(1, len(data))])
    await asyncio.sleep(rng.random() * 0.003)
    if rng.random() < 0.5:
        linger = struct.pack('ii', 1, 0)
        writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


async def client(number):
    rng = random.Random(f'{SEED} {number}')
    turn = 0
    while done < COUNT and not wrong:
        turn += 1
        reader, writer = await asyncio.open_connection('127.0.0.1', PORT)
        try:
            way = vanish if rng.random() < 0.15 else converse
            await way(reader, writer, rng, b'%d-%d' % (number, turn))
        finally:
            writer.transport.abort() if way is vanish and rng.random() < 0.5 else writer.close()


async def pause(exchange, at, rng):
    """Waits at a place of the request until another one was answered."""
    reader, writer = await asyncio.open_connection('127.0.0.1', PORT)
    writer.write(exchange.bytes[:at])
    other = Exchange(rng, b'meanwhile', close=True)
    other_reader, other_writer = await asyncio.open_connection('127.0.0.1', PORT)
    other_writer.write(other.bytes)
    try:
        await asyncio.wait_for(check(other_reader, other), 5)
        writer.write(exchange.bytes[at:])
        await asyncio.wait_for(check(reader, exchange), PATIENCE)
    except Exception as error:
        note('a pause behind', exchange.bytes[:at], type(error).__name__, error)
    writer.close()
    other_writer.close()


async def pauses():
    rng = random.Random(SEED)
    alone = 'alone' in sys.argv
    found = []
    while len(found) < 3:
        exchange = Exchange(rng, b'pauses%d' % len(found))
        framed = b'Transfer-Encoding' in exchange.bytes
        if exchange.kind == 'upload' and exchange.head_len + 5 < len(exchange.bytes) < 500 and not (alone and framed):
            found.append(exchange)
    for exchange in found:
        places = range(exchange.head_len, len(exchange.bytes))
        for at in rng.sample(places, min(len(places), 40)):
            await pause(exchange, at, rng)


async def main():
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    await pauses()
    print(done, 'exchanges', wrong, 'wrong')


asyncio.run(main())
