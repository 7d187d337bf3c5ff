"""Random programs for the array processor that use every instruction and never leave their memories.

Streams write the lower half of the banks and read the upper one: what a slot writes may be read behind a WAIT only.
"""

import numpy as np

REGION = 256  # words of each half of a bank


class Writer:
    """Lines of a random program."""

    def __init__(self, seed, machine):
        self.rng = np.random.default_rng(seed)
        self.machine = machine
        self.lines = []

    def add(self, line):
        self.lines.append(f"  {line}")

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def below(self, high):
        return int(self.rng.integers(high))

    def data(self):
        for bank in range(self.machine.size):
            for kind in "ab":
                words = " ".join(str(v) for v in self.rng.integers(0, 65536, 2 * REGION))
                self.lines.append(f".{kind} {bank} 0: {words}")
        for address in range(32):
            bias = self.below(1 << 40) - (1 << 39)
            multiplier = self.below(1 << self.pick(4, 16, 31)) - self.below(1 << 10)
            word = (multiplier, self.pick(0, 1, self.below(33)), bias & 0xFFFFFFFF, (bias >> 32) & 0xFFFFFFFF)
            self.lines.append(f".param {address}: " + " ".join(str(v) for v in word))
        for address in range(32, 64):
            limits = np.sort(self.rng.integers(-3000, 3000, 4))
            head = (self.below(40) - 20) & 0xFFFF | (self.pick(1, 2, -1, -2) & 0xFFFF) << 16
            self.lines.append(f".param {address}: {limits[0]} {limits[1]} {limits[2]} {head}")

    def prepare(self):
        """Give every register and every accumulator of both halves a value."""
        for i in range(16):
            self.add(f"LDA a{i}, {self.below(65536)}")
        for i in range(8):
            self.add(f"LDB b{i}, {self.below(65536)}")
        for _ in range(2):
            self.add("WIDTH w4, signed, signed")
            for i in range(16):
                self.add(f"MACL c{i}, a{i}, b{i % 8}")
            self.add("STREAM O0, 0")
            self.add("STREAM O1, 0")
            self.add("POST 0, raw, store=s16")
            self.add("DRAIN 0, 1, 1, 1")

    def configure(self):
        size, strip = self.machine.size, self.pick(1, 2, 3)
        self.add(f"WIDTH {self.pick('w16', 'w8', 'w4')}, {self.sign()}, {self.sign()}")
        full = (1 << size) - 1
        self.add(f"MASK {self.pick(full, self.below(full) + 1)}, {self.pick(full, self.below(full) + 1)}")
        self.add(f"PAD {self.below(65536)}, cut={self.below(2)}")
        self.shape(strip)
        self.add(f"STREAM A, {REGION + 16 + self.below(8)}, x={self.below(4) - 2}, y={self.below(3) - 1}")
        for level in range(self.below(4)):
            steps = f"{self.below(3)}, dx={self.below(3) - 1}, dy={self.below(3) - 1}"
            self.add(f"LEVEL A, {2 * level}, {self.below(2) + 2}, {steps}")
        self.add(f"STREAM B, {self.below(8)}")
        for level in range(self.below(4)):
            self.add(f"LEVEL B, {level}, {self.below(2) + 2}, {self.below(3)}")

    def shape(self, strip):
        width = self.below(self.machine.size * strip) + 1
        self.add(f"SHAPE A, {self.pick(0, strip)}, {width}, {self.below(4) + 1}, {self.below(5)}")

    def sign(self):
        return self.pick("signed", "unsigned")

    def loads(self):
        parts = []
        if self.below(2):
            source = self.pick("bus", "bus", "wide", "wide", "north", "east", "south", "west")
            parts.append(f"afrom={source}, aload=a{self.below(16)}, aread=a{self.below(16)}")
        if self.below(2):
            parts.append(f"bfrom=bus, bload=b{self.below(8)}")
        return parts

    def operation(self):
        a, b, c, d = self.below(16), self.below(8), self.below(16), self.below(16)
        kind = self.below(13)
        if kind < 6:
            name = self.pick("MAC", "MAC", "MACL", "MAXL")
            self.add(", ".join([f"{name} c{c}, a{a}, b{b}", *self.loads()]))
        elif kind == 6:
            self.add("FETCH " + ", ".join(self.loads()))
        elif kind == 7:
            self.add(self.pick(f"LDA a{a}, {self.below(65536)}", f"LDB b{b}, {self.below(65536)}", f"MOVB b{b}, a{a}"))
        elif kind == 8:
            self.add(f"MOV a{d}, a{a}, of={self.pick('self', 'north', 'east', 'south', 'west')}")
        elif kind == 12:
            self.shape(self.below(3) + 1)
        elif kind == 9:
            self.add(f"GET a{d}, c{c}, shift={self.below(32)}, lanes={self.below(2)}")
        else:
            self.alu(a, b, d)

    def alu(self, a, b, d):
        name = self.pick("ADD", "SUB", "MAX", "MIN", "SHR", "SHL", "SAT", "PACK", "UNPL", "UNPH")
        if name in ("ADD", "SUB"):
            self.add(f"{name} a{d}, a{a}, b{b}, sat={self.below(2)}")
        elif name in ("SHR", "SHL"):
            self.add(f"{name} a{d}, a{a}, {self.below(16)}")
        elif name == "SAT":
            self.add(f"SAT a{d}, a{a}, {self.below(16) + 1}")
        else:
            self.add(f"{name} a{d}, a{a}" + ("" if name.startswith("UNP") else f", b{b}"))

    def loop(self, depth=0):
        self.add(f"LOOP {self.below(2) + 1}")
        for _ in range(self.below(4) + 1):
            self.operation()
        if depth < 2 and self.below(2):
            self.loop(depth + 1)
        self.operation()
        self.add("ENDL")

    def drain(self):
        size, slot = self.machine.size, self.below(2)
        mode, words = self.pick(("raw", 1), ("requantize", 1), ("threshold", self.below(4) + 1))
        store = self.pick("s16", "s8", "s4", "s32")
        words = max(words, 2) if store == "s32" else words
        rounding = self.pick("floor", "half_up", "half_even", "half_away", "stochastic")
        rounding = f", rounding={rounding}" if mode == "requantize" else ""
        self.add(f"POST {slot}, {mode}{rounding}, store={store}, words={words}")
        bits = self.pick(4, 8, 16, 32)
        self.add(f"LIMIT {slot}, low, {-(1 << (bits - 1))}")
        self.add(f"LIMIT {slot}, high, {(1 << (bits - 1)) - 1}")
        self.add(f"LIMIT {slot}, zero, {self.below(7) - 3}")
        strip = self.below(3)
        self.add(f"SHAPE O{slot}, {strip}, {self.below(size * max(strip, 1)) + 1}, {self.below(3) + 1}, 0")
        self.add(f"STREAM O{slot}, {self.below(8)}")
        count = self.below(8) + 1
        self.add(f"LEVEL O{slot}, 0, {count}, 1")
        step = self.below(8)
        self.add(f"LEVEL O{slot}, 1, 3, {step}, dx={self.below(2)}, dy={self.below(2)}")
        self.add(f"LEVEL O{slot}, 2, 16384, {-3 * (count - 1) - 2 * step}, dx=-1")
        self.add(f"STREAM P{slot}, {0 if mode == 'requantize' else 32}")
        count = self.below(24) + 2
        self.add(f"LEVEL P{slot}, 0, {count}, 1")
        self.add(f"LEVEL P{slot}, 1, 16384, {1 - count}")
        self.add(f"STREAM R{slot}, 0")
        self.add(f"LEVEL R{slot}, 0, 64, 1")
        pixels = self.below(4) + 1
        counts = f"{pixels}, {self.below(16 // pixels) + 1}, {self.below(size) + 1}, lanes={self.below(2)}"
        self.add(f"DRAIN {slot}, {counts}")
        if self.below(3) == 0:
            self.add(f"DRAIN {slot}, {counts}, keep=1")

    def finish(self):
        """Send both regions of all banks as 16-bit words, bank by bank."""
        size = self.machine.size
        self.add("WAIT")
        self.add("WIDTH w16, unsigned, unsigned")
        self.add(f"SHAPE A, 1, {size}, 1, 0")
        self.add("STREAM A, 0")
        self.add(f"LEVEL A, 0, {2 * REGION}, 1")
        self.add(f"LEVEL A, 1, {size}, {1 - 2 * REGION}, dx=1")
        self.add(f"OUT {size * 2 * REGION}, 1, 16, 2")
        self.add("HALT")


def random_program(seed, machine, rounds=6):
    """(text, stream words that it sends) of a random program for a machine."""
    writer = Writer(seed, machine)
    writer.data()
    writer.prepare()
    for _ in range(rounds):
        writer.configure()
        for _ in range(writer.below(12) + 4):
            writer.operation()
        writer.loop()
        writer.drain()
        for _ in range(4):
            writer.operation()
        if writer.below(2):
            writer.add(f"ST {writer.below(2)}, a{writer.below(16)}, {writer.below(machine.size)}")
    writer.finish()
    return "\n".join(writer.lines) + "\n", machine.size * REGION
