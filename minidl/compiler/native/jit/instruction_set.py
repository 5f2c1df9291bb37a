"""The layout of every instruction: the assembler builds it by name, the interpreter reads it so.

An instruction is a row of int64, its operands in the order of the fields below. An operand is an
address, a size or index, a flag, or the index of a float in the table of constants. Arrays are
float32 and contiguous unless a field says otherwise; `d_...` and `g` are gradients of the loss.
"""

from typing import Any, NamedTuple

from . import opcodes
from .array_instructions import (
    Convert as Convert,
)
from .array_instructions import (
    CrossEntropies as CrossEntropies,
)
from .array_instructions import (
    CrossEntropiesBack as CrossEntropiesBack,
)
from .array_instructions import (
    Pick as Pick,
)
from .array_instructions import (
    Put as Put,
)
from .array_instructions import (
    Rows as Rows,
)
from .array_instructions import (
    Ufunc as Ufunc,
)
from .array_instructions import (
    Where as Where,
)
from .array_instructions import (
    WhereDouble as WhereDouble,
)
from .message_instructions import AllReduce as AllReduce
from .message_instructions import Enclose as Enclose
from .message_instructions import SharedNorm as SharedNorm
from .message_instructions import SharedNormParts as SharedNormParts
from .message_instructions import SumSlices as SumSlices
from .message_instructions import Totals as Totals

Address = int
Size = int
Index = int
Constant = int
Flag = bool


class Gather(NamedTuple):
    """Copy `rows` samples of the data set into the batch, from position `first` on."""

    rows: Size
    width: Size
    first: Index
    inputs: Address  # the whole data set: uint8 if `pixels`, which are scaled to [0, 1]
    pixels: Flag
    x: Address  # of the batch's sample `first`
    all_labels: Address  # int64
    labels: Address


class Gemm(NamedTuple):
    """y = a @ b by CBLAS, (m, k) @ (k, n); `lda`, `ldb`, `ldy` are the lengths of stored rows."""

    function: Address
    transpose_a: int
    transpose_b: int
    m: Size
    n: Size
    k: Size
    a: Address
    lda: Size
    b: Address
    ldb: Size
    y: Address
    ldy: Size


class Gemv(NamedTuple):
    """y = xᵀ a by CBLAS, for a vector x and a matrix a in row-major or column-major `order`."""

    function: Address
    order: int
    rows: Size
    columns: Size
    a: Address
    lda: Size
    x: Address
    y: Address


class Dot(NamedTuple):
    """y = a · b by CBLAS, for two vectors; steps in elements."""

    function: Address
    size: Size
    a: Address
    step_a: Size
    b: Address
    step_b: Size
    y: Address


class Outer(NamedTuple):
    """out = x dᵀ: a weight's gradient for a batch of one."""

    inputs: Size
    outputs: Size
    x: Address
    d: Address
    out: Address


class Bias(NamedTuple):
    """y += bias in each row, then the activation (RELU or NONE), in place."""

    rows: Size
    width: Size
    y: Address
    bias: Address
    activation: int


class Activate(NamedTuple):
    """y = activation(y)."""

    size: Size
    y: Address
    activation: int
    scratch: Address  # `size` floats
    exp: Address  # NumPy's inner loops, and their data pointers
    exp_data: Address
    tanh: Address
    tanh_data: Address


class ActivateBack(NamedTuple):
    """g *= activation'(x), by its result y."""

    size: Size
    g: Address
    y: Address
    activation: int


class Multiply(NamedTuple):
    """a *= b."""

    size: Size
    a: Address
    b: Address


class Softmax(NamedTuple):
    """Softmax cross-entropy: the mean loss, the correct answers, and d = d loss/d logits."""

    batch: Size
    classes: Size
    logits: Address
    labels: Address  # int64
    d: Address
    scratch: Address  # batch · classes floats
    sums: Address  # 3 · batch floats
    ones: Address  # `batch` of them
    dot: Address  # CBLAS's
    exp: Address
    exp_data: Address
    log: Address
    log_data: Address
    share: Constant  # of the mean loss whose gradient d is: 1, or this process's part of a batch


class BatchNorm(NamedTuple):
    """BatchNorm forward, for `width` of the `stride` features."""

    rows: Size
    width: Size
    stride: Size
    eps: Constant
    x: Address
    y: Address
    gamma: Address
    beta: Address
    x_hat: Address
    inverse: Address
    mean: Address
    squares: Address


class RunningStatistics(NamedTuple):
    """BatchNorm's running mean and variance; `degrees` is what the squares are divided by."""

    width: Size
    running_mean: Address
    running_var: Address
    mean: Address
    squares: Address
    momentum: Constant
    complement: Constant  # 1 - momentum
    degrees: Size


class BatchNormSums(NamedTuple):
    """The gradients of BatchNorm's gamma and beta."""

    rows: Size
    width: Size
    stride: Size
    g: Address
    x_hat: Address
    d_gamma: Address
    d_beta: Address


