# SPDX-License-Identifier: Apache-2.0
"""families.py FOLDER: one small random model of every family and form of RoPE, saved by transformers, each with rows.jsonl (ids) and want.jsonl (their log-probs, by transformers in float64).

Prints the names. In float64 the rotary tables of transformers are still float32, so log-probs are right to about 1e-6."""
import json
import os
import sys

import torch
import transformers

SIZES = dict(vocab_size=320, hidden_size=64, intermediate_size=112, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
             rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
# name, family, what differs from SIZES, RoPE, bf16?, bytes of a file (None: one file)
MODELS = [
    ("llama2", "Llama", dict(num_key_value_heads=4), dict(rope_theta=1e4), False, None),
    ("llama3", "Llama", {}, dict(rope_theta=5e5), True, None),
    ("llama3.1", "Llama", {}, dict(rope_theta=5e5, **LLAMA3), True, "60KB"),
    ("llama3.2", "Llama", dict(tie_word_embeddings=True, head_dim=32), dict(rope_theta=5e5, **LLAMA3), True, None),
    ("llama-linear", "Llama", {}, dict(rope_theta=1e4, rope_type="linear", factor=2.0), False, None),
    ("llama-yarn-forms", "Llama", {}, dict(rope_theta=1e4, beta_fast=16.0, beta_slow=2.0, truncate=False, mscale=1.2, mscale_all_dim=0.8, **YARN), False, None),
    ("llama-yarn-attention", "Llama", {}, dict(rope_theta=1e4, attention_factor=1.3, **YARN), False, None),
    ("smollm2", "Llama", dict(num_attention_heads=3, num_key_value_heads=1, hidden_size=48, tie_word_embeddings=True), dict(rope_theta=1e5), True, None),
    ("mistral", "Mistral", dict(sliding_window=None, head_dim=24), dict(rope_theta=1e6), True, "60KB"),
    ("mistral-wide-window", "Mistral", dict(sliding_window=256), dict(rope_theta=1e4), False, None),
    ("qwen2", "Qwen2", dict(tie_word_embeddings=True), dict(rope_theta=1e6), True, None),
    ("qwen2.5", "Qwen2", {}, dict(rope_theta=1e6), True, "60KB"),
    ("qwen2.5-math", "Qwen2", dict(max_position_embeddings=128), dict(rope_theta=1e4), True, None),
    ("qwen2.5-yarn", "Qwen2", {}, dict(rope_theta=1e6, **YARN), True, None),
    ("qwen3", "Qwen3", dict(head_dim=32), dict(rope_theta=1e6), True, "60KB"),
]


def weights(model, seed):
    """Large enough that every part shows in the log-probs: norms around 1, biases too."""
    g = torch.Generator().manual_seed(seed)
    for name, w in model.named_parameters():
        x = torch.randn(w.shape, generator=g)
        w.data = (1 + 0.3 * x if "norm" in name else 0.5 * x if name.endswith("bias") else 0.12 * x).to(w.dtype)


def main():
    out = sys.argv[1]
    for k, (name, family, sizes, rope, bf16, shard) in enumerate(MODELS):
        config = getattr(transformers, family + "Config")(**{**SIZES, **sizes, "rope_parameters": dict(rope)})
        model = getattr(transformers, family + "ForCausalLM")(config)
        weights(model, k)
        if bf16:
            model = model.to(torch.bfloat16)
        folder = os.path.join(out, name)
        model.save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
        assert bool(shard) == os.path.exists(os.path.join(folder, "model.safetensors.index.json")), name
        model = type(model).from_pretrained(folder, dtype=torch.float64).eval()  # from the file: .to() would have rounded the rotary tables
        g = torch.Generator().manual_seed(100 + k)
        with open(os.path.join(folder, "rows.jsonl"), "w") as rows, open(os.path.join(folder, "want.jsonl"), "w") as want:
            for n in (2, 17, 120):
                ids = torch.randint(0, 320, (1, n), generator=g)
                with torch.no_grad():
                    lp = torch.log_softmax(model(ids, attention_mask=torch.ones_like(ids)).logits[0, :-1], -1)
                lp = lp[torch.arange(n - 1), ids[0, 1:]]
                rows.write(json.dumps({"ids": ids[0].tolist()}) + "\n")
                want.write(json.dumps({"logprobs": lp.tolist()}) + "\n")
        print(name)


def back():
    """families.py --back FOLDER: what Solera wrote to FOLDER/*/run/model, read by transformers: the name, the class and the largest difference of log-probs from want.jsonl"""
    for name in sorted(os.listdir(sys.argv[2])):
        folder = os.path.join(sys.argv[2], name)
        model, said = transformers.AutoModelForCausalLM.from_pretrained(os.path.join(folder, "run", "model"), dtype=torch.float64, output_loading_info=True)
        worst = 0.0
        with open(os.path.join(folder, "rows.jsonl")) as rows, open(os.path.join(folder, "want.jsonl")) as want:
            for row, w in zip(list(rows), list(want), strict=True):
                ids = torch.tensor([json.loads(row)["ids"]])
                with torch.no_grad():
                    lp = torch.log_softmax(model.eval()(ids).logits[0, :-1], -1)[torch.arange(ids.shape[1] - 1), ids[0, 1:]]
                worst = max(worst, (lp - torch.tensor(json.loads(w)["logprobs"], dtype=torch.float64)).abs().max().item())
        print(name, type(model).__name__, "right" if worst < 1e-9 and not any(said.values()) else f"wrong: {worst:.2e} {said}")


def compare():
    """families.py --compare FOUND WANT: the largest difference of log-probs"""
    worst = 0.0
    with open(sys.argv[2]) as f, open(sys.argv[3]) as w:
        for a, b in zip(list(f), list(w), strict=True):
            for x, y in zip(json.loads(a)["logprobs"], json.loads(b)["logprobs"], strict=True):
                worst = max(worst, abs(x - y))
    print(f"{worst:.2e}", "right" if worst < 2e-5 else "wrong")


if sys.argv[1] == "--compare":
    compare()
elif sys.argv[1] == "--back":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    back()
else:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    main()
