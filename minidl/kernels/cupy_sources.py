"""The CUDA source of the kernels for CuPy: text alone, which compiles without a GPU.

Matrices are row by row, as NumPy has them. Threads stand side by side along a row (threadIdx.x), so that
neighbours read neighbouring addresses; sums down a column, or along a row, are added in an order that
depends on the sizes alone, so that the same numbers give the same bits at every run.
"""

import functools

from ..arrays import PIXEL

REALS = {"float32": "float", "float64": "double"}
INTEGERS = {
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
}
LANES = 4, 8, 32  # threads that share a row of logits

# Of each activation: its value at a, and the gradient of a from g, that of its value, and y, the value.
ACTIVATIONS = {
    None: ("a", "g"),
    "relu": ("a < 0 ? 0 : a", "g * (y > 0)"),
    "leaky_relu": ("a > 0 ? a : real(0.01) * a", "y > 0 ? g : g * real(0.01)"),
    "sigmoid": ("(a >= 0 ? 1 : exp(-fabs(a))) / (1 + exp(-fabs(a)))", "g * (y * (1 - y))"),
    "tanh": ("tanh(a)", "g * (1 - y * y)"),
    "softplus": ("(a < 0 ? 0 : a) + log1p(exp(-fabs(a)))", "g * -expm1(-y)"),
}

_COLUMN_TOTAL = """
// The sum over the block's rows of each thread's value, for the thread's column. All of 1024 threads must take part,
// in 32 columns or 8.
__device__ real column_total(real value)
{
    __shared__ real part[1152];
    unsigned pitch = blockDim.x + 1;  // so that no two threads of a warp meet in one memory bank
    real* mine = part + threadIdx.y * pitch + threadIdx.x;
    __syncthreads();
    *mine = value;
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) *mine += mine[half * pitch];
    }
    __syncthreads();
    return part[threadIdx.x];
}
"""


@functools.cache
def dense(dtype: str, activation: str | None) -> str:
    """``dense_forward``, ``dense_backward`` and ``column_sums``.

    Forward, in place: y = activation(y + bias). Backward, in one pass: d, the gradient before the activation,
    and its sums down the columns, one row of them for each block along y. `column_sums` makes one of several.
    """
    value, gradient = ACTIVATIONS[activation]
    return f"""
typedef {REALS[dtype]} real;
__device__ real activated(real a) {{ return {value}; }}
__device__ real gradient(real g, real y) {{ return {gradient}; }}
{_COLUMN_TOTAL}
extern "C" __global__ void dense_forward(real* y, const real* bias, int rows, int width)
{{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= width) return;
    real b = bias[column];
    for (int row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {{
        long long i = (long long)row * width + column;
        y[i] = activated(y[i] + b);
    }}
}}

extern "C" __global__ void dense_backward(
    const real* g, const real* y, real* d, real* sums, int rows, int width)
{{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    real sum = 0;
    if (column < width)
        for (int row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {{
            long long i = (long long)row * width + column;
            real before = gradient(g[i], y[i]);
            d[i] = before;
            sum += before;
        }}
    sum = column_total(sum);
    if (threadIdx.y == 0 && column < width) sums[(long long)blockIdx.y * width + column] = sum;
}}

extern "C" __global__ void column_sums(const real* d, real* sums, int rows, int width)
{{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    real sum = 0;
    if (column < width)
        for (int row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y)
            sum += d[(long long)row * width + column];
    sum = column_total(sum);
    if (threadIdx.y == 0 && column < width) sums[(long long)blockIdx.y * width + column] = sum;
}}
"""


