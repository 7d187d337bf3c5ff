# SPDX-License-Identifier: Apache-2.0
"""Packets on a serial line, as the module `link_receive` finds and `link_send` sends them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

DATA, RESET, DATA_ANSWER, RESET_ANSWER = 0x51, 0x52, 0x61, 0x62
HEADER = struct.Struct("<BBHHHH")


@dataclass(frozen=True)
class Packet:
    """kind, number of the request, first byte of the payload, bytes that arrived, bytes that fit; payload."""

    kind: int
    number: int
    position: int = 0
    ack: int = 0
    room: int = 0
    payload: bytes = b""

    @property
    def encoded(self) -> bytes:
        """The bytes on the line, the marks around them included."""
        header = HEADER.pack(self.kind, self.number, len(self.payload), self.position, self.ack, self.room)
        body = header + self.payload
        body += struct.pack("<I", zlib.crc32(body))
        return b"\xc0" + body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


class Packets:
    """Finds the packets in what comes; all else is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that these bytes complete."""
        *bodies, self._rest = (self._rest + data).split(b"\xc0")
        self._rest = self._rest[-(1 << 17) :]
        for body in bodies:
            plain = body.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
            if len(plain) < HEADER.size + 4 or zlib.crc32(plain[:-4]) != struct.unpack("<I", plain[-4:])[0]:
                continue
            kind, number, length, position, ack, room = HEADER.unpack_from(plain)
            if length == len(plain) - HEADER.size - 4:
                yield Packet(kind, number, position, ack, room, plain[HEADER.size : -4])
