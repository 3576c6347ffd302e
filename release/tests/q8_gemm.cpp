/* Holds the products of release/kernel/q8_gemm.cpp against plain sums of 64 bits.
 *
 * Sizes around every boundary of its tiles, scales of any size, shares of several threads, rows
 * and columns with room between them that must stay untouched.  Prints what is wrong; ends 1 then.
 */

#define GGML_COMMON_DECL_CPP
#include "ggml-common.h"

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "simd-mappings.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

float ggml_table_f32_f16[1 << 16];

extern "C" bool llamafile_sgemm(const ggml_compute_params *, int64_t, int64_t, int64_t,
                                const void *, int64_t, const void *, int64_t, void *, int64_t,
                                int, int, int);

static int others = 0;

extern "C" bool agi_other_sgemm(const ggml_compute_params *, int64_t, int64_t, int64_t,
                                const void *, int64_t, const void *, int64_t, void *, int64_t,
                                int, int, int) {
    others++;
    return false;
}

static std::mt19937 draw(7);
static int wrong = 0;

static bool multiply(int m, int n, int k, const std::vector<block_q8_0> & a, int lda,
                     const std::vector<float> & b, int ldb, std::vector<float> & c, int ldc,
                     int threads) {
    bool all = true;
    for (int thread = 0; thread < threads; thread++) {
        ggml_compute_params params = {};
        params.ith = thread;
        params.nth = threads;
        all = llamafile_sgemm(&params, m, n, k, a.data(), lda, b.data(), ldb, c.data(), ldc,
                              GGML_TYPE_Q8_0, GGML_TYPE_F32, GGML_TYPE_F32) && all;
    }
    return all;
}

static void compare(int m, int n, int k, int threads, float size) {
    const int lda = k + 1, ldb = k * QK8_0 + 3, ldc = m + 2;
    std::vector<block_q8_0> a(size_t(m) * lda);
    std::vector<float> b(size_t(n) * ldb), c(size_t(n) * ldc, -77);
    for (auto & block : a) {
        block.d = GGML_CPU_FP32_TO_FP16(0.001f * float(draw() % 100));
        for (auto & q : block.qs) {
            q = int8_t(draw());
        }
    }
    std::normal_distribution<float> normal(0, size);
    for (auto & x : b) {
        x = normal(draw);
    }
    if (!multiply(m, n, k, a, lda, b, ldb, c, ldc, threads)) {
        wrong++;
        std::printf("%d x %d x %d: not computed\n", m, n, k);
        return;
    }
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < ldc; i++) {
            double sum = 0, most = 0, weights = 0;
            for (int x = 0; i < m && x < k * QK8_0; x++) {
                const block_q8_0 & block = a[size_t(i) * lda + x / QK8_0];
                const double weight = GGML_CPU_FP16_TO_FP32(block.d) * block.qs[x % QK8_0];
                sum += weight * b[size_t(j) * ldb + x];
                weights += std::fabs(weight);
                most = std::max(most, std::fabs(double(b[size_t(j) * ldb + x])));
            }
            /* Half a unit of 16 bits for each value, the rounding of float sums, and what is
             * taken for nothing. */
            const double room = i < m ? weights * (most * (0.5 / 32767 + 4e-7) + 1e-33) : 0;
            const double is = c[size_t(j) * ldc + i], should = i < m ? sum : -77;
            if (!(std::fabs(is - should) <= room) && wrong++ < 10) {
                std::printf("%d x %d x %d, %d threads, row %d of column %d: %g, not %g +- %g\n",
                            m, n, k, threads, i, j, is, should, room);
            }
        }
    }
}

/* What is not a number stays in its column. */
static void strange(float value) {
    std::vector<block_q8_0> a(16);
    std::vector<float> b(2 * QK8_0, 1.0f), c(2 * 16, 0.0f);
    for (auto & block : a) {
        block.d = GGML_CPU_FP32_TO_FP16(1.0f);
        block.qs[0] = 1;
    }
    b[5] = value;
    multiply(16, 2, 1, a, 1, b, QK8_0, c, 16, 1);
    for (int i = 0; i < 16; i++) {
        if (!std::isnan(c[i]) || std::fabs(c[16 + i] - 1) > 1e-4) {
            wrong++;
            std::printf("beside %g: %g and %g\n", value, c[i], c[16 + i]);
        }
    }
}

int main() {
    for (int i = 0; i < 1 << 16; i++) {
        ggml_table_f32_f16[i] = GGML_COMPUTE_FP16_TO_FP32(ggml_fp16_t(i));
    }
    for (int m : { 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 100 }) {
        for (int n : { 2, 3, 4, 5, 6, 7, 11, 12, 13 }) {
            compare(m, n, 1 + int(draw() % 20), 1 + int(draw() % 4), 1);
        }
    }
    for (int k : { 1, 15, 16, 17, 32, 33, 48 }) {
        compare(40, 5, k, 1, 1);
    }
    for (int n : { 95, 96, 97, 200 }) {
        compare(33, n, 18, 3, 1);
    }
    compare(3, 5, 4, 8, 1);
    for (float size : { 0.0f, 1e-38f, 1e-30f, 1e30f }) {
        compare(20, 4, 17, 2, size);
    }
    strange(std::numeric_limits<float>::quiet_NaN());
    strange(std::numeric_limits<float>::infinity());
    ggml_compute_params params = {};
    params.nth = 1;
    float none = 0;
    block_q8_0 block = {};
    if (llamafile_sgemm(&params, 1, 1, 1, &block, 1, &none, 32, &none, 1, GGML_TYPE_Q8_0,
                        GGML_TYPE_F32, GGML_TYPE_F32) || others != 1) {
        wrong++;
        std::puts("a single column is not ours");
    }
    return wrong != 0;
}
