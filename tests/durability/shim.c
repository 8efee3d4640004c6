/* Preloaded into a process under test: it records, in the order of their effects, what the process
 * does to the files below a folder, and makes a chosen sync or write fail.
 *
 * DURABLE_SHIM_ROOT   the folder, as an absolute path without links
 * DURABLE_SHIM_TRACE  where the record is appended; `trace.rs` says how it is read
 * DURABLE_SHIM_FAIL   `sync N`: the N-th sync fails with EIO, and nothing was synced;
 *                     `write N`: the N-th write fails with ENOSPC
 *                     `lack N`: the N-th call that may lack something, and the two after it, fail:
 *                     to open a file with EMFILE, to write, to make room or to rename with ENOSPC;
 *                     not what sled writes to its file, for which room has been made
 *                     `break N`: the N-th such call fails with EIO, whatever it is
 *                     With the last two, each such call is recorded.
 *
 * What changes a file is done and recorded under one lock, so the order is the true one. A sync is
 * recorded when it begins and when it has ended: it covers what was written before it began. Of
 * `sync_file_range` nothing is recorded, since it promises nothing.
 *
 * A write to the file `marks` in the folder that begins with `!` kills the process, at a moment when
 * everything that was done is recorded; after one that begins with `?`, the next sync does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name, result, ...)                                  \
    static result (*real)(__VA_ARGS__);                          \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

struct header {
    uint32_t op, path_len;
    uint64_t offset, data_len, token;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static int trace = -1;
static uint64_t syncs, writes, calls, failing_sync, failing_write, lacking_call, breaking_call;
/* What may fail is counted: 'l' for what lacks something, 'b' for what breaks. */
static char counts_calls;
static int next_sync_kills;

__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("DURABLE_SHIM_ROOT"), *out = getenv("DURABLE_SHIM_TRACE");
    const char *fail = getenv("DURABLE_SHIM_FAIL");
    if (!folder || !out) return;
    snprintf(root, sizeof root, "%s/", folder);
    root_len = strlen(root);
    trace = (int)syscall(SYS_openat, AT_FDCWD, out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fail && !strncmp(fail, "sync ", 5)) failing_sync = strtoull(fail + 5, NULL, 10);
    if (fail && !strncmp(fail, "lack ", 5)) counts_calls = 'l', lacking_call = strtoull(fail + 5, NULL, 10);
    if (fail && !strncmp(fail, "break ", 6)) counts_calls = 'b', breaking_call = strtoull(fail + 6, NULL, 10);
    if (fail && !strncmp(fail, "write ", 6)) failing_write = strtoull(fail + 6, NULL, 10);
}

/* The name below the root of what `path` means to the process; NULL if it is somewhere else. */
static const char *below(int folder, const char *path, char *full) {
    char link[64];
    full[0] = 0;
    if (trace < 0) return NULL;
    if (path[0] != '/') {
        if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t len = readlink(link, full, PATH_MAX - 1);
        if (len < 0) return NULL;
        full[len] = '/', full[len + 1] = 0;
    }
    strncat(full, path, PATH_MAX - 1 - strlen(full));
    return strncmp(full, root, root_len) ? NULL : full + root_len;
}

/* The same for an open file. What has no name any more is nowhere. */
static const char *name_of(int fd, char *full) {
    char link[64];
    if (trace < 0) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, full, PATH_MAX - 1);
    if (len < 0) return NULL;
    full[len] = 0;
    if (len > 10 && !strcmp(full + len - 10, " (deleted)")) return NULL;
    if ((size_t)len + 1 == root_len && !strncmp(full, root, len)) return "";
    return strncmp(full, root, root_len) ? NULL : full + root_len;
}

static void record(char op, const char *path, uint64_t offset, const void *data, uint64_t len,
                   uint64_t token) {
    struct header header = {(uint32_t)op, (uint32_t)strlen(path), offset, len, token};
    struct iovec parts[3] = {
        {&header, sizeof header}, {(void *)path, header.path_len}, {(void *)data, len}};
    ssize_t wanted = (ssize_t)(sizeof header + header.path_len + len);
    if (syscall(SYS_writev, trace, parts, 3) != wanted) abort();
}

