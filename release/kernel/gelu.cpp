/* GELU of 32-bit floats, in place of ggml's.
 *
 * ggml looks each value up in a table of 16-bit floats; with the sentence model a twelfth of the time
 * went there.  Here registers of values are computed, by the same formula (the one with tanh) and
 * with ggml's exponential function.
 *
 * Compiled once per instruction set with the rest of ggml (CMakeLists.txt renames its function to
 * agi_other_unary); everything that is not GELU of 32-bit floats goes there.
 */

#include "ggml.h"
#include "ops.h"
#include "vec.h"

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

extern "C" void agi_other_unary(const ggml_compute_params *, ggml_tensor *);

#if defined(__SSE2__)
namespace {

/* What ggml_v_expf takes. */
#if defined(__AVX512F__) && defined(__AVX512DQ__)
using floats = __m512;
#elif defined(__AVX2__) && defined(__FMA__)
using floats = __m256;
#else
using floats = __m128;
#endif
constexpr int64_t LANES = sizeof(floats) / sizeof(float);

/* x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3))), which is x / (1 + exp(-2 * that)). */
floats gelu(floats x) {
    /* It is nothing below, and minus infinity would become a quotient of infinities. */
    x = x < -20.0f ? floats {} - 20.0f : x;
    return x / (1.0f + ggml_v_expf(x * (-1.5957691216f - 0.0713548163f * (x * x))));
}

void gelu(int64_t count, float * to, const float * from) {
    const auto step = [&](int64_t i, size_t size) {
        floats x = {};
        std::memcpy(&x, from + i, size);
        x = gelu(x);
        std::memcpy(to + i, &x, size);
    };
    const int64_t whole = count / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES) {
        step(i, sizeof(floats));
    }
    step(whole, (count - whole) * sizeof(float));
}

/* This thread's share of the rows. */
void gelu(const ggml_compute_params * params, const ggml_tensor * from, ggml_tensor * to) {
    const int64_t rows = from->ne[1] * from->ne[2] * from->ne[3];
    const int64_t end = rows * (params->ith + 1) / params->nth;
    for (int64_t row = rows * params->ith / params->nth; row < end; row++) {
        const int64_t i1 = row % from->ne[1], i2 = row / from->ne[1] % from->ne[2];
        const int64_t i3 = row / from->ne[1] / from->ne[2];
        const auto place = [&](const ggml_tensor * tensor) {
            return (float *) ((char *) tensor->data + i1 * tensor->nb[1] + i2 * tensor->nb[2] +
                              i3 * tensor->nb[3]);
        };
        gelu(from->ne[0], place(to), place(from));
    }
}

}  // namespace
#endif

/* `to` = a function of each value of its source, the share of one thread.  Both have the same shape
 * and rows without gaps. */
extern "C" void ggml_compute_forward_unary(const ggml_compute_params * params, ggml_tensor * to) {
#if defined(__SSE2__)
    const ggml_tensor * from = to->src[0];
    if (to->op_params[0] == GGML_UNARY_OP_GELU && from->type == GGML_TYPE_F32 &&
        to->type == GGML_TYPE_F32) {
        gelu(params, from, to);
        return;
    }
#endif
    agi_other_unary(params, to);
}
