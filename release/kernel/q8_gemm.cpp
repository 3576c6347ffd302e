/* Products of Q8_0 matrices with several columns, in place of llamafile's.
 *
 * llama.cpp rounds the columns (what the model has computed so far) to 8 bits, block by block,
 * and takes dot products row by row.  Here the columns keep 16 bits, which costs nothing with
 * instructions that multiply pairs of 16 bits.  Where there are many, rows are computed side by
 * side, a row per lane: no sums across lanes, one conversion to float per block; for that rows are
 * interleaved, which few columns do not repay.  Beside llamafile's it is up to three times as fast
 * and leaves the rounding of the weights as the only error (docs/performance.md).
 *
 * Compiled once per instruction set with the rest of ggml (CMakeLists.txt renames llamafile's
 * function to agi_other_sgemm); everything that is not Q8_0 x F32 goes there.
 */

#define GGML_COMMON_DECL_CPP
#include "ggml-common.h"

#include "ggml-cpu-impl.h"
#include "ggml.h"
#include "simd-mappings.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

extern "C" bool agi_other_sgemm(const ggml_compute_params *, int64_t, int64_t, int64_t,
                                const void *, int64_t, const void *, int64_t, void *, int64_t,
                                int, int, int);

#if defined(__SSE4_1__)
namespace {

/* Values of a block, and pairs of values. */
constexpr int BLOCK = QK8_0, PAIRS = BLOCK / 2;
/* Blocks and columns that are prepared at once: 96 KB of columns, 4 to 16 KB of rows. */
constexpr int DEEP = 16, WIDE = 96;
constexpr int LENGTH = DEEP * BLOCK;

/* Rows of a register; columns of which, with twice as many rows, all sums stay in registers; columns
 * up to which preparing rows costs more than it saves (measured). */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
constexpr int LANES = 16, TILE = 6, FEW = 4;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int LANES = 8, TILE = 3, FEW = 20;
#else
constexpr int LANES = 4, TILE = 3, FEW = 20;
#endif
/* Columns of which the sums with a single row stay in registers. */
constexpr int GROUP = 12;

/* Registers.  Their arithmetic is the compiler's; it makes several instructions of these two. */
typedef float floats __attribute__((vector_size(LANES * 4)));
typedef int32_t integers __attribute__((vector_size(LANES * 4)));
typedef int16_t words __attribute__((vector_size(LANES * 4)));

/* Values in 16 bits, and sums with the products of two pairs of such values added to each. */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
inline words widened(const int8_t * from) {
    return (words) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *) from));
}
inline integers add_products(integers sum, words a, words b) {
    return (integers) _mm512_dpwssd_epi32((__m512i) sum, (__m512i) a, (__m512i) b);
}
#elif defined(__AVX2__) && defined(__FMA__)
inline words widened(const int8_t * from) {
    return (words) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) from));
}
inline integers add_products(integers sum, words a, words b) {
    return sum + (integers) _mm256_madd_epi16((__m256i) a, (__m256i) b);
}
#else
inline words widened(const int8_t * from) {
    return (words) _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *) from));
}
inline integers add_products(integers sum, words a, words b) {
    return sum + (integers) _mm_madd_epi16((__m128i) a, (__m128i) b);
}
#endif

/* A register's content, wherever it stands. */
template <typename T> inline T load(const void * from) {
    T values;
    std::memcpy(&values, from, sizeof values);
    return values;
}
inline void store(float * to, floats x) { std::memcpy(to, &x, sizeof x); }
inline floats as_floats(integers x) { return __builtin_convertvector(x, floats); }

/* Rows that are computed at once. */
constexpr int ROWS = 2 * LANES;

struct Rows {
    /* The pairs of a block one behind the other, of each pair the values of all rows. */
    alignas(64) int8_t values[DEEP][PAIRS][ROWS][2];
    alignas(64) float scales[DEEP][ROWS];
};

struct Columns {
    alignas(64) int16_t values[WIDE][LENGTH];
    float scales[WIDE];
};

