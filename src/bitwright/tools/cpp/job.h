// SPDX-License-Identifier: Apache-2.0
// What one run of the harness does, as tools/model.py writes it down: streams, stalls, program, counters.
#pragma once
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory.h"
#include "random.h"

struct Stream {
    std::string name;
    size_t words = 0;   // 32-bit words of one stream word
    size_t offset = 0;  // first 32-bit word in the shared vector
    uint64_t count = 0;  // words to send or to expect
    uint64_t done = 0;
    std::string data_file, cycles_file;
    std::vector<uint32_t> data;
    std::vector<uint64_t> cycles;
    bool holding = false;           // input: a word is offered; output: a word waits unaccepted
    std::vector<uint32_t> waiting;  // output: the word that waits
    Random random{0};
};

struct Job {
    uint64_t idle_cycles = 0, settle_cycles = 0, seed = 0;
    bool stalls = false;
    uint64_t stall_in = 0, stall_out = 0;  // probabilities times 2**32
    std::vector<Stream> inputs, outputs;
    std::vector<Stream> taps;  // signals inside, recorded when they are valid; no word of them is waited for
    std::vector<uint32_t> program;  // address, word, address, word, ...
    std::vector<uint32_t> counters;
    std::string trace_file;
    uint64_t trace_cycles = 0, trace_words = 0;
    bool trace_late = false;  // it begins in that cycle of the streams, and trace_cycles count from there
    uint64_t trace_start = 0;
    Memory::Settings memory;
    std::vector<std::string> scopes;  // instances that the waveform shows; none: all
};

inline std::vector<uint32_t> read_words(const std::string& path, size_t count) {
    std::vector<uint32_t> words(count);
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(words.data()), static_cast<std::streamsize>(4 * count));
    if (!file) throw std::runtime_error("cannot read " + path);
    return words;
}

inline Stream read_stream(std::ifstream& file, std::vector<Stream>& before) {
    Stream s;
    file >> s.name >> s.words >> s.count >> s.data_file >> s.cycles_file;
    if (!before.empty()) s.offset = before.back().offset + before.back().words;
    s.cycles.reserve(s.count);
    return s;
}

inline Job read_job(const char* path) {
    Job job;
    std::ifstream file(path);
    std::string key;
    while (file >> key) {
        if (key == "idle") {
            file >> job.idle_cycles;
        } else if (key == "settle") {
            file >> job.settle_cycles;
        } else if (key == "seed") {
            file >> job.seed;
        } else if (key == "stalls") {
            job.stalls = true;
            file >> job.stall_in >> job.stall_out;
        } else if (key == "in") {
            Stream s = read_stream(file, job.inputs);
            s.data = read_words(s.data_file, s.words * s.count);
            job.inputs.push_back(std::move(s));
        } else if (key == "out") {
            Stream s = read_stream(file, job.outputs);
            s.data.reserve(s.words * s.count);
            s.waiting.resize(s.words);
            job.outputs.push_back(std::move(s));
        } else if (key == "tap") {  // after all outputs, whose vector they share
            Stream s;
            file >> s.name >> s.words >> s.data_file >> s.cycles_file;
            const auto& before = job.taps.empty() ? job.outputs : job.taps;
            if (!before.empty()) s.offset = before.back().offset + before.back().words;
            job.taps.push_back(std::move(s));
        } else if (key == "scope") {
            job.scopes.emplace_back();
            file >> job.scopes.back();
        } else if (key == "program") {
            size_t count;
            std::string words;
            file >> count >> words;
            job.program = read_words(words, 2 * count);
        } else if (key == "counter") {
            job.counters.emplace_back();
            file >> job.counters.back();
        } else if (key == "memory") {
            Memory::Settings& m = job.memory;
            size_t count;
            std::string words;
            file >> m.bytes >> m.base >> m.size >> m.beats >> m.outstanding >> count >> words;
            file >> m.random >> m.latency >> m.gap >> m.seed >> m.error_read >> m.error_write;
            m.image = read_words(words, count);
        } else if (key == "trace") {
            file >> job.trace_cycles >> job.trace_words >> job.trace_file;
        } else if (key == "begin") {
            job.trace_late = true;
            file >> job.trace_start;
        } else {
            throw std::runtime_error("unknown key " + key);
        }
    }
    for (size_t i = 0; i < job.inputs.size(); ++i) job.inputs[i].random = Random(job.seed * 64 + i);
    for (size_t i = 0; i < job.outputs.size(); ++i) job.outputs[i].random = Random(job.seed * 64 + 32 + i);
    return job;
}
