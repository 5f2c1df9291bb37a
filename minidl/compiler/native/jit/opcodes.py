"""The numbers by which encode.py tells the machine what to do: instructions, activations, columns, parts of a task."""

(GATHER, GEMM, GEMV, OUTER, BIAS, ACTIVATE, ACTIVATE_BACK, MULTIPLY, SOFTMAX, NORM, FOLLOW, NORM_SUMS, NORM_BACK,
 DROPOUT, COPY, CHECK, STOP, UPDATE, UPDATE_OUTER, SPARSE_GATHER, SPARSE_MATMUL,
 SPARSE_GRADIENT) = range(22)  # fmt: skip
NONE, RELU, LEAKY_RELU, TANH, SIGMOID = range(5)

OUTER_ROOM = 2048  # numbers of an outer product that are made at a time

WIDTH = 16  # integers in an instruction; the first says which it is
PAIRED = 15  # the column that says whether this instruction and the next may be carried out at the same time

# A task: addresses and sizes, of what the machine is to carry out and where it notes the results. Of the STEPS that
# there are samples for in ROWS it makes those from FIRST to LAST, of each the instructions from BEGIN to END of LENGTH
# that there are; if more of the task is to come (OPEN), a thread that helps stays with it. After the last step all
# GRADIENTS are in their places if they are asked for; before, those that are used up as they are made are not.
(CODE, LENGTH, NUMBERS, ROWS, STEPS, FIRST, LAST, BEGIN, END, OPEN, GRADIENTS, BATCH, LOSSES, RIGHTS, BOARD, SHARED,
 REST) = range(17)  # fmt: skip

# The board, on which two threads share a task: what is offered, what is done, and room for each thread; each in a
# cache line of its own.
OFFER, DONE, ROOM = 0, 64, 128  # in bytes
BOARD_BYTES = 256

# The lists of a sparse batch. An input that is not zero is an entry: its number in its block, and its value. A sample's
# entries lie together; the begins say where those of each block begin. For the gradient, each input has a column of the
# samples that have it, up to its end, for so many samples TOGETHER. Pixels have one of 256 values. Blocks of inputs and
# spans of samples go from one edge to the next; with some of them (ANEW) a sum begins anew, as in OpenBLAS: order.py.
# For each row and each 64 columns of a product, RIMS has a bit for each group of 8 columns that is made of two sums, of
# even and of odd terms; up to a LIMIT of each part: the others count as even. RIMS is 0 where there are none. GROUPED
# is where the ends of the groups of a single sample's entries are noted, up to a 0; or 0 if they are in no groups.
(ENTRIES, BEGINS, COLUMNS, ENDS, VALUES, SAMPLES, FEATURES, BLOCKS, BLOCK, EDGES, EDGES_ANEW, EDGES_LIMIT, RIMS, SPANS,
 SPAN_EDGES, SPANS_ANEW, SPANS_LIMIT, SPAN_RIMS, GROUPED) = range(19)  # fmt: skip
LISTS = 19
TOGETHER = 128
COLUMN = TOGETHER + 8  # not a power of two, so that the columns do not compete for places in the cache
GROUP = 8  # inputs whose products OpenBLAS adds up before it adds them to a vector's
