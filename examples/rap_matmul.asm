; Matrix product on the 4 x 4 array processor: Y[16, 8] = requantize(X[16, 64] * W[64, 8]) with lanes of 4 bits.
;
; Row r of the grid computes rows 4 r to 4 r + 3 of Y, column c the columns c and 4 + c. An element keeps 4 x 2
; accumulators (c0 to c7), so that each word of X serves two operations and each word of W four.
; Bank A r: the 16 words of rows 4 r to 4 r + 3 of X, one row after the other. Bank B c: for each of the 16 words of
; the inner dimension that of column c and that of column 4 + c. Parameters 0 to 7: multiplier, shift and bias.

        WIDTH w4, unsigned, signed
        STREAM A, 0
        LEVEL A, 0, 4, 16               ; the four rows,
        LEVEL A, 1, 16, -47             ; then the next word of each
        STREAM B, 0
        LEVEL B, 0, 32, 1
        POST 0, requantize, rounding=half_even, store=s8
        LIMIT 0, low, -128
        LIMIT 0, high, 127
        LIMIT 0, zero, 0
        STREAM O0, 256
        LEVEL O0, 0, 16, 1
        STREAM P0, 0
        LEVEL P0, 0, 8, 1               ; the eight columns of Y,
        LEVEL P0, 1, 4, -7              ; anew for each row

        LOOP 16
          MAC c0, a0, b0, afrom=bus, aload=a0, bfrom=bus, bload=b0
          MAC c2, a1, b0, afrom=bus, aload=a1
          MAC c4, a2, b0, afrom=bus, aload=a2
          MAC c6, a3, b0, afrom=bus, aload=a3
          MAC c1, a0, b1, bfrom=bus, bload=b1
          MAC c3, a1, b1
          MAC c5, a2, b1
          MAC c7, a3, b1
        ENDL
        DRAIN 0, 4, 2, 4                ; four rows of two accumulators in four columns
        WAIT

        WIDTH w8, signed, signed
        SHAPE A, 1, 4, 1, 0             ; bank after bank
        STREAM A, 256
        LEVEL A, 0, 16, 1
        LEVEL A, 1, 4, -15, dx=1
        OUT 128, 8, 8, 4
        HALT
