#!/usr/bin/python3
"""Prints vectors.h: coffer's key and record formats, computed without any of its code.

Written from the formats' descriptions (keys.h, envelope.h, record.h, command.h, checkpoint.h).  Needs PyNaCl and cryptography (python3-nacl, python3-cryptography).
All keys and nonces derive from names, so the output is the same every time:

    ./make_vectors.py > vectors.h
"""
import base64
import hashlib
import struct
import zlib

from cryptography.hazmat.primitives.asymmetric import ed25519
from nacl import bindings


def fixed(name, size):
    """Bytes that look random and depend on the name only."""
    return hashlib.shake_256(b"coffer test vector: " + name.encode()).digest(size)


def u32(value):
    return struct.pack("<I", value)


def u64(value):
    return struct.pack("<Q", value)


def label(text):
    return text.encode() + b"\0"


def text(value):
    return u32(len(value.encode())) + value.encode()


def seal(key, aad, plain, nonce):
    keys = hashlib.blake2b(nonce + u64(len(aad)) + aad, digest_size=64, key=key,
                           person=b"coffer/record/1\0").digest()
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, aad, nonce, keys[:32])
    return b"\x01" + nonce + keys[32:] + sealed


def derive(parent, context):
    """crypto_kdf_derive_from_key: keyed BLAKE2b of nothing, the id as salt, the context as personal."""
    return hashlib.blake2b(b"", digest_size=32, key=parent, salt=u64(1) + bytes(8),
                           person=context + bytes(8)).digest()


def checksum(name, data):
    return hashlib.blake2b(label(name) + data, digest_size=32).digest()[:8]


def pad(value):
    size = next(size for size in (64, 256, 1024, 4096, 16384, 65536) if len(value) < size)
    return value + b"\x80" + bytes(size - len(value) - 1)


def value_of(size):
    """The C side builds the same."""
    return bytes((7 * i + size) % 255 + 1 for i in range(size))


def box_seal(message, public, ephemeral_secret):
    ephemeral = bindings.crypto_scalarmult_base(ephemeral_secret)
    nonce = hashlib.blake2b(ephemeral + public, digest_size=24).digest()
    return ephemeral + bindings.crypto_box(message, nonce, public, ephemeral_secret)


def define(name, data):
    print(f'#define VECTOR_{name} "{data.hex() if isinstance(data, bytes) else data}"')


def recipient(public):
    return f"coffer-recipient-1-{public.hex()}-{checksum('coffer/recovery-fingerprint/1', public).hex()}"


def keys():
    vault, root = fixed("vault id", 16), fixed("root key", 32)
    root_id = derive(root, b"cofRKID1")[:8]
    encoded = base64.b64encode(root).decode()
    define("VAULT_ID", vault)
    define("ROOT_TEXT", f"coffer-root-key-1\\n{encoded}\\n{checksum('coffer/root-key/1', root).hex()}\\n")
    define("ROOT_ID", root_id)

    secret = fixed("recovery secret key", 32)
    public = bindings.crypto_scalarmult_base(secret)
    define("RECOVERY_TEXT", f"coffer-recovery-1-{secret.hex()}-{checksum('coffer/recovery/1', secret).hex()}")
    define("RECIPIENT", recipient(public))
    define("RECIPIENT_ZERO", recipient(bytes(32)))  # of low order, as is one
    define("RECIPIENT_ONE", recipient(bytes([1]) + bytes(31)))
    define("RECOVERY_BOX", box_seal(root, public, fixed("ephemeral key", 32)))

    wrap = derive(root, b"cofWRAP1")
    for purpose in ("KEK", "MAC", "TOK", "SIG"):
        aad = label("coffer/ring/1") + vault + root_id + text(purpose) + u64(7)
        define(f"RING_{purpose}", seal(wrap, aad, fixed(f"key {purpose}", 32), fixed(f"nonce {purpose}", 24)))
    define("MAC_OF_ABC", hashlib.blake2b(label("coffer/test/1") + b"abc", digest_size=32,
                                         key=fixed("key MAC", 32)).digest())
    return vault


