# SPDX-License-Identifier: Apache-2.0
"""Xilinx UltraScale+."""

from bitwright.hardware.families import xc7
from bitwright.hardware.family import Cells, Delays, Embedded, Family, Logic, NetDelay, Registers, Stage

MEMORIES = xc7.MEMORIES | {8: ("RAM512X1S", "RAM256X1D", "RAM32M16", "RAM64M8", "RAM32X16DR8", "RAM64X8SW")}
DELAYS = Delays(
    source="UltraScale+ delays of RapidWright (Apache-2.0), speed grade 2; DSP blocks: half of 7 series; wires assumed",
    register=(0.077, 0.025),
    grades={"1": 1.17, "2": 1.0, "2L": 1.0, "2LV": 1.17, "3": 0.9},
    cells=r"""
BUFG|[IO]BUF|INV  I>O=0
LUT1          I0>O=.035
LUT2          I0>O=.050 I1>O=.035
LUT3          I0>O=.090 I1>O=.050 I2>O=.035
LUT4          I0>O=.100 I1>O=.090 I2>O=.050 I3>O=.035
LUT5          I0>O=.125 I1>O=.100 I2>O=.090 I3>O=.050 I4>O=.035
LUT6          I0>O=.150 I1>O=.125 I2>O=.100 I3>O=.090 I4>O=.050 I5>O=.035
LUT6_2        I0>O[56]=.165 I1>O[56]=.140 I2>O[56]=.115 I3>O[56]=.100 I4>O[56]=.070 I5>O6=.035
MUXF[789]     I[01]>O=.095 S>O=.077
CARRY4        CYINIT>O=.056/.076/.067/.082 CYINIT>CO=.052/.042/.057/.060
CARRY4        CI>O=.056/.076/.067/.082 CI>CO=.052/.042/.057/.035
CARRY4        S[0]>O=.065/.096/.134/.139 S[0]>CO=.071/.109/.115/.186 DI[0]>O=-/.081/.109/.115
CARRY4        S[1]>O=-/.056/.117/.123 S[1]>CO=-/.091/.098/.184 DI[1]>O=-/-/.099/.102
CARRY4        S[2]>O=-/-/.058/.086 S[2]>CO=-/-/.063/.148 DI[2]>O=-/-/-/.094
CARRY4        S[3]>O=-/-/-/.061 S[3]>CO=-/-/-/.133 DI[3]>CO=-/-/-/.131
CARRY4        DI[0]>CO=.057/.083/.090/.182 DI[1]>CO=-/.073/.078/.144 DI[2]>CO=-/-/.069/.134
CARRY8        CI>O=.082/.102/.093/.108/.112/.142/.129/.142 CI>CO=.078/.068/.083/.086/.118/.103/.118/.069
CARRY8        CI_TOP>O=-/-/-/-/.099/.134/.132/.139 CI_TOP>CO=-/-/-/-/.109/.105/.114/.117
CARRY8        S[0]>O=.065/.096/.134/.139/.206/.240/.226/.241 S[0]>CO=.071/.109/.115/.186/.216/.201/.217/.199
CARRY8        S[1]>O=-/.056/.117/.123/.204/.237/.224/.238 S[1]>CO=-/.091/.098/.184/.213/.199/.214/.197
CARRY8        S[2]>O=-/-/.058/.086/.167/.200/.188/.202 S[2]>CO=-/-/.063/.148/.176/.162/.177/.168
CARRY8        S[3]>O=-/-/-/.061/.149/.184/.172/.187 S[3]>CO=-/-/-/.133/.159/.146/.162/.170
CARRY8        S[4]>O=-/-/-/-/.063/.095/.129/.137 S[4]>CO=-/-/-/-/.070/.103/.113/.163
CARRY8        S[5]>O=-/-/-/-/-/.058/.131/.138 S[5]>CO=-/-/-/-/-/.105/.113/.166
CARRY8        S[6]>O=-/-/-/-/-/-/.056/.085 S[6]>CO=-/-/-/-/-/-/.061/.124
CARRY8        S[7]>O=-/-/-/-/-/-/-/.056 S[7]>CO=-/-/-/-/-/-/-/.124
CARRY8        DI[0]>O=-/.081/.109/.115/.178/.208/.196/.211 DI[0]>CO=.057/.083/.090/.182/.184/.170/.186/.140
CARRY8        DI[1]>O=-/-/.099/.102/.162/.196/.183/.198 DI[1]>CO=-/.073/.078/.144/.172/.158/.173/.127
CARRY8        DI[2]>O=-/-/-/.094/.150/.186/.174/.188 DI[2]>CO=-/-/.069/.134/.160/.148/.163/.117
CARRY8        DI[3]>O=-/-/-/-/.147/.182/.170/.185 DI[3]>CO=-/-/-/.131/.157/.144/.160/.113
CARRY8        DI[4]>O=-/-/-/-/-/.084/.115/.123 DI[4]>CO=-/-/-/-/.059/.087/.098/.100
CARRY8        DI[5]>O=-/-/-/-/-/-/.102/.107 DI[5]>CO=-/-/-/-/-/.074/.082/.095
CARRY8        DI[6]>O=-/-/-/-/-/-/-/.093 DI[6]>CO=-/-/-/-/-/-/.069/.067 DI[7]>CO=-/-/-/-/-/-/-/.060
FD[RSCP]E(_1)?      >Q=.077 D>=.025 (CE|R|S|CLR|PRE)>=.06
SRL16E              >Q=.312 D>=.069 CE>=.18 A\d>Q=.150
SRLC32E             >Q(31)?=.312 D>=.069 CE>=.18 A>Q=.150
RAM(32|64)(M\d*|X\d\w+)  >DO[A-H]=.312 DI[A-H]>=.081 WE>=.18 ADDR[DH]>=.117 ADDR{ABCDEFGH}>DO{ABCDEFGH}=.15
RAM\d+X1[SD](_1)?   >[DS]?PO|O=.312 D>=.081 WE>=.18 A\d*>=.117 A\d*>SPO|O=.15 DPRA\d*>DPO=.15
RAMB(18|36)E2       ADDR(ARD|BWR)ADDR>=.352 DINP?[AB]DINP?>=.30 WE(A|BWE)>=.394 EN(ARD|BWR)EN>=.342
RAMB(18|36)E2       REGCE(AREGCE|B)>=.233 RSTREG(ARSTREG|B)>=.313
RAMB(18|36)E2 DOA_REG=0  >DOUTP?ADOUTP?=.926
RAMB(18|36)E2 DOA_REG=1  >DOUTP?ADOUTP?=.220
RAMB(18|36)E2 DOB_REG=0  >DOUTP?BDOUTP?=1.003
RAMB(18|36)E2 DOB_REG=1  >DOUTP?BDOUTP?=.229
DSP48E2  CE\w+>=.15 RST\w+>=.15 (OPMODE|ALUMODE|INMODE|CARRYIN|CARRYINSEL)>=.15
DSP48E2 PREG=1                     >P=.165 >PCOUT=.218 PCIN>=.513
DSP48E2 PREG=0 MREG=1              >P=.836 >PCOUT=.91
DSP48E2 PREG=0 CREG=1              >P=.844 >PCOUT=.918
DSP48E2 PREG=0 MREG=0 [AB]REG=[12] >P=1.476 >PCOUT=1.549
DSP48E2 AREG=[12]                  A>=.127
DSP48E2 BREG=[12]                  B>=.162
DSP48E2 CREG=1                     C>=.084
DSP48E2 DREG=1                     D>=.124
DSP48E2 AREG=0 MREG=1              A>=.708
DSP48E2 BREG=0 MREG=1              B>=.643
DSP48E2 AREG=0 MREG=0 PREG=1       A>=1.370
DSP48E2 BREG=0 MREG=0 PREG=1       B>=1.304
DSP48E2 CREG=0 PREG=1              C>=.622
DSP48E2 PREG=0                     PCIN>P=.554 PCIN>PCOUT=.628
DSP48E2 PREG=0 CREG=0              C>P=.663 C>PCOUT=.737
DSP48E2 AREG=0 MREG=0 PREG=0       A>P=1.412 A>PCOUT=1.485
DSP48E2 BREG=0 MREG=0 PREG=0       B>P=1.345 B>PCOUT=1.419
""",
    direct=r"""
INV.O>\w+.\w+=0
CARRY[48].CO>CARRY[48].CI=0
LUT6_2.O[56]>CARRY[48].(S|DI)=.015
alone LUT\d.O>CARRY[48].S=.015
alone LUT[56].O>MUXF7.I[01]=0
MUXF7.O>MUXF8.I[01]=0
MUXF8.O>MUXF9.I[01]=0
alone (LUT\d|MUXF\d).O>FD[RSCP]E.D=.05
alone LUT6_2.O[56]>FD[RSCP]E.D=.05
alone CARRY[48].O>FD[RSCP]E.D=.025
""",
    logic=Logic(
        functions=(0.035, 0.05, 0.09, 0.1, 0.125, 0.15, 0.245, 0.34),
        chain=(0.2, 0.014, 0.08),
        launch={"register": 0.077, "block RAM": 1.003, "block RAM's register": 0.229, "multiplier": 0.836},
        setup={"data": 0.075, "enable": 0.06, "reset": 0.06, "address": 0.352, "write": 0.18},
        joins=5,
    ),
    nets=(NetDelay(0.36, 0.04, 0.10), NetDelay(0.27, 0.03, 0.05), NetDelay(0.19, 0.02, 0.0)),
)


