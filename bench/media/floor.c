// SPDX-License-Identifier: Apache-2.0
// The least a forwarder can cost: for every packet and viewer one AES-128-GCM of SRTP and a share of a sendmmsg.
// usage: floor SECONDS PACKETS_FILE < DESTINATIONS
//   PACKETS_FILE: period in us (u32), then per packet: due in us (u32), length (u16), bytes; native byte order
//   DESTINATIONS: one line each: IPv4 address, port, master key and salt in hex (28 bytes)
// prints: packets sent, packets refused by the kernel, CPU microseconds of the sending loop
// Source: RFC 3711 section 4.3 (key derivation), RFC 7714 sections 8 and 9 (AEAD_AES_128_GCM).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MAX_VIEWERS = 1024, BATCH = 256, STRIDE = 1600, TAG = 16, HEADER = 20, MAX_PACKETS = 8192 };

struct packet {
    uint32_t due_us;
    uint16_t size;
    uint8_t bytes[STRIDE - TAG];
};

struct viewer {
    struct sockaddr_in address;
    EVP_CIPHER_CTX *cipher;
    uint8_t salt[12];
};

static struct packet packets[MAX_PACKETS];
static struct viewer viewers[MAX_VIEWERS];
static uint8_t memory[BATCH][STRIDE];
static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

// Derive one session value: the first bytes of AES-CM over (salt XOR label), RFC 3711 section 4.3.3.
static void derive(const uint8_t *key, const uint8_t *salt, uint8_t label, uint8_t *out, int size) {
    uint8_t block[16] = {0}, stream[32];
    int length;
    memcpy(block, salt, 12);
    block[7] ^= label;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL);
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    EVP_EncryptUpdate(ctx, stream, &length, block, 16);
    memcpy(out, stream, size);
    EVP_CIPHER_CTX_free(ctx);
}

static int read_viewers(void) {
    char host[64], hex[128];
    int port, count = 0;
    while (count < MAX_VIEWERS && scanf("%63s %d %127s", host, &port, hex) == 3) {
        struct viewer *v = &viewers[count++];
        uint8_t master[28], key[16];
        if (strlen(hex) != 56) fail("key");
        for (int i = 0; i < 28; i++) sscanf(hex + 2 * i, "%2hhx", &master[i]);
        derive(master, master + 16, 0, key, 16);
        derive(master, master + 16, 2, v->salt, 12);
        v->address.sin_family = AF_INET;
        v->address.sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, host, &v->address.sin_addr) != 1) fail(host);
        v->cipher = EVP_CIPHER_CTX_new();
        if (!EVP_EncryptInit_ex(v->cipher, EVP_aes_128_gcm(), NULL, key, NULL)) fail("cipher");
    }
    return count;
}

static int read_packets(const char *path, uint32_t *period_us) {
    FILE *file = fopen(path, "rb");
    int count = 0;
    if (!file || fread(period_us, 4, 1, file) != 1) fail(path);
    while (count < MAX_PACKETS && fread(&packets[count].due_us, 4, 1, file) == 1) {
        struct packet *p = &packets[count++];
        if (fread(&p->size, 2, 1, file) != 1 || p->size > STRIDE - TAG || p->size <= HEADER) fail("packet size");
        if (fread(p->bytes, 1, p->size, file) != p->size) fail("packet");
    }
    fclose(file);
    return count;
}

// Copy and encrypt one packet for one viewer; returns its length with the tag.
static size_t protect(struct viewer *v, const struct packet *p, uint32_t roll_over, uint8_t *out) {
    uint8_t iv[12] = {0};
    int length, body = p->size - HEADER;
    memcpy(iv + 2, p->bytes + 8, 4);
    iv[6] = roll_over >> 24, iv[7] = roll_over >> 16, iv[8] = roll_over >> 8, iv[9] = roll_over;
    memcpy(iv + 10, p->bytes + 2, 2);
    for (int i = 0; i < 12; i++) iv[i] ^= v->salt[i];
    memcpy(out, p->bytes, HEADER);
    if (!EVP_EncryptInit_ex(v->cipher, NULL, NULL, NULL, iv) ||
        !EVP_EncryptUpdate(v->cipher, NULL, &length, out, HEADER) ||
        !EVP_EncryptUpdate(v->cipher, out + HEADER, &length, p->bytes + HEADER, body) ||
        !EVP_EncryptFinal_ex(v->cipher, out + HEADER + body, &length) ||
        !EVP_CIPHER_CTX_ctrl(v->cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + HEADER + body))
        fail("encrypt");
    return (size_t)p->size + TAG;
}

static void send_to_all(int fd, const struct packet *p, uint32_t roll_over, int count, long *sent, long *refused) {
    for (int start = 0; start < count; start += BATCH) {
        int size = count - start < BATCH ? count - start : BATCH, done = 0;
        for (int i = 0; i < size; i++) {
            vectors[i].iov_base = memory[i];
            vectors[i].iov_len = protect(&viewers[start + i], p, roll_over, memory[i]);
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_name = &viewers[start + i].address;
            messages[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_in);
        }
        while (done < size) {
            int n = sendmmsg(fd, messages + done, (unsigned)(size - done), 0);
            if (n > 0) *sent += n, done += n;
            else (*refused)++, done++;
        }
    }
}

static int64_t clock_us(clockid_t which) {
    struct timespec t;
    clock_gettime(which, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    uint32_t period_us;
    int total = read_packets(argv[2], &period_us), count = read_viewers(), size = 1 << 22;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || !total || !count) fail("nothing to do");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    long sent = 0, refused = 0;
    int64_t limit_us = (int64_t)(atof(argv[1]) * 1e6), start = clock_us(CLOCK_MONOTONIC);
    int64_t cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    for (int64_t i = 0;; i++) {
        struct packet *p = &packets[i % total];
        int64_t due = i / total * period_us + p->due_us;
        if (due >= limit_us) break;
        struct timespec at = {(start + due) / 1000000, (start + due) % 1000000 * 1000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        // The period comes again with the same sequence numbers: another roll-over counter keeps the IV unique.
        send_to_all(fd, p, (uint32_t)(i / total), count, &sent, &refused);
    }
    printf("%ld %ld %lld\n", sent, refused, (long long)(clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu));
    return 0;
}
