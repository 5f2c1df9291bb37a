"""The numbers by which encode.py tells the machine what to do: instructions, activations, columns, parts of a task."""

(GATHER, GEMM, GEMV, OUTER, BIAS, ACTIVATE, ACTIVATE_BACK, MULTIPLY, SOFTMAX, NORM, FOLLOW, NORM_SUMS, NORM_BACK,
 DROPOUT, COPY, UPDATE, UPDATE_OUTER) = range(17)  # fmt: skip
NONE, RELU, LEAKY_RELU, TANH, SIGMOID = range(5)

WIDTH = 16  # integers in an instruction; the first says which it is
PAIRED = 15  # the column that says whether this instruction and the next may be carried out at the same time

# A task: addresses and sizes, of what the machine is to carry out and where it notes the results.
CODE, LENGTH, NUMBERS, ROWS, STEPS, BATCH, LOSSES, RIGHTS, BOARD, SHARED, REST = range(11)

# The board, on which two threads share a task: three numbers in a cache line of their own each, and room for each one.
TICKET, DONE, END, ROOM = 0, 64, 128, 192  # in bytes
BOARD_BYTES = 320