/* Eight rows' 16 bytes each, to eight pairs of all rows. */
inline void transpose(const block_q8_0 * const * from, int block, int half, int8_t * to) {
    __m128i x[8], y[8];
    for (int i = 0; i < 8; i++) {
        x[i] = _mm_loadu_si128((const __m128i *) (from[i][block].qs + half * 16));
    }
    for (int i = 0; i < 4; i++) {
        y[i] = _mm_unpacklo_epi16(x[2 * i], x[2 * i + 1]);
        y[i + 4] = _mm_unpackhi_epi16(x[2 * i], x[2 * i + 1]);
    }
    for (int i = 0; i < 8; i += 2) {
        x[i] = _mm_unpacklo_epi32(y[i], y[i + 1]);
        x[i + 1] = _mm_unpackhi_epi32(y[i], y[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int j = 0; j < 2; j++) {
            auto * place = (__m128i *) (to + (i + 2 * j) * ROWS * 2);
            _mm_store_si128(place, _mm_unpacklo_epi64(x[i + j], x[i + j + 2]));
            place = (__m128i *) (to + (i + 2 * j + 1) * ROWS * 2);
            _mm_store_si128(place, _mm_unpackhi_epi64(x[i + j], x[i + j + 2]));
        }
    }
}

/* `count` rows, of which the last stands for those that are missing. */
void prepare(Rows & rows, const block_q8_0 * from, int64_t stride, int count, int blocks) {
    const block_q8_0 * row[ROWS];
    for (int i = 0; i < ROWS; i++) {
        row[i] = from + std::min(i, count - 1) * stride;
    }
    for (int block = 0; block < blocks; block++) {
        for (int i = 0; i < ROWS; i += 8) {
            transpose(row + i, block, 0, rows.values[block][0][i]);
            transpose(row + i, block, 1, rows.values[block][PAIRS / 2][i]);
        }
        for (int i = 0; i < ROWS; i++) {
            rows.scales[block][i] = GGML_CPU_FP16_TO_FP32(row[i][block].d);
        }
    }
}

/* A column in 16 bits, `length` (a multiple of 32) values; gives what one of them is worth. */
float prepare(int16_t * to, const float * from, int length) {
    const __m128i positive = _mm_set1_epi32(0x7fffffff);
    __m128i most = _mm_setzero_si128();
    for (int i = 0; i < length; i += 4) {
        /* As integers positive floats have the same order, and what is not a number is above. */
        const __m128i x = _mm_castps_si128(_mm_loadu_ps(from + i));
        most = _mm_max_epi32(most, _mm_and_si128(x, positive));
    }
    most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0x4e));
    most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0xb1));
    const float greatest = _mm_cvtss_f32(_mm_castsi128_ps(most));
    if (!std::isfinite(greatest)) {
        std::fill(to, to + length, int16_t(1));
        return NAN;
    }
    /* Below this, 32767 / greatest is infinite. */
    const __m128 factor = _mm_set1_ps(greatest > 1e-33f ? 32767 / greatest : 0);
    for (int i = 0; i < length; i += 8) {
        const __m128i low = _mm_cvtps_epi32(_mm_mul_ps(_mm_loadu_ps(from + i), factor));
        const __m128i high = _mm_cvtps_epi32(_mm_mul_ps(_mm_loadu_ps(from + i + 4), factor));
        _mm_storeu_si128((__m128i *) (to + i), _mm_packs_epi32(low, high));
    }
    return greatest / 32767;
}

/* All rows times `N` columns from `column` on; sums of the second half of the rows stand behind
 * those of the first.  A sum of a block is below 32 * 128 * 32767, which 32 bits hold. */
template <int N>
void tile(const Rows & rows, const Columns & columns, int column, int blocks, floats * sums) {
    for (int j = 0; j < 2 * N; j++) {
        sums[j] = floats {};
    }
    for (int block = 0; block < blocks; block++) {
        integers upper[N], lower[N];
        for (int j = 0; j < N; j++) {
            upper[j] = lower[j] = integers {};
        }
#pragma GCC unroll 4
        for (int p = 0; p < PAIRS; p++) {
            const words a = widened(rows.values[block][p][0]);
            const words b = widened(rows.values[block][p][LANES]);
#pragma GCC unroll 6
            for (int j = 0; j < N; j++) {
                const int16_t * from = columns.values[column + j] + block * BLOCK + 2 * p;
                const words x = (words) (integers {} + load<int32_t>(from));
                upper[j] = add_products(upper[j], a, x);
                lower[j] = add_products(lower[j], b, x);
            }
        }
        const floats a = load<floats>(rows.scales[block]);
        const floats b = load<floats>(rows.scales[block] + LANES);
        for (int j = 0; j < N; j++) {
            sums[j] += as_floats(upper[j]) * a;
            sums[N + j] += as_floats(lower[j]) * b;
        }
    }
}

/* Adds those sums, each worth its column's scale, to `results`. */
template <int N>
void add_tile(const Rows & rows, const Columns & columns, int column, int blocks,
              float (*results)[ROWS]) {
    floats sums[2 * N];
    tile<N>(rows, columns, column, blocks, sums);
    for (int j = 0; j < N; j++) {
        const float scale = columns.scales[column + j];
        store(results[j], load<floats>(results[j]) + sums[j] * scale);
        float * lower = results[j] + LANES;
        store(lower, load<floats>(lower) + sums[N + j] * scale);
    }
}

