// SPDX-License-Identifier: Apache-2.0
// Drives module `bench` (wired by tools/bench.py) through its streams and its AXI4-Lite slave.
//
// Usage: harness JOB RESULT. JOB is a text of "key value..." lines, RESULT a text of the same kind;
// words and cycle numbers travel in binary files that JOB names. Before each clock edge inputs are
// set and the model settles, then handshakes are sampled and the protocol is checked:
// a stream must hold valid and data until they are accepted, and valid must not depend on ready.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "dut.h"
#include "job.h"

namespace {

constexpr int kResetCycles = 16;
constexpr uint64_t kTraceTail = 4;
constexpr int kTraceLevels = 99;

struct Failure : std::runtime_error {
    Failure(std::string kind_, const std::string& text) : std::runtime_error(text), kind(std::move(kind_)) {}
    std::string kind;
};

template <typename T>
void write_all(const std::string& path, const std::vector<T>& values) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(sizeof(T) * values.size()));
    if (!file) throw std::runtime_error("cannot write " + path);
}

class Bench {
  public:
    // Registers and memories without an initial value start at random, from the seed.
    explicit Bench(Job& job) : job_(job), dut_(make_dut(randomized(context_, job.seed))), top_(*dut_) {
        memory_.open(job.memory);
#if VM_TRACE
        if (!job.trace_file.empty()) {
            context_.traceEverOn(true);
            top_.trace(&trace_);
            for (const auto& scope : job.scopes) trace_.dumpvars(kTraceLevels, scope);
            trace_.open(job.trace_file.c_str());
        }
#endif
    }

    // Inputs start at random too, so each is set once.
    void reset() {
        top_.in_valid_i = 0;
        top_.out_ready_i = 0;
        top_.axil_awvalid_i = top_.axil_wvalid_i = top_.axil_bready_i = 0;
        top_.axil_arvalid_i = top_.axil_rready_i = 0;
        top_.rst_i = 1;
        for (int i = 0; i < kResetCycles; ++i) idle();
        top_.rst_i = 0;
    }

    void write_program() {
        for (size_t i = 0; i < job_.program.size(); i += 2) write(job_.program[i], job_.program[i + 1]);
    }

    // All frames; returns the number of cycles from the first one after reset to the last transfer.
    uint64_t stream() {
        uint64_t cycle = 0, last = 0;
        streaming_ = true;
        begin_ = ticks_;
        while (!finished()) {
            if (transfer(cycle)) last = cycle;
            if (cycle - last > job_.idle_cycles) throw Failure("deadlock", counts());
            ++cycle;
        }
        for (uint64_t i = 0; i < job_.settle_cycles; ++i, ++cycle) transfer(cycle);
        return last + 1;
    }

    std::string traffic() const {
        return std::to_string(memory_.read_bytes) + " " + std::to_string(memory_.written_bytes);
    }

    uint32_t read(uint32_t address) {
        top_.axil_araddr_i = address;
        handshake(top_.axil_arvalid_i, top_.axil_arready_o, "read address");
        uint32_t word = 0;
        wait(top_.axil_rready_i, top_.axil_rvalid_o, "read data", [&] {
            word = top_.axil_rdata_o;
            check_response(top_.axil_rresp_o, address);
        });
        return word;
    }

    void close() {
#if VM_TRACE
        if (trace_.isOpen()) trace_.close();
#endif
        top_.final();
    }

  private:
    Job& job_;
    VerilatedContext context_;
    std::unique_ptr<Dut> dut_;
    Dut& top_;
    Memory memory_;
    uint64_t ticks_ = 0, begin_ = 0;  // edges; those before the first cycle of the streams
    bool streaming_ = false;
#if VM_TRACE
    TraceFile trace_;
#endif

    static VerilatedContext* randomized(VerilatedContext& context, uint64_t seed) {
        context.randReset(2);
        context.randSeed(static_cast<int>(seed % 0x7fffffff) + 1);
        return &context;
    }

    void settle() {
        top_.clk_i = 0;
        memory_.drive(top_);
        top_.eval();
    }

    void edge() {
        if (!top_.rst_i) sample_memory();
        dump();
        context_.timeInc(1);
        top_.clk_i = 1;
        top_.eval();
        dump();
        context_.timeInc(1);
        ++ticks_;
        if (context_.gotFinish()) throw Failure("finish", "the design called $finish");
    }

