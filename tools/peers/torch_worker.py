"""The PyTorch side of peers.py: reads requests from stdin, a line of JSON each, and answers on stdout in the same way.

A request is {"task": NAME, "threads": N, "device": "cpu" or "cuda", ...}; what else it holds are the arguments of the
function of that name in torch_kernels.py, torch_networks.py or torch_loading.py. An answer is what the function returns,
or {"error": TEXT}. What is printed elsewhere goes to stderr.
"""

import json
import sys

import torch
import torchvision

import torch_kernels
import torch_loading
import torch_networks


def versions(device):
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    return {"python": sys.version.split()[0], "torch": torch.__version__, "torchvision": torchvision.__version__,
            "device": name}


TASKS = {"versions": versions, **torch_kernels.TASKS, **torch_networks.TASKS, **torch_loading.TASKS}


def answer(request):
    torch.set_num_threads(request.pop("threads"))
    try:
        return TASKS[request.pop("task")](**request)
    except Exception as error:  # of any kind: one case fails, the others go on
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}


def main():
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
