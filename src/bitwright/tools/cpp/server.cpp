// SPDX-License-Identifier: Apache-2.0
// Keeps module `bench` (wired by tools/bench.py) running for another process, which plays the board around it.
//
// Usage: server SEED IN... - OUT..., the 32-bit words of a word of each input and output stream. Commands come by
// standard input, answers leave by standard output, both as 32-bit words in the order of this machine:
//
//   1 stream count words...   offers words (count x 32 bits) to an input stream, after those that wait
//   2 stream count            lets an output stream deliver so many words more (32-bit words)
//   3 cycles                  runs until all granted words are here, without any until no word waits, or so many cycles; answers as 6 does
//   4 address word            writes a register; answers its response, 4 where there was none
//   5 address                 reads a register; answers its response and the word
//   6                         answers cycles (2 words), for each input the words that wait, for each output the words
//                             that came out since, and these
//   7 bytes base(2) random latency gap seed   puts a memory at the AXI4 master, see memory.h; base is of two words
//   8 address(2) bytes(2)     hands out a part of it, which the model may use from now on
//   9 address(2) bytes(2)     takes it back
//   10 address(2) count words...              writes into it
//
// A stream must hold valid and data until they are accepted; where one does not, the process ends with an error.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

#include "dut.h"
#include "memory.h"

namespace {

constexpr int kResetCycles = 16;
constexpr uint64_t kPatience = 100000;  // cycles that a register access may take

struct Line {
    size_t words = 0, offset = 0;
    std::deque<uint32_t> queue;    // input: words that wait; output: words that came out
    uint64_t granted = 0;          // output: 32-bit words that it may still deliver
    bool holding = false;          // output: a word waits
    std::vector<uint32_t> waiting;
};

class Server {
  public:
    Server(int argc, char** argv) : dut_(make_dut(seeded(context_, std::atoi(argv[1])))), top_(*dut_) {
        std::vector<Line>* side = &in_;
        for (int i = 2; i < argc; ++i) {
            if (argv[i][0] == '-') {
                side = &out_;
                continue;
            }
            Line line;
            line.words = std::strtoul(argv[i], nullptr, 10);
            if (!side->empty()) line.offset = side->back().offset + side->back().words;
            line.waiting.resize(line.words);
            side->push_back(line);
        }
        top_.in_valid_i = top_.out_ready_i = 0;
        top_.axil_awvalid_i = top_.axil_wvalid_i = top_.axil_bready_i = 0;
        top_.axil_arvalid_i = top_.axil_rready_i = 0;
        top_.axil_wstrb_i = 15;
        top_.mem_arready_i = top_.mem_awready_i = top_.mem_wready_i = top_.mem_rvalid_i = top_.mem_bvalid_i = 0;
        top_.rst_i = 1;
        for (int i = 0; i < kResetCycles; ++i) {
            settle();
            edge();
        }
        top_.rst_i = 0;
    }

    void serve() {
        uint32_t command;
        while (get(command)) {
            if (command == 1) {
                Line& line = in_.at(need());
                for (uint32_t n = need(); n > 0; --n) line.queue.push_back(need());
            } else if (command == 2) {
                Line& line = out_.at(need());
                line.granted += need();
            } else if (command == 3) {
                const bool expecting = granted();
                for (uint32_t n = need(); n > 0 && !(expecting ? !granted() : idle()); --n) cycle();
                state();
            } else if (command == 4) {
                const uint32_t address = need();
                put(write(address, need()));
            } else if (command == 5) {
                uint32_t word = 0;
                put(read(need(), word));
                put(word);
            } else if (command == 6) {
                state();
            } else if (command == 7) {
                open();
            } else if (command == 8) {
                const uint64_t offset = need_wide() - base_;
                memory_.hand_out(offset, need_wide());
            } else if (command == 9) {
                const uint64_t offset = need_wide() - base_;
                memory_.take_back(offset, need_wide());
            } else if (command == 10) {
                const uint64_t offset = need_wide() - base_;
                std::vector<uint32_t> words(need());
                for (uint32_t& word : words) word = need();
                memory_.write(offset, words);
            } else {
                throw std::runtime_error("unknown command " + std::to_string(command));
            }
            std::fflush(stdout);
        }
        top_.final();
    }

  private:
    VerilatedContext context_;
    std::unique_ptr<Dut> dut_;
    Dut& top_;
    std::vector<Line> in_, out_;
    Memory memory_;
    uint64_t base_ = 0;
    uint64_t cycles_ = 0;

    static VerilatedContext* seeded(VerilatedContext& context, int seed) {
        context.randReset(2);
        context.randSeed(seed + 1);
        return &context;
    }

    static bool get(uint32_t& word) { return std::fread(&word, sizeof word, 1, stdin) == 1; }
    static uint32_t need() {
        uint32_t word;
        if (!get(word)) throw std::runtime_error("a command ends early");
        return word;
    }
    static uint64_t need_wide() {
        const uint64_t low = need();
        return low | uint64_t(need()) << 32;
    }
    static void put(uint32_t word) { std::fwrite(&word, sizeof word, 1, stdout); }

