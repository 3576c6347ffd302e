/* Attacks 1 to 46: names that lead to what must not be written or read. */
#include "attack.h"

static long make_hooks(void) { return mkdir(".git/hooks", 0755); }
static long write_hook(void) {
    mkdir(".git/hooks", 0755);
    return overwrite(".git/hooks/pre-commit", O_CREAT | O_WRONLY);
}
static long rename_onto_hooks(void) { return rename("prep", ".git/hooks"); }
static long exchange_git(void) {
    mkdir("prep/hooks", 0755);
    return syscall(SYS_renameat2, AT_FDCWD, "prep", AT_FDCWD, ".git", 2);
}
static long rename_git_away(void) { return rename(".git", "g2"); }
static long link_hooks(void) { return symlink("../prep", ".git/hooks"); }
static long rename_link_onto_hooks(void) {
    if (symlink("../prep", "ls"))
        return -1;
    return rename("ls", ".git/hooks");
}
static long hard_link_in(void) { return link("prep/pre-commit", ".git/config.worktree"); }
static long alias_config(void) {
    if (link(".git/config", "x"))
        return -1;
    return overwrite("x", O_WRONLY | O_TRUNC);
}
static long through_directory_link(void) {
    if (symlink(".git", "gl"))
        return -1;
    return overwrite("gl/config", O_WRONLY | O_TRUNC);
}
static long new_through_directory_link(void) {
    if (symlink(".git", "gl"))
        return -1;
    return overwrite("gl/commondir", O_CREAT | O_WRONLY);
}
static int git(void) { return open(".git", O_RDONLY | O_DIRECTORY); }
static long by_descriptor(void) { return scribble(openat(git(), "config", O_WRONLY)); }
static long make_by_descriptor(void) { return mkdirat(git(), "hooks", 0755); }
static long through_file_link(void) {
    if (symlink(".git/config", "cl"))
        return -1;
    return overwrite("cl", O_WRONLY);
}
static long through_dangling_link(void) {
    if (symlink(".git/commondir", "cd"))
        return -1;
    return overwrite("cd", O_WRONLY | O_CREAT);
}
static long through_proc_cwd(void) { return overwrite("/proc/self/cwd/.git/config", O_WRONLY); }
static long through_thread_cwd(void) {
    return overwrite("/proc/thread-self/cwd/.git/commondir", O_CREAT | O_WRONLY);
}
static long through_proc_root(void) {
    char here[2048];
    if (!getcwd(here, sizeof here))
        return -1;
    return overwrite(named("/proc/self/root%s/.git/config", here), O_WRONLY);
}
static long through_proc_descriptor(void) {
    return overwrite(named("/proc/self/fd/%d/config", git()), O_WRONLY);
}
static long through_task_cwd(void) {
    return overwrite(named("/proc/%d/task/%d/cwd/.git/config", getpid(), getpid()), O_WRONLY);
}
static long reopen_path_descriptor(void) {
    return overwrite(named("/proc/self/fd/%d", open(".git/config", O_PATH)), O_WRONLY);
}
static long reopen_device_descriptor(void) {
    return overwrite(named("/dev/fd/%d", open(".git/config", O_PATH)), O_WRONLY);
}
static long truncate_descriptor(void) {
    return truncate(named("/dev/fd/%d", open(".git/config", O_PATH)), 0);
}
static long reopen_read_only(void) {
    return overwrite(named("/proc/self/fd/%d", open(".git/config", O_RDONLY)), O_RDWR);
}
static long read_only_truncating(void) { return open(".git/config", O_RDONLY | O_TRUNC); }
/* The third access mode grants neither reading nor writing, but asks for both rights. */
static long third_access_mode(void) {
    int fd = open(".git/config", O_ACCMODE);
    return fd < 0 ? -1 : overwrite(named("/proc/self/fd/%d", fd), O_WRONLY);
}
static long truncate_config(void) { return truncate(".git/config", 0); }
static long truncate_open_file(void) { return ftruncate(open(".git/config", O_RDONLY), 0); }
static long map_shared(void) {
    int fd = open(".git/config", O_RDONLY);
    return mmap(0, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
}
static long from_inside_make(void) { return chdir(".git") ? -1 : mkdir("hooks", 0755); }
static long from_inside_write(void) {
    return chdir(".git") ? -1 : overwrite("./config", O_WRONLY);
}
static long dots(void) { return chdir(".git") ? -1 : overwrite("objects/../config", O_WRONLY); }
static int unnamed(void) {
    int fd = open(".", O_TMPFILE | O_RDWR, 0755);
    scribble(fd);
    return fd;
}
static long link_unnamed(void) {
    const char *file = named("/proc/self/fd/%d", unnamed());
    return linkat(AT_FDCWD, file, AT_FDCWD, ".git/commondir", AT_SYMLINK_FOLLOW);
}
static long link_unnamed_by_descriptor(void) {
    return linkat(unnamed(), "", AT_FDCWD, ".git/commondir", AT_EMPTY_PATH);
}
static long unlink_config(void) { return unlink(".git/config"); }
static long make_node(void) { return mknod(".git/commondir", S_IFREG | 0644, 0); }
static long make_pipe(void) { return mknod(".git/commondir", S_IFIFO | 0644, 0); }
static long agent_directory(void) { return mkdir(".agi-agent", 0755); }
static long agent_file(void) {
    mkdir(".agi-agent", 0755);
    return overwrite(".agi-agent/config.json", O_CREAT | O_WRONLY);
}
static long rename_onto_agent(void) { return rename("prep", ".agi-agent"); }
/* Another name wherever names differ by case; where they do not it is the agent's. */
static long agent_by_case(void) {
    struct stat found;
    if (mkdir(".AGI-agent", 0755))
        return -1;
    if (!stat(".agi-agent", &found))
        return 0;
    rmdir(".AGI-agent");
    errno = NOT_HERE;
    return -1;
}
static long present_hard_link(void) { return overwrite("outer-hardlink", O_WRONLY | O_TRUNC); }
static long openat2_config(void) {
    unsigned long how[3] = {O_WRONLY, 0, 0};
    return scribble((int)syscall(SYS_openat2, AT_FDCWD, ".git/config", how, sizeof how));
}
static long write_outside(void) { return overwrite(named("%s/new", outside), O_CREAT | O_WRONLY); }
static long read_shadow(void) { return open("/etc/shadow", O_RDONLY); }
static long write_etc(void) {
    int fd = open("/etc/agi-agent-attack", O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0)
        unlink("/etc/agi-agent-attack");
    return fd;
}

const struct attack file_attacks[] = {
    {"make-hooks", make_hooks},
    {"write-hook", write_hook},
    {"rename-onto-hooks", rename_onto_hooks},
    {"exchange-git", exchange_git},
    {"rename-git-away", rename_git_away},
    {"link-hooks", link_hooks},
    {"rename-link-onto-hooks", rename_link_onto_hooks},
    {"hard-link-in", hard_link_in},
    {"alias-config", alias_config},
    {"through-directory-link", through_directory_link},
    {"new-through-directory-link", new_through_directory_link},
    {"by-descriptor", by_descriptor},
    {"make-by-descriptor", make_by_descriptor},
    {"through-file-link", through_file_link},
    {"through-dangling-link", through_dangling_link},
    {"through-proc-cwd", through_proc_cwd},
    {"through-thread-cwd", through_thread_cwd},
    {"through-proc-root", through_proc_root},
    {"through-proc-descriptor", through_proc_descriptor},
    {"through-task-cwd", through_task_cwd},
    {"reopen-path-descriptor", reopen_path_descriptor},
    {"reopen-device-descriptor", reopen_device_descriptor},
    {"truncate-descriptor", truncate_descriptor},
    {"reopen-read-only", reopen_read_only},
    {"read-only-truncating", read_only_truncating},
    {"third-access-mode", third_access_mode},
    {"truncate-config", truncate_config},
    {"truncate-open-file", truncate_open_file},
    {"map-shared", map_shared},
    {"from-inside-make", from_inside_make},
    {"from-inside-write", from_inside_write},
    {"dots", dots},
    {"link-unnamed", link_unnamed},
    {"link-unnamed-by-descriptor", link_unnamed_by_descriptor},
    {"unlink-config", unlink_config},
    {"make-node", make_node},
    {"make-pipe", make_pipe},
    {"agent-directory", agent_directory},
    {"agent-file", agent_file},
    {"rename-onto-agent", rename_onto_agent},
    {"agent-by-case", agent_by_case},
    {"present-hard-link", present_hard_link},
    {"openat2-config", openat2_config},
    {"write-outside", write_outside},
    {"read-shadow", read_shadow},
    {"write-etc", write_etc},
    {NULL, NULL},
};