    void sample_memory() {
        try {
            memory_.sample(top_);
        } catch (const Memory::Broken& broken) {
            throw Failure("protocol", std::string(broken.what()) + ", in cycle " + std::to_string(ticks_));
        }
    }

    // Once the words are out, a few cycles more show the last transfer.
    bool traced() {
        if (job_.trace_late) {
            if (!streaming_ || ticks_ - begin_ < job_.trace_start) return false;
            job_.trace_late = false;
            job_.trace_cycles += ticks_;
        }
        if (job_.trace_words && job_.outputs[0].done >= job_.trace_words) {
            job_.trace_words = 0;
            job_.trace_cycles = std::max(job_.trace_cycles, ticks_ + kTraceTail);
        }
        return job_.trace_words || ticks_ < job_.trace_cycles;
    }

    void dump() {
#if VM_TRACE
        if (trace_.isOpen() && traced()) trace_.dump(context_.time());
#endif
    }

    void idle() {
        settle();
        edge();
    }

    bool finished() const {
        for (const auto& s : job_.inputs)
            if (s.done < s.count) return false;
        for (const auto& s : job_.outputs)
            if (s.done < s.count) return false;
        return true;
    }

    std::string counts() const {
        std::string text;
        for (const auto& s : job_.inputs) text += line("accepted", s);
        for (const auto& s : job_.outputs) text += line("delivered", s);
        return text;
    }

    static std::string line(const char* verb, const Stream& s) {
        return s.name + " " + verb + " " + std::to_string(s.done) + " of " + std::to_string(s.count) + " words; ";
    }

    bool stall(Stream& s, uint64_t probability) { return job_.stalls && s.random.next() < probability; }

    uint32_t drive_inputs() {
        uint32_t valid = 0;
        for (size_t i = 0; i < job_.inputs.size(); ++i) {
            Stream& s = job_.inputs[i];
            if (!s.holding && s.done < s.count && !stall(s, job_.stall_in)) {
                s.holding = true;
                const uint32_t* word = &s.data[s.done * s.words];
                for (size_t k = 0; k < s.words; ++k) top_.in_data_i[s.offset + k] = word[k];
            } else if (!s.holding && job_.stalls) {
                // Whatever stands on the data wires without valid must not matter.
                for (size_t k = 0; k < s.words; ++k) top_.in_data_i[s.offset + k] = s.random.next();
            }
            if (s.holding) valid |= 1u << i;
        }
        top_.in_valid_i = valid;
        return valid;
    }

    void settle_with_ready() {
        uint32_t ready = 0;
        for (size_t i = 0; i < job_.outputs.size(); ++i)
            if (!stall(job_.outputs[i], job_.stall_out)) ready |= 1u << i;
        if (!job_.stalls) {
            top_.out_ready_i = ready;
            settle();
            return;
        }
        top_.out_ready_i = 0;
        settle();
        const uint32_t before = top_.out_valid_o;
        top_.out_ready_i = ready;
        top_.eval();
        const uint32_t changed = before ^ top_.out_valid_o;
        for (size_t i = 0; i < job_.outputs.size(); ++i)  // taps may depend on it
            if (changed >> i & 1) throw Failure("protocol", job_.outputs[i].name + ": valid depends on ready");
    }

    // One clock cycle; whether any word moved.
    bool transfer(uint64_t cycle) {
        const uint32_t offered = drive_inputs();
        settle_with_ready();
        const uint32_t taken = offered & top_.in_ready_o;
        bool moved = taken != 0;
        for (size_t i = 0; i < job_.inputs.size(); ++i) {
            if (!(taken >> i & 1)) continue;
            Stream& s = job_.inputs[i];
            s.cycles.push_back(cycle);
            ++s.done;
            s.holding = false;
        }
        for (size_t i = 0; i < job_.outputs.size(); ++i) moved |= sample(i, cycle);
        for (size_t i = 0; i < job_.taps.size(); ++i) record(i, cycle);
        edge();
        return moved;
    }

    void record(size_t i, uint64_t cycle) {
        if (!(top_.out_valid_o >> (job_.outputs.size() + i) & 1)) return;
        Stream& s = job_.taps[i];
        for (size_t k = 0; k < s.words; ++k) s.data.push_back(top_.out_data_o[s.offset + k]);
        s.cycles.push_back(cycle);
    }