class BatchNormBack(NamedTuple):
    """The gradient of BatchNorm's input, in place of g, that of its result."""

    rows: Size
    width: Size
    stride: Size
    total: Size  # rows of all processes, which d_gamma and d_beta are the sums over
    g: Address
    x_hat: Address
    inverse: Address
    gamma: Address
    d_gamma: Address
    d_beta: Address
    scratch: Address  # 3 · width floats


class Dropout(NamedTuple):
    """A dropout mask from uniform numbers that were drawn beforehand, `stride` of them a step."""

    size: Size
    draws: Address
    stride: Size
    mask: Address
    rate: Constant
    scale: Constant


class Copy(NamedTuple):
    """target = source; `plus_zero`: + 0, which turns -0 into 0 as a sum of one number does."""

    size: Size
    source: Address
    target: Address
    plus_zero: Flag


class Check(NamedTuple):
    """Write 1 to the int64 `found` if any number is not finite, or 2**60 and more, else 0."""

    size: Size
    numbers: Address
    found: Address


class Stop(NamedTuple):
    """End the step here if any of `size` checks, whose results are at `found`, is 1."""

    size: Size
    found: Address


class Update(NamedTuple):
    """Call an update rule's loop on elements `start` to `stop` of its vectors."""

    loop: Address
    vectors: Address  # where their addresses are: parameters, gradients, state
    start: Index
    stop: Index
    scalars: Address
    stride: Size  # bytes from one step's scalars to the next one's


class UpdateOuter(NamedTuple):
    """`Outer` and `Update` in one, a few rows at a time, for a weight that begins at `start`."""

    loop: Address
    vectors: Address
    start: Index
    scalars: Address
    stride: Size
    inputs: Size
    outputs: Size
    x: Address
    d: Address
    scratch: Address
    skip_zeros: Flag  # whether rows of inputs that are zero may be left as they are
    gradient: Address  # where the whole gradient goes, if it is asked for


class SparseGather(NamedTuple):
    """`Gather` as lists of non-zero inputs, for samples `first` to `last` of the batch."""

    first: Index
    last: Index
    inputs: Address
    pixels: Flag
    all_labels: Address
    labels: Address
    batch: Address  # a SparseBatch


class SparseMatmul(NamedTuple):
    """y = x @ w, samples `first` to `last` and columns `left` to `right` of n."""

    first: Index
    last: Index
    left: Index
    right: Index
    n: Size
    w: Address
    y: Address
    batch: Address
    scratch: Address
    few: Flag  # whether few samples read a row of w, so that copying it is not worth while


class SparseGradient(NamedTuple):
    """out = xᵀ @ d, for the inputs of blocks `first` to `last`."""

    first: Index
    last: Index
    n: Size
    d: Address
    out: Address
    batch: Address
    scratch: Address
    partial: Address  # sums that restart, until they are complete
    pairs: Address  # sums of even and of odd terms


Instruction = Any  # one of these
OPCODES: dict[type, int] = {
    Gather: opcodes.GATHER,
    Gemm: opcodes.GEMM,
    Gemv: opcodes.GEMV,
    Dot: opcodes.DOT,
    Outer: opcodes.OUTER,
    Bias: opcodes.BIAS,
    Activate: opcodes.ACTIVATE,
    ActivateBack: opcodes.ACTIVATE_BACK,
    Multiply: opcodes.MULTIPLY,
    Softmax: opcodes.SOFTMAX,
    BatchNorm: opcodes.BATCH_NORM,
    RunningStatistics: opcodes.RUNNING_STATISTICS,
    BatchNormSums: opcodes.BATCH_NORM_SUMS,
    BatchNormBack: opcodes.BATCH_NORM_BACK,
    Dropout: opcodes.DROPOUT,
    Copy: opcodes.COPY,
    Check: opcodes.CHECK,
    Stop: opcodes.STOP,
    Update: opcodes.UPDATE,
    UpdateOuter: opcodes.UPDATE_OUTER,
    SparseGather: opcodes.SPARSE_GATHER,
    SparseMatmul: opcodes.SPARSE_MATMUL,
    SparseGradient: opcodes.SPARSE_GRADIENT,
    Ufunc: opcodes.UFUNC,
    Where: opcodes.WHERE,
    Convert: opcodes.CONVERT,
    Pick: opcodes.PICK,
    Put: opcodes.PUT,
    Rows: opcodes.ROWS,
    WhereDouble: opcodes.WHERE_DOUBLE,
    CrossEntropies: opcodes.CROSS_ENTROPIES,
    CrossEntropiesBack: opcodes.CROSS_ENTROPIES_BACK,
    Enclose: opcodes.ENCLOSE,
    AllReduce: opcodes.ALL_REDUCE,
    Totals: opcodes.TOTALS,
    SharedNormParts: opcodes.SHARED_NORM_PARTS,
    SharedNorm: opcodes.SHARED_NORM,
    SumSlices: opcodes.SUM_SLICES,
}
