/* What a fully static glibc program must not leave to chance: loading shared libraries.
 *
 * Linked into dist/agi-agent only. glibc's dlopen works in a static program by loading
 * a second libc, of whatever version the machine has, and that ends in crashes; here
 * every attempt (an extension module, ctypes, an SQLite extension, OpenSSL's engines) gets
 * an error that says what to do instead. The name service has the same trap inside: an
 * nsswitch.conf that names `systemd` or `ldap` would load their libraries, so the sources
 * are pinned to those that libc itself contains.
 */

#include <nss.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

/* The linker is told to send calls of dlopen and its relatives here (--wrap). */
void *__wrap_dlopen(const char *file, int mode);
void *__wrap_dlsym(void *handle, const char *name);
char *__wrap_dlerror(void);
int __wrap_dlclose(void *handle);

static const char no_loading[] =
    "this is the fully static agi-agent, which cannot load shared libraries; "
    "agi-agent-gnu can";
static const char no_symbols[] = "a fully static program has no symbols to look up";

/* The handle of the program itself: `import ctypes` asks for it. */
static char program;

static _Thread_local const char *failure;

void *__wrap_dlopen(const char *file, int mode)
{
    (void)mode;
    if (file == NULL)
        return &program;
    failure = no_loading;
    return NULL;
}

void *__wrap_dlsym(void *handle, const char *name)
{
    (void)handle;
    /* Rust's getrandom asks for it by name, and would read /dev/urandom otherwise, which is
     * not there in an empty root. */
    if (strcmp(name, "getrandom") == 0)
        return (void *)getrandom;
    failure = no_symbols;
    return NULL;
}

char *__wrap_dlerror(void)
{
    const char *last = failure;
    failure = NULL;
    return (char *)last;
}

int __wrap_dlclose(void *handle)
{
    (void)handle;
    return 0;
}

__attribute__((constructor)) static void pin_name_service(void)
{
    static const char *const databases[][2] = {
        {"hosts", "files dns"}, {"passwd", "files"},   {"group", "files"},
        {"initgroups", "files"}, {"shadow", "files"},  {"gshadow", "files"},
        {"services", "files"},   {"protocols", "files"}, {"networks", "files dns"},
        {"rpc", "files"},        {"ethers", "files"},  {"netgroup", "files"},
        {"aliases", "files"},
    };

    for (size_t one = 0; one < sizeof databases / sizeof databases[0]; one++)
        __nss_configure_lookup(databases[one][0], databases[one][1]);
}
