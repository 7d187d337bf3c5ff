"""What the sources of a design may hold: all of the project's own, and nothing that reaches outside."""

from pathlib import Path

import pytest

import bitwright
from bitwright.errors import ModelError
from bitwright.hardware.source_rules import TASKS, check_sources
from bitwright.targets.rap.isa.package import package

ROOT = Path(bitwright.__file__).parent
GENERATED = {"rap_pkg.sv": package()}

REFUSED = {
    "command": 'module a; initial $system("touch x"); endmodule',
    "command in a comment": '// $system("touch x")',
    "command by name and space": "initial $system (x);",
    "file": 'int f = $fopen("x");',
    "writing": 'initial $writememh("x", y);',
    "dump": "initial $dumpvars;",
    "arguments": 'initial if ($value$plusargs("x=%s", y)) ;',
    "C++": 'initial $c("system(\\"x\\")");',
    "C++ expression": "assign a = $c32(x);",
    "import": 'import "DPI-C" function int system(input string s);',
    "import apart": 'import /* x */\n"DPI-C" function int system(input string s);',
    "other import": 'import "x" function f();',
    "export": 'export "DPI-C" function f;',
    "absolute include": '`include "/etc/passwd"',
    "parent include": '`include "../a.svh"',
    "include in a folder": '`include "rtl/a.svh"',
    "include of memory": '`include "b.mem"',
    "include of another file": '`include "c.svh"',
    "include in brackets": "`include <a.svh>",
    "include by macro": "`include `X",
    "macro": "`X",
    "definition": "`define X $sys",
    "definition in a comment": "// `define X",
    "joined": "`X``Y",
    "space": "` include",
    "systemc": "`systemc_header\n#include <x>\n`verilog",
    "settings": "`verilator_config\nlint_off -rule X",
    "line": '`line 1 "x" 0',
    "comment directive": "/*verilator public_flat_rw*/",
    "comment directive in a line": "// verilator sc_bv",
    "comment directive in capitals": "/* Verilator public */",
    "escaped name": "logic \\a;b ;",
    "continued comment": "// x \\\n$signed",
    "continued string": '"a\\\nb"',
    "escape in a string": '$error("\\057")',
    "path": 'rom #(.File("/etc/passwd")) u ();',
    "path in a folder": 'rom #(.File("a/b.mem")) u ();',
    "attribute": '(* x = "a/b" *) logic a;',
    "long string": '"""a\nb"""',
    "open comment": "/* a",
    "open string": '"a',
    "string over lines": '"a\nb"',
    "return": "// a\rinitial x = 1;",
    "form feed": "// a\x0cb",
    "direction": "// \u202e",
    "letters": "logic \u0430;",
    "zero": "logic a\x00;",
    "bind": "bind top bad u ();",
    "class": "class a; endclass",
    "program": "program a; endprogram",
    "randomize": "if (x.randomize()) ;",
}


def test_everything_that_is_shipped_is_legal():
    paths = [path for suffix in ("sv", "svh", "vlt") for path in ROOT.rglob(f"*.{suffix}")]
    assert len(paths) > 100
    check_sources({str(p.relative_to(ROOT)): p.read_text() for p in paths} | GENERATED)


def test_each_allowed_task_is_used_or_stops_elaboration():
    text = "".join(p.read_text() for p in ROOT.rglob("*.sv"))
    assert {task for task in TASKS if task not in text} <= {"$bits", "$fatal", "$info", "$warning"}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_refused_sources(text):
    good = {"a.svh": "// fine\n", "b.mem": "0f\n"}
    check_sources(good | {"x.sv": "module x; endmodule\n"})
    with pytest.raises(ModelError, match=r"^x\.sv, line \d+ of the design's sources: "):
        check_sources(good | {"x.sv": f"module x;\n{text}\nendmodule\n"})


@pytest.mark.parametrize(
    "text",
    [
        '// a path/to/x, "a string\n',
        '/* "open */ logic a; // */\n',
        '`include "a.svh"\n`ifdef X\n`else\n`endif\n',
        '$error("a / b"); $fatal(1, "a / b");\n',
        "// verilator lint_off WIDTHTRUNC\n",
        "assign a = $signed(b) * $clog2(4);\n",
        "import pkg::*;\n",
        "logic classes, programs, rebind;\n",
        "// `Depth` words\n",
    ],
)
def test_legal_sources(text):
    check_sources({"a.svh": "", "x.sv": text})


@pytest.mark.parametrize("text", ["00 // $system\n", '"x"', "0\u0660", "$readmemh", "`x", "00\r\n", "../x"])
def test_memory_files_hold_words(text):
    check_sources({"x.mem": "@0 0aF_xZ\n12\n"})
    with pytest.raises(ModelError, match="memory file"):
        check_sources({"x.mem": text})


@pytest.mark.parametrize(
    "line",
    [
        'public_flat -module "x"',
        'hier_block -module "x"',
        "lint_off -rule X -file ../x",
        'lint_off -rule X -file "/x/*"',
        "`systemc_header",
        "// `verilog",
        'profile_data -hier-dpi "x" -cost 64\'d1',
    ],
)
def test_settings_only_turn_lint_off(line):
    check_sources({"x.vlt": '`verilator_config\n// why\nlint_off -rule UNUSED -file "*a_*.sv"\n\n'})
    with pytest.raises(ModelError, match="a setting of Verilator"):
        check_sources({"x.vlt": f"`verilator_config\n{line}\n"})


@pytest.mark.parametrize(
    "path",
    [
        *("../a.sv", "/a.sv", "a/../b.sv", "-Wall.sv", "a b.sv", "a;b.sv", "a\n.sv", "a.sv\n", ".sv", "a.cpp", "a", ""),
        *("é.sv", "a[x].sv", "$x.sv", "a\\b.sv", "a.so", "Makefile", "x" * 300 + ".sv", None, 3),
    ],
)
def test_paths_are_plain(path):
    with pytest.raises(ModelError, match="is no path of a design's source"):
        check_sources({path: ""})
