/* Records what a process does to the files under one directory, for the power-cut test.
 *
 * Loaded with LD_PRELOAD into the unchanged server. POWER_DIR is the directory (canonical), POWER_JOURNAL the
 * journal, which lies outside it. Every call that changes a file or a directory entry is carried out and recorded
 * under one lock, so the order of the journal is the order of the effects. A sync is recorded twice, when it begins
 * and when it has succeeded: what the journal holds of that file before the beginning is durable from the end on.
 * The calls of other threads go on meanwhile, as on a real disk.
 *
 * A way to change a file that this shim cannot follow (a shared writable mapping, copy_file_range and the like) is
 * recorded as `unfollowed`, and the replayer refuses such a journal. SQLite's `-shm` file is the exception: it is
 * mapped, never synced and rebuilt after a crash, so nothing about it is recorded.
 *
 * A record is: kind (1 byte), inode, offset (8 bytes each), lengths of a and b (4 bytes each), a, b; little endian.
 * tests/src/power/journal.rs reads it.
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    CREATE = 1,   /* a: path; inode */
    WRITE,        /* inode, offset; b: bytes */
    RESIZE,       /* inode, offset: the new length */
    RENAME,       /* a: from, b: to */
    UNLINK,       /* a: path */
    MKDIR,        /* a: path; inode */
    RMDIR,        /* a: path */
    LINK,         /* a: existing, b: new */
    SYNC_BEGIN,   /* inode, offset: number of this sync */
    SYNC_END,     /* inode, offset: number of this sync */
    UNFOLLOWED,   /* a: name of the call */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_len;
static int journal = -1;
static uint64_t syncs;

__attribute__((constructor)) static void start(void) {
    const char *dir = getenv("POWER_DIR"), *path = getenv("POWER_JOURNAL");
    if (!dir || !path) return;
    snprintf(root, sizeof root, "%s", dir);
    root_len = strlen(root);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) {
        perror("power recorder: journal");
        abort();
    }
}

static void put(const void *bytes, size_t len) {
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = syscall(SYS_write, journal, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            /* A journal with a hole would prove nothing. */
            perror("power recorder: write");
            abort();
        }
        at += n;
        len -= (size_t)n;
    }
}

/* One write for a record of ordinary size, so that a SIGKILL does not leave half a record. */
static void record(enum kind kind, uint64_t inode, uint64_t offset, const void *a, size_t a_len, const void *b,
                   size_t b_len) {
    int saved = errno;
    uint8_t head[25];
    uint32_t lens[2] = {(uint32_t)a_len, (uint32_t)b_len};
    head[0] = (uint8_t)kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, lens, 8);
    size_t len = sizeof head + a_len + b_len;
    uint8_t *whole = malloc(len);
    if (!whole) abort();
    memcpy(whole, head, sizeof head);
    if (a_len) memcpy(whole + sizeof head, a, a_len);
    if (b_len) memcpy(whole + sizeof head + a_len, b, b_len);
    put(whole, len);
    free(whole);
    errno = saved;
}

static int has_suffix(const char *path, const char *suffix) {
    size_t a = strlen(path), b = strlen(suffix);
    return a >= b && strcmp(path + a - b, suffix) == 0;
}

static int inside(const char *path) {
    if (journal < 0 || strncmp(path, root, root_len) != 0) return 0;
    if (path[root_len] != '\0' && path[root_len] != '/') return 0;
    return !has_suffix(path, "-shm");
}

/* Whether fd is a file or directory under the root; fills st and its present path. */
static int followed(int fd, struct stat *st, char path[PATH_MAX]) {
    if (journal < 0) return 0;
    int saved = errno, yes = 0;
    if (fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, PATH_MAX - 1);
        if (n > 0) {
            path[n] = '\0';
            yes = inside(path);
        }
    }
    errno = saved;
    return yes;
}

/* The absolute path, its directory part without links; the last part need not exist. */
static int absolute(int dirfd, const char *path, char out[PATH_MAX]) {
    if (journal < 0) return 0;
    int saved = errno, ok = 0;
    char whole[PATH_MAX * 2], parent[PATH_MAX];
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char base[PATH_MAX];
        if (dirfd == AT_FDCWD) {
            if (!getcwd(base, sizeof base)) goto done;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n <= 0) goto done;
            base[n] = '\0';
        }
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    size_t len = strlen(whole);
    while (len > 1 && whole[len - 1] == '/') whole[--len] = '\0';
    char *slash = strrchr(whole, '/');
    if (!slash) goto done;
    const char *name = slash + 1;
    *slash = '\0';
    if (!realpath(slash == whole ? "/" : whole, parent)) goto done;
    ok = snprintf(out, PATH_MAX, "%s/%s", parent, name) < PATH_MAX;
done:
    errno = saved;
    return ok && inside(out);
}

