// SPDX-License-Identifier: Apache-2.0
// The loop of media/fanout.py over the viewers of one packet: copy, shift, encrypt, sendmmsg. Python decides
// everything else; libsrtp stays the one in pylibsrtp, whose `srtp_protect` is passed in. One thread at a time.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

// Few enough that what was just encrypted is still in the first-level cache when the kernel copies it.
enum { BATCH = 16, STRIDE = 1600 };

struct viewer {
    void *session;  // srtp_t
    void *name;     // struct sockaddr
    uint32_t name_size;
    int32_t fd;
    uint32_t timestamp_shift;
    uint16_t seq_shift;
    uint16_t shifted;
};

struct counts {
    uint64_t sent, bytes, dropped;
};

typedef int (*protect_function)(void *session, void *packet, int *length);

static uint8_t memory[BATCH][STRIDE];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static void flush(int fd, int count, struct counts *counts) {
    int done = 0;
    while (done < count) {
        int n = sendmmsg(fd, messages + done, (unsigned)(count - done), 0);
        if (n > 0) {
            done += n;
            counts->sent += (uint64_t)n;
        } else if (errno == EAGAIN || errno == ENOBUFS) {
            counts->dropped += (uint64_t)(count - done);
            return;
        } else if (errno != EINTR) {  // this destination is unreachable: go on with the next
            done++;
            counts->dropped++;
        }
    }
}

static void shift(uint8_t *packet, const struct viewer *viewer) {
    uint16_t seq;
    uint32_t timestamp;
    memcpy(&seq, packet + 2, 2);
    memcpy(&timestamp, packet + 4, 4);
    seq = htons((uint16_t)(ntohs(seq) + viewer->seq_shift));
    timestamp = htonl(ntohl(timestamp) + viewer->timestamp_shift);
    memcpy(packet + 2, &seq, 2);
    memcpy(packet + 4, &timestamp, 4);
}

// Send `packet` (12 to STRIDE - 16 bytes) to `n` viewers; adds to `counts`.
void fanout_send(protect_function protect, const uint8_t *packet, int size, const struct viewer *viewers, int n,
                 struct counts *counts) {
    int count = 0, fd = -1;
    for (int i = 0; i < n; i++) {
        const struct viewer *viewer = &viewers[i];
        if (count == BATCH || (count && viewer->fd != fd)) {
            flush(fd, count, counts);
            count = 0;
        }
        fd = viewer->fd;
        if (i + 1 < n) __builtin_prefetch(viewers[i + 1].session);
        int length = size;
        memcpy(memory[count], packet, (size_t)size);
        if (viewer->shifted) shift(memory[count], viewer);
        if (protect(viewer->session, memory[count], &length)) {
            counts->dropped++;
            continue;
        }
        vectors[count].iov_base = memory[count];
        vectors[count].iov_len = (size_t)length;
        messages[count].msg_hdr.msg_iov = &vectors[count];
        messages[count].msg_hdr.msg_iovlen = 1;
        messages[count].msg_hdr.msg_name = viewer->name;
        messages[count].msg_hdr.msg_namelen = viewer->name_size;
        counts->bytes += (uint64_t)length;
        count++;
    }
    if (count) flush(fd, count, counts);
}
