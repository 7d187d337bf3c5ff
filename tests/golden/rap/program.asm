; input
L0:
  WIDTH w4, unsigned, unsigned
  SHAPE O0, 4, 6, 6, 4
  STREAM O0, 0
  LEVEL O0, 0, 6, 1, dx=1
  LEVEL O0, 1, 6, -1, dx=-5, dy=1
  IN 72, 2, 2, 16, unsigned
; Conv2d conv
  WIDTH w4, unsigned, signed
  MASK 3, 3
  PAD 0, cut=1
  SHAPE A, 4, 6, 6, 4
  STREAM A, 131068, y=-1
  LEVEL A, 0, 4, 1, dx=1
  LEVEL A, 1, 3, 1, dx=-3, dy=1
  LEVEL A, 2, 6, -7, dx=-3, dy=-1
  STREAM B, 0
  LEVEL B, 0, 18, 1
  LEVEL B, 1, 6, -17
  POST 0, threshold, store=s4
  SHAPE O0, 4, 6, 6, 4
  STREAM O0, 24
  LEVEL O0, 0, 4, 1, dx=1
  LEVEL O0, 1, 6, 1, dx=-3, dy=1
  STREAM P0, 0
  LEVEL P0, 0, 4, 1
  LEVEL P0, 1, 4, -3
  LEVEL P0, 2, 6, -3
  LOOP 6
    LOOP 3
      MAC c0, a0, b0, afrom=bus, bfrom=bus
      MAC c2, a1, b0, afrom=bus, aload=a1
      MAC c4, a2, b0, afrom=bus, aload=a2
      MAC c6, a3, b0, afrom=bus, aload=a3
      MAC c1, a0, b0, bfrom=bus
      MAC c3, a1, b0
      MAC c5, a2, b0
      MAC c7, a3, b0
      MAC c0, a1, b0, bfrom=bus
      MAC c2, a2, b0
      MAC c4, a3, b0
      MAC c6, a4, b0, afrom=south, aload=a4
      MAC c1, a1, b0, bfrom=bus
      MAC c3, a2, b0
      MAC c5, a3, b0
      MAC c7, a4, b0
      MAC c0, a5, b0, afrom=north, aload=a5, aread=a3, bfrom=bus
      MAC c2, a0, b0
      MAC c4, a1, b0
      MAC c6, a2, b0
      MAC c1, a5, b0, bfrom=bus
      MAC c3, a0, b0
      MAC c5, a1, b0
      MAC c7, a2, b0
    ENDL
    DRAIN 0, 4, 2, 2
  ENDL
; MaxPool pool
  WIDTH w4, unsigned, unsigned
  MASK 3, 1
  PAD 0, cut=1
  SHAPE A, 4, 6, 6, 4
  STREAM A, 24
  LEVEL A, 0, 2, 2, dx=2
  LEVEL A, 1, 2, -1, dx=-1
  LEVEL A, 2, 2, 1, dx=-3, dy=1
  LEVEL A, 3, 3, 1, dx=-3, dy=1
  LDB b0, 4369
  POST 0, raw, store=s4
  SHAPE O0, 2, 3, 3, 2
  STREAM O0, 0
  LEVEL O0, 0, 2, 1, dx=1
  LEVEL O0, 1, 3, 1, dx=-1, dy=1
  LOOP 3
    LOOP 4
      MAXL c0, a0, b0, afrom=bus
      MAXL c1, a0, b0, afrom=bus
    ENDL
    DRAIN 0, 2, 1, 1, lanes=1
  ENDL
; Dense dense
  WIDTH w4, unsigned, signed
  MASK 1, 3
  PAD 0, cut=1
  SHAPE A, 2, 3, 3, 2
  STREAM A, 0
  LEVEL A, 0, 3, 1, dx=1
  LEVEL A, 1, 3, 0, dx=-2, dy=1
  STREAM B, 18
  LEVEL B, 0, 18, 1
  LIMIT 0, low, -128
  LIMIT 0, high, 127
  LIMIT 0, zero, 0
  POST 0, requantize, rounding=half_even, store=s8
  SHAPE O0, 1, 1, 1, 2
  STREAM O0, 6
  LEVEL O0, 0, 2, 1
  STREAM P0, 4
  LEVEL P0, 0, 4, 1
  LOOP 9
    MAC c0, a0, b0, afrom=bus, bfrom=bus
    MAC c1, a0, b0, bfrom=bus
  ENDL
  DRAIN 0, 1, 2, 2
; output
  WIDTH w8, signed, unsigned
  SHAPE A, 1, 1, 1, 2
  STREAM A, 6
  LEVEL A, 0, 2, 1
  OUT 3, 3, 8, 4
  JUMP L0
  .b 0 0: 0x0022 0x0000 0x002d 0x00ef 0x0033 0x0023 0x00de 0x003f 0x0032 0x000f 0x00e3 0x002e 0x00d2 0x003f 0x0032 0x00d1
  .b 0 16: 0x0011 0x002f 0x0220 0xd121 0x13d1 0xf201 0x2e21 0x3fff 0x3f03 0x002d 0x3132 0x330d 0xe2f2 0x23ff 0x1003 0x2323
  .b 0 32: 0x02ef 0x1f0d 0xd001 0xfd20
  .b 1 0: 0x00f2 0x0031 0x0020 0x00de 0x003d 0x0013 0x0001 0x000d 0x002f 0x0020 0x00d3 0x00e1 0x0003 0x000e 0x00d2 0x00dd
  .b 1 16: 0x00f1 0x0003 0xfdf1 0x0000 0xde3d 0x0000 0x3e32 0x0000 0xe11e 0x0000 0xe02e 0x0000 0x1ff2 0x0000 0x02fe 0x0000
  .b 1 32: 0xd3f0 0x0000 0x22fd 0x0000
  .param 0: 0xfffffff6 0x00000005 0x00000009 0x00010000
  .param 1: 0xfffffff5 0xfffffff6 0xfffffffb 0x00010000
  .param 2: 0xfffffff7 0xfffffff7 0x0000000b 0x00010000
  .param 3: 0xfffffffe 0x00000002 0x00000003 0x00010000
  .param 4: 0x00000001 0x00000000 0x00000002 0x00000000
  .param 5: 0x00000001 0x00000000 0x00000000 0x00000000
  .param 6: 0x00000001 0x00000000 0xfffffffb 0xffffffff
  .param 7: 0x00000000 0x00000000 0x00000000 0x00000000
