#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables and figures of a study (jobs/study/study.sh): FOLDER/runs.csv with one line a finished run, FOLDER/tables.md, FOLDER/*.png.

FOLDER may also be a runs.csv: then only the tables are printed. --document docs/study.md puts the tables between the marks <!-- table: NAME --> and <!-- end --> of that page, and runs.csv and the
figures into the folder of the same name beside it (docs/study/)."""
import argparse
import os
import re
import shutil
import sys

import study_collect
from solera_run import RunError
from study_figures import PARTS_WITH_CURVES, figures
from study_tables import tables

MARK = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)


def fill(text, made):
    """text with every marked block replaced; a mark without a table is an error"""
    unknown = [m[1] for m in re.findall(MARK, text) if m[1] not in made]
    if unknown:
        raise ValueError(f"no table of the name {unknown[0]}; there are {', '.join(made)}")
    return MARK.sub(lambda m: m[1] + "\n" + made[m[2]] + "\n\n" + m[4], text)


def document(page, folder, made, names):
    beside = os.path.splitext(page)[0]
    for part in ("tau",) + PARTS_WITH_CURVES: # figures that are there only when their runs are
        if f"{part}.png" in names:
            what = "Pass rates and masked share against tau" if part == "tau" else "Pass rate of fresh rollouts against updates"
            made[part] += f"\n\n![{what}]({os.path.basename(beside)}/{part}.png)"
    with open(page, encoding="utf-8") as f:
        text = fill(f.read(), made)
    os.makedirs(beside, exist_ok=True)
    for name in os.listdir(beside):
        if name.endswith(".png"):
            os.remove(os.path.join(beside, name))
    for name in ["runs.csv"] + names:
        shutil.copyfile(os.path.join(folder, name), os.path.join(beside, name))
    with open(page + ".tmp", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(page + ".tmp", page)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", metavar="FOLDER", help="the study's folder, or a runs.csv")
    p.add_argument("--document", metavar="PAGE.md", help="write the tables into this page")
    a = p.parse_args()
    try:
        if os.path.isfile(a.folder):
            for name, table in tables(study_collect.read(a.folder)).items():
                print(f"## {name}\n\n{table}\n")
            return
        rows, curves = study_collect.collect(a.folder)
        if not rows:
            raise ValueError(f"{a.folder}: no finished run (seed*/PART/RUN with RUN.run and RUN.weights)")
        study_collect.write(rows, os.path.join(a.folder, "runs.csv"))
        made = tables(study_collect.read(os.path.join(a.folder, "runs.csv")))
        names = figures(rows, curves, a.folder)
        with open(os.path.join(a.folder, "tables.md"), "w", encoding="utf-8") as f:
            f.write("\n".join(f"## {k}\n\n{v}\n" for k, v in made.items()))
        if a.document:
            document(a.document, a.folder, made, names)
    except (OSError, ValueError, RunError) as e:
        sys.exit(f"study: {e}")
    print(f"study: {len(rows)} finished runs: {os.path.join(a.folder, 'runs.csv')}, tables.md" + "".join(f", {n}" for n in names) + (f"; {a.document}" if a.document else ""))


if __name__ == "__main__":
    main()
