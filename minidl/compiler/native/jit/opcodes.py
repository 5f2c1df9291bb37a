"""The numbers on which the assembler and the interpreter agree."""

(
    GATHER,
    GEMM,
    GEMV,
    OUTER,
    BIAS,
    ACTIVATE,
    ACTIVATE_BACK,
    MULTIPLY,
    SOFTMAX,
    BATCH_NORM,
    RUNNING_STATISTICS,
    BATCH_NORM_SUMS,
    BATCH_NORM_BACK,
    DROPOUT,
    COPY,
    CHECK,
    STOP,
    UPDATE,
    UPDATE_OUTER,
    SPARSE_GATHER,
    SPARSE_MATMUL,
    SPARSE_GRADIENT,
    UFUNC,
    WHERE,
    CONVERT,
    PICK,
    PUT,
    CROSS_ENTROPIES,
    CROSS_ENTROPIES_BACK,
    ROWS,
    WHERE_DOUBLE,
    DOT,
    ENCLOSE,
    ALL_REDUCE,
    TOTALS,
    SHARED_NORM_PARTS,
    SHARED_NORM,
    SUM_SLICES,
) = range(38)

BOOL, INT64, FLOAT64 = range(3)  # what is converted to float32

NONE, RELU, LEAKY_RELU, TANH, SIGMOID = range(5)  # activations

# CBLAS's own numbers
ROW_MAJOR, COLUMN_MAJOR, NO_TRANSPOSE, TRANSPOSE = 101, 102, 111, 112

# A row of the table of instructions holds 16 int64: the opcode, whether this instruction and the
# next may run at the same time, and up to 14 operands.
WIDTH, OPCODE, PAIRED, OPERANDS = 16, 0, 1, 2

# The mailbox through which two threads share a task: byte offsets of the offered instruction's
# number, of the finished one's, and of each thread's scratch. Each has a cache line of its own.
OFFER, DONE, SCRATCH = 0, 64, 128
CACHE_LINE = 64
MAILBOX_BYTES = 256

LANES = 64  # numbers side by side in vector registers: columns of a matrix that are summed together

OUTER_CHUNK = 2048  # numbers of an outer product that are computed, and applied, at a time

SPAN = 128  # samples, at most, whose gradient rows stay in the first-level cache together
COLUMN_STRIDE = SPAN + 8  # not a power of two: columns would compete for the same cache sets
GROUP = 8  # inputs whose products OpenBLAS sums before it adds them to a vector's
