/* Races, and programs that stay: what is written between a check and its use, or after the end. */
#include "attack.h"

/* One letter decides which directory it is, so that no third name is ever seen. */
static volatile char name[] = "xgit/config.worktree";
static volatile int is_over;

static void *flip(void *unused) {
    (void)unused;
    while (!is_over) {
        name[0] = '.';
        name[0] = 'x';
    }
    return NULL;
}

static long rounds(void) {
    const char *text = getenv("ATTACK_ROUNDS");
    return text ? atol(text) : 20000;
}

/* The name changes in memory while it is used. */
static long race_of_arguments(void) {
    pthread_t thread;
    if (mkdir("xgit", 0755) || pthread_create(&thread, NULL, flip, NULL))
        return 0;
    for (long round = rounds(); round > 0; round--) {
        int fd = open((char *)name, O_CREAT | O_WRONLY, 0644);
        if (fd >= 0)
            close(fd);
    }
    is_over = 1;
    pthread_join(thread, NULL);
    return access(".git/config.worktree", F_OK);
}

/* A link on the way changes its target while it is used. */
static long race_of_links(void) {
    if (symlink("okdir", "sw"))
        return -1;
    pid_t swapper = fork();
    if (!swapper) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            if (!symlink(".git", "sw2"))
                rename("sw2", "sw");
            if (!symlink("okdir", "sw3"))
                rename("sw3", "sw");
        }
    }
    for (long round = rounds() / 4; round > 0; round--) {
        int fd = open("sw/config.worktree", O_CREAT | O_WRONLY, 0644);
        if (fd >= 0)
            close(fd);
    }
    kill(swapper, SIGKILL);
    waitpid(swapper, NULL, 0);
    return access(".git/config.worktree", F_OK);
}

/* All that makes names in one process, one after the other; then: is there anything? */
static void everything(void) {
    for (const struct attack *attack = file_attacks; attack->name; attack++) {
        pid_t child = fork();
        if (!child) {
            attack->run();
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}
static long hooks_after_everything(void) {
    everything();
    errno = EACCES;
    return access(".git/hooks", F_OK);
}
static long common_directory_after_everything(void) {
    everything();
    errno = EACCES;
    return access(".git/commondir", F_OK);
}

/* Whether what somebody else was to do is done. */
static long is_done(void) {
    char text[4096];
    int fd = open(".git/config", O_RDONLY);
    ssize_t count = fd < 0 ? 0 : read(fd, text, sizeof text);
    if (count > 0 && memmem(text, (size_t)count, "evil", 4))
        return 0;
    errno = EACCES;
    return access(".git/hooks", F_OK);
}

/* Twice forked, in a session of its own: goes on after the command has ended. */
static long staying(void (*act)(void)) {
    pid_t child = fork();
    if (child) {
        waitpid(child, NULL, 0);
        usleep(50000);
        return is_done();
    }
    setsid();
    if (fork())
        _exit(0);
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGCHLD)
            (void)!sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    for (;;)
        act();
}
static void write_config(void) { overwrite(".git/config", O_WRONLY | O_CREAT | O_APPEND); }
static long writer_that_stays(void) { return staying(write_config); }
static void replace_hooks(void) {
    mkdir("s", 0755);
    overwrite("s/pre-commit", O_CREAT | O_WRONLY);
    rename("s", ".git/hooks");
    syscall(SYS_renameat2, AT_FDCWD, "s", AT_FDCWD, ".git/hooks", 2);
    usleep(100);
}
static long renamer_that_stays(void) { return staying(replace_hooks); }
/* Exchanged, never removed: at whatever moment it is killed, there is something to put back. */
static void swap_to_outside(void) {
    syscall(SYS_renameat2, AT_FDCWD, "sl", AT_FDCWD, ".git/hooks", 2);
    usleep(100);
}
/* The repair must not be led outside, where it removes and writes. */
static long swapper_that_stays(void) {
    mkdir(".git/hooks", 0755);
    overwrite(".git/hooks/pre-commit", O_CREAT | O_WRONLY);
    if (symlink(outside, "sl"))
        return -1;
    staying(swap_to_outside);
    return access(".git/hooks/pre-commit", F_OK) && access("sl/pre-commit", F_OK) ? -1 : 0;
}
static long held_descriptor(void) {
    int fd = open(".git/config", O_WRONLY | O_APPEND);
    if (fd < 0)
        return -1;
    pid_t child = fork();
    if (child) {
        usleep(20000);
        return 0;
    }
    setsid();
    for (;;)
        if (scribble(fd) < 0)
            usleep(1000);
}
static long mapped_memory(void) {
    int fd = open(".git/config", O_RDWR);
    char *text = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (text == MAP_FAILED)
        return -1;
    pid_t child = fork();
    if (child) {
        usleep(20000);
        return 0;
    }
    setsid();
    for (;;)
        memcpy(text, "[evil]", 6);
}
static long mode_of_config(void) { return chmod(".git/config", 0777); }

const struct attack object_attacks[] = {
    {"race-of-arguments", race_of_arguments},
    {"race-of-links", race_of_links},
    {"hooks-after-everything", hooks_after_everything},
    {"common-directory-after-everything", common_directory_after_everything},
    {"writer-that-stays", writer_that_stays},
    {"renamer-that-stays", renamer_that_stays},
    {"swapper-that-stays", swapper_that_stays},
    {"held-descriptor", held_descriptor},
    {"mapped-memory", mapped_memory},
    {"mode-of-config", mode_of_config},
    {NULL, NULL},
};