def _dsp(*names: str, enable: str, reset: str) -> Stage:
    return Stage(dict.fromkeys(names, xc7.ON), (enable,), reset=reset)


PRODUCT = _dsp("PREG", enable="CEP", reset="RSTP")
MULTIPLIERS = (
    Embedded("DSP48E2", "P", "CLK", ((PRODUCT,), (_dsp("MREG", enable="CEM", reset="RSTM"), PRODUCT)), idle=("C",)),
    Embedded("DSP48E2", "A", "CLK", ((_dsp("AREG", "ACASCREG", enable="CEA2", reset="RSTA"),),)),
    Embedded("DSP48E2", "B", "CLK", ((_dsp("BREG", "BCASCREG", enable="CEB2", reset="RSTB"),),)),
)
FAMILY = Family(
    name="xcup",
    vendor="xilinx",
    lut_cell="LUT6",
    synthesis="synth_xilinx -family xcup -noiopad -flatten",
    memory_step="map_memory",
    primitives="xilinx",
    folders=("xilinx",),
    delays=DELAYS,
    registers=Registers(xc7.FLOP, (*xc7.BLOCKS, *MULTIPLIERS)),
    cells=Cells(xc7.LUT, xc7.FF, "CARRY4|CARRY8", "RAMB18E2", "DSP48E2", "RAMB36E2", xc7.SHIFT, MEMORIES),
    vivado=True,
    models="xilinx/cells_sim.v",
    multiplier=27,
)