static void unfollowed(const char *call) {
    pthread_mutex_lock(&lock);
    record(UNFOLLOWED, 0, 0, call, strlen(call), NULL, 0);
    pthread_mutex_unlock(&lock);
}

/* ---- opening ---- */

static int open_any(int dirfd, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || !absolute(dirfd, path, full))
        return (int)syscall(SYS_openat, dirfd, path, flags, mode);
    if ((flags & O_TMPFILE) == O_TMPFILE) unfollowed("O_TMPFILE");
    pthread_mutex_lock(&lock);
    struct stat st;
    int saved = errno;
    int was_there = fstatat(dirfd, path, &st, 0) == 0;
    int had_bytes = was_there && st.st_size > 0;
    errno = saved;
    int fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
    saved = errno;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if (!was_there) record(CREATE, st.st_ino, 0, full, strlen(full), NULL, 0);
        else if ((flags & O_TRUNC) && had_bytes) record(RESIZE, st.st_ino, 0, NULL, 0, NULL, 0);
    }
    errno = saved;
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE_OF(flags)                                           \
    mode_t mode = 0;                                             \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                       \
        va_list args;                                            \
        va_start(args, flags);                                   \
        mode = (mode_t)va_arg(args, int);                        \
        va_end(args);                                            \
    }