@functools.cache
def softmax_cross_entropy(dtype: str, labels: str, lanes: int) -> str:
    """``softmax_cross_entropy``: each row's loss, and `scale` times its gradient; ``total``: their sum, scaled.

    ``softmax_cross_entropy_total`` does both, as one block. So many `lanes`, threads side by side, share a row. A row
    whose label is not one of the classes gets NaN for its loss and gradient: without waiting for the GPU nobody can be
    told of it here, and a wrapped index would train on a wrong label.
    """
    return f"""
typedef {REALS[dtype]} real;
typedef {INTEGERS[labels]} label_t;

// The loss and gradient of one row. All lanes of a warp must take part, for a `row` past the last one too.
__device__ void loss_of_row(
    const real* logits, const label_t* labels, real* losses, real* d, int row, int rows, int classes, real scale)
{{
    bool mine = row < rows;
    if (!mine) row = rows - 1;
    const real* z = logits + (long long)row * classes;
    real top = z[0];
    for (int c = threadIdx.x; c < classes; c += {lanes}) top = fmax(top, z[c]);
    for (int k = {lanes // 2}; k > 0; k /= 2) top = fmax(top, __shfl_xor_sync(0xffffffff, top, k));
    real sum = 0;
    for (int c = threadIdx.x; c < classes; c += {lanes}) sum += exp(z[c] - top);
    for (int k = {lanes // 2}; k > 0; k /= 2) sum += __shfl_xor_sync(0xffffffff, sum, k);
    if (!mine) return;
    long long label = (long long)labels[row];
    bool valid = label >= 0 && label < classes;
    for (int c = threadIdx.x; c < classes; c += {lanes})
        d[(long long)row * classes + c] = valid ? (exp(z[c] - top) / sum - (c == label)) * scale : real(nan(""));
    if (threadIdx.x == 0) losses[row] = valid ? log(sum) - (z[label] - top) : real(nan(""));
}}

// The sum of `rows` numbers, for the first of the block's 1024 threads. All must take part.
__device__ real block_total(const real* values, int rows, int thread)
{{
    __shared__ real part[1024];
    int half = 512;
    while (half > 16 && half >= rows) half /= 2;
    real mine = 0;
    if (thread < 2 * half)
        for (int row = thread; row < rows; row += 2 * half) mine += values[row];
    part[thread] = mine;
    for (; half > 0; half /= 2) {{
        __syncthreads();
        if (thread < half) part[thread] += part[thread + half];
    }}
    return part[0];
}}

extern "C" __global__ void softmax_cross_entropy(
    const real* logits, const label_t* labels, real* losses, real* d, int rows, int classes, real scale)
{{
    loss_of_row(logits, labels, losses, d, blockIdx.x * blockDim.y + threadIdx.y, rows, classes, scale);
}}

extern "C" __global__ void softmax_cross_entropy_total(
    const real* logits, const label_t* labels, real* losses, real* d, real* sum, int rows, int classes, real scale)
{{
    for (int first = 0; first < rows; first += blockDim.y)
        loss_of_row(logits, labels, losses, d, first + threadIdx.y, rows, classes, scale);
    __syncthreads();
    real whole = block_total(losses, rows, threadIdx.y * {lanes} + threadIdx.x);
    if (threadIdx.x == 0 && threadIdx.y == 0) sum[0] = whole * scale;
}}

extern "C" __global__ void total(const real* losses, real* sum, int rows, real scale)
{{
    real whole = block_total(losses, rows, threadIdx.x);
    if (threadIdx.x == 0) sum[0] = whole * scale;
}}
"""


@functools.cache
def batch_norm(dtype: str) -> str:
    """``batch_norm_forward``, ``batch_norm_backward`` and ``batch_norm_follow``, 32 features a block, or 8.

    Ioffe & Szegedy 2015, section 3. The sums are those of x - x[0], so that the mean keeps its digits whatever the
    values' offset, and a constant column becomes exactly zero; `means` are the means of those differences. Follow:
    the running statistics take `share` of the batch's mean and unbiased variance, and 1 - share of themselves.
    """
    return f"""
typedef {REALS[dtype]} real;
{_COLUMN_TOTAL}
struct Moments {{ real mean, squares; }};

// Of a column minus its first element: the mean, and the sum of the squares around it. All threads must take part.
__device__ Moments moments(const real* x, int rows, int width, int column)
{{
    bool mine = column < width;
    real first = mine ? x[column] : 0, sum = 0;
    if (mine)
        for (int row = threadIdx.y; row < rows; row += blockDim.y) sum += x[(long long)row * width + column] - first;
    real mean = column_total(sum) / rows;
    sum = 0;
    if (mine)
        for (int row = threadIdx.y; row < rows; row += blockDim.y) {{
            real centred = x[(long long)row * width + column] - first - mean;
            sum += centred * centred;
        }}
    return {{mean, column_total(sum)}};
}}

extern "C" __global__ void batch_norm_forward(
    const real* x, const real* gamma, const real* beta, real* y, real* means, real* inverses,
    int rows, int width, real eps)
{{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    bool mine = column < width;
    Moments found = moments(x, rows, width, column);
    real inverse = 1 / sqrt(found.squares / rows + eps);
    if (!mine) return;
    real first = x[column], mean = found.mean;
    for (int row = threadIdx.y; row < rows; row += blockDim.y) {{
        long long i = (long long)row * width + column;
        y[i] = gamma[column] * ((x[i] - first - mean) * inverse) + beta[column];
    }}
    if (threadIdx.y == 0) {{
        means[column] = mean;
        inverses[column] = inverse;
    }}
}}

extern "C" __global__ void batch_norm_backward(
    const real* g, const real* x, const real* gamma, const real* means, const real* inverses,
    real* dx, real* d_gamma, real* d_beta, int rows, int width)
{{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    bool mine = column < width;
    real first = mine ? x[column] : 0, mean = mine ? means[column] : 0, inverse = mine ? inverses[column] : 0;
    real plain = 0, weighted = 0;
    if (mine)
        for (int row = threadIdx.y; row < rows; row += blockDim.y) {{
            long long i = (long long)row * width + column;
            plain += g[i];
            weighted += g[i] * ((x[i] - first - mean) * inverse);
        }}
    plain = column_total(plain);
    weighted = column_total(weighted);
    if (!mine) return;
    for (int row = threadIdx.y; row < rows; row += blockDim.y) {{
        long long i = (long long)row * width + column;
        real x_hat = (x[i] - first - mean) * inverse;
        dx[i] = gamma[column] * inverse * (g[i] - plain / rows - x_hat * (weighted / rows));
    }}
    if (threadIdx.y == 0) {{
        d_gamma[column] = weighted;
        d_beta[column] = plain;
    }}
}}

extern "C" __global__ void batch_norm_follow(
    const real* x, real* running_mean, real* running_var, int rows, int width, real kept, real share)
{{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    Moments found = moments(x, rows, width, column);
    if (column >= width || threadIdx.y) return;
    running_mean[column] = kept * running_mean[column] + share * (found.mean + x[column]);
    running_var[column] = kept * running_var[column] + share * (found.squares / (rows - 1));
}}
"""


