/*
 * A server that sends back what it gets, with one task for each connection, and clients of its own: `echo [CLIENTS]`. Each task
 * reads and writes as a thread would; where that would wait, swb_wait_readable() and swb_wait_writable() suspend it.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <switchback.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES = 10, MOST = 1000 };

/* What a failed call of the system makes a task end with. */
enum { FAILED = 1000 };

static swb_status failed(const char *call) {
    perror(call);
    return (swb_status)FAILED;
}

static struct sockaddr_in address;
static uintptr_t clients = 100;

/* A socket of the protocol that does not block. */
static int make_socket(void) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* After a call of the system that has failed: waits, if it only would have waited. SWB_OK: try again. */
static swb_status wait_after(const char *call, int fd, swb_status (*wait)(int fd, uint64_t timeout)) {
    if (errno == EINTR) return SWB_OK;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINPROGRESS) return failed(call);
    return wait(fd, SWB_FOREVER);
}

/* Reads what there is, at least a byte; `*length` is 0 at the end. */
static swb_status read_some(int fd, char *buffer, size_t size, size_t *length) {
    for (;;) {
        const ssize_t got = recv(fd, buffer, size, 0);
        swb_status status;
        if (got >= 0) {
            *length = (size_t)got;
            return SWB_OK;
        }
        status = wait_after("recv", fd, swb_wait_readable);
        if (status != SWB_OK) return status;
    }
}

static swb_status write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        const ssize_t put = send(fd, bytes, length, MSG_NOSIGNAL);
        if (put >= 0) {
            bytes += put;
            length -= (size_t)put;
        } else {
            const swb_status status = wait_after("send", fd, swb_wait_writable);
            if (status != SWB_OK) return status;
        }
    }
    return SWB_OK;
}

/* Serves one connection. */
static swb_status serve(void *data, uintptr_t *result) {
    const int fd = (int)(intptr_t)data;
    char buffer[4096];
    size_t length;
    swb_status status = SWB_OK;
    while (status == SWB_OK) {
        status = read_some(fd, buffer, sizeof buffer, &length);
        if (status != SWB_OK || length == 0) break;
        status = write_all(fd, buffer, length);
        *result += length;
    }
    close(fd);
    return status;
}

/* Takes connections until it is cancelled. */
static swb_status take(void *data, uintptr_t *result) {
    const int listener = *(const int *)data;
    for (;;) {
        const int fd = accept(listener, NULL, NULL);
        swb_status status;
        if (fd >= 0) {
            ++*result;
            if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || swb_spawn(NULL, serve, (void *)(intptr_t)fd, NULL) != SWB_OK) {
                close(fd);
                return failed("a connection");
            }
        } else if ((status = wait_after("accept", listener, swb_wait_readable)) != SWB_OK) {
            return status;
        }
    }
}

/* Sends lines, and compares what comes back. */
static swb_status ask(void *number, uintptr_t *result) {
    const int fd = make_socket();
    int line, error = 0;
    socklen_t size = sizeof error;
    swb_status status = SWB_OK;
    if (fd < 0) return failed("socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        status = wait_after("connect", fd, swb_wait_writable);
        if (status == SWB_OK && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)) {
            errno = error;
            status = failed("connect");
        }
    }
    for (line = 0; line < LINES && status == SWB_OK; line++) {
        char sent[64], back[64];
        size_t length = (size_t)sprintf(sent, "line %d of client %" PRIuPTR "\n", line, (uintptr_t)number), had = 0, got = 1;
        status = write_all(fd, sent, length);
        while (status == SWB_OK && had < length && got > 0) {
            status = read_some(fd, back + had, length - had, &got);
            if (status == SWB_OK) had += got;
        }
        if (status == SWB_OK && (had != length || memcmp(sent, back, length) != 0)) {
            fprintf(stderr, "echo: what came back is not what was sent\n");
            status = (swb_status)FAILED;
        }
        if (status == SWB_OK) ++*result;
    }
    close(fd);
    return status;
}

/* The first task: a server, its clients, and the end of both. */
static swb_status all(void *data, uintptr_t *result) {
    static swb_task *asking[MOST];
    const int listener = make_socket();
    socklen_t size = sizeof address;
    swb_task *server;
    uintptr_t i, lines, taken;
    int32_t ended;
    swb_status status;
    (void)data;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return failed("a listener");
    status = swb_spawn(&server, take, (void *)(intptr_t)&listener, NULL);
    for (i = 0; i < clients && status == SWB_OK; i++) status = swb_spawn(&asking[i], ask, (void *)i, NULL);
    if (status != SWB_OK) return status;
    for (i = 0; i < clients; i++) {
        status = swb_join(asking[i], SWB_FOREVER, &ended, &lines);
        if (status != SWB_OK) return status;
        if (ended != SWB_OK) return (swb_status)ended;
        *result += lines;
    }
    swb_cancel(server);
    status = swb_join(server, SWB_FOREVER, &ended, &taken);
    if (status != SWB_OK || ended != SWB_CANCELLED) return status != SWB_OK ? status : (swb_status)ended;
    close(listener);
    printf("%" PRIuPTR " connections\n", taken);
    return SWB_OK;
}

int main(int argc, char **argv) {
    uintptr_t lines;
    int32_t ended = SWB_OK;
    swb_status status;
    if (argc > 1) clients = (uintptr_t)strtoul(argv[1], NULL, 10);
    if (argc > 2 || clients == 0 || clients > MOST) {
        fprintf(stderr, "usage: echo [CLIENTS], at most %d\n", MOST);
        return 2;
    }
    status = swb_run(all, NULL, NULL, &ended, &lines);
    if (status != SWB_OK || ended != SWB_OK) {
        if (status != SWB_OK || ended != FAILED)
            fprintf(stderr, "echo: %s\n", swb_status_string(status != SWB_OK ? status : ended));
        return 1;
    }
    printf("%" PRIuPTR " lines came back\n", lines);
    return 0;
}