inline float total(floats x) {
    __m128 parts[LANES / 4];
    std::memcpy(parts, &x, sizeof x);
    __m128 sum = parts[0];
    for (int i = 1; i < LANES / 4; i++) {
        sum = _mm_add_ps(sum, parts[i]);
    }
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/* A row as it is times `N` columns from `column` on, all sums in registers. */
template <int N>
void dots(const block_q8_0 * row, const Columns & columns, int column, int blocks,
          float * results) {
    constexpr int WORDS = 2 * LANES, PARTS = BLOCK / WORDS;
    floats sums[N] = {};
    for (int block = 0; block < blocks; block++) {
        const float scale = GGML_CPU_FP16_TO_FP32(row[block].d);
        words weights[PARTS];
        for (int i = 0; i < PARTS; i++) {
            weights[i] = widened(row[block].qs + i * WORDS);
        }
#pragma GCC unroll 12
        for (int j = 0; j < N; j++) {
            const int16_t * from = columns.values[column + j] + block * BLOCK;
            integers products = {};
#pragma GCC unroll 4
            for (int i = 0; i < PARTS; i++) {
                products = add_products(products, weights[i], load<words>(from + i * WORDS));
            }
            sums[j] += as_floats(products) * scale;
        }
    }
    for (int j = 0; j < N; j++) {
        results[j] = total(sums[j]) * columns.scales[column + j];
    }
}

/* Calls `body` with `count`, which is from 1 to `N`, as a constant. */
template <int N, typename Body> void with_constant(int count, const Body & body) {
    if (count == N) {
        body(std::integral_constant<int, N>());
    } else if constexpr (N > 1) {
        with_constant<N - 1>(count, body);
    }
}

struct Work {
    int64_t m, n, blocks;
    const block_q8_0 * a;
    int64_t lda;
    const float * b;
    int64_t ldb;
    float * c;
    int64_t ldc;
};

/* The columns that are prepared, times rows `start` to `end`; `column` and `deep`: where they
 * stand in the whole. */
void panels(const Work & work, const Columns & columns, int64_t column, int width, int64_t deep,
            int blocks, int64_t start, int64_t end) {
    Rows rows;
    for (int64_t row = start; row < end; row += ROWS) {
        const int count = int(std::min<int64_t>(ROWS, end - row));
        prepare(rows, work.a + row * work.lda + deep, work.lda, count, blocks);
        for (int j = 0; j < width; j += TILE) {
            const int some = std::min(TILE, width - j);
            float results[TILE][ROWS] = {};
            float * to = work.c + (column + j) * work.ldc + row;
            for (int k = 0; deep > 0 && k < some; k++) {
                std::memcpy(results[k], to + k * work.ldc, count * sizeof(float));
            }
            with_constant<TILE>(some, [&](auto n) {
                add_tile<n()>(rows, columns, j, blocks, results);
            });
            for (int k = 0; k < some; k++) {
                std::memcpy(to + k * work.ldc, results[k], count * sizeof(float));
            }
        }
    }
}

/* The same for few columns, rows as they are. */
void singly(const Work & work, const Columns & columns, int64_t column, int width, int64_t deep,
            int blocks, int64_t start, int64_t end) {
    for (int64_t row = start; row < end; row++) {
        for (int j = 0; j < width; j += GROUP) {
            const int some = std::min(GROUP, width - j);
            float results[GROUP];
            with_constant<GROUP>(some, [&](auto n) {
                dots<n()>(work.a + row * work.lda + deep, columns, j, blocks, results);
            });
            for (int k = 0; k < some; k++) {
                float & to = work.c[(column + j + k) * work.ldc + row];
                to = results[k] + (deep > 0 ? to : 0);
            }
        }
    }
}

/* This thread's share: whole groups of rows, all columns. */
void multiply(const Work & work, int thread, int threads) {
    const int64_t groups = (work.m + ROWS - 1) / ROWS;
    const int64_t start = groups * thread / threads * ROWS;
    const int64_t end = std::min(work.m, groups * (thread + 1) / threads * ROWS);
    Columns columns;
    for (int64_t column = 0; start < end && column < work.n; column += WIDE) {
        const int width = int(std::min<int64_t>(WIDE, work.n - column));
        for (int64_t deep = 0; deep < work.blocks; deep += DEEP) {
            const int blocks = int(std::min<int64_t>(DEEP, work.blocks - deep));
            for (int j = 0; j < width; j++) {
                const float * from = work.b + (column + j) * work.ldb + deep * BLOCK;
                columns.scales[j] = prepare(columns.values[j], from, blocks * BLOCK);
            }
            if (width <= FEW) {
                singly(work, columns, column, width, deep, blocks, start, end);
            } else {
                panels(work, columns, column, width, deep, blocks, start, end);
            }
        }
    }
}

}  // namespace
#endif

/* C (n columns of m values) = A (m rows of k blocks) x B (n columns of k blocks' values), the
 * share of one thread; false: not computed here.  One column alone is better taken as dot
 * products, which ggml does itself then. */
extern "C" bool llamafile_sgemm(const ggml_compute_params * params, int64_t m, int64_t n,
                                int64_t k, const void * a, int64_t lda, const void * b,
                                int64_t ldb, void * c, int64_t ldc, int a_type, int b_type,
                                int c_type) {
#if defined(__SSE4_1__)
    if (a_type == GGML_TYPE_Q8_0 && b_type == GGML_TYPE_F32 && c_type == GGML_TYPE_F32 && n > 1) {
        multiply({ m, n, k, (const block_q8_0 *) a, lda, (const float *) b, ldb, (float *) c, ldc },
                 params->ith, params->nth);
        return true;
    }
#endif
    return agi_other_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
}
