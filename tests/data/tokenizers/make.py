#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Remakes the data of this folder. Needs the Python package tokenizers (0.23.3 made what is here).

    make.py components [ROWS] [SEED]       components.jsonl: small tokenizers, each with the components it is named after, and what the library makes of texts
    make.py subset FOLDER OUT              of a big tokenizer and its golden rows in FOLDER, the part of its vocabulary that these rows use: every id, and every
                                           merge, that encoding them comes by. A merge that is never made can be left out without a change to any row.

Then gzip -9n what was made."""
import json
import random
import sys
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = """Solve the equation x^2 - 5x + 6 = 0; the answer is 2 or 3. In 2024, 1,234,567 people (12.5 %) lived there. "Don't!", she said: we'll see; they've gone, I'm here.
def f(x):\n    return x + 1\n\n\tprint(f(10))\n\\frac{1}{2} + \\sqrt{3} = \\boxed{\\frac{1 + 2\\sqrt{3}}{2}}
Die Lösung der Gleichung heißt Größe. L'été dernier, nous étions à la plage. El niño comió piñas. Привет, мир! Это проверка. Γειά σου Κόσμε. שלום עולם. مرحبا بالعالم. नमस्ते दुनिया। 你好，世界！今天天气很好。こんにちは世界。 안녕하세요 세계. สวัสดีชาวโลก
the then there these other another hello world hello world in the house of the rising sun number numbers numeric""".split("\n")
CORPUS = [line for line in CORPUS if line.strip()]

PIECES = [" ", " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000", "\u200b", "\u180e", "\u0085", "\u2028", "hello", "world", "Hello", "HELLO", "the", "then", "don't",
          "I'M", "we'LL", "they've", "'s", "x^2", "\\frac{1}{2}", "12", "123456", "3.14", "½", "²", "Ⅷ", "٣", "५", "e\u0301", "é", "ñ", "n\u0303", "Å", "Å", "ﬁ", "ﬀ", "ß", "ẞ", "İ", "ſ", "K", "Σ", "Привет", "мир",
          "Γειά", "שלום", "مرحبا", "नमस्ते", "你好", "世界", "こんにちは", "안녕", "각", "ก็", "😀", "👨\u200d👩\u200d👧", "🇩🇪", "a\u0300\u0323", "!", "?!", "...", "—", "«", "»", "“", "¿", "_", "-", "a_b", "#", "$", "€", "+",
          "^", "`", "~", "|", "<", ">", "<s>", "</s>", "<tok>", "<norm>", "<word>", "<left>", "<right>", "<both>", "word", "AB", "\u0000", "\u0001", "\u007f", "\ufeff", "\ufffd", "ⓐ", "Ⓩ", "ª", "\u0327", "\u094d", "▁", "▁▁", "Ġ",
          "Ċ", "<0x41>", "<0x0A>", "\U00010400", "\U0001F130", "\u0e33", "Ω", "ﷺ"]


def texts(n, seed):
    r = random.Random(seed)
    out = ["", " ", "a", " hello", "hello world", "  two  spaces ", "\n", "▁", CORPUS[0], CORPUS[2], CORPUS[3]]
    while len(out) < n:
        out.append("".join(r.choice(PIECES) if r.random() < 0.85 else r.choice(r.choice(CORPUS).split()) for _ in range(r.randint(1, 14))))
    return out[:n]


def bpe(kind, size=420, **options):
    """a trained model; kind: bytes, or meta (characters, with tokens for single bytes)"""
    t = Tokenizer(models.BPE(unk_token="<unk>" if kind == "meta" else None))
    if kind == "bytes":
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tr = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    else:
        t.pre_tokenizer = pre_tokenizers.Metaspace()
        byte = ["<0x%02X>" % b for b in range(256)] if kind == "meta" else []
        tr = trainers.BpeTrainer(vocab_size=size + len(byte), show_progress=False, special_tokens=["<unk>"] + byte, limit_alphabet=60)
    t.train_from_iterator(CORPUS * 3, tr)
    m = json.loads(t.to_str())["model"]
    m.update(options)
    return m


def make(model, norm=None, pre=None, dec=None, post=None, added=()):
    t = Tokenizer(models.BPE())
    for part, value in (("normalizer", norm), ("pre_tokenizer", pre), ("decoder", dec), ("post_processor", post)):
        if value is not None:
            setattr(t, part, value)
    j = json.loads(t.to_str())
    j["model"] = model
    t = Tokenizer.from_str(json.dumps(j))
    for a in added:
        (t.add_special_tokens if a.special else t.add_tokens)([a])
    return t


SP, N, D, P = AddedToken, normalizers, decoders, pre_tokenizers
ADDED = [SP("<s>", special=True), SP("</s>", special=True), SP("<tok>", normalized=False), SP("<norm>", normalized=True), SP("<word>", single_word=True, normalized=False),
         SP("word", single_word=True, normalized=False), SP("<left>", lstrip=True, normalized=False), SP("<right>", rstrip=True, normalized=False),
         SP("<both>", lstrip=True, rstrip=True, special=True), SP("AB", normalized=True), SP("é", normalized=True)]
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BL = P.ByteLevel(add_prefix_space=False, use_regex=False)


def components():
    b, meta, chars = bpe("bytes"), bpe("meta", byte_fallback=True, fuse_unk=True), bpe("chars", 300, unk_token="<unk>")
    dec_b, dec_m = D.ByteLevel(), D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
    yield "gpt2", make(b, None, P.ByteLevel(add_prefix_space=False), dec_b, processors.ByteLevel(), ADDED)
    yield "prefix space", make(b, None, P.ByteLevel(add_prefix_space=True), dec_b, None, ADDED)
    yield "qwen", make(b, N.NFC(), P.Sequence([P.Split(Regex(QWEN), "isolated"), BL]), dec_b, None, ADDED)
    yield "llama3", make(dict(b, ignore_merges=True), None, P.Sequence([P.Split(Regex(LLAMA3), "isolated"), BL]), dec_b,
                         processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", len(b["vocab"]))])]), ADDED)
    yield "o200k", make(b, None, P.Sequence([P.Split(Regex(O200K), "removed", invert=True), BL]), dec_b, None, ADDED)
    for name, n in (("NFD", N.NFD()), ("NFKC", N.NFKC()), ("NFKD", N.NFKD()), ("Lowercase", N.Lowercase()), ("Strip", N.Strip()), ("Strip left", N.Strip(True, False)), ("Prepend", N.Prepend("_")),
                    ("Replace", N.Replace("e", "the")), ("Replace regex", N.Replace(Regex(r"\s+|\d+"), "-")), ("normalizers", N.Sequence([N.Strip(), N.NFKC(), N.Lowercase(), N.Prepend(" "), N.Replace(Regex(r"\w(?=\W)"), "x")]))):
        yield name, make(b, n, P.ByteLevel(add_prefix_space=False), dec_b, None, ADDED)
    for how in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            yield "Split %s%s" % (how, " invert" if invert else ""), make(b, None, P.Sequence([P.Split(Regex(r"[\s\d]|\p{P}"), how, invert), BL]), dec_b)
        yield "Split text %s" % how, make(b, None, P.Sequence([P.Split(" ", how), BL]), dec_b)
        yield "Punctuation %s" % how, make(b, None, P.Sequence([P.Punctuation(how), BL]), dec_b)
    yield "Split empty", make(b, None, P.Sequence([P.Split(Regex(r"\b|x*"), "isolated"), BL]), dec_b)
    yield "Split lines", make(b, None, P.Sequence([P.Split(Regex(r"^.|\w$|\h+|[\S&]\B."), "isolated"), BL]), dec_b)
    yield "Digits", make(b, None, P.Sequence([P.Digits(False), BL]), dec_b)
    yield "Digits individual", make(b, None, P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=True)]), dec_b)
    yield "Whitespace", make(b, None, P.Sequence([P.Whitespace(), BL]), dec_b)
    yield "WhitespaceSplit", make(b, None, P.Sequence([P.WhitespaceSplit(), BL]), dec_b)
    yield "CharDelimiterSplit", make(b, None, P.Sequence([P.CharDelimiterSplit("e"), BL]), dec_b)
    yield "ByteLevel first", make(b, None, P.Sequence([P.ByteLevel(add_prefix_space=False), P.Digits(True)]), dec_b)
    yield "llama legacy", make(meta, N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), None, dec_m, processors.TemplateProcessing("<s> $A </s>", "<s> $A $B", [("<s>", len(meta["vocab"])), ("</s>", len(meta["vocab"]) + 1)]), ADDED)
    yield "gemma", make(meta, N.Replace(" ", "▁"), P.Split(" ", "merged_with_previous"), D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]), None, ADDED)
    for scheme in ("always", "first", "never"):
        for split in (True, False):
            yield "Metaspace %s%s" % (scheme, "" if split else " whole"), make(meta, None, P.Metaspace("▁", scheme, split), D.Metaspace("▁", scheme, split), None, ADDED)
    yield "Metaspace digits", make(meta, N.NFC(), P.Sequence([P.Digits(True), P.Metaspace("▁", "first", True)]), dec_m, None, ADDED)
    yield "no fallback", make(dict(meta, byte_fallback=False), None, P.Metaspace(), D.Metaspace(), None, ADDED)
    yield "no fallback, unk apart", make(dict(meta, byte_fallback=False, fuse_unk=False), None, P.Metaspace(), D.Metaspace(), None, ADDED)
    yield "fallback in part", make(dict(meta, vocab={k: v for k, v in meta["vocab"].items() if k not in ("<0xC3>", "<0xE2>")}), None, P.Metaspace(), dec_m)
    yield "no unk", make(dict(chars, unk_token=None), None, P.Metaspace(), D.Metaspace(), None, ADDED)
    yield "no pre-tokenizer, no decoder", make(chars, None, None, None, None, ADDED)
    yield "decoders", make(meta, None, P.Metaspace(), D.Sequence([D.Strip("▁", 1, 0), D.Replace(Regex("[▁e]"), "_"), D.ByteFallback(), D.Fuse(), D.Replace(Regex(r"l+|x*"), "+"), D.Strip("+", 2, 3)]), None, ADDED)
    yield "decoders 2", make(meta, None, P.Metaspace(), D.Sequence([D.Metaspace(), D.ByteFallback(), D.Fuse(), D.Strip(" ", 2, 2)]), None, ADDED)


def write_components(n, seed):
    with open("components.jsonl", "w", encoding="utf-8") as f:
        for k, (name, t) in enumerate(components()):
            r, rows = random.Random(seed * 1000 + k), []
            size = t.get_vocab_size()
            for s in texts(n, seed * 1000 + k):
                try:
                    ids = t.encode(s, add_special_tokens=False).ids
                    rows.append({"text": s, "ids": ids, "back": t.decode(ids, skip_special_tokens=False), "around": t.encode(s).ids if len(rows) == 9 else None})
                except BaseException as e:  # the library itself gives up on some texts
                    if "Panic" not in type(e).__name__:
                        raise
            for _ in range(n // 3):
                ids = [r.randrange(size) if r.random() < 0.7 else r.randrange(min(size, 260)) for _ in range(r.randint(1, 12))]
                ids = [i for i in ids if t.id_to_token(i) is not None]
                try:
                    rows.append({"ids": ids, "back": t.decode(ids, skip_special_tokens=False), "skip": t.decode(ids, skip_special_tokens=True)})
                except BaseException as e:
                    if "Panic" not in type(e).__name__:
                        raise
            rows = [{k: v for k, v in row.items() if v is not None} for row in rows]
            f.write(json.dumps({"name": name, "tokenizer": json.loads(t.to_str()), "rows": rows}, ensure_ascii=False) + "\n")


# ---- the used part of a big tokenizer

def used(vocab, ranks, pieces):
    """ids and merges that come by when these pieces (of characters of the vocabulary) are merged"""
    ids, merges = set(), set()
    for p in pieces:
        s = list(p)
        ids.update(vocab[c] for c in s)
        while True:
            best = min(((ranks[a, b], i) for i, (a, b) in enumerate(zip(s, s[1:])) if (a, b) in ranks), default=None)
            if best is None:
                break
            i = best[1]
            merges.add((s[i], s[i + 1]))
            s[i:i + 2] = [s[i] + s[i + 1]]
            ids.add(vocab[s[i]])
    return ids, merges


def subset(folder, out):
    import os
    rows = [json.loads(line) for line in open(folder + "/golden.jsonl", encoding="utf-8")]
    back = [json.loads(line) for line in open(folder + "/decode_golden.jsonl", encoding="utf-8")]
    gpt2 = not os.path.exists(folder + "/tokenizer.json")
    if gpt2:
        t = Tokenizer(models.BPE.from_file(folder + "/vocab.json", folder + "/merges.txt"))
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        t.add_special_tokens(["<|endoftext|>"])
    else:
        t = Tokenizer.from_file(folder + "/tokenizer.json")
    j = json.loads(t.to_str())
    model, added = j["model"], sorted((a["content"] for a in j["added_tokens"]), key=len, reverse=True)
    vocab, order = model["vocab"], [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    ranks = {m: i for i, m in enumerate(order)}
    pieces = set()
    for row in rows:
        parts = [row["text"]]
        for a in added:
            parts = [q for p in parts for q in p.split(a)]
        for p in parts + [row["text"]]:  # the whole too: a tokenizer with fewer added tokens sees it
            p = t.normalizer.normalize_str(p) if t.normalizer else p
            pieces.update(x for x, _ in t.pre_tokenizer.pre_tokenize_str(p))
    ids, merges = used(vocab, ranks, pieces)
    ids |= {i for row in rows + back for i in row["ids"]} | {vocab[c] for c in pre_tokenizers.ByteLevel.alphabet()}
    model["vocab"] = {k: v for k, v in vocab.items() if v in ids}
    kept = [m for m in order if m in merges]
    os.makedirs(out, exist_ok=True)
    if gpt2:
        model["vocab"]["<|endoftext|>"] = 50256
        json.dump(model["vocab"], open(out + "/vocab.json", "w", encoding="utf-8"), ensure_ascii=False, separators=(",", ":"))
        open(out + "/merges.txt", "w", encoding="utf-8").write("#version: 0.2\n" + "".join("%s %s\n" % m for m in kept))
    else:
        model["merges"] = [list(m) for m in kept]
        json.dump(j, open(out + "/tokenizer.json", "w", encoding="utf-8"), ensure_ascii=False, separators=(",", ":"))
    print("%d of %d ids, %d of %d merges" % (len(model["vocab"]), len(vocab), len(kept), len(order)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["components"]:
        write_components(int(sys.argv[2]) if len(sys.argv) > 2 else 40, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    elif sys.argv[1:2] == ["subset"] and len(sys.argv) == 4:
        subset(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)
