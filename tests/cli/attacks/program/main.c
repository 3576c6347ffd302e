/* Runs one attack by its name, in a workspace that has a repository: `attack NAME OUTSIDE PID...`. */
#include "attack.h"
#include <stdarg.h>

long outside_pids[8];
int outside_count;
const char *outside;

const char *named(const char *format, ...) {
    static char texts[8][4096];
    static int next;
    char *text = texts[next++ % 8];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof texts[0], format, list);
    va_end(list);
    return text;
}

long scribble(int fd) {
    if (fd < 0)
        return -1;
    return write(fd, "evil\n", 5);
}

long overwrite(const char *path, int flags) { return scribble(open(path, flags, 0755)); }

static const struct attack *find(const char *name) {
    const struct attack *lists[] = {file_attacks, object_attacks, process_attacks, kernel_attacks};
    for (size_t list = 0; list < sizeof lists / sizeof *lists; list++)
        for (const struct attack *attack = lists[list]; attack->name; attack++)
            if (!strcmp(attack->name, name))
                return attack;
    return NULL;
}

static void prepare(void) {
    mkdir("okdir", 0755);
    mkdir("prep", 0755);
    int hook = open("prep/pre-commit", O_CREAT | O_WRONLY, 0755);
    if (hook >= 0 && write(hook, "#!/bin/sh\nevil\n", 15) == 15)
        close(hook);
}

int main(int count, char **words) {
    if (count < 3)
        return 64;
    outside = words[2];
    for (int word = 3; word < count && outside_count < 8; word++)
        outside_pids[outside_count++] = atol(words[word]);
    const struct attack *attack = find(words[1]);
    if (!attack) {
        printf("unknown\n");
        return 64;
    }
    prepare();
    errno = 0;
    long result = attack->run();
    int reason = errno;
    if (result >= 0)
        printf("reached %ld\n", result);
    else if (reason == NOT_HERE)
        printf("not-here\n");
    else
        printf("refused %s\n", strerrorname_np(reason) ? strerrorname_np(reason) : "0");
    return 0;
}
