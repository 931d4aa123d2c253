"""Connections that do not deliver late."""

from __future__ import annotations

import socket

from aiohttp.connector import AddrInfoType, SocketFactoryType


def impatient_sockets(seconds: float) -> SocketFactoryType:
    """Makes sockets whose kernel gives up what nobody has acknowledged for so long.

    It would else go on trying for minutes, also after the call was given up: behind a partition
    that heals, a change would arrive when another pilot has long taken over.
    """

    def make(address: AddrInfoType) -> socket.socket:
        family, kind, protocol, *_ = address
        made = socket.socket(family, kind, protocol)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux (tcp(7))
            milliseconds = int(seconds * 1000)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        return made

    return make
