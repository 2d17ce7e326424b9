/*
 * SANITIZED: this build keeps shadow memory, needs terabytes of address space and a few system calls of its own.
 */
#ifndef COFFER_OPS_SANITIZED_H
#define COFFER_OPS_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#endif
