/* What the attacks share: a verdict is printed, never decided here. The test looks at the files too. */
#ifndef ATTACK_H
#define ATTACK_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One attack: what it is called in the table of the test, and what it does. Returns a negative number
 * with `errno` where it was refused, anything else where it got what it wanted. */
struct attack {
    const char *name;
    long (*run)(void);
};

extern const struct attack file_attacks[];
extern const struct attack object_attacks[];
extern const struct attack process_attacks[];
extern const struct attack kernel_attacks[];

/* `errno` of an attack that means nothing on this machine (another architecture, say). */
#define NOT_HERE 9999

/* Process numbers outside of the sandbox, from the test: its own, its parent's, and so on. */
extern long outside_pids[8];
extern int outside_count;

/* Where nothing may be written: the directory beside the workspace. */
extern const char *outside;

/* A name for one of the directories or files of this attack. */
const char *named(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes into an open file; passes a refusal on. */
long scribble(int fd);

/* Opens for writing and writes. */
long overwrite(const char *path, int flags);

#endif