    void open() {
        Memory::Settings settings;
        settings.bytes = need();
        settings.base = base_ = need_wide();
        settings.random = need();
        settings.latency = need();
        settings.gap = need();
        settings.seed = need();
        memory_.open(settings);
    }

    void settle() {
        top_.clk_i = 0;
        memory_.drive(top_);
        top_.eval();
    }

    void edge() {
        context_.timeInc(1);
        top_.clk_i = 1;
        top_.eval();
        context_.timeInc(1);
        ++cycles_;
        if (context_.gotFinish()) throw std::runtime_error("the design called $finish");
    }

    bool granted() const {
        for (const Line& line : out_)
            if (line.granted > 0) return true;
        return false;
    }

    bool idle() const {
        for (const Line& line : in_)
            if (!line.queue.empty()) return false;
        return true;
    }

    // One clock cycle of all streams; `sample` looks at the register slave before the edge.
    template <typename Sample>
    void cycle(Sample sample) {
        uint32_t valid = 0, ready = 0;
        for (size_t i = 0; i < in_.size(); ++i) {
            if (in_[i].queue.empty()) continue;
            for (size_t k = 0; k < in_[i].words; ++k) top_.in_data_i[in_[i].offset + k] = in_[i].queue[k];
            valid |= 1u << i;
        }
        for (size_t i = 0; i < out_.size(); ++i)
            if (out_[i].granted > 0) ready |= 1u << i;
        top_.in_valid_i = valid;
        top_.out_ready_i = ready;
        settle();
        const uint32_t taken = valid & top_.in_ready_o;
        for (size_t i = 0; i < in_.size(); ++i)
            if (taken >> i & 1) in_[i].queue.erase(in_[i].queue.begin(), in_[i].queue.begin() + in_[i].words);
        for (size_t i = 0; i < out_.size(); ++i) deliver(i, ready >> i & 1);
        sample();
        memory_.sample(top_);
        edge();
    }

    void cycle() {
        cycle([] {});
    }

    void deliver(size_t i, bool ready) {
        Line& line = out_[i];
        const bool valid = top_.out_valid_o >> i & 1;
        if (line.holding && !valid) throw std::runtime_error("output " + std::to_string(i) + ": valid fell before ready");
        for (size_t k = 0; valid && k < line.words; ++k) {
            const uint32_t word = top_.out_data_o[line.offset + k];
            if (line.holding && word != line.waiting[k])
                throw std::runtime_error("output " + std::to_string(i) + ": data changed before ready");
            line.waiting[k] = word;
        }
        line.holding = valid && !ready;
        if (!valid || !ready) return;
        line.queue.insert(line.queue.end(), line.waiting.begin(), line.waiting.end());
        line.granted -= line.words < line.granted ? line.words : line.granted;
    }

    uint32_t write(uint32_t address, uint32_t word) {
        top_.axil_awaddr_i = address;
        top_.axil_wdata_i = word;
        top_.axil_awvalid_i = top_.axil_wvalid_i = 1;
        for (uint64_t i = 0; top_.axil_awvalid_i || top_.axil_wvalid_i; ++i) {
            if (i > kPatience) return top_.axil_awvalid_i = top_.axil_wvalid_i = 0, 4;
            bool address_taken = false, word_taken = false;
            cycle([&] {
                address_taken = top_.axil_awready_o;
                word_taken = top_.axil_wready_o;
            });
            if (address_taken) top_.axil_awvalid_i = 0;
            if (word_taken) top_.axil_wvalid_i = 0;
        }
        uint32_t response = 4;
        top_.axil_bready_i = 1;
        for (uint64_t i = 0; i < kPatience && response == 4; ++i)
            cycle([&] {
                if (top_.axil_bvalid_o) response = top_.axil_bresp_o;
            });
        top_.axil_bready_i = 0;
        return response;
    }

    uint32_t read(uint32_t address, uint32_t& word) {
        top_.axil_araddr_i = address;
        top_.axil_arvalid_i = 1;
        bool taken = false;
        for (uint64_t i = 0; i < kPatience && !taken; ++i) cycle([&] { taken = top_.axil_arready_o; });
        top_.axil_arvalid_i = 0;
        uint32_t response = 4;
        top_.axil_rready_i = 1;
        for (uint64_t i = 0; taken && i < kPatience && response == 4; ++i)
            cycle([&] {
                if (!top_.axil_rvalid_o) return;
                response = top_.axil_rresp_o;
                word = top_.axil_rdata_o;
            });
        top_.axil_rready_i = 0;
        return response;
    }

    void state() {
        put(static_cast<uint32_t>(cycles_));
        put(static_cast<uint32_t>(cycles_ >> 32));
        for (const Line& line : in_) put(static_cast<uint32_t>(line.queue.size()));
        for (const Line& line : out_) put(static_cast<uint32_t>(line.queue.size()));
        for (Line& line : out_) {
            for (const uint32_t word : line.queue) put(word);
            line.queue.clear();
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    try {
        Server(argc, argv).serve();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
    return 0;
}
