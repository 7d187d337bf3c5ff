"""What all targets build hardware with: resources, memories, Verilog text, the module library."""
