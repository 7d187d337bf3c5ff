// SPDX-License-Identifier: Apache-2.0
// External memory at the AXI4 master of a model, and what the rules of the bus say of that.
//
// Ideal (latency D, gap G): every address is taken in the cycle that offers it. Reads: bursts are served one after the
// other in the order in which they were taken; the first beat stands D cycles after its address was taken, or G cycles
// after the last beat before it, whichever is later, and the others G cycles apart. Writes: a beat is taken G cycles after
// the one before at the earliest; the response stands D cycles after the burst's last beat or its address, whichever is
// later, and at least a cycle after the one before. Reads and writes do not share anything.
//
// Random: every channel pauses at random; a burst takes 1 to 400 cycles, now and then 2,000; the two IDs overtake each
// other, burst by burst; responses come late.
//
// A byte may be read once it has been written, and its write answered. What the host has not handed out is out of bounds.
// Whatever breaks a rule is thrown as `Broken`.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "dut.h"
#include "random.h"

class Memory {
  public:
    struct Broken : std::runtime_error {
        using std::runtime_error::runtime_error;
    };
    struct Settings {
        uint64_t bytes = 0;  // of a beat; 0: there is no memory
        uint64_t base = 0, size = 0, beats = 16, outstanding = 8;
        bool random = false;
        uint64_t latency = 1, gap = 1, seed = 0;
        int64_t error_read = -1, error_write = -1;  // the burst whose response is an error
        std::vector<uint32_t> image;
    };
    uint64_t read_bytes = 0, written_bytes = 0;

    void open(const Settings& settings) {
        s_ = settings;
        random_ = Random(settings.seed * 64 + 63);
        hand_out(0, s_.size);
        if (4 * s_.image.size() > s_.size) throw std::runtime_error("the image is larger than the memory");
        write(0, s_.image);
    }
    bool exists() const { return s_.bytes != 0; }

    // What a host does: bytes from an offset on that the model may use from now on, or no more; words from one on.
    void hand_out(uint64_t offset, uint64_t bytes) {
        while (data_.size() < offset + bytes) data_.push_back(static_cast<uint8_t>(random_.next()));
        state_.resize(data_.size(), kForbidden);
        std::fill_n(state_.begin() + static_cast<std::ptrdiff_t>(offset), bytes, kUnwritten);
    }
    void take_back(uint64_t offset, uint64_t bytes) {
        if (!all(offset, bytes)) throw Broken("m_axi: the host takes back what it has not handed out");
        std::fill_n(state_.begin() + static_cast<std::ptrdiff_t>(offset), bytes, kForbidden);
    }
    void write(uint64_t offset, const std::vector<uint32_t>& words) {
        if (!all(offset, 4 * words.size())) throw Broken("m_axi: a write of the host lies beyond the memory");
        for (size_t i = 0; i < 4 * words.size(); ++i) {
            data_[offset + i] = static_cast<uint8_t>(words[i / 4] >> 8 * (i % 4));
            state_[offset + i] = kWritten;
        }
    }

    // The inputs of the model for this cycle; before it settles.
    void drive(Dut& t) {
        if (!exists()) return;
        if (s_.random) {
            t.mem_arready_i = chance(60);
            t.mem_awready_i = chance(60);
            t.mem_wready_i = chance(70);
        } else {
            t.mem_arready_i = t.mem_awready_i = 1;
            t.mem_wready_i = now_ >= next_w_;
        }
        t.mem_rvalid_i = choose();
        if (t.mem_rvalid_i) {
            Read& r = reads_[current_];
            t.mem_rid_i = r.id;
            t.mem_rlast_i = r.done + 1 == r.beats;
            t.mem_rresp_i = r.error ? 2 : 0;
            for (uint64_t k = 0; k < 4; ++k) t.mem_rdata_i[k] = 4 * k < s_.bytes ? load(r.address + r.done * s_.bytes + 4 * k) : 0;
        } else {
            for (uint64_t k = 0; k < 4; ++k) t.mem_rdata_i[k] = random_.next();
        }
        t.mem_bvalid_i = !answers_.empty() && answers_.front().due <= now_;
        if (t.mem_bvalid_i) t.mem_bresp_i = answers_.front().error ? 2 : 0;
        t.mem_bid_i = 0;
    }