@functools.cache
def gather(inputs: str, labels: str, wide: int) -> str:
    """``gather``: the inputs and labels of one batch, pixels (uint8) scaled to [0, 1].

    The batch is `rows` long and begins at ``order[(*step + later) * stride]``: `step` is in the GPU's memory, so that a
    recorded launch can be repeated for one batch after the other. A row is `width` pieces of `wide` numbers each, which
    a thread reads at once.
    """
    pixels = inputs == "uint8"
    held = {"float16": "unsigned short", "uint8": "unsigned char", **REALS}[inputs]  # a float16 is only copied
    return f"""
typedef {held} held_t;
typedef {"float" if pixels else held} real;
typedef {INTEGERS[labels]} label_t;
struct alignas({wide} * sizeof(held_t)) Held {{ held_t v[{wide}]; }};
struct alignas({wide} * sizeof(real)) Real {{ real v[{wide}]; }};

extern "C" __global__ void gather(
    const Held* inputs, const label_t* labels, const long long* order, const long long* step, long long later,
    long long stride, Real* x, label_t* y, int rows, int width)
{{
    const long long* batch = order + (*step + later) * stride;
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    for (int row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {{
        long long sample = batch[row];
        if (column < width) {{
            Held held = inputs[sample * width + column];
            Real found;
            for (int i = 0; i < {wide}; i++) found.v[i] = held.v[i]{f" * {PIXEL:.9}f" if pixels else ""};
            x[(long long)row * width + column] = found;
        }}
        if (column == 0) y[row] = labels[sample];
    }}
}}
"""


@functools.cache
def tally(dtype: str, labels: str) -> str:
    """``tally``: adds a batch's loss times its rows to a sum, its hits to a count, `made` to the number of the step.

    ``count_hits``: the hits alone.
    A hit is a row whose largest output stands where its label says; as for NumPy, the first NaN is the largest. One
    block of at most 1024 threads, of which there are a power of 2.
    """
    return f"""
typedef {REALS[dtype]} real;
typedef {INTEGERS[labels]} label_t;

// How many rows are right, for the block's first thread. All must take part.
__device__ int hits_of(const real* outputs, const label_t* labels, int rows, int classes)
{{
    __shared__ int part[1024];
    int mine = 0;
    for (int row = threadIdx.x; row < rows; row += blockDim.x) {{
        const real* z = outputs + (long long)row * classes;
        real best = z[0];
        int top = 0;
        for (int c = 1; c < classes; c++) {{
            real next = z[c];
            if (best == best && !(next <= best)) {{
                best = next;
                top = c;
            }}
        }}
        mine += (long long)labels[row] == top;
    }}
    part[threadIdx.x] = mine;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {{
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }}
    return part[0];
}}

extern "C" __global__ void tally(
    const real* outputs, const label_t* labels, const real* loss,
    double* last, double* losses, long long* hits, long long* step, long long made, int rows, int classes)
{{
    int right = hits_of(outputs, labels, rows, classes);
    if (threadIdx.x) return;
    *last = *loss;
    *losses += *last * rows;
    *hits += right;
    *step += made;
}}

extern "C" __global__ void count_hits(
    const real* outputs, const label_t* labels, long long* hits, int rows, int classes)
{{
    int right = hits_of(outputs, labels, rows, classes);
    if (threadIdx.x == 0) *hits = right;
}}
"""


def every() -> dict[str, str]:
    """All sources that this file can give, each with a name: what a test compiles."""
    return (
        {f"dense {dtype} {activation}": dense(dtype, activation) for dtype in REALS for activation in ACTIVATIONS}
        | {
            f"loss {dtype} {kind} {lanes}": softmax_cross_entropy(dtype, kind, lanes)
            for dtype in REALS
            for kind in INTEGERS
            for lanes in LANES
        }
        | {f"batch_norm {dtype}": batch_norm(dtype) for dtype in REALS}
        | {f"tally {dtype} {kind}": tally(dtype, kind) for dtype in REALS for kind in ("uint8", "int64")}
        | {
            f"gather {held} {kind} {wide}": gather(held, kind, wide)
            for held in ("uint8", "float16", *REALS)
            for kind in ("uint8", "int64")
            for wide in (1, 4)
        }
    )
