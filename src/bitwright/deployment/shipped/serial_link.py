# SPDX-License-Identifier: Apache-2.0
"""A design at a serial line: a reliable stream of bytes each way, and the commands in it."""

from __future__ import annotations

import os
import select
import struct
import termios
import time
from typing import Protocol

import numpy as np

from bitwright.deployment.shipped.packets import DATA, DATA_ANSWER, RESET, RESET_ANSWER, Packet, Packets

LEAST, MOST = 32, 512  # bytes of a packet: a fault costs so many, so they become fewer on a noisy line
ANSWER = 4  # times as many bytes may an answer bring
WORDS, WRITE, READ = 1, 2, 3  # commands of the module `link_bridge`


class Port(Protocol):
    """Where bytes go and come from."""

    def write(self, data: bytes) -> None:
        """Send all of them."""

    def read(self, seconds: float) -> bytes:
        """What has come, at least a byte unless none comes for so long."""

    def close(self) -> None:
        """Give the line back."""


class SerialPort:
    """A serial device of the system, raw, at so many baud."""

    def __init__(self, path: str, baud: int) -> None:
        rates = {
            int(name[1:]): getattr(termios, name) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()
        }
        if baud not in rates:
            raise ValueError(f"this system has no rate of {baud} baud; legal are {', '.join(map(str, sorted(rates)))}")
        self.handle = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        settings = termios.tcgetattr(self.handle)
        settings[0] = settings[1] = settings[3] = 0
        settings[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        settings[4] = settings[5] = rates[baud]
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 0, 0
        termios.tcsetattr(self.handle, termios.TCSANOW, settings)
        termios.tcflush(self.handle, termios.TCIOFLUSH)

    def write(self, data: bytes) -> None:
        """Send all of them."""
        left = memoryview(data)
        while left:
            if not select.select([], [self.handle], [], 5.0)[1]:
                raise TimeoutError("the serial line takes no bytes")
            left = left[os.write(self.handle, left) :]

    def read(self, seconds: float) -> bytes:
        """What has come, at least a byte unless none comes for so long."""
        return os.read(self.handle, 65536) if select.select([self.handle], [], [], seconds)[0] else b""

    def close(self) -> None:
        """Give the line back."""
        os.close(self.handle)


class SerialLink:
    """The link over a port of so many baud. identity: what the design answers to a reset.

    word_bytes: of the design's input stream. retry_s: how long to wait for an answer, beside the time that the line
    takes, before the request is sent again. timeout_s: without progress.
    """

    def __init__(
        self,
        port: Port,
        baud: int,
        identity: bytes,
        word_bytes: int,
        timeout_s: float = 10.0,
        retry_s: float = 0.05,
    ) -> None:
        self.byte_s = 10 / baud
        self.port, self.identity, self.word_bytes = port, identity, word_bytes
        self.timeout_s, self.retry_s = timeout_s, retry_s
        self.packets = Packets()
        self.number = self.accepted = self.received = 0
        self.room, self.size = 0, MOST

    def reset(self, weights: np.ndarray | None) -> None:
        """Reset link and design, and check that it is the right one."""
        if weights is not None:
            raise ValueError("the design has no weight stream")
        deadline = time.perf_counter() + self.timeout_s
        while True:
            number = self._next()
            line = Packet(RESET, number).encoded
            self.port.write(line)
            for packet in self._answers(number, len(line)):
                if packet.kind == RESET_ANSWER and packet.number == number:
                    if packet.payload != self.identity:
                        raise RuntimeError("the board runs another design: load this one's bitstream")
                    self.accepted = self.received = 0
                    self.room = MOST
                    return
            if time.perf_counter() > deadline:
                raise TimeoutError(f"the board has not answered within {self.timeout_s:g} s: is its bitstream loaded?")

    def hold(self, words: np.ndarray, size: int) -> int:
        """There is no memory behind a serial line."""
        raise ValueError("the design has no external memory")

    def write(self, pairs: np.ndarray) -> None:
        """Write registers one after the other."""
        commands = np.zeros((len(pairs), 9), np.uint8)
        commands[:, 0] = WRITE
        commands[:, 1:] = np.ascontiguousarray(pairs, "<u4").view(np.uint8).reshape(len(pairs), 8)
        answers = self.exchange(commands.tobytes(), len(pairs))
        if any(answers):
            first = next(i for i, answer in enumerate(answers) if answer)
            raise RuntimeError(f"register 0x{int(pairs[first][0]):x} answers {answers[first]}")

    def read(self, address: int) -> int:
        """The word of a register."""
        word, response = struct.unpack("<IB", self.exchange(struct.pack("<BI", READ, address), 5))
        if response:
            raise RuntimeError(f"register 0x{address:x} answers {response}")
        return int(word)

    def transfer(self, frames: np.ndarray, out_bytes: int) -> np.ndarray:
        """All frames in one stream; results come back meanwhile."""
        head = struct.pack("<BI", WORDS, frames.size // self.word_bytes)
        found = self.exchange(head + frames.tobytes() if frames.size else b"", len(frames) * out_bytes)
        return np.frombuffer(found, np.uint8).reshape(len(frames), out_bytes)

    def close(self) -> None:
        """Give the line back."""
        self.port.close()

    def exchange(self, data: bytes, expected: int) -> bytes:
        """Send all of the data, and return as many bytes as are expected."""
        sent, found = 0, bytearray()
        deadline = time.perf_counter() + self.timeout_s
        while sent < len(data) or len(found) < expected:
            before = sent, len(found)
            sent += self._round(data[sent : sent + max(self.room, 1)], found)
            if len(found) > expected:
                raise RuntimeError(f"the design has sent {len(found) - expected} bytes too many")
            progress = (sent, len(found)) != before
            self.size = min(MOST, 2 * self.size) if progress else max(LEAST, self.size // 2)
            if progress:
                deadline = time.perf_counter() + self.timeout_s
            elif time.perf_counter() > deadline:
                raise TimeoutError(
                    f"no progress within {self.timeout_s:g} s: {len(data) - sent} bytes to send, "
                    f"{expected - len(found)} of {expected} to come"
                )
        return bytes(found)

    def _round(self, data: bytes, found: bytearray) -> int:
        """Send packets with the data, take what their answers bring; how many bytes were accepted."""
        size = self.size
        pieces = [data[i : i + size] for i in range(0, len(data), size)] if self.room else [b""]
        line, first = bytearray(), self.accepted
        for index, piece in enumerate(pieces or [b""]):
            number = self._next()
            position = (first + index * size) & 0xFFFF
            line += Packet(DATA, number, position, self.received & 0xFFFF, ANSWER * size, piece).encoded
        self.port.write(bytes(line))
        for packet in self._answers(number, len(line)):
            if packet.kind != DATA_ANSWER:
                continue
            new = (packet.ack - self.accepted) & 0xFFFF
            if new <= first + len(data) - self.accepted:
                self.accepted += new
            skip = (self.received - packet.position) & 0xFFFF
            if skip <= len(packet.payload):
                found += packet.payload[skip:]
                self.received += len(packet.payload) - skip
            if packet.number == number:
                self.room = packet.room
                break
        return self.accepted - first

    def _answers(self, number: int, sent: int) -> list[Packet]:
        """Packets up to the answer to this request, or those that come before the next try."""
        found: list[Packet] = []
        wait = self.retry_s + sent * self.byte_s  # as long as the last bytes need to get there
        while not any(packet.number == number for packet in found):
            data = self.port.read(wait)
            if not data:
                break
            found += self.packets.feed(data)
        return found

    def _next(self) -> int:
        self.number = (self.number + 1) & 0xFF
        return self.number