def values(vault):
    integration, secret, dek = fixed("integration id", 16), fixed("secret id", 16), fixed("data key", 32)
    aad = label("coffer/dek/1") + vault + integration + u64(3) + u64(7)
    define("INTEGRATION_ID", integration)
    define("SECRET_ID", secret)
    define("DEK", seal(fixed("key KEK", 32), aad, dek, fixed("nonce data key", 24)))
    print("/* X(length of the value, version, sealed) */\n#define VECTOR_VALUES(X) \\")
    rows = []
    for version, size in enumerate((1, 63, 64, 255, 256), start=1):
        aad = (label("coffer/value/1") + vault + integration + u64(3) + secret + text("PGPASSWORD") +
               u64(version))
        sealed = seal(dek, aad, pad(value_of(size)), fixed(f"nonce value {size}", 24))
        rows.append(f'\tX({size}, {version}, "{sealed.hex()}")')
    print(" \\\n".join(rows))


def records():
    fields = (u64(1) + u64(1795339800123) + text("env.fetch") + text("ok") + u32(1001) + u32(1002) +
              struct.pack("<i", 4711) + text("etl.service") + text("finance/warehouse-sync") + text("PGPASSWORD") +
              u64(3) + u64(9) + text("01JDABCDEFGHJKMNPQRSTVWXYZ") + text("A=3 B=1") + u32(1) + text("a constant sentence"))
    empty = (u64(2) + u64(0) + text("daemon.start") + text("ok") + u32(0) + u32(0) + struct.pack("<i", -1) +
             text("") * 3 + u64(0) + u64(0) + text("") * 2 + u32(0) + text(""))
    first = hashlib.blake2b(label("coffer/audit/1") + bytes(32) + fields, digest_size=32).digest()
    define("RECORD_FIRST", first)
    define("RECORD_SECOND", hashlib.blake2b(label("coffer/audit/1") + first + empty, digest_size=32).digest())


def commands():
    for name, arguments in (("NOTHING", []), ("EMPTY", [""]), ("WORDS", ["psql", "-c", "select 1"]),
                            ("SHELL", ["/bin/sh", "-c", "psql -c 'select 1'"])):
        digest = hashlib.blake2b(label("coffer/command/1") + b"".join(map(text, arguments)), digest_size=32).digest()
        define(f"COMMAND_{name}", digest)


def token_text(number, secret):
    digits, value = "0123456789abcdefghjkmnpqrstvwxyz", int.from_bytes(secret, "big") << 4
    body = f"coffer_{number}_" + "".join(digits[value >> 5 * (51 - i) & 31] for i in range(52))
    return f"{body}_{zlib.crc32(body.encode()):08x}"


def tokens():
    vault, integration = fixed("vault id", 16), fixed("integration id", 16)
    rows = [(1, bytes(32)), (42, fixed("token secret", 32)), (2**53 - 1, b"\xff" * 32)]
    print("#define VECTOR_TOKENS(X) \\")
    print(" \\\n".join(f'\tX({number}, "{secret.hex()}", "{token_text(number, secret)}")' for number, secret in rows))
    define("TOKEN_SECRET", fixed("token secret", 32))
    content = label("coffer/token/1") + vault + u64(7) + integration + u64(42) + fixed("token secret", 32)
    define("VERIFIER", hashlib.blake2b(content, digest_size=32, key=fixed("key TOK", 32)).digest())


def checkpoints():
    """Signed by another implementation than libsodium's."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(fixed("key SIG", 32))
    public = key.public_key().public_bytes_raw()
    body = ("coffer checkpoint 1\n" + f"vault {'ab' * 16}\n" + "host ledger.example\n" + "seq 4711\n" + f"hash {'cd' * 32}\n" +
            "time 2026-11-22T09:30:00.123Z\n" + "epoch 1\n" + f"key {public.hex()}\n")
    define("CHECKPOINT", (body + f"signature {key.sign(body.encode()).hex()}\n").replace("\n", "\\n"))
    fingerprint = hashlib.blake2b(label("coffer/checkpoint-key/1") + public, digest_size=32).hexdigest()[:16]
    define("CHECKPOINT_FINGERPRINT", fingerprint)


print("/* Made by make_vectors.py: do not edit. */\n/* clang-format off */")
print("#ifndef COFFER_TESTS_VECTORS_H\n#define COFFER_TESTS_VECTORS_H\n")
values(keys())
records()
commands()
tokens()
checkpoints()
print("\n#endif")