    // What happened in this cycle; after it settled, before its edge.
    void sample(Dut& t) {
        if (!exists()) return;
        held("AR", t.mem_arvalid_o, t.mem_arready_i, {t.mem_araddr_o, t.mem_arlen_o, t.mem_arid_o}, ar_);
        held("AW", t.mem_awvalid_o, t.mem_awready_i, {t.mem_awaddr_o, t.mem_awlen_o, t.mem_awid_o}, aw_);
        const uint64_t low = t.mem_wdata_o[0] | uint64_t(t.mem_wdata_o[1]) << 32;
        const uint64_t high = t.mem_wdata_o[2] | uint64_t(t.mem_wdata_o[3]) << 32;
        held("W", t.mem_wvalid_o, t.mem_wready_i, {low, high, uint64_t(t.mem_wlast_o) << 16 | t.mem_wstrb_o}, w_);
        if (t.mem_rvalid_i && t.mem_rready_o) beat_read();
        if (t.mem_bvalid_i && t.mem_bready_o) answered();
        if (t.mem_arvalid_o && t.mem_arready_i) address_read(t);
        if (t.mem_awvalid_o && t.mem_awready_i) address_written(t);
        if (t.mem_wvalid_o && t.mem_wready_i) beat_written(t);
        ++now_;
    }

    // Whether nothing is under way.
    bool quiet() const { return reads_.empty() && writes_.empty() && answers_.empty() && beats_.empty(); }

  private:
    enum : uint8_t { kForbidden, kUnwritten, kPending, kWritten };
    struct Read {
        uint64_t address, beats, due, id, done = 0;
        bool error = false;
    };
    struct Write {
        uint64_t address, beats, taken;
        bool error = false;
    };
    struct Beat {
        uint32_t data[4];
        uint64_t strobes;
        bool last;
        uint64_t taken;
    };
    struct Answer {
        uint64_t address, bytes, due;
        bool error;
    };
    struct Channel {
        bool waits = false;
        uint64_t payload[3] = {0, 0, 0};
    };
    Settings s_;
    Random random_{0};
    std::vector<uint8_t> data_, state_;
    uint64_t now_ = 0, next_r_ = 0, next_w_ = 0, next_b_ = 0, reads_seen_ = 0, writes_seen_ = 0;
    size_t current_ = 0;
    bool serving_ = false;
    std::deque<Read> reads_;
    std::deque<Write> writes_;  // whose beats are not all here
    std::deque<Beat> beats_;    // whose burst is not known
    std::deque<Answer> answers_;
    uint64_t arrived_ = 0;      // beats of the first of writes_
    Channel ar_, aw_, w_;

    // Whether all these bytes are handed out.
    bool all(uint64_t offset, uint64_t bytes) const {
        if (offset > state_.size() || bytes > state_.size() - offset) return false;
        const auto first = state_.begin() + static_cast<std::ptrdiff_t>(offset);
        return std::find(first, first + static_cast<std::ptrdiff_t>(bytes), kForbidden) == first + static_cast<std::ptrdiff_t>(bytes);
    }

    bool chance(unsigned percent) { return random_.next() % 100 < percent; }
    uint64_t delay() { return chance(1) ? 2000 : 1 + random_.next() % 400; }

    uint32_t load(uint64_t address) {
        uint32_t word = 0;
        for (unsigned i = 0; i < 4; ++i) word |= uint32_t(data_[address - s_.base + i]) << 8 * i;
        return word;
    }

    // The burst whose beat stands in this cycle, in current_.
    bool choose() {
        if (!s_.random) {
            current_ = 0;
            return !reads_.empty() && now_ >= reads_[0].due && now_ >= next_r_;
        }
        if (!serving_) {
            std::vector<size_t> able;
            bool seen[2] = {false, false};
            for (size_t i = 0; i < reads_.size(); ++i) {
                if (!seen[reads_[i].id & 1] && reads_[i].due <= now_) able.push_back(i);
                seen[reads_[i].id & 1] = true;
            }
            if (able.empty()) return false;
            current_ = able[random_.next() % able.size()];
            serving_ = true;
        }
        return chance(80);
    }

    static void refuse(const std::string& what, uint64_t address) {
        char text[40];
        std::snprintf(text, sizeof text, " at 0x%llx", static_cast<unsigned long long>(address));
        throw Broken("m_axi: " + what + text);
    }

