/* Attacks on the kernel's own doors: other ways in, other numbers, other filters. */
#include "attack.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/un.h>

static char zeros[512];

static long ring(void) { return syscall(SYS_io_uring_setup, 8, zeros); }
static long new_user(void) { return unshare(CLONE_NEWUSER); }
static long clone_three(void) { return syscall(SYS_clone3, zeros, 88); }
static long enter_namespace(void) {
    return setns(open(named("/proc/%d/ns/net", getpid()), O_RDONLY), 0);
}
static long mount_something(void) { return syscall(SYS_mount, "x", "/", "tmpfs", 0, 0); }
static long by_handle(void) { return syscall(SYS_open_by_handle_at, AT_FDCWD, zeros, 0); }
static long snapshot_tree(void) { return ioctl(open(".git", O_RDONLY), 0x50009417, zeros); }
static long new_subvolume(void) { return ioctl(open(".git", O_RDONLY), 0x5000940e, zeros); }

/* A filter of our own: `number` gets this answer, everything else is let through. */
static long filter(unsigned number, unsigned answer, unsigned flags) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
/* A supervisor of our own may answer for us, but not what was refused already. */
static long own_supervisor(void) {
    alarm(5);
    if (filter(SYS_unshare, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER) < 0)
        return -1;
    return unshare(CLONE_NEWUSER);
}
static long own_notification(void) {
    if (filter(SYS_openat, SECCOMP_RET_USER_NOTIF, 0))
        return -1;
    return syscall(SYS_openat, AT_FDCWD, ".git/config", O_WRONLY);
}
static long own_tracing(void) {
#ifdef SYS_creat
    if (filter(SYS_creat, SECCOMP_RET_TRACE, 0))
        return -1;
    return creat(".git/commondir", 0644);
#else
    errno = NOT_HERE;
    return -1;
#endif
}

static long internet(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static long internet_six(void) { return socket(AF_INET6, SOCK_DGRAM, 0); }
static long netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static long machine_socket(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long unix_datagrams(void) { return socket(AF_UNIX, SOCK_DGRAM, 0); }
static long with_unix(int (*call)(int, const struct sockaddr *, socklen_t), const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return call(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
}
static long connect_unix(void) { return with_unix(connect, named("%s.sock", outside)); }
static long bind_unix(void) { return with_unix(bind, ".git/commondir"); }
static long datagram_pair(void) {
    int pair[2];
    return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
}

#ifdef __x86_64__
/* By the numbers of 32-bit programs. */
static long old_call(long number, const char *path, long second) {
    char *low = mmap(0, 4096, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long result;
    strcpy(low, path);
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(low), "c"(second) : "memory");
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : result;
}
static long old_mkdir(void) { return old_call(39, ".git/hooks", 0755); }
static long old_open(void) { return old_call(5, ".git/config", O_WRONLY); }
static long x32_open(void) { return syscall(0x40000000 | 2, ".git/config", O_WRONLY); }
#else
static long old_mkdir(void) { errno = NOT_HERE; return -1; }
static long old_open(void) { return old_mkdir(); }
static long x32_open(void) { return old_mkdir(); }
#endif

const struct attack kernel_attacks[] = {
    {"ring", ring},
    {"new-user", new_user},
    {"clone-three", clone_three},
    {"enter-namespace", enter_namespace},
    {"mount", mount_something},
    {"by-handle", by_handle},
    {"snapshot-tree", snapshot_tree},
    {"new-subvolume", new_subvolume},
    {"own-supervisor", own_supervisor},
    {"own-notification", own_notification},
    {"own-tracing", own_tracing},
    {"internet", internet},
    {"internet-six", internet_six},
    {"netlink", netlink},
    {"machine-socket", machine_socket},
    {"unix-datagrams", unix_datagrams},
    {"connect-unix", connect_unix},
    {"bind-unix", bind_unix},
    {"datagram-pair", datagram_pair},
    {"old-mkdir", old_mkdir},
    {"old-open", old_open},
    {"x32-open", x32_open},
    {NULL, NULL},
};
