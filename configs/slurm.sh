#!/bin/bash
# Several processes that share one grid, as an array job of SLURM; each makes what no other one is making.
#   sbatch configs/slurm.sh grid.yaml
# The grid, its collections, the store and the results are on a file system that all nodes see.
#SBATCH --job-name=negbench
#SBATCH --array=0-3
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=08:00:00
# with graphics cards, one for each process:  #SBATCH --gpus-per-task=1
set -euo pipefail
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-4}"
export NEGBENCH_STORE="${NEGBENCH_STORE:-$PWD/.negbench}"
negbench run "${1:?usage: sbatch slurm.sh grid.yaml}"