int open(const char *path, int flags, ...) { MODE_OF(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE_OF(flags) return open_any(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE_OF(flags) return open_any(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* ---- content ---- */

static ssize_t write_at(int fd, const void *bytes, size_t len, off_t offset) {
    struct stat st;
    char path[PATH_MAX];
    if (!followed(fd, &st, path)) return syscall(SYS_pwrite64, fd, bytes, len, offset);
    pthread_mutex_lock(&lock);
    ssize_t n = syscall(SYS_pwrite64, fd, bytes, len, offset);
    if (n > 0) record(WRITE, st.st_ino, (uint64_t)offset, NULL, 0, bytes, (size_t)n);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset) { return write_at(fd, bytes, len, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) { return write_at(fd, bytes, len, offset); }

ssize_t write(int fd, const void *bytes, size_t len) {
    struct stat st;
    char path[PATH_MAX];
    if (!followed(fd, &st, path)) return syscall(SYS_write, fd, bytes, len);
    pthread_mutex_lock(&lock);
    ssize_t n = syscall(SYS_write, fd, bytes, len);
    if (n > 0) {
        /* The position after the write is its end, with O_APPEND too. */
        uint64_t end = (uint64_t)lseek(fd, 0, SEEK_CUR);
        record(WRITE, st.st_ino, end - (uint64_t)n, NULL, 0, bytes, (size_t)n);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

static ssize_t writev_at(int fd, const struct iovec *parts, int count, int has_offset, off_t offset) {
    struct stat st;
    char path[PATH_MAX];
    if (!followed(fd, &st, path))
        return has_offset ? syscall(SYS_pwritev, fd, parts, count, offset, 0) : syscall(SYS_writev, fd, parts, count);
    /* A short count is allowed: one part at a time, so that a record is exactly one write. */
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len > 0)
            return has_offset ? write_at(fd, parts[i].iov_base, parts[i].iov_len, offset)
                              : write(fd, parts[i].iov_base, parts[i].iov_len);
    return 0;
}

ssize_t writev(int fd, const struct iovec *parts, int count) { return writev_at(fd, parts, count, 0, 0); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return writev_at(fd, parts, count, 1, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return writev_at(fd, parts, count, 1, at); }

static int resize(int fd, off_t length) {
    struct stat st;
    char path[PATH_MAX];
    if (!followed(fd, &st, path)) return (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_ftruncate, fd, length);
    if (r == 0) record(RESIZE, st.st_ino, (uint64_t)length, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return r;
}

int ftruncate(int fd, off_t length) { return resize(fd, length); }
int ftruncate64(int fd, off64_t length) { return resize(fd, length); }

int truncate(const char *path, off_t length) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int r = resize(fd, length);
    int saved = errno;
    close(fd);
    errno = saved;
    return r;
}
int truncate64(const char *path, off64_t length) { return truncate(path, length); }

static int allocate(int fd, int mode, off_t offset, off_t length) {
    struct stat st;
    char path[PATH_MAX];
    if (!followed(fd, &st, path)) return (int)syscall(SYS_fallocate, fd, mode, offset, length);
    if (mode & ~FALLOC_FL_KEEP_SIZE) unfollowed("fallocate");
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_fallocate, fd, mode, offset, length);
    if (r == 0 && mode == 0 && fstat(fd, &st) == 0)
        record(RESIZE, st.st_ino, (uint64_t)st.st_size, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return r;
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return allocate(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return allocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return allocate(fd, 0, offset, length) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

/* ---- directory entries ---- */

static int rename_any(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    int a_in = absolute(from_dir, from, a), b_in = absolute(to_dir, to, b);
    if (!a_in && !b_in) return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (a_in != b_in) unfollowed("rename over the border of the directory");
    if (flags & ~1u /* RENAME_NOREPLACE */) unfollowed("renameat2 with flags");
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (r == 0 && a_in && b_in) record(RENAME, 0, 0, a, strlen(a), b, strlen(b));
    pthread_mutex_unlock(&lock);
    return r;
}

int rename(const char *from, const char *to) { return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_any(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return rename_any(a, from, b, to, flags);
}

static int unlink_any(int dir, const char *path, int flags) {
    char full[PATH_MAX];
    if (!absolute(dir, path, full)) return (int)syscall(SYS_unlinkat, dir, path, flags);
    pthread_mutex_lock(&lock);
    struct stat st;
    int saved = errno;
    int regular = fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
    errno = saved;
    int r = (int)syscall(SYS_unlinkat, dir, path, flags);
    /* Sockets and links are not content: the recorder leaves them out altogether. */
    if (r == 0 && regular)
        record(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, full, strlen(full), NULL, 0);
    pthread_mutex_unlock(&lock);
    return r;
}

int unlink(const char *path) { return unlink_any(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) { return unlink_any(dir, path, flags); }
int rmdir(const char *path) { return unlink_any(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    struct stat st;
    if (lstat(path, &st) != 0) return -1;
    return unlink_any(AT_FDCWD, path, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}

static int mkdir_any(int dir, const char *path, mode_t mode) {
    char full[PATH_MAX];
    if (!absolute(dir, path, full)) return (int)syscall(SYS_mkdirat, dir, path, mode);
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_mkdirat, dir, path, mode);
    struct stat st;
    if (r == 0 && fstatat(dir, path, &st, 0) == 0) record(MKDIR, st.st_ino, 0, full, strlen(full), NULL, 0);
    pthread_mutex_unlock(&lock);
    return r;
}

int mkdir(const char *path, mode_t mode) { return mkdir_any(AT_FDCWD, path, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { return mkdir_any(dir, path, mode); }

static int link_any(int a_dir, const char *from, int b_dir, const char *to, int flags) {
    char a[PATH_MAX], b[PATH_MAX];
    int a_in = absolute(a_dir, from, a), b_in = absolute(b_dir, to, b);
    if (!a_in && !b_in) return (int)syscall(SYS_linkat, a_dir, from, b_dir, to, flags);
    if (a_in != b_in || (flags & AT_EMPTY_PATH)) unfollowed("linkat");
    pthread_mutex_lock(&lock);
    int r = (int)syscall(SYS_linkat, a_dir, from, b_dir, to, flags);
    if (r == 0 && a_in && b_in) record(LINK, 0, 0, a, strlen(a), b, strlen(b));
    pthread_mutex_unlock(&lock);
    return r;
}

int link(const char *from, const char *to) { return link_any(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return link_any(a, from, b, to, flags); }

/* ---- syncing ---- */

static int sync_any(int fd, long call) {
    struct stat st;
    char path[PATH_MAX];
    if (!followed(fd, &st, path)) return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    uint64_t number = ++syncs;
    record(SYNC_BEGIN, st.st_ino, number, NULL, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    int r = (int)syscall(call, fd);
    if (r == 0) {
        pthread_mutex_lock(&lock);
        record(SYNC_END, st.st_ino, number, NULL, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return r;
}

/* sync_file_range promises nothing after a power cut, and sync and syncfs are not relied on: none is recorded, which
 * can only make the test stricter. */
int fsync(int fd) { return sync_any(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_any(fd, SYS_fdatasync); }

/* ---- what cannot be followed ---- */

void *mmap64(void *at, size_t len, int prot, int flags, int fd, off64_t offset) {
    struct stat st;
    char path[PATH_MAX];
    if (fd >= 0 && (flags & MAP_SHARED) && (prot & PROT_WRITE) && followed(fd, &st, path)) unfollowed("mmap");
    return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset);
}
void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset) {
    return mmap64(at, len, prot, flags, fd, offset);
}

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags) {
    struct stat st;
    char path[PATH_MAX];
    if (followed(out, &st, path)) unfollowed("copy_file_range");
    return syscall(SYS_copy_file_range, in, in_at, out, out_at, len, flags);
}

ssize_t sendfile64(int out, int in, off64_t *at, size_t len) {
    struct stat st;
    char path[PATH_MAX];
    if (followed(out, &st, path)) unfollowed("sendfile");
    return syscall(SYS_sendfile, out, in, at, len);
}
ssize_t sendfile(int out, int in, off_t *at, size_t len) { return sendfile64(out, in, at, len); }

ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags) {
    struct stat st;
    char path[PATH_MAX];
    if (followed(out, &st, path)) unfollowed("splice");
    return syscall(SYS_splice, in, in_at, out, out_at, len, flags);
}
