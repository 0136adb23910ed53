// SPDX-License-Identifier: Apache-2.0
// The loop of media/fanout.py over the viewers of one packet: copy, shift, encrypt, sendmmsg. Python decides
// everything else. AES-128-GCM, which browsers prefer, is encrypted here through OpenSSL; for other ciphers the
// `srtp_protect` of pylibsrtp's libsrtp is passed in, row by row. One thread at a time.
// Source: RFC 3711 sections 3.3.1 (index) and 4.3 (key derivation), RFC 7714 sections 8 and 9 (AEAD_AES_128_GCM).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// Few enough that what was just encrypted is still in the first-level cache when the kernel copies it.
enum { BATCH = 16, STRIDE = 1600, TAG = 16, SALT = 12, KEY = 16, FIRST_LINES = 8 };

typedef int (*protect_function)(void *session, void *packet, int *length);

struct viewer {
    protect_function protect;
    void *session;  // struct gcm or srtp_t, as `protect` takes it
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

struct line {
    uint32_t ssrc;
    uint64_t index;  // roll-over counter and sequence number of the furthest packet
};

struct gcm {
    EVP_CIPHER_CTX *cipher;
    uint8_t salt[SALT];
    int used, room;
    struct line *lines;
};

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

// Derive one session value of KEY bytes or less: AES over (salt XOR label), RFC 3711 section 4.3.3.
static int derive(const uint8_t *master, uint8_t label, uint8_t *out, size_t size) {
    uint8_t block[16] = {0}, stream[16];
    int length = 0;
    memcpy(block, master + KEY, SALT);
    block[7] ^= label;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, master, NULL) &&
               EVP_CIPHER_CTX_set_padding(ctx, 0) && EVP_EncryptUpdate(ctx, stream, &length, block, 16);
    EVP_CIPHER_CTX_free(ctx);
    if (done) memcpy(out, stream, size);
    return done;
}

void gcm_free(struct gcm *gcm) {
    if (!gcm) return;
    EVP_CIPHER_CTX_free(gcm->cipher);
    free(gcm->lines);
    free(gcm);
}

// Return a sending session for a master key and salt (28 bytes), NULL when there is no memory or no such cipher.
struct gcm *gcm_new(const uint8_t *master) {
    uint8_t key[KEY];
    struct gcm *gcm = calloc(1, sizeof *gcm);
    if (!gcm) return NULL;
    gcm->cipher = EVP_CIPHER_CTX_new();
    gcm->room = FIRST_LINES;
    gcm->lines = calloc(FIRST_LINES, sizeof *gcm->lines);
    if (!gcm->cipher || !gcm->lines || !derive(master, 0, key, KEY) || !derive(master, 2, gcm->salt, SALT) ||
        !EVP_EncryptInit_ex(gcm->cipher, EVP_aes_128_gcm(), NULL, key, NULL)) {
        gcm_free(gcm);
        return NULL;
    }
    return gcm;
}

// Return the roll-over counter of a packet, and remember the furthest; -1 without memory. As libsrtp: until the
// middle of the first round no number counts as one from before it.
static int64_t roll_over(struct gcm *gcm, uint32_t ssrc, uint16_t seq) {
    struct line *line = gcm->lines, *end = gcm->lines + gcm->used;
    while (line < end && line->ssrc != ssrc) line++;
    if (line == end) {
        if (gcm->used == gcm->room) {
            struct line *more = realloc(gcm->lines, 2 * (size_t)gcm->room * sizeof *more);
            if (!more) return -1;
            gcm->lines = more;
            gcm->room *= 2;
            line = more + gcm->used;
        }
        gcm->used++;
        line->ssrc = ssrc;
        line->index = seq;
        return 0;
    }
    uint64_t round = line->index >> 16;
    int32_t ahead = seq - (int32_t)(line->index & 0xFFFF);
    if (line->index > 0x8000) {
        if (ahead > 0x8000) round--;
        if (ahead < -0x8000) round++;
    }
    if ((round << 16 | seq) > line->index) line->index = round << 16 | seq;
    return (int64_t)(round & 0xFFFFFFFF);
}

// Encrypt the RTP packet whose header is at `out` and whose payload is in `packet`, which may be the same, with TAG
// bytes of room behind it; 0 when done.
static int gcm_seal(struct gcm *gcm, const uint8_t *packet, uint8_t *out, int *length) {
    const uint8_t *bytes = out;
    uint8_t iv[SALT] = {0};
    int head = 12 + 4 * (bytes[0] & 15), size = *length, done = 0;
    uint32_t ssrc;
    uint16_t seq;
    if (bytes[0] & 0x10) {
        if (size < head + 4) return 1;
        head += 4 + 4 * (bytes[head + 2] << 8 | bytes[head + 3]);
    }
    if (size < head) return 1;
    memcpy(&seq, bytes + 2, 2);
    memcpy(&ssrc, bytes + 8, 4);
    int64_t round = roll_over(gcm, ssrc, ntohs(seq));
    if (round < 0) return 1;
    uint32_t counter = htonl((uint32_t)round);
    memcpy(iv + 2, &ssrc, 4);
    memcpy(iv + 6, &counter, 4);
    memcpy(iv + 10, &seq, 2);
    for (int i = 0; i < SALT; i++) iv[i] ^= gcm->salt[i];
    if (!EVP_EncryptInit_ex(gcm->cipher, NULL, NULL, NULL, iv) ||
        !EVP_EncryptUpdate(gcm->cipher, NULL, &done, bytes, head) ||
        (size > head && !EVP_EncryptUpdate(gcm->cipher, out + head, &done, packet + head, size - head)) ||
        !EVP_EncryptFinal_ex(gcm->cipher, out + size, &done) ||
        !EVP_CIPHER_CTX_ctrl(gcm->cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + size))
        return 1;
    *length = size + TAG;
    return 0;
}

// The same in place, as srtp_protect.
int gcm_protect(void *session, void *packet, int *length) { return gcm_seal(session, packet, packet, length); }

// Bytes of a packet before its payload; `size` when there is none.
static int head_of(const uint8_t *packet, int size) {
    int head = 12 + 4 * (packet[0] & 15);
    if (packet[0] & 0x10 && size >= head + 4) head += 4 + 4 * (packet[head + 2] << 8 | packet[head + 3]);
    return head < size ? head : size;
}

// Send `packet` (12 to STRIDE - 16 bytes) to `n` viewers; adds to `counts`.
void fanout_send(const uint8_t *packet, int size, const struct viewer *viewers, int n, struct counts *counts) {
    int count = 0, fd = -1, head = head_of(packet, size);
    for (int i = 0; i < n; i++) {
        const struct viewer *viewer = &viewers[i];
        if (count == BATCH || (count && viewer->fd != fd)) {
            flush(fd, count, counts);
            count = 0;
        }
        fd = viewer->fd;
        if (i + 1 < n) __builtin_prefetch(viewers[i + 1].session);
        int length = size;
        int ours = viewer->protect == gcm_protect;  // reads the payload where it is
        memcpy(memory[count], packet, (size_t)(ours ? head : size));
        if (viewer->shifted) shift(memory[count], viewer);
        if (ours ? gcm_seal(viewer->session, packet, memory[count], &length)
                 : viewer->protect(viewer->session, memory[count], &length)) {
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
