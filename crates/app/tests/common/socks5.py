"""A SOCKS5 proxy for tests: `socks5.py ADDRESS PORT [USER PASSWORD]`.

Says `ready` once it listens, then where each connection leads.
"""

import asyncio
import ipaddress
import sys

LOGIN = [part.encode() for part in sys.argv[3:5]]


async def logged_in(reader, writer):
    """RFC 1929."""
    _, length = await reader.readexactly(2)
    user = await reader.readexactly(length)
    (length,) = await reader.readexactly(1)
    password = await reader.readexactly(length)
    good = [user, password] == LOGIN
    writer.write(bytes([1, 0 if good else 1]))
    return good


async def carry(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


async def serve(reader, writer):
    """RFC 1928: connections to IP addresses."""
    try:
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        method = 2 if LOGIN else 0
        if method not in offered:
            writer.write(bytes([5, 255]))
            return writer.close()
        writer.write(bytes([5, method]))
        if LOGIN and not await logged_in(reader, writer):
            return writer.close()
        _, _, _, kind = await reader.readexactly(4)
        address = ipaddress.ip_address(await reader.readexactly({1: 4, 4: 16}[kind]))
        port = int.from_bytes(await reader.readexactly(2), "big")
        print(f"{address}:{port}", flush=True)
        try:
            far_reader, far_writer = await asyncio.open_connection(str(address), port)
        except OSError:
            writer.write(bytes([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
            return writer.close()
        writer.write(bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
    except (OSError, KeyError, asyncio.IncompleteReadError):
        writer.close()


async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]))
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