    void held(const char* name, bool valid, bool ready, std::initializer_list<uint64_t> payload, Channel& c) {
        if (c.waits && !valid) throw Broken(std::string("m_axi: ") + name + "VALID fell before its READY");
        if (c.waits && !std::equal(payload.begin(), payload.end(), c.payload))
            throw Broken(std::string("m_axi: ") + name + " changed while it waited");
        c.waits = valid && !ready;
        std::copy(payload.begin(), payload.end(), c.payload);
    }

    void check(const char* kind, uint64_t address, uint64_t beats, unsigned size, unsigned burst, size_t waiting) {
        const std::string name = kind;
        if (burst != 1 || (1ull << size) != s_.bytes) refuse(name + " is no INCR burst of whole beats", address);
        if (beats > s_.beats) refuse(name + " has too many beats", address);
        if (address % s_.bytes) refuse(name + " is not aligned to a beat", address);
        const uint64_t after = address + beats * s_.bytes;
        if (address / (s_.beats * s_.bytes) != (after - 1) / (s_.beats * s_.bytes)) refuse(name + " is not aligned to a burst", address);
        if (address / 4096 != (after - 1) / 4096) refuse(name + " crosses 4 KB", address);
        if (address < s_.base || !all(address - s_.base, after - address)) refuse(name + " lies beyond the memory", address);
        if (waiting >= s_.outstanding) refuse(name + " is one more than may be under way", address);
    }

    void address_read(Dut& t) {
        Read r{t.mem_araddr_o, t.mem_arlen_o + 1ull, now_ + (s_.random ? delay() : s_.latency), t.mem_arid_o};
        const auto same = std::count_if(reads_.begin(), reads_.end(), [&](const Read& o) { return o.id == r.id; });
        check("a read", r.address, r.beats, t.mem_arsize_o, t.mem_arburst_o, same);
        for (uint64_t i = 0; i < r.beats * s_.bytes; ++i)
            if (state_[r.address - s_.base + i] != kWritten)
                refuse(state_[r.address - s_.base + i] == kPending ? "a read of what is still being written" : "a read of what was never written",
                       r.address + i);
        r.error = int64_t(reads_seen_++) == s_.error_read;
        reads_.push_back(r);
    }

    void beat_read() {
        next_r_ = now_ + s_.gap;
        read_bytes += s_.bytes;
        Read& r = reads_[current_];
        if (++r.done < r.beats) return;
        reads_.erase(reads_.begin() + static_cast<std::ptrdiff_t>(current_));
        serving_ = false;
    }

    void address_written(Dut& t) {
        Write w{t.mem_awaddr_o, t.mem_awlen_o + 1ull, now_};
        check("a write", w.address, w.beats, t.mem_awsize_o, t.mem_awburst_o, writes_.size() + answers_.size());
        for (uint64_t i = 0; i < w.beats * s_.bytes; ++i) state_[w.address - s_.base + i] = kPending;
        w.error = int64_t(writes_seen_++) == s_.error_write;
        writes_.push_back(w);
        settle();
    }

    void beat_written(Dut& t) {
        Beat b;
        for (int k = 0; k < 4; ++k) b.data[k] = t.mem_wdata_o[k];
        b.strobes = t.mem_wstrb_o;
        b.last = t.mem_wlast_o;
        b.taken = now_;
        next_w_ = now_ + s_.gap;
        beats_.push_back(b);
        settle();
    }

    // Beats to the bursts that they belong to.
    void settle() {
        while (!beats_.empty() && !writes_.empty()) {
            const Beat& b = beats_.front();
            Write& w = writes_.front();
            const uint64_t at = w.address + arrived_ * s_.bytes;
            for (uint64_t i = 0; i < s_.bytes; ++i)
                if (b.strobes >> i & 1) data_[at - s_.base + i] = static_cast<uint8_t>(b.data[i / 4] >> 8 * (i % 4));
            ++arrived_;
            if (b.last != (arrived_ == w.beats)) refuse("WLAST is wrong in the burst", w.address);
            written_bytes += s_.bytes;
            if (b.last) {
                const uint64_t ready = std::max(b.taken, w.taken) + (s_.random ? delay() : s_.latency);
                next_b_ = std::max(ready, next_b_);
                answers_.push_back({w.address, w.beats * s_.bytes, next_b_++, w.error});
                writes_.pop_front();
                arrived_ = 0;
            }
            beats_.pop_front();
        }
    }

    void answered() {
        const Answer a = answers_.front();
        for (uint64_t i = 0; i < a.bytes; ++i) state_[a.address - s_.base + i] = kWritten;
        answers_.pop_front();
    }
};