/* Whether this call is one that fails, with `lacks` if something is lacking. */
static int fails(const char *name, int lacks) {
    if (!name || !strcmp(name, "marks") || !counts_calls) return 0;
    uint64_t call = ++calls;
    record('A', name, 0, NULL, 0, 0);
    if (counts_calls == 'b') {
        if (call != breaking_call) return 0;
        /* A disk takes its time to fail; whoever waits for it is waiting by then. */
        usleep(20000);
        errno = EIO;
        return 1;
    }
    errno = lacks;
    return lacking_call && call >= lacking_call && call < lacking_call + 3;
}

/* Whether this write is one that fails. */
static int write_fails(const char *name) {
    if (!name || !strcmp(name, "marks")) return 0;
    int has_room = counts_calls == 'l' && !strncmp(name, "hub/sled/", 9);
    if (!has_room && fails(name, ENOSPC)) return 1;
    if (++writes != failing_write) return 0;
    errno = ENOSPC;
    return 1;
}

static uint64_t token_of(uint64_t number) { return ((uint64_t)getpid() << 32) | number; }

static void wrote(int fd, const char *name, off_t offset, const void *data, ssize_t len) {
    record('W', name, (uint64_t)offset, data, (uint64_t)len, 0);
    if (fcntl(fd, F_GETFL) & O_DSYNC) {
        uint64_t token = token_of(++syncs);
        record('B', name, 0, NULL, 0, token);
        record('S', name, 0, NULL, 0, token);
    }
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void kill_if_asked(const char *name, const void *data, size_t len) {
    if (strcmp(name, "marks") || !len) return;
    if (*(const char *)data == '!') die();
    if (*(const char *)data == '?') next_sync_kills = 1;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset) {
    REAL("pwrite64", ssize_t, int, const void *, size_t, off_t);
    char full[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = name_of(fd, full);
    ssize_t done = write_fails(name) ? -1 : real(fd, data, len, offset);
    if (name && done > 0) wrote(fd, name, offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset) {
    return pwrite64(fd, data, len, offset);
}

ssize_t write(int fd, const void *data, size_t len) {
    REAL("write", ssize_t, int, const void *, size_t);
    char full[PATH_MAX];
    if (trace < 0 || fd <= 2) return real(fd, data, len);
    pthread_mutex_lock(&lock);
    const char *name = name_of(fd, full);
    if (name) kill_if_asked(name, data, len);
    ssize_t done = write_fails(name) ? -1 : real(fd, data, len);
    if (name && done > 0) wrote(fd, name, lseek(fd, 0, SEEK_CUR) - done, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

static void wrote_parts(int fd, const char *name, off_t offset, const struct iovec *parts,
                        ssize_t left) {
    for (; left > 0; parts++) {
        ssize_t len = (ssize_t)parts->iov_len < left ? (ssize_t)parts->iov_len : left;
        if (len) wrote(fd, name, offset, parts->iov_base, len);
        offset += len, left -= len;
    }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL("writev", ssize_t, int, const struct iovec *, int);
    char full[PATH_MAX];
    if (trace < 0 || fd <= 2) return real(fd, parts, count);
    pthread_mutex_lock(&lock);
    const char *name = name_of(fd, full);
    ssize_t done = write_fails(name) ? -1 : real(fd, parts, count);
    if (name && done > 0) wrote_parts(fd, name, lseek(fd, 0, SEEK_CUR) - done, parts, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    REAL("pwritev64", ssize_t, int, const struct iovec *, int, off_t);
    char full[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = name_of(fd, full);
    ssize_t done = write_fails(name) ? -1 : real(fd, parts, count, offset);
    if (name && done > 0) wrote_parts(fd, name, offset, parts, done);
    pthread_mutex_unlock(&lock);
    return done;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off_t len) {
    REAL("ftruncate64", int, int, off_t);
    char full[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = name_of(fd, full);
    int done = real(fd, len);
    if (name && !done) record('T', name, (uint64_t)len, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

/* Only what makes room is known, and what makes it behind the end, of which nothing is seen; other
 * modes are refused, and programs do without them. */
int fallocate64(int fd, int mode, off_t offset, off_t len) {
    REAL("fallocate64", int, int, int, off_t, off_t);
    char full[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = name_of(fd, full);
    int done = -1;
    if (name && mode & ~FALLOC_FL_KEEP_SIZE) errno = EOPNOTSUPP;
    else if (!fails(name, ENOSPC)) done = real(fd, mode, offset, len);
    if (name && !done && !mode) record('E', name, (uint64_t)(offset + len), NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
int fallocate(int fd, int mode, off_t offset, off_t len) {
    return fallocate64(fd, mode, offset, len);
}
int posix_fallocate64(int fd, off_t offset, off_t len) {
    return fallocate64(fd, 0, offset, len) ? errno : 0;
}
int posix_fallocate(int fd, off_t offset, off_t len) { return posix_fallocate64(fd, offset, len); }

static int synced(int fd, int (*real)(int)) {
    char full[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = name_of(fd, full);
    uint64_t number = name ? ++syncs : 0, token = token_of(number);
    int fails = name && number == failing_sync;
    if (name && next_sync_kills) die();
    if (name) record('B', name, 0, NULL, 0, token);
    pthread_mutex_unlock(&lock);
    int done = fails ? -1 : real(fd);
    if (name) {
        pthread_mutex_lock(&lock);
        record(done ? 'F' : 'S', name, 0, NULL, 0, token);
        pthread_mutex_unlock(&lock);
    }
    if (fails) errno = EIO;
    return done;
}
int fsync(int fd) {
    REAL("fsync", int, int);
    return synced(fd, real);
}
int fdatasync(int fd) {
    REAL("fdatasync", int, int);
    return synced(fd, real);
}

/* They write without our seeing it, and programs do without them. */
ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags) {
    REAL("copy_file_range", ssize_t, int, off_t *, int, off_t *, size_t, unsigned);
    char full[PATH_MAX];
    if (!name_of(to, full)) return real(from, from_at, to, to_at, len, flags);
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int to, int from, off_t *offset, size_t len) {
    REAL("sendfile64", ssize_t, int, int, off_t *, size_t);
    char full[PATH_MAX];
    if (!name_of(to, full)) return real(to, from, offset, len);
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile(int to, int from, off_t *offset, size_t len) {
    return sendfile64(to, from, offset, len);
}

int openat64(int folder, const char *path, int flags, ...) {
    REAL("openat64", int, int, const char *, int, ...);
    char full[PATH_MAX];
    struct stat before;
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (!counts_calls && !(flags & (O_CREAT | O_TRUNC))) return real(folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    const char *name = below(folder, path, full);
    if (fails(name, EMFILE)) {
        pthread_mutex_unlock(&lock);
        return -1;
    }
    int existed = !fstatat(folder, path, &before, 0);
    int fd = real(folder, path, flags, mode);
    if (name && fd >= 0 && !existed && flags & O_CREAT) record('C', name, 0, NULL, 0, 0);
    if (name && fd >= 0 && existed && flags & O_TRUNC) record('T', name, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}
#define OPENS(folder)                                     \
    va_list rest;                                         \
    va_start(rest, flags);                                \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                         \
    return openat64(folder, path, flags, mode)
int openat(int folder, const char *path, int flags, ...) { OPENS(folder); }
int open64(const char *path, int flags, ...) { OPENS(AT_FDCWD); }
int open(const char *path, int flags, ...) { OPENS(AT_FDCWD); }
int creat64(const char *path, mode_t mode) {
    return openat64(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat(const char *path, mode_t mode) { return creat64(path, mode); }

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    REAL("renameat2", int, int, const char *, int, const char *, unsigned);
    char full_old[PATH_MAX], full_new[PATH_MAX], both[2 * PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *old_name = below(from, old, full_old), *new_name = below(to, new, full_new);
    int done = fails(new_name, ENOSPC) ? -1 : real(from, old, to, new, flags);
    if (!done && old_name && new_name) {
        snprintf(both, sizeof both, "%s\n%s", old_name, new_name);
        record('N', both, 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    return done;
}
int renameat(int from, const char *old, int to, const char *new) {
    return renameat2(from, old, to, new, 0);
}
int rename(const char *old, const char *new) {
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL("unlinkat", int, int, const char *, int);
    char full[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = below(folder, path, full);
    int done = real(folder, path, flags);
    if (name && !done) record(flags & AT_REMOVEDIR ? 'D' : 'U', name, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *path, mode_t mode) {
    REAL("mkdirat", int, int, const char *, mode_t);
    char full[PATH_MAX];
    pthread_mutex_lock(&lock);
    const char *name = below(folder, path, full);
    int done = real(folder, path, mode);
    if (name && !done) record('M', name, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
