// SPDX-License-Identifier: Apache-2.0
// xorshift64*: one generator for everything that pauses, so that it does so independently of all else.
#pragma once
#include <cstdint>

class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 0xD1B54A32D192ED03ull) {
        if (state_ == 0) state_ = 1;
        for (int i = 0; i < 4; ++i) next();
    }
    uint32_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return static_cast<uint32_t>((state_ * 0x2545F4914F6CDD1Dull) >> 32);
    }

  private:
    uint64_t state_;
};