    bool sample(size_t i, uint64_t cycle) {
        Stream& s = job_.outputs[i];
        const bool valid = top_.out_valid_o >> i & 1;
        if (s.holding && !valid) refuse(s, "valid fell before ready", cycle);
        if (!valid) return false;
        for (size_t k = 0; k < s.words; ++k) {
            const uint32_t part = top_.out_data_o[s.offset + k];
            if (s.holding && part != s.waiting[k]) refuse(s, "data changed while valid waited for ready", cycle);
            s.waiting[k] = part;
        }
        s.holding = !(top_.out_ready_i >> i & 1);
        if (s.holding) return false;
        if (s.done == s.count) refuse(s, "more words than the " + std::to_string(s.count) + " expected", cycle);
        s.data.insert(s.data.end(), s.waiting.begin(), s.waiting.end());
        s.cycles.push_back(cycle);
        ++s.done;
        return true;
    }

    [[noreturn]] static void refuse(const Stream& s, const std::string& what, uint64_t cycle) {
        throw Failure("protocol", s.name + ": " + what + ", in cycle " + std::to_string(cycle) + " at word " +
                                      std::to_string(s.done));
    }

    template <typename Valid, typename Ready>
    void handshake(Valid& valid, Ready& ready, const char* what) {
        valid = 1;
        for (uint64_t i = 0; i <= job_.idle_cycles; ++i) {
            settle();
            const bool accepted = ready;
            edge();
            if (accepted) {
                valid = 0;
                return;
            }
        }
        throw Failure("deadlock", std::string("s_axil does not accept the ") + what);
    }

    template <typename Ready, typename Valid, typename Take>
    void wait(Ready& ready, Valid& valid, const char* what, Take take) {
        ready = 1;
        for (uint64_t i = 0; i <= job_.idle_cycles; ++i) {
            settle();
            const bool arrived = valid;
            if (arrived) take();
            edge();
            if (arrived) {
                ready = 0;
                return;
            }
        }
        throw Failure("deadlock", std::string("s_axil does not deliver the ") + what);
    }

    // Address and data are offered together, as slaves may wait for both; each is held until accepted.
    void write(uint32_t address, uint32_t word) {
        top_.axil_awaddr_i = address;
        top_.axil_wdata_i = word;
        top_.axil_wstrb_i = 15;
        top_.axil_awvalid_i = 1;
        top_.axil_wvalid_i = 1;
        for (uint64_t i = 0; top_.axil_awvalid_i || top_.axil_wvalid_i; ++i) {
            if (i > job_.idle_cycles) throw Failure("deadlock", "s_axil does not accept a write");
            settle();
            const bool address_taken = top_.axil_awready_o, word_taken = top_.axil_wready_o;
            edge();
            if (address_taken) top_.axil_awvalid_i = 0;
            if (word_taken) top_.axil_wvalid_i = 0;
        }
        wait(top_.axil_bready_i, top_.axil_bvalid_o, "write response", [&] { check_response(top_.axil_bresp_o, address); });
    }

    static void check_response(uint32_t response, uint32_t address) {
        if (response == 0) return;
        char text[64];
        std::snprintf(text, sizeof text, "s_axil answers %u at address 0x%08x", response, address);
        throw Failure("protocol", text);
    }
};

void run(Job& job, std::ostream& result) {
    Bench bench(job);
    try {
        bench.reset();
        bench.write_program();
        const uint64_t cycles = bench.stream();
        result << "cycles " << cycles << "\n";
        result << "traffic " << bench.traffic() << "\n";
        for (const uint32_t address : job.counters) {
            const uint32_t value = bench.read(address);
            result << "counter " << address << " " << value << "\n";
        }
        result << "end ok\n";
    } catch (const Failure& failure) {
        result << "end " << failure.kind << " " << failure.what() << "\n";
    }
    bench.close();
    for (const auto& s : job.inputs) write_all(s.cycles_file, s.cycles);
    for (const auto* streams : {&job.outputs, &job.taps}) {
        for (const auto& s : *streams) {
            write_all(s.data_file, s.data);
            write_all(s.cycles_file, s.cycles);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s JOB RESULT\n", argv[0]);
        return 2;
    }
    try {
        Job job = read_job(argv[1]);
        std::ofstream result(argv[2]);
        run(job, result);
        result.close();
        if (!result) throw std::runtime_error("cannot write the result");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
    return 0;
}
