/* Attacks on processes outside of the sandbox: who watches the command, and who started that. */
#include "attack.h"
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

/* The keeper of this command, whatever its number is here. */
static long keeper(void) { return getppid(); }

static long parent_of(long pid) {
    char text[512], *end;
    int fd = open(named("/proc/%ld/stat", pid), O_RDONLY);
    ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (count <= 0)
        return 0;
    text[count] = 0;
    end = strrchr(text, ')');
    return end ? atol(end + 4) : 0;
}

/* The n-th process above; where the view ends, those that the test knows of. */
static long ancestor(int number) {
    long pid = keeper();
    for (int step = 0; step < number; step++) {
        long above = pid > 1 ? parent_of(pid) : 0;
        if (above < 1)
            return outside_pids[(number - step - 1) % (outside_count ? outside_count : 1)];
        pid = above;
    }
    return pid;
}

static long peek(const char *path, int flags) {
    char byte[8];
    int fd = open(path, flags, 0600);
    return fd < 0 ? -1 : read(fd, byte, sizeof byte);
}
static long memory(int number) { return open(named("/proc/%ld/mem", ancestor(number)), O_RDWR); }
static long variables(int number) {
    return peek(named("/proc/%ld/environ", ancestor(number)), O_RDONLY);
}
/* Signal 0 asks for the same permission and harms nobody. */
static long signalled(int number) { return kill((pid_t)ancestor(number), 0); }

#define OF_ANCESTOR(n)                                          \
    static long memory_##n(void) { return memory(n); }          \
    static long variables_##n(void) { return variables(n); }    \
    static long signalled_##n(void) { return signalled(n); }
OF_ANCESTOR(0)
OF_ANCESTOR(1)
OF_ANCESTOR(2)
OF_ANCESTOR(3)
OF_ANCESTOR(4)
OF_ANCESTOR(5)

static long trace_keeper(void) { return ptrace(PTRACE_ATTACH, (pid_t)keeper(), 0, 0); }
static long write_keeper(void) {
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};
    return syscall(SYS_process_vm_writev, keeper(), &here, 1, &there, 1, 0);
}
static long deputy_variables(void) {
    return peek(named("/proc/%ld/environ", keeper()), O_RDONLY | O_CREAT);
}
static long deputy_memory(void) {
    return open(named("/proc/%ld/mem", keeper()), O_RDONLY | O_CREAT, 0);
}
#define OF_DESCRIPTOR(n)                                              \
    static long deputy_descriptor_##n(void) {                         \
        return open(named("/proc/%ld/fd/%d", keeper(), n), O_WRONLY); \
    }
OF_DESCRIPTOR(0)
OF_DESCRIPTOR(1)
OF_DESCRIPTOR(2)
OF_DESCRIPTOR(3)
OF_DESCRIPTOR(4)
OF_DESCRIPTOR(5)
OF_DESCRIPTOR(6)
OF_DESCRIPTOR(7)
static long deputy_directory(void) {
    return overwrite(named("/proc/%ld/cwd/agi-agent-attack", keeper()), O_WRONLY | O_CREAT);
}
static long deputy_root(void) {
    return overwrite(named("/proc/%ld/root%s/new", keeper(), outside), O_WRONLY | O_CREAT);
}
static long limit_keeper(void) {
    struct rlimit limit = {100, 100};
    return syscall(SYS_prlimit64, keeper(), RLIMIT_CPU, &limit, 0);
}

const struct attack process_attacks[] = {
    {"trace-keeper", trace_keeper},
    {"kill-keeper", signalled_0},
    {"write-keeper", write_keeper},
    {"memory-0", memory_0},
    {"variables-0", variables_0},
    {"memory-1", memory_1},
    {"variables-1", variables_1},
    {"signal-1", signalled_1},
    {"memory-2", memory_2},
    {"variables-2", variables_2},
    {"signal-2", signalled_2},
    {"memory-3", memory_3},
    {"variables-3", variables_3},
    {"signal-3", signalled_3},
    {"memory-4", memory_4},
    {"variables-4", variables_4},
    {"signal-4", signalled_4},
    {"memory-5", memory_5},
    {"variables-5", variables_5},
    {"signal-5", signalled_5},
    {"deputy-variables", deputy_variables},
    {"deputy-memory", deputy_memory},
    {"deputy-descriptor-0", deputy_descriptor_0},
    {"deputy-descriptor-1", deputy_descriptor_1},
    {"deputy-descriptor-2", deputy_descriptor_2},
    {"deputy-descriptor-3", deputy_descriptor_3},
    {"deputy-descriptor-4", deputy_descriptor_4},
    {"deputy-descriptor-5", deputy_descriptor_5},
    {"deputy-descriptor-6", deputy_descriptor_6},
    {"deputy-descriptor-7", deputy_descriptor_7},
    {"deputy-directory", deputy_directory},
    {"deputy-root", deputy_root},
    {"limit-keeper", limit_keeper},
    {NULL, NULL},
};
