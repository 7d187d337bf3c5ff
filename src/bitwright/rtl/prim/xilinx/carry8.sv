// Eight positions of a carry chain, as in the generic version; combinational. Xilinx version: one CARRY8 cell.
module carry8 (
    input  logic       ci_i,
    input  logic [7:0] s_i,
    input  logic [7:0] di_i,
    output logic [7:0] o_o,
    output logic       co_o
);
  logic [7:0] co;
  CARRY8 #(
      .CARRY_TYPE("SINGLE_CY8")
  ) u_carry (
      .CI(ci_i),
      .CI_TOP(1'b0),
      .S(s_i),
      .DI(di_i),
      .O(o_o),
      .CO(co)
  );
  assign co_o = co[7];
endmodule
