// SPDX-License-Identifier: Apache-2.0
// Binds the model that Verilator made of module `bench` to the harness.
#include "Vbench.h"
#include "dut.h"

namespace {

// In the order of Ports.
Ports ports(Vbench& t) {
    return {
        t.clk_i, t.rst_i,
        t.in_data_i.data(), t.in_valid_i, t.in_ready_o,
        t.out_data_o.data(), t.out_valid_o, t.out_ready_i,
        t.axil_awaddr_i, t.axil_wdata_i, t.axil_araddr_i, t.axil_rdata_o,
        t.axil_awvalid_i, t.axil_wstrb_i, t.axil_wvalid_i, t.axil_bready_i, t.axil_arvalid_i, t.axil_rready_i,
        t.axil_awready_o, t.axil_wready_o, t.axil_bresp_o, t.axil_bvalid_o,
        t.axil_arready_o, t.axil_rresp_o, t.axil_rvalid_o,
        t.mem_araddr_o,
        t.mem_arid_o, t.mem_arlen_o, t.mem_arsize_o, t.mem_arburst_o, t.mem_arvalid_o, t.mem_arready_i,
        t.mem_rdata_i.data(),
        t.mem_rid_i, t.mem_rresp_i, t.mem_rlast_i, t.mem_rvalid_i, t.mem_rready_o,
        t.mem_awaddr_o,
        t.mem_awid_o, t.mem_awlen_o, t.mem_awsize_o, t.mem_awburst_o, t.mem_awvalid_o, t.mem_awready_i,
        t.mem_wdata_o.data(), t.mem_wstrb_o,
        t.mem_wlast_o, t.mem_wvalid_o, t.mem_wready_i,
        t.mem_bid_i, t.mem_bresp_i, t.mem_bvalid_i, t.mem_bready_o,
    };
}

struct Owner {
    Vbench top;
    explicit Owner(VerilatedContext* context) : top(context) {}
};

// The owner is the first base, so that the ports exist before the references to them.
struct Bound final : Owner, Dut {
    explicit Bound(VerilatedContext* context) : Owner(context), Dut(ports(top)) {}
    void eval() override { top.eval(); }
    void final() override { top.final(); }
#if VM_TRACE
    void trace(TraceFile* file) override { top.trace(file, 99); }
#endif
};

}  // namespace

std::unique_ptr<Dut> make_dut(VerilatedContext* context) { return std::make_unique<Bound>(context); }
