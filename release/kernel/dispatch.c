/* Chooses one of the compiled kernels, once per process, when the first model is loaded.
 *
 * ggml's own choice at run time needs shared libraries.  Here each variant is one
 * relocatable object whose only global name is ggml_cpu_reg_VARIANT (machinery/kernel.py),
 * and everything else of ggml reaches the kernels through ggml_backend_cpu_reg, defined
 * below.  __builtin_cpu_supports asks the operating system too (XGETBV): a processor may
 * have registers that the kernel does not save.
 */

#include <stddef.h>
#include <string.h>

typedef struct ggml_backend_reg * registry;

extern registry ggml_cpu_reg_sse42(void);
extern registry ggml_cpu_reg_haswell(void);
extern registry ggml_cpu_reg_icelake(void);

static int runs_everywhere(void) {
    return 1;
}

static int runs_haswell(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c");
}

static int runs_icelake(void) {
    return runs_haswell() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

/* Fastest first; the last one runs on every x86-64-v2. */
static const struct {
    const char * name;
    registry (*make)(void);
    int (*runs)(void);
} kernels[] = {
    { "icelake", ggml_cpu_reg_icelake, runs_icelake },
    { "haswell", ggml_cpu_reg_haswell, runs_haswell },
    { "sse42", ggml_cpu_reg_sse42, runs_everywhere },
};

static const size_t count = sizeof(kernels) / sizeof(kernels[0]);
static size_t wanted = 0;

static size_t chosen(void) {
    size_t i = wanted;
    while (i + 1 < count && !kernels[i].runs()) {
        i++;
    }
    return i;
}

/* The kernel that runs, or would. */
const char * agi_kernel_name(void) {
    return kernels[chosen()].name;
}

/* Take no faster kernel than this one; 0: there is none of that name. Before the first load. */
int agi_kernel_limit(const char * name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kernels[i].name, name) == 0) {
            wanted = i;
            return 1;
        }
    }
    return 0;
}

registry ggml_backend_cpu_reg(void) {
    return kernels[chosen()].make();
}
