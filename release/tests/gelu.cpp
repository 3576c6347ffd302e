/* Holds release/kernel/gelu.cpp against the formula in 64 bits.
 *
 * Rows of every length around a register's, gaps between rows, several threads, values of any size.
 * Prints what is wrong; ends 1 then.
 */

#include "ggml.h"
#include "ops.h"

#include "ggml-cpu-impl.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

static int others = 0;

extern "C" void agi_other_unary(const ggml_compute_params *, ggml_tensor *) { others++; }

static std::mt19937 draw(7);
static int wrong = 0;

static double formula(double x) {
    return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

/* A tensor of `n` x 3 x 2 values with room behind each row. */
static ggml_tensor tensor(int n, int room, std::vector<float> & values) {
    values.assign(size_t(n + room) * 6, -77);
    ggml_tensor made = {};
    made.type = GGML_TYPE_F32;
    made.data = values.data();
    const int64_t shape[] = { n, 3, 2, 1 };
    size_t stride = sizeof(float);
    for (int i = 0; i < 4; i++) {
        made.ne[i] = shape[i];
        made.nb[i] = stride;
        stride *= size_t(i == 0 ? n + room : shape[i]);
    }
    return made;
}

static void apply(ggml_tensor & from, ggml_tensor & to, ggml_unary_op op, int threads) {
    to.src[0] = &from;
    to.op_params[0] = op;
    for (int thread = 0; thread < threads; thread++) {
        ggml_compute_params params = {};
        params.ith = thread;
        params.nth = threads;
        ggml_compute_forward_unary(&params, &to);
    }
}

static void compare(int n, int threads, float size) {
    const int gap = 3, behind = 5;
    std::vector<float> in, out;
    ggml_tensor from = tensor(n, gap, in), to = tensor(n, behind, out);
    std::normal_distribution<float> normal(0, size);
    for (auto & x : in) {
        x = normal(draw);
    }
    apply(from, to, GGML_UNARY_OP_GELU, threads);
    for (int row = 0; row < 6; row++) {
        for (int i = 0; i < n + behind; i++) {
            const double x = i < n ? in[size_t(row * (n + gap) + i)] : 0;
            const double is = out[size_t(row * (n + behind) + i)], should = i < n ? formula(x) : -77;
            /* Near zero the sum in the divisor rounds, and denormal numbers have few digits. */
            const double room = i < n ? 2e-6 * std::fabs(x) + 1e-44 : 0;
            if (!(std::fabs(is - should) <= room) && wrong++ < 10) {
                std::printf("%d values, %d threads, %d of row %d: %g, not %g\n", n, threads, i, row,
                            is, should);
            }
        }
    }
}

/* Values that have no neighbours; also in place. */
static void ends() {
    const float infinite = std::numeric_limits<float>::infinity();
    const float in[] = { infinite, -infinite, 1e30f, -1e30f, -20, -10, 10, 0, -0.0f, 1e-30f };
    const float expected[] = { infinite, 0, 1e30f, 0, 0, 0, 10, 0, 0, 5e-31f };
    std::vector<float> values;
    ggml_tensor both = tensor(10, 0, values);
    std::copy(std::begin(in), std::end(in), values.begin());
    values[10] = std::numeric_limits<float>::quiet_NaN();
    ggml_tensor to = both;
    apply(both, to, GGML_UNARY_OP_GELU, 1);
    for (int i = 0; i < 10; i++) {
        if (!(values[i] == expected[i] || std::fabs(values[i] - expected[i]) <= 1e-30)) {
            wrong++;
            std::printf("of %g: %g, not %g\n", in[i], values[i], expected[i]);
        }
    }
    if (!std::isnan(values[10])) {
        wrong++;
        std::printf("of what is not a number: %g\n", values[10]);
    }
}

int main() {
    for (int n : { 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 100 }) {
        for (int threads : { 1, 2, 4, 7 }) {
            compare(n, threads, 1);
        }
    }
    for (float size : { 0.0f, 1e-38f, 1e-3f, 10.0f, 100.0f, 1e10f }) {
        compare(50, 1, size);
    }
    ends();
    std::vector<float> in, out;
    ggml_tensor from = tensor(8, 0, in), to = tensor(8, 0, out);
    apply(from, to, GGML_UNARY_OP_SILU, 1);
    from.type = GGML_TYPE_F16;
    apply(from, to, GGML_UNARY_OP_GELU, 1);
    if (others != 2) {
        wrong++;
        std::puts("other functions and types are not ours");
    }
    return wrong != 0;
}
