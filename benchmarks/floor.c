/* The least that a durable store of one file an object can cost: create, write, close, in the order given; one syncfs.

   floor DIRECTORY PLAN    PLAN: one "path size" a line, the paths relative to DIRECTORY. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int create(char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0 || errno != ENOENT)
        return file;
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

int main(int count, char **argument)
{
    static char content[1 << 20], path[4096];
    size_t size;
    FILE *plan = count == 3 ? fopen(argument[2], "r") : NULL;
    if (!plan || chdir(argument[1]))
        return 2;
    memset(content, 'x', sizeof content);
    while (fscanf(plan, "%4095s %zu", path, &size) == 2) {
        int file = create(path);
        if (file < 0 || write(file, content, size) != (ssize_t)size || close(file))
            return 1;
    }
    int directory = open(".", O_RDONLY | O_DIRECTORY);
    return directory < 0 || syncfs(directory);
}
