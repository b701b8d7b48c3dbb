/* A recursive walk of a directory as a generator: `walk [PATH]` counts files, and bytes of the largest. */
#define _DEFAULT_SOURCE 1

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <switchback.h>
#include <sys/stat.h>

struct file {
    const char *path;
    long long size;
};

/* Yields each file below `path`. The recursion is on the coroutine's stack, and the generator is in the midst of it. */
static swb_status walk(swb_co *self, const char *path) {
    swb_status status = SWB_OK;
    struct dirent *entry;
    DIR *dir = opendir(path);
    if (dir == NULL) return SWB_OK; /* gone, or not for us */
    while (status == SWB_OK && (entry = readdir(dir)) != NULL) {
        char below[4096];
        struct stat about;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if ((size_t)snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= sizeof below) continue;
        if (lstat(below, &about) != 0) continue;
        if (S_ISDIR(about.st_mode)) {
            status = walk(self, below);
        } else if (S_ISREG(about.st_mode)) {
            struct file file;
            file.path = below;
            file.size = (long long)about.st_size;
            status = swb_yield(self, (uintptr_t)&file, NULL); /* it is there until the walk goes on */
        }
    }
    closedir(dir); /* also when the generator is closed in its midst */
    return status;
}

static swb_status body(swb_co *self, void *data, uintptr_t *result) {
    (void)result;
    return walk(self, data);
}

int main(int argc, char **argv) {
    swb_options options = SWB_OPTIONS_INIT;
    swb_co *co;
    uintptr_t value;
    unsigned long files = 0;
    long long largest = 0;
    options.stack_size = 1 << 20; /* 5 KiB a level */
    options.name = "walk";
    if (swb_create(&co, body, argc > 1 ? argv[1] : (char *)".", &options) != SWB_OK) {
        fprintf(stderr, "walk: %s\n", swb_last_error());
        return 1;
    }
    while (swb_resume(co, &value) == SWB_YIELDED) {
        const struct file *file = (const struct file *)value;
        files += 1;
        if (file->size > largest) largest = file->size;
    }
    printf("%lu files, the largest of %lld bytes\n", files, largest);
    return swb_destroy(co) == SWB_OK ? 0 : 1;
}
