// SPDX-License-Identifier: Apache-2.0
// What the harness sees of a compiled module `bench`: its ports by reference. So the harness is compiled
// once, and only a few lines of binding with each model.
#pragma once
#include <cstdint>
#include <memory>

#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using TraceFile = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using TraceFile = VerilatedVcdC;
#endif

struct Ports {
    uint8_t &clk_i, &rst_i;
    uint32_t *in_data_i, &in_valid_i, &in_ready_o;
    uint32_t *out_data_o, &out_valid_o, &out_ready_i;
    uint32_t &axil_awaddr_i, &axil_wdata_i, &axil_araddr_i, &axil_rdata_o;
    uint8_t &axil_awvalid_i, &axil_wstrb_i, &axil_wvalid_i, &axil_bready_i, &axil_arvalid_i, &axil_rready_i;
    uint8_t &axil_awready_o, &axil_wready_o, &axil_bresp_o, &axil_bvalid_o;
    uint8_t &axil_arready_o, &axil_rresp_o, &axil_rvalid_o;
    uint64_t& mem_araddr_o;
    uint8_t &mem_arid_o, &mem_arlen_o, &mem_arsize_o, &mem_arburst_o, &mem_arvalid_o, &mem_arready_i;
    uint32_t* mem_rdata_i;
    uint8_t &mem_rid_i, &mem_rresp_i, &mem_rlast_i, &mem_rvalid_i, &mem_rready_o;
    uint64_t& mem_awaddr_o;
    uint8_t &mem_awid_o, &mem_awlen_o, &mem_awsize_o, &mem_awburst_o, &mem_awvalid_o, &mem_awready_i;
    uint32_t* mem_wdata_o;
    uint16_t& mem_wstrb_o;
    uint8_t &mem_wlast_o, &mem_wvalid_o, &mem_wready_i;
    uint8_t &mem_bid_i, &mem_bresp_i, &mem_bvalid_i, &mem_bready_o;
};

struct Dut : Ports {
    explicit Dut(const Ports& ports) : Ports(ports) {}
    virtual ~Dut() = default;
    virtual void eval() = 0;
    virtual void final() = 0;
#if VM_TRACE
    virtual void trace(TraceFile* file) = 0;
#endif
};

std::unique_ptr<Dut> make_dut(VerilatedContext* context);
